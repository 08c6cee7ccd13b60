//! Growth in lasting jumps: containers that double, batches that are kept.

use serde::Serialize;

use super::environment::Environment;
use super::materiality::SHORT_RUN_SECONDS;
use super::series::Readings;
use crate::stats::blocks::Blocks;
use crate::stats::jumps::{Jump, upward_jumps};
use crate::stats::order::{gradient, median};
use crate::units::{Bytes, BytesPerHour};

/// The smallest jump that counts, in bytes (METHOD.md, jumps).
const SMALLEST: f64 = 512.0 * 1024.0;

/// Jumps in the first part of the run belong to its start.
const START: f64 = 0.1;

/// A jump from this long before until this long after a disturbance belongs to it, in seconds; at most the given
/// shares of a short run.
const BEFORE_DISTURBANCE: f64 = 10.0;
/// See [`BEFORE_DISTURBANCE`].
const AFTER_DISTURBANCE: f64 = 30.0;

/// More jumps than this are noise, or a line.
const MOST: usize = 12;

/// Lasting jumps of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Jumps {
    /// Upward jumps that neither belong to the start nor to a disturbance.
    pub count: usize,
    /// Their sum.
    #[serde(rename = "total_bytes")]
    pub total: Bytes,
    /// Where the last one was, as a share of the run.
    pub last_at: f64,
    /// Whether they make up most of the growth, and went on into the second half.
    pub dominant: bool,
    /// Whether each was about twice as large, and came about twice as late, as one before: a container that doubles.
    pub doubling: bool,
    /// Whether there are at least three, spread over the run.
    pub spread: bool,
}

impl Jumps {
    /// The jumps of a run. `drift`: what the allocator may have taken by itself, in bytes.
    pub(super) fn of(
        readings: &Readings,
        cut: &Blocks,
        environment: &Environment,
        worth_finding: BytesPerHour,
        drift: f64,
    ) -> Self {
        let seconds = readings.seconds();
        let at = |jump: &Jump| (jump.at - readings.ts[0]) / seconds;
        let mut ups = upward_jumps(&readings.ts, &readings.memory, SMALLEST);
        let rates = gradient(&readings.ts, &readings.requests);
        let typical_rate = median(&rates);
        ups.retain(|jump| {
            at(jump) > START
                && !(environment.varying && at_rate_peak(readings, &rates, typical_rate, jump.at))
                && !near_disturbance(environment, jump.at, seconds)
        });
        let Some(last) = ups.last() else { return Self::default() };
        let mirrored: Vec<f64> = readings.memory.iter().map(|bytes| -bytes).collect();
        let down: f64 = upward_jumps(&readings.ts, &mirrored, SMALLEST).iter().map(|jump| jump.size).sum();
        let up: f64 = ups.iter().map(|jump| jump.size).sum();
        let growth = growth_by_ends(&cut.level);
        let centroid = ups.iter().map(|jump| at(jump) * jump.size).sum::<f64>() / up;
        let dominant = ups.len() >= 2
            && growth > 0.0
            && up > 0.6 * growth
            && down < 0.3 * up
            && up / seconds > 0.25 * worth_finding.get_per_second()
            && up >= drift
            && at(last) > 0.5;
        let in_range = |ratio: f64| ratio > 1.5 && ratio < 3.0;
        let doubles = |pair: &[Jump]| in_range(pair[1].size / pair[0].size) && in_range(at(&pair[1]) / at(&pair[0]));
        Self {
            count: ups.len(),
            total: Bytes::new(up.max(0.0) as u64),
            last_at: at(last),
            dominant,
            doubling: dominant
                && ups.len() <= MOST
                && last.size > 0.01 * median(&cut.level)
                && ups.windows(2).any(doubles),
            spread: dominant && (3..=MOST).contains(&ups.len()) && at(last) > 0.6 && centroid > 0.38,
        }
    }
}

/// Growth from the first twelfth of the blocks to the last, by their medians.
fn growth_by_ends(levels: &[f64]) -> f64 {
    let twelfth = (levels.len() / 12).max(2).min(levels.len());
    median(&levels[levels.len() - twelfth..]) - median(&levels[..twelfth])
}

/// Whether the rate of requests rose above the usual around `at`.
fn at_rate_peak(readings: &Readings, rates: &[f64], typical: f64, at: f64) -> bool {
    let k = readings.ts.partition_point(|t| *t < at);
    let around = &rates[k.saturating_sub(15)..(k + 5).min(rates.len())];
    around.iter().any(|rate| *rate > 1.25 * typical + 4.0 * typical.max(1.0).sqrt())
}

fn near_disturbance(environment: &Environment, at: f64, seconds: f64) -> bool {
    let shrink = (seconds / SHORT_RUN_SECONDS).min(1.0);
    environment
        .moments
        .iter()
        .any(|moment| at - moment >= -BEFORE_DISTURBANCE * shrink && at - moment < AFTER_DISTURBANCE * shrink)
}
