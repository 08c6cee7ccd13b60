//! What a cell costs beside its growth: memory once it has settled, CPU for each request, throughput.

use serde::Serialize;

use super::fitted_samples;
use crate::stats::order::median;
use crate::trace::Trace;
use crate::units::Bytes;

/// What a cell costs over the second half of what is fitted: by then pools, caches and arenas are filled, or never will be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Anonymous memory, shared and swapped-out included: the median.
    pub settled_anon_bytes: Bytes,
    /// The same over the live bytes of the program: what the allocator takes for itself. The median; none without live bytes.
    pub resident_over_live: Option<f64>,
    /// CPU time of the service for each completed request; none where a process was replaced, whose time is lost,
    /// and where the host does not tell.
    pub cpu_us_per_request: Option<f64>,
    /// Completed requests.
    pub requests_per_s: f64,
}

/// The figures of `trace`; none for a soak of which less than two samples are fitted, or that completed nothing.
pub(super) fn figures(trace: &Trace) -> Option<Figures> {
    let fitted = fitted_samples(trace);
    let (start, end) = (fitted.first()?.t_s.as_secs_f64(), fitted.last()?.t_s.as_secs_f64());
    let settled = &fitted[fitted.partition_point(|sample| sample.t_s.as_secs_f64() < f64::midpoint(start, end))..];
    let (first, last) = (settled.first()?, settled.last()?);
    let seconds = last.t_s.as_secs_f64() - first.t_s.as_secs_f64();
    let completed = last.completed().checked_sub(first.completed()).filter(|&completed| completed > 0)? as f64;
    let is_same = settled.iter().all(|sample| sample.processes == first.processes);
    let cpu_s = last.activity.cpu_s - first.activity.cpu_s;
    let shares = settled.iter().filter_map(|sample| {
        let live = sample.live?.live_bytes.as_f64();
        // Shared memory is no allocator's.
        let allocators = sample.memory.judged().saturating_sub(sample.memory.shared());
        (live > 0.0).then(|| allocators.as_f64() / live)
    });
    let shares: Vec<f64> = shares.collect();
    let anonymous: Vec<f64> = settled.iter().map(|sample| sample.memory.judged().as_f64()).collect();
    Some(Figures {
        settled_anon_bytes: Bytes::new(median(&anonymous) as u64),
        resident_over_live: (!shares.is_empty()).then(|| median(&shares)),
        cpu_us_per_request: (is_same && cpu_s > 0.0).then_some(cpu_s / completed * 1e6),
        requests_per_s: completed / seconds,
    })
}
