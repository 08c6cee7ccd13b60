//! The moment until which a night lasts, in local time.

use std::str::FromStr;
use std::time::Duration;

use jiff::Zoned;
use jiff::civil::{DateTime, Time};

/// A moment as a user gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The next time that it is so late.
    Time(Time),
    /// On that day.
    Moment(DateTime),
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // No offset, which would be that of another zone.
        let is_made_of = |more: &[u8]| text.bytes().all(|byte| byte.is_ascii_digit() || more.contains(&byte));
        let moment = || (text.contains('T') && is_made_of(b"-:T")).then(|| text.parse().ok()).flatten();
        let time = || (text.contains(':') && is_made_of(b":")).then(|| text.parse().ok()).flatten();
        let until = time().map(Self::Time).or_else(|| moment().map(Self::Moment));
        until.ok_or_else(|| "a time of day, such as 07:00, or a moment, such as 2026-11-24T07:00".to_owned())
    }
}

impl Until {
    /// The moment that is meant `now`, in the time zone of that. Where clocks are put forward over it, it is as much
    /// later as they are.
    ///
    /// # Errors
    /// It is over.
    pub fn after(self, now: &Zoned) -> Result<Zoned, String> {
        let zone = now.time_zone();
        let on = |moment: DateTime| {
            // Where clocks are put back it comes twice, and the first may be over.
            [zone.to_ambiguous_zoned(moment).compatible(), zone.to_ambiguous_zoned(moment).later()]
                .into_iter()
                .flatten()
        };
        let found = match self {
            Self::Moment(moment) => on(moment).find(|moment| moment > now),
            Self::Time(time) => {
                let days = [now.date(), now.date().saturating_add(jiff::Span::new().days(1))];
                days.into_iter().flat_map(|day| on(day.to_datetime(time))).find(|moment| moment > now)
            }
        };
        found.ok_or_else(|| format!("--until {self} is over: it is {}", now.strftime("%Y-%m-%dT%H:%M")))
    }
}

impl std::fmt::Display for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{}", time.strftime("%H:%M")),
            Self::Moment(moment) => write!(f, "{}", moment.strftime("%Y-%m-%dT%H:%M")),
        }
    }
}

/// The time from `now` until `end`; none once that is over.
#[must_use]
pub fn left(now: &Zoned, end: &Zoned) -> Duration {
    Duration::try_from(now.duration_until(end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    /// Central Europe: forward on the last Sunday of March at 2, back on that of October at 3.
    fn at(moment: &str) -> Zoned {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        zone.to_zoned(moment.parse().expect("a moment")).expect("a moment of the zone")
    }

    fn until(text: &str, now: &Zoned) -> Result<Zoned, String> {
        text.parse::<Until>().expect("a moment").after(now)
    }

    fn minutes(text: &str, now: &Zoned) -> u64 {
        left(now, &until(text, now).expect("to come")).as_secs() / 60
    }

    #[test]
    fn a_time_of_day_is_the_next_one_and_a_moment_is_that_moment() {
        let evening = at("2026-11-23T22:00");
        assert_eq!(minutes("07:00", &evening), 540);
        assert_eq!(minutes("23:30", &evening), 90);
        assert_eq!(minutes("22:00", &evening), 1440);
        assert_eq!(minutes("2026-11-25T07:00", &evening), 1980);
        let error = until("2026-11-23T07:00", &evening).expect_err("over");
        assert_eq!(error, "--until 2026-11-23T07:00 is over: it is 2026-11-23T22:00");
    }

    #[test]
    fn the_night_in_which_clocks_change_is_an_hour_shorter_or_longer() {
        assert_eq!(minutes("07:00", &at("2026-03-28T22:00")), 480);
        assert_eq!(minutes("07:00", &at("2026-10-24T22:00")), 600);
        // There is no 02:30 in that night in March.
        assert_eq!(minutes("02:30", &at("2026-03-28T22:00")), 270);
        // And in that of October there are two.
        let first = until("02:30", &at("2026-10-24T22:00")).expect("to come");
        assert_eq!(minutes("02:30", &first), 60);
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in [
            "7",
            "25:00",
            "07:60",
            "soon",
            "",
            "2026-11-24",
            "2026-11-31T07:00",
            "-07:00",
            "2026-11-24T07:00Z",
            "2026-11-24T07:00+01:00",
        ] {
            assert!(text.parse::<Until>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_is_left_of_what_is_over() {
        assert_eq!(left(&at("2026-11-23T22:00"), &at("2026-11-23T21:00")), Duration::ZERO);
    }
}
