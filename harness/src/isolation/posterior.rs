//! From the cells to the probability of each explanation: a bounded search for the sets of causes that are worth weighing.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{CREEP, Fit, MOST_TERMS, Model, Reading, Term};

/// Most culprits of a hypothesis, and most cells that it calls wrong.
const MOST_CULPRITS: usize = 6;
/// See [`MOST_CULPRITS`].
const MOST_WRONG: usize = 1;

/// Of the hypotheses with so many terms, only the best are extended by another term. With up to five flags and ten cells all sets of
/// two are weighed. A width of 48 named no more culprits in 300 searches, and took four times as long with the bound below.
const WIDTH: usize = 32;

/// So many of the best sets are changed and built up again, and so often, as long as that finds better ones.
const REFINED: usize = 4;
/// See [`REFINED`].
const MOST_ROUNDS: usize = 8;
/// Of the terms that would explain most of the rest, so many are tried.
const TRIED: usize = 4;
/// What is behind the best by so much, in logarithms, with most terms in it, is built up no further.
const HOPELESS: f64 = 30.0;

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
        let mut found = Search { model: &model, best: f64::NEG_INFINITY, seen: BTreeMap::new(), found: Vec::new() };
        found.run();
        found.refine();
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
        let column = |term: Term| model.column(term);
        let others = hypothesis.terms.iter().filter(|other| **other != term);
        let others: Vec<usize> = others.filter_map(|other| column(*other)).collect();
        model.beside(&others, column(term)?)
    }
}

struct Search<'m> {
    model: &'m Model,
    best: f64,
    seen: BTreeMap<Set, f64>,
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

    /// Adding alone never takes back a pair that stood in for two flags while those were not there yet. From the best sets some terms
    /// are taken out, pairs are taken apart, and what explains most is added again, as long as that finds better ones.
    fn refine(&mut self) {
        for _ in 0..MOST_ROUNDS {
            let best = self.best;
            let mut order: Vec<usize> = (0..self.found.len()).collect();
            order.sort_by(|&a, &b| {
                let by_score = self.found[b].fit.score.total_cmp(&self.found[a].fit.score);
                by_score.then_with(|| self.found[a].set.cmp(&self.found[b].set))
            });
            let sets: Vec<Set> = order.into_iter().take(REFINED).map(|at| self.found[at].set.clone()).collect();
            for set in sets {
                self.neighbours(&set).into_iter().for_each(|start| self.climb(start));
            }
            if self.best <= best + 1e-9 {
                break;
            }
        }
    }

    /// The sets with one or two terms fewer, and with the flags of a pair in its place.
    fn neighbours(&self, set: &Set) -> BTreeSet<Set> {
        let without = |set: &Set, term: usize| -> Set { set.iter().copied().filter(|other| *other != term).collect() };
        let mut neighbours = BTreeSet::new();
        for &term in set {
            let fewer = without(set, term);
            neighbours.extend(fewer.iter().map(|&other| without(&fewer, other)));
            if let Term::Both(one, other) = self.model.columns[term].term {
                let singles = [Term::One(one), Term::One(other)].map(|single| self.model.column(single));
                let mut apart = fewer.clone();
                apart.extend(singles.into_iter().flatten().filter(|single| !fewer.contains(single)));
                apart.sort_unstable();
                if self.is_whole(&apart) {
                    neighbours.insert(apart);
                }
            }
            neighbours.insert(fewer);
        }
        neighbours
    }

    /// Whether a hypothesis may have all of these terms.
    fn is_whole(&self, set: &Set) -> bool {
        let is_allowed = |place: usize| self.is_allowed(&set[..place], self.model.columns[set[place]].term);
        set.len() <= MOST_TERMS && (0..set.len()).all(is_allowed)
    }

    /// Adds to `set` what explains most of the rest, again and again.
    fn climb(&mut self, mut set: Set) {
        self.weigh(set.clone());
        while set.len() < MOST_TERMS {
            let partial = self.model.partial(&set);
            let gain = |column: usize| partial(column).gain(self.model.columns[column].term);
            let allowed = (0..self.model.columns.len())
                .filter(|column| !set.contains(column) && self.is_allowed(&set, self.model.columns[*column].term));
            let mut gains: Vec<(f64, usize)> = allowed.map(|column| (gain(column), column)).collect();
            gains.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            gains.truncate(TRIED);
            let mut best: Option<(f64, Set)> = None;
            for (gain, column) in gains {
                if gain <= 0.0 {
                    break;
                }
                let mut larger = set.clone();
                larger.push(column);
                larger.sort_unstable();
                let score = self.weigh(larger.clone());
                if best.as_ref().is_none_or(|(known, _)| score > *known) {
                    best = Some((score, larger));
                }
            }
            let Some((score, larger)) = best else { break };
            // What explains nothing by itself may do so with another; what is far behind will not.
            if score < self.best - HOPELESS && larger.len() >= MOST_CULPRITS {
                break;
            }
            set = larger;
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

    /// The score of a set, which is kept.
    fn weigh(&mut self, set: Set) -> f64 {
        if let Some(score) = self.seen.get(&set) {
            return *score;
        }
        let fit = self.model.fit(&set);
        // Of growth beyond all bounds, which no judgement lets through.
        if !fit.score.is_finite() || !fit.bound.is_finite() {
            self.seen.insert(set, f64::NEG_INFINITY);
            return f64::NEG_INFINITY;
        }
        let score = fit.score;
        self.seen.insert(set.clone(), score);
        self.best = self.best.max(score);
        self.found.push(Found { set, fit });
        score
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Five flags that leak and a pair, among eleven, of the sizes and with the errors of cells of a minute (`scenarios/bisect.toml`). By
    /// adding terms alone the search stopped at pairs that stood in for flags, twenty logarithms below the truth.
    #[test]
    fn several_leaks_and_a_pair_are_found_behind_pairs_that_stand_in_for_them() {
        const FLAGS: usize = 11;
        let truth =
            [(Term::One(0), 2.4), (Term::One(1), 1.6), (Term::One(2), 1.2), (Term::One(3), 1.6), (Term::One(4), 2.0)];
        let truth: Vec<(Term, f64)> = truth.into_iter().chain([(Term::Both(5, 6), 2.0)]).collect();
        // Sets that are spread as if they were drawn: a step of SplitMix64.
        let on = |cell: u64| {
            let mut bits = (cell + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (0..FLAGS).map(|flag| bits >> (flag + 40) & 1 == 1).collect::<Vec<bool>>()
        };
        let readings: Vec<Reading> = (0..40)
            .map(|cell| {
                let on = on(cell);
                let growth: f64 = truth.iter().filter(|(term, _)| term.is_active(&on)).map(|(_, effect)| effect).sum();
                let is_blind = on[4] || on[10];
                Reading { growth: growth * 1.01, error: if is_blind { 0.8 } else { 0.15 }, on }
            })
            .collect();
        let pairs: Vec<(usize, usize)> =
            (0..FLAGS).flat_map(|one| (one + 1..FLAGS).map(move |other| (one, other))).collect();
        let posterior = Posterior::of(&readings, &pairs, &[]);
        let best: BTreeSet<Term> = posterior.hypotheses[0].terms.iter().copied().collect();
        assert_eq!(best, truth.iter().map(|(term, _)| *term).collect(), "{:?}", posterior.hypotheses[0]);
    }
}
