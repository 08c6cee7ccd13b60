//! How long a soak must last to be decided: what theory says, as often as it was found to be too little.

use std::time::Duration;

use crate::growth::{Growth, SETTLING_SECONDS, SHORT_RUN_SECONDS};

/// A run that stays open must last this much longer at the least (METHOD.md, verdict).
const LEAST_LONGER: f64 = 1.3;

/// The width of an interval must fall to δ, with a fifth on top.
const NARROWER: f64 = 1.2;

/// Growth must add up to what counts, with a tenth on top.
const ADDED_UP: f64 = 1.1;

/// A container that doubles takes as long again as it has lived, with a tenth on top.
const DOUBLED: f64 = 2.2;

/// What allocators take by themselves was seen within minutes: a run that is longer shows growth beside it.
pub(super) const LEAST_AFTER_DRIFT: Duration = Duration::from_mins(5);

/// Longest time that is asked for: more is not an advice.
const LONGEST_NEED: Duration = Duration::from_hours(30 * 24);

/// Advice is meant to be right four times of five: it took this many times what the error of a slope, which falls with
/// T^(−3/2), asks for. A longer series shows more of its noise, and more shapes compete for it (METHOD.md, what is
/// advised).
const TIMES: f64 = 2.5;
/// The same below a quarter of an hour.
const TIMES_OF_SETTLING: f64 = 3.0;
/// The same of a run below [`SHORT_RUN_SECONDS`], whose noise has hardly been seen.
const TIMES_OF_SHORT: f64 = 4.0;
/// The same where growth is sure, and only less than counts; below a quarter of an hour.
const TIMES_OF_SURE: f64 = 2.0;

/// What the run lasted.
pub(super) fn lasted(growth: &Growth) -> Duration {
    Duration::from_secs_f64(growth.seconds)
}

/// The least by which a run must be longer.
pub(super) fn at_least_longer(growth: &Growth) -> Duration {
    lasted(growth).mul_f64(LEAST_LONGER)
}

/// Until the interval is about as wide as what is worth finding: the standard error falls with T^(−3/2) (METHOD.md,
/// verdict).
pub(super) fn until_narrow(growth: &Growth) -> Duration {
    let half_width = (growth.per_hour.high.get() - growth.per_hour.low.get()) / 2.0;
    let factor = (NARROWER * (half_width / growth.worth_finding.get()).powf(2.0 / 3.0)).max(LEAST_LONGER);
    Duration::from_secs_f64((growth.seconds * factor).min(LONGEST_NEED.as_secs_f64()))
}

/// Until growth at this rate has added up to the least that counts.
pub(super) fn until_it_counts(growth: &Growth) -> Duration {
    let factor = (ADDED_UP * growth.least_growth.as_f64() / growth.over_run()).max(LEAST_LONGER);
    Duration::try_from_secs_f64(growth.seconds * factor).unwrap_or(LONGEST_NEED)
}

/// Until memory has passed a height that it would have passed `more_s` after the end.
pub(super) fn until_passed(growth: &Growth, more_s: f64) -> Duration {
    Duration::try_from_secs_f64(growth.seconds + more_s).unwrap_or(LONGEST_NEED)
}

/// Until another jump would have come, as late as the last one.
pub(super) fn until_another_jump(growth: &Growth) -> Duration {
    lasted(growth).mul_f64((DOUBLED * growth.jumps.last_at).max(LEAST_LONGER))
}

/// `need`, so that a soak of that length is mostly decided; of a run of this `growth`.
pub(super) fn advised(need: Duration, growth: &Growth, bar: f64) -> Duration {
    let times = if growth.seconds >= SETTLING_SECONDS {
        TIMES
    } else if growth.evidence > bar {
        TIMES_OF_SURE
    } else if growth.seconds < SHORT_RUN_SECONDS {
        TIMES_OF_SHORT
    } else {
        TIMES_OF_SETTLING
    };
    Duration::try_from_secs_f64(times * need.as_secs_f64()).map_or(LONGEST_NEED, |need| need.min(LONGEST_NEED))
}
