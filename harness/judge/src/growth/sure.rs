//! Whether growth is sure, and matters: what a leak is called by.

use super::materiality::SHARE_OF_WORTH_FINDING;
use super::{Growth, SETTLING_SECONDS};
use crate::units::Estimate;

/// The best calm model beats the constant by this much where a run began with a curve.
const CURVED: f64 = 30.0;
/// A curve still slows down where its last quarter grew at less than this share of the rate of its second half.
const SLOWED: f64 = 0.8;
/// What such a run must show beyond the bar.
const MORE_WHERE_SLOWED: f64 = 2.0;
/// What a run must show beyond the bar that crept on after a straight rise.
const MORE_AFTER_CAP: f64 = 9.0;

/// Share of the floor that a short curve itself must show over its second half.
const SHOWN: f64 = 0.5;

/// What an end by itself must show beyond the bar. It is for curves with hardly any noise, which show that at once.
/// With 1.1 (ln 3, for three looks) memory that wanders was called a leak in 2.7 instead of 1.5 % of runs of two
/// minutes.
const MORE_OF_ENDS: f64 = 5.0;

impl Growth {
    /// The evidence above which growth is called a leak. More than the `bar` in a run below a quarter of an hour that
    /// began with a curve and is still slowing down: whether it ends is then a matter of which curve it is, and a
    /// warm-up of minutes with creep was called a leak in 2.7 % of runs of five minutes. Much more after a straight
    /// rise that ended: the creep of a full cache was given an evidence of up to 9.8 by shapes that follow it only
    /// nearly.
    pub(crate) fn evidence_asked(&self, bar: f64) -> f64 {
        let Self { calm_gain, last_quarter, second_half, seconds, .. } = self;
        if self.is_after_cap() {
            return bar + MORE_AFTER_CAP;
        }
        let slows = *calm_gain > CURVED && last_quarter.get() < SLOWED * second_half.get();
        if *seconds < SETTLING_SECONDS && slows { bar + MORE_WHERE_SLOWED } else { bar }
    }

    /// Whether the growth is large enough to be called a leak, whatever the evidence.
    pub(crate) fn is_material(&self) -> bool {
        self.over_run() >= self.least_growth.as_f64()
            && self.floor.get() > SHARE_OF_WORTH_FINDING * self.worth_finding.get()
            && !self.rests_on_models()
    }

    /// Whether a run below a quarter of an hour owes its growth to what the models take for settling, or ascribe to the
    /// load: the curve itself shows less than half of it over the second half. In longer runs the load comes and goes
    /// often enough, and what settles has.
    fn rests_on_models(&self) -> bool {
        let Self { seconds, second_half, floor, .. } = self;
        *seconds < SETTLING_SECONDS && second_half.get() < SHOWN * floor.get()
    }

    /// Whether the growth is sure by an evidence of `bar`, and matters.
    pub(crate) fn is_sure(&self, bar: f64) -> bool {
        self.evidence > self.evidence_asked(bar) && self.is_material() && !self.environment_noisy
    }

    /// The growth of a whole run or of one of its `ends`, the last of which is the shortest: the longest that is sure
    /// and whose interval holds the growth of the shortest, if that is sure. What fills and jumps at the beginning of a
    /// run misleads the shapes of the whole curve where there is hardly any noise.
    pub(super) fn where_sure(self, ends: &[Self], bar: f64) -> Self {
        let is_sure = |end: &&Self| end.is_sure(bar + MORE_OF_ENDS);
        let shortest = ends.last().filter(is_sure).map(|end| end.per_hour.value.get());
        let agrees = |other: &Self| {
            let Estimate { low, high, .. } = other.per_hour;
            shortest.is_none_or(|value| (low.get()..=high.get()).contains(&value))
        };
        if self.is_sure(bar) && agrees(&self) {
            return self;
        }
        match ends.iter().filter(is_sure).find(|end| agrees(end)) {
            Some(end) => self.over(end),
            None => self,
        }
    }

    /// The same run with growth as it was over one of its ends.
    fn over(self, end: &Self) -> Self {
        Self {
            per_hour: end.per_hour,
            per_request: end.per_request,
            ceiling: end.ceiling,
            floor: end.floor,
            evidence: end.evidence - MORE_OF_ENDS,
            leak_model: end.leak_model,
            calm_model: end.calm_model,
            calm_gain: end.calm_gain,
            second_half: end.second_half,
            last_quarter: end.last_quarter,
            follows: end.follows,
            given_back: end.given_back,
            since_s: Some(self.seconds - end.seconds),
            ..self
        }
    }
}
