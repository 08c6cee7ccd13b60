//! What one cell says of growth: how much, and within what. The verdict decides how its numbers are read.

use super::cell::JudgedCell;
use crate::growth::Growth;
use crate::units::{Bytes, BytesPerHour, Estimate, HALF_WIDTH};
use crate::verdict::{Limits, Verdict};

/// By how much growth in jumps differs from cell to cell, as a share of it, and the most of any growth that a verdict
/// says is there: what a cell with two to six
/// jumps shows depends on how far it was from the next one. That it grew at all is beyond doubt, and how wide its
/// interval is does not bear on that: of calm series 0.3 % are called growing (METHOD.md), which this many standard
/// errors, less what a free effect costs, come to.
const SURE_SPREAD: f64 = 0.2;

/// Nobody is cleared by a cell that is not decided unless growth of this many times what its interval allows would
/// show: its value is drawn towards zero (METHOD.md). A cache that filled through most of a minute hid leaks of 1.5
/// KiB/request in cell after cell, and a pair that leaked was called innocent.
const CAREFUL: f64 = 2.0;

/// Evidence that growth needs which no verdict speaks of, because the service ended by itself: that of a strict gate.
const STRICT: f64 = 5.0;

/// Growth of a cell, with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Said {
    pub(super) growth: BytesPerHour,
    pub(super) error: BytesPerHour,
    /// The same, for what is to be cleared by it.
    pub(super) careful: BytesPerHour,
}

impl Said {
    /// Of a cell; none if it says nothing. A soak that was cut short, and one that the service ended by itself, tells
    /// what grew, and clears nothing: it says nothing unless it grew.
    pub(super) fn of(outcome: &JudgedCell, growth: &Growth) -> Option<Self> {
        match outcome.verdict() {
            Verdict::Step if growth.jumps.total > Bytes::ZERO => Some(Self::in_jumps(growth)),
            Verdict::Leak | Verdict::Step if growth.per_hour.value.get() > 0.0 => Some(Self::leaks(growth)),
            // What could not be judged, and growth that is not what was fitted.
            Verdict::Invalid | Verdict::Leak | Verdict::Step => None,
            // A service that grows until it is killed is the leak that hurts most.
            Verdict::Crashed => grew(growth).then(|| Self::leaks(growth)),
            _ if outcome.cut_short.is_some() => None,
            // Memory that is held outside of live bytes says nothing of those, unless they are bounded.
            Verdict::Retention if growth.ceiling.get() >= growth.worth_finding.get() => Some(Self::open(growth)),
            Verdict::Plateau | Verdict::Stable | Verdict::Retention => Some(Self::clear(growth)),
            Verdict::Inconclusive => Some(Self::open(growth)),
        }
    }

    /// The verdict has weighed what the allocator may do by itself.
    fn leaks(growth: &Growth) -> Self {
        let Estimate { value, low, high } = growth.per_hour.map(BytesPerHour::get);
        let fitted = (high - value).max(value - low) / HALF_WIDTH;
        Self::new(value, fitted.hypot(growth.source.spread() * value).min(SURE_SPREAD * value))
    }

    /// A line through a staircase misses every step, and its interval reaches to zero. What grew are the jumps.
    fn in_jumps(growth: &Growth) -> Self {
        let climbed = per_hour(growth, growth.jumps.total.as_f64());
        Self::new(climbed, SURE_SPREAD * climbed)
    }

    /// No flag is thought to take memory away: where it falls, it does not grow, and how far down the interval reaches
    /// says nothing.
    fn clear(growth: &Growth) -> Self {
        let Estimate { value, high, .. } = growth.per_hour.map(BytesPerHour::get);
        let grown = value.max(0.0);
        Self::new(grown, ((high - value) / HALF_WIDTH).hypot(growth.source.spread() * grown))
    }

    /// What is not decided excludes nothing that is worth finding, however narrow its interval, and all of its growth
    /// may be something else than a leak. But what is far above all that is excluded: no more may hide than the reason
    /// for which it is open leaves room for.
    fn open(growth: &Growth) -> Self {
        let Estimate { value, low, high } = growth.per_hour.map(BytesPerHour::get);
        let (grown, worth) = (value.max(0.0), growth.worth_finding.get());
        // What an allocator takes at once: so much growth of a short run may have stayed hidden.
        let chunk = growth.source.chunk().filter(|_| growth.is_short());
        let chunk = chunk.map_or(0.0, |chunk| per_hour(growth, chunk.as_f64()));
        let below_a_mark = growth.hidden_by_peaks.map_or(0.0, |more| worth * (1.0 + more / growth.seconds));
        let in_jumps = if growth.jumps.open { per_hour(growth, growth.jumps.total.as_f64()) } else { 0.0 };
        let up = high.max(growth.ceiling.get()) - grown;
        let error = |reach: f64| {
            let room = [reach, grown, worth, below_a_mark, in_jumps].into_iter().fold(0.0, f64::max);
            room.hypot(chunk) / HALF_WIDTH
        };
        // How far down the interval reaches does not matter.
        let careful = error((high - low.min(grown)).min(CAREFUL * up).max(up));
        Self { careful: BytesPerHour::new(careful), ..Self::new(grown, error(up)) }
    }

    fn new(growth: f64, error: f64) -> Self {
        let error = BytesPerHour::new(error);
        Self { growth: BytesPerHour::new(growth), error, careful: error }
    }
}

/// Whether a cell without a verdict of its own grew beyond doubt.
fn grew(growth: &Growth) -> bool {
    Limits::of(growth, STRICT).is_sure() && growth.given_back.is_none()
}

/// So many bytes over the run.
fn per_hour(growth: &Growth, bytes: f64) -> f64 {
    BytesPerHour::per_second(bytes / growth.seconds).get()
}
