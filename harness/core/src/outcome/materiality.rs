//! What a scenario holds to be worth finding, for the statistics.

use crate::scenario::{Judge, Strictness};
use steep_judge::growth::Materiality;

/// What is worth finding, for the statistics.
#[must_use]
pub fn materiality(judge: &Judge) -> Materiality {
    let bar = match judge.strictness {
        Strictness::Normal => 3.0,
        Strictness::Strict => 5.0,
    };
    Materiality { per_request: judge.min_growth_bytes_per_request, per_hour: judge.min_growth_bytes_per_hour, bar }
}
