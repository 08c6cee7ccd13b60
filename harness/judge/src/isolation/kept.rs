//! Which flag it is that a stack grows by: each signal is weighed by itself, as the sum of all is.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::model::{Reading, Term};
use super::posterior::Posterior;
use super::signals::Signal;
use super::suspects::PROGRAM;
use super::{CLEARED, NAMED, Weighed, share_of};
use crate::units::{BytesPerRequest, Estimate};

/// What a leak of a flag keeps, and where.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KeptBy {
    /// The lines that keep it, the largest first.
    pub places: Vec<String>,
    /// The calls of the program that lead there, the innermost first.
    pub calls: Vec<String>,
    /// What is kept there in the cells in which the leak is at work.
    #[serde(rename = "with_bytes_per_request")]
    pub with: Estimate<BytesPerRequest>,
    /// What is kept there in the others; none: there are none.
    #[serde(rename = "without_bytes_per_request")]
    pub without: Option<Estimate<BytesPerRequest>>,
}

/// Stacks that grow in the same cells, and what makes them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StackFinding {
    /// Where, and how much.
    #[serde(flatten)]
    pub kept: KeptBy,
    /// What makes them grow: `sessions`, `labels with tenants`, `audit off`, `the program itself`. Where none is sure
    /// those that may.
    pub causes: Vec<String>,
    /// Whether it is sure.
    pub is_sure: bool,
    /// How likely it is that what grows there is kept for ever, and does not fill something and stop.
    pub kept_posterior: f64,
}

/// A signal, weighed by itself.
pub(super) struct Stacked {
    signal: Signal,
    /// The cells whose stacks were looked at, as places among those that say something, and what they say.
    cells: Vec<usize>,
    readings: Vec<Reading>,
    pub(super) posterior: Posterior,
}

impl Stacked {
    /// All signals of these cells.
    pub(super) fn all(weighed: &super::Readings<'_>, causes: &super::Causes) -> Vec<Self> {
        let stacked = |signal: &Signal| {
            let readings = weighed.of_signal(signal);
            let cells = (0..signal.levels.len()).filter(|cell| signal.levels[*cell].is_some()).collect();
            let posterior = Posterior::of_stack(&readings, causes, signal.kept);
            Self { signal: signal.clone(), cells, readings, posterior }
        };
        weighed.signals.iter().map(stacked).collect()
    }

    /// Cells in which it grows by more than its causes explain.
    pub(super) fn unexplained(&self, are_alike: impl Fn(usize, usize) -> bool) -> Vec<usize> {
        let is_alike = |one: usize, other: usize| are_alike(self.cells[one], self.cells[other]);
        self.posterior.unexplained(&self.readings, is_alike).into_iter().map(|cell| self.cells[cell]).collect()
    }

    /// What is kept where one of these causes is at work, and elsewhere; `worth` bytes for each request are 1.
    fn kept(&self, terms: &[Term], worth: f64) -> Option<KeptBy> {
        let is_with = |reading: &&Reading| terms.iter().any(|term| term.is_active(&reading.on));
        let (with, without): (Vec<&Reading>, Vec<&Reading>) = self.readings.iter().partition(is_with);
        Some(KeptBy {
            places: self.signal.places.clone(),
            calls: self.signal.calls.clone(),
            with: mean(&with, worth)?,
            without: mean(&without, worth),
        })
    }
}

/// The mean of what cells say, each by its weight; its error is that of chance, or what they differ by.
fn mean(readings: &[&Reading], worth: f64) -> Option<Estimate<BytesPerRequest>> {
    let weight = |reading: &&Reading| reading.error.powi(-2);
    let weights: f64 = readings.iter().map(weight).sum();
    if readings.is_empty() || weights <= 0.0 {
        return None;
    }
    let value = readings.iter().map(|reading| weight(reading) * reading.growth).sum::<f64>() / weights;
    let spread: f64 = readings.iter().map(|reading| weight(reading) * (reading.growth - value).powi(2)).sum();
    let apart = (spread / (readings.len() as f64 - 1.0).max(1.0)).max(1.0);
    Some(Estimate::normal(value, (apart / weights).sqrt()).map(|growth| BytesPerRequest::new(growth * worth)))
}

impl Weighed<'_> {
    /// What is weighed: the sum of all that no stack accounts for, and each stack that grows by itself.
    pub(super) fn posteriors(&self) -> impl Iterator<Item = &Posterior> {
        std::iter::once(&self.posterior).chain(self.stacked.iter().map(|stacked| &stacked.posterior))
    }

    /// The one in which a factor most likely leaks.
    pub(super) fn speaking_of(&self, place: usize) -> &Posterior {
        let likelier = |best, other| if share_of(other, place) > share_of(best, place) { other } else { best };
        self.posteriors().skip(1).fold(&self.posterior, likelier)
    }

    /// How likely it is that `term` is at work somewhere.
    pub(super) fn share(&self, term: Term) -> f64 {
        self.posteriors().map(|posterior| posterior.share(term)).fold(0.0, f64::max)
    }

    /// What `term` adds wherever it is surely at work, or else where it most likely is: mean and deviation.
    pub(super) fn added(&self, term: Term) -> Option<(f64, f64)> {
        let sure = self.posteriors().filter(|posterior| posterior.share(term) >= NAMED);
        let sure: Vec<(f64, f64)> = sure.filter_map(|posterior| posterior.effect(term)).collect();
        if sure.is_empty() {
            let likelier = |one: &&Posterior, other: &&Posterior| one.share(term).total_cmp(&other.share(term));
            return self.posteriors().max_by(likelier)?.effect(term);
        }
        Some(sure.iter().fold((0.0, 0.0), |(mean, error), other| (mean + other.0, error.hypot(other.1))))
    }

    /// Where a factor that leaks keeps what it adds.
    pub(super) fn kept_by(&self, place: usize) -> Vec<KeptBy> {
        let sure = self.stacked.iter().filter(|stacked| share_of(&stacked.posterior, place) >= NAMED);
        let kept = sure.filter_map(|stacked| {
            let best = stacked.posterior.hypotheses.first()?;
            let terms: Vec<Term> = best.terms.iter().copied().filter(|term| term.involves(place)).collect();
            stacked.kept(&terms, self.readings.worth()?)
        });
        kept.collect()
    }

    /// What is said of each stack that grows by itself.
    pub(super) fn stacks(&self) -> Vec<StackFinding> {
        self.stacked.iter().filter_map(|stacked| self.stack(stacked)).collect()
    }

    fn stack(&self, stacked: &Stacked) -> Option<StackFinding> {
        let posterior = &stacked.posterior;
        let is_cause = |term: &Term| term.is_culprit() || *term == Term::Program;
        let best: Vec<Term> = posterior.hypotheses.first()?.terms.iter().copied().filter(is_cause).collect();
        let is_sure = !best.is_empty() && best.iter().all(|term| posterior.share(*term) >= NAMED);
        let terms = if is_sure {
            best.clone()
        } else {
            let all = posterior.hypotheses.iter().flat_map(|hypothesis| &hypothesis.terms).copied().filter(is_cause);
            // Of what may fill as well: those that make it do either.
            let is_likely = |term: &Term| posterior.share(*term) > CLEARED * posterior.kept();
            let likely: BTreeSet<Term> = all.filter(is_likely).collect();
            let mut likely: Vec<Term> = likely.into_iter().collect();
            likely.sort_by(|one, other| posterior.share(*other).total_cmp(&posterior.share(*one)));
            likely
        };
        let kept = stacked.kept(&best, self.readings.worth()?).or_else(|| {
            // Nothing explains it: what the cells show that have most.
            stacked.kept(&[Term::Program], self.readings.worth()?)
        })?;
        let causes = terms.into_iter().map(|term| self.called(term)).collect();
        Some(StackFinding { kept, causes, is_sure, kept_posterior: posterior.kept() })
    }

    fn called(&self, term: Term) -> String {
        let name = |factor: usize| self.readings.factors[factor].to_string();
        match term {
            Term::One(factor) => name(factor),
            Term::Both(one, other) => format!("{} with {}", name(one), name(other)),
            Term::Off(factor) => format!("{} off", name(factor)),
            Term::Without(factor, cleaner) => format!("{} without {}", name(factor), name(cleaner)),
            Term::Program | Term::Wrong(_) => PROGRAM.to_owned(),
        }
    }
}
