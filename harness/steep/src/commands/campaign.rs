//! A campaign: one cell after the other is chosen, built, soaked and judged, until its chooser ends it, and all is
//! reported. Every command that soaks does it through this loop; what they differ in is the [`Chooser`].

mod builds;
mod chooser;
mod folder;
mod foldover;
mod night;
mod outcomes;
mod planned;
mod repeats;
mod search;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use tokio::sync::watch;

use self::builds::Builds;
use self::chooser::{Chooser, Chosen, Fit};
pub(super) use self::folder::Refused;
use self::folder::open;
pub(super) use self::night::{NightWatch, moment};
pub(super) use self::outcomes::Outcomes;
pub(super) use self::planned::Planned;
use self::repeats::Repeats;
pub(super) use self::search::Search;
use super::output::{printed, status_of, tell};
use super::report::{assemble, rendered};
use super::scenario_file::LoadedScenario;
use crate::cli::ResultFormat;
use crate::shell::cell::{self, Soaking};
use crate::shell::interrupt::Interrupt;
use crate::shell::progress::Progress;
use crate::shell::provenance::of_run;
use crate::shell::runtime;
use crate::shell::store::{RUN_FILE, RunFolder, RunRecord, StoreError};
use crate::shell::supervisor::become_subreaper;
use steep_core::exit::Status;
use steep_core::outcome::Outcome;
use steep_core::plan::{Cell, Plan};
use steep_core::scenario::Scenario;
use steep_core::trace::{EndReason, Provenance};
use steep_judge::ids::CellId;
use steep_judge::units::counted;

/// A run that soaks.
pub(super) struct Campaign<'l> {
    loaded: &'l LoadedScenario,
    folder: RunFolder,
    /// What `run.json` holds, or will hold.
    pub(super) run: RunRecord,
    is_resumed: bool,
    builds: Builds,
    outcomes: Outcomes,
}

impl<'l> Campaign<'l> {
    /// A campaign in a new folder at `out` for the cells of `plan`, or one that goes on with that of `resume`.
    pub(super) fn open(
        loaded: &'l LoadedScenario,
        plan: &Plan,
        out: Option<&Path>,
        resume: Option<&Path>,
    ) -> Result<Self, Refused> {
        let (folder, run) = open(loaded, plan, out, resume)?;
        let (builds, outcomes) = (Builds::default(), Outcomes::default());
        Ok(Self { loaded, folder, run, is_resumed: resume.is_some(), builds, outcomes })
    }

    /// Keeps the record of the run as it is now.
    pub(super) fn keep(&self) -> Result<(), StoreError> {
        self.folder.write_json(RUN_FILE, &self.run)
    }

    /// Soaks what `chooser` wants and what follows it, and reports what there is, whatever kept the rest from being
    /// soaked.
    pub(super) fn carry_out<'c>(mut self, chooser: impl Chooser + 'c, format: ResultFormat) -> Status {
        let runtime = runtime::start().context("start the runtime");
        let soaked = runtime.and_then(|runtime| runtime.block_on(self.soak_all(Box::new(chooser))));
        let soaked = status_of(soaked);
        Status::of([soaked, self.report(format)])
    }

    async fn soak_all(&mut self, mut chooser: Box<dyn Chooser + '_>) -> Result<Status, anyhow::Error> {
        // What a supervisor leaves behind when it is killed comes to steep, and does not live on.
        become_subreaper().context("become the reaper of orphaned processes")?;
        let interrupt = Interrupt::listen().context("listen for signals")?;
        loop {
            let (mut progress, waiting) = chooser.begin(self);
            let soaked = self.soak_chosen(&mut *chooser, waiting, &mut progress, &interrupt).await;
            progress.finish();
            let status = soaked?;
            let then = if interrupt.is_raised() { None } else { chooser.then(self)? };
            match then {
                Some(then) => chooser = then,
                None => return Ok(status),
            }
        }
    }

    /// The loop: soaks the cells that are `waiting`, then those that `chooser` wants, then those that were short of
    /// load.
    async fn soak_chosen(
        &mut self,
        chooser: &mut dyn Chooser,
        mut waiting: VecDeque<Cell>,
        progress: &mut Progress,
        interrupt: &Interrupt,
    ) -> Result<Status, anyhow::Error> {
        let provenance = self.provenance(interrupt.watch()).await?;
        if chooser.builds_first() {
            self.build(waiting.make_contiguous(), progress, interrupt).await?;
        }
        let mut repeats = Repeats::default();
        loop {
            if interrupt.is_raised() {
                return Ok(chooser.interrupted(self).said(progress));
            }
            let (cell, is_again) = match self.next(chooser, &mut waiting, &mut repeats, progress)? {
                Next::Cell { cell, is_again } => (cell, is_again),
                Next::End(status) => return Ok(status),
            };
            let began = Instant::now();
            if self.build(std::slice::from_ref(&cell), progress, interrupt).await? {
                chooser.built(began.elapsed());
            }
            let longer = match chooser.fit(self, &cell, progress)? {
                Fit::AsPlanned => None,
                Fit::Longer(scenario) => Some(scenario),
                Fit::NoTime => {
                    repeats.give_up();
                    continue;
                }
            };
            if is_again {
                progress.again(&cell);
            } else {
                progress.cell(chooser.number(self.place(&cell.id)?), &cell);
            }
            let began = Instant::now();
            let outcome = self.soak(&cell.id, longer.as_deref(), &provenance, progress, interrupt.watch()).await?;
            chooser.soaked(began.elapsed(), longer.as_deref().unwrap_or(&self.run.scenario).soak_duration());
            repeats.saw(&cell, &outcome, &self.run, progress);
        }
    }

    /// The next cell, noted in the run's folder if it was chosen just now; or the end, which is said.
    fn next(
        &mut self,
        chooser: &mut dyn Chooser,
        waiting: &mut VecDeque<Cell>,
        repeats: &mut Repeats,
        progress: &Progress,
    ) -> Result<Next, anyhow::Error> {
        if let Some(cell) = waiting.pop_front() {
            return Ok(Next::Cell { cell, is_again: false });
        }
        let end = match chooser.next(self, progress) {
            Chosen::Cell(cell) => {
                self.keep()?;
                return Ok(Next::Cell { cell, is_again: false });
            }
            Chosen::End(end) => end,
        };
        Ok(match repeats.next(self, |id| chooser.is_chosen(id), progress) {
            Some(cell) => Next::Cell { cell, is_again: true },
            None => Next::End(end.said(progress)),
        })
    }

    /// Where the service comes from now, and not at the run's beginning: a run may be resumed after an update.
    async fn provenance(&self, mut interrupted: watch::Receiver<u32>) -> Result<Provenance, anyhow::Error> {
        let run = &self.run;
        if !self.is_resumed {
            return Ok(run.provenance.clone());
        }
        tokio::select! {
            now = of_run(&run.scenario, &run.scenario_folder, self.loaded.workspace.as_ref()) => Ok(now),
            _ = interrupted.wait_for(|raised| *raised > 0) => bail!("interrupted while git was asked; nothing more was soaked"),
        }
    }

    /// Builds what `cells` need and is not there yet; whether there was anything to build.
    async fn build(
        &mut self,
        cells: &[Cell],
        progress: &mut Progress,
        interrupt: &Interrupt,
    ) -> Result<bool, anyhow::Error> {
        self.builds.make(self.loaded, &self.folder, &self.run, cells, progress, interrupt.watch()).await
    }

    /// Whether `build` was tried.
    fn is_built(&self, build: usize) -> bool {
        self.builds.has(build)
    }

    /// Soaks a cell, under the load of `longer` in place of its own; keeps what came of it beside its trace, and says
    /// it.
    async fn soak(
        &mut self,
        id: &CellId,
        longer: Option<&Scenario>,
        provenance: &Provenance,
        progress: &mut Progress,
        interrupted: watch::Receiver<u32>,
    ) -> Result<Outcome, anyhow::Error> {
        let cell = &self.run.plan.cells[self.place(id)?];
        let repeated = self.outcomes.repeated(&self.folder, id);
        self.outcomes.forget(id);
        let soaking = Soaking {
            scenario: longer.unwrap_or(&self.run.scenario),
            supplies: &self.loaded.supplies,
            plan: &self.run.plan,
            cell,
            scenario_folder: &self.run.scenario_folder,
            provenance,
            binary: self.builds.binary(cell)?,
            folder: &self.folder,
            repeated: repeated.as_ref(),
        };
        let trace = cell::soak(&soaking, progress, interrupted).await?;
        let outcome = Outcome::of(&trace);
        self.folder.write_json(Path::new(id.as_str()).join("verdict.json"), &outcome)?;
        progress.say(&summary(&outcome));
        self.outcomes.saw(outcome.clone());
        Ok(outcome)
    }

    /// Where a cell stands in the plan.
    fn place(&self, id: &CellId) -> Result<usize, anyhow::Error> {
        self.run.plan.cells.iter().position(|known| known.id == *id).context("a cell of the plan")
    }

    /// Whether nothing is left to soak of a cell.
    fn is_finished(&self, id: &CellId) -> bool {
        self.folder.end_reason(id).is_some_and(EndReason::is_final)
    }

    /// Whether the soak of a cell is over, and did not have its load.
    fn is_short(&mut self, id: &CellId) -> bool {
        self.is_finished(id) && self.outcomes.get(&self.folder, id).is_some_and(|outcome| outcome.worth_repeating)
    }

    /// The cells of the plan that are not over.
    fn unfinished(&self) -> VecDeque<Cell> {
        self.run.plan.cells.iter().filter(|cell| !self.is_finished(&cell.id)).cloned().collect()
    }

    /// What came of the cells so far, in the order of the plan. A trace that cannot be read is told by the report; here
    /// it is a cell that was not judged.
    fn outcomes(&mut self) -> Vec<Outcome> {
        let Self { run, outcomes, folder, .. } = self;
        run.plan.cells.iter().filter_map(|cell| outcomes.get(folder, &cell.id).cloned()).collect()
    }

    /// Keeps the report, and then says it: who reads stdout may be gone, or its disk full. Neither keeps the other from
    /// being tried, and what was found is found.
    fn report(&mut self, format: ResultFormat) -> Status {
        let report = assemble(&self.folder, &self.run, &mut self.outcomes);
        let kept = self.folder.write_json("report.json", &report).context("keep the report").map(|()| Status::Clean);
        let kept = status_of(kept);
        let status = printed(rendered(&report, format), report.status);
        tell_left_out(&self.run.plan);
        if kept == Status::Clean {
            tell(&format!("\nEverything is in {}", self.folder.path().display()));
        }
        Status::of([status, kept])
    }
}

/// What the loop does next.
enum Next {
    /// Soaks this cell, which was soaked before if it `is_again`.
    Cell { cell: Cell, is_again: bool },
    /// Ends.
    End(Status),
}

/// What was never soaked is told before and after: nothing is known of it.
pub(super) fn tell_left_out(plan: &Plan) {
    if let Some(left_out) = &plan.left_out {
        tell(&format!("left out: {} ({})", counted(left_out.cells.len(), "cell"), left_out.reason));
    }
}

/// A cell that is done, in one line.
fn summary(outcome: &Outcome) -> String {
    let first_line = outcome.judgement.reason.lines().next().unwrap_or_default();
    format!("{}: {} – {first_line}", outcome.cell, outcome.verdict())
}
