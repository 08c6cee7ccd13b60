//! Two runs of a scenario, cell by cell: what got worse, what got better, what is the same, and what cannot be said.
//! Each figure is a difference with its interval, in which both soaks' own errors stand and what moves a figure from
//! run to run. docs/compare.md tells how.
//!
//! Pure.

mod appeared;
mod cell;
mod growth;
mod level;
mod pair;
mod spread;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

pub use self::appeared::{Appeared, Kind};
pub use self::cell::CellChange;
pub use self::level::FigureChange;
use self::pair::Pair;
pub use self::spread::{Spread, SpreadFrom};
use crate::conditions::{Conditions, Difference, differences};
use crate::exit::Status;
use crate::history::Night;
use crate::outcome::Outcome;
use steep_judge::ids::CellId;
use steep_judge::isolation::FlagFinding;

/// Of all comparisons in which nothing changed, no more than this share says of something that it is worse or better.
const FALSE_WORDS: f64 = 0.01;

/// One of the two runs.
#[derive(Debug)]
pub struct Side<'r> {
    /// Where its folder is.
    pub folder: String,
    /// Start of the run, RFC 3339.
    pub started: &'r str,
    /// Commit of the service; empty where nothing is known of it.
    pub commit: &'r str,
    /// Whether files differed from it.
    pub is_dirty: bool,
    /// What the run came to.
    pub status: Status,
    /// What is said of its flags.
    pub flags: &'r [FlagFinding],
    /// What came of its cells.
    pub cells: &'r [Outcome],
    /// Cells that it was to have, and of which nothing is known.
    pub missing: Vec<CellId>,
    /// Under which conditions each was soaked.
    pub conditions: BTreeMap<CellId, Conditions>,
    /// SHA-256 of the program that ran in each, where steep built it.
    pub programs: BTreeMap<CellId, String>,
}

/// What became of a figure or a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Becomes {
    /// By more than matters, and by more than chance.
    Worse,
    /// It cannot be said.
    Unknown,
    /// By more than matters, and by more than chance.
    Better,
    /// What differs does not matter.
    Same,
}

impl fmt::Display for Becomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Worse => "worse",
            Self::Unknown => "unknown",
            Self::Better => "better",
            Self::Same => "same",
        })
    }
}

/// Two runs of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the scenario.
    pub name: String,
    /// What is compared with.
    pub base: RunOf,
    /// What is compared.
    pub run: RunOf,
    /// What it comes to.
    pub status: Status,
    /// The number that `steep compare` exits with.
    pub exit_status: u8,
    /// What became of the run, all cells together.
    pub becomes: Becomes,
    /// Conditions that the runs do not share, where they were compared all the same.
    pub differences: Vec<Difference>,
    /// Whether all cells that both have ran the same program, byte by byte.
    pub same_program: bool,
    /// The cells that both have, what became worse first.
    pub cells: Vec<CellChange>,
    /// Cells that only the base has.
    pub only_in_base: Vec<CellId>,
    /// Cells that only the run has.
    pub only_in_run: Vec<CellId>,
    /// Flags, endpoints and lines of code that grow in one of the runs only.
    pub appeared: Vec<Appeared>,
    /// All of it in one sentence.
    pub sentence: String,
}

/// A run, as it stands in a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunOf {
    /// Its folder.
    pub folder: String,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// Commit of the service; empty where nothing is known of it.
    pub git_commit: String,
    /// Whether files differed from it.
    pub git_dirty: bool,
    /// What it came to by itself.
    pub status: Status,
}

impl RunOf {
    fn new(side: &Side<'_>) -> Self {
        Self {
            folder: side.folder.clone(),
            started: side.started.to_owned(),
            git_commit: side.commit.to_owned(),
            git_dirty: side.is_dirty,
            status: side.status,
        }
    }
}

/// The conditions that `base` and `run` do not share: they are not to be compared if there are any, unless the user
/// wants it.
#[must_use]
pub fn unlike(base: &Side<'_>, run: &Side<'_>) -> Vec<Difference> {
    differences(&base.conditions, &run.conditions)
}

/// `run` against `base`. What moves figures from run to run is found in the replicates of both, and in `nights`: those
/// of this scenario that were recorded under the same conditions before the run.
#[must_use]
pub fn compare(name: &str, base: &Side<'_>, run: &Side<'_>, nights: &[Night]) -> Comparison {
    let of_base = |id: &CellId| base.cells.iter().find(|outcome| outcome.cell == *id);
    let pairs: Vec<Pair<'_>> =
        run.cells.iter().filter_map(|outcome| Some(Pair { base: of_base(&outcome.cell)?, run: outcome })).collect();
    let known = spread::Known::of(base.cells, run.cells, nights);
    let claims = pairs.iter().map(Pair::claims).sum::<usize>().max(1);
    let share = FALSE_WORDS / claims as f64;
    let mut cells: Vec<CellChange> = pairs.iter().map(|pair| pair.change(&known, share)).collect();
    cells.sort_by_key(|cell| cell.becomes);
    let has = |cells: &[Outcome], id: &CellId| cells.iter().any(|outcome| outcome.cell == *id);
    let only = |own: &[Outcome], others: &[Outcome]| -> Vec<CellId> {
        own.iter().map(|outcome| outcome.cell.clone()).filter(|id| !has(others, id)).collect()
    };
    let lost: Vec<&CellId> = run.missing.iter().filter(|id| has(base.cells, id)).collect();
    let becomes = cells.iter().map(|cell| cell.becomes).min().unwrap_or(Becomes::Unknown);
    let status = match becomes {
        Becomes::Worse => Status::Finding,
        _ if cells.is_empty() || !lost.is_empty() || cells.iter().any(|cell| cell.is_not_judged) => Status::NotDone,
        Becomes::Unknown => Status::Undecided,
        Becomes::Better | Becomes::Same => Status::Clean,
    };
    let appeared = appeared::appeared(base, run, &pairs);
    let program = |side: &Side<'_>, id: &CellId| side.programs.get(id).filter(|hash| !hash.is_empty()).cloned();
    let is_same = |pair: &Pair<'_>| {
        let id = &pair.run.cell;
        program(base, id).is_some_and(|hash| Some(hash) == program(run, id))
    };
    let same_program = !pairs.is_empty() && pairs.iter().all(is_same);
    let mut comparison = Comparison {
        name: name.to_owned(),
        base: RunOf::new(base),
        run: RunOf::new(run),
        status,
        exit_status: status.code(),
        becomes,
        differences: unlike(base, run),
        same_program,
        cells,
        only_in_base: only(base.cells, run.cells),
        only_in_run: only(run.cells, base.cells),
        appeared,
        sentence: String::new(),
    };
    comparison.sentence = words::sentence(&comparison);
    comparison
}
