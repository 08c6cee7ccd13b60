//! Who says which cell a campaign soaks next.

use std::collections::VecDeque;
use std::time::Duration;

use super::so_far::SoFar;
use crate::shell::progress::Progress;
use crate::shell::store::StoreError;
use steep_core::exit::Status;
use steep_core::plan::Cell;
use steep_core::scenario::Scenario;
use steep_judge::ids::CellId;

/// Says which cell a campaign soaks next, and when it is over.
pub(in super::super) trait Chooser {
    /// Says what begins. Gives the progress of it, and the cells that the plan has already and that are soaked before
    /// any other is chosen.
    fn begin(&mut self, so_far: &mut SoFar<'_>) -> (Progress, VecDeque<Cell>);

    /// The next cell, which is in the plan from now on; or the end, unless a cell that was short of load is repeated.
    fn next(&mut self, so_far: &mut SoFar<'_>, progress: &Progress) -> Chosen;

    /// How it ends where the user wants to stop.
    fn interrupted(&self, so_far: &SoFar<'_>) -> End;

    /// Whether everything is built before the first soak. Otherwise a build is made when a cell needs it.
    fn builds_first(&self) -> bool {
        false
    }

    /// Whether a cell may be soaked once more at the end, to see what helps: nothing bounds the time then.
    fn may_confirm(&self) -> bool {
        false
    }

    /// Whether this cell may be repeated.
    fn is_chosen(&self, _: &CellId) -> bool {
        true
    }

    /// The number by which progress calls the cell at this `place` of the plan, from 1.
    fn number(&mut self, place: usize) -> usize {
        place + 1
    }

    /// How `cell`, of which everything is built, fits into the time that is left; where it is to last longer, that is
    /// noted in the plan.
    fn fit(&mut self, _: &mut SoFar<'_>, _cell: &Cell, _: &Progress) -> Result<Fit, StoreError> {
        Ok(Fit::AsPlanned)
    }

    /// What a cell needed was built in this time.
    fn built(&mut self, _took: Duration) {}

    /// A cell was soaked in this time, its `load` as long as that.
    fn soaked(&mut self, _took: Duration, _load: Duration) {}

    /// Who chooses once this is over; none: the campaign is over.
    fn then(&mut self, _: &mut SoFar<'_>) -> Result<Option<Box<dyn Chooser>>, anyhow::Error> {
        Ok(None)
    }
}

/// What is soaked next.
pub(in super::super) enum Chosen {
    /// This cell.
    Cell(Cell),
    /// Nothing more.
    End(End),
}

/// How a campaign ends.
pub(in super::super) struct End {
    pub(super) status: Status,
    /// What is said of it.
    pub(super) said: Option<String>,
}

impl End {
    /// Nothing is left to soak.
    pub(super) const DONE: Self = Self { status: Status::Clean, said: None };

    /// Says it, and gives the status.
    pub(super) fn said(self, progress: &Progress) -> Status {
        if let Some(said) = self.said {
            progress.say(&said);
        }
        self.status
    }
}

/// How a cell fits into the time that is left.
pub(in super::super) enum Fit {
    /// With its own load.
    AsPlanned,
    /// With this scenario's load, which is longer.
    Longer(Box<Scenario>),
    /// It would not be over in time, and is not begun.
    NoTime,
}
