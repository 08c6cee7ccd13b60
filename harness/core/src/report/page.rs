//! A report as a page: one file, without network, printable; with every sample of every cell, which a small script
//! shows.
//!
//! What is drawn is SVG that is written here. The script (`page/page.js`) adds a cursor and a zoom; without it nothing
//! is missing but these. A policy in the page itself lets it ask nothing of the network, and runs no other script and
//! no style than these two, whatever a text of others may hold. Texts are escaped by type (`maud`).

mod allocators;
mod answer;
mod cell;
mod chart;
mod columns;
mod course;
mod curve;
mod decision;
mod document;
mod embedded;
mod endpoints;
mod fit;
mod flags;
mod history;
mod icicle;
mod intervals;
mod levels;
mod live;
mod memory;
mod nights;
mod order;
mod overview;
mod prose;
mod provenance;
mod scale;
mod tabular;
mod traffic;

use maud::{Markup, PreEscaped, html};

use self::answer::Answer;
use self::cell::{Drawing, cell};
pub use self::course::Course;
use self::document::document;
pub use self::document::policy;
pub use self::history::history_page;
use self::order::worst_first;
use super::Report;
use crate::outcome::Outcome;
use steep_judge::verdict::Verdict;

/// Columns of a curve, all curves of a page together bounded: a curve is narrower where there are many.
const MOST_COLUMNS: usize = 480;
/// See [`MOST_COLUMNS`].
const LEAST_COLUMNS: usize = 100;
/// See [`MOST_COLUMNS`]: as many as 24 cells have that are drawn finely.
const COLUMNS_OF_ALL: usize = 24 * MOST_COLUMNS;

/// Rows of samples and traffic that are embedded at most, all cells together: a page of about 12 MB.
const MOST_ROWS: usize = 2_000_000;

/// Cells that are open from the start: others open by a click.
const CELLS_OPEN: usize = 2;

/// A report with what is drawn of its cells.
#[derive(Debug, Clone, Copy)]
pub struct Page<'r> {
    /// The report.
    pub report: &'r Report,
    /// The folder of the run; empty: not known.
    pub folder: &'r str,
    /// That of its scenario.
    pub scenario_folder: &'r str,
    /// Courses of its cells, in any order. What has none has no figures over time.
    pub courses: &'r [Course],
    /// Whether the run is under way, and the page shown by a steep that draws it anew.
    pub is_live: bool,
}

/// What identifies the section of a cell.
fn anchor(report: &Report, outcome: &Outcome) -> String {
    let place = report.cells.iter().position(|cell| cell.cell == outcome.cell).unwrap_or_default();
    format!("cell-{}", place + 1)
}

impl Page<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let cells: Vec<String> = (0..self.report.cells.len()).map(|place| self.cell(place)).collect();
        self.with_cells(&cells)
    }

    /// The section of the cell that stands at `place`, the worst first; several may be drawn at once.
    #[must_use]
    pub fn cell(&self, place: usize) -> String {
        let cells = worst_first(&self.report.cells);
        let Some(outcome) = cells.get(place) else { return String::new() };
        let rows: usize = self.courses.iter().map(|course| course.samples.rows() + course.traffic.rows()).sum();
        let is_worse = !matches!(outcome.verdict(), Verdict::Plateau | Verdict::Stable);
        let drawing = Drawing {
            anchor: anchor(self.report, outcome),
            columns: (COLUMNS_OF_ALL / cells.len().max(1)).clamp(LEAST_COLUMNS, MOST_COLUMNS),
            nth: rows.div_ceil(MOST_ROWS).max(1),
            is_open: place == 0 || place < CELLS_OPEN && is_worse,
        };
        let course = self.courses.iter().find(|course| course.header.cell == outcome.cell);
        cell(&drawing, outcome, course).into_string()
    }

    /// The page, with the sections of its cells as [`Page::cell`] draws them, in their order.
    #[must_use]
    pub fn with_cells(&self, cells: &[String]) -> String {
        let report = self.report;
        let body = html! {
            a.skip href="#cells" { "Skip to the cells" }
            header {
                h1 { (report.name) }
                (overview::headline(report))
            }
            @if self.is_live { (live::bar()) }
            main {
                (self.first_screen())
                (flags::flags(report))
                (levels::levels(report))
                (allocators::allocators(report))
                (overview::notes(report))
                section #cells aria-labelledby="cells-head" {
                    h2 #cells-head { "Cells" }
                    @for cell in cells { (PreEscaped(cell)) }
                }
            }
        };
        document(&format!("{} – {}", report.name, report.started), &report.steep, &body, self.is_live)
    }

    fn first_screen(&self) -> Markup {
        html! {
            section #answer aria-label="Result" {
                (Answer::of(self.report).drawn())
                (overview::cells(self.report))
                (overview::trust(self.report))
                (overview::reproduce(self))
            }
        }
    }
}

#[cfg(test)]
mod tests;
