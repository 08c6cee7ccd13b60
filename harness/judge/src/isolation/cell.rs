//! What is known of one soaked cell: what isolation, and the search for the next cell, are reported.

use std::collections::BTreeMap;

use super::stacks::CellStacks;
use crate::growth::Growth;
use crate::ids::{CellId, FlagSet, History};
use crate::verdict::{Judgement, Verdict};

/// A cell that was soaked and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedCell {
    /// Its name.
    pub cell: CellId,
    /// The flags that were on.
    pub flags: FlagSet,
    /// Value of each axis.
    pub axes: BTreeMap<String, String>,
    /// The revisions that its own has grown out of.
    pub history: Option<History>,
    /// Which repetition.
    pub replicate: u32,
    /// Verdict, reason and growth.
    pub judgement: Judgement,
    /// What each stretch of phases shows by itself; empty where that is all there was.
    pub phases: Vec<PhasesSeen>,
    /// The phases that the verdict rests on, where those are not the fitted ones.
    pub grows_in: Option<Vec<String>>,
    /// Why the soak did not last as planned; none: it did.
    pub cut_short: Option<String>,
    /// What its stacks kept; none where nobody looked at them, or not in the phases that the verdict rests on.
    pub stacks: Option<CellStacks>,
    /// Flags that nothing showed to have taken effect.
    pub unverified_flags: Vec<String>,
}

/// What a stretch of phases shows by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct PhasesSeen {
    /// Its phases, one after the other.
    pub phases: Vec<String>,
    /// Whether the verdict of the cell rests on it unless another stretch grows.
    pub is_fitted: bool,
    /// Verdict, reason and growth.
    pub judgement: Judgement,
}

impl JudgedCell {
    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// Growth of the memory that the verdict rests on.
    #[must_use]
    pub fn growth(&self) -> Option<&Growth> {
        self.judgement.growth.as_ref()
    }
}

/// What a cell says of growth, for a search that goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The cell.
    pub cell: CellId,
    /// Growth, in units of what is worth finding; beside the stacks, where some grow by themselves.
    pub growth: f64,
    /// Its standard error, in the same.
    pub error: f64,
    /// Growth of each stack that grows by itself in some cell, in the same order in all cells; none: nobody looked at
    /// the stacks of this cell.
    pub stacks: Vec<Option<StackLevel>>,
}

/// What a stack grows by in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackLevel {
    /// Growth, in units of what is worth finding.
    pub growth: f64,
    /// Its standard error, in the same.
    pub error: f64,
    /// How likely it is, by all cells, that what grows there is kept, and does not fill something and stop.
    pub kept: f64,
}
