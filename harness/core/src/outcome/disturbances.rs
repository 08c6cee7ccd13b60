//! What was not the service's doing, by kind.

use crate::trace::{DisturbanceKind, Trace};

pub(super) fn disturbances(trace: &Trace) -> Vec<(DisturbanceKind, usize)> {
    use DisturbanceKind::{DriverStarved, HostSlept, SamplingGap};
    let count = |kind| trace.disturbances.iter().filter(|disturbance| disturbance.kind == kind).count();
    [SamplingGap, DriverStarved, HostSlept]
        .map(|kind| (kind, count(kind)))
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .collect()
}
