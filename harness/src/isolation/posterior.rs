//! From the cells to the probability of each explanation: a bounded search for the sets of causes that are worth weighing.

use std::collections::BTreeSet;

use super::model::{CREEP, Fit, MOST_TERMS, Model, Reading, Term};

/// Most culprits of a hypothesis, and most cells that it calls wrong.
const MOST_CULPRITS: usize = 6;
/// See [`MOST_CULPRITS`].
const MOST_WRONG: usize = 1;

/// Of the hypotheses with so many terms, only the best are extended by another term. With up to five flags and ten cells all sets of
/// two are weighed. A width of 48 named no more culprits in 300 searches, and took four times as long with the bound below.
const WIDTH: usize = 32;

/// What is less likely than the best by this, in logarithms, is left out: 1 in 3000.
const NEGLIGIBLE: f64 = 8.0;

/// Standard errors by which a cell is beyond what explains it. Errors of cells are within 2 in 95 % of soaks and have heavier tails than
/// the normal distribution; a wrong cell costs 7.6 in logarithms, which are 3.9 standard errors.
const BEYOND_CHANCE: f64 = 3.9;

/// Bound of an estimate by which most extensions are not even fitted: a prior of another scale, and the truncation, may add so much.
const SLACK: f64 = 3.0;

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
}

/// A set of columns, in ascending order.
type Set = Vec<usize>;

struct Found {
    set: Set,
    fit: Fit,
}

impl Posterior {
    /// Of these cells; `pairs` of factors may leak only together, and each of `off` where it is off.
    pub(crate) fn of(readings: &[Reading], pairs: &[(usize, usize)], off: &[usize]) -> Self {
        let Some(model) = Model::new(readings, pairs, off) else {
            // No cell, or numbers that are none: nothing is known.
            return Self { hypotheses: Vec::new(), model: None };
        };
        let mut found = Search { model: &model, best: f64::NEG_INFINITY, seen: BTreeSet::new(), found: Vec::new() };
        found.run();
        let hypotheses = weighed(&model, found.found);
        Self { hypotheses, model: Some(model) }
    }

    /// How likely it is that an explanation of this kind holds.
    pub(crate) fn probability(&self, holds: impl Fn(&Hypothesis) -> bool) -> f64 {
        let held = self.hypotheses.iter().filter(|hypothesis| holds(hypothesis));
        // The sum of no floats is -0.
        held.fold(0.0, |sum, hypothesis| sum + hypothesis.probability)
    }

    /// What `term` adds, over the explanations that have it: mean and deviation. As the cells tell it, and not drawn towards what is
    /// likelier beforehand, unless they do not.
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

    /// Cells that grow by more than the causes of the likeliest explanation add up to, a wrong cell being none: by what is worth finding,
    /// and far beyond chance.
    pub(crate) fn unexplained(&self, readings: &[Reading]) -> Vec<usize> {
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
        (0..readings.len()).filter(|&cell| is_beyond(&readings[cell])).collect()
    }

    fn beside(&self, hypothesis: &Hypothesis, term: Term) -> Option<(f64, f64)> {
        let model = self.model.as_ref()?;
        let column = |term: Term| model.columns.iter().position(|column| column.term == term);
        let others = hypothesis.terms.iter().filter(|other| **other != term);
        let others: Vec<usize> = others.filter_map(|other| column(*other)).collect();
        model.beside(&others, column(term)?)
    }
}

struct Search<'m> {
    model: &'m Model,
    best: f64,
    seen: BTreeSet<Set>,
    found: Vec<Found>,
}

impl Search<'_> {
    /// Terms are added to the best sets of each size until more do not explain more.
    fn run(&mut self) {
        self.weigh(Vec::new());
        for size in 0..MOST_TERMS {
            let mut parents: Vec<usize> =
                (0..self.found.len()).filter(|&at| self.found[at].set.len() == size).collect();
            parents.sort_by(|&a, &b| {
                let by_score = self.found[b].fit.score.total_cmp(&self.found[a].fit.score);
                by_score.then_with(|| self.found[a].set.cmp(&self.found[b].set))
            });
            let is_hopeless = |at: &usize| size > 1 && self.found[*at].fit.bound < self.best - NEGLIGIBLE;
            parents.retain(|at| !is_hopeless(at));
            parents.truncate(self.width(&parents));
            if parents.is_empty() {
                break;
            }
            // The same for all of one size, whichever comes first.
            let floor = self.best - NEGLIGIBLE;
            for parent in parents {
                self.extend(parent, floor);
            }
        }
    }

    /// How many of the sets are extended. Of those that explain as much as the last one none is preferred: else the order of flags
    /// would count.
    fn width(&self, parents: &[usize]) -> usize {
        /// Even so, at most this many times [`WIDTH`].
        const MOST: usize = 4;
        let score = |&at: &usize| self.found[at].fit.score;
        let Some(last) = parents.get(WIDTH - 1).map(score) else { return parents.len() };
        parents.partition_point(|at| score(at) >= last - 1e-9).min(MOST * WIDTH)
    }

    /// Adds every term to a set, but those that cannot reach `floor`.
    fn extend(&mut self, parent: usize, floor: f64) {
        let Found { set, fit } = &self.found[parent];
        let (set, bound) = (set.clone(), fit.bound);
        let partial = self.model.partial(&set);
        for column in 0..self.model.columns.len() {
            let term = self.model.columns[column].term;
            if set.contains(&column) || !self.is_allowed(&set, term) {
                continue;
            }
            // Single causes are all weighed: they are what sets are made of.
            if !set.is_empty() && bound + partial(column).gain(term) + SLACK < floor {
                continue;
            }
            let mut larger = set.clone();
            larger.push(column);
            larger.sort_unstable();
            self.weigh(larger);
        }
    }

    fn is_allowed(&self, terms: &[usize], another: Term) -> bool {
        let count = |is: fn(Term) -> bool| terms.iter().filter(|&&term| is(self.model.columns[term].term)).count();
        match another {
            Term::Wrong(_) => count(|term| matches!(term, Term::Wrong(_))) < MOST_WRONG,
            Term::Program => true,
            Term::One(_) | Term::Both(..) | Term::Off(_) => count(Term::is_culprit) < MOST_CULPRITS,
        }
    }

    fn weigh(&mut self, set: Set) {
        if !self.seen.insert(set.clone()) {
            return;
        }
        let fit = self.model.fit(&set);
        // Of growth beyond all bounds, which no judgement lets through.
        if !fit.score.is_finite() || !fit.bound.is_finite() {
            return;
        }
        self.best = self.best.max(fit.score);
        self.found.push(Found { set, fit });
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
