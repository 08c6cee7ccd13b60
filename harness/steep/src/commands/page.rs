//! The page of a run: its report, with what its traces hold of each cell.

use super::at_once::at_once;
use crate::shell::store::{RunFolder, RunRecord};
use steep_core::report::{Course, Page, Report};

/// The page of the run in `folder`; its cells are drawn at once. A trace that cannot be read leaves its cell without
/// figures over time: what is wrong with it is in the report.
pub(super) fn page(report: &Report, folder: &RunFolder, run: &RunRecord, courses: &[Course]) -> String {
    drawn(report, folder, run, courses, false)
}

/// The same of a run that is under way.
pub(super) fn live_page(report: &Report, folder: &RunFolder, run: &RunRecord, courses: &[Course]) -> String {
    drawn(report, folder, run, courses, true)
}

fn drawn(report: &Report, folder: &RunFolder, run: &RunRecord, courses: &[Course], is_live: bool) -> String {
    let (folder, scenario_folder) = (folder.path().display().to_string(), run.scenario_folder.display().to_string());
    let page = Page { report, folder: &folder, scenario_folder: &scenario_folder, courses, is_live };
    let places: Vec<usize> = (0..report.cells.len()).collect();
    page.with_cells(&at_once(&places, |place| page.cell(*place)))
}

/// The courses of the cells of `report`, as far as they are not known.
pub(super) fn courses(report: &Report, folder: &RunFolder, known: Vec<Course>) -> Vec<Course> {
    let is_known = |cell| known.iter().any(|course| course.cell() == cell);
    let unknown: Vec<_> = report.cells.iter().map(|outcome| &outcome.cell).filter(|cell| !is_known(*cell)).collect();
    let read = at_once(&unknown, |cell| folder.trace::<Course>(cell).ok().flatten());
    known.into_iter().chain(read.into_iter().flatten()).collect()
}
