//! Cells that did not have their load are soaked once more, by themselves, when all others are done.

use std::collections::VecDeque;

use super::run::is_finished;
use crate::shell::progress::Progress;
use crate::shell::store::{RunFolder, RunRecord};
use steep_core::outcome::Outcome;
use steep_core::plan::Cell;
use steep_core::trace::Repeated;
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
        folder: &RunFolder,
        run: &RunRecord,
        is_chosen: impl Fn(&CellId) -> bool,
        progress: &Progress,
    ) -> Option<Cell> {
        if self.is_given_up {
            return None;
        }
        if self.waiting.is_empty() {
            let cells = run.plan.cells.iter().filter(|cell| is_chosen(&cell.id));
            self.waiting = cells.filter(|cell| may_be_repeated(folder, run, &cell.id)).cloned().collect();
        }
        let cell = self.waiting.pop_front()?;
        let again = repeated(folder, &cell.id)?;
        let (times, most) = (again.times, run.scenario.plan.retries);
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

/// That `id` was soaked before and did not have its load, for the header of the soak that begins now; that one may
/// itself go on with a repetition that was interrupted.
pub(super) fn repeated(folder: &RunFolder, id: &CellId) -> Option<Repeated> {
    let outcome = Outcome::of(&folder.trace(id).ok().flatten()?);
    let before = outcome.repeated;
    if !outcome.worth_repeating {
        return before;
    }
    Some(Repeated { times: before.map_or(0, |before| before.times) + 1, why: outcome.judgement.reason })
}

/// Whether the soak of `id` is over, and did not have its load.
pub(super) fn is_short(folder: &RunFolder, id: &CellId) -> bool {
    let is_short = |trace| Outcome::of(&trace).worth_repeating;
    is_finished(folder, id) && folder.trace(id).ok().flatten().is_some_and(is_short)
}

fn may_be_repeated(folder: &RunFolder, run: &RunRecord, id: &CellId) -> bool {
    let retries = run.scenario.plan.retries;
    retries > 0 && is_short(folder, id) && repeated(folder, id).is_some_and(|again| again.times <= retries)
}
