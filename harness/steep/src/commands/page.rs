//! The page of a run: its report, with what its traces hold of each cell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::shell::store::{RunFolder, RunRecord};
use steep_core::outcome::Outcome;
use steep_core::report::{Course, Page, Report};

/// Traces that are read at once: each is held in columns, and a page is made while somebody waits.
const READERS: usize = 4;

/// The page of the run in `folder`. A trace that cannot be read leaves its cell without figures over time: what is
/// wrong with it is in the report.
pub(super) fn page(report: &Report, folder: &RunFolder, run: &RunRecord) -> String {
    let courses = courses(&report.cells, folder);
    let (folder, scenario_folder) = (folder.path().display().to_string(), run.scenario_folder.display().to_string());
    Page { report, folder: &folder, scenario_folder: &scenario_folder, courses: &courses }.html()
}

/// The courses of `cells`, read by as many threads as there are CPUs.
fn courses(cells: &[Outcome], folder: &RunFolder) -> Vec<Course> {
    let (next, read) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS);
    let reader = || {
        while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let course = folder.trace::<Course>(&cell.cell).ok().flatten();
            if let (Some(course), Ok(mut read)) = (course, read.lock()) {
                read.push(course);
            }
        }
    };
    thread::scope(|scope| {
        // Whoever cannot be started is not missed: this thread reads as well.
        let started: Vec<_> =
            (1..readers).filter_map(|_| thread::Builder::new().spawn_scoped(scope, reader).ok()).collect();
        reader();
        drop(started);
    });
    read.into_inner().unwrap_or_default()
}
