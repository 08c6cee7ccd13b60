//! `steep run`: builds the service, soaks every cell, judges and reports.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use tokio::sync::watch;

use super::foldover::fold;
use super::night;
use super::output::{printed, status_of, tell};
use super::repeat::{Repeats, is_short, repeated};
use super::report::{assemble, rendered};
use super::scenario_file::{LoadedScenario, load};
use crate::cli::{ReportFormat, RunOptions};
use crate::shell::build::{Built, Doing};
use crate::shell::cell::{self, Binary, Soaking};
use crate::shell::interrupt::Interrupt;
use crate::shell::process::own_program;
use crate::shell::progress::Progress;
use crate::shell::provenance::of_run;
use crate::shell::runtime;
use crate::shell::store::{RUN_FILE, RunFolder, RunRecord, StoreError};
use crate::shell::supervisor::become_subreaper;
use steep_core::exit::Status;
use steep_core::outcome::Outcome;
use steep_core::plan::{Cell, Plan, cell_id};
use steep_core::scenario::{Model, Program};
use steep_core::trace::Provenance;
use steep_judge::ids::CellId;
use steep_judge::units::{counted, duration_text};

/// A run that is not begun: what the user asked for does not fit, or the folder cannot be had.
pub(super) struct Refused {
    pub(super) status: Status,
    pub(super) error: anyhow::Error,
}

impl Refused {
    /// The command line is wrong.
    pub(super) fn usage(error: anyhow::Error) -> Self {
        Self { status: Status::Usage, error }
    }
}

/// Runs the scenario.
#[must_use]
pub fn run(options: &RunOptions) -> Status {
    let Some(mut loaded) = load(&options.scenario) else { return Status::Usage };
    if let Some(until) = options.until {
        return night::run(&loaded, options, until);
    }
    let begun = shorten(&mut loaded, options).map_err(Refused::usage).and_then(|()| {
        if options.resume.is_none() {
            // No folder is made for a cell that cannot be.
            chosen_cells(&loaded, &mut loaded.plan.clone(), &options.cells).map_err(Refused::usage)?;
        }
        open_folder(&loaded, &loaded.plan, options.out.as_deref(), options.resume.as_deref())
    });
    let begun = begun.and_then(|(folder, mut run)| {
        // A run that is resumed may have been folded over.
        let before = (run.plan.cells.len(), run.asked.clone());
        let chosen = chosen_cells(&loaded, &mut run.plan, &options.cells).map_err(Refused::usage)?;
        run.asked = asked(&run, options, &chosen);
        if (run.plan.cells.len(), &run.asked) != (before.0, &before.1) {
            folder
                .write_json(RUN_FILE, &run)
                .map_err(|error| Refused { status: Status::NotDone, error: error.into() })?;
        }
        Ok((chosen, folder, run))
    });
    let (chosen, folder, mut run) = match begun {
        Ok(begun) => begun,
        Err(Refused { status, error }) => {
            tell(&format!("error: {error:#}"));
            return status;
        }
    };
    let soaked = soak_all(&loaded, &folder, &mut run, &chosen, options);
    // Whatever kept the rest from being soaked, what there is is reported.
    let soaked = status_of(soaked.map(|()| Status::Clean));
    let reported = report(&folder, &run, options.format);
    Status::of([soaked, reported])
}

/// Soaks the cells, and those of the foldover if they are needed.
fn soak_all(
    loaded: &LoadedScenario,
    folder: &RunFolder,
    run: &mut RunRecord,
    chosen: &[CellId],
    options: &RunOptions,
) -> Result<(), anyhow::Error> {
    let runtime = runtime::start().context("start the runtime")?;
    runtime.block_on(run_cells(loaded, folder, run, chosen, options))?;
    let more = if options.cells.is_empty() { fold(loaded, folder, run)? } else { Vec::new() };
    if more.is_empty() { Ok(()) } else { runtime.block_on(run_cells(loaded, folder, run, &more, options)) }
}

/// Keeps the report, and then says it: who reads stdout may be gone, or its disk full. Neither keeps the other from
/// being tried, and what was found is found.
pub(super) fn report(folder: &RunFolder, run: &RunRecord, format: ReportFormat) -> Status {
    let report = assemble(folder, run);
    let kept = folder.write_json("report.json", &report).context("keep the report").map(|()| Status::Clean);
    let kept = status_of(kept);
    let status = printed(rendered(&report, format), report.status);
    tell_left_out(&run.plan);
    if kept == Status::Clean {
        tell(&format!("\nEverything is in {}", folder.path().display()));
    }
    Status::of([status, kept])
}

/// Leaves out of the plan what does not fit into the hours that are allowed, and says so.
fn shorten(loaded: &mut LoadedScenario, options: &RunOptions) -> Result<(), anyhow::Error> {
    let Some(hours) = options.max_hours else { return Ok(()) };
    loaded.plan = loaded.plan.clone().within(hours)?;
    tell_left_out(&loaded.plan);
    Ok(())
}

/// What was never soaked is told before and after: nothing is known of it.
fn tell_left_out(plan: &Plan) {
    if let Some(left_out) = &plan.left_out {
        tell(&format!("left out: {} ({})", counted(left_out.cells.len(), "cell"), left_out.reason));
    }
}

/// The cells that the run is to have: those that `--cell` named, now or when it was begun; empty where it was begun or
/// goes on with all.
fn asked(run: &RunRecord, options: &RunOptions, chosen: &[CellId]) -> Vec<CellId> {
    let is_of_all = options.resume.is_some() && run.asked.is_empty();
    if options.cells.is_empty() || is_of_all {
        return Vec::new();
    }
    let new = chosen.iter().filter(|id| !run.asked.contains(id));
    run.asked.iter().chain(new).cloned().collect()
}

/// The cells that `--cell` names, or all. One that no strategy planned is added to the plan.
fn chosen_cells(loaded: &LoadedScenario, plan: &mut Plan, names: &[String]) -> Result<Vec<CellId>, anyhow::Error> {
    let planned: Vec<CellId> = plan.cells.iter().map(|cell| cell.id.clone()).collect();
    let wanted: Vec<CellId> = names.iter().map(|name| CellId::parse(name)).collect();
    for id in wanted.iter().filter(|id| !planned.contains(id)) {
        let program = &loaded.scenario.service.program;
        let features = loaded.workspace.as_ref().map(|workspace| workspace.features(program)).unwrap_or_default();
        if plan.append_named(&loaded.scenario, &features, id).is_none() {
            let known: Vec<&str> = planned.iter().map(CellId::as_str).collect();
            bail!("the plan has no cell \"{id}\", and none of this name can be added; it has {}", known.join(", "));
        }
    }
    Ok(if wanted.is_empty() { planned } else { wanted })
}

async fn run_cells(
    loaded: &LoadedScenario,
    folder: &RunFolder,
    run: &RunRecord,
    chosen: &[CellId],
    options: &RunOptions,
) -> Result<(), anyhow::Error> {
    // What a supervisor leaves behind when it is killed comes to steep, and does not live on.
    become_subreaper().context("become the reaper of orphaned processes")?;
    let interrupt = Interrupt::listen().context("listen for signals")?;
    let mut cells: Vec<&Cell> = run.plan.cells.iter().filter(|cell| chosen.contains(&cell.id)).collect();
    // Who names a cell that did not have its load wants it soaked anew.
    let is_named = |cell: &Cell| options.cells.iter().any(|name| name == cell.id.as_str());
    let is_done = |cell: &Cell| is_finished(folder, &cell.id) && !(is_named(cell) && is_short(folder, &cell.id));
    cells.retain(|cell| !is_done(cell));
    let mut progress = Progress::new(cells.len());
    announce(&progress, run, folder, cells.len());
    let provenance = &provenance_now(loaded, run, options.resume.is_some(), interrupt.watch()).await?;
    let mut binaries = build_all(loaded, folder, run, &cells, &mut progress, interrupt.watch()).await?;
    let mut cells: VecDeque<Cell> = cells.into_iter().cloned().collect();
    let mut repeats = Repeats::default();
    let mut number = 0;
    while !interrupt.is_raised() {
        let first = cells.pop_front();
        let Some(cell) = first.clone().or_else(|| repeats.next(folder, run, |id| chosen.contains(id), &progress))
        else {
            break;
        };
        // Of a run that is resumed a cell may be repeated that was soaked before.
        if cell.build.is_some_and(|build| !binaries.contains_key(&build)) {
            binaries.extend(build_all(loaded, folder, run, &[&cell], &mut progress, interrupt.watch()).await?);
        }
        if first.is_some() {
            number += 1;
            progress.cell(number, &cell);
        } else {
            progress.again(&cell);
        }
        let soaking = Soaking {
            scenario: &run.scenario,
            supplies: &loaded.supplies,
            plan: &run.plan,
            cell: &cell,
            scenario_folder: &run.scenario_folder,
            provenance,
            binary: binary(&cell, &binaries)?,
            folder,
            repeated: None,
        };
        let outcome = soak(&soaking, &mut progress, interrupt.watch()).await?;
        repeats.saw(&cell, &outcome, run, &progress);
    }
    progress.finish();
    Ok(())
}

/// What is started in `cell`, among all that was built.
pub(super) fn binary<'b>(cell: &Cell, binaries: &'b Binaries) -> Result<Binary<'b>, anyhow::Error> {
    let Some(build) = cell.build else { return Ok(Binary::Command) };
    match binaries.get(&build) {
        Some(Ok(built)) => Ok(Binary::Built(built)),
        Some(Err(message)) => Ok(Binary::Failed(message)),
        None => bail!("build {build} of cell {} was not made", cell.id),
    }
}

/// Soaks a cell, keeps what came of it beside its trace, and says it.
pub(super) async fn soak(
    soaking: &Soaking<'_>,
    progress: &mut Progress,
    interrupted: watch::Receiver<u32>,
) -> Result<Outcome, anyhow::Error> {
    let repeated = repeated(soaking.folder, &soaking.cell.id);
    let soaking = &Soaking { repeated: repeated.as_ref(), ..*soaking };
    let trace = cell::soak(soaking, progress, interrupted).await?;
    let outcome = Outcome::of(&trace);
    soaking.folder.write_json(Path::new(soaking.cell.id.as_str()).join("verdict.json"), &outcome)?;
    progress.say(&summary(&outcome));
    Ok(outcome)
}

/// A new folder at `out` for the cells of `plan`, or the one to `resume`, in which the same was begun.
pub(super) fn open_folder(
    loaded: &LoadedScenario,
    plan: &Plan,
    out: Option<&Path>,
    resume: Option<&Path>,
) -> Result<(RunFolder, RunRecord), Refused> {
    let Some(path) = resume else {
        let runtime = runtime::start().context("start the runtime");
        let runtime = runtime.map_err(|error| Refused { status: Status::NotDone, error })?;
        let provenance = runtime.block_on(of_run(&loaded.scenario, &loaded.folder, loaded.workspace.as_ref()));
        let LoadedScenario { scenario, supplies, folder, .. } = loaded;
        let run = RunRecord::new(scenario.clone(), supplies, folder.clone(), plan.clone(), provenance);
        let created = RunFolder::create(out, &run, &loaded.text);
        return created.map(|folder| (folder, run)).map_err(|error| Refused {
            status: if matches!(error, StoreError::Taken { .. } | StoreError::InUse { .. }) {
                Status::Usage
            } else {
                Status::NotDone
            },
            error: error.into(),
        });
    };
    let opened = RunFolder::open(path).with_context(|| format!("{} is no run to resume", path.display()));
    let (mut folder, mut run) = opened.map_err(Refused::usage)?;
    folder.lock().map_err(|error| Refused::usage(error.into()))?;
    same_files(&run, loaded).map_err(Refused::usage)?;
    // What is drawn of files is not in `run.json`.
    run.scenario.supply(&loaded.supplies);
    if run.scenario != loaded.scenario || run.plan.hash != plan.hash {
        return Err(Refused::usage(anyhow!(
            "the scenario has changed since {} was begun, and its cells would not compare: run it anew, or put the scenario back as it was, which {} shows; what `run` began `run` resumes, what `run --until` began `run --until`, and what `bisect` began `bisect`",
            path.display(),
            path.join("scenario.toml").display()
        )));
    }
    same_plan(&run, plan).map_err(Refused::usage)?;
    // What is started is found there, and not in a place that the folder of a run names.
    run.scenario_folder.clone_from(&loaded.folder);
    Ok((folder, run))
}

/// That the cells of `run` are such as its scenario has, and its builds those of `plan`: the hash of the plan stands in
/// a file, as they do.
fn same_plan(run: &RunRecord, plan: &Plan) -> Result<(), anyhow::Error> {
    let is_own = |cell: &Cell| cell_id(&run.scenario, &cell.flags, &cell.axes, cell.replicate) == cell.id;
    let is_whole = run.plan.cells.iter().all(is_own) && run.plan.builds.starts_with(&plan.builds);
    ensure!(is_whole, "the plan in {RUN_FILE} is not what steep wrote: run it anew");
    Ok(())
}

/// Where the service comes from now, and not at the run's beginning: a run may be resumed after an update.
pub(super) async fn provenance_now(
    loaded: &LoadedScenario,
    run: &RunRecord,
    resumed: bool,
    mut interrupted: watch::Receiver<u32>,
) -> Result<Provenance, anyhow::Error> {
    if !resumed {
        return Ok(run.provenance.clone());
    }
    tokio::select! {
        now = of_run(&run.scenario, &run.scenario_folder, loaded.workspace.as_ref()) => Ok(now),
        _ = interrupted.wait_for(|raised| *raised > 0) => bail!("interrupted while git was asked; nothing more was soaked"),
    }
}

/// That each file that the traffic is made of is as it was when `run` was begun.
fn same_files(run: &RunRecord, loaded: &LoadedScenario) -> Result<(), anyhow::Error> {
    let now = loaded.supplies.digests();
    match run.files_sha256.iter().find(|(path, hash)| now.get(*path).is_some_and(|now| now != *hash)) {
        Some((path, _)) => bail!(
            "{path} has changed since the run was begun, and its cells would not compare: run it anew, or put the file back as it was"
        ),
        None => Ok(()),
    }
}

/// Whether nothing is left to soak: its trace has an end that is not an interruption.
pub(super) fn is_finished(folder: &RunFolder, id: &CellId) -> bool {
    use steep_core::trace::EndReason::{Completed, Crashed, LoadEnded, StoppedEarly, ThresholdBroken};
    let end = folder.trace(id).ok().flatten().and_then(|trace| trace.end);
    end.is_some_and(|end| matches!(end.reason, Completed | Crashed | LoadEnded | StoppedEarly | ThresholdBroken))
}

fn announce(progress: &Progress, run: &RunRecord, folder: &RunFolder, cells: usize) {
    let each = duration_text(run.plan.cell_duration);
    let judge = &run.scenario.judge;
    let per_hour = judge.min_growth_bytes_per_hour;
    let worth = match run.scenario.load.model {
        Model::None => format!("{per_hour}, without requests"),
        Model::Open | Model::Closed { .. } => format!("{} and {per_hour}", judge.min_growth_bytes_per_request),
    };
    progress.say(&format!(
        "{}: {cells} {} of {each}; growth worth finding: {worth}; into {}",
        run.scenario.name,
        if cells == 1 { "cell" } else { "cells" },
        folder.path().display()
    ));
}

pub(super) type Binaries = BTreeMap<usize, Result<Built, String>>;

/// Builds every feature set that `cells` need, before the first soak: a compiler would disturb what is measured. A
/// build that fails keeps its message and does not keep the others from being made.
pub(super) async fn build_all(
    loaded: &LoadedScenario,
    folder: &RunFolder,
    run: &RunRecord,
    cells: &[&Cell],
    progress: &mut Progress,
    mut interrupted: watch::Receiver<u32>,
) -> Result<Binaries, anyhow::Error> {
    let mut binaries = Binaries::new();
    let (Some(workspace), Program::Package(package)) = (&loaded.workspace, &run.scenario.service.program) else {
        return Ok(binaries);
    };
    let supervisor = own_program().context("find steep's own program")?;
    let mut needed: Vec<usize> = cells.iter().filter_map(|cell| cell.build).collect();
    needed.sort_unstable();
    needed.dedup();
    for index in needed {
        let build = &run.plan.builds[index];
        let label = format!("{} ({})", package.name, build.label());
        let began = std::time::Instant::now();
        progress.build(&label);
        let place = folder.build(index);
        let says = |doing: Doing<'_>| progress.building(&label, doing);
        let building = workspace.build(package, build, &place, &supervisor, says);
        let built = tokio::select! {
            built = building => built,
            // Leaving drops the build, and with it cargo and its compilers.
            _ = interrupted.wait_for(|raised| *raised > 0) => bail!("interrupted while {label} was built; nothing was soaked"),
        };
        match &built {
            Ok(built) => progress.say(&built_in(&label, began.elapsed(), built.waited)),
            Err(error) => progress.say(&format!("error: {error}")),
        }
        binaries.insert(index, built.map_err(|error| error.to_string()));
    }
    Ok(binaries)
}

/// What is said of a build: how long it took, without the time in which another cargo had the lock.
fn built_in(label: &str, all: Duration, waited: Duration) -> String {
    let built = format!("built {label} in {}", duration_text(all.saturating_sub(waited)));
    if waited.is_zero() {
        built
    } else {
        format!("{built}, after {} of waiting for cargo's lock", duration_text(waited))
    }
}

/// A cell that is done, in one line.
fn summary(outcome: &Outcome) -> String {
    let first_line = outcome.judgement.reason.lines().next().unwrap_or_default();
    format!("{}: {} – {first_line}", outcome.cell, outcome.verdict())
}
