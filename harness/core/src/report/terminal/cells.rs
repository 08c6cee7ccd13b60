//! The table of cells: the verdict on each, growth, and memory.

use super::super::Layout;
use super::table::{Column, table};
use crate::outcome::Outcome;
use steep_judge::growth::Growth;

/// The table of cells.
#[must_use]
pub fn cells(outcomes: &[Outcome], layout: Layout) -> String {
    let figures = |head, of: &dyn Fn(&Outcome) -> Option<String>| {
        Column::figures(head, outcomes.iter().map(|outcome| of(outcome).unwrap_or_else(|| "–".to_owned())))
    };
    let per_request = |outcome: &Outcome| Some(outcome.growth()?.per_request?.compact());
    let per_hour = |outcome: &Outcome| Some(outcome.growth()?.per_hour.compact());
    let memory = |outcome: &Outcome| outcome.memory.map(|memory| format!("{} → {}", memory.start, memory.end));
    let peak = |outcome: &Outcome| {
        let mark = if outcome.headroom_exceeded { "!" } else { "" };
        outcome.peak_bytes.map(|peak| format!("{peak}{mark}"))
    };
    let mut columns = vec![
        Column::words("cell", outcomes.iter().map(|outcome| outcome.cell.to_string())),
        figures("verdict", &|outcome| Some(outcome.verdict().to_string())),
    ];
    // Growth per hour says all where no request is known of.
    let growths = || outcomes.iter().filter_map(Outcome::growth);
    let is_known = |growth: &Growth| growth.per_request.is_some();
    let is_by_request = growths().any(is_known);
    let is_by_hour = !is_by_request || !growths().all(is_known);
    if is_by_request || layout.is_wide() {
        columns.push(figures("growth per request", &per_request));
    }
    if is_by_hour || layout.is_wide() {
        columns.push(figures("growth per hour", &per_hour));
    }
    columns.push(figures("memory", &memory));
    if layout.is_wide() || outcomes.iter().any(|outcome| outcome.headroom_exceeded) {
        columns.push(figures("peak", &peak));
    }
    if layout.is_wide() {
        columns.push(figures("requests", &|outcome| outcome.completed.map(|completed| completed.to_string())));
    }
    table(&columns, layout)
}
