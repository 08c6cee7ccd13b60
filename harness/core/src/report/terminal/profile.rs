//! The page of `steep profile`: which lines keep what grows, allocate most, and have what is old.

use super::super::{Layout, Report};
use super::conclusion;
use super::kept::{SHOWN, cpu_note, described, lost_note, percent};
use super::notes::cell_notes;
use super::prose::wrapped;
use super::table::{Column, table};
use crate::kept::{Age, Cause, HotSpot, LongLived, Place};
use crate::outcome::Outcome;

/// The page of `steep profile`: where each cell's memory comes from, and the verdict on it.
#[must_use]
pub fn profile(report: &Report, layout: Layout) -> String {
    let mut text: String = report.cells.iter().map(|outcome| of_cell(outcome, layout)).collect();
    for missing in &report.missing {
        text.push_str(&wrapped(&format!("{}: {}", missing.cell, missing.reason), layout));
    }
    text + &conclusion(report, layout)
}

fn of_cell(outcome: &Outcome, layout: Layout) -> String {
    let mut text = String::new();
    let mut add = |table: String| {
        if !table.is_empty() {
            text.push_str(&table);
            text.push('\n');
        }
    };
    add(growing(&outcome.kept_by, layout));
    add(hot(&outcome.hot_spots, layout));
    add(old(&outcome.long_lived, layout));
    if text.is_empty() {
        text.push_str(&wrapped(&format!("{}: no stacks were sampled", outcome.cell), layout));
    }
    let of_places = cpu_note(outcome).into_iter().chain(lost_note(outcome));
    for note in cell_notes(outcome).into_iter().chain(of_places) {
        text.push_str(&wrapped(&format!("{}: {note}", outcome.cell), layout));
    }
    text
}

fn growing(causes: &[Cause], layout: Layout) -> String {
    let shown: Vec<&Cause> = causes.iter().take(SHOWN).collect();
    if shown.is_empty() {
        return String::new();
    }
    let births = |cause: &Cause| cause.age.as_ref().and_then(Age::briefly).unwrap_or_else(|| "–".to_owned());
    table(
        &[
            Column::words("what grows", shown.iter().map(|cause| described(&cause.frame))),
            Column::words("type", shown.iter().map(|cause| dashed(cause.kept_in.as_ref()))),
            Column::figures("per request", shown.iter().map(|cause| cause.per_request.compact())),
            Column::figures("share", shown.iter().map(|cause| percent(cause.share))),
            Column::figures("born", shown.iter().map(|cause| births(cause))),
        ],
        layout,
    )
}

fn hot(spots: &[HotSpot], layout: Layout) -> String {
    let shown: Vec<&HotSpot> = spots.iter().take(SHOWN).collect();
    let sizes = vec![
        Column::figures("per request", shown.iter().map(|spot| spot.bytes.to_string().replace("/request", ""))),
        Column::figures("objects", shown.iter().map(|spot| format!("{:.1}", spot.objects))),
        Column::figures("CPU", shown.iter().map(|spot| spot.cpu_share.map_or_else(|| "–".to_owned(), percent))),
    ];
    of_places("allocates most", &shown.iter().map(|spot| &spot.place).collect::<Vec<_>>(), sizes, layout)
}

fn old(places: &[LongLived], layout: Layout) -> String {
    let shown: Vec<&LongLived> = places.iter().take(SHOWN).collect();
    let sizes = vec![
        Column::figures("alive", shown.iter().map(|old| old.bytes.to_string())),
        Column::figures("objects", shown.iter().map(|old| format!("{:.0}", old.objects))),
    ];
    of_places("lives long", &shown.iter().map(|old| &old.place).collect::<Vec<_>>(), sizes, layout)
}

fn of_places(head: &str, places: &[&Place], sizes: Vec<Column>, layout: Layout) -> String {
    if places.is_empty() {
        return String::new();
    }
    let mut columns = vec![
        Column::words(head, places.iter().map(|place| described(&place.frame))),
        Column::words("type", places.iter().map(|place| dashed(place.kept_in.as_ref()))),
    ];
    columns.extend(sizes);
    columns.push(Column::figures("share", places.iter().map(|place| percent(place.share))));
    table(&columns, layout)
}

fn dashed(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "–".to_owned())
}
