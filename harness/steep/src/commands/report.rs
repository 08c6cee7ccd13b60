//! `steep report`: the report of a run, made anew from its traces.

use std::path::Path;

use anyhow::Context as _;

use super::outcomes::Outcomes;
use super::output::{layout, print, status_of};
use super::page::page;
use crate::cli::ReportFormat;
use crate::shell::store::{RunFolder, RunRecord, StoreError};
use steep_core::exit::Status;
use steep_core::report::{Format, Layout, Missing, Report, Results, schema};
use steep_core::scenario::Flag;

/// Prints the report of the run at `path`, to `file` if one is given. A report that was made is a success whatever it
/// says.
#[must_use]
pub fn report(path: &Path, format: ReportFormat, file: Option<&Path>) -> Status {
    let print = || -> Result<Status, anyhow::Error> {
        let (folder, run) = RunFolder::open(path).context("this is not a folder of a run")?;
        let report = assemble(&folder, &run, &mut Outcomes::default());
        // A file is as wide whatever window stands beside it.
        let layout = if file.is_some() { Layout::new(None, format.wide) } else { layout(format.wide) };
        print(&rendered(&report, &folder, &run, format.format, layout)?, file)?;
        Ok(Status::Clean)
    };
    status_of(print())
}

/// Prints the schema of reports, to `file` if one is given.
#[must_use]
pub fn report_schema(file: Option<&Path>) -> Status {
    status_of(print(&schema(), file).map(|()| Status::Clean))
}

/// `report` on the run in `folder`, in a format.
pub(super) fn rendered(
    report: &Report,
    folder: &RunFolder,
    run: &RunRecord,
    format: Format,
    layout: Layout,
) -> Result<String, anyhow::Error> {
    match format {
        Format::Html => Ok(page(report, folder, run)),
        format => Ok(format.render(report, layout)?),
    }
}

/// Keeps `report` in its folder, its page, and beside them each form that the scenario asks for.
pub(super) fn keep(folder: &RunFolder, run: &RunRecord, report: &Report) -> Result<(), anyhow::Error> {
    folder.write_json("report.json", report)?;
    folder.write_text(Format::Html.file_name(), &page(report, folder, run))?;
    for format in run.scenario.report.formats.iter().copied().map(Format::from) {
        folder.write_text(format.file_name(), &format.render(report, Layout::default())?)?;
    }
    Ok(())
}

/// The report on all that `folder` holds; what came of the cells that are `known` is not found anew.
pub(super) fn assemble(folder: &RunFolder, run: &RunRecord, known: &mut Outcomes) -> Report {
    known.add_reruns(folder, run);
    let mut outcomes = Vec::new();
    let (mut missing, mut not_asked) = (Vec::new(), Vec::new());
    for cell in &run.plan.cells {
        match known.of(folder, &cell.id) {
            Ok(Some(outcome)) => outcomes.push(outcome.clone()),
            Ok(None) if !run.is_asked(&cell.id) => not_asked.push(cell.id.clone()),
            Ok(None) => missing.push(Missing { cell: cell.id.clone(), reason: "not soaked".to_owned() }),
            // One file that cannot be read takes no other cell with it.
            Err(error) => missing.push(Missing { cell: cell.id.clone(), reason: in_full(&error) }),
        }
    }
    let mut report = Report::new(Results {
        name: run.scenario.name.clone(),
        started: run.started.clone(),
        flags: run.scenario.flags.iter().flat_map(Flag::members).collect(),
        axes: run.scenario.axes.clone(),
        fail_on: run.scenario.judge.fail_on.clone(),
        known: run.scenario.known.clone(),
        missing,
        not_asked,
        overnight: run.plan.overnight.clone(),
        outcomes,
    });
    report.source_root.clone_from(&run.scenario.report.source_root);
    report.with_commands(&run.scenario, &run.plan, &folder.path().display().to_string())
}

/// An error with its causes.
pub(super) fn in_full(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{error}{cause}")
}
