//! A series thinned to blocks of equal time, so that the cost of the fit does not depend on the number of samples.

use std::ops::Range;

use super::order::{gradient, mean, quantile_in_place};

/// The quantile that stands for a block: the lower quartile keeps out short-lived peaks, and on contended machines
/// gave fewer false leaks than the median (2 of 14 against 3, METHOD.md).
const BLOCK_QUANTILE: f64 = 0.25;

/// A block with a smaller share of the samples that it should have is dropped.
const LEAST_FILLED: f64 = 0.3;

/// A series by blocks; all vectors are of the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Blocks {
    /// Mean time of the samples of each block.
    pub at: Vec<f64>,
    /// Lower quartile of the values.
    pub level: Vec<f64>,
    /// Mean of the counter.
    pub counted: Vec<f64>,
    /// Derivative of the counter by time.
    pub rate: Vec<f64>,
    /// Width of a block, in the unit of the times.
    pub width: f64,
}

/// Cuts the series into `floor(T / width)` blocks. `ts` increasing, all slices of one length, `width` positive.
/// What remains after the last full block belongs to it. Cost: linear.
#[must_use]
pub fn blocks(ts: &[f64], ys: &[f64], counter: &[f64], width: f64) -> Blocks {
    let mut cut = Blocks { width, level: levels(ts, ys, width), ..Blocks::default() };
    for range in filled(ts, width) {
        cut.at.push(mean(&ts[range.clone()]));
        cut.counted.push(mean(&counter[range]));
    }
    cut.rate = gradient(&cut.at, &cut.counted);
    cut
}

/// The lower quartile of `ys` in each of the same blocks. Cost: linear.
#[must_use]
pub fn levels(ts: &[f64], ys: &[f64], width: f64) -> Vec<f64> {
    quantiles(ts, ys, width, BLOCK_QUANTILE)
}

/// A quantile of `ys` in each of the same blocks. Cost: linear.
#[must_use]
pub fn quantiles(ts: &[f64], ys: &[f64], width: f64, share: f64) -> Vec<f64> {
    filled(ts, width).map(|range| quantile_in_place(&mut ys[range].to_vec(), share)).collect()
}

/// The samples of each block that has enough of them.
fn filled(ts: &[f64], width: f64) -> impl Iterator<Item = Range<usize>> {
    let (first, last) = (ts.first().copied().unwrap_or_default(), ts.last().copied().unwrap_or_default());
    // The tiny excess keeps T = 60 × 30 from becoming 59 blocks by rounding.
    let count = ((last - first + 1e-9) / width).floor().max(1.0) as usize;
    // No time is before the first: the cast rounds down.
    let block_of = move |t: f64| (((t - first) / width) as usize).min(count - 1);
    let fewest = (LEAST_FILLED * (ts.len() as f64 / count as f64)).max(1.0);
    let mut start = 0;
    let ranges = std::iter::from_fn(move || {
        let block = block_of(*ts.get(start)?);
        let end = start + ts[start..].partition_point(|t| block_of(*t) <= block);
        let range = start..end;
        start = end;
        Some(range)
    });
    ranges.filter(move |range| range.len() as f64 >= fewest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_samples_make_two_blocks_and_the_rest_joins_the_last() {
        let ts: Vec<f64> = (0..11).map(f64::from).collect();
        let counter: Vec<f64> = ts.iter().map(|t| 3.0 * t).collect();
        let cut = blocks(&ts, &ts, &counter, 5.0);
        assert_eq!(cut.at, [2.0, 7.5]);
        assert_eq!(cut.level, [1.0, 6.25]);
        assert_eq!(cut.counted, [6.0, 22.5]);
        assert_eq!(cut.rate, [3.0, 3.0]);
    }

    #[test]
    fn a_block_with_hardly_any_samples_is_dropped() {
        let ts: Vec<f64> = (0..60).map(f64::from).filter(|t| !(21.0..=29.0).contains(t)).collect();
        let cut = blocks(&ts, &ts, &ts, 10.0);
        assert_eq!(cut.at.len(), 4);
        assert!(blocks(&[], &[], &[], 1.0).at.is_empty());
    }
}
