//! `steep report`: the report of a run, made anew from its traces.

use std::path::Path;

use anyhow::Context as _;

use super::outcomes::Outcomes;
use super::output::{layout, print, status_of};
use super::page::{courses, page};
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
        let draws = format.format == Format::Html;
        let mut outcomes = if draws { Outcomes::with_courses() } else { Outcomes::default() };
        let report = assemble(&folder, &run, &mut outcomes);
        // A file is as wide whatever window stands beside it.
        let layout = if file.is_some() { Layout::new(None, format.wide) } else { layout(format.wide) };
        let page = || page(&report, &folder, &run, &courses(&report, &folder, outcomes.into_courses()));
        print(&format.format.render(&report, layout, page)?, file)?;
        Ok(Status::Clean)
    };
    status_of(print())
}

/// Prints the schema of reports, to `file` if one is given.
#[must_use]
pub fn report_schema(file: Option<&Path>) -> Status {
    status_of(print(&schema(), file).map(|()| Status::Clean))
}

/// Keeps `report` in its folder, its page, and beside them each form that the scenario asks for. Returns the page.
pub(super) fn keep(folder: &RunFolder, run: &RunRecord, report: &Report) -> Result<String, anyhow::Error> {
    folder.write_json("report.json", report)?;
    let page = drawn(folder, run, report);
    folder.write_text(Format::Html.file_name(), &page)?;
    for format in run.scenario.report.formats.iter().copied().map(Format::from) {
        folder.write_text(format.file_name(), &format.render(report, Layout::default(), || page.clone())?)?;
    }
    Ok(page)
}

/// The page of `report`, with what is in the traces of its folder.
pub(super) fn drawn(folder: &RunFolder, run: &RunRecord, report: &Report) -> String {
    page(report, folder, run, &courses(report, folder, Vec::new()))
}

/// The report on all that `folder` holds; what came of the cells that are `known` is not found anew.
pub(super) fn assemble(folder: &RunFolder, run: &RunRecord, known: &mut Outcomes) -> Report {
    known.read_ahead(folder, run);
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
