//! The runs in a folder of results.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{LARGEST_RECORD, RUN_FILE, StoreError};
use crate::shell::files;
use steep_core::exit::Status;

/// The largest report that is looked at: 64 cells with all their stacks have a tenth of it.
const LARGEST_REPORT: u64 = 256 << 20;
/// Most folders that are looked at.
const MOST_RUNS: usize = 100_000;
/// The report of a run, made when it ended.
const REPORT_FILE: &str = "report.json";

/// A run, as far as its folder tells without its traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRun {
    /// Its folder.
    pub path: PathBuf,
    /// Name of the scenario.
    pub name: String,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// What it came to, as it said at its end; none where it did not come to that.
    pub status: Option<Status>,
}

/// What is read of `run.json`, which only grows from version to version.
#[derive(Deserialize)]
struct Record {
    steep: String,
    started: String,
    scenario: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Said {
    status: Status,
}

/// The runs in `results`, the oldest first. A link is none of them, wherever it leads, and neither is a folder without
/// a `run.json` that steep wrote.
///
/// # Errors
/// The folder cannot be read.
pub fn runs(results: &Path) -> Result<Vec<KnownRun>, StoreError> {
    let failed = |source| StoreError::File { path: results.to_owned(), source };
    let entries = fs::read_dir(results).map_err(failed)?.take(MOST_RUNS);
    let mut runs: Vec<KnownRun> = entries.filter_map(|entry| known(&entry.ok()?.path())).collect();
    runs.sort_by(|one, other| (&one.started, &one.path).cmp(&(&other.started, &other.path)));
    Ok(runs)
}

fn known(path: &Path) -> Option<KnownRun> {
    if !fs::symlink_metadata(path).ok()?.is_dir() {
        return None;
    }
    let file = path.join(RUN_FILE);
    if !fs::symlink_metadata(&file).ok()?.is_file() {
        return None;
    }
    let record: Record = serde_json::from_slice(&files::read(&file, LARGEST_RECORD).ok()?).ok()?;
    if record.steep.is_empty() {
        return None;
    }
    let said = files::read(&path.join(REPORT_FILE), LARGEST_REPORT).ok();
    let said: Option<Said> = said.and_then(|report| serde_json::from_slice(&report).ok());
    let Record { started, scenario, .. } = record;
    Some(KnownRun { path: path.to_owned(), name: scenario.name, started, status: said.map(|said| said.status) })
}
