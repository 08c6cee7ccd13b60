//! What a cell costs beside its growth: memory after the warm-up and once it has settled, CPU for each request,
//! throughput.

use schemars::JsonSchema;
use serde::Serialize;

use super::stretches::fitted_samples;
use crate::scenario::Role;
use crate::trace::{Sample, Trace};
use steep_judge::stats::order::{deviation, median};
use steep_judge::units::Bytes;

/// CPU time is counted in ticks of 10 ms (`USER_HZ`), and the difference of two counts is off by this much: a tick over
/// the root of six.
const CPU_ERROR_S: f64 = 0.01 / 2.449_489_742_783_178;
/// The level after the warm-up is that of this share of what is fitted; without a warm-up such a share is left out
/// before.
const START: f64 = 0.1;

/// What a cell costs over the second half of what is fitted: by then pools, caches and arenas are filled, or never will
/// be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Figures {
    /// Anonymous memory, shared and swapped-out included: the median.
    pub settled_anon_bytes: Bytes,
    /// How far it moved within that half: the standard deviation of the samples.
    pub settled_anon_deviation_bytes: Bytes,
    /// The same after the warm-up; none in a soak too short to have both.
    pub start: Option<Start>,
    /// The same over the live bytes of the program: what the allocator takes for itself. The median; none without live
    /// bytes.
    pub resident_over_live: Option<f64>,
    /// CPU time of the service for each completed request; none where a process was replaced, whose time is lost,
    /// where the host does not tell, and where no request is known of.
    pub cpu_us_per_request: Option<f64>,
    /// What of that is lost between two ticks of the clock that counts it.
    pub cpu_error_us_per_request: Option<f64>,
    /// Completed requests; none where none is known of.
    pub requests_per_s: Option<f64>,
}

/// Memory after the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Start {
    /// Anonymous memory, shared and swapped-out included: the median.
    pub anon_bytes: Bytes,
    /// How far it moved meanwhile: the standard deviation of the samples.
    pub anon_deviation_bytes: Bytes,
    /// The middle of these samples, from the first that is fitted.
    pub after_s: f64,
}

/// Memory as it was read at the beginning and at the end of what is fitted, or of all where nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryEnds {
    /// The first reading.
    pub start: Bytes,
    /// The last.
    pub end: Bytes,
}

/// None without a sample.
pub(super) fn memory_ends(trace: &Trace) -> Option<MemoryEnds> {
    let samples = match fitted_samples(trace) {
        [] => &trace.samples[..],
        fitted => fitted,
    };
    let (first, last) = (samples.first()?, samples.last()?);
    Some(MemoryEnds { start: first.memory.judged(), end: last.memory.judged() })
}

/// The figures of `trace`; none for a soak of which less than two samples are fitted.
pub(super) fn figures(trace: &Trace) -> Option<Figures> {
    let fitted = fitted_samples(trace);
    let (start, end) = (fitted.first()?.t_s.as_secs_f64(), fitted.last()?.t_s.as_secs_f64());
    let settled = since(fitted, f64::midpoint(start, end));
    let (first, last) = (settled.first()?, settled.last()?);
    let seconds = last.t_s.as_secs_f64() - first.t_s.as_secs_f64();
    if seconds <= 0.0 {
        return None;
    }
    let completed = last.completed().checked_sub(first.completed()).filter(|&completed| completed > 0);
    let is_same = settled.iter().all(|sample| sample.processes == first.processes);
    let cpu_s = last.activity.cpu_s - first.activity.cpu_s;
    let shares = settled.iter().filter_map(|sample| {
        let live = sample.counted()?.1.live_bytes.as_f64();
        // Shared memory is not an allocator's.
        let allocators = sample.memory.judged().saturating_sub(sample.memory.shared());
        (live > 0.0).then(|| allocators.as_f64() / live)
    });
    let shares: Vec<f64> = shares.collect();
    let (settled_anon_bytes, settled_anon_deviation_bytes) = level(settled);
    Some(Figures {
        settled_anon_bytes,
        settled_anon_deviation_bytes,
        start: started(trace, fitted),
        resident_over_live: (!shares.is_empty()).then(|| median(&shares)),
        cpu_us_per_request: completed
            .filter(|_| is_same && cpu_s > 0.0)
            .map(|completed| cpu_s / completed as f64 * 1e6),
        cpu_error_us_per_request: completed.map(|completed| CPU_ERROR_S / completed as f64 * 1e6),
        requests_per_s: completed.map(|completed| completed as f64 / seconds),
    })
}

fn since(samples: &[Sample], moment: f64) -> &[Sample] {
    &samples[samples.partition_point(|sample| sample.t_s.as_secs_f64() < moment)..]
}

/// Memory over the tenth of what is fitted that follows the warm-up, or the first tenth; none where that reaches into
/// the second half.
fn started(trace: &Trace, fitted: &[Sample]) -> Option<Start> {
    let (start, end) = (fitted.first()?.t_s.as_secs_f64(), fitted.last()?.t_s.as_secs_f64());
    let share = START * (end - start);
    let warm_ups = trace.header.phases.iter().filter(|phase| phase.role == Role::Warmup);
    let warm = warm_ups.map(|phase| phase.end_s.as_secs_f64()).filter(|at| (start..end).contains(at)).reduce(f64::max);
    let from = warm.unwrap_or(start + share);
    let samples = since(fitted, from);
    let samples = &samples[..samples.partition_point(|sample| sample.t_s.as_secs_f64() <= from + share)];
    if samples.len() < 2 || from + share > f64::midpoint(start, end) {
        return None;
    }
    let (anon_bytes, anon_deviation_bytes) = level(samples);
    Some(Start { anon_bytes, anon_deviation_bytes, after_s: from + share / 2.0 - start })
}

/// The median of memory, and its standard deviation.
fn level(samples: &[Sample]) -> (Bytes, Bytes) {
    let memory: Vec<f64> = samples.iter().map(|sample| sample.memory.judged().as_f64()).collect();
    (Bytes::new(median(&memory) as u64), Bytes::new(deviation(&memory).ceil() as u64))
}
