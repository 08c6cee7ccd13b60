//! The nights of a scenario as a page: what changed first, then each cell with its figures and a line a night.

use maud::{Markup, html};

use super::document::document;
use super::nights::figures;
use super::order::class;
use super::prose::prose;
use super::tabular::{Head, table, text};
use crate::history::{Course, CourseNight, Figure, History};
use crate::report::terminal::night_status;
use steep_judge::ids::CellId;
use steep_judge::units::counted;

/// Cells that are open from the start: others open by a click.
const CELLS_OPEN: usize = 2;

/// The page of `history`, or of one of its cells.
#[must_use]
pub fn history_page(history: &History, cell: Option<&CellId>) -> String {
    let shown: Vec<&Course> =
        history.cells.iter().filter(|course| cell.is_none_or(|cell| course.cell == *cell)).collect();
    let body = html! {
        a.skip href="#cells" { "Skip to the cells" }
        header {
            h1 { (history.name) }
            p.run { (counted(history.nights, "night")) ", " (counted(history.cells.len(), "cell")) }
        }
        main {
            section #answer aria-label="Result" {
                (answer(history, &shown))
                (overview(&shown))
            }
            section #cells aria-labelledby="cells-head" {
                h2 #cells-head { "Cells" }
                @for (place, course) in shown.iter().enumerate() { (section(place, course)) }
            }
        }
    };
    document(&format!("{} – nights", history.name), env!("CARGO_PKG_VERSION"), &body, false)
}

/// What changed, the latest change first.
fn answer(history: &History, shown: &[&Course]) -> Markup {
    let mut changes: Vec<_> =
        shown.iter().flat_map(|course| course.changes.iter().map(|change| (&course.cell, change))).collect();
    changes.sort_by(|(_, one), (_, other)| other.night.cmp(&one.night));
    let class = if changes.is_empty() { "clean" } else { "open" };
    html! {
        p.sentence.(class) {
            @match changes.first() {
                None => { strong { "No lasting change" } " between these nights." }
                Some((cell, change)) => {
                    strong { "It changed" } " in " code { (cell) } ": " (prose(&change.sentence)) "."
                }
            }
        }
        @if changes.len() > 1 {
            h2 { "Before that" }
            ul.notes { @for (cell, change) in &changes[1..] { li { code { (cell) } ": " (prose(&change.sentence)) } } }
        }
        @if history.broken_lines > 0 {
            p.note { (counted(history.broken_lines, "line")) " of the file cannot be read, and are left out." }
        }
    }
}

/// The last night of each cell.
fn overview(shown: &[&Course]) -> Markup {
    let heads = [
        Head::Words("cell"),
        Head::Words("last verdict"),
        Head::figures("growth"),
        Head::figures("settled memory"),
        Head::figures("p99"),
        Head::Words("14 nights"),
        Head::Words("last change"),
    ];
    let row = |(place, course): (usize, &&Course)| {
        let last = course.nights.last()?;
        let change = course.changes.iter().max_by(|one, other| one.night.cmp(&other.night));
        let mut cells = vec![html! { a href=(format!("#{}", anchor(place))) { (course.cell) } }];
        cells.extend(night_cells(course, last));
        cells.push(text(change.map_or("–", |change| change.night.get(..10).unwrap_or(&change.night))));
        Some(cells)
    };
    let rows: Vec<Vec<Markup>> = shown.iter().enumerate().filter_map(row).collect();
    table("Cells, those that changed last first", &heads, &rows)
}

fn anchor(place: usize) -> String {
    format!("cell-{}", place + 1)
}

/// Verdict, growth, settled memory, p99, sparkline.
fn night_cells(course: &Course, night: &CourseNight) -> [Markup; 5] {
    let figure =
        |figure: Figure, value: Option<f64>| text(value.map_or_else(|| "–".to_owned(), |value| figure.plain(value)));
    [
        html! { span class=(class(night.verdict)) { (night.verdict) } },
        text(night.growth.map_or_else(|| "–".to_owned(), |growth| course.growth.shown(&growth))),
        figure(Figure::SettledAnonBytes, night.settled_bytes),
        figure(Figure::P99Us, night.p99_us),
        html! { span.spark { (night.sparkline) } },
    ]
}

fn section(place: usize, course: &Course) -> Markup {
    let id = anchor(place);
    html! {
        details.cell id=(id) open[place < CELLS_OPEN] {
            summary {
                h3 { (course.cell) }
                @if let Some(last) = course.nights.last() { span class=(class(last.verdict)) { (last.verdict) } }
            }
            (figures(&id, course))
            @if !course.changes.is_empty() {
                section.part {
                    h4 { "Changes" }
                    ul.notes { @for change in &course.changes { li { (prose(&change.sentence)) } } }
                }
            }
            (nights(course))
        }
    }
}

/// A line a night, the latest first.
fn nights(course: &Course) -> Markup {
    let heads = [
        Head::Words("night (UTC)"),
        Head::Words("verdict"),
        Head::figures("growth"),
        Head::figures("settled memory"),
        Head::figures("p99"),
        Head::Words("14 nights"),
        Head::Words("commit"),
        Head::Words("the run was"),
    ];
    let row = |night: &CourseNight| {
        let mark = if night.other_conditions { " ≠" } else { "" };
        let started = night.started.get(..16).unwrap_or(&night.started).replace('T', " ");
        let mut cells = vec![text(format!("{started}{mark}"))];
        cells.extend(night_cells(course, night));
        cells.push(if night.commit.is_empty() {
            text("–")
        } else {
            html! { code { (night.commit) } }
        });
        cells.push(html! { span title=(night.run) { (night_status(night.status)) } });
        cells
    };
    let rows: Vec<Vec<Markup>> = course.nights.iter().rev().map(row).collect();
    html! {
        (table("Nights, the latest first", &heads, &rows))
        @if course.nights.iter().any(|night| night.other_conditions) {
            p.note { "≠ the machine, the toolchain or the schedule is not that of the night before." }
        }
    }
}
