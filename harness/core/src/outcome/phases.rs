//! Phases that are not fitted, each judged by itself: growth that goes on when nothing is asked any more is a finding,
//! too.

pub(super) mod beside;
mod judgement;

use schemars::JsonSchema;
use serde::Serialize;

use self::beside::Beside;
pub use self::judgement::PhaseJudgement;
use super::materiality::materiality;
use super::rules::of_phases;
use super::stretches::Stretch;
use crate::trace::{Sample, Trace};
use steep_judge::growth::{Growth, Layer, Materiality, Series, Unjudgeable};
use steep_judge::units::Bytes;
use steep_judge::verdict::{Judgement, judge, judge_by};

/// Each stretch beside the fitted one is one more look at the cell, and wandering memory is a line to one look in fifty
/// at the bar: it must be more certain by this (METHOD.md, phases that are not fitted).
const MORE_EVIDENCE: f64 = 3.0;

/// Memory over a phase that is not fitted: what stays once the load is gone is kept, by the program or the allocator.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct IdlePhase {
    /// Its name.
    pub phase: String,
    /// At its beginning.
    pub start_bytes: Bytes,
    /// At its end.
    pub end_bytes: Bytes,
}

/// What memory says of a cell.
pub(super) struct Judged {
    /// Of all its phases.
    pub(super) judgement: Judgement,
    /// Of those that are fitted.
    pub(super) fitted: Judgement,
    /// Of each stretch; empty where there is none beside the fitted one.
    pub(super) phases: Vec<PhaseJudgement>,
    /// The phases that the verdict rests on, where those are not the fitted ones.
    pub(super) grows_in: Option<Vec<String>>,
}

/// Judges every stretch of `trace`; `fit` sees the fitted one only.
pub(super) fn judged(
    trace: &Trace,
    fit: impl FnMut(&Series, Layer, &Materiality) -> Result<Growth, Unjudgeable>,
) -> Judged {
    let materiality = materiality(&trace.header.judge);
    let surer = Materiality { bar: materiality.bar + MORE_EVIDENCE, ..materiality };
    let stretches = Stretch::all(trace);
    let series = stretches.iter().find(|stretch| stretch.is_fitted).map(|fitted| fitted.series(trace));
    let fitted = judge_by(&series.unwrap_or_default(), &materiality, fit);
    let described = stretches.iter().filter(|stretch| stretch.is_fitted || stretch.is_judged()).map(|stretch| {
        let judgement = if stretch.is_fitted { fitted.clone() } else { judge(&stretch.series(trace), &surer) };
        PhaseJudgement::new(stretch, judgement, &surer)
    });
    let phases: Vec<PhaseJudgement> = described.collect();
    let (judgement, grows_in) = of_phases(&Beside::new(&fitted, &phases, &stretches));
    let is_alone = phases.iter().all(|phase| phase.fitted);
    let phases = if is_alone { Vec::new() } else { phases };
    Judged { judgement, fitted, phases, grows_in }
}

/// Memory over each phase that is not fitted.
pub(super) fn idle_phases(trace: &Trace) -> Vec<IdlePhase> {
    let idle = trace.header.phases.iter().filter(|phase| !phase.is_fitted());
    idle.filter_map(|phase| {
        let inside = |sample: &&Sample| (phase.start_s..=phase.end_s).contains(&sample.t_s);
        let (first, last) = (trace.samples.iter().find(inside)?, trace.samples.iter().rfind(inside)?);
        let (start_bytes, end_bytes) = (first.memory.judged(), last.memory.judged());
        Some(IdlePhase { phase: phase.name.clone(), start_bytes, end_bytes })
    })
    .collect()
}

#[cfg(test)]
mod tests;
