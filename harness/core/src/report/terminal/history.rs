//! The nights of a scenario, for people.

use super::super::Layout;
use super::prose::wrapped;
use super::table::{Column, table};
use crate::exit::Status;
use crate::history::{Course, CourseNight, Figure, History};
use steep_judge::ids::CellId;
use steep_judge::units::counted;

/// Nights that the table shows; with `--wide` all.
const NIGHTS: usize = 30;

/// A line for each night of `cell`, or of the first cell; and all changes.
#[must_use]
pub fn history(history: &History, cell: Option<&CellId>, layout: Layout) -> String {
    let shown = match cell {
        Some(cell) => history.cells.iter().find(|course| course.cell == *cell),
        None => history.cells.first(),
    };
    let Some(shown) = shown else { return wrapped("no night has such a cell", layout) };
    let mut text =
        wrapped(&format!("{}, cell {}: {}", history.name, shown.cell, counted(shown.nights.len(), "night")), layout);
    text.push('\n');
    text.push_str(&nights(shown, layout));
    text.push('\n');
    let changes: String = history.cells.iter().map(|course| changes(course, layout)).collect();
    if changes.is_empty() {
        text.push_str(&wrapped("no lasting change between these nights", layout));
    }
    text.push_str(&changes);
    let others: Vec<String> =
        history.cells.iter().filter(|other| other.cell != shown.cell).map(|other| other.cell.to_string()).collect();
    if !others.is_empty() {
        text.push_str(&wrapped(&format!("other cells, for --cell: {}", others.join(", ")), layout));
    }
    if history.broken_lines > 0 {
        let lines = counted(history.broken_lines, "line");
        text.push_str(&wrapped(&format!("{lines} of the file cannot be read, and are left out"), layout));
    }
    text
}

fn nights(course: &Course, layout: Layout) -> String {
    let first = if layout.is_wide() { 0 } else { course.nights.len().saturating_sub(NIGHTS) };
    let nights = &course.nights[first..];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let figures = |head, of: &dyn Fn(&CourseNight) -> Option<String>| {
        Column::figures(head, nights.iter().map(|night| or_dash(of(night))).collect::<Vec<_>>())
    };
    let started = |night: &CourseNight| {
        let mark = if night.other_conditions { " ≠" } else { "" };
        format!("{}{mark}", night.started.get(..16).unwrap_or(&night.started).replace('T', " "))
    };
    let growth = |night: &CourseNight| night.growth.map(|growth| growth.compact_bytes());
    let unit = if course.growth == Figure::GrowthBytesPerHour { "growth per hour" } else { "growth per request" };
    let mut columns = vec![
        figures("night (UTC)", &|night| Some(started(night))),
        figures("verdict", &|night| Some(night.verdict.to_string())),
        figures(unit, &growth),
        figures("settled", &|night| night.settled_bytes.map(|bytes| Figure::SettledAnonBytes.plain(bytes))),
        figures("p99", &|night| night.p99_us.map(|micros| Figure::P99Us.plain(micros))),
        figures("commit", &|night| Some(night.commit.clone()).filter(|commit| !commit.is_empty())),
    ];
    if layout.is_wide() {
        columns.push(figures("run is", &|night| Some(night_status(night.status).to_owned())));
    }
    columns.push(figures("14 nights", &|night| Some(night.sparkline.clone())));
    let mut text = table(&columns, layout);
    if nights.iter().any(|night| night.other_conditions) {
        let note = "≠ the machine, the toolchain or the schedule is not that of the night before";
        text.push_str(&wrapped(note, layout));
    }
    if first > 0 {
        text.push_str(&wrapped(&format!("{} before, with --wide", counted(first, "night")), layout));
    }
    text
}

fn changes(course: &Course, layout: Layout) -> String {
    course.changes.iter().map(|change| wrapped(&format!("{}: {}", course.cell, change.sentence), layout)).collect()
}

/// What a run came to.
pub(in crate::report) const fn night_status(status: Status) -> &'static str {
    match status {
        Status::Finding => "a finding",
        Status::NotDone => "not done",
        Status::Undecided => "undecided",
        Status::Clean => "clean",
        Status::Usage => "wrong",
    }
}
