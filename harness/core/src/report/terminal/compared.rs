//! Two runs side by side, for people.

use super::super::Layout;
use super::prose::wrapped;
use super::table::{Column, table};
use crate::compare::{Appeared, Becomes, CellChange, Comparison, FigureChange, RunOf, SpreadFrom};
use crate::history::Figure;
use steep_judge::units::Estimate;

/// What became of each cell, what is new, and the run in one sentence.
#[must_use]
pub fn compared(comparison: &Comparison, layout: Layout) -> String {
    let Comparison { base, run, cells, .. } = comparison;
    let mut text = wrapped(&format!("{}: {}\nagainst {}", comparison.name, described(run), described(base)), layout);
    if !cells.is_empty() {
        text.push('\n');
        text.push_str(&of_cells(cells, layout));
    }
    let changed = cells.iter().filter(|cell| cell.becomes != Becomes::Same);
    let sentences: String =
        changed.map(|cell| wrapped(&format!("{} {}: {}", cell.becomes, cell.cell, cell.sentence), layout)).collect();
    for part in [sentences, appeared(&comparison.appeared, layout), notes(comparison, layout)] {
        if !part.is_empty() {
            text.push('\n');
            text.push_str(&part);
        }
    }
    text + "\n" + &wrapped(&comparison.sentence, layout)
}

fn described(run: &RunOf) -> String {
    let dirty = if run.git_dirty { " with changes" } else { "" };
    let commit: String = run.git_commit.chars().take(12).collect();
    let commit = if commit.is_empty() { String::new() } else { format!(", commit {commit}{dirty}") };
    format!("{} of {}{commit}", run.folder, run.started)
}

/// Growth and settled memory; with `--wide` all figures.
fn of_cells(cells: &[CellChange], layout: Layout) -> String {
    let of = |head: &str, is_of: fn(Figure) -> bool| {
        let text = |cell: &CellChange| {
            cell.figures.iter().find(|change| is_of(change.figure)).map_or_else(|| "–".to_owned(), difference)
        };
        let known = cells.iter().any(|cell| cell.figures.iter().any(|change| is_of(change.figure)));
        known.then(|| Column::figures(head, cells.iter().map(text).collect::<Vec<_>>()))
    };
    let verdict = |cell: &CellChange| {
        if cell.base == cell.run { cell.run.to_string() } else { format!("{} → {}", cell.base, cell.run) }
    };
    let mut columns = vec![
        Column::words("cell", cells.iter().map(|cell| cell.cell.to_string())),
        Column::figures("is", cells.iter().map(|cell| cell.becomes.to_string())),
        Column::figures("verdict", cells.iter().map(verdict)),
    ];
    columns.extend(of("growth", Figure::is_growth));
    columns.extend(of("settled memory", |figure| figure == Figure::SettledAnonBytes));
    if layout.is_wide() {
        columns.extend(of("peak", |figure| figure == Figure::PeakBytes));
        columns.extend(of("p99", |figure| figure == Figure::P99Us));
        columns.extend(of("CPU per request", |figure| figure == Figure::CpuUsPerRequest));
    }
    table(&columns, layout)
}

/// `+412 (398 to 426) B`, marked where it is more than chance.
fn difference(change: &FigureChange) -> String {
    let mark = match change.becomes {
        Becomes::Worse => "! ",
        Becomes::Better => "* ",
        Becomes::Unknown | Becomes::Same => "",
    };
    let Some(difference) = change.difference else { return "–".to_owned() };
    let sign = if difference.value >= 0.0 { "+" } else { "" };
    let shown = match change.figure {
        figure if figure.is_growth() => compact(&difference, figure),
        figure => figure.shown(&difference),
    };
    format!("{mark}{sign}{shown}")
}

fn compact(difference: &Estimate<f64>, figure: Figure) -> String {
    let unit = if figure == Figure::GrowthBytesPerHour { "/h" } else { "/req" };
    difference.compact_bytes() + unit
}

fn appeared(all: &[Appeared], layout: Layout) -> String {
    let line = |one: &Appeared| {
        let cells: Vec<String> = one.cells.iter().map(ToString::to_string).collect();
        let cells = if cells.is_empty() { String::new() } else { format!(" (in {})", cells.join(", ")) };
        let head = match one.is_new {
            Some(true) => "new",
            Some(false) => "gone",
            None => "grows, and whether it did before is not known",
        };
        wrapped(&format!("{head}: {one}{cells}"), layout)
    };
    all.iter().map(line).collect()
}

fn notes(comparison: &Comparison, layout: Layout) -> String {
    let mut notes: Vec<String> = Vec::new();
    if !comparison.differences.is_empty() {
        let each: Vec<String> = comparison.differences.iter().map(ToString::to_string).collect();
        notes.push(format!("compared with --anyway although these differ: {}", each.join("; ")));
    }
    if comparison.same_program {
        notes.push("both ran the same program, byte by byte: what differs is not its doing".to_owned());
    }
    for (cells, which) in [(&comparison.only_in_base, "base"), (&comparison.only_in_run, "run")] {
        if !cells.is_empty() {
            let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
            notes.push(format!("only in the {which}: {}", cells.join(", ")));
        }
    }
    let figures = comparison.cells.iter().flat_map(|cell| &cell.figures);
    let mut from: Vec<SpreadFrom> = Vec::new();
    for spread in figures.filter_map(|change| change.run_to_run) {
        if !from.contains(&spread.from) {
            from.push(spread.from);
        }
    }
    if !from.is_empty() {
        let words: Vec<&str> = from.iter().map(|from| from.in_words()).collect();
        notes.push(format!(
            "differences with 95 % intervals; ! worse, * better by more than matters and more than chance. How far figures move \
             from run to run: by {}",
            words.join(", and by ")
        ));
    }
    notes.iter().map(|note| wrapped(note, layout)).collect()
}
