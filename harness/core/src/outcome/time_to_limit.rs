//! When growth reaches the memory limit.

use crate::trace::Sample;
use steep_judge::units::{Bytes, BytesPerHour, Estimate, SECONDS_PER_HOUR};
use steep_judge::verdict::{Judgement, Verdict};

/// Only for growth that was found: an interval around none says nothing about a limit.
pub(super) fn seconds_to_limit(limit: Bytes, last: &Sample, judgement: &Judgement) -> Option<Estimate<f64>> {
    if !judgement.verdict.grows() {
        return None;
    }
    let resident = last.memory.resident();
    let left = limit.saturating_sub(resident).as_f64();
    let growing = if judgement.verdict == Verdict::Retention { &judgement.anonymous } else { &judgement.growth };
    let per_hour = growing.as_ref()?.per_hour;
    let seconds =
        |rate: BytesPerHour| if rate.get() > 0.0 { left / rate.get() * SECONDS_PER_HOUR } else { f64::INFINITY };
    // The faster the growth, the sooner the limit: the ends change places.
    let estimate =
        Estimate { value: seconds(per_hour.value), low: seconds(per_hour.high), high: seconds(per_hour.low) };
    estimate.value.is_finite().then_some(estimate)
}
