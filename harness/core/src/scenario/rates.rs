//! A rate over time from a file: `time` and `rate`, with straight lines between. Pure.

use std::time::Duration;

use steep_judge::units::Rps;

use super::rows::broken_csv;
use super::supplies::Flaw;

/// Most straight lines of a phase, repetitions included: a point for each second of a day, and some. One takes 64 bytes
/// once it is part of the curve.
pub const MAX_STRETCHES: usize = 100_000;

/// Requests per second: the fastest drivers that were measured end at 189,000.
pub const HIGHEST_RATE: f64 = 1e6;

/// Times of a file may not be farther from its beginning: thirty days, as long as a phase may last.
const LONGEST_S: f64 = 30.0 * 86_400.0;

/// A part of a phase on which the rate is a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// How long it lasts.
    pub length: Duration,
    /// At its beginning.
    pub start_rate: Rps,
    /// At its end.
    pub target_rate: Rps,
}

/// The rates of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// Times since the beginning of the phase, in order.
    points: Vec<(Duration, Rps)>,
}

/// How a file writes its times.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Time {
    Seconds(f64),
    /// Since 1970.
    Moment(Duration),
}

impl Rates {
    /// The rates in the CSV `text`. Times are seconds since the beginning of the phase, or moments in RFC 3339, of
    /// which the first is the beginning.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(path: &str, text: &str) -> Result<Self, Flaw> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let names = reader.headers().map_err(|error| broken_csv(path, &error))?.clone();
        let place = |name: &str| {
            names.iter().position(|found| found == name).ok_or_else(|| {
                let there = crate::problem::listed(names.iter());
                Flaw::new(
                    format!("{path} has no column \"{name}\""),
                    format!("\"time\" and \"rate\" are read; it has {there}"),
                )
            })
        };
        let (time, rate) = (place("time")?, place("rate")?);
        let mut points: Vec<(Duration, Rps)> = Vec::new();
        let mut first = None;
        for record in reader.records() {
            let record = record.map_err(|error| broken_csv(path, &error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let at = |(message, help): (String, &str)| Flaw::new(format!("line {line} of {path}: {message}"), help);
            let moment = Time::parse(&record[time]).and_then(|moment| moment.since(*first.get_or_insert(moment)));
            let point = (moment.map_err(at)?, rate_of(&record[rate]).map_err(at)?);
            if points.last().is_some_and(|(before, _)| *before > point.0) {
                return Err(at((format!("time goes back to {}", &record[time]), "sort the rows by time")));
            }
            if points.len() == MAX_STRETCHES {
                return Err(at((
                    format!("more than {MAX_STRETCHES} rows"),
                    "give fewer points: lines are drawn between",
                )));
            }
            points.push(point);
        }
        if points.is_empty() {
            return Err(Flaw::new(format!("{path} has no rows"), "a rate needs at least one point"));
        }
        Ok(Self { points })
    }

    /// How long the file lasts.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.points.last().map_or(Duration::ZERO, |(at, _)| *at)
    }

    /// The straight lines over a phase of `duration`. Before the first point its rate holds; after the last the file
    /// begins anew where it is to `repeat`, or else the last rate holds.
    ///
    /// # Errors
    /// There would be too many, or nothing to repeat.
    pub fn over(&self, duration: Duration, repeat: bool) -> Result<Vec<Stretch>, Flaw> {
        let once = self.once();
        let mut stretches = Vec::new();
        let mut left = duration;
        let mut rounds = once.iter().cycle().take(if repeat { usize::MAX } else { once.len() });
        if repeat && self.length().is_zero() {
            return Err(Flaw::new("a file that lasts no time cannot be repeated", "add a row with a later time"));
        }
        while !left.is_zero() {
            let last_rate = self.points.last().map_or(Rps::new(0.0), |(_, rate)| *rate);
            let hold = Stretch { length: left, start_rate: last_rate, target_rate: last_rate };
            let stretch = rounds.next().copied().unwrap_or(hold).cut(left);
            left -= stretch.length;
            if !stretch.length.is_zero() {
                stretches.push(stretch);
            }
            if stretches.len() > MAX_STRETCHES {
                let message = format!("the phase would have more than {MAX_STRETCHES} straight lines");
                return Err(Flaw::new(message, "give fewer points, or a shorter phase"));
            }
        }
        Ok(stretches)
    }

    /// From the beginning of the phase to the last point.
    fn once(&self) -> Vec<Stretch> {
        let first = self.points.first().map(|(_, rate)| (Duration::ZERO, *rate));
        let points: Vec<(Duration, Rps)> = first.into_iter().chain(self.points.iter().copied()).collect();
        let between = |pair: &[(Duration, Rps)]| {
            let [(from, start_rate), (to, target_rate)] = [pair[0], pair[1]];
            Stretch { length: to.saturating_sub(from), start_rate, target_rate }
        };
        points.windows(2).map(between).collect()
    }
}

impl Stretch {
    /// Its first part, of at most `longest`.
    fn cut(self, longest: Duration) -> Self {
        if self.length <= longest {
            return self;
        }
        let share = longest.as_secs_f64() / self.length.as_secs_f64();
        let (start, target) = (self.start_rate.get(), self.target_rate.get());
        Self { length: longest, target_rate: Rps::new(start + (target - start) * share), ..self }
    }
}

impl Time {
    fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        const HELP: &str = "seconds since the beginning of the phase, or like 2026-03-01T06:00:00Z";
        if let Ok(seconds) = text.parse::<f64>() {
            return match seconds {
                0.0..=LONGEST_S => Ok(Self::Seconds(seconds)),
                _ => Err((format!("time {text} is not from 0 to {LONGEST_S} seconds"), HELP)),
            };
        }
        let moment = humantime::parse_rfc3339_weak(text).map_err(|_| (format!("{text:?} is not a time"), HELP))?;
        let since_1970 =
            moment.duration_since(std::time::UNIX_EPOCH).map_err(|_| (format!("{text} is before 1970"), HELP))?;
        Ok(Self::Moment(since_1970))
    }

    /// The time from the beginning, which is 0 or the `first` moment.
    fn since(self, first: Self) -> Result<Duration, (String, &'static str)> {
        let backwards = || ("time goes back to before the first row".to_owned(), "sort the rows by time");
        match (self, first) {
            (Self::Seconds(seconds), Self::Seconds(_)) => Ok(Duration::from_secs_f64(seconds)),
            (Self::Moment(moment), Self::Moment(first)) => moment.checked_sub(first).ok_or_else(backwards),
            _ => Err(("seconds and moments are mixed".to_owned(), "write all times in one way")),
        }
    }
}

fn rate_of(text: &str) -> Result<Rps, (String, &'static str)> {
    match text.parse::<f64>() {
        Ok(rate @ 0.0..=HIGHEST_RATE) => Ok(Rps::new(rate)),
        Ok(rate) => Err((format!("rate {rate} is not from 0 to {HIGHEST_RATE}"), "requests per second")),
        Err(_) => Err((format!("{text:?} is not a rate"), "a number: requests per second")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds, rate at the beginning, rate at the end of each straight line.
    fn lines(text: &str, seconds: u64, repeat: bool) -> Vec<(f64, f64, f64)> {
        let rates = Rates::parse("r.csv", text).expect("rates");
        let stretches = rates.over(Duration::from_secs(seconds), repeat).expect("few");
        stretches.iter().map(|s| (s.length.as_secs_f64(), s.start_rate.get(), s.target_rate.get())).collect()
    }

    fn flaw(text: &str) -> String {
        Rates::parse("r.csv", text).expect_err("a flaw").message
    }

    #[test]
    fn lines_are_drawn_between_points_and_the_ends_are_held() {
        let text = "time, rate\n10, 5\n20, 15\n20, 50\n";
        assert_eq!(lines(text, 30, false), [(10.0, 5.0, 5.0), (10.0, 5.0, 15.0), (10.0, 50.0, 50.0)]);
        assert_eq!(lines(text, 15, false), [(10.0, 5.0, 5.0), (5.0, 5.0, 10.0)]);
    }

    #[test]
    fn a_loop_begins_anew_and_is_cut_at_the_end_of_the_phase() {
        let text = "rate,time\n0,0\n10,10\n";
        assert_eq!(lines(text, 25, true), [(10.0, 0.0, 10.0), (10.0, 0.0, 10.0), (5.0, 0.0, 5.0)]);
    }

    #[test]
    fn moments_count_from_the_first() {
        let text = "time,rate\n2026-03-01T06:00:00Z,1\n2026-03-01T06:01:00Z,2\n";
        assert_eq!(lines(text, 60, false), [(60.0, 1.0, 2.0)]);
    }

    #[test]
    fn what_is_not_a_curve_is_reported_with_its_line() {
        assert_eq!(flaw("t,rate\n0,1\n"), "r.csv has no column \"time\"");
        assert_eq!(flaw("time,rate\n0,-1\n"), "line 2 of r.csv: rate -1 is not from 0 to 1000000");
        assert_eq!(flaw("time,rate\n0,1\n9,1\n8,1\n"), "line 4 of r.csv: time goes back to 8");
        assert_eq!(flaw("time,rate\nsoon,1\n"), "line 2 of r.csv: \"soon\" is not a time");
        assert_eq!(flaw("time,rate\n0,NaN\n"), "line 2 of r.csv: rate NaN is not from 0 to 1000000");
        assert_eq!(flaw("time,rate\n2026-03-01T06:00:00Z,1\n60,1\n"), "line 3 of r.csv: seconds and moments are mixed");
        assert_eq!(flaw("time,rate\n"), "r.csv has no rows");
    }

    #[test]
    fn a_month_of_a_short_loop_is_refused() {
        let rates = Rates::parse("r.csv", "time,rate\n0,1\n1,2\n").expect("rates");
        assert!(rates.over(Duration::from_hours(720), true).is_err());
        let still = Rates::parse("r.csv", "time,rate\n0,1\n").expect("rates");
        assert!(still.over(Duration::from_mins(1), true).is_err());
    }
}
