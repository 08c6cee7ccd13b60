//! The model of a report: the outcome of each cell, what is said of each flag, and the status. Every format prints this
//! and decides nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::NotRun;
use crate::alike::{Alike, explain, told_apart};
use crate::allocators::{Comparison, compare};
use crate::exit::Status;
use crate::known::{KnownGrowth, weigh};
use crate::levels::Levels;
use crate::outcome::{Outcome, judged_cells};
use crate::plan::Overnight;
use crate::scenario::{Axis, AxisKind, Date, Finding, Known};
use steep_judge::ids::CellId;
use steep_judge::isolation::{AxisFinding, FlagFinding, Isolation, ProgramFinding, StackFinding, Suspects, isolate};
use steep_judge::verdict::Verdict;

/// Version of the form of `report.json`.
const SCHEMA: u32 = 1;

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "report.json of steep")]
pub struct Report {
    /// Version of this form ([`SCHEMA`]). It is raised when a field is taken away, renamed, or changes its meaning; new
    /// fields do not raise it.
    pub schema: u32,
    /// Name of the scenario.
    pub name: String,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// The folder that the sources which are named below stand in, from the root of the repository.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_root: String,
    /// Version of steep that made this report.
    pub steep: String,
    /// What the run comes to.
    pub status: Status,
    /// The number that `steep run` exits with.
    pub exit_status: u8,
    /// How many cells have which verdict.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Cells of the plan of which nothing is known.
    pub missing: Vec<Missing>,
    /// Cells of the plan that nobody asked for: `--cell` named others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_asked: Vec<CellId>,
    /// Of a night: what it did not come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_run: Option<NotRun>,
    /// The cells, baseline first, then by id.
    pub cells: Vec<Outcome>,
    /// What each of them means for the exit status, growth that is filed taken into account.
    pub cell_statuses: BTreeMap<CellId, Status>,
    /// Cells that ran the same although they are to differ, and are not compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Alike>,
    /// The flags, in the order of the scenario.
    pub flags: Vec<FlagFinding>,
    /// Values of axes of which cells had more than one.
    pub axes: Vec<AxisFinding>,
    /// Growth that is there whatever is on; none if no cell was judged.
    pub program: Option<ProgramFinding>,
    /// Those of which one leaks, while the cells do not tell which.
    pub suspects: Option<Suspects>,
    /// Cells that grow by more than the likeliest causes explain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unexplained: Vec<CellId>,
    /// What grows stack by stack over all cells, and what makes it grow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<StackFinding>,
    /// What is said of flags and axes, in one sentence.
    pub sentence: String,
    /// What became of growth that is filed already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownGrowth>,
    /// What flags and axes cost by being on, beside growth.
    #[serde(skip_serializing_if = "Levels::is_empty")]
    pub levels: Levels,
    /// Allocators side by side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allocators: Vec<Comparison>,
}

/// A cell of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missing {
    /// Which.
    pub cell: CellId,
    /// Why.
    pub reason: String,
}

/// What a report is made of.
#[derive(Debug)]
pub struct Results {
    /// Name of the scenario.
    pub name: String,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// The flags of the scenario.
    pub flags: Vec<String>,
    /// What makes the run a finding.
    pub fail_on: Vec<Finding>,
    /// Growth that is filed already.
    pub known: Vec<Known>,
    /// The axes of the scenario.
    pub axes: Vec<Axis>,
    /// Cells of the plan of which nothing is known.
    pub missing: Vec<Missing>,
    /// Cells of the plan that nobody asked for.
    pub not_asked: Vec<CellId>,
    /// Of a night: what it chose from.
    pub overnight: Option<Overnight>,
    /// The others.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// The report on `results`.
    #[must_use]
    pub fn new(results: Results) -> Self {
        let Results { name, started, flags, fail_on, known, axes, missing, not_asked, overnight, mut outcomes } =
            results;
        outcomes.sort_by_key(|outcome| (!outcome.flags.is_empty(), outcome.flags.iter().count(), outcome.cell.clone()));
        // What ran the same is compared with what ran otherwise, and not with itself.
        let (apart, alike) = told_apart(&axes, &outcomes);
        let mut isolation = isolate(&flags, &judged_cells(&apart));
        explain(&mut isolation, &alike, &apart);
        let (known, each) = weigh(&known, Date::of(&started).as_ref(), &isolation, &outcomes, &fail_on);
        let cell_statuses = outcomes.iter().map(|outcome| outcome.cell.clone()).zip(each.iter().copied()).collect();
        let not_run = overnight.map(|night| NotRun::of(&night, &outcomes, &isolation));
        let each = each.into_iter().chain(not_run.as_ref().map(|not_run| not_run.status(&outcomes)));
        let status = Status::of(each.chain((!missing.is_empty()).then_some(Status::NotDone)));
        let mut verdicts = BTreeMap::new();
        for outcome in &outcomes {
            *verdicts.entry(outcome.verdict().name()).or_insert(0) += 1;
        }
        let levels = crate::levels::levels(&flags, &axes, &apart);
        let allocators = axes.iter().find(|axis| axis.kind == AxisKind::Allocator);
        let allocators = allocators.map(|axis| compare(axis, &apart)).unwrap_or_default();
        let Isolation { flags, axes, program, suspects, unexplained, stacks, sentence, .. } = isolation;
        Self {
            schema: SCHEMA,
            name,
            started,
            source_root: String::new(),
            steep: env!("CARGO_PKG_VERSION").to_owned(),
            status,
            exit_status: status.code(),
            verdicts,
            missing,
            not_asked,
            not_run,
            cells: outcomes,
            cell_statuses,
            alike,
            flags,
            axes,
            program,
            suspects,
            unexplained,
            stacks,
            sentence,
            known,
            levels,
            allocators,
        }
    }

    /// Whether any cell has `verdict`.
    #[must_use]
    pub fn has(&self, verdict: Verdict) -> bool {
        self.verdicts.contains_key(verdict.name())
    }
}
