//! What there is of a run so far: what was loaded, its folder and record, builds, and what came of its cells.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::sync::watch;

use super::builds::Builds;
use super::folder::{Refused, open};
use crate::commands::outcomes::Outcomes;
use crate::commands::scenario_file::LoadedScenario;
use crate::shell::cell::Soaking;
use crate::shell::progress::Audience;
use crate::shell::provenance::of_run;
use crate::shell::store::{RUN_FILE, RunFolder, RunRecord, StoreError};
use steep_core::outcome::Outcome;
use steep_core::plan::{Cell, Plan};
use steep_core::trace::{EndReason, Provenance};
use steep_judge::ids::CellId;
use steep_judge::verdict::Verdict;

/// A run as far as it has come.
pub(in super::super) struct SoFar<'l> {
    pub(super) loaded: &'l LoadedScenario,
    pub(super) folder: RunFolder,
    /// What `run.json` holds, or will hold.
    pub(in super::super) run: RunRecord,
    is_resumed: bool,
    pub(super) builds: Builds,
    pub(super) outcomes: Outcomes,
    /// Who follows its progress.
    pub(super) audience: Audience,
}

impl<'l> SoFar<'l> {
    /// Nothing yet, in a new folder at `out` for the cells of `plan`; or what there is in that of `resume`.
    pub(super) fn open(
        loaded: &'l LoadedScenario,
        plan: &Plan,
        out: Option<&Path>,
        resume: Option<&Path>,
    ) -> Result<Self, Refused> {
        let (folder, run) = open(loaded, plan, out, resume)?;
        let (builds, outcomes) = (Builds::default(), Outcomes::default());
        Ok(Self { loaded, folder, run, is_resumed: resume.is_some(), builds, outcomes, audience: Audience::default() })
    }

    /// The soak of `cell` as the run wants it, with stacks sampled once in `sample_every` bytes.
    pub(super) fn soaking<'r>(
        &'r self,
        cell: &'r Cell,
        provenance: &'r Provenance,
        sample_every: u64,
    ) -> Result<Soaking<'r>, anyhow::Error> {
        static NOTHING: BTreeMap<String, String> = BTreeMap::new();
        Ok(Soaking {
            scenario: &self.run.scenario,
            supplies: &self.loaded.supplies,
            plan: &self.run.plan,
            cell,
            scenario_folder: &self.run.scenario_folder,
            provenance,
            binary: self.builds.binary(cell)?,
            folder: &self.folder,
            repeated: None,
            added_env: &NOTHING,
            sample_every,
        })
    }

    /// Keeps the record of the run as it is now.
    pub(in super::super) fn keep(&self) -> Result<(), StoreError> {
        self.folder.write_json(RUN_FILE, &self.run)
    }

    /// Where the service comes from now, and not at the run's beginning: a run may be resumed after an update.
    pub(super) async fn provenance(&self, mut interrupted: watch::Receiver<u32>) -> Result<Provenance, anyhow::Error> {
        let run = &self.run;
        if !self.is_resumed {
            return Ok(run.provenance.clone());
        }
        tokio::select! {
            now = of_run(&run.scenario, &run.scenario_folder, self.loaded.workspace.as_ref()) => Ok(now),
            _ = interrupted.wait_for(|raised| *raised > 0) => bail!("interrupted while git was asked; nothing more was soaked"),
        }
    }

    /// Whether `build` was tried.
    pub(super) fn is_built(&self, build: usize) -> bool {
        self.builds.has(build)
    }

    /// Where a cell stands in the plan.
    pub(super) fn place(&self, id: &CellId) -> Result<usize, anyhow::Error> {
        self.run.plan.cells.iter().position(|known| known.id == *id).context("a cell of the plan")
    }

    /// Whether nothing is left to soak of a cell.
    pub(super) fn is_finished(&self, id: &CellId) -> bool {
        self.folder.end_reason(id).is_some_and(EndReason::is_final)
    }

    /// Whether the soak of a cell is over, and did not have its load.
    pub(super) fn is_short(&mut self, id: &CellId) -> bool {
        self.is_finished(id) && self.outcomes.get(&self.folder, id).is_some_and(|outcome| outcome.worth_repeating)
    }

    /// The cells of the plan that are not over.
    pub(super) fn unfinished(&self) -> VecDeque<Cell> {
        self.run.plan.cells.iter().filter(|cell| !self.is_finished(&cell.id)).cloned().collect()
    }

    /// The cells of the plan that are not over, and, in a run that is resumed, those that are invalid: what kept them
    /// from being judged may be gone now.
    pub(super) fn left_to_soak(&mut self) -> VecDeque<Cell> {
        let mut cells: VecDeque<Cell> = self.run.plan.cells.iter().cloned().collect();
        cells.retain(|cell| !self.is_finished(&cell.id) || self.is_resumed && self.is_invalid(&cell.id));
        cells
    }

    /// Whether a cell was soaked and cannot be judged.
    fn is_invalid(&mut self, id: &CellId) -> bool {
        self.outcomes.get(&self.folder, id).is_some_and(|outcome| outcome.verdict() == Verdict::Invalid)
    }

    /// What came of the cells so far, in the order of the plan. A trace that cannot be read is reported by the report;
    /// here it is a cell that was not judged.
    pub(super) fn outcomes(&mut self) -> Vec<Outcome> {
        let Self { run, outcomes, folder, .. } = self;
        run.plan.cells.iter().filter_map(|cell| outcomes.get(folder, &cell.id).cloned()).collect()
    }
}
