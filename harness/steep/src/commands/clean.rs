//! `steep clean`: says which runs it would delete, deletes them if the user wants that, and compresses and links what
//! is kept.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use super::output::{json, print, status_of, tell};
use super::report::in_full;
use crate::cli::{CleanOptions, ResultFormat};
use crate::shell::console;
use crate::shell::store::nights::beside;
use crate::shell::store::packed::{WORTH_PACKING, pack};
use crate::shell::store::runs::{KnownRun, runs};
use crate::shell::store::sharing::Binaries;
use crate::shell::store::{RunFolder, RunRecord};
use serde::Serialize;
use steep_core::exit::Status;
use steep_core::trace::EndReason;
use steep_judge::units::{Bytes, counted};

/// What is done with the runs of a folder.
#[derive(Debug, Default, Serialize)]
struct Cleaning {
    /// To be deleted, or deleted, by their folders.
    delete: Vec<String>,
    /// Kept although they are old, with the reason.
    keep: BTreeMap<String, &'static str>,
    /// Whether they were deleted.
    is_done: bool,
    /// What could not be deleted, with the reason.
    failed: BTreeMap<String, String>,
    /// Bytes that compressed traces and shared binaries of what is kept save.
    saved_bytes: u64,
}

/// Deletes old runs.
#[must_use]
pub fn clean(options: &CleanOptions) -> Status {
    status_of(cleaned(options))
}

fn cleaned(options: &CleanOptions) -> Result<Status, anyhow::Error> {
    let known = runs(&options.results).context("read the folder of results")?;
    let (old, keep) = old(&known, options);
    let mut cleaning = Cleaning { delete: old.iter().map(|run| shown(run)).collect(), ..Cleaning::default() };
    cleaning.keep = keep.into_iter().map(|(run, reason)| (shown(run), reason)).collect();
    let is_for_people = options.format == ResultFormat::Terminal;
    if is_for_people {
        print(&announced(&cleaning, known.len(), &options.results), None)?;
    }
    if options.dry_run {
        return said(&cleaning, options, Status::Clean);
    }
    if !old.is_empty() && !options.yes {
        let Some(answer) = console::asked("delete them? [y/N] ").filter(|_| is_for_people) else {
            tell("error: nothing was deleted: nobody can be asked here; give --yes, or --dry-run to see only");
            return Ok(Status::Usage);
        };
        if !answer {
            tell("nothing was deleted");
            return Ok(Status::Clean);
        }
    }
    for run in &old {
        if let Err(reason) = deleted(run) {
            cleaning.failed.insert(shown(run), reason);
        }
    }
    cleaning.is_done = true;
    let kept: Vec<&KnownRun> = known.iter().filter(|run| !old.contains(run)).collect();
    cleaning.saved_bytes = kept.iter().map(|run| compressed(&run.path)).sum();
    let mut binaries = Binaries::default();
    cleaning.saved_bytes += kept.iter().map(|run| binaries.add(&run.path)).sum::<u64>();
    let status = if cleaning.failed.is_empty() { Status::Clean } else { Status::NotDone };
    said(&cleaning, options, status)
}

fn shown(run: &KnownRun) -> String {
    run.path.display().to_string()
}

/// The runs to delete, the oldest first; and those of them that are kept all the same.
fn old<'r>(known: &'r [KnownRun], options: &CleanOptions) -> (Vec<&'r KnownRun>, Vec<(&'r KnownRun, &'static str)>) {
    let (mut delete, mut keep) = (Vec::new(), Vec::new());
    for (place, run) in known.iter().enumerate() {
        let later = || known[place + 1..].iter().filter(|other| other.name == run.name);
        let is_named = options.name.as_ref().is_none_or(|name| *name == run.name);
        if !is_named || later().count() < options.keep as usize {
            continue;
        }
        let is_clean = |run: &KnownRun| run.status == Some(Status::Clean);
        if options.keep_findings && run.status == Some(Status::Finding) {
            keep.push((run, "it has findings"));
        } else if is_clean(run) && !later().any(is_clean) {
            keep.push((run, "the last clean one: compare --baseline latest-clean needs it"));
        } else {
            delete.push(run);
        }
    }
    (delete, keep)
}

fn announced(cleaning: &Cleaning, known: usize, results: &Path) -> String {
    let Cleaning { delete, keep, .. } = cleaning;
    let mut text = format!("{} in {}, {} to delete\n", counted(known, "run"), results.display(), delete.len());
    text.extend(delete.iter().map(|run| format!("delete {run}\n")));
    text.extend(keep.iter().map(|(run, reason)| format!("keep   {run} ({reason})\n")));
    text
}

fn said(cleaning: &Cleaning, options: &CleanOptions, status: Status) -> Result<Status, anyhow::Error> {
    if options.format == ResultFormat::Json {
        print(&json(cleaning)?, None)?;
        return Ok(status);
    }
    for (run, reason) in &cleaning.failed {
        tell(&format!("error: {run} was not deleted: {reason}"));
    }
    if cleaning.is_done {
        let deleted = cleaning.delete.len() - cleaning.failed.len();
        let saved = Bytes::new(cleaning.saved_bytes);
        print(
            &format!("deleted {}; compressed and shared what is kept: {saved} saved\n", counted(deleted, "run")),
            None,
        )?;
    }
    Ok(status)
}

/// Deletes a run that nobody soaks into. Links in it are removed, and not what they lead to.
fn deleted(run: &KnownRun) -> Result<(), String> {
    let (mut folder, _) = RunFolder::open(&run.path).map_err(|error| in_full(&error))?;
    folder.lock().map_err(|error| in_full(&error))?;
    std::fs::remove_dir_all(&run.path).map_err(|error| error.to_string())
}

/// Compresses the traces of a run and says how many bytes that saves. A run that somebody soaks into is left alone, and
/// one of another version.
fn compressed(path: &Path) -> u64 {
    let Ok((mut folder, run)) = RunFolder::open(path) else { return 0 };
    if folder.lock().is_err() {
        return 0;
    }
    traces_compressed(&folder, &run, 0)
}

/// Compresses the traces of a run that are over and have `least` bytes, and says how many bytes that saves.
fn traces_compressed(folder: &RunFolder, run: &RunRecord, least: u64) -> u64 {
    let is_over = |folder: &RunFolder, cell| folder.end_reason(cell).is_some_and(EndReason::is_final);
    let mut saved = 0;
    for cell in run.plan.cells.iter().map(|cell| &cell.id) {
        for folder in [folder, &folder.confirming(cell)] {
            if is_over(folder, cell) {
                saved += pack(&folder.cell(cell), least).unwrap_or_else(|error| {
                    tell(&format!("warning: a trace stays as it is: {}", in_full(&error)));
                    0
                });
            }
        }
    }
    saved
}

/// What a run leaves at its end: long traces compressed, and binaries that other runs beside it have kept once.
pub(super) fn tidy(folder: &RunFolder, run: &RunRecord) {
    traces_compressed(folder, run, WORTH_PACKING);
    let known = runs(&beside(folder.path())).unwrap_or_default();
    let own = std::fs::canonicalize(folder.path()).ok();
    let mut binaries = Binaries::default();
    // Those of other scenarios are others.
    let others = known.iter().filter(|other| other.name == run.scenario.name);
    for other in others.filter(|other| std::fs::canonicalize(&other.path).ok() != own) {
        binaries.note(&other.path);
    }
    binaries.add(folder.path());
}
