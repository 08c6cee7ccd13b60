//! A cell that both runs have.

use crate::outcome::Outcome;
use steep_judge::verdict::Verdict;

/// A cell of both runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'o> {
    pub(super) base: &'o Outcome,
    pub(super) run: &'o Outcome,
}

/// Whether memory was found to grow.
pub(super) const fn grows(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Leak | Verdict::Step | Verdict::Retention)
}
