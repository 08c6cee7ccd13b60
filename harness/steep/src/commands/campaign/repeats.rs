//! Cells that did not have their load are soaked once more, by themselves, when all others are done.

use std::collections::VecDeque;

use super::so_far::SoFar;
use crate::shell::progress::Progress;
use crate::shell::store::RunRecord;
use steep_core::outcome::Outcome;
use steep_core::plan::Cell;
use steep_judge::ids::CellId;

/// Which cells are repeated, and when that is given up.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    waiting: VecDeque<Cell>,
    /// A cell was short of load again: so would the others be, and a night would be spent twice.
    is_given_up: bool,
}

impl Repeats {
    /// The next cell of those that `is_chosen`, which is said; none if there are none any more, or repeating does not
    /// help.
    pub(super) fn next(
        &mut self,
        so_far: &mut SoFar<'_>,
        is_chosen: impl Fn(&CellId) -> bool,
        progress: &Progress,
    ) -> Option<Cell> {
        if self.is_given_up {
            return None;
        }
        if self.waiting.is_empty() {
            let mut cells: VecDeque<Cell> = so_far.run.plan.cells.iter().cloned().collect();
            cells.retain(|cell| is_chosen(&cell.id) && may_be_repeated(so_far, &cell.id));
            self.waiting = cells;
        }
        let cell = self.waiting.pop_front()?;
        let again = so_far.outcomes.repeated(&so_far.folder, &cell.id)?;
        let (times, most) = (again.times, so_far.run.scenario.plan.retries);
        progress
            .say(&format!("{}: soaked once more ({times} of at most {most}), for it did not have its load", cell.id));
        Some(cell)
    }

    /// Takes note of what a cell came to, and says where repeating is given up.
    pub(super) fn saw(&mut self, cell: &Cell, outcome: &Outcome, run: &RunRecord, progress: &Progress) {
        let Some(repeated) = outcome.repeated.as_ref().filter(|_| outcome.worth_repeating) else { return };
        if repeated.times < run.scenario.plan.retries {
            self.waiting.push_front(cell.clone());
            return;
        }
        let left = match self.waiting.len() {
            0 => String::new(),
            others => format!(", and {others} more are not repeated"),
        };
        self.give_up();
        progress.say(&format!("{}: short of load again{left}: the report says what to change", cell.id));
    }

    /// Nothing more is repeated.
    pub(super) fn give_up(&mut self) {
        self.is_given_up = true;
        self.waiting.clear();
    }
}

fn may_be_repeated(so_far: &mut SoFar<'_>, id: &CellId) -> bool {
    let retries = so_far.run.scenario.plan.retries;
    let again = |so_far: &mut SoFar<'_>| so_far.outcomes.repeated(&so_far.folder, id);
    retries > 0 && so_far.is_short(id) && again(so_far).is_some_and(|again| again.times <= retries)
}
