//! How much growth matters: what is worth finding, and what too little to be called a leak.

use super::series::{Readings, SHORT_RUN_SECONDS};
use crate::stats::blocks::Blocks;
use crate::stats::order::median;
use crate::units::{Bytes, BytesPerHour, BytesPerRequest, Rps};

/// Growth over a run that is always too little to be called a leak; scaled down for a shorter one than
/// [`SHORT_RUN_SECONDS`]. A leak-free jemalloc was measured to creep at 0.6 B/request for 8 minutes.
const LEAST_GROWTH: Bytes = Bytes::mib(1);

/// The same as a share of the typical memory (METHOD.md, materiality).
const LEAST_SHARE: f64 = 0.002;

/// Where nothing that an allocator holds is in the figure, growth over a run counts from this share of what is worth
/// finding, and from this many bytes: what would be noise of an allocator is then the program's own.
const EXACT_SHARE: f64 = 0.5;
/// See [`EXACT_SHARE`].
const LEAST_EXACT: Bytes = Bytes::kib(64);

/// The lower end of the interval must be above this share of what is worth finding.
pub(crate) const SHARE_OF_WORTH_FINDING: f64 = 0.25;

/// Within which seconds of a run the drift of an allocator loses its weight: it was seen for four minutes, and slows
/// down.
const DRIFT_ENDS: (f64, f64) = (250.0, SHORT_RUN_SECONDS);

/// Drift comes arena by arena and slows down: a line is none where its slowest of the last three quarters grows at this
/// share of their mean; below the lower one nothing is known.
const STRAIGHT: (f64, f64) = (0.7, 0.9);

/// Evidence that such a line must have, and how long it must have lasted, in seconds; below the lower ones nothing is
/// known.
const PLAIN_EVIDENCE: (f64, f64) = (10.0, 20.0);
/// See [`PLAIN_EVIDENCE`].
const PLAIN_SECONDS: (f64, f64) = (60.0, 120.0);

/// What the user finds worth finding, and how strong the evidence must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Materiality {
    /// Smallest growth per request that is worth finding; 4 B by default.
    pub per_request: BytesPerRequest,
    /// Smallest growth per hour that is worth finding; 1 MiB by default.
    pub per_hour: BytesPerHour,
    /// Evidence above which growth is called a leak: 3 normally, 5 for a strict gate.
    pub bar: f64,
}

impl Default for Materiality {
    fn default() -> Self {
        Self { per_request: BytesPerRequest::new(4.0), per_hour: BytesPerHour::new(Bytes::mib(1).as_f64()), bar: 3.0 }
    }
}

impl Materiality {
    /// δ: the smallest growth worth finding at this rate of requests.
    #[must_use]
    pub fn worth_finding(&self, rps: Rps) -> BytesPerHour {
        BytesPerHour::new(self.per_request.at(rps).get().max(self.per_hour.get()))
    }
}

/// Growth over the whole run, in bytes, below which nothing is called a leak: the largest of 1 MiB (scaled for a short
/// run), 0.2 % of the typical memory and what the allocator may take by itself. Of live bytes no more than half of what
/// is worth finding adds up to, but 64 KiB.
pub(super) fn least_growth(readings: &Readings, typical: f64, drift: f64, worth_finding: BytesPerHour) -> f64 {
    let scaled = LEAST_GROWTH.as_f64() * (readings.seconds() / SHORT_RUN_SECONDS).min(1.0);
    let least = scaled.max(LEAST_SHARE * typical).max(drift);
    if readings.source.holds_allocator() {
        return least;
    }
    let exact = EXACT_SHARE * worth_finding.get_per_second() * readings.seconds();
    least.min(exact.max(LEAST_EXACT.as_f64()))
}

/// What the allocator may have taken by itself, in bytes: zero where nothing that it holds is in the figure and for
/// longer runs, and the less the longer and the straighter a line is, of an evidence.
pub(super) fn allocator_drift(readings: &Readings, cut: &Blocks, evidence: f64) -> f64 {
    let Some(drift) = readings.source.drift() else { return 0.0 };
    let seconds = readings.seconds();
    let lasting = 1.0 - share_within(DRIFT_ENDS, seconds);
    let plain = share_within(PLAIN_EVIDENCE, evidence) * share_within(PLAIN_SECONDS, seconds);
    drift.as_f64() * lasting * (1.0 - plain * share_within(STRAIGHT, straightness(cut)))
}

/// Where `value` lies between two bounds, from 0 to 1.
fn share_within((low, high): (f64, f64), value: f64) -> f64 {
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}

/// The growth of the slowest of the last three quarters of a curve, as a share of their mean.
fn straightness(cut: &Blocks) -> f64 {
    const FEW: usize = 5;
    let last = cut.level.len().saturating_sub(FEW);
    let level = |quarter: usize| median(&cut.level[quarter * last / 4..quarter * last / 4 + FEW.min(cut.level.len())]);
    let grown = [1, 2, 3].map(|quarter| level(quarter + 1) - level(quarter));
    let mean = grown.iter().sum::<f64>() / 3.0;
    if mean > 0.0 { grown.into_iter().fold(f64::INFINITY, f64::min) / mean } else { 0.0 }
}

/// The smallest growth that this run would have called a leak:
/// `max((detectable + ¼ δT) / T, least growth / T)`, where `detectable` is the growth over the run whose
/// interval would exclude zero and whose evidence would exceed the bar.
pub(super) fn seen_at_least(detectable: f64, least: f64, worth_finding: BytesPerHour, seconds: f64) -> BytesPerHour {
    let beyond_worth = SHARE_OF_WORTH_FINDING * worth_finding.get();
    let by_evidence = BytesPerHour::per_second(detectable / seconds).get() + beyond_worth;
    BytesPerHour::new(by_evidence.max(BytesPerHour::per_second(least / seconds).get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_have_been_seen_includes_what_is_material() {
        let seen = |detectable: f64, least: f64, worth: f64| {
            seen_at_least(detectable, least, BytesPerHour::per_second(worth), 600.0).get_per_second()
        };
        let is = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
        // 6 MB over 600 s, and a quarter of 2 kB/s.
        is(seen(6e6, 1e6, 2000.0), 10_500.0);
        // However little noise: 12 MB over 600 s are asked for.
        is(seen(0.0, 12e6, 2000.0), 20_000.0);
        // A line that the noise would let through is not a leak before its lower end passes a quarter of what is worth
        // finding.
        is(seen(0.0, 0.0, 40_000.0), 10_000.0);
    }
}
