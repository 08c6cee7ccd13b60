//! Whether live bytes that a preloaded library counts may decide.
//!
//! They tell what went through the allocator of the C library. A program that maps memory for itself, as the heaps of
//! V8 and the JVM do, may leak there while its live bytes are flat: then anonymous memory grows outside of the arenas
//! by more than live bytes do, and the cell is judged as one without them.

use std::borrow::Cow;

use super::stretches::fitted_samples;
use crate::scenario::LiveFrom;
use crate::trace::{Sample, Trace};
use steep_judge::units::Bytes;

/// Looks at the heap without which nothing is known of what lies outside.
const LEAST_LOOKS: usize = 4;

/// Growth outside of the arenas that is never held against live bytes: 32 pages, some stacks and tables.
const LEAST_GROWTH: Bytes = Bytes::kib(128);

/// Of the growth that counts, what may lie outside unexplained.
const SHARE: f64 = 0.5;

/// Standard errors of the slope that are added to it.
const ERRORS: f64 = 2.0;

/// `trace`, without its live bytes where they may not decide, and why they may not.
pub(super) fn believed(trace: &Trace) -> (Cow<'_, Trace>, Option<String>) {
    if trace.header.live_from != Some(LiveFrom::Preload) {
        return (Cow::Borrowed(trace), None);
    }
    let Some(why) = why_not(trace) else { return (Cow::Borrowed(trace), None) };
    let mut trace = trace.clone();
    trace.samples.iter_mut().for_each(|sample| sample.live = None);
    (Cow::Owned(trace), Some(why))
}

fn why_not(trace: &Trace) -> Option<String> {
    let samples = fitted_samples(trace);
    if samples.iter().all(|sample| sample.live.is_none()) {
        return Some("the preloaded library counted nothing: a process of the service runs without it".to_owned());
    }
    let points: Vec<(f64, f64)> = samples.iter().filter_map(unexplained).collect();
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return None };
    if points.len() < LEAST_LOOKS {
        return Some("too few looks at where anonymous memory lies; a soak of a minute has enough".to_owned());
    }
    let seconds = last.t_s.as_secs_f64() - first.t_s.as_secs_f64();
    let requests = last.completed().saturating_sub(first.completed()) as f64;
    let at_most = |points: &[(f64, f64)]| {
        let (slope, error) = slope(points);
        (slope + ERRORS * error) * seconds
    };
    // Where nothing grows outside there is nothing to explain, however much live bytes move with what is in flight.
    let outside: Vec<(f64, f64)> = samples.iter().filter_map(outside).collect();
    let growth = at_most(&points).min(at_most(&outside));
    let counts = trace.header.judge.min_growth_bytes_per_request.get() * requests;
    (growth > (counts * SHARE).max(LEAST_GROWTH.as_f64())).then(|| {
        format!(
            "anonymous memory outside of the allocator grew by up to {} more than live bytes: they do not decide",
            Bytes::new(growth as u64)
        )
    })
}

/// Seconds, and what lies outside of the arenas.
fn outside(sample: &Sample) -> Option<(f64, f64)> {
    sample.live?;
    Some((sample.t_s.as_secs_f64(), sample.heap.as_ref()?.outside_bytes.as_f64()))
}

/// The same less what is alive.
fn unexplained(sample: &Sample) -> Option<(f64, f64)> {
    let outside = sample.heap.as_ref()?.outside_bytes.as_f64();
    Some((sample.t_s.as_secs_f64(), outside - sample.live?.live_bytes.as_f64()))
}

/// The slope of a line through `points`, by least squares, and its standard error.
fn slope(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (at, level) = (mean(|point| point.0), mean(|point| point.1));
    let squares: f64 = points.iter().map(|(t, _)| (t - at).powi(2)).sum();
    let slope = points.iter().map(|(t, y)| (t - at) * (y - level)).sum::<f64>() / squares;
    let rest: f64 = points.iter().map(|(t, y)| (y - level - slope * (t - at)).powi(2)).sum();
    (slope, (rest / (count - 2.0) / squares).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};
    use crate::trace::{Heap, Live};
    use steep_judge::growth::MemorySource;

    /// A soak of which `outside` tells what lies outside of the arenas at each second.
    fn trace(leak: f64, outside: impl Fn(f64) -> f64) -> Trace {
        let scenario = decoded(&sound("4m", ""));
        let service = SimService { probe: true, leak_per_request: leak, ..SimService::default() };
        let mut trace = soak(&scenario, &service, &[]).expect("a trace");
        trace.header.live_from = Some(LiveFrom::Preload);
        for (index, sample) in trace.samples.iter_mut().enumerate() {
            let outside_bytes = Bytes::new(outside(sample.t_s.as_secs_f64()) as u64);
            sample.heap = (index % 10 == 0)
                .then(|| Box::new(Heap { arenas_bytes: Bytes::mib(20), outside_bytes, ..Heap::default() }));
        }
        trace
    }

    fn source(trace: &Trace) -> (Option<MemorySource>, Option<String>) {
        let outcome = Outcome::of(trace);
        (outcome.growth().map(|growth| growth.source), outcome.live_not_believed)
    }

    #[test]
    fn live_bytes_decide_where_nothing_grows_beside_them() {
        assert_eq!(source(&trace(700.0, |_| 9e6)), (Some(MemorySource::Live), None));
        // Large blocks lie outside of the arenas, and are alive.
        assert_eq!(source(&trace(700.0, |seconds| 9e6 + 700.0 * 20.0 * seconds)).0, Some(MemorySource::Live));
    }

    #[test]
    fn growth_that_they_do_not_explain_is_judged_without_them() {
        let (source, why) = source(&trace(0.0, |seconds| 9e6 + 50_000.0 * seconds));
        assert_eq!(source, Some(MemorySource::Anonymous));
        assert!(why.is_some_and(|why| why.contains("outside of the allocator grew by up to")));
    }

    #[test]
    fn what_is_in_flight_at_a_look_is_no_reason_not_to_believe_them_where_nothing_grows_outside() {
        let mut busy = trace(0.0, |_| 9e6);
        for sample in busy.samples.iter_mut().filter(|sample| sample.heap.is_some()).skip(5).step_by(7) {
            sample.live = sample.live.map(|live| Live { live_bytes: live.live_bytes + Bytes::mib(3), ..live });
        }
        assert_eq!(source(&busy).1, None);
    }

    #[test]
    fn without_looks_or_counts_they_are_not_believed() {
        let mut blind = trace(0.0, |_| 9e6);
        blind.samples.iter_mut().for_each(|sample| sample.heap = None);
        assert!(source(&blind).1.is_some_and(|why| why.starts_with("too few looks")));
        blind.samples.iter_mut().for_each(|sample| sample.live = None);
        assert!(source(&blind).1.is_some_and(|why| why.contains("counted nothing")));
        // The probe is a part of the service, which knows its allocator.
        blind.header.live_from = Some(LiveFrom::Probe);
        assert_eq!(source(&blind).1, None);
    }
}
