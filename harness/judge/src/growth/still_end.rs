//! The end of an exact figure that stands still, held against every curve that growth worth finding could have drawn.
//!
//! Live bytes have no noise but the service's own, so that stillness is evidence. But what doubles is flat for as long
//! as it has lived. So a flat end is held against a line, against a line that begins later, and against one doubling at
//! each moment at which a container that kept this much would have doubled: within the last 54 % of the requests there
//! is one for sure, and within the last 54 to 9 % too, for what doubled later than that did so there before. Where the
//! flat curve beats each of them, no such growth was there (METHOD.md, live bytes).

use super::environment::Environment;
use super::flat_end::{FlatEnd, is_disturbed, is_steady};
use super::series::Readings;
use crate::stats::blocks::Blocks;
use crate::stats::jumps::exact_jumps;
use crate::stats::noise::Noise;
use crate::units::{Bytes, BytesPerHour};

/// Shares of the requests after which the end may begin.
const STARTS: [f64; 6] = [0.0, 0.1, 0.2, 0.3, 0.4, LATEST_START];

/// The end is at least so long that a container that doubled just before it would have doubled again, with a tenth on
/// top.
const LATEST_START: f64 = 1.0 / 2.2;

/// Doublings are asked for until this share of the requests: a later one had another before it, after [`LATEST_START`].
const LATEST_DOUBLING: f64 = 2.0 * LATEST_START;

/// A leak that begins later than this share of a run is not asked for, as in `flat_end`.
const LATEST_ONSET: f64 = 0.45;

/// What a container that doubles holds on average, as a multiple of what it takes when it doubles, after as many
/// elements as have come: 1/ln 2 on a logarithmic scale, and a little more.
const AMORTISED: f64 = 1.5;

/// Of a jump another may follow as late as three times its mean interval, in one run of twenty (rule of three).
const OF_RARE: f64 = 3.0;

/// What jumps within this share of the requests belongs to the start: what is made when it is first wanted.
const START: f64 = 0.1;

/// Of a jump that was kept this share is still there at the end.
const KEPT: f64 = 0.6;

/// Readings by which a jump may lie beside the place where it was found.
const PLACED: usize = 5;

/// Fewest blocks of an end.
const FEWEST: usize = 20;

/// The deviation of a figure that never changes: below this nothing is known, in bytes.
const FINEST: f64 = 1024.0;

/// The end that excludes most, if growth of `worth_finding` is excluded with an evidence of `bar`. None where the load
/// or a disturbance forbids to look.
pub(super) fn still_end(
    readings: &Readings,
    cut: &Blocks,
    environment: &Environment,
    worth_finding: BytesPerHour,
    bar: f64,
) -> Option<FlatEnd> {
    let worth = worth_finding.get_per_second() * readings.seconds();
    let progress = progress(readings, cut);
    let ends = STARTS.iter().filter_map(|share| {
        let start = progress.partition_point(|progress| progress < share);
        let is_seen = cut.at.len() - start >= FEWEST && is_steady(cut, start) && !is_disturbed(environment, cut, start);
        let end = is_seen.then(|| End::new(cut, &progress, start))?;
        Some((start, end.ahead(worth), end))
    });
    let (start, evidence, end) = ends.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let is_excluded = evidence >= bar && !may_be_rare(readings, worth);
    let at_most = is_excluded.then(|| BytesPerHour::per_second(end.excluded(worth, bar) / readings.seconds()));
    Some(FlatEnd { since_s: cut.at[start] - cut.at[0], evidence, at_most, step: Bytes::new(FINEST as u64) })
}

/// The share of all requests until each block, or of the time where none are known.
fn progress(readings: &Readings, cut: &Blocks) -> Vec<f64> {
    let (first, last) = (readings.requests[0], readings.requests[readings.requests.len() - 1]);
    if last > first {
        return cut.counted.iter().map(|counted| (counted - first) / (last - first)).collect();
    }
    cut.at.iter().map(|at| (at - readings.ts[0]) / readings.seconds()).collect()
}

/// Whether a jump that was kept may be one of a kind that comes too rarely to be missed since: growth of `worth` over
/// the run in such jumps, of which none came after it.
fn may_be_rare(readings: &Readings, worth: f64) -> bool {
    let Readings { ts, memory, requests, .. } = readings;
    let all = requests[requests.len() - 1] - requests[0];
    let done = |index: usize| {
        if all > 0.0 { (requests[index] - requests[0]) / all } else { (ts[index] - ts[0]) / readings.seconds() }
    };
    exact_jumps(ts, memory, (1.0 - LATEST_START) / OF_RARE * worth / 2.0).iter().any(|jump| {
        let index = ts.partition_point(|t| *t < jump.at);
        let before = memory[index.saturating_sub(PLACED)];
        let lowest = memory[(index + PLACED).min(memory.len())..].iter().copied().fold(f64::INFINITY, f64::min);
        let progress = done(index);
        progress > START && lowest > before + KEPT * jump.size && jump.size > worth * (1.0 - progress) / OF_RARE
    })
}

/// The blocks of an end, on the grounds of all noises.
struct End {
    grounds: Vec<Ground>,
    blocks: f64,
}

/// One noise: sums of squares and products of the whitened levels and curves, once the constant is taken away.
struct Ground {
    half_log_determinant: f64,
    levels: f64,
    /// For each curve: its product with the levels, and its square.
    curves: Vec<(f64, f64)>,
}

impl End {
    fn new(cut: &Blocks, progress: &[f64], start: usize) -> Self {
        let at = &progress[start..];
        let late = LATEST_ONSET.max(at[0]);
        let doublings: Vec<f64> =
            at.iter().skip(1).copied().filter(|at| (LATEST_START..=LATEST_DOUBLING).contains(at)).collect();
        let width = 4 + doublings.len();
        let rows: Vec<f64> = at
            .iter()
            .zip(&cut.level[start..])
            .flat_map(|(now, level)| {
                let lines = [1.0, *level - cut.level[start], now - at[0], (now - late).max(0.0)];
                let steps = doublings.iter().map(move |then| if now >= then { then / AMORTISED } else { 0.0 });
                lines.into_iter().chain(steps)
            })
            .collect();
        let grounds = Noise::family().map(|noise| Ground::new(noise, &rows, width)).collect();
        Self { grounds, blocks: at.len() as f64 }
    }

    /// The score of the end with `bytes` over the run along a curve, averaged over the noises.
    fn score(&self, curve: usize, bytes: f64) -> f64 {
        let score = |ground: &Ground| {
            let (with, of) = ground.curves[curve];
            let left = ground.levels - 2.0 * bytes * with + bytes.powi(2) * of;
            let variance = left.max(0.0) / self.blocks + FINEST.powi(2);
            -0.5 * self.blocks * variance.ln() - ground.half_log_determinant
        };
        let best = self.grounds.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
        best + self.grounds.iter().map(|ground| (score(ground) - best).exp()).sum::<f64>().ln()
    }

    /// How far the flat end is ahead of growth of `bytes` over the run, along the curve that suits that best.
    fn ahead(&self, bytes: f64) -> f64 {
        let curves = self.grounds.first().map_or(0, |ground| ground.curves.len());
        let flat = self.score(0, 0.0);
        (0..curves).map(|curve| flat - self.score(curve, bytes)).fold(f64::INFINITY, f64::min)
    }

    /// The least growth over the run that is excluded, if that of `worth` is: by bisection, to a hundredth of it.
    fn excluded(&self, worth: f64, evidence: f64) -> f64 {
        let (mut low, mut high) = (0.0, worth);
        while high - low > 0.01 * worth {
            let middle = f64::midpoint(low, high);
            if self.ahead(middle) < evidence { low = middle } else { high = middle }
        }
        high
    }
}

impl Ground {
    fn new(noise: Noise, rows: &[f64], width: usize) -> Self {
        let mut rows = rows.to_vec();
        let whitening = noise.whitening(rows.len() / width);
        whitening.whiten(&mut rows, width);
        let product = |a: usize, b: usize| rows.chunks_exact(width).map(|row| row[a] * row[b]).sum::<f64>();
        let ones = product(0, 0);
        let left = |a: usize, b: usize| product(a, b) - product(0, a) * product(0, b) / ones;
        Self {
            half_log_determinant: whitening.half_log_determinant,
            levels: left(1, 1),
            curves: (2..width).map(|curve| (left(1, curve), left(curve, curve))).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
