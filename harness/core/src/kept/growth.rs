//! How much of what a stack keeps grows with the requests.

use super::Series;
use steep_judge::units::{BytesPerRequest, Estimate};

/// Standard errors on either side of the interval: 95 %.
const ERRORS: f64 = 1.96;

/// Fewer snapshots than this give no standard error of a slope.
const LEAST_SNAPSHOTS: usize = 4;

/// Growth of one stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackGrowth {
    /// Its number in [`Series::stacks`].
    pub stack: usize,
    /// Bytes for each request, with a 95 % interval.
    pub per_request: Estimate<BytesPerRequest>,
    /// Bytes that it allocated for each request, kept or not.
    pub allocated_per_request: BytesPerRequest,
}

impl StackGrowth {
    /// Whether it grows for sure.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.per_request.low.get() > 0.0
    }
}

/// Growth of each stack over the snapshots; empty where there are too few, or no requests between them.
///
/// A line through what was alive, against the completed requests. Its error is that of the residuals, or that of the
/// sampling where this is larger: a growth of `g` bytes rests on `g / every` samples, whose number is Poisson's.
#[must_use]
pub fn growth(series: &Series) -> Vec<StackGrowth> {
    let requests: Vec<f64> = series.snapshots.iter().map(|moment| moment.completed as f64).collect();
    let every = series.sample_every_bytes as f64;
    let of_stack = |(stack, kept): (usize, &super::Stack)| {
        let line = line(&requests, &kept.live_bytes, every)?;
        let (slope, half) = (line.slope, line.error * ERRORS);
        let [low, value, high] = [slope - half, slope, slope + half].map(BytesPerRequest::new);
        let span = requests[requests.len() - 1] - requests[0];
        let allocated = kept.allocated_bytes.last().zip(kept.allocated_bytes.first());
        let allocated_per_request = BytesPerRequest::new(allocated.map_or(0.0, |(last, first)| (last - first) / span));
        Some(StackGrowth { stack, per_request: Estimate { low, value, high }, allocated_per_request })
    };
    series.stacks.iter().enumerate().filter_map(of_stack).collect()
}

/// A line through what was alive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Bytes for each request.
    pub(super) slope: f64,
    /// Standard error of that.
    pub(super) error: f64,
}

/// Through what was `live` after these `requests`, where one sample stands for `every` bytes; none where there are too
/// few, or no requests between them.
pub(super) fn line(requests: &[f64], live: &[f64], every: f64) -> Option<Line> {
    let count = requests.len() as f64;
    let mean = requests.iter().sum::<f64>() / count;
    let squares: f64 = requests.iter().map(|x| (x - mean).powi(2)).sum();
    if requests.len() < LEAST_SNAPSHOTS || live.len() != requests.len() || squares <= 0.0 {
        return None;
    }
    let span = requests[requests.len() - 1] - requests[0];
    let level = live.iter().sum::<f64>() / count;
    let pairs = || requests.iter().zip(live);
    let slope = pairs().map(|(x, y)| (x - mean) * (y - level)).sum::<f64>() / squares;
    let rest: f64 = pairs().map(|(x, y)| (y - level - slope * (x - mean)).powi(2)).sum();
    let of_residuals = (rest / (count - 2.0) / squares).sqrt();
    let of_sampling = (every * (slope * span).abs().max(every)).sqrt() / span;
    Some(Line { slope, error: of_residuals.max(of_sampling) })
}
