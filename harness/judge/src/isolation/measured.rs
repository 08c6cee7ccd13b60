//! What each cell says of growth, for a search that goes on.

use super::cell::{JudgedCell, Measured, StackLevel};
use super::phases;
use super::readings::Readings;
use super::stacks::Level;

/// What the cells among `outcomes` that were judged say of growth: as [`super::isolate`] reads them.
#[must_use]
pub fn measured(flags: &[String], outcomes: &[JudgedCell]) -> Vec<Measured> {
    let places = phases::grown_in(outcomes);
    if places.is_empty() {
        return read(flags, outcomes);
    }
    let fitted = read(flags, &phases::as_fitted(outcomes));
    let others = places.into_iter().map(|place| {
        let measured = read(flags, &phases::as_in(outcomes, &place));
        (place, measured)
    });
    phases::measured_in(outcomes, fitted, &others.collect::<Vec<_>>())
}

fn read(flags: &[String], outcomes: &[JudgedCell]) -> Vec<Measured> {
    let readings = Readings::of(flags, outcomes);
    let level = |Level { growth, error, .. }: Level, kept: f64| StackLevel { growth, error, kept };
    // A search ends on what is cleared.
    let cells = readings.outcomes.iter().zip(&readings.careful).enumerate();
    cells
        .map(|(nth, (outcome, reading))| Measured {
            cell: outcome.cell.clone(),
            growth: reading.growth,
            error: reading.error,
            stacks: readings
                .signals
                .iter()
                .map(|signal| signal.levels[nth].map(|of_cell| level(of_cell, signal.kept)))
                .collect(),
        })
        .collect()
}
