//! How long a plan takes, and what of it fits into this many hours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Plan;
use steep_judge::ids::CellId;
use steep_judge::units::{counted, duration_text};

/// What starting, readiness and stopping add to a cell, roughly: measured at two to three seconds for the sample
/// service.
pub(crate) const OVERHEAD: Duration = Duration::from_secs(3);
/// What a build takes, roughly: three of the sample service took one to two minutes on two cores (README). The first of
/// a large service takes longer, and those after it, which have all but a few crates already, less.
pub(crate) const BUILD: Duration = Duration::from_secs(30);

/// What of a plan is not soaked for want of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The cells.
    pub cells: Vec<CellId>,
    /// Why these, in words.
    pub reason: String,
}

/// A run that lasts until a moment, and chooses as it goes what it soaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overnight {
    /// The moment, in local time with its offset.
    pub until: String,
    /// The cells of the scenario's own plan: what of them was not soaked is reported.
    pub planned: Vec<CellId>,
    /// The values of the axes that those have.
    pub axes: BTreeMap<String, BTreeSet<String>>,
}

/// Not even one block of the plan fits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{} of the plan, each flag set once, take {} with {}, and --max-hours allows {}: fewer would no longer tell the flags apart; choose a smaller strategy or shorter phases",
    counted(*cells, "cell"), duration_text(*needed), counted(*builds, "build"), duration_text(*allowed)
)]
pub struct TooLong {
    cells: usize,
    builds: usize,
    needed: Duration,
    allowed: Duration,
}

impl Plan {
    /// How long its cells take.
    #[must_use]
    pub fn soaking(&self) -> Duration {
        self.soaking_of(self.cells.len())
    }

    /// How long the cells of the foldover would take beyond that.
    #[must_use]
    pub fn folding(&self) -> Duration {
        self.soaking_of(self.foldover.len())
    }

    /// How long its builds take, as a rough estimate.
    #[must_use]
    pub fn building(&self) -> Duration {
        BUILD * u32::try_from(self.builds.len()).unwrap_or(u32::MAX)
    }

    fn soaking_of(&self, cells: usize) -> Duration {
        (self.cell_duration + OVERHEAD) * u32::try_from(cells).unwrap_or(u32::MAX)
    }

    /// As much of the plan as fits into `hours`, builds included: whole blocks, because a block in part compares some
    /// flags and not others. The hash stays: what is left is of the same plan.
    ///
    /// # Errors
    /// Not even the first block fits.
    pub fn within(mut self, hours: Duration) -> Result<Self, TooLong> {
        let blocks = self.cells.iter().map(|cell| cell.replicate).max().unwrap_or(1);
        let block = self.cells.len() / blocks as usize;
        let fits = |cells: usize| self.building() + self.soaking_of(cells) <= hours;
        let fitting = (1..=blocks).rev().find(|blocks| fits(block * *blocks as usize));
        let Some(fitting) = fitting else {
            let needed = self.building() + self.soaking_of(block);
            return Err(TooLong { cells: block, builds: self.builds.len(), needed, allowed: hours });
        };
        let left_out: Vec<CellId> =
            self.cells.iter().filter(|cell| cell.replicate > fitting).map(|cell| cell.id.clone()).collect();
        if !left_out.is_empty() {
            let reason = format!(
                "--max-hours allows {}: the first {fitting} of {} fit, and blocks are not cut",
                duration_text(hours),
                counted(blocks as usize, "replicate")
            );
            self.left_out = Some(LeftOut { cells: left_out, reason });
            self.cells.retain(|cell| cell.replicate <= fitting);
        }
        let with_fold = self.cells.len() + self.foldover.len();
        let needed = self.building() + self.soaking_of(with_fold);
        if !self.foldover.is_empty() && (fitting < blocks || needed > hours) {
            let (needed, allowed) = (duration_text(needed), duration_text(hours));
            let reason = format!("{with_fold} cells would take {needed} and more, and --max-hours allows {allowed}");
            self.notes.no_foldover = Some(reason);
            self.foldover.clear();
        }
        Ok(self)
    }
}
