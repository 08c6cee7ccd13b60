//! Why a soak did not last as planned.

use crate::trace::{EndReason, Trace};
use steep_judge::units::SinceStart;

/// A program that makes the load may be done by this share of the soak before it: `--duration 10m` and a start of its
/// own do not fit to the second.
const LOAD_ENDS_EARLY: f64 = 0.05;

/// Why; none: it did.
pub(super) fn cut_short(trace: &Trace) -> Option<String> {
    match trace.end.as_ref() {
        None => Some(format!("steep was stopped after {}", trace.last_moment())),
        Some(end) if end.reason == EndReason::Interrupted => Some(format!("interrupted after {}", end.t_s)),
        Some(end) if end.reason == EndReason::ThresholdBroken => Some(end.message.clone()),
        Some(end) if end.reason == EndReason::LoadEnded => {
            let planned = trace.header.phases.last().map_or(SinceStart::ZERO, |phase| phase.end_s);
            let is_early = end.t_s.as_secs_f64() < (1.0 - LOAD_ENDS_EARLY) * planned.as_secs_f64();
            is_early.then(|| format!("the load was over after {} of {planned}", end.t_s))
        }
        Some(_) => None,
    }
}
