//! A campaign: one cell after the other is chosen, built, soaked and judged, until its chooser ends it, and all is
//! reported. Every command that soaks does it through this loop; what they differ in is the [`Chooser`].

mod builds;
mod chooser;
mod confirm;
mod folder;
mod foldover;
mod night;
mod planned;
mod repeats;
mod rerun;
mod search;
mod so_far;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use tokio::sync::watch;

use self::chooser::{Chooser, Chosen, Fit};
pub(super) use self::folder::Refused;
pub(super) use self::night::{NightWatch, moment};
pub(super) use self::planned::Planned;
use self::repeats::Repeats;
pub(super) use self::search::Search;
use self::so_far::SoFar;
use super::clean::tidy;
use super::history::keep_night;
use super::outcomes::judged;
use super::output::{layout, printed, status_of, tell};
use super::report::{assemble, drawn, keep};
use super::scenario_file::LoadedScenario;
use crate::cli::ReportFormat;
use crate::shell::cell::{self, Soaking};
use crate::shell::interrupt::Interrupt;
use crate::shell::live_view::{LiveView, Place};
use crate::shell::progress::Progress;
use crate::shell::runtime;
use crate::shell::supervisor::become_subreaper;
use steep_core::exit::Status;
use steep_core::kept::{sample_every, sample_every_in_search};
use steep_core::outcome::Outcome;
use steep_core::plan::{Cell, Plan};
use steep_core::report::profile;
use steep_core::scenario::Scenario;
use steep_core::trace::Provenance;
use steep_judge::ids::CellId;
use steep_judge::units::counted;

/// A run that soaks.
pub(super) struct Campaign<'l> {
    /// What there is of it.
    pub(super) so_far: SoFar<'l>,
    /// What is printed at its end.
    page: Page,
    /// Mean bytes between two samples of stacks.
    sample_every: u64,
    /// Whether it is one of the nights of its scenario.
    is_night: bool,
    /// Shows it while it is under way.
    live: Option<LiveView>,
}

/// What is printed at the end of a campaign, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// The report on all that was soaked.
    Report,
    /// Where the memory comes from.
    Profile,
}

impl<'l> Campaign<'l> {
    /// A campaign in a new folder at `out` for the cells of `plan`, or one that goes on with that of `resume`.
    pub(super) fn open(
        loaded: &'l LoadedScenario,
        plan: &Plan,
        out: Option<&Path>,
        resume: Option<&Path>,
    ) -> Result<Self, Refused> {
        let so_far = SoFar::open(loaded, plan, out, resume)?;
        let sample_every = sample_every(&loaded.scenario.phases, loaded.scenario.service.memory_limit_bytes);
        Ok(Self { so_far, page: Page::Report, sample_every, is_night: false, live: None })
    }

    /// The same, with stacks sampled once in this number of bytes, and what they tell in place of the report.
    pub(super) fn profiling(mut self, sample_every: u64) -> Self {
        (self.page, self.sample_every, self.is_night) = (Page::Profile, sample_every, false);
        self
    }

    /// The same, with stacks sampled as finely as a search for the flags that leak wants them.
    pub(super) fn searching(mut self, scenario: &Scenario) -> Self {
        self.sample_every = sample_every_in_search(&scenario.phases, scenario.service.memory_limit_bytes);
        self
    }

    /// The same, kept among the nights of its scenario.
    pub(super) fn in_history(mut self) -> Self {
        self.is_night = true;
        self
    }

    /// The same, without a word of progress if it `is_quiet`.
    pub(super) fn quietly(mut self, is_quiet: bool) -> Self {
        self.so_far.audience.is_quiet = is_quiet;
        self
    }

    /// The same, shown at `place` while it is under way, if there is one.
    pub(super) fn shown_at(mut self, place: Option<Place>) -> Result<Self, Refused> {
        if let Some(place) = place {
            let live = place.show(self.so_far.folder.path()).map_err(Refused::not_done)?;
            // To a quiet run as well: a port that was picked is known by nothing else.
            tell(&format!("live view until the run ends: {}", live.url()));
            self.so_far.audience.live = Some(live.announcer());
            self.live = Some(live);
        }
        Ok(self)
    }

    /// Soaks what `chooser` wants and what follows it, and reports what there is, whatever kept the rest from being
    /// soaked.
    pub(super) fn carry_out<'c>(mut self, chooser: impl Chooser + 'c, format: ReportFormat) -> Status {
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
            let (mut progress, waiting) = chooser.begin(&mut self.so_far);
            let soaked = self.soak_chosen(&mut *chooser, waiting, &mut progress, &interrupt).await;
            progress.finish();
            let status = soaked?;
            let then = if interrupt.is_raised() { None } else { chooser.then(&mut self.so_far)? };
            if let Some(then) = then {
                chooser = then;
                continue;
            }
            if chooser.may_confirm() {
                self.confirm(&interrupt).await?;
                self.rerun(&interrupt).await?;
            }
            return Ok(status);
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
        let provenance = self.so_far.provenance(interrupt.watch()).await?;
        if chooser.builds_first() {
            self.build(waiting.make_contiguous(), progress, interrupt).await?;
        }
        let mut repeats = Repeats::default();
        loop {
            if interrupt.is_raised() {
                return Ok(chooser.interrupted(&self.so_far).said(progress));
            }
            let (cell, is_again) = match self.next(chooser, &mut waiting, &mut repeats, progress)? {
                Next::Cell { cell, is_again } => (cell, is_again),
                Next::End(status) => return Ok(status),
            };
            let began = Instant::now();
            if self.build(std::slice::from_ref(&cell), progress, interrupt).await? {
                chooser.built(began.elapsed());
            }
            let longer = match chooser.fit(&mut self.so_far, &cell, progress)? {
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
                progress.cell(chooser.number(self.so_far.place(&cell.id)?), &cell);
            }
            let began = Instant::now();
            let outcome = self.soak(&cell.id, longer.as_deref(), &provenance, progress, interrupt.watch()).await?;
            chooser.soaked(began.elapsed(), longer.as_deref().unwrap_or(&self.so_far.run.scenario).soak_duration());
            repeats.saw(&cell, &outcome, &self.so_far.run, progress);
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
        let end = match chooser.next(&mut self.so_far, progress) {
            Chosen::Cell(cell) => {
                self.so_far.keep()?;
                return Ok(Next::Cell { cell, is_again: false });
            }
            Chosen::End(end) => end,
        };
        Ok(match repeats.next(&mut self.so_far, |id| chooser.is_chosen(id), progress) {
            Some(cell) => Next::Cell { cell, is_again: true },
            None => Next::End(end.said(progress)),
        })
    }

    /// Builds what `cells` need and is not there yet; whether there was anything to build.
    async fn build(
        &mut self,
        cells: &[Cell],
        progress: &mut Progress,
        interrupt: &Interrupt,
    ) -> Result<bool, anyhow::Error> {
        let SoFar { builds, loaded, folder, run, .. } = &mut self.so_far;
        builds.make(loaded, folder, run, cells, progress, interrupt.watch()).await
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
        let cell = &self.so_far.run.plan.cells[self.so_far.place(id)?];
        let repeated = self.so_far.outcomes.repeated(&self.so_far.folder, id);
        self.so_far.outcomes.forget(id);
        let soaking = Soaking {
            scenario: longer.unwrap_or(&self.so_far.run.scenario),
            repeated: repeated.as_ref(),
            ..self.so_far.soaking(cell, provenance, self.sample_every)?
        };
        let recorded = cell::soak(&soaking, progress, interrupted).await?;
        let outcome = judged(recorded, &self.so_far.folder);
        self.so_far.folder.write_json(Path::new(id.as_str()).join("verdict.json"), &outcome)?;
        progress.say(&summary(&outcome));
        self.so_far.outcomes.saw(outcome.clone());
        Ok(outcome)
    }

    /// Keeps the report, and then says it: who reads stdout may be gone, or its disk full. Neither keeps the other from
    /// being tried, and what was found is found.
    fn report(&mut self, format: ReportFormat) -> Status {
        let report = assemble(&self.so_far.folder, &self.so_far.run, &mut self.so_far.outcomes);
        let kept = keep(&self.so_far.folder, &self.so_far.run, &report).context("keep the report");
        let (kept, page) = kept.map_or_else(|error| (Err(error), None), |page| (Ok(Status::Clean), Some(page)));
        let kept = status_of(kept);
        if let Some(live) = &self.live {
            live.run_ended(&format!("The report is in {}.", self.so_far.folder.path().display()));
        }
        let text = match self.page {
            Page::Profile if format.format.has_layout() => Ok(profile(&report, layout(format.wide))),
            Page::Report | Page::Profile => {
                let anew = || drawn(&self.so_far.folder, &self.so_far.run, &report);
                format.format.render(&report, layout(format.wide), || page.unwrap_or_else(anew)).map_err(Into::into)
            }
        };
        let status = printed(text, report.status);
        tell_left_out(&self.so_far.run.plan);
        if self.is_night {
            keep_night(&self.so_far.folder, &self.so_far.run, &report);
        }
        if kept == Status::Clean {
            tidy(&self.so_far.folder, &self.so_far.run);
        }
        if kept == Status::Clean && !self.so_far.audience.is_quiet {
            tell(&format!("\nEverything is in {}", self.so_far.folder.path().display()));
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

/// What was never soaked is reported before and after: nothing is known of it.
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
