//! A soak cut into stretches: what is fitted, and what is judged beside it.

use std::time::Duration;

use crate::scenario::Role;
use crate::trace::{ExternalLoad, PhaseSpan, ProcessId, Sample, Trace};
use steep_judge::growth::{Layer, Series, Sources};
use steep_judge::units::{Rps, SinceStart};

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
        let completed =
            |sample: &Sample| if self.is_silent { 0 } else { sample.completed().saturating_sub(first.completed()) };
        let disturbances = trace.disturbances.iter().map(|disturbance| disturbance.t_s);
        let read_from = |layer: Layer| samples.iter().find_map(|sample| sample.judged(layer)).map(|(source, _)| source);
        let sources = Layer::ALL.into_iter().filter_map(read_from).fold(Sources::default(), Sources::with);
        let memory = |layer: Layer| samples.iter().map(|sample| read(sample, layer)).collect::<Vec<f64>>();
        Series {
            t_s: samples.iter().map(|sample| sample.t_s.as_secs_f64()).collect(),
            memory_bytes: memory(Layer::Resident),
            live_bytes: read_from(Layer::Live).map_or_else(Vec::new, |_| memory(Layer::Live)),
            requests: samples.iter().map(|sample| completed(sample) as f64).collect(),
            disturbances_s: Some(
                disturbances.filter(|at| (first.t_s..=last.t_s).contains(at)).map(SinceStart::as_secs_f64).collect(),
            ),
            replaced_s: replacements(samples),
            sources,
        }
    }
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
fn replacements(samples: &[Sample]) -> Vec<f64> {
    let replaced = samples.windows(2).filter(|pair| is_replaced(&pair[0].processes, &pair[1].processes));
    replaced.map(|pair| pair[1].t_s.as_secs_f64()).collect()
}

/// Whether a process of those `before` is gone, and another there.
pub(super) fn is_replaced(before: &[ProcessId], after: &[ProcessId]) -> bool {
    before.iter().any(|process| !after.contains(process)) && after.iter().any(|process| !before.contains(process))
}
