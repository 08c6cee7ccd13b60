//! All that is known of one cell: figures over time that share an axis, growth by stack and by request, where it comes
//! from, and how it was decided.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::columns::Table;
use super::course::{Course, Mark};
use super::embedded::{Described, Embedded};
use super::endpoints::endpoints;
use super::icicle::stacks;
use super::order::class;
use super::prose::prose;
use super::tabular::{Head, folded, table, text};
use super::{decision, memory, provenance, traffic};
use crate::outcome::Outcome;
use crate::report::terminal::cell_notes;

/// Rows of the table of events.
const EVENTS_LISTED: usize = 200;

/// How a cell is drawn.
pub(super) struct Drawing {
    /// Its place on the page: what identifies its parts.
    pub(super) anchor: String,
    /// Columns of each curve at most.
    pub(super) columns: usize,
    /// Each which row is embedded.
    pub(super) nth: usize,
    /// Whether it is seen at once.
    pub(super) is_open: bool,
}

/// The section of a cell.
pub(super) fn cell(drawing: &Drawing, outcome: &Outcome, course: Option<&Course>) -> Markup {
    let id = drawing.anchor.as_str();
    // The reason stands above them.
    let reason = &outcome.judgement.reason;
    let notes: Vec<String> = cell_notes(outcome).into_iter().filter(|note| !note.contains(reason)).collect();
    html! {
        details.cell id=(id) open[drawing.is_open] {
            summary {
                h3 { (outcome.cell) }
                span class=(class(outcome.verdict())) { (outcome.verdict()) }
                @if let Some(growth) = outcome.growth() {
                    span.figure {
                        @match growth.per_request {
                            Some(each) => { (each.compact()) " per request" },
                            None => { (growth.per_hour.compact()) " per hour" },
                        }
                    }
                }
            }
            p.reason { (outcome.verdict().meaning()) "; " (prose(reason)) }
            @if let Some(course) = course { (over_time(drawing, outcome, course)) }
            @else { p.note { "Its trace was not read: nothing is drawn over time." } }
            @if let Some(layers) = &outcome.layers { (memory::growth_of_layers(layers)) }
            (stacks(id, outcome))
            (endpoints(id, outcome))
            @if !notes.is_empty() {
                section.part { h4 { "Notes" } ul.notes { @for note in &notes { li { (prose(note)) } } } }
            }
            (decision::decision(outcome))
            @if let Some(course) = course { (provenance::provenance(&course.header)) }
        }
    }
}

fn over_time(drawing: &Drawing, outcome: &Outcome, course: &Course) -> Markup {
    let (id, columns) = (drawing.anchor.as_str(), drawing.columns);
    html! {
        section.part.timeline data-timeline=(id) {
            h4 { "Over time" }
            @if let Some(figure) = memory::judged(id, course, outcome, columns) {
                (figure)
                @if let Some(figure) = memory::layers(id, course, outcome, columns) { (figure) }
            } @else { p.note { "No sample of its memory was taken." } }
            (traffic::traffic(id, course, columns))
            (memory::moments(course))
            (traffic::tables(course, outcome))
            (events(course))
            (series(drawing, course))
        }
        @if let Some(figure) = memory::until_the_limit(id, course, outcome) { section.part { (figure) } }
    }
}

/// What the script reads before it inflates anything.
#[derive(Serialize)]
struct Columns<'t> {
    samples: &'t Described,
    traffic: &'t Described,
}

/// Every row for the script. Where a run is too long for a page each `nth` only, which is said.
fn series(drawing: &Drawing, course: &Course) -> Markup {
    let thinned = |table: &Table| (drawing.nth > 1).then(|| table.thinned(drawing.nth));
    let (samples, traffic) = (thinned(&course.samples), thinned(&course.traffic));
    let tables = [samples.as_ref().unwrap_or(&course.samples), traffic.as_ref().unwrap_or(&course.traffic)];
    let Embedded { described, text } = Embedded::of(&tables);
    let [samples, traffic] = described.as_slice() else { return html! {} };
    let head = Columns { samples, traffic };
    // No word in it is of others, and none can end the element.
    let head = serde_json::to_string(&head).unwrap_or_default().replace('<', "\\u003c");
    html! {
        @if drawing.nth > 1 {
            p.note {
                "A page would be too large with every sample: zoomed in, it shows each " (drawing.nth)
                "th. The trace has them all."
            }
        }
        script type="application/json" data-head=(drawing.anchor) { (PreEscaped(head)) }
        script type="application/octet-stream" data-series=(drawing.anchor) {
            (PreEscaped(text))
        }
    }
}

fn events(course: &Course) -> Markup {
    if course.marks.is_empty() {
        return html! {};
    }
    let row = |mark: &Mark| {
        let lasted = mark.to.since(mark.from);
        let lasted = if lasted.is_zero() { "–".to_owned() } else { format!("{:.1} s", lasted.as_secs_f64()) };
        let sign = html! {
            svg.sign viewBox="-6 -10 12 12" width="12" height="12" aria-hidden="true" {
                path.(mark.kind.class()) d=(mark.kind.sign()) {}
            }
            " " (mark.what)
        };
        vec![text(mark.from.to_string()), sign, text(lasted)]
    };
    let rows: Vec<Vec<Markup>> = course.marks.iter().take(EVENTS_LISTED).map(row).collect();
    let more = course.marks.len().saturating_sub(EVENTS_LISTED) + course.unmarked;
    let heads = [Head::figures("after"), Head::Words("what happened"), Head::figures("lasted")];
    let listed = html! {
        (table("What happened", &heads, &rows))
        @if more > 0 { p.note { (more) " more are in the trace." } }
    };
    folded("Events as a table", &listed)
}
