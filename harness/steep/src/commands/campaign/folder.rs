//! The folder of a campaign: a new one, or that of a run which is gone on with, in which the same was begun.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail, ensure};

use crate::commands::output::tell;
use crate::commands::scenario_file::LoadedScenario;
use crate::shell::provenance::of_run;
use crate::shell::runtime;
use crate::shell::store::{RUN_FILE, RunFolder, RunRecord, StoreError};
use steep_core::exit::Status;
use steep_core::plan::{Cell, Plan, cell_id};

/// A run that is not begun: what the user asked for does not fit, or the folder is not available.
pub(in super::super) struct Refused {
    status: Status,
    error: anyhow::Error,
}

impl Refused {
    /// The command line is wrong.
    pub(in super::super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { status: Status::Usage, error: error.into() }
    }

    /// Something could not be done.
    pub(in super::super) fn not_done(error: impl Into<anyhow::Error>) -> Self {
        Self { status: Status::NotDone, error: error.into() }
    }

    /// Says it, and gives the status.
    pub(in super::super) fn said(self) -> Status {
        tell(&format!("error: {:#}", self.error));
        self.status
    }
}

/// A new folder at `out` for the cells of `plan`, or the one to `resume`, in which the same was begun.
pub(super) fn open(
    loaded: &LoadedScenario,
    plan: &Plan,
    out: Option<&Path>,
    resume: Option<&Path>,
) -> Result<(RunFolder, RunRecord), Refused> {
    resume.map_or_else(|| created(loaded, plan, out), |path| resumed(loaded, plan, path))
}

fn created(loaded: &LoadedScenario, plan: &Plan, out: Option<&Path>) -> Result<(RunFolder, RunRecord), Refused> {
    let runtime = runtime::start().context("start the runtime").map_err(Refused::not_done)?;
    let provenance = runtime.block_on(of_run(&loaded.scenario, &loaded.folder, loaded.workspace.as_ref()));
    let LoadedScenario { scenario, supplies, folder, .. } = loaded;
    let run = RunRecord::new(scenario.clone(), supplies, folder.clone(), plan.clone(), provenance);
    match RunFolder::create(out, &run, &loaded.text) {
        Ok(folder) => Ok((folder, run)),
        Err(error @ (StoreError::Taken { .. } | StoreError::InUse { .. })) => Err(Refused::usage(error)),
        Err(error) => Err(Refused::not_done(error)),
    }
}

fn resumed(loaded: &LoadedScenario, plan: &Plan, path: &Path) -> Result<(RunFolder, RunRecord), Refused> {
    let opened = RunFolder::open(path).with_context(|| format!("{} is not a run to resume", path.display()));
    let (mut folder, mut run) = opened.map_err(Refused::usage)?;
    folder.lock().map_err(Refused::usage)?;
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

/// That the cells of `run` are such as its scenario has, and its builds those of `plan`: the hash of the plan stands in
/// a file, as they do.
fn same_plan(run: &RunRecord, plan: &Plan) -> Result<(), anyhow::Error> {
    let is_own = |cell: &Cell| cell_id(&run.scenario, &cell.flags, &cell.axes, cell.replicate) == cell.id;
    let is_whole = run.plan.cells.iter().all(is_own) && run.plan.builds.starts_with(&plan.builds);
    ensure!(is_whole, "the plan in {RUN_FILE} is not what steep wrote: run it anew");
    Ok(())
}
