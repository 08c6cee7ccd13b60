//! A measurement of the flat end by itself: what a curve that filled and then stood still excludes, whatever shapes
//! would still fit the whole of it.
//!
//! From some moment on the curve is held against two others: one that grows from that moment on, and one that begins to
//! grow later. Each may have the noise that suits it best, up to a random walk. What the flat one beats by the evidence
//! that a leak is asked for is excluded (METHOD.md, the flat end).

use schemars::JsonSchema;
use serde::Serialize;

use super::end::End;
use super::environment::Environment;
use super::series::Readings;
use crate::stats::blocks::Blocks;
use crate::stats::jumps::upward_jumps;
use crate::stats::order::{deviation, mean, quantile_in_place};
use crate::units::{Bytes, BytesPerHour};

use super::staircase::SMALLEST;

/// Places where the end may begin, as shares of the run: at least half of a run is needed, because what doubles is flat
/// for as long as it has lived, and then takes as much again.
const STARTS: [f64; 10] = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45];

/// A leak that begins later than this share of a run is not asked for: it was not there for long enough to be seen.
const LATEST_ONSET: f64 = 0.45;

/// After a jump a run must last this many times as long: a container that doubles with every element kept would have
/// doubled again.
const DOUBLED: f64 = 2.2;

/// Fewest blocks of an end.
const FEWEST: usize = 20;

/// Variation of the rate of requests within a flat end beyond chance, as a coefficient of variation: as in
/// `environment`.
const VARYING_LOAD: f64 = 0.05;

/// Where the start of a run ends, as a share of it: what falls there is no sign of an allocator that gives back.
const START: f64 = 0.1;

/// Share of the changes of memory that go down in a program that gives memory back.
const FALLING: f64 = 0.03;

/// Share of the blocks before the end in which memory rose, where it filled and did not leap from mark to mark.
const STEADILY: f64 = 0.85;

/// Changes from which the steps are known in which memory is taken.
const FEWEST_CHANGES: usize = 8;

/// The quantile of the changes that stands for a step.
const SMALL: f64 = 0.05;

/// Growth must be this many of those steps to show.
const STEPS: f64 = 2.0;

/// Memory comes in pages; nothing is known to less.
const PAGE: f64 = 4096.0;

/// What a curve that stands still at its end excludes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct FlatEnd {
    /// Where it begins, in seconds since the start.
    pub since_s: f64,
    /// By how much it is ahead of growth worth finding: a log-likelihood ratio.
    pub evidence: f64,
    /// Growth of this much is excluded; `None` where that worth finding is not.
    #[serde(rename = "at_most_bytes_per_hour")]
    pub at_most: Option<BytesPerHour>,
    /// The steps in which this program was seen to take memory.
    #[serde(rename = "step_bytes")]
    pub step: Bytes,
}

/// The end that excludes most, if growth of `worth_finding` is excluded with an evidence of `bar`.
pub(super) fn flat_end(
    readings: &Readings,
    cut: &Blocks,
    environment: &Environment,
    worth_finding: BytesPerHour,
    bar: f64,
) -> Option<FlatEnd> {
    let worth = worth_finding.get_per_second();
    let step = step(readings);
    let earliest = earliest_start(readings);
    let falls = falls(readings);
    let blocks = cut.at.len();
    let starts = STARTS.iter().map(|share| (share * blocks as f64).round() as usize);
    let excluded = starts.filter_map(|start| {
        let shows = STEPS * step <= worth * (cut.at[blocks - 1] - cut.at[start]);
        let is_seen = shows && cut.at[start] >= earliest && blocks - start >= FEWEST;
        let is_even = || is_steady(cut, start) && !is_disturbed(environment, cut, start);
        if !is_seen || !is_even() || !falls && is_mark(cut, start) {
            return None;
        }
        let end = end(cut, start, readings.seconds());
        let evidence = end.ahead(worth);
        let at_most = (evidence >= bar).then(|| BytesPerHour::per_second(end.excluded(worth, bar)));
        Some(FlatEnd { since_s: cut.at[start] - cut.at[0], evidence, at_most, step: Bytes::new(step as u64) })
    });
    excluded.max_by(|a, b| a.evidence.total_cmp(&b.evidence))
}

/// The steps in which memory is taken, in bytes: a low one of its changes, or the most that is known of any allocator
/// where memory hardly ever changed within a short run.
fn step(readings: &Readings) -> f64 {
    let mut changes: Vec<f64> = changes(&readings.memory).map(f64::abs).collect();
    if changes.len() >= FEWEST_CHANGES {
        return quantile_in_place(&mut changes, SMALL).max(PAGE);
    }
    let chunk = readings.source.chunk().filter(|_| readings.is_short());
    chunk.map_or(PAGE, |chunk| chunk.as_f64() / STEPS)
}

fn changes(memory: &[f64]) -> impl Iterator<Item = f64> {
    memory.windows(2).map(|pair| pair[1] - pair[0]).filter(|change| *change != 0.0)
}

/// Whether this program gives memory back at all: what never falls is a high-water mark, which hides what is below it.
fn falls(readings: &Readings) -> bool {
    let memory = &readings.memory[(START * readings.memory.len() as f64) as usize..];
    let (all, down) = (changes(memory).count(), changes(memory).filter(|change| *change < 0.0).count());
    all < FEWEST_CHANGES || down as f64 >= FALLING * all as f64
}

/// Whether the level at `start` may be a mark that a peak of live memory has left, of a program that gives nothing
/// back: it was reached by leaps and not, as a fill does, in every block.
fn is_mark(cut: &Blocks, start: usize) -> bool {
    let way = &cut.level[start / 2..=start];
    let rose = way.windows(2).filter(|pair| pair[1] > pair[0]).count();
    way.len() > 1 && (rose as f64) < STEADILY * (way.len() - 1) as f64
}

/// Before which moment no end begins: after the last jump the run must have gone on for long enough to see the next.
fn earliest_start(readings: &Readings) -> f64 {
    let (first, seconds) = (readings.ts[0], readings.seconds());
    let late = |at: f64| DOUBLED * (at - first) > seconds;
    let jumps = upward_jumps(&readings.ts, &readings.memory, SMALLEST);
    if jumps.iter().any(|jump| late(jump.at)) { f64::INFINITY } else { first }
}

pub(super) fn is_steady(cut: &Blocks, start: usize) -> bool {
    let rates = &cut.rate[start..];
    let typical = mean(rates);
    typical <= 0.0 || (deviation(rates) / typical).powi(2) <= VARYING_LOAD.powi(2) + 1.0 / (typical * cut.width)
}

pub(super) fn is_disturbed(environment: &Environment, cut: &Blocks, start: usize) -> bool {
    environment.moments.iter().any(|moment| *moment > cut.at[start] - cut.width)
}

/// The blocks from `start` on, against a line and one that begins later; a curve rises by bytes a second.
fn end(cut: &Blocks, start: usize, seconds: f64) -> End {
    let at = &cut.at[start..];
    let late = cut.at[0] + LATEST_ONSET * seconds;
    let rows: Vec<f64> = at
        .iter()
        .zip(&cut.level[start..])
        .flat_map(|(t, level)| [1.0, *level - cut.level[start], t - at[0], (t - late.max(at[0])).max(0.0)])
        .collect();
    End::new(&rows, 4, PAGE * PAGE / 12.0)
}
