//! Moments as loggers write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// From here on a number is a moment since 1970 and no time since the start: in seconds the year 2001.
const EPOCH: f64 = 1e9;

/// The same in milliseconds, microseconds and nanoseconds; between them is room for three thousand years.
const FINER: [(f64, f64); 3] = [(1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)];

/// The longest text of a moment, in bytes.
const LONGEST: usize = 48;

/// Where no year is written, this leap year stands for it.
const SOME_YEAR: &str = "2028";

/// Moments with a date, in the order in which they are tried; the zone is cut off before.
const DATED: [&str; 22] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y%m%d %H%M%S",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%y %H:%M:%S%.f",
    "%d/%m/%y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
    "%d/%b/%Y:%H:%M:%S%.f",
    "%b %d %H:%M:%S%.f %Y",
    "%d %b %H:%M:%S%.f %Y",
    "%b %d %I:%M:%S %p %Y",
    "%d %b %Y %H:%M:%S%.f",
    "%d-%b-%Y %H:%M:%S%.f",
    "%Y-%m-%d",
];

/// Clocks without a date.
const CLOCKS: [&str; 4] = ["%H:%M:%S%.f", "%I:%M:%S %p", "%H:%M", "%I:%M %p"];

/// Months and days of dates in figures, whose order is open.
const BOTH_ORDERS: [(usize, usize); 4] = [(5, 6), (7, 8), (9, 10), (11, 12)];

/// What a text says about time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// Seconds since 1970, or since the start.
    At(f64),
    /// Date and time of a wall clock.
    Wall(DateTime),
    /// A clock without a date.
    Clock(f64),
}

/// How all moments of a column are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Style {
    /// A number, and the seconds in its unit.
    Number(f64),
    /// A row of [`DATED`].
    Dated(usize),
    /// A row of [`CLOCKS`].
    Clock(usize),
    /// `[[days-]hours:]minutes:seconds` that a process has lived.
    Lived,
}

impl Style {
    pub(super) fn read(self, text: &str) -> Option<Moment> {
        match self {
            Self::Number(scale) => text.parse::<f64>().ok().map(|number| Moment::At(number * scale)),
            Self::Lived => lived(text).map(Moment::At),
            Self::Clock(row) => {
                let (text, _) = without_zone(text);
                let time = broken_down(CLOCKS[row], &text)?.to_time().ok()?;
                Some(Moment::Clock(seconds(time)))
            }
            Self::Dated(row) => dated(DATED[row], text),
        }
    }
}

fn dated(pattern: &str, text: &str) -> Option<Moment> {
    let (text, offset) = without_zone(text);
    let broken = with_year(pattern, &text)?;
    let date = broken.to_date().ok()?;
    let time = broken.to_time().unwrap_or(Time::midnight());
    let wall = date.to_datetime(time);
    match offset {
        None => Some(Moment::Wall(wall)),
        Some(offset) => Some(Moment::At(since_1970(wall)? - offset)),
    }
}

/// The same where the year may be missing, as in the lines of syslog.
fn with_year(pattern: &str, text: &str) -> Option<BrokenDownTime> {
    let read = broken_down(pattern, text);
    let may_be_missing = pattern.ends_with(" %Y") && !text.ends_with(|c: char| c.is_ascii_uppercase());
    read.or_else(|| broken_down(pattern, &format!("{text} {SOME_YEAR}")).filter(|_| may_be_missing))
}

fn broken_down(pattern: &str, text: &str) -> Option<BrokenDownTime> {
    let read = BrokenDownTime::parse(pattern, text).ok()?;
    read.year().is_none_or(|year| year >= 1970).then_some(read)
}

fn seconds(time: Time) -> f64 {
    let whole = i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60 + i32::from(time.second());
    f64::from(whole) + f64::from(time.subsec_nanosecond()) / 1e9
}

/// Seconds since 1970 if the wall clock stood in UTC.
pub(super) fn since_1970(wall: DateTime) -> Option<f64> {
    let epoch = Date::constant(1970, 1, 1);
    let days = epoch.until(wall.date()).ok()?.get_days();
    Some(f64::from(days) * 86_400.0 + seconds(wall.time()))
}

/// Seconds since 1970 in a zone. In the hour that comes twice it is the first one, or the second where time would go
/// back otherwise.
pub(super) fn in_zone(wall: DateTime, zone: &TimeZone, last: f64) -> Option<f64> {
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    let earlier = ambiguous.earlier().ok()?.as_duration().as_secs_f64();
    if earlier >= last {
        return Some(earlier);
    }
    Some(ambiguous.later().ok()?.as_duration().as_secs_f64())
}

/// `[[dd-]hh:]mm:ss`, as `ps -o etime` has it.
fn lived(text: &str) -> Option<f64> {
    let (days, clock) = text
        .split_once('-')
        .map_or(Some((0.0, text)), |(days, clock)| Some((days.parse::<u32>().ok().map(f64::from)?, clock)))?;
    let mut parts = clock.rsplit(':').map(|part| part.parse::<u32>().ok().map(f64::from));
    let (seconds, minutes) = (parts.next()??, parts.next()??);
    let hours = parts.next().unwrap_or(Some(0.0))?;
    parts.next().is_none().then_some(((days * 24.0 + hours) * 60.0 + minutes) * 60.0 + seconds)
}

/// A moment in one form: without brackets, day of the week and zone, whose offset in seconds is beside it.
fn without_zone(text: &str) -> (String, Option<f64>) {
    let text = text.trim().trim_start_matches('[').trim_end_matches([']', ':']);
    let mut kept = String::with_capacity(text.len());
    let mut offset = None;
    let spaced = text.replacen('T', " ", usize::from(is_iso(text)));
    for (nth, word) in spaced.split_whitespace().enumerate() {
        let bare = word.trim_end_matches(',');
        if nth == 0 && is_weekday(bare) {
            continue;
        }
        let word = word.strip_suffix('.').unwrap_or(word);
        if word == "UTC" || word == "GMT" || word == "Z" {
            offset = Some(0.0);
            continue;
        }
        if is_abbreviated_zone(word) {
            continue;
        }
        let (word, zone) = cut_offset(word);
        offset = zone.or(offset);
        if !word.is_empty() {
            if !kept.is_empty() {
                kept.push(' ');
            }
            kept.push_str(word);
        }
    }
    // The comma of Python's logging stands for the point.
    (kept.replacen(',', ".", 1), offset)
}

/// A `T` between date and time.
fn is_iso(text: &str) -> bool {
    let Some(at) = text.find('T') else { return false };
    let around = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    around(text[..at].chars().next_back()) && around(text[at + 1..].chars().next())
}

fn is_weekday(word: &str) -> bool {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let lower = word.to_ascii_lowercase();
    DAYS.iter().any(|day| lower.starts_with(day)) && word.chars().all(char::is_alphabetic)
}

/// `CET` and such: the offset that they mean is open, and within one recording they change with the clock.
fn is_abbreviated_zone(word: &str) -> bool {
    (3..=5).contains(&word.len()) && word.chars().all(|c| c.is_ascii_uppercase()) && word != "NOON"
}

/// Cuts `Z`, `+01:00`, `+0100` or `+01` off the end of a clock, or of a word of its own.
fn cut_offset(word: &str) -> (&str, Option<f64>) {
    if let Some(clock) = word.strip_suffix('Z').filter(|clock| clock.ends_with(|c: char| c.is_ascii_digit())) {
        return (clock, Some(0.0));
    }
    let start = if word.starts_with(['+', '-']) {
        Some(0)
    } else {
        word.rfind(['+', '-']).filter(|at| word[..*at].contains(':'))
    };
    let Some(start) = start else { return (word, None) };
    let digits: String = word[start + 1..].chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return (word, None);
    }
    let number = |text: &str| text.parse::<u32>().map_or(0.0, f64::from);
    let sign = if word[start..].starts_with('-') { -1.0 } else { 1.0 };
    let offset = number(&digits[..2]) * 3600.0 + digits.get(2..).map_or(0.0, |minutes| number(minutes) * 60.0);
    (&word[..start], Some(sign * offset))
}

/// The way in which `texts` are written: one that fits all of them, and the first text that fits none.
pub(super) fn style<S: AsRef<str>>(texts: &(impl Iterator<Item = S> + Clone)) -> Result<Style, Option<usize>> {
    let Some(first) = texts.clone().next() else { return Err(None) };
    if let Ok(number) = first.as_ref().parse::<f64>() {
        let wrong = texts.clone().position(|text| text.as_ref().parse::<f64>().is_err());
        let finer = FINER.iter().find(|(from, _)| number >= *from).map_or(1.0, |(_, scale)| *scale);
        return wrong.map_or(Ok(Style::Number(finer)), |wrong| Err(Some(wrong)));
    }
    let dated = (0..DATED.len()).map(Style::Dated);
    let mut fitting: Vec<Style> = dated.chain((0..CLOCKS.len()).map(Style::Clock)).collect();
    for (nth, text) in texts.clone().enumerate() {
        fitting.retain(|style| style.read(text.as_ref()).is_some());
        if fitting.is_empty() {
            return Err(Some(nth));
        }
    }
    for (month_first, day_first) in BOTH_ORDERS {
        let has = |row| fitting.contains(&Style::Dated(row));
        if has(month_first) && has(day_first) {
            let largest = |row| largest_gap(texts.clone().filter_map(|text| Style::Dated(row).read(text.as_ref())));
            let row = if largest(day_first) < largest(month_first) { day_first } else { month_first };
            return Ok(Style::Dated(row));
        }
    }
    Ok(fitting[0])
}

/// The largest step between two moments of one column: of the two orders of day and month the wrong one jumps by
/// months.
fn largest_gap(moments: impl Iterator<Item = Moment>) -> f64 {
    let mut last: Option<f64> = None;
    let mut largest = 0.0_f64;
    for moment in moments {
        let at = match moment {
            Moment::Wall(wall) => since_1970(wall).unwrap_or_default(),
            Moment::At(at) | Moment::Clock(at) => at,
        };
        largest = largest.max(last.map_or(0.0, |last| (at - last).abs()));
        last = Some(at);
    }
    largest
}

/// Whether a whole line is a moment, as loops print one before each reading: a date, a clock, or seconds since 1970.
pub(super) fn is_moment(text: &str) -> bool {
    let text = text.trim();
    if text.len() > LONGEST {
        return false;
    }
    if let Ok(number) = text.parse::<f64>() {
        return number >= EPOCH;
    }
    let starts = text.trim_start_matches('[').starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_alphabetic());
    // Only a date or a clock has these between figures.
    let mut pairs = text.as_bytes().windows(2);
    if !starts || !pairs.any(|pair| pair[0].is_ascii_digit() && matches!(pair[1], b':' | b'-' | b'/' | b'.' | b'T')) {
        return false;
    }
    let (bare, _) = without_zone(text);
    DATED.iter().any(|pattern| with_year(pattern, &bare).is_some())
        || CLOCKS.iter().any(|pattern| broken_down(pattern, &bare).is_some())
}

/// Whether a number of a column is a moment since 1970.
pub(super) fn is_epoch(number: f64) -> bool {
    number >= EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(first: &str, second: &str) -> f64 {
        let texts = [first, second];
        let style = style(&texts.iter().copied()).unwrap_or_else(|_| panic!("{first}"));
        let at = |text: &str| match style.read(text).expect(text) {
            Moment::At(at) | Moment::Clock(at) => at,
            Moment::Wall(wall) => since_1970(wall).expect("a moment"),
        };
        at(second) - at(first)
    }

    #[test]
    fn moments_are_read_as_loggers_write_them() {
        for (first, second) in [
            ("0", "90"),
            ("1795384800", "1795384890"),
            ("1795384800000", "1795384890000"),
            ("1795384800000000", "1795384890000000"),
            ("1795384800000000000", "1795384890000000000"),
            ("2026-11-22T22:00:00Z", "2026-11-22T22:01:30Z"),
            ("2026-11-22T22:00:00.123+01:00", "2026-11-22T21:01:30.123Z"),
            ("2026-11-22T22:00:00.123456", "2026-11-22T22:01:30.123456"),
            ("2026-11-22 22:00:00,123", "2026-11-22 22:01:30,123"),
            ("[2026-11-22 22:00:00]", "[2026-11-22 22:01:30]"),
            ("2026/11/22 22:00:00", "2026/11/22 22:01:30"),
            ("2026-11-22 22:00:00 +0100 CET", "2026-11-22 22:01:30 +0100 CET"),
            ("11/02/2026 08:00:00", "11/02/2026 08:01:30"),
            ("11/22/2026 08:00:00 PM", "11/22/2026 08:01:30 PM"),
            ("22.11.2026 08:00:00", "22.11.2026 08:01:30"),
            ("22/Nov/2026:08:00:00 +0000", "22/Nov/2026:08:01:30 +0000"),
            ("Sun Nov 22 22:00:00 UTC 2026", "Sun Nov 22 22:01:30 UTC 2026"),
            ("Sun Nov 22 10:00:00 PM CET 2026", "Sun Nov 22 10:01:30 PM CET 2026"),
            ("Sun 22 Nov 22:00:00 CET 2026", "Sun 22 Nov 22:01:30 CET 2026"),
            ("Sun, 22 Nov 2026 22:00:00 GMT", "Sun, 22 Nov 2026 22:01:30 GMT"),
            ("Nov  2 22:00:00", "Nov  2 22:01:30"),
            ("08:00:00", "08:01:30"),
            ("08:00:00 AM", "08:01:30 AM"),
        ] {
            assert!((step(first, second) - 90.0).abs() < 1e-3, "{first}: {}", step(first, second));
        }
    }

    #[test]
    fn day_and_month_are_told_by_the_smaller_steps() {
        assert!((step("01/02/2026 23:00:00", "02/02/2026 01:00:00") - 7200.0).abs() < 1e-6, "day first");
        assert!((step("01/02/2026 23:00:00", "01/03/2026 01:00:00") - 7200.0).abs() < 1e-6, "month first");
    }

    #[test]
    fn an_hour_that_comes_twice_goes_on_in_a_zone() {
        let Ok(zone) = TimeZone::get("Europe/Berlin") else { return };
        let wall = |hour| Date::constant(2026, 10, 25).at(hour, 30, 0, 0);
        let first = in_zone(wall(2), &zone, 0.0).expect("a moment");
        let second = in_zone(wall(2), &zone, first + 1.0).expect("a moment");
        assert!((second - first - 3600.0).abs() < 1e-6);
    }

    #[test]
    fn what_a_process_has_lived_is_read() {
        assert_eq!(lived("1-02:03:04"), Some(93_784.0));
        assert_eq!(lived("03:04"), Some(184.0));
        assert_eq!((lived("x"), lived("1:2:3:4"), lived("")), (None, None, None));
    }

    #[test]
    fn lines_of_text_are_no_moments() {
        assert!(["Sun Nov 22 22:00:00 UTC 2026", "1795384800", "08:00:01", "2026-11-22"].iter().all(|t| is_moment(t)));
        assert!(!["", "12345", "web 3m 180Mi", "Tasks: 12 total", "-", "Mem: 1 2"].iter().any(|t| is_moment(t)));
    }
}
