//! The folder of a run: what is written there, when, and how it is read again.
//!
//! Everything is appended or replaced whole, so that a run that was killed at any moment can be read.

mod attempts;
mod ending;
pub mod nights;
pub mod packed;
pub mod runs;
pub mod sharing;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::packed::trace_in;
use crate::shell::{files, remains};
use steep_core::kept::{SCHEMA, Series};
use steep_core::plan::Plan;
use steep_core::scenario::{Scenario, Supplies};
use steep_core::trace::{EndReason, FromRecords, Header, Provenance, Record, TraceError, TraceReader};
use steep_core::visible::visible;
use steep_judge::ids::CellId;

/// Version of `run.json` and the traces beside it: the first number rises when what was recorded before cannot be read
/// any more.
const RUN_FORMAT: &str = "2.0";
/// The run: scenario resolved, plan, provenance.
pub const RUN_FILE: &str = "run.json";
/// The scenario as it was given.
const SCENARIO_FILE: &str = "scenario.toml";
/// Locked while somebody soaks into the folder.
const LOCK_FILE: &str = "run.lock";
/// The trace of a cell.
pub const TRACE_FILE: &str = "trace.jsonl";
/// In the folder of a cell: the cell once more, with what is to help.
const CONFIRM: &str = "confirm";
/// Cells that were soaked beside the plan, to find a line.
const RERUNS: &str = "reruns";
/// The largest `run.json`: a scenario of at most 16 MiB with its plan.
const LARGEST_RECORD: u64 = 256 << 20;
/// In the folder of a cell: what its stacks kept, where a preloaded library counted.
const STACKS_FILE: &str = "stacks.json";
/// The same when the service came close to its limit.
pub const STACKS_AT_LIMIT_FILE: &str = "stacks-at-limit.json";

/// Of 8,192 stacks of 58 frames with 24 snapshots.
const LARGEST_STACKS: u64 = 256 << 20;

/// In the folder of a run: the programs that it built.
const BUILDS: &str = "builds";
/// The largest trace: a line a second of 1 KiB, for three weeks.
const LARGEST_TRACE: u64 = 2 << 30;
/// Lines of a trace between two times that the disk is waited for: a machine that dies loses at most this.
const LINES_PER_SYNC: u32 = 120;

/// What cannot be written or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file or folder.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file that should hold JSON.
    #[error("{path} is not what steep wrote")]
    Json {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A trace.
    #[error("{path}")]
    Trace {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: TraceError,
    },
    /// A folder with a run in it, where a new one was to begin.
    #[error("{path} has a run in it already: give another --out, or go on with it by --resume")]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// A folder that another steep soaks into.
    #[error("another steep is soaking into {path}: wait for it, or give another --out")]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// A file that is written and not there any more.
    #[error(
        "{path} is not there any more: its folder was removed or moved while steep wrote to it, and nothing more can be kept"
    )]
    Gone {
        /// Which.
        path: PathBuf,
    },
    /// A run of another version.
    #[error("{path} has format {found}, and this steep reads {RUN_FORMAT}: use the steep that made it, or soak again")]
    Format {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: String,
    },
}

/// What `run.json` has in every version.
#[derive(Deserialize)]
struct Stamp {
    format: String,
}

fn from_json<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Json { path: path.to_owned(), source })
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RUN_FORMAT`].
    pub format: String,
    /// Version of steep.
    pub steep: String,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// Folder of the scenario file: its paths are relative to it.
    pub scenario_folder: PathBuf,
    /// The scenario with every default filled in.
    pub scenario: Scenario,
    /// SHA-256 of each file that its traffic is made of, by path.
    #[serde(default)]
    pub files_sha256: BTreeMap<String, String>,
    /// The cells.
    pub plan: Plan,
    /// Those of them that `--cell` asked for; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<CellId>,
    /// Where the service and the machine come from.
    pub provenance: Provenance,
}

impl RunRecord {
    /// The record of a run that begins now.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        supplies: &Supplies,
        scenario_folder: PathBuf,
        plan: Plan,
        provenance: Provenance,
    ) -> Self {
        let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let steep = env!("CARGO_PKG_VERSION").to_owned();
        let files_sha256 = supplies.digests();
        Self {
            format: RUN_FORMAT.to_owned(),
            steep,
            started,
            scenario_folder,
            scenario,
            files_sha256,
            plan,
            asked: Vec::new(),
            provenance,
        }
    }

    /// Whether the run is to have `cell`.
    #[must_use]
    pub fn is_asked(&self, cell: &CellId) -> bool {
        self.asked.is_empty() || self.asked.contains(cell)
    }
}

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held while this process soaks into it; the kernel gives it back however the process ends.
    lock: Option<File>,
}

impl RunFolder {
    /// A new folder for `run` at `path`, or below `results` with a name of its own.
    ///
    /// # Errors
    /// It exists already with a run in it, or cannot be written.
    pub fn create(path: Option<&Path>, run: &RunRecord, scenario_text: &str) -> Result<Self, StoreError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => unused(&run.scenario.name, &run.started),
        };
        let mut folder = Self { path, lock: None };
        if files::is_there(&folder.path.join(RUN_FILE)) {
            return Err(StoreError::Taken { path: folder.path });
        }
        fs::create_dir_all(&folder.path).map_err(|source| StoreError::File { path: folder.path.clone(), source })?;
        folder.lock()?;
        replace(&folder.path.join(SCENARIO_FILE), scenario_text.as_bytes())?;
        folder.write_json(RUN_FILE, run)?;
        Ok(folder)
    }

    /// The folder of a run that exists.
    ///
    /// # Errors
    /// There is no readable `run.json` of this version in it.
    pub fn open(path: &Path) -> Result<(Self, RunRecord), StoreError> {
        let folder = Self { path: path.to_owned(), lock: None };
        let file = folder.path.join(RUN_FILE);
        let text = files::read_text(&file, LARGEST_RECORD);
        let text = text.map_err(|source| StoreError::File { path: file.clone(), source })?;
        // Before the rest, which another version may have otherwise.
        let Stamp { format: found } = from_json(&file, &text)?;
        if found.split('.').next() != RUN_FORMAT.split('.').next() {
            return Err(StoreError::Format { path: file, found });
        }
        Ok((folder, from_json(&file, &text)?))
    }

    /// Keeps other processes from soaking into this folder: two soaks at once would disturb each other, and take each
    /// other's files.
    ///
    /// # Errors
    /// Another process does so already.
    pub fn lock(&mut self) -> Result<(), StoreError> {
        let path = self.path.join(LOCK_FILE);
        let mut file = files::lock_file(&path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => {
                remains::take_over(&mut file).map_err(|source| StoreError::File { path, source })?;
                self.lock = Some(file);
                Ok(())
            }
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse { path: self.path.clone() }),
            Err(fs::TryLockError::Error(source)) => Err(StoreError::File { path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the binary of the build `index` is copied to.
    #[must_use]
    pub fn build(&self, index: usize) -> PathBuf {
        self.path.join(BUILDS).join(index.to_string())
    }

    /// The folder of a cell.
    #[must_use]
    pub fn cell(&self, id: &CellId) -> PathBuf {
        self.path.join(id.as_str())
    }

    /// Where `cell` is soaked once more, to see what helps: as the folder of a run that has this cell only.
    #[must_use]
    pub fn confirming(&self, cell: &CellId) -> Self {
        Self { path: self.cell(cell).join(CONFIRM), lock: None }
    }

    /// The same, made where it is not there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin_confirming(&self, cell: &CellId) -> Result<Self, StoreError> {
        let folder = self.confirming(cell);
        files::own_folder(&folder.path).map_err(|source| StoreError::File { path: folder.path.clone(), source })?;
        Ok(folder)
    }

    /// Where cells are soaked beside the plan, as the folder of a run that has these only.
    #[must_use]
    pub fn reruns(&self) -> Self {
        Self { path: self.path.join(RERUNS), lock: None }
    }

    /// The same, made where it is not there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin_reruns(&self) -> Result<Self, StoreError> {
        let folder = self.reruns();
        files::own_folder(&folder.path).map_err(|source| StoreError::File { path: folder.path.clone(), source })?;
        Ok(folder)
    }

    /// Makes the folder of `cell` ready for a new attempt, and says which it is: what is in it is moved into
    /// `attempts/<n>/`, never thrown away, so that nothing stands where the attempt will write.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin_attempt(&self, cell: &CellId) -> Result<u32, StoreError> {
        let folder = self.cell(cell);
        attempts::move_away(&folder).map_err(|source| StoreError::File { path: folder, source })
    }

    /// The trace of `cell`; none if it was never begun, or steep was killed before the first line.
    ///
    /// # Errors
    /// It cannot be read, or is not a trace.
    pub fn trace<T: FromRecords>(&self, cell: &CellId) -> Result<Option<T>, StoreError> {
        let path = trace_in(&self.cell(cell));
        if !path.exists() {
            return Ok(None);
        }
        match read_trace(&path) {
            Err(StoreError::Trace { source: TraceError::Empty, .. }) => Ok(None),
            read => read.map(Some),
        }
    }

    /// Why the soak of `cell` ended; none if it was never begun, or not ended.
    #[must_use]
    pub fn end_reason(&self, cell: &CellId) -> Option<EndReason> {
        ending::end_reason(&trace_in(&self.cell(cell)))
    }

    /// Writes `value` as the JSON file `name`, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_json(&self, name: impl AsRef<Path>, value: &impl Serialize) -> Result<(), StoreError> {
        write_json(&self.path.join(name), value)
    }

    /// Writes `text` as the file `name`, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_text(&self, name: &str, text: &str) -> Result<(), StoreError> {
        // It is shown on a terminal sooner or later.
        replace(&self.path.join(name), visible(text).as_bytes())
    }
}

/// Reads a trace from its file, or from the cell's folder.
///
/// # Errors
/// It cannot be read, or is broken.
pub fn read_trace<T: FromRecords>(path: &Path) -> Result<T, StoreError> {
    read_records(path, usize::MAX)
}

/// The same of the first lines.
fn read_records<T: FromRecords>(path: &Path, most_lines: usize) -> Result<T, StoreError> {
    let mut lines = 0;
    let path = if path.is_dir() { trace_in(path) } else { path.to_owned() };
    let mut reading = TraceReader::default();
    let mut wrong = None;
    let text = packed::open(&path).map_err(|source| StoreError::File { path: path.clone(), source })?;
    let read = files::each_line_of(text, LARGEST_TRACE, |line| {
        // A machine that died may leave anything in the last line.
        let line = str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
        wrong = reading.line(&line).err();
        lines += 1;
        wrong.is_none() && lines < most_lines
    });
    read.map_err(|source| StoreError::File { path: path.clone(), source })?;
    let trace = wrong.map_or_else(|| reading.finish(), Err);
    trace.map_err(|source| StoreError::Trace { path, source })
}

/// What the cell in `folder` was soaked as: the first line of its trace.
///
/// # Errors
/// It cannot be read, or is broken.
pub fn read_header(folder: &Path) -> Result<Header, StoreError> {
    read_records(folder, 1)
}

/// Writes what the stacks of the cell in `folder` kept.
///
/// # Errors
/// It cannot be written.
pub fn write_stacks(folder: &Path, series: &Series) -> Result<(), StoreError> {
    write_json(&folder.join(STACKS_FILE), series)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let failed = |source| StoreError::Json { path: path.to_owned(), source };
    let mut text = serde_json::to_string_pretty(value).map_err(failed)?;
    text.push('\n');
    replace(path, visible(&text).as_bytes())
}

/// What the stacks of the cell in `folder` kept; none where nobody counted, or the file cannot be read: it adds to what
/// the trace tells.
#[must_use]
pub fn read_stacks(folder: &Path) -> Option<Series> {
    read_series(&folder.join(STACKS_FILE))
}

/// The same of what they held when the service came close to its limit.
#[must_use]
pub fn read_stacks_at_limit(folder: &Path) -> Option<Series> {
    read_series(&folder.join(STACKS_AT_LIMIT_FILE))
}

fn read_series(file: &Path) -> Option<Series> {
    let bytes = files::read(file, LARGEST_STACKS).ok()?;
    serde_json::from_slice(&bytes).ok().filter(|series: &Series| series.schema == SCHEMA)
}

/// A folder below `results` for a run called `name` that began at `started`; runs that begin in the same second get
/// numbers.
fn unused(name: &str, started: &str) -> PathBuf {
    let stamp: String = started.chars().filter(|c| !matches!(c, ':' | '-')).collect();
    let path = |suffix: &str| Path::new("results").join(format!("{name}-{stamp}{suffix}"));
    let numbered = (2..).map(|number| path(&format!("-{number}")));
    std::iter::once(path("")).chain(numbered).find(|path| !path.exists()).unwrap_or_else(|| path(""))
}

/// Writes `bytes` to `path` whole: a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    files::replace(path, bytes).map_err(|source| StoreError::File { path: path.to_owned(), source })
}

/// A trace that is being written, a line for each record.
#[derive(Debug)]
pub struct TraceWriter {
    file: File,
    path: PathBuf,
    line: Vec<u8>,
    unsynced: u32,
}

impl TraceWriter {
    /// A new trace in the folder of a cell.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(cell: &Path) -> Result<Self, StoreError> {
        let path = cell.join(TRACE_FILE);
        let file = files::create_new(&path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        Ok(Self { file, path, line: Vec::new(), unsynced: 0 })
    }

    /// Appends `record`. The line is handed to the kernel at once and whole, so that killing steep loses nothing.
    ///
    /// # Errors
    /// The disk is full, or the file is not in its place any more: what goes on into it would be lost with it.
    pub fn write(&mut self, record: &Record) -> Result<(), StoreError> {
        let failed = |path: &Path, source| StoreError::File { path: path.to_owned(), source };
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)
            .map_err(|source| StoreError::Json { path: self.path.clone(), source })?;
        self.line.push(b'\n');
        if !self.line.is_ascii() {
            let shown = visible(&String::from_utf8_lossy(&self.line)).into_owned();
            self.line = shown.into_bytes();
        }
        if !self.is_in_place() {
            return Err(StoreError::Gone { path: self.path.clone() });
        }
        self.file.write_all(&self.line).map_err(|source| failed(&self.path, source))?;
        self.unsynced += 1;
        if self.unsynced >= LINES_PER_SYNC || matches!(record, Record::Header(_) | Record::End(_)) {
            self.unsynced = 0;
            self.file.sync_data().map_err(|source| failed(&self.path, source))?;
        }
        Ok(())
    }

    fn is_in_place(&self) -> bool {
        match (self.file.metadata(), fs::symlink_metadata(&self.path)) {
            (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
            (_, Err(error)) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
            // A disk that fails tells when it is written to.
            (Err(_), Ok(_)) => true,
        }
    }
}
