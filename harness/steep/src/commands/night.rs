//! `steep run --until`: soaks until a moment, each cell chosen by what the ones before it told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use jiff::Zoned;

use super::output::{status_of, tell};
use super::repeat::Repeats;
use super::run::{Binaries, Refused, binary, build_all, is_finished, open_folder, provenance_now, report, soak};
use super::scenario_file::LoadedScenario;
use crate::cli::RunOptions;
use crate::shell::cell::Soaking;
use crate::shell::clock::local_clock;
use crate::shell::interrupt::Interrupt;
use crate::shell::progress::Progress;
use crate::shell::runtime;
use crate::shell::store::{RUN_FILE, RunFolder, RunRecord};
use crate::shell::supervisor::become_subreaper;
use steep_core::exit::Status;
use steep_core::night::{Doubts, Night, Outline, Turn, Until, Wanted, left, past, stretched};
use steep_core::outcome::Outcome;
use steep_core::plan::{Allowed, Cell, Plan};
use steep_core::scenario::package::Features;
use steep_core::scenario::{Program, Scenario};
use steep_core::search::too_many;
use steep_core::trace::Provenance;
use steep_judge::ids::CellId;
use steep_judge::units::duration_text;

/// What a night chooses from.
pub(super) struct Choice {
    features: Features,
    allowed: Allowed,
}

impl Choice {
    /// What there is to choose from, unless there is too much.
    pub(super) fn of(loaded: &LoadedScenario) -> Result<Self, anyhow::Error> {
        let program = &loaded.scenario.service.program;
        let features = loaded.workspace.as_ref().map(|workspace| workspace.features(program)).unwrap_or_default();
        let allowed = Allowed::of(&loaded.scenario, &features);
        match too_many(allowed.switches().len()) {
            Some(reason) => bail!(reason),
            None => Ok(Self { features, allowed }),
        }
    }

    pub(super) fn night<'s>(&'s self, loaded: &'s LoadedScenario) -> Night<'s> {
        Night::new(&loaded.scenario, &self.allowed, &loaded.plan.cells)
    }
}

/// The end of a night that lasts `until`, and what fits into it.
pub(super) fn outline(
    loaded: &LoadedScenario,
    night: &Night<'_>,
    until: Until,
) -> Result<(Zoned, Outline), anyhow::Error> {
    let now = local_clock();
    let end = until.after(&now).map_err(|over| anyhow!(over))?;
    let planned: Vec<CellId> = loaded.plan.cells.iter().map(|cell| cell.id.clone()).collect();
    let has_builds = matches!(loaded.scenario.service.program, Program::Package(_));
    let outline = night.outline(moment(&end), left(&now, &end), has_builds, &planned).map_err(|too_short| {
        // The next whole minute.
        let enough = &now + too_short.enough() + Duration::from_mins(1);
        anyhow!(
            "--until {until}: {too_short}; give {} or later, or shorten the phases",
            enough.strftime("%Y-%m-%dT%H:%M")
        )
    })?;
    Ok((end, outline))
}

/// A moment to the minute, in local time with its offset.
fn moment(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M%:z").to_string()
}

/// Runs the scenario until then.
pub(super) fn run(loaded: &LoadedScenario, options: &RunOptions, until: Until) -> Status {
    let choice = match Choice::of(loaded) {
        Ok(choice) => choice,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            return Status::Usage;
        }
    };
    let night = choice.night(loaded);
    let begun = outline(loaded, &night, until).map_err(Refused::usage).and_then(|(end, outline)| {
        let plan = Plan::of_night(&loaded.scenario, &loaded.plan, moment(&end));
        let (folder, mut run) = open_folder(loaded, &plan, options.out.as_deref(), options.resume.as_deref())?;
        run.plan.overnight = plan.overnight;
        Ok((end, outline, folder, run))
    });
    let (end, outline, folder, run) = match begun {
        Ok(begun) => begun,
        Err(Refused { status, error }) => {
            tell(&format!("error: {error:#}"));
            return status;
        }
    };
    let features = &choice.features;
    let binaries = Binaries::new();
    let mut night_run = NightRun {
        loaded,
        features,
        switches: choice.allowed.switches(),
        night,
        end,
        folder,
        run,
        outcomes: Vec::new(),
        binaries,
    };
    let runtime = runtime::start().context("start the runtime");
    let soaked = runtime.and_then(|runtime| runtime.block_on(night_run.run(&outline, options.resume.is_some())));
    // However the night ended, what there is is reported.
    let soaked = status_of(soaked);
    let reported = report(&night_run.folder, &night_run.run, options.format);
    Status::of([soaked, reported])
}

/// A night that soaks.
struct NightRun<'l> {
    loaded: &'l LoadedScenario,
    features: &'l Features,
    switches: Vec<String>,
    night: Night<'l>,
    end: Zoned,
    folder: RunFolder,
    run: RunRecord,
    /// Of the cells that are over.
    outcomes: Vec<Outcome>,
    binaries: Binaries,
}

impl NightRun<'_> {
    async fn run(&mut self, outline: &Outline, resumed: bool) -> Result<Status, anyhow::Error> {
        // What a supervisor leaves behind when it is killed comes to steep, and does not live on.
        become_subreaper().context("become the reaper of orphaned processes")?;
        let interrupt = Interrupt::listen().context("listen for signals")?;
        let mut progress = Progress::new(1 + outline.most_short_cells);
        let (name, path) = (&self.run.scenario.name, self.folder.path().display());
        let (end, left) = (moment(&self.end), duration_text(outline.left));
        let short = duration_text(outline.short);
        progress.say(&format!("{name}: until {end}, which is {left} from now, cells of {short}; into {path}"));
        let provenance = provenance_now(self.loaded, &self.run, resumed, interrupt.watch()).await?;
        let mut waiting = self.unfinished();
        let mut repeats = Repeats::default();
        loop {
            if interrupt.is_raised() {
                let path = self.folder.path().display();
                progress.say(&format!("interrupted: --resume {path} goes on with it, until another moment"));
                progress.finish();
                return Ok(Status::NotDone);
            }
            let cell = match waiting.pop_front() {
                Some(cell) => cell,
                None => match self.next(&progress) {
                    Ok(cell) => cell,
                    Err(why) => {
                        let Some(cell) = repeats.next(&self.folder, &self.run, |_| true, &progress) else {
                            progress.say(&why);
                            break;
                        };
                        cell
                    }
                },
            };
            self.build(&cell, &mut progress, &interrupt).await?;
            let is_long = self.run.plan.cells.first().is_some_and(|first| first.id == cell.id);
            let Some(length) = self.night.length(is_long, self.left()) else {
                progress.say(&format!("{}: not begun, it would not be over in time", cell.id));
                repeats.give_up();
                // One that an earlier night began stays missing.
                self.run.plan.cells.retain(|known| known.id != cell.id || self.folder.cell(&cell.id).exists());
                continue;
            };
            let outcome = self.soak(&cell, length, &provenance, &mut progress, &interrupt).await?;
            repeats.saw(&cell, &outcome, &self.run, &progress);
            // Of a cell that was soaked twice the first soak does not count.
            self.outcomes.retain(|known| known.cell != outcome.cell);
            self.outcomes.push(outcome);
        }
        self.folder.write_json(RUN_FILE, &self.run)?;
        progress.finish();
        Ok(Status::Clean)
    }

    /// The cells that a stopped night left; takes note of what the others came to.
    fn unfinished(&mut self) -> VecDeque<Cell> {
        let (finished, unfinished): (Vec<Cell>, Vec<Cell>) =
            self.run.plan.cells.iter().cloned().partition(|cell| is_finished(&self.folder, &cell.id));
        // A trace that cannot be read is told by the report; here it is a cell that was not judged.
        let traces = finished.iter().filter_map(|cell| self.folder.trace(&cell.id).ok().flatten());
        self.outcomes = traces.map(|trace| Outcome::of(&trace)).collect();
        unfinished.into()
    }

    fn left(&self) -> Duration {
        left(&local_clock(), &self.end)
    }

    /// The next cell, at the end of the plan; or why the night is over.
    fn next(&mut self, progress: &Progress) -> Result<Cell, String> {
        let scenario = &self.run.scenario;
        let past = past(&self.switches, &self.run.plan.cells, &self.outcomes);
        let is_built = |build: usize| self.binaries.contains_key(&build);
        let turn = self.night.next(&past, &Doubts::of(scenario, &self.outcomes), self.left(), |flags, axes| {
            self.run.plan.build_for(scenario, self.features, flags, axes).is_some_and(|build| !is_built(build))
        });
        match turn {
            Turn::Soak(Wanted { flags, axes, why }) => {
                let cell = self.run.plan.append(scenario, self.features, &flags, &axes);
                progress.say(&format!("next: {} – {why}", cell.id));
                Ok(cell)
            }
            Turn::Sure => Err(format!("everything is decided, with {} left", duration_text(self.left()))),
            Turn::Unsure { reason } => Err(format!("the night is over: {reason}")),
        }
    }

    /// Builds what `cell` needs, if that is not there yet.
    async fn build(
        &mut self,
        cell: &Cell,
        progress: &mut Progress,
        interrupt: &Interrupt,
    ) -> Result<(), anyhow::Error> {
        if cell.build.is_none_or(|build| self.binaries.contains_key(&build)) {
            return Ok(());
        }
        let began = Instant::now();
        let built = build_all(self.loaded, &self.folder, &self.run, &[cell], progress, interrupt.watch()).await?;
        self.night.pace.saw_build(began.elapsed());
        self.binaries.extend(built);
        Ok(())
    }

    /// Soaks `cell` with a load of `length`, noted in the run's folder before.
    async fn soak(
        &mut self,
        cell: &Cell,
        length: Duration,
        provenance: &Provenance,
        progress: &mut Progress,
        interrupt: &Interrupt,
    ) -> Result<Outcome, anyhow::Error> {
        let longer = stretched(&self.run.scenario, &self.loaded.supplies, length);
        let scenario = longer.as_ref().unwrap_or(&self.run.scenario);
        let mut noted = cell.clone();
        noted.duration = longer.as_ref().map(Scenario::soak_duration);
        if let Some(duration) = noted.duration {
            let own = duration_text(self.run.plan.cell_duration);
            progress.say(&format!(
                "{}: its steady load goes on, for {} in place of {own}",
                cell.id,
                duration_text(duration)
            ));
        }
        let place = self.run.plan.cells.iter().position(|known| known.id == cell.id).context("a cell of the plan")?;
        self.run.plan.cells[place] = noted;
        self.folder.write_json(RUN_FILE, &self.run)?;
        progress.cell(place + 1, cell);
        let soaking = Soaking {
            scenario,
            supplies: &self.loaded.supplies,
            plan: &self.run.plan,
            cell: &self.run.plan.cells[place],
            scenario_folder: &self.run.scenario_folder,
            provenance,
            binary: binary(cell, &self.binaries)?,
            folder: &self.folder,
            repeated: None,
        };
        let began = Instant::now();
        let outcome = soak(&soaking, progress, interrupt.watch()).await?;
        self.night.pace.saw_cell(began.elapsed(), scenario.soak_duration());
        Ok(outcome)
    }
}
