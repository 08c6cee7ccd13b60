//! How many requests a log has per minute, and the curve of rates that a load follows to do the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::scenario::rates::HIGHEST_RATE;

/// The finest step: below it, the second that a log rounds to and the single client show.
const MINUTE_S: i64 = 60;

/// Steps that are kept, two weeks of minutes. A longer log is counted in steps of 2, 4, … minutes.
const MAX_STEPS: usize = 2 * 7 * 24 * 60;

/// Time without any request that separates a stray date (a clock that was wrong, a line from another file) from the
/// log.
const STRAY_GAP_S: i64 = 24 * 3600;

/// The largest share of requests that may be stray.
const STRAY_SHARE: f64 = 0.001;

/// Requests that may be stray in any log but the shortest, at either end: a line whose year is damaged.
const MAX_STRAYS: u64 = 2;
/// See [`MAX_STRAYS`].
const FEWEST_FOR_STRAYS: u64 = 40;

/// The longest that a phase may last: thirty days.
const LONGEST_S: i64 = 30 * 24 * 3600;

/// Requests per step of time, in bounded memory and whatever the order of the lines.
#[derive(Debug)]
pub(super) struct Rates {
    step_s: i64,
    steps: BTreeMap<i64, Step>,
}

/// The requests of one step.
#[derive(Debug, Clone, Copy)]
struct Step {
    requests: u64,
    first_s: i64,
    last_s: i64,
}

/// A rate over time, with straight lines between its points.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Seconds since its beginning, with requests per second at this time.
    points: Vec<(f64, f64)>,
    /// How long it is.
    pub duration_s: u64,
    /// Requests in it.
    pub requests: u64,
    /// Requests left out because their dates are far from all others.
    pub stray: u64,
    /// Requests left out because the log is longer than a phase can be.
    pub outside: u64,
    /// Time that each rate is the mean of.
    pub step_s: u64,
}

impl Rates {
    pub(super) fn new() -> Self {
        Self { step_s: MINUTE_S, steps: BTreeMap::new() }
    }

    /// Counts a request at this time, in seconds since 1970.
    pub(super) fn count(&mut self, at_s: i64) {
        let one = Step { requests: 1, first_s: at_s, last_s: at_s };
        self.steps.entry(at_s.div_euclid(self.step_s)).and_modify(|step| step.add(one)).or_insert(one);
        if self.steps.len() > MAX_STEPS {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.step_s *= 2;
        for (_, step) in std::mem::take(&mut self.steps) {
            let at = step.first_s.div_euclid(self.step_s);
            self.steps.entry(at).and_modify(|there| there.add(step)).or_insert(step);
        }
    }

    /// The curve of what was counted; none if nothing was.
    pub(super) fn curve(mut self) -> Option<Curve> {
        let stray = self.drop_stray();
        let outside = self.keep_busiest();
        let span =
            |steps: &BTreeMap<i64, Step>| Some(steps.last_key_value()?.0.abs_diff(*steps.first_key_value()?.0) + 1);
        while span(&self.steps)? > MAX_STEPS as u64 {
            self.widen();
        }
        let (&first, begin) = self.steps.first_key_value()?;
        let (&last, end) = self.steps.last_key_value()?;
        let (begin_s, end_s) = (begin.first_s, end.last_s + 1);
        let mut points: Vec<(f64, f64)> = Vec::new();
        for at in first..=last {
            // Nothing is known of the time before the first line and after the last.
            let (from_s, to_s) = ((at * self.step_s).max(begin_s), ((at + 1) * self.step_s).min(end_s));
            let requests = self.steps.get(&at).map_or(0, |step| step.requests);
            let rate = requests as f64 / (to_s - from_s) as f64;
            // In the middle of its step, so that straight lines between two steps keep the sum.
            points.push(((from_s + to_s) as f64 / 2.0 - begin_s as f64, rate));
        }
        let (first_rate, last_rate) = (points.first()?.1, points.last()?.1);
        points.insert(0, (0.0, first_rate));
        points.push(((end_s - begin_s) as f64, last_rate));
        Some(Curve {
            points,
            duration_s: (end_s - begin_s) as u64,
            requests: self.steps.values().map(|step| step.requests).sum(),
            stray,
            outside,
            step_s: self.step_s as u64,
        })
    }

    /// Takes out what is not in the part with the most requests that a phase can be as long as, and says how many
    /// requests that is.
    fn keep_busiest(&mut self) -> u64 {
        let steps: Vec<Step> = self.steps.values().copied().collect();
        let total: u64 = steps.iter().map(|step| step.requests).sum();
        let (mut from, mut requests) = (0, 0);
        let mut busiest: Option<(u64, i64, i64)> = None;
        for step in &steps {
            requests += step.requests;
            // A step may be longer by itself, in a log of centuries: of that its beginning.
            while steps[from].first_s < step.first_s && step.last_s - steps[from].first_s >= LONGEST_S {
                requests -= steps[from].requests;
                from += 1;
            }
            if busiest.is_none_or(|(most, ..)| requests >= most) {
                busiest = Some((requests, steps[from].first_s, step.first_s));
            }
        }
        let Some((requests, first_s, last_s)) = busiest else { return 0 };
        self.steps.retain(|_, step| (first_s..=last_s).contains(&step.first_s));
        if let Some(mut last) = self.steps.last_entry() {
            let last = last.get_mut();
            last.last_s = last.last_s.min(first_s + LONGEST_S - 1);
        }
        total - requests
    }

    /// Takes out the few requests before the first long gap and after the last one, and says how many.
    fn drop_stray(&mut self) -> u64 {
        let total: u64 = self.steps.values().map(|step| step.requests).sum();
        let few = if total >= FEWEST_FOR_STRAYS { MAX_STRAYS } else { 0 };
        let most = few.max((total as f64 * STRAY_SHARE) as u64);
        let times: Vec<(i64, Step)> = self.steps.iter().map(|(at, step)| (*at, *step)).collect();
        let edge = |steps: &mut dyn Iterator<Item = &(i64, Step)>| -> Vec<i64> {
            let mut requests = 0;
            let mut seen: Vec<i64> = Vec::new();
            let mut stray = 0;
            let mut before: Option<Step> = None;
            for (at, step) in steps {
                let apart = before.map_or(0, |before| (step.first_s - before.first_s).abs());
                if apart > STRAY_GAP_S {
                    stray = seen.len();
                }
                requests += step.requests;
                if requests > most {
                    break;
                }
                seen.push(*at);
                before = Some(*step);
            }
            seen.truncate(stray);
            seen
        };
        let far: Vec<i64> = edge(&mut times.iter()).into_iter().chain(edge(&mut times.iter().rev())).collect();
        far.iter().filter_map(|at| self.steps.remove(at)).map(|step| step.requests).sum()
    }
}

impl Step {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.first_s = self.first_s.min(other.first_s);
        self.last_s = self.last_s.max(other.last_s);
    }
}

impl Curve {
    /// Requests per second, over all of it.
    #[must_use]
    pub fn mean_rate(&self) -> f64 {
        self.requests as f64 / self.duration_s as f64
    }

    /// The highest of its rates.
    #[must_use]
    pub fn peak_rate(&self) -> f64 {
        self.points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max)
    }

    /// It as the file that `shape = "from_file"` reads: `time` in seconds, `rate` in requests per second.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = String::from("time,rate\n");
        for (time, rate) in &self.points {
            // What is more than none stays so: a file without any rate above 0 is none of a load.
            let digits = if *rate < 0.01 { 1e9 } else { 1e4 };
            let _ = writeln!(text, "{time},{}", ((rate * digits).round() / digits).min(HIGHEST_RATE));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(times_s: impl IntoIterator<Item = i64>) -> Curve {
        let mut rates = Rates::new();
        times_s.into_iter().for_each(|at| rates.count(at));
        rates.curve().expect("a curve")
    }

    /// The number of requests under the straight lines.
    fn area(curve: &Curve) -> f64 {
        curve.points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * f64::midpoint(pair[0].1, pair[1].1)).sum()
    }

    #[test]
    fn a_curve_has_as_many_requests_as_the_log() {
        // One per second for two minutes, three per second for the next two, none for two, one per second again.
        let thrice = |from: i64| (from..from + 120).flat_map(|at| [at; 3]);
        let curve = curve((0..120).chain(thrice(120)).chain(360..480));
        assert_eq!((curve.duration_s, curve.requests, curve.stray), (480, 600, 0));
        assert!((area(&curve) - 600.0).abs() < 1e-6, "{curve:?}");
        insta::assert_snapshot!(curve.csv(), @r"
        time,rate
        0,1
        30,1
        90,1
        150,3
        210,3
        270,0
        330,0
        390,1
        450,1
        480,1
        ");
    }

    #[test]
    fn minutes_that_the_log_has_only_a_part_of_keep_their_rate() {
        let curve = curve(1_000_050..1_000_150);
        assert!(curve.points.iter().all(|(_, rate)| (*rate - 1.0).abs() < 1e-9), "{curve:?}");
        assert!((curve.duration_s, curve.points[0].0) == (100, 0.0), "{curve:?}");
    }

    #[test]
    fn time_may_go_backwards() {
        assert_eq!(curve(0..600), curve((0..600).rev()));
    }

    #[test]
    fn a_stray_date_does_not_stretch_the_curve() {
        let far = 1_700_000_000;
        let curve = curve([0].into_iter().chain(far..far + 3600).chain([far + 10 * STRAY_GAP_S]));
        assert_eq!((curve.duration_s, curve.requests, curve.stray), (3600, 3600, 2));
    }

    #[test]
    fn of_a_log_that_is_longer_than_a_phase_the_busiest_part_is_taken() {
        let day = 24 * 3600;
        // A year, in which the requests from day 100 to day 130 come twice.
        let busy = |minute: i64| if (100 * day..130 * day).contains(&(minute * 60)) { 2 } else { 1 };
        let year = (0..366 * 24 * 60).flat_map(|minute| std::iter::repeat_n(minute * 60, busy(minute)));
        let curve = curve(year);
        assert!(
            curve.points.len() <= MAX_STEPS + 2 && curve.step_s == 32 * 60,
            "{} {}",
            curve.points.len(),
            curve.step_s
        );
        assert!(curve.duration_s <= LONGEST_S as u64 && curve.duration_s > LONGEST_S as u64 - 2 * curve.step_s);
        assert!((curve.mean_rate() - 2.0 / 60.0).abs() < 0.001, "{}", curve.mean_rate());
        assert!((area(&curve) / curve.requests as f64 - 1.0).abs() < 0.01);
        assert_eq!(curve.requests + curve.outside, 396 * 24 * 60);
    }

    #[test]
    fn one_damaged_year_does_not_stretch_a_short_log() {
        let year = 365 * 24 * 3600;
        for damaged in [-30 * year, 7000 * year] {
            let left = |curve: &Curve| (curve.duration_s, curve.stray, curve.outside);
            assert_eq!(left(&curve((0..100).map(|nth| nth * 60).chain([damaged]))), (99 * 60 + 1, 1, 0));
            assert_eq!(left(&curve([0, 60, 120, damaged])), (121, 0, 1));
        }
    }

    #[test]
    fn a_log_of_centuries_has_a_curve() {
        let days = 3_000_000;
        let curve = curve((0..days).map(|day| day * 24 * 3600));
        assert!(curve.duration_s <= LONGEST_S as u64, "{}", curve.duration_s);
        assert!(curve.csv().lines().skip(1).any(|line| !line.ends_with(",0")), "{}", curve.csv());
    }

    #[test]
    fn nothing_has_no_curve() {
        assert_eq!(Rates::new().curve(), None);
    }
}
