//! When a soak may end before its time: once it is sure to be a leak, and never because it looks calm.
//!
//! Stopping at the first of many looks that finds a leak multiplies false leaks; the bar and the second look are what
//! keeps them at 1 % (METHOD.md, early stop).

use std::time::Duration;

use super::limits::Limits;
use crate::growth::Growth;

/// The least evidence of a look that counts, however lax the bar.
const LEAST_BAR: f64 = 4.6;

/// How much more than the bar a look must show.
const ABOVE_STRICTNESS: f64 = 1.6;

/// Minutes of the first looks; then every 15 minutes.
const LOOKS: [u64; 7] = [7, 10, 15, 20, 30, 45, 60];

/// The moments, since the load began, at which a soak that lasts `duration` is looked at.
pub fn looks(duration: Duration) -> impl Iterator<Item = Duration> {
    let later = (1..).map(|quarter| 60 + 15 * quarter);
    LOOKS.into_iter().chain(later).map(Duration::from_mins).take_while(move |look| *look < duration)
}

/// The looks at one soak so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyStop {
    bar: f64,
    last_was_above: bool,
}

impl EarlyStop {
    /// Before the first look, for evidence above `bar`.
    #[must_use]
    pub fn new(bar: f64) -> Self {
        Self { bar: LEAST_BAR.max(bar + ABOVE_STRICTNESS), last_was_above: false }
    }

    /// The evidence that two looks in a row must exceed.
    #[must_use]
    pub const fn bar(&self) -> f64 {
        self.bar
    }

    /// Takes the growth at a look, and says whether the soak may stop: this look and the one before were above the
    /// bar, and only steady phases would follow. `None` for a look at which nothing could be fitted.
    pub fn may_stop(&mut self, growth: Option<&Growth>, only_steady_phases_remain: bool) -> bool {
        let is_above = growth.is_some_and(|growth| Limits::of(growth, self.bar).is_sure());
        let both = is_above && self.last_was_above;
        self.last_was_above = is_above;
        both && only_steady_phases_remain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::planted::Planted;
    use crate::growth::{Layer, Materiality, fit};

    fn growth(leak: f64) -> Growth {
        let series = Planted { seconds: 600, leak, ..Planted::CALM }.series();
        fit(&series, Layer::Resident, &Materiality::default()).expect("a series that can be judged")
    }

    #[test]
    fn two_looks_in_a_row_stop_a_leak_and_a_calm_one_between_does_not() {
        let (leak, calm) = (growth(64.0), growth(0.0));
        let mut stop = EarlyStop::new(3.0);
        let seen = [Some(&leak), Some(&calm), Some(&leak), None, Some(&leak), Some(&leak)];
        assert_eq!(seen.map(|growth| stop.may_stop(growth, true)), [false, false, false, false, false, true]);
    }

    #[test]
    fn calm_looks_never_stop_a_soak_nor_do_leaks_before_other_phases() {
        let (leak, calm) = (growth(64.0), growth(0.0));
        let mut stop = EarlyStop::new(3.0);
        assert!((0..20).all(|_| !stop.may_stop(Some(&calm), true)));
        assert!((0..3).all(|_| !stop.may_stop(Some(&leak), false)));
        assert!(stop.may_stop(Some(&leak), true));
    }

    #[test]
    fn a_look_asks_for_more_where_the_bar_is_higher() {
        assert!((EarlyStop::new(3.0).bar() - 4.6).abs() < 1e-12);
        assert!((EarlyStop::new(5.0).bar() - 6.6).abs() < 1e-12);
        assert!((EarlyStop::new(1.0).bar() - 4.6).abs() < 1e-12);
    }

    #[test]
    fn looks_end_before_the_soak_does() {
        let minutes: Vec<u64> = looks(Duration::from_mins(95)).map(|look| look.as_secs() / 60).collect();
        assert_eq!(minutes, [7, 10, 15, 20, 30, 45, 60, 75, 90]);
        assert_eq!(looks(Duration::from_mins(7)).count(), 0);
    }
}
