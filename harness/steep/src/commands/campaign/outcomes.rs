//! What came of cells: each trace is read and judged once.

use std::collections::BTreeMap;

use crate::shell::store::{RunFolder, StoreError};
use steep_core::outcome::Outcome;
use steep_core::trace::Repeated;
use steep_judge::ids::CellId;

/// The outcomes of the cells of a run that were asked for so far.
#[derive(Debug, Default)]
pub(in super::super) struct Outcomes {
    judged: BTreeMap<CellId, Outcome>,
}

impl Outcomes {
    /// What came of a cell of `folder`; none if it was not soaked.
    ///
    /// # Errors
    /// Its trace cannot be read.
    pub(in super::super) fn of(&mut self, folder: &RunFolder, id: &CellId) -> Result<Option<&Outcome>, StoreError> {
        if !self.judged.contains_key(id) {
            let Some(trace) = folder.trace(id)? else { return Ok(None) };
            self.saw(Outcome::of(&trace));
        }
        Ok(self.judged.get(id))
    }

    /// The same, and none if the trace cannot be read either.
    pub(super) fn get(&mut self, folder: &RunFolder, id: &CellId) -> Option<&Outcome> {
        self.of(folder, id).ok().flatten()
    }

    /// Notes what came of a cell that was soaked now.
    pub(super) fn saw(&mut self, outcome: Outcome) {
        self.judged.insert(outcome.cell.clone(), outcome);
    }

    /// Drops what came of a cell: it is soaked anew.
    pub(super) fn forget(&mut self, id: &CellId) {
        self.judged.remove(id);
    }

    /// That `id` was soaked before and did not have its load, for the header of the soak that begins now; that one may
    /// itself go on with a repetition that was interrupted.
    pub(super) fn repeated(&mut self, folder: &RunFolder, id: &CellId) -> Option<Repeated> {
        let outcome = self.get(folder, id)?;
        let before = outcome.repeated.clone();
        if !outcome.worth_repeating {
            return before;
        }
        Some(Repeated { times: before.map_or(0, |before| before.times) + 1, why: outcome.judgement.reason.clone() })
    }
}
