//! From the texts of a service's metrics to what a trace has of them: what changed, in bounded memory.
//!
//! Pure.

use std::collections::BTreeMap;

use regex::Regex;

use crate::exposition::{Folded, folded};
use crate::scenario::Metrics;
use crate::trace::Scrape;
use steep_judge::units::SinceStart;

/// Names that are recorded.
const SERIES_MAX: usize = 200;

/// After this many readings all values are written, so that a line that is lost is not missed for long.
const READINGS_PER_WHOLE: u32 = 60;

/// What is kept of the reason of a failure.
const PROBLEM_MAX_CHARS: usize = 200;

/// Readings of a service's metrics.
#[derive(Debug)]
pub struct Scraping {
    keep: Vec<Regex>,
    last: BTreeMap<String, f64>,
    readings: u32,
    failed: u64,
    problem: Option<String>,
}

impl Scraping {
    /// Of what the scenario wants to keep.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self { keep: metrics.kept(), last: BTreeMap::new(), readings: 0, failed: 0, problem: None }
    }

    /// The service answered with `text` when it was asked at `t_s`; none: nothing changed.
    pub fn answered(&mut self, t_s: SinceStart, text: &str) -> Option<Scrape> {
        let Folded { values, left_out } = folded(text, &self.keep, SERIES_MAX);
        let is_whole = self.readings.is_multiple_of(READINGS_PER_WHOLE);
        self.readings = self.readings.wrapping_add(1);
        let changed = |(name, value): &(String, f64)| is_whole || self.last.get(name) != Some(value);
        let changed: BTreeMap<String, f64> = values.clone().into_iter().filter(changed).collect();
        self.last = values;
        let is_worth_a_line = !changed.is_empty() || self.failed > 0;
        is_worth_a_line.then(|| Scrape { left_out: left_out as u64, ..self.line(t_s, changed) })
    }

    /// It did not: this is why.
    pub fn failed(&mut self, reason: &str) {
        self.failed += 1;
        self.problem = Some(reason.chars().take(PROBLEM_MAX_CHARS).collect());
    }

    /// What is still to be said at the end; none: nothing.
    pub fn finish(&mut self, t_s: SinceStart) -> Option<Scrape> {
        (self.failed > 0).then(|| self.line(t_s, BTreeMap::new()))
    }

    fn line(&mut self, t_s: SinceStart, values: BTreeMap<String, f64>) -> Scrape {
        let failed = std::mem::take(&mut self.failed);
        Scrape { t_s, values, left_out: 0, failed, problem: self.problem.take() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: f64) -> SinceStart {
        SinceStart::from_secs_f64(seconds)
    }

    #[test]
    fn a_line_has_what_changed_and_what_failed_before() {
        let keep = vec!["entries".to_owned(), "pool_.*".to_owned()];
        let metrics = Metrics { path: "/metrics".to_owned(), keep, every: Duration::from_secs(1) };
        let mut scraping = Scraping::new(&metrics);
        let first = scraping.answered(at(0.0), "entries 1\npool_size{db=\"a\"} 2\npool_size{db=\"b\"} 3\nother 9\n");
        let values = first.expect("all is new").values;
        assert_eq!(values, BTreeMap::from([("entries".to_owned(), 1.0), ("pool_size".to_owned(), 5.0)]));
        assert_eq!(scraping.answered(at(1.0), "entries 1\npool_size 5\n"), None);
        scraping.failed("no answer in time");
        let after = scraping.answered(at(3.0), "entries 2\npool_size 5\n").expect("it changed");
        assert_eq!((after.values.len(), after.failed, after.problem.as_deref()), (1, 1, Some("no answer in time")));
        scraping.failed("gone");
        assert_eq!(scraping.finish(at(4.0)).map(|last| last.failed), Some(1));
        assert_eq!(scraping.finish(at(5.0)), None);
    }
}
