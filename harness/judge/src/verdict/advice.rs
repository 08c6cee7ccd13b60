//! What would decide a run that is open: a key of the scenario to change, or a command.

use std::time::Duration;

use crate::growth::{Growth, LEAST_PHASE, Unjudgeable};
use crate::units::duration_text;

/// Of growth that is open, of which a soak as long as `need` should decide.
#[must_use]
pub fn of_open(growth: &Growth, need: Option<Duration>) -> String {
    if growth.environment_noisy {
        return "soak it again while the host is quiet: steep run FILE".to_owned();
    }
    let longer = need.map_or_else(|| "soak it once more: steep run FILE".to_owned(), longer);
    if growth.is_after_cap() {
        return format!("let service.probe tell of live bytes, which decides at once; else {longer}");
    }
    longer
}

/// Of a series that cannot be judged.
#[must_use]
pub fn of_unjudgeable(unjudgeable: &Unjudgeable) -> String {
    match unjudgeable {
        Unjudgeable::TooShort { need, .. } => longer(*need),
        Unjudgeable::TooFew { every, .. } => {
            format!("read it more often, every {} or less (sampling.every): steep run FILE", duration_text(*every))
        }
        Unjudgeable::Empty => longer(LEAST_PHASE),
        Unjudgeable::CounterReset { .. } => {
            "soak it without restarts, and count in one process (load.counter): steep run FILE".to_owned()
        }
        Unjudgeable::TooManyMissing { .. } | Unjudgeable::TooFewBlocks { .. } => {
            "give steep CPU for its samples, or ask for fewer (sampling.every), and soak it again: steep run FILE"
                .to_owned()
        }
        Unjudgeable::Ragged
        | Unjudgeable::Impossible { .. }
        | Unjudgeable::TimeBackwards { .. }
        | Unjudgeable::Singular => {
            "record it again: steep run FILE; or mend the numbers, and then steep analyze FILE".to_owned()
        }
    }
}

/// A longer soak.
fn longer(need: Duration) -> String {
    format!("lengthen [[phases]] in FILE to about {} in all, then steep run FILE", duration_text(need))
}
