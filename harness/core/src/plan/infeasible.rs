//! Why a plan has no rows.

use super::effort::TooHard;

/// Why there are no rows.
#[derive(Debug)]
pub(super) enum NoRows {
    /// These constraints clash; and whether the others do not without any one of them.
    Clash(Vec<String>, bool),
    /// The strategy is not available.
    Strategy(String),
    /// The axes have this many combinations of values; none: beyond counting.
    Axes(Option<u128>),
    /// It takes too many steps.
    TooHard(TooHard),
}

impl From<TooHard> for NoRows {
    fn from(too_hard: TooHard) -> Self {
        Self::TooHard(too_hard)
    }
}
