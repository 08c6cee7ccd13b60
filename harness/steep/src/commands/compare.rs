//! `steep compare`: a run against another of the same scenario, both judged anew from their traces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::outcomes::Outcomes;
use super::output::{json, layout, printed, status_of, tell};
use super::report::assemble;
use crate::cli::{CompareOptions, ResultFormat};
use crate::shell::store::{RunFolder, RunRecord, nights, read_header, runs};
use steep_core::compare::{Side, compare as compared, unlike};
use steep_core::conditions::Conditions;
use steep_core::exit::Status;
use steep_core::history::Night;
use steep_core::report::{self, Report};
use steep_judge::ids::CellId;

/// Compares two runs.
#[must_use]
pub fn compare(options: &CompareOptions) -> Status {
    status_of(carried_out(options))
}

fn carried_out(options: &CompareOptions) -> Result<Status, anyhow::Error> {
    let (base, run) = match &options.runs[..] {
        [base, run] => (base.clone(), run.clone()),
        [run] => (latest_clean(run)?, run.clone()),
        _ => bail!("two runs are compared"),
    };
    let (base, run) = (Judged::read(&base)?, Judged::read(&run)?);
    let name = &run.record.scenario.name;
    let (of_base, of_run) = (base.side(), run.side());
    let mut unlike: Vec<String> = unlike(&of_base, &of_run).iter().map(ToString::to_string).collect();
    if base.record.scenario.name != *name {
        unlike.insert(0, format!("scenario: name was {}, is {name}", base.record.scenario.name));
    }
    if !unlike.is_empty() && !options.anyway {
        let each: String = unlike.iter().map(|difference| format!("\n  {difference}")).collect();
        tell(&format!(
            "error: what differs between these runs need not be the program's doing:{each}\n\
             soak both under the same conditions, or compare them with --anyway"
        ));
        return Ok(Status::Usage);
    }
    let comparison = compared(name, &of_base, &of_run, &run.nights_before());
    let text = match options.format {
        ResultFormat::Json => json(&comparison),
        ResultFormat::Terminal => Ok(report::compared(&comparison, layout(options.wide))),
    };
    Ok(printed(text, comparison.status))
}

/// A run, judged anew.
struct Judged {
    folder: RunFolder,
    record: RunRecord,
    report: Report,
    conditions: BTreeMap<CellId, Conditions>,
    programs: BTreeMap<CellId, String>,
}

impl Judged {
    fn read(path: &Path) -> Result<Self, anyhow::Error> {
        let opened = RunFolder::open(path);
        let (folder, record) = opened.with_context(|| format!("{} is not a folder of a run", path.display()))?;
        let report = assemble(&folder, &record, &mut Outcomes::default());
        let (mut conditions, mut programs) = (BTreeMap::new(), BTreeMap::new());
        for cell in report.cells.iter().map(|outcome| &outcome.cell) {
            let header = read_header(&folder.cell(cell))?;
            conditions.insert(cell.clone(), Conditions::of(&header));
            // Of another command it is the hash of its first word, which may be a shell or an interpreter.
            if !header.provenance.rustc.is_empty() {
                programs.insert(cell.clone(), header.provenance.binary_sha256);
            }
        }
        Ok(Self { folder, record, report, conditions, programs })
    }

    fn side(&self) -> Side<'_> {
        let Self { folder, record, report, conditions, programs } = self;
        Side {
            folder: folder.path().display().to_string(),
            started: &record.started,
            commit: &record.provenance.git_commit,
            is_dirty: record.provenance.git_dirty,
            status: report.status,
            flags: &report.flags,
            cells: &report.cells,
            missing: report.missing.iter().map(|missing| missing.cell.clone()).collect(),
            conditions: conditions.clone(),
            programs: programs.clone(),
        }
    }

    /// The nights of the scenario before this run, as far as they were soaked under the same conditions; none where no
    /// history is kept.
    fn nights_before(&self) -> Vec<Night> {
        let lines = nights::lines(&nights::beside(self.folder.path())).unwrap_or_default();
        let (mut nights, _) = steep_core::history::nights(lines.iter().map(String::as_str), &self.record.scenario.name);
        let first = self.report.cells.first().and_then(|outcome| self.conditions.get(&outcome.cell));
        let conditions = first.map(Conditions::hash);
        nights.retain(|night| Some(&night.conditions) == conditions.as_ref() && night.started < self.record.started);
        nights
    }
}

/// The last run of the same scenario before `run` that was clean, among the folders beside it.
fn latest_clean(run: &Path) -> Result<PathBuf, anyhow::Error> {
    let (folder, record) =
        RunFolder::open(run).with_context(|| format!("{} is not a folder of a run", run.display()))?;
    let results = nights::beside(folder.path());
    let name = &record.scenario.name;
    let mut known = runs::runs(&results)?;
    known.retain(|other| other.name == *name && other.started < record.started);
    let clean = known.iter().rev().find(|other| other.status == Some(Status::Clean));
    let Some(clean) = clean else {
        bail!(
            "no run of {name} before this one was clean: {} in {}; name the run to compare with",
            steep_judge::units::counted(known.len(), "run"),
            results.display()
        );
    };
    Ok(clean.path.clone())
}
