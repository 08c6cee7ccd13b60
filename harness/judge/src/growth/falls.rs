//! Memory that fell back: one tooth of a long sawtooth is a line to every model that has a step beside it.

use schemars::JsonSchema;
use serde::Serialize;

use super::environment::Environment;
use super::series::Readings;
use super::staircase::{SMALLEST, falls_with_load, near_disturbance};
use crate::stats::blocks::Blocks;
use crate::stats::jumps::{Jump, exact_jumps, upward_jumps};
use crate::stats::order::{gradient, median};
use crate::units::{Bytes, BytesPerHour};

/// Falls below this share of the growth over the run take back too little to matter.
const LARGE: f64 = 0.25;

/// The smallest fall of an exact figure, in bytes: there is no allocator that would purge a few pages.
const SMALLEST_EXACT: f64 = 16.0 * 1024.0;

/// Growth is real if at least this share of it is seen from trough to trough, and a fall gives back what was grown
/// until then if it is at least this share of that.
const REAL: f64 = 0.5;

/// Memory has passed the height that it fell from once it lies this share of the fall above it: teeth of one collector
/// differ by less.
const PASSED: f64 = 0.25;

/// Blocks whose median is the level at the end, and readings whose median is the one after a fall.
const LAST_BLOCKS: usize = 3;
/// See [`LAST_BLOCKS`].
const READINGS: usize = 5;

/// Growth that a fall took back, and that has not been made up for since.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct GivenBack {
    /// How far memory fell.
    #[serde(rename = "fallen_bytes")]
    pub fallen: Bytes,
    /// When, in seconds since the start.
    pub at_s: f64,
    /// How much longer the run would have had to go on, at the growth that was found, to pass the height before the
    /// fall.
    pub missing_s: f64,
}

/// A sharp fall that the load and disturbances do not explain.
struct Fall {
    at: f64,
    size: f64,
    before: f64,
    after: f64,
}

/// What the last large fall took back of growth by `growth`, unless troughs rise too or memory has passed that height
/// again. A sawtooth whose troughs are followed has no falls left: it is not asked about.
pub(super) fn given_back(
    readings: &Readings,
    cut: &Blocks,
    environment: &Environment,
    growth: BytesPerHour,
) -> Option<GivenBack> {
    let (start, per_second) = (readings.ts[0], growth.get_per_second());
    let falls = falls(readings, environment, LARGE * per_second * readings.seconds());
    let last = falls.last().filter(|_| per_second > 0.0)?;
    let first = &falls[0];
    let is_tooth = if falls.len() == 1 {
        last.size >= REAL * per_second * (last.at - start)
    } else {
        last.after - first.after < REAL * per_second * (last.at - first.at)
    };
    let highest = falls.iter().map(|fall| fall.before + PASSED * fall.size).fold(f64::NEG_INFINITY, f64::max);
    let missing = highest - median(&cut.level[cut.level.len().saturating_sub(LAST_BLOCKS)..]);
    (is_tooth && missing > 0.0).then(|| GivenBack {
        fallen: Bytes::new(last.size as u64),
        at_s: last.at - start,
        missing_s: missing / per_second,
    })
}

/// Falls of more than `large` bytes.
fn falls(readings: &Readings, environment: &Environment, large: f64) -> Vec<Fall> {
    let mirrored: Vec<f64> = readings.memory.iter().map(|bytes| -bytes).collect();
    let mut falls = if readings.source.holds_allocator() {
        upward_jumps(&readings.ts, &mirrored, SMALLEST.max(large))
    } else {
        exact_jumps(&readings.ts, &mirrored, SMALLEST_EXACT.max(large))
    };
    if falls.is_empty() {
        return Vec::new();
    }
    let rates = gradient(&readings.ts, &readings.requests);
    let typical = median(&rates);
    falls.retain(|fall| {
        let with_load = environment.varying && falls_with_load(readings, &rates, typical, fall.at);
        !with_load && !near_disturbance(environment, fall.at, readings.seconds())
    });
    let around = |fall: &Jump| {
        let k = readings.ts.partition_point(|t| *t < fall.at);
        let before = median(&readings.memory[k.saturating_sub(READINGS)..k]);
        let after = median(&readings.memory[k..(k + READINGS).min(readings.memory.len())]);
        Fall { at: fall.at, size: fall.size, before, after }
    };
    falls.iter().map(around).collect()
}
