//! Series that the service offers, as they are written and as they are read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use steep_judge::units::SinceStart;

/// Points that are held of a series: of more, every second one is let go, again and again. A day at one a second is
/// held each 42 s.
const POINTS_MAX: usize = 4_096;

/// What changed of the service's series since the line before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scrape {
    /// When the service was asked.
    pub t_s: SinceStart,
    /// Values of the series that changed, by name; now and then of all.
    pub values: BTreeMap<String, f64>,
    /// Names beyond those that are recorded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Readings since the line before that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Why the last of those did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// All series of a trace, in bounded memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scraped {
    /// By name.
    pub series: BTreeMap<String, Points>,
    /// Names beyond those.
    pub left_out: u64,
    /// Readings that failed.
    pub failed: u64,
    /// Why the last of those did.
    pub problem: Option<String>,
}

/// The changes of one series, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    changes: Vec<(f64, f64)>,
    /// Points that one that is held stands for.
    stride: usize,
    /// Points since the last that is held.
    passed: usize,
}

impl Scraped {
    /// Takes in the next line.
    pub fn push(&mut self, scrape: Scrape) {
        self.left_out = self.left_out.max(scrape.left_out);
        self.failed = self.failed.saturating_add(scrape.failed);
        self.problem = scrape.problem.or(self.problem.take());
        for (name, value) in scrape.values {
            self.series.entry(name).or_default().push(scrape.t_s.as_secs_f64(), value);
        }
    }
}

impl Default for Points {
    fn default() -> Self {
        Self { changes: Vec::new(), stride: 1, passed: 0 }
    }
}

impl Points {
    fn push(&mut self, t_s: f64, value: f64) {
        self.passed += 1;
        if self.passed < self.stride {
            return;
        }
        self.passed = 0;
        self.changes.push((t_s, value));
        if self.changes.len() > POINTS_MAX {
            let mut nth = 0;
            self.changes.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// The value at each of these moments, which increase: the last that was read by then, 0 before the first.
    #[must_use]
    pub fn at(&self, moments: &[f64]) -> Vec<f64> {
        let (mut next, mut value) = (0, 0.0);
        let hold = |moment: &f64| {
            while let Some((_, read)) = self.changes.get(next).filter(|(t_s, _)| t_s <= moment) {
                value = *read;
                next += 1;
            }
            value
        };
        moments.iter().map(hold).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_series_is_held_in_bounded_memory_and_keeps_its_course() {
        let mut scraped = Scraped::default();
        for second in 0..86_400_u32 {
            let values = BTreeMap::from([("entries".to_owned(), f64::from(second))]);
            let t_s = SinceStart::from_secs_f64(f64::from(second));
            scraped.push(Scrape { t_s, values, failed: u64::from(second == 7), ..Scrape::default() });
        }
        let points = &scraped.series["entries"];
        assert!(points.changes.len() <= POINTS_MAX && scraped.failed == 1);
        for (moment, value) in [0.0, 1_000.0, 80_000.0].iter().zip(points.at(&[0.0, 1_000.0, 80_000.0])) {
            assert!((moment - value).abs() <= 64.0, "{value} at {moment}");
        }
        assert!(scraped.series.len() == 1 && Points::default().at(&[1.0, 2.0]) == [0.0, 0.0]);
    }
}
