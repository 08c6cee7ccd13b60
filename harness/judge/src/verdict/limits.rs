//! What growth is held against, and how it stands: the bars of the evidence, what counts as growth at all, and when all
//! growth that is worth finding is excluded.
//!
//! The numbers of the rules stand here; the rules themselves in `rules`.

use crate::growth::{Growth, SETTLING_SECONDS, Shape};
use crate::units::Bytes;

/// A run is cleared only if the evidence stays this far below the bar (METHOD.md, verdict).
const CLEARING_MARGIN: f64 = 1.5;

/// Growth below this share of what is worth finding is cleared whatever the evidence.
const NEGLIGIBLE_SHARE: f64 = 0.25;

/// Jumps that are spread over the run need this much evidence of growth (METHOD.md, jumps).
const SPREAD_EVIDENCE: f64 = 1.0;

/// Jumps of one height with nothing beside them need only not be spoken against: few jumps are not a line.
const REGULAR_EVIDENCE: f64 = -2.0;

/// Against a calm model that is this much better even jumps that double are part of its noise.
const DOUBLING_EVIDENCE: f64 = -6.0;

/// A calm model that beats the constant by this much means that memory grew and stopped.
const PLATEAU_GAIN: f64 = 2.0;

/// A rise below this is not a plateau that a person would see: glibc extends its heap by 128 KiB at the least
/// (`M_TOP_PAD`).
const LEAST_RISE: Bytes = Bytes::kib(128);

/// Share of what is worth finding below which the second half of a short curve of an exact figure must itself stay.
const STILL_RISES: f64 = 0.5;

/// Chunks of an allocator that growth worth finding must exceed over a run below a quarter of an hour for the shapes of
/// the whole curve to clear it.
const HIDDEN_CHUNKS: f64 = 2.0;

/// A growth, held against what decides.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'g> {
    growth: &'g Growth,
    bar: f64,
}

impl<'g> Limits<'g> {
    /// Of `growth`, whose evidence must exceed `bar`.
    #[must_use]
    pub const fn of(growth: &'g Growth, bar: f64) -> Self {
        Self { growth, bar }
    }

    /// The evidence above which growth is called a leak: see [`Growth::evidence_asked`].
    #[must_use]
    pub fn evidence_asked(&self) -> f64 {
        self.growth.evidence_asked(self.bar)
    }

    /// Whether there is evidence of growth at all, however much more is asked for.
    pub(super) fn is_above_bar(&self) -> bool {
        self.growth.evidence > self.bar
    }

    /// Whether the growth is large enough to be called a leak, whatever the evidence.
    pub(super) fn is_material(&self) -> bool {
        self.growth.is_material()
    }

    /// Whether the growth is sure, and matters.
    pub(crate) fn is_sure(&self) -> bool {
        self.growth.is_sure(self.bar)
    }

    /// Whether jumps that double are a staircase.
    pub(super) fn is_doubling(&self) -> bool {
        let jumps = &self.growth.jumps;
        jumps.exact || jumps.doubling && self.growth.evidence > self.asked_of_jumps(DOUBLING_EVIDENCE)
    }

    /// Whether jumps of one height are.
    pub(super) fn is_regular(&self) -> bool {
        self.growth.jumps.regular && self.growth.evidence > self.asked_of_jumps(REGULAR_EVIDENCE)
    }

    /// Whether jumps that are spread over the run are.
    pub(super) fn is_spread(&self) -> bool {
        self.growth.jumps.spread && self.growth.evidence > SPREAD_EVIDENCE
    }

    /// Few jumps need as much evidence as a line.
    fn asked_of_jumps(&self, least: f64) -> f64 {
        if self.growth.jumps.few { self.bar } else { least }
    }

    /// Whether only a flat end clears the run, by a figure that holds the allocator: it is below a quarter of an hour
    /// and growth worth finding is so little over it that allocators could hide it, or memory crept on after a cap. All
    /// shapes over the whole curve together cleared 1.0 % of leaks of 4 B/request in five minutes, 5.1 % of those that
    /// start late.
    fn must_end_flat(&self) -> bool {
        let growth = self.growth;
        let worth = growth.worth_finding.get_per_second() * growth.seconds;
        let hides = |chunk: Bytes| growth.seconds < SETTLING_SECONDS && worth < HIDDEN_CHUNKS * chunk.as_f64();
        let exact = || growth.is_exact() && growth.seconds < SETTLING_SECONDS && growth.flat_end.is_some();
        growth.source.chunk().map_or_else(exact, |chunk| hides(chunk) || growth.after_cap.is_some())
    }

    /// Whether the run must end flat to be cleared, and does not.
    pub(super) fn lacks_flat_end(&self) -> bool {
        self.must_end_flat() && self.growth.excluded().is_none()
    }

    /// Whether the second half of a short curve itself grew by half of what is worth finding or more: of an exact
    /// figure the shapes of the beginning may not take that away.
    fn still_rises(&self) -> bool {
        let Growth { seconds, second_half, last_quarter, worth_finding, .. } = self.growth;
        let rise = second_half.get().max(last_quarter.get());
        *seconds < SETTLING_SECONDS && rise > STILL_RISES * worth_finding.get()
    }

    /// Whether what is worth finding is above the ceiling.
    pub(super) fn is_below_worth(&self) -> bool {
        self.growth.ceiling.get() < self.growth.worth_finding.get()
    }

    /// Whether all growth that is worth finding is excluded.
    pub(super) fn is_cleared(&self) -> bool {
        let growth = self.growth;
        let (high, worth) = (growth.ceiling.get().max(0.0), growth.worth_finding.get());
        if growth.hidden_by_peaks.is_some()
            || self.lacks_flat_end()
            || growth.is_exact() && growth.excluded().is_none() && self.still_rises()
            || growth.is_short() && growth.adjusted && growth.second_half.get() > worth
        {
            return false;
        }
        let is_calm = growth.evidence < self.bar - CLEARING_MARGIN || !self.is_material();
        high < worth && is_calm || high < NEGLIGIBLE_SHARE * worth
    }

    /// Whether memory grew by what a person would see, along a shape that ends.
    pub(super) fn has_ended(&self) -> bool {
        let Growth { calm_model, calm_gain, risen, .. } = self.growth;
        let is_curved = *calm_model != Shape::Constant && *calm_gain > PLATEAU_GAIN;
        is_curved && *risen >= LEAST_RISE.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::planted::Planted;
    use crate::growth::{Layer, Materiality, Series, fit};

    fn growth(series: &Series) -> Growth {
        fit(series, Layer::Resident, &Materiality::default()).expect("a series that can be judged")
    }

    #[test]
    fn a_short_curve_that_still_slows_down_must_show_more() {
        let asked = |growth: &Growth| Limits::of(growth, 3.0).evidence_asked();
        let settling = |seconds: u32| {
            let tau = f64::from(seconds) / 4.0;
            growth(&Planted { seconds, ..Planted::CALM }.with(|t, _| 30e6 * (1.0 - (-t / tau).exp())))
        };
        assert!((asked(&settling(300)) - 5.0).abs() < 1e-12);
        assert!((asked(&settling(1200)) - 3.0).abs() < 1e-12, "a long run has shown where it ends");
        let line = growth(&Planted { seconds: 300, leak: 256.0, ..Planted::CALM }.series());
        assert!((asked(&line) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_told_to_be_visible_is_found_and_much_less_is_not() {
        let calm = growth(&Planted { seconds: 900, noise: 200e3, ..Planted::CALM }.series());
        let found = |share: f64| {
            (0..10)
                .filter(|&seed| {
                    let leak = share * calm.seen_at_least.get_per_second() / 300.0;
                    let growth = growth(&Planted { seconds: 900, noise: 200e3, leak, seed, ..Planted::CALM }.series());
                    growth.evidence > 3.0 && Limits::of(&growth, 3.0).is_material()
                })
                .count()
        };
        assert!(found(1.5) >= 8, "{} of 10", found(1.5));
        assert!(found(0.2) <= 1, "{} of 10", found(0.2));
    }
}
