//! How much of what a stack keeps grows with the requests.

use super::Series;
use steep_judge::stats::line::Line as LeastSquares;
use steep_judge::units::{BytesPerRequest, Estimate};

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
        let per_request = Estimate::normal(line.slope, line.error).map(BytesPerRequest::new);
        let span = requests[requests.len() - 1] - requests[0];
        let allocated_per_request = BytesPerRequest::new(between(&kept.allocated_bytes) / span);
        Some(StackGrowth { stack, per_request, allocated_per_request })
    };
    series.stacks.iter().enumerate().filter_map(of_stack).collect()
}

/// What came between the first snapshot and the last.
pub(super) fn between(values: &[f64]) -> f64 {
    values.last().zip(values.first()).map_or(0.0, |(last, first)| last - first)
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
    let line = LeastSquares::through(requests, live).filter(|_| requests.len() >= LEAST_SNAPSHOTS)?;
    let span = requests[requests.len() - 1] - requests[0];
    let of_sampling = (every * (line.slope * span).abs().max(every)).sqrt() / span;
    Some(Line { slope: line.slope, error: line.error().max(of_sampling) })
}
