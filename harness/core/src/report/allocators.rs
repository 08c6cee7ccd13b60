//! The allocators side by side, for people.

use super::table::{columns, wrapped};
use crate::allocators::{Compared, Comparison, FEWEST_REPLICATES, Figure, Measure};
use steep_judge::units::counted;

/// Indent of what continues a line.
const INDENT: usize = 2;

/// The tables of `comparisons`, each with what stands behind it.
pub(super) fn allocators(comparisons: &[Comparison]) -> String {
    comparisons.iter().map(|comparison| table(comparison) + "\n").collect()
}

fn table(comparison: &Comparison) -> String {
    let names: Vec<&str> = comparison.allocators.iter().map(|row| row.allocator.as_str()).collect();
    if comparison.replicates < FEWEST_REPLICATES {
        let note = format!(
            "{} cannot be compared{}: {} in which each was soaked to its end, and two are the fewest that show how far chance goes; \
             raise plan.replicates",
            names.join(", "),
            under(comparison),
            counted(comparison.replicates, "replicate"),
        );
        return wrapped(&note, INDENT);
    }
    let all: Vec<&Compared> = comparison.allocators.iter().collect();
    // As many side by side as fit whole.
    let beside = |count: usize| all.chunks(count).map(side_by_side).collect::<Vec<_>>().join("\n");
    let tables = (1..=all.len()).rev().map(beside).find(|tables| !tables.contains('…'));
    let note = format!(
        "Means over {} of each{}, with 95 % intervals. * better than every other by more than chance, at 5 % for the \
         whole table.",
        counted(comparison.replicates, "soak"),
        under(comparison),
    );
    tables.unwrap_or_else(|| beside(1)) + &wrapped(&note, INDENT)
}

fn side_by_side(allocators: &[&Compared]) -> String {
    let names = allocators.iter().map(|row| row.allocator.clone());
    let mut rows = vec![std::iter::once("allocators".to_owned()).chain(names).collect::<Vec<_>>()];
    for measure in Measure::ALL {
        let figures: Vec<String> = allocators
            .iter()
            .filter_map(|row| row.figures.get(&measure))
            .map(|figure| shown(measure, figure))
            .collect();
        if !figures.is_empty() {
            rows.push(std::iter::once(measure.name().to_owned()).chain(figures).collect());
        }
    }
    columns(&rows)
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
