//! The end of an exact figure that stands still, held against every curve that growth worth finding could have drawn.
//!
//! Live bytes have no noise but the service's own, so that stillness is evidence. But what doubles is flat for as long
//! as it has lived. So a flat end is held against a line, against a line that begins later, and against one doubling at
//! each moment at which a container that kept this much would have doubled: within the last 54 % of the requests there
//! is one for sure, and within the last 54 to 9 % too, for what doubled later than that did so there before. Where the
//! flat curve beats each of them, no such growth was there (METHOD.md, live bytes).

use super::end::End;
use super::environment::Environment;
use super::flat_end::{FlatEnd, is_disturbed, is_steady};
use super::series::Readings;
use crate::stats::blocks::Blocks;
use crate::stats::jumps::exact_jumps;
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
        let end = is_seen.then(|| end(cut, &progress, start))?;
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
    let Readings { ts, memory, .. } = readings;
    exact_jumps(ts, memory, (1.0 - LATEST_START) / OF_RARE * worth / 2.0).iter().any(|jump| {
        let index = ts.partition_point(|t| *t < jump.at);
        let before = memory[index.saturating_sub(PLACED)];
        let lowest = memory[(index + PLACED).min(memory.len())..].iter().copied().fold(f64::INFINITY, f64::min);
        let progress = readings.progress(index);
        progress > START && lowest > before + KEPT * jump.size && jump.size > worth * (1.0 - progress) / OF_RARE
    })
}

/// The blocks from `start` on, against a line, one that begins later, and all doublings; a curve rises by bytes over
/// the run.
fn end(cut: &Blocks, progress: &[f64], start: usize) -> End {
    let at = &progress[start..];
    let late = LATEST_ONSET.max(at[0]);
    let doublings: Vec<f64> =
        at.iter().skip(1).copied().filter(|at| (LATEST_START..=LATEST_DOUBLING).contains(at)).collect();
    let rows: Vec<f64> = at
        .iter()
        .zip(&cut.level[start..])
        .flat_map(|(now, level)| {
            let lines = [1.0, *level - cut.level[start], now - at[0], (now - late).max(0.0)];
            let steps = doublings.iter().map(move |then| if now >= then { then / AMORTISED } else { 0.0 });
            lines.into_iter().chain(steps)
        })
        .collect();
    End::new(&rows, 4 + doublings.len(), FINEST.powi(2))
}

#[cfg(test)]
mod tests;
