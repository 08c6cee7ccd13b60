//! The table of loads: how each was delivered, how it was answered, and what steep itself held.

use super::super::Layout;
use super::table::{Column, table};
use crate::outcome::Outcome;
use crate::trace::{Counts, Percentiles};
use steep_judge::units::Bytes;

/// The table of loads: due = sent + missed + dropped. What is zero everywhere has no column unless all are wanted.
pub(super) fn loads(outcomes: &[Outcome], layout: Layout) -> String {
    let counts = |head, of: fn(&Counts) -> u64| {
        // What another program sent is not known.
        let text = |outcome: &Outcome| match outcome.external {
            None => of(&outcome.requests).to_string(),
            Some(_) => "–".to_owned(),
        };
        Column::figures(head, outcomes.iter().map(text))
    };
    let is_seen = |of: fn(&Counts) -> u64| outcomes.iter().any(|outcome| of(&outcome.requests) > 0);
    let latencies = |head, of: fn(&Percentiles) -> u64| {
        Column::words(head, outcomes.iter().map(|outcome| slowest(outcome, of).unwrap_or_else(|| "–".to_owned())))
    };
    let mut columns = vec![
        Column::words("load", outcomes.iter().map(|outcome| outcome.cell.to_string())),
        counts("due", |requests| requests.due),
        counts("sent", |requests| requests.sent),
    ];
    if layout.is_wide() || is_seen(|requests| requests.missed) {
        columns.push(counts("missed", |requests| requests.missed));
    }
    if layout.is_wide() || is_seen(|requests| requests.dropped) {
        columns.push(counts("dropped", |requests| requests.dropped));
    }
    columns.push(counts("failed", Counts::failed));
    // What the client left on purpose, in reports that have such.
    if is_seen(|requests| requests.aborted) {
        columns.push(counts("aborted", |requests| requests.aborted));
    }
    if layout.is_wide() {
        columns.push(latencies("p50", |times| times.p50_us));
    }
    columns.push(latencies("p99", |times| times.p99_us));
    if layout.is_wide() {
        columns.push(Column::figures("late p99", outcomes.iter().map(late)));
        columns.push(Column::figures("steep's own memory", outcomes.iter().map(own_memory)));
    }
    table(&columns, layout)
}

/// The slowest name's, which is said where there are several.
fn slowest(outcome: &Outcome, percentile: fn(&Percentiles) -> u64) -> Option<String> {
    let times = outcome.latency.iter().map(|(name, times)| (name, percentile(times)));
    let (name, micros) = times.max_by_key(|(_, micros)| *micros)?;
    let of = if outcome.latency.len() > 1 { format!(" {name}") } else { String::new() };
    Some(milliseconds(micros) + &of)
}

fn late(outcome: &Outcome) -> String {
    if outcome.lateness.count > 0 { milliseconds(outcome.lateness.p99_us) } else { "–".to_owned() }
}

fn own_memory(outcome: &Outcome) -> String {
    let sign = if outcome.steep_growth_bytes < 0 { '-' } else { '+' };
    let grown = Bytes::new(outcome.steep_growth_bytes.unsigned_abs());
    format!("{} ({sign}{grown})", outcome.steep.anon_bytes)
}

fn milliseconds(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}
