//! From the cells to the probability of each explanation.

use super::model::{CREEP, Causes, Model, Reading, STACK_CREEP, Term};
use super::search::{self, Found, NEGLIGIBLE};

/// Standard errors by which a cell is beyond what explains it. Errors of cells are within 2 in 95 % of soaks and have
/// heavier tails than the normal distribution; a wrong cell costs 7.6 in logarithms, which are 3.9 standard errors.
const BEYOND_CHANCE: f64 = 3.9;

/// One explanation of all growth.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hypothesis {
    /// Its causes.
    pub(crate) terms: Vec<Term>,
    /// How likely it is.
    pub(crate) probability: f64,
    /// What each cause adds: mean and deviation.
    pub(crate) effects: Vec<(f64, f64)>,
}

impl Hypothesis {
    /// Its causes that are factors.
    pub(crate) fn culprits(&self) -> impl Iterator<Item = Term> + '_ {
        self.terms.iter().copied().filter(|term| term.is_culprit())
    }
}

/// All explanations that are worth weighing, the likeliest first.
pub(crate) struct Posterior {
    /// Probabilities sum to one.
    pub(crate) hypotheses: Vec<Hypothesis>,
    model: Option<Model>,
    /// How likely it is that growth is kept, and does not fill something and stop: what fills is nobody's leak.
    kept: f64,
}

impl Posterior {
    /// Of these cells, with these possible causes beside each factor.
    pub(crate) fn of(readings: &[Reading], causes: &Causes) -> Self {
        Self::with(readings, causes, CREEP)
    }

    /// Of what one stack, or some, grew by in these cells, which with the probability `kept` does not fill something.
    pub(crate) fn of_stack(readings: &[Reading], causes: &Causes, kept: f64) -> Self {
        Self { kept, ..Self::with(readings, causes, STACK_CREEP) }
    }

    fn with(readings: &[Reading], causes: &Causes, creep: f64) -> Self {
        let Some(model) = Model::new(readings, causes, creep) else {
            // No cell, or numbers that are none: nothing is known.
            return Self { hypotheses: Vec::new(), model: None, kept: 1.0 };
        };
        Self::of_model(model)
    }

    /// Of a model of cells.
    pub(super) fn of_model(model: Model) -> Self {
        let hypotheses = weighed(&model, search::found(&model));
        Self { hypotheses, model: Some(model), kept: 1.0 }
    }

    /// How likely it is that an explanation of this kind holds, which has some cause, and that what grows is kept.
    pub(crate) fn probability(&self, holds: impl Fn(&Hypothesis) -> bool) -> f64 {
        let held = self.hypotheses.iter().filter(|hypothesis| holds(hypothesis));
        // The sum of no floats is -0.
        self.kept * held.fold(0.0, |sum, hypothesis| sum + hypothesis.probability)
    }

    /// How likely it is that what grows is kept.
    pub(crate) const fn kept(&self) -> f64 {
        self.kept
    }

    /// How likely it is that `term` is at work.
    pub(crate) fn share(&self, term: Term) -> f64 {
        self.probability(|hypothesis| hypothesis.terms.contains(&term))
    }

    /// What `term` adds, over the explanations that have it: mean and deviation. As the cells tell it, and not drawn
    /// towards what is likelier beforehand, unless they do not.
    pub(crate) fn effect(&self, term: Term) -> Option<(f64, f64)> {
        let (mut weight, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for hypothesis in &self.hypotheses {
            let Some(place) = hypothesis.terms.iter().position(|other| *other == term) else { continue };
            let (mean, deviation) = self.beside(hypothesis, term).unwrap_or(hypothesis.effects[place]);
            weight += hypothesis.probability;
            sum += hypothesis.probability * mean;
            squares += hypothesis.probability * (mean * mean + deviation * deviation);
        }
        let mean = sum / weight;
        (weight > 0.0).then(|| (mean, (squares / weight - mean * mean).max(0.0).sqrt()))
    }

    /// What `term` adds beside the likeliest explanation, as the cells alone tell it. None if they do not.
    pub(crate) fn beside_best(&self, term: Term) -> Option<(f64, f64)> {
        self.beside(self.hypotheses.first()?, term)
    }

    /// Cells that grow by more than the causes of the likeliest explanation add up to, a wrong cell being none: by what
    /// is worth finding, and far beyond chance. But those that did not when the like of them was soaked again: they
    /// were judged wrongly.
    pub(crate) fn unexplained(&self, readings: &[Reading], are_alike: impl Fn(usize, usize) -> bool) -> Vec<usize> {
        let Some(best) = self.hypotheses.first() else { return Vec::new() };
        let explained = |reading: &Reading| -> f64 {
            let at_work = best.terms.iter().zip(&best.effects).filter(|(term, _)| term.is_active(&reading.on));
            at_work.map(|(_, (mean, _))| *mean).sum()
        };
        let is_beyond = |reading: &Reading| {
            let on = reading.on.iter().filter(|on| **on).count() as f64;
            let chance = reading.error.hypot(CREEP * (on + 1.0).sqrt());
            let beyond = reading.growth - explained(reading);
            beyond >= 1.0 && beyond > BEYOND_CHANCE * chance
        };
        let is_refuted = |cell| (0..readings.len()).any(|other| are_alike(cell, other) && !is_beyond(&readings[other]));
        (0..readings.len()).filter(|&cell| is_beyond(&readings[cell]) && !is_refuted(cell)).collect()
    }

    fn beside(&self, hypothesis: &Hypothesis, term: Term) -> Option<(f64, f64)> {
        let model = self.model.as_ref()?;
        let column = |term: Term| model.column(term);
        let others = hypothesis.terms.iter().filter(|other| **other != term);
        let others: Vec<usize> = others.filter_map(|other| column(*other)).collect();
        model.beside(&others, column(term)?)
    }
}

fn weighed(model: &Model, mut found: Vec<Found>) -> Vec<Hypothesis> {
    let best = found.iter().map(|found| found.fit.score).fold(f64::NEG_INFINITY, f64::max);
    found.retain(|found| found.fit.score >= best - NEGLIGIBLE);
    found.sort_by(|a, b| b.fit.score.total_cmp(&a.fit.score).then_with(|| a.set.cmp(&b.set)));
    let sum: f64 = found.iter().map(|found| (found.fit.score - best).exp()).sum();
    found
        .into_iter()
        .map(|Found { set, fit }| Hypothesis {
            terms: set.iter().map(|&column| model.columns[column].term).collect(),
            probability: (fit.score - best).exp() / sum,
            effects: fit.mean.into_iter().zip(fit.deviation).take(set.len()).collect(),
        })
        .collect()
}
