//! How long a soak must last to be decided: what theory says, as often as it was found to be too little.

use std::time::Duration;

use crate::growth::{Growth, SHORT_RUN_SECONDS};

/// Advice is meant to be right four times of five: it took so many times what the error of a slope, which falls with
/// T^(−3/2), asks for. A longer series shows more of its noise, and more shapes compete for it (METHOD.md, what is
/// advised).
const TIMES: f64 = 2.5;
/// The same below a quarter of an hour.
const TIMES_OF_SETTLING: f64 = 3.0;
/// The same of a run below [`SHORT_RUN_SECONDS`], whose noise has hardly been seen.
const TIMES_OF_SHORT: f64 = 4.0;
/// The same where growth is sure, and only less than counts; below a quarter of an hour.
const TIMES_OF_SURE: f64 = 2.0;

/// Below this, what settles and what grows are hardly told apart (METHOD.md, what decides).
const SETTLING_SECONDS: f64 = 900.0;

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
    Duration::try_from_secs_f64(times * need.as_secs_f64()).unwrap_or(Duration::MAX)
}
