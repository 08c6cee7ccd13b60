//! A container that doubles, in an exact figure: each jump twice as high as the last, and after twice as many requests.
//!
//! The tables of a cache double too while it fills; but what fills by chance takes ever longer for the next doubling,
//! and once it is full the next one is overdue. So the ratio of the distances must be that of steady growth, and the
//! next jump not overdue (METHOD.md, live bytes).

use super::series::Readings;
use crate::stats::blocks::quantiles;
use crate::stats::jumps::{Jump, exact_jumps};
use crate::units::{Bytes, BytesPerHour};

/// Lower envelope: a low quantile of each of this many bins, at least half a second and a reading wide.
const BINS: f64 = 240.0;
/// See [`BINS`].
const NARROWEST: f64 = 0.5;
/// See [`BINS`].
const LOW: f64 = 0.1;

/// Jumps from this share of the last one on may be part of its chain; none that high comes after it.
const HIGH: f64 = 0.15;

/// More high jumps than this are noise.
const MOST: usize = 12;

/// How much higher the next jump of a chain is, and how much more requests it takes than the last.
const HIGHER: (f64, f64) = (1.6, 2.5);
/// See [`HIGHER`].
const LATER: (f64, f64) = (1.7, 2.35);

/// The next jump is overdue after this many times the requests that it should take.
const OVERDUE: f64 = 1.15;

/// What a chain keeps for each request is three quarters of its last jump over the distance to the one before.
const KEPT: f64 = 0.72;

/// Jumps smaller than this share of what is worth finding over the run are not looked for, nor below [`LEAST`].
const SMALLEST_SHARE: f64 = 0.02;
/// See [`SMALLEST_SHARE`].
const LEAST: f64 = 4096.0;

/// A chain of jumps that double, and what they are together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chain {
    pub(super) count: usize,
    pub(super) total: Bytes,
    /// When the last one was, as a share of the run.
    pub(super) last_at: f64,
}

/// The chain that goes on, if it keeps at least half of what is worth finding.
pub(super) fn chain(readings: &Readings, worth_finding: BytesPerHour) -> Option<Chain> {
    let seconds = readings.seconds();
    let worth = worth_finding.get_per_second() * seconds;
    let width = (seconds / BINS).max(NARROWEST).max(readings.interval * 1.001);
    let at = quantiles(&readings.ts, &readings.ts, width, 0.0);
    let envelope = quantiles(&readings.ts, &readings.memory, width, LOW);
    let jumps = exact_jumps(&at, &envelope, (SMALLEST_SHARE * worth).max(LEAST));
    let last_reading = readings.ts.len() - 1;
    let done = |jump: &Jump| readings.progress(readings.ts.partition_point(|t| *t < jump.at).min(last_reading));
    let within = |(low, high): (f64, f64), ratio: f64| ratio > low && ratio < high;
    // What is made once, when it is first wanted, may lie before and between.
    let chain_to = |last: usize| {
        let third = &jumps[last];
        let is_high = |jump: &&Jump| jump.size >= HIGH * third.size;
        let before: Vec<&Jump> = jumps[..last].iter().filter(is_high).collect();
        let is_last = jumps[last + 1..].iter().filter(is_high).count() == 0;
        let doubles = before.iter().enumerate().any(|(index, second)| {
            let since = done(third) - done(second);
            let goes_on = 1.0 - done(third) < OVERDUE * 2.0 * since;
            let is_material = KEPT * third.size / since > 0.5 * worth;
            let follows = |first: &&Jump| {
                within(HIGHER, second.size / first.size) && within(LATER, since / (done(second) - done(first)))
            };
            goes_on && is_material && within(HIGHER, third.size / second.size) && before[..index].iter().any(follows)
        });
        (is_last && before.len() < MOST && doubles).then(|| Chain {
            count: before.len() + 1,
            total: Bytes::new(before.iter().chain([&third]).map(|jump| jump.size).sum::<f64>() as u64),
            last_at: (third.at - readings.ts[0]) / seconds,
        })
    };
    (0..jumps.len()).rev().find_map(chain_to)
}

#[cfg(test)]
mod tests;
