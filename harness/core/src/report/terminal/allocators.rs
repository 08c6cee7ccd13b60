//! The allocators side by side, for people.

use super::super::Layout;
use super::prose::wrapped;
use super::table::{Column, is_whole, table};
use crate::allocators::{Compared, Comparison, FEWEST_REPLICATES, Figure, Measure};
use steep_judge::units::counted;

/// The tables of `comparisons`, each with what stands behind it.
pub(super) fn allocators(comparisons: &[Comparison], layout: Layout) -> String {
    comparisons.iter().map(|comparison| compared(comparison, layout)).collect::<Vec<_>>().join("\n")
}

fn compared(comparison: &Comparison, layout: Layout) -> String {
    let names: Vec<&str> = comparison.allocators.iter().map(|row| row.allocator.as_str()).collect();
    if comparison.replicates < FEWEST_REPLICATES {
        let note = format!(
            "{} cannot be compared{}: {} in which each was soaked to its end, and two are the fewest that show how far chance goes; \
             raise plan.replicates",
            names.join(", "),
            under(comparison),
            counted(comparison.replicates, "replicate"),
        );
        return wrapped(&note, layout);
    }
    let all: Vec<&Compared> = comparison.allocators.iter().collect();
    // As many side by side as fit whole.
    let fits = |count: &usize| all.chunks(*count).all(|some| is_whole(&columns(some), layout));
    let count = (1..=all.len()).rev().find(fits).unwrap_or(1);
    let tables: Vec<String> = all.chunks(count).map(|some| table(&columns(some), layout)).collect();
    let note = format!(
        "Means over {} of each{}, with 95 % intervals. * better than every other by more than chance, at 5 % for the \
         whole table.",
        counted(comparison.replicates, "soak"),
        under(comparison),
    );
    tables.join("\n") + &wrapped(&note, layout)
}

/// A row for each measure that is known of all `allocators`, and a column for each of these.
fn columns(allocators: &[&Compared]) -> Vec<Column> {
    let is_known = |measure: &Measure| allocators.iter().any(|row| row.figures.contains_key(measure));
    let measures: Vec<Measure> = Measure::ALL.into_iter().filter(is_known).collect();
    let figure = |row: &Compared, measure: &Measure| {
        row.figures.get(measure).map_or_else(|| "–".to_owned(), |figure| shown(*measure, figure))
    };
    let names = Column::words("allocators", measures.iter().map(|measure| measure.name().to_owned()));
    let figures = |row: &&Compared| {
        Column::figures(&row.allocator, measures.iter().map(|measure| figure(row, measure)).collect::<Vec<_>>())
    };
    std::iter::once(names).chain(allocators.iter().map(figures)).collect()
}

/// What the cells have in common, where it is not as in production.
fn under(comparison: &Comparison) -> String {
    let flags = comparison.flags.iter().map(ToString::to_string);
    let axes = comparison.axes.iter().map(|(axis, value)| format!("{axis}={value}"));
    let said: Vec<String> = flags.chain(axes).collect();
    if said.is_empty() { String::new() } else { format!(" with {}", said.join(", ")) }
}

fn shown(measure: Measure, Figure { estimate, best }: &Figure) -> String {
    let text = measure.shown(estimate);
    if *best { format!("* {text}") } else { text }
}
