//! A cell that both runs have.

use crate::outcome::Outcome;

/// A cell of both runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'o> {
    pub(super) base: &'o Outcome,
    pub(super) run: &'o Outcome,
}
