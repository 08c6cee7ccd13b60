//! A soak cut into stretches: what is fitted, and what is judged beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::scenario::Role;
use crate::trace::{ExternalLoad, PhaseSpan, ProcessId, Sample, Trace};
use steep_judge::growth::{Layer, Series, Sources};
use steep_judge::units::{Bytes, Rps, SinceStart};

/// A phase of which no rate is known has no load where fewer answers came than this share of the rate of the whole
/// soak: the last ones of the phase before, and questions of health.
const STRAGGLERS: f64 = 0.01;

/// Phases one after the other that are judged in one piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'t> {
    pub(super) phases: &'t [PhaseSpan],
    /// What was read in them; never empty.
    pub(super) samples: &'t [Sample],
    /// Whether it is known that nothing was asked in them.
    pub(super) is_silent: bool,
    /// Whether the verdict of a cell rests on it unless another stretch grows.
    pub(super) is_fitted: bool,
}

impl<'t> Stretch<'t> {
    /// All stretches of `trace` that were soaked, in their order; at most one is the fitted one.
    pub(super) fn all(trace: &'t Trace) -> Vec<Self> {
        let pieces = all_pieces(&trace.header.phases);
        let mut stretches: Vec<Self> = pieces.filter_map(|phases| Self::of(trace, phases)).collect();
        let fitted = stretches.iter_mut().filter(|stretch| stretch.phases[0].is_fitted());
        if let Some(longest) = fitted.max_by_key(|stretch| stretch.lasted(trace)) {
            longest.is_fitted = true;
        }
        stretches
    }

    /// The one that is fitted.
    pub(super) fn fitted(trace: &'t Trace) -> Option<Self> {
        Self::all(trace).into_iter().find(|stretch| stretch.is_fitted)
    }

    fn of(trace: &'t Trace, phases: &'t [PhaseSpan]) -> Option<Self> {
        let samples = samples_in(trace, phases);
        if samples.is_empty() {
            return None;
        }
        let is_silent = phases.iter().all(is_without_load) || is_not_asked(trace, phases, samples);
        Some(Self { phases, samples, is_silent, is_fitted: false })
    }

    /// From the beginning of its first phase to the end of its last, as far as the soak came.
    fn lasted(&self, trace: &Trace) -> Duration {
        let (first, last) = (&self.phases[0], &self.phases[self.phases.len() - 1]);
        lasted(first.start_s, last.end_s, trace.last_moment())
    }

    /// Whether its phases are such as are fitted.
    pub(super) fn has_role_of_fitted(&self) -> bool {
        self.phases[0].is_fitted()
    }

    /// Whether growth in it is a finding: what warms up grows.
    pub(super) fn is_judged(&self) -> bool {
        self.phases.iter().any(|phase| phase.role != Role::Warmup)
    }

    /// What is fitted of it. Without load there is no work that growth could be judged by, whoever answers late.
    pub(super) fn series(&self, trace: &Trace) -> Series {
        let samples = self.samples;
        let (first, last) = (&samples[0], &samples[samples.len() - 1]);
        let work =
            |completed: u64| if self.is_silent { 0.0 } else { completed.saturating_sub(first.completed()) as f64 };
        let disturbances = trace.disturbances.iter().map(|disturbance| disturbance.t_s);
        let read_from = |layer: Layer| samples.iter().find_map(|sample| sample.judged(layer)).map(|(source, _)| source);
        let sources = Layer::ALL.into_iter().filter_map(read_from).fold(Sources::default(), Sources::with);
        let has_live = read_from(Layer::Live).is_some();
        let mut series = Series {
            t_s: Vec::new(),
            memory_bytes: Vec::new(),
            live_bytes: Vec::new(),
            requests: Vec::new(),
            disturbances_s: Some(
                disturbances.filter(|at| (first.t_s..=last.t_s).contains(at)).map(SinceStart::as_secs_f64).collect(),
            ),
            replaced_s: replacements(samples),
            sources,
        };
        let mut before = None;
        for sample in samples {
            for LiveReading { t_s, bytes, completed, .. } in live_before(trace, before, sample) {
                series.t_s.push(t_s.as_secs_f64());
                series.memory_bytes.push(f64::NAN);
                series.live_bytes.push(bytes);
                series.requests.push(work(completed));
            }
            series.t_s.push(sample.t_s.as_secs_f64());
            series.memory_bytes.push(read(sample, Layer::Resident));
            series.live_bytes.extend(has_live.then(|| read(sample, Layer::Live)));
            series.requests.push(work(sample.completed()));
            before = Some(sample);
        }
        series
    }
}

/// Live bytes between two samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct LiveReading<'t> {
    pub(super) t_s: SinceStart,
    /// As [`Sample::judged`] has them, with what was shared at the sample before.
    pub(super) bytes: f64,
    pub(super) completed: u64,
    /// The same by name.
    pub(super) requests: &'t BTreeMap<String, u64>,
}

/// What was read of live bytes between the sample `before` and this one: nothing before the first, nor where one of
/// both has none.
pub(super) fn live_before<'t>(
    trace: &'t Trace,
    before: Option<&'t Sample>,
    sample: &Sample,
) -> impl Iterator<Item = LiveReading<'t>> {
    let before = before.filter(|before| before.live.is_some() && sample.live.is_some());
    let counts = &trace.live_counts;
    let from = before.map_or(counts.len(), |before| counts.partition_point(|count| count.t_s <= before.t_s));
    let to = counts.partition_point(|count| count.t_s < sample.t_s).max(from);
    let shared = before.map_or(Bytes::ZERO, |before| before.memory.shared());
    counts[from..to].iter().map(move |count| LiveReading {
        t_s: count.t_s,
        bytes: (count.live.live_bytes + shared).as_f64(),
        completed: count.completed(),
        requests: &count.requests,
    })
}

/// What was read in these phases, which follow each other.
pub(super) fn samples_in<'t>(trace: &'t Trace, phases: &[PhaseSpan]) -> &'t [Sample] {
    let (Some(first), Some(last)) = (phases.first(), phases.last()) else { return &[] };
    let from = trace.samples.partition_point(|sample| sample.t_s < first.start_s);
    let to = trace.samples.partition_point(|sample| sample.t_s <= last.end_s);
    trace.samples.get(from..to).unwrap_or_default()
}

/// The samples of what is fitted.
pub(super) fn fitted_samples(trace: &Trace) -> &[Sample] {
    Stretch::fitted(trace).map_or(&[], |fitted| fitted.samples)
}

/// From the beginning of a stretch to its end, as far as it was `soaked`.
pub(super) fn lasted(start: SinceStart, end: SinceStart, soaked: SinceStart) -> Duration {
    end.min(soaked) - start.min(soaked)
}

/// What is fitted of a sample.
pub(super) fn read(sample: &Sample, layer: Layer) -> f64 {
    sample.judged(layer).map_or(f64::NAN, |(_, bytes)| bytes.as_f64())
}

/// The phases of each stretch that may come to be the fitted one.
pub(super) fn fitted_pieces(phases: &[PhaseSpan]) -> impl Iterator<Item = &[PhaseSpan]> {
    all_pieces(phases).filter(|phases| phases[0].is_fitted())
}

/// The phases of each stretch.
fn all_pieces(phases: &[PhaseSpan]) -> impl Iterator<Item = &[PhaseSpan]> {
    phases.chunk_by(|one, next| one.is_fitted() == next.is_fitted()).flat_map(pieces)
}

/// Phases that are not fitted are judged by whether they have load: a cooldown with and an idle phase without are two
/// things. Of fitted ones, only an end without load that is longer than all before it is taken by itself: shorter
/// pauses are a part of the load.
fn pieces(phases: &[PhaseSpan]) -> Vec<&[PhaseSpan]> {
    if phases.iter().any(|phase| !phase.is_fitted()) {
        return phases.chunk_by(|one, next| is_without_load(one) == is_without_load(next)).collect();
    }
    let loaded = phases.iter().rposition(|phase| !is_without_load(phase)).map_or(0, |last| last + 1);
    let (before, after) = phases.split_at(loaded);
    let lasts = |phases: &[PhaseSpan]| phases.iter().map(|phase| phase.end_s - phase.start_s).sum::<Duration>();
    let is_apart = !before.is_empty() && lasts(after) > lasts(before);
    if is_apart { vec![before, after] } else { vec![phases] }
}

/// Whether no request is scheduled in a phase.
pub(super) fn is_without_load(phase: &PhaseSpan) -> bool {
    phase.peak_requests_per_second.is_some_and(|rate| rate <= Rps::new(0.0))
}

/// Whether next to nothing was answered in phases whose rate follows from the answers, or from another program.
fn is_not_asked(trace: &Trace, phases: &[PhaseSpan], samples: &[Sample]) -> bool {
    let is_counted = trace.header.external.as_ref().is_none_or(ExternalLoad::is_counted);
    let is_known = |phase: &PhaseSpan| phase.peak_requests_per_second.is_some();
    if !is_counted || phases.iter().any(|phase| phase.is_fitted() || is_known(phase)) {
        return false;
    }
    let rate = |samples: &[Sample]| match samples {
        [first, .., last] => {
            let seconds = last.t_s.as_secs_f64() - first.t_s.as_secs_f64();
            last.completed().saturating_sub(first.completed()) as f64 / seconds.max(f64::MIN_POSITIVE)
        }
        _ => 0.0,
    };
    rate(samples) <= STRAGGLERS * rate(&trace.samples)
}

/// The moments at which a process was gone and another there.
pub(super) fn replacements(samples: &[Sample]) -> Vec<f64> {
    let replaced = samples.windows(2).filter(|pair| is_replaced(&pair[0].processes, &pair[1].processes));
    replaced.map(|pair| pair[1].t_s.as_secs_f64()).collect()
}

/// Whether a process of those `before` is gone, and another there.
pub(super) fn is_replaced(before: &[ProcessId], after: &[ProcessId]) -> bool {
    before.iter().any(|process| !after.contains(process)) && after.iter().any(|process| !before.contains(process))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::sim::{SimService, soak};
    use crate::testing::{decoded, sound};
    use crate::trace::LiveCount;
    use steep_judge::growth::MemorySource;

    #[test]
    fn live_bytes_between_samples_are_judged_and_resident_memory_is_that_of_the_samples() {
        let service = SimService { probe: true, leak_per_request: 200.0, ..SimService::default() };
        let mut trace = soak(&decoded(&sound("2m", "")), &service, &[]).expect("a trace");
        let without = Outcome::of(&trace);
        for sample in trace.samples.clone() {
            let t_s = sample.t_s + Duration::from_millis(500);
            let live = sample.live.expect("it has a probe");
            trace.live_counts.push(LiveCount { t_s, live, requests: sample.requests });
        }
        let series = Stretch::fitted(&trace).expect("it is steady").series(&trace);
        let between = series.memory_bytes.iter().filter(|bytes| bytes.is_nan()).count();
        assert_eq!((series.t_s.len(), between), (2 * trace.samples.len() - 1, trace.samples.len() - 1));
        assert!(series.live_bytes.iter().all(|bytes| bytes.is_finite()) && series.t_s.is_sorted());
        let with = Outcome::of(&trace);
        let source = |outcome: &Outcome| outcome.growth().map(|growth| growth.source);
        assert_eq!((source(&with), source(&without)), (Some(MemorySource::Live), Some(MemorySource::Live)));
        assert_eq!(with.verdict(), without.verdict());
        // What is not believed goes with its samples.
        trace.samples.iter_mut().for_each(|sample| sample.live = None);
        let series = Stretch::fitted(&trace).expect("it is steady").series(&trace);
        assert_eq!((series.t_s.len(), series.live_bytes.len()), (trace.samples.len(), 0));
    }
}
