//! What a night did not come to, for people.

use super::super::{Layout, NotRun};
use super::prose::wrapped;
use steep_judge::ids::CellId;
use steep_judge::units::counted;

/// Cells that were left out are named up to this number; all are in the JSON.
const MAX_NAMED: usize = 8;

/// Nothing if all was soaked and judged.
pub(super) fn not_run(left_out: &NotRun, layout: Layout) -> String {
    let text: String = not_run_notes(left_out).iter().map(|note| wrapped(note, layout)).collect();
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// The same as sentences.
pub(in crate::report) fn not_run_notes(NotRun { until, planned_cells, left_out, not_judged }: &NotRun) -> Vec<String> {
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().take(MAX_NAMED).map(CellId::as_str).collect();
        let more = left_out.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!(
            "left out until {until}: {} of {} of the scenario's own plan, of which nothing is known: {}{more}",
            left_out.len(),
            counted(*planned_cells, "cell"),
            names.join(", ")
        ));
    }
    if !not_judged.is_empty() {
        let names: Vec<&str> = not_judged.iter().map(|open| open.name.as_str()).collect();
        notes.push(format!("not judged, and so not clean: {}", names.join(", ")));
    }
    notes
}
