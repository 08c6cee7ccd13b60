//! Whether live bytes that a preloaded library counts may decide.
//!
//! They tell what went through the allocator of the C library. A program that maps memory for itself, as the heaps of
//! V8 and the JVM do, may leak there while its live bytes are flat: then anonymous memory grows outside of the arenas
//! by more than live bytes do, and the cell is judged as one without them. So is one whose requests allocate nothing as
//! far as the library sees: its allocator is another.
//!
//! Large blocks lie outside of the arenas as well, and glibc knows them. What is resident of one is never more than
//! live bytes count of it, from its first moment on: so a vector that moves out of an arena, and whose unused half is
//! written by and by, is no growth beside them. But a block that is there from the beginning and fills up may be a heap
//! that the program has made of it: that growth is none of live bytes.

use std::borrow::Cow;

use super::stretches::fitted_samples;
use crate::scenario::LiveFrom;
use crate::trace::{LargeBlock, Live, Sample, Trace};
use steep_judge::stats::line::Line;
use steep_judge::units::Bytes;

/// Looks at the heap without which nothing is known of what lies outside.
const LEAST_LOOKS: usize = 4;

/// Growth outside of the arenas that is never held against live bytes: 32 pages, some stacks and tables.
const LEAST_GROWTH: Bytes = Bytes::kib(128);

/// Of the growth that counts, what may lie outside unexplained.
const SHARE: f64 = 0.5;

/// Standard errors of the slope that are added to it.
const ERRORS: f64 = 2.0;

/// Requests for each allocation that is seen, above which the library sees another allocator than the one in use:
/// nginx, which allocates little, has four allocations for each request.
const REQUESTS_PER_ALLOCATION: u64 = 10;

/// Requests from which on nobody answers without an allocation.
const LEAST_REQUESTS: u64 = 100;

/// A trace with the live bytes that may decide.
pub(super) struct Believed<'t> {
    /// Without live bytes where they may not.
    pub(super) trace: Cow<'t, Trace>,
    /// Who counted them; none: nobody did.
    pub(super) from: Option<LiveFrom>,
    /// Why nobody did, where the scenario leaves it to the program.
    pub(super) not_counted: Option<String>,
    /// Why they may not decide, where somebody counted.
    pub(super) why_not: Option<String>,
}

pub(super) fn believed(trace: &Trace) -> Believed<'_> {
    let header = &trace.header;
    let is_counted = trace.samples.iter().any(|sample| sample.live.is_some());
    // Older traces know the probe only.
    let from = header.live_from.or(header.probe.then_some(LiveFrom::Probe)).filter(|_| is_counted);
    let not_counted = trace.start.as_ref().and_then(|start| start.live_refused.clone());
    let is_preloaded = header.live_from == Some(LiveFrom::Preload) && not_counted.is_none();
    let not_believed = if is_preloaded { why_not(trace) } else { None };
    let mut trace = Cow::Borrowed(trace);
    if is_counted && (not_counted.is_some() || not_believed.is_some()) {
        let trace = trace.to_mut();
        trace.samples.iter_mut().for_each(|sample| sample.live = None);
        trace.live_counts.clear();
    }
    Believed { trace, from: from.filter(|_| not_counted.is_none()), not_counted, why_not: not_believed }
}

fn why_not(trace: &Trace) -> Option<String> {
    let samples = fitted_samples(trace);
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return None };
    if samples.iter().all(|sample| sample.live.is_none()) {
        let why = "the preloaded library counted nothing: a process of the service runs without it, or cannot make a \
                   file of 9 MB (a full disk, ulimit -f)";
        return Some(why.to_owned());
    }
    let requests = last.completed().saturating_sub(first.completed());
    if let Some(allocated) = allocated(samples)
        && requests >= LEAST_REQUESTS
        && allocated < requests / REQUESTS_PER_ALLOCATION
    {
        return Some(format!(
            "the preloaded library saw {allocated} allocations while {requests} requests were answered: the program \
             has an allocator of its own; steep-probe counts it"
        ));
    }
    let points: Vec<(f64, f64)> = samples.iter().filter_map(unexplained).collect();
    if points.len() < LEAST_LOOKS {
        return Some("too few looks at where anonymous memory lies; a soak of a minute has enough".to_owned());
    }
    let seconds = last.t_s.as_secs_f64() - first.t_s.as_secs_f64();
    let at_most = |points: &[(f64, f64)]| {
        let (at, bytes): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        // Looks of one moment, which cannot be, would say nothing: as growth without a bound.
        Line::through(&at, &bytes).map_or(f64::INFINITY, |line| (line.slope + ERRORS * line.error()) * seconds)
    };
    // Where nothing grows outside there is nothing to explain, however much live bytes move with what is in flight.
    let filled = filled(samples);
    let outside: Vec<(f64, f64)> = samples.iter().filter_map(|sample| outside(sample, filled.is_some())).collect();
    let growth = at_most(&points).min(at_most(&outside) + filled.unwrap_or(0.0));
    let counts = trace.header.judge.min_growth_bytes_per_request.get() * requests as f64;
    (growth > (counts * SHARE).max(LEAST_GROWTH.as_f64())).then(|| {
        let heaps = trace.start.iter().flat_map(|start| &start.own_heaps);
        let advice: String = heaps.map(|heap| format!("; {}", heap.advice())).collect();
        format!(
            "anonymous memory outside of the allocator grew by up to {} more than live bytes: they do not decide{advice}",
            Bytes::new(growth as u64)
        )
    })
}

/// Allocations between the first and the last of `samples`; none where they were not counted. A worker that ends takes
/// its count with it.
fn allocated(samples: &[Sample]) -> Option<u64> {
    let counts =
        samples.iter().filter_map(|sample| sample.live.as_ref().and_then(|live: &Live| live.allocated_objects));
    let counts: Vec<u64> = counts.collect();
    let grown = counts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).sum();
    (counts.len() > 1).then_some(grown)
}

/// Seconds, and what lies outside of the arenas, and of large blocks if these `are_known`.
fn outside(sample: &Sample, are_known: bool) -> Option<(f64, f64)> {
    sample.live?;
    let blocks = sample.heap.as_ref()?.large_blocks.iter().flatten().filter(|_| are_known);
    let large: f64 = blocks.map(|block| block.resident_bytes.as_f64()).sum();
    Some((sample.t_s.as_secs_f64(), sample.heap.as_ref()?.outside_bytes.as_f64() - large))
}

/// What came to be resident of large blocks that were there all the time, none of which was grown; none where they are
/// not known at each look.
fn filled(samples: &[Sample]) -> Option<f64> {
    let looks = samples.iter().filter(|sample| sample.live.is_some() && sample.heap.is_some());
    let blocks: Option<Vec<&Vec<LargeBlock>>> = looks.map(|look| look.heap.as_ref()?.large_blocks.as_ref()).collect();
    let blocks = blocks?;
    let (first, last) = (blocks.first()?, blocks.last()?);
    let before = |block: &LargeBlock| first.iter().find(|other| other.is(block));
    let more = |block: &LargeBlock| Some(block.resident_bytes.as_f64() - before(block)?.resident_bytes.as_f64());
    Some(last.iter().filter_map(more).map(|more| more.max(0.0)).sum())
}

/// What lies outside of the arenas, less what is alive.
fn unexplained(sample: &Sample) -> Option<(f64, f64)> {
    let outside = sample.heap.as_ref()?.outside_bytes.as_f64();
    Some((sample.t_s.as_secs_f64(), outside - sample.live?.live_bytes.as_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};
    use crate::trace::{Heap, LoadStart, OwnHeap};
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

    /// The same trace, in which each sample says how often was allocated since the first.
    fn with_allocations(mut trace: Trace, per_second: u64) -> Trace {
        for (second, sample) in (0..).zip(&mut trace.samples) {
            let live = sample.live.as_mut().expect("live bytes");
            live.allocated_objects = Some(10_000 + second * per_second);
        }
        trace
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

    /// The same trace with one large block, of these bytes at each second, resident as far as that.
    fn with_block(mut trace: Trace, bytes: impl Fn(f64) -> u64, resident: impl Fn(f64) -> f64) -> Trace {
        for sample in &mut trace.samples {
            let Some(heap) = &mut sample.heap else { continue };
            let t_s = sample.t_s.as_secs_f64();
            let (bytes, resident_bytes) = (Bytes::new(bytes(t_s)), Bytes::new(resident(t_s) as u64));
            heap.large_blocks = Some(vec![LargeBlock { pid: 7, address: 16, bytes, resident_bytes }]);
        }
        trace
    }

    #[test]
    fn a_vector_that_is_a_mapping_of_its_own_and_doubles_is_no_growth_beside_live_bytes() {
        let written = |seconds: f64| 1.6e6 + 8_000.0 * seconds;
        let doubled = |seconds: f64| (written(seconds) as u64).next_power_of_two();
        let mut grows = trace(0.0, |seconds| 9e6 + written(seconds));
        for sample in &mut grows.samples {
            let more = Bytes::new(doubled(sample.t_s.as_secs_f64()));
            sample.live = sample.live.map(|live| Live { live_bytes: live.live_bytes + more, ..live });
        }
        assert!(source(&grows).1.is_some(), "as nobody knows what lies there");
        assert_eq!(source(&with_block(grows, doubled, written)).1, None);
    }

    #[test]
    fn a_large_block_that_fills_up_may_be_a_heap_of_the_program_and_is_guarded() {
        let written = |seconds: f64| 300_000.0 + 40_000.0 * seconds;
        let reserved = with_block(trace(0.0, |seconds| 9e6 + written(seconds)), |_| 1 << 30, written);
        let (judged_by, why) = source(&reserved);
        assert_eq!(judged_by, Some(MemorySource::Anonymous));
        assert!(why.is_some_and(|why| why.contains("outside of the allocator grew by up to")));
        // Known from some moment on, what it holds seems to go away then.
        let mut late = with_block(trace(0.0, |seconds| 9e6 + 50_000.0 * seconds), |_| 1 << 30, |_| 50e6);
        let early = late.samples.iter_mut().take(100).filter_map(|sample| sample.heap.as_mut());
        early.for_each(|heap| heap.large_blocks = None);
        assert_eq!(source(&late).0, Some(MemorySource::Anonymous));
        // What is mapped beside it is seen all the same.
        let beside = with_block(trace(0.0, |seconds| 9e6 + 50_000.0 * seconds), |_| 1 << 20, |_| 1e6);
        assert_eq!(source(&beside).0, Some(MemorySource::Anonymous));
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
    fn a_count_of_allocations_that_stands_still_while_requests_run_is_not_believed() {
        let (judged_by, why) = source(&with_allocations(trace(0.0, |_| 9e6), 0));
        assert_eq!(judged_by, Some(MemorySource::Anonymous));
        assert!(why.is_some_and(|why| why.contains("saw 0 allocations while") && why.contains("steep-probe")));
        assert_eq!(source(&with_allocations(trace(0.0, |_| 9e6), 60)).1, None);
        // Workers take their counts with them.
        let mut restarted = with_allocations(trace(0.0, |_| 9e6), 60);
        for sample in &mut restarted.samples[200..] {
            sample.live.as_mut().expect("live bytes").allocated_objects = Some(7);
        }
        assert_eq!(source(&restarted).1, None);
    }

    #[test]
    fn a_program_that_nothing_was_loaded_into_is_judged_without_and_says_why() {
        let mut refused = trace(0.0, |_| 9e6);
        let why = "shop is linked statically".to_owned();
        refused.start = Some(LoadStart { live_refused: Some(why.clone()), ..LoadStart::default() });
        let outcome = Outcome::of(&refused);
        assert_eq!((outcome.live_from, outcome.live_not_counted), (None, Some(why)));
        assert_eq!(outcome.live_not_believed, None);
        assert_eq!(Outcome::of(&trace(0.0, |_| 9e6)).live_from, Some(LiveFrom::Preload));
    }

    #[test]
    fn what_grows_outside_of_malloc_has_advice_by_its_language() {
        let mut grows = trace(0.0, |seconds| 9e6 + 50_000.0 * seconds);
        grows.start = Some(LoadStart { own_heaps: vec![OwnHeap::Cpython], ..LoadStart::default() });
        let why = source(&grows).1.expect("a reason");
        assert!(why.contains("PYTHONMALLOC = \"malloc\"") && why.contains("changes the allocator"), "{why}");
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
