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
mod embedded;
mod endpoints;
mod fit;
mod flags;
mod icicle;
mod intervals;
mod levels;
mod memory;
mod order;
mod overview;
mod prose;
mod provenance;
mod scale;
mod tabular;
mod traffic;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::answer::Answer;
use self::cell::{Drawing, cell};
pub use self::course::Course;
use self::order::worst_first;
use super::Report;
use crate::outcome::Outcome;
use crate::visible::visible;
use steep_judge::verdict::Verdict;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

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
        let title = format!("{} – {}", report.name, report.started);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="generator" content=(format!("steep {}", report.steep));
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#cells" { "Skip to the cells" }
                    header {
                        h1 { (report.name) }
                        (overview::headline(report))
                    }
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
                    footer { p { "Written by steep " (report.steep) ". This page asks nothing of any network." } }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        visible(&page.into_string()).into_owned()
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

/// What the page may do: show itself with its own style, and run its own script.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

#[cfg(test)]
mod tests;
