//! What the rules know of a soak beside its memory.

use super::held::HeldMemory;
use super::shortage::Shortage;
use crate::trace::{Counts, Trace};

/// A soak, as its rules ask about it.
pub(super) struct Soak<'t> {
    pub(super) trace: &'t Trace,
    pub(super) requests: &'t Counts,
    pub(super) shortage: Option<&'t Shortage>,
    pub(super) held: Option<&'t HeldMemory>,
}
