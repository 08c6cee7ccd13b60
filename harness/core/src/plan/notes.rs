//! What a plan says of its rows: the design, and what the constraints took out, changed or left impossible.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pairwise::Impossible;
use super::screening::{Aliasing, Changed};
use steep_judge::ids::FlagSet;

/// Dropped rows that are listed, each with its constraint. Others are counted.
const MAX_DROPPED: usize = 1_000;

/// A row that is not soaked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The flags that would have been on.
    pub flags: FlagSet,
    /// Values of axes that it is about; empty: all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, String>,
    /// The constraint, in words.
    pub reason: String,
}

/// What the strategy came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanNotes {
    /// Which design, in words.
    pub design: String,
    /// Rows that a constraint or `exclude` took out.
    pub dropped: Vec<Dropped>,
    /// Rows of that kind beyond those.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_dropped: usize,
    /// Rows of a balanced design, and that of production, which a constraint changed.
    pub changed: Vec<Changed>,
    /// Combinations of `pairwise` that no row can have.
    pub impossible: Vec<Impossible>,
    /// Combinations of that kind beyond those.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_impossible: usize,
    /// What a balanced design cannot tell apart.
    pub aliasing: Aliasing,
    /// Why a screening design will not be folded over even if its outcome is ambiguous, in words; none: it will, or it
    /// is none.
    pub no_foldover: Option<String>,
}

/// For serde, which hands over references.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl PlanNotes {
    /// Notes a row that is not soaked, once.
    pub(super) fn drop_row(&mut self, dropped: Dropped) {
        if self.dropped.len() >= MAX_DROPPED {
            self.more_dropped += 1;
        } else if !self.dropped.contains(&dropped) {
            self.dropped.push(dropped);
        }
    }

    /// Notes one row for all that a constraint takes out: of every combination they may be thousands.
    pub(super) fn drop_example(&mut self, dropped: Dropped) {
        if self.dropped.len() < MAX_DROPPED && self.dropped.iter().all(|known| known.reason != dropped.reason) {
            self.dropped.push(dropped);
        }
    }
}
