//! A bounded search for the sets of causes that explain the growth of the cells best.
//!
//! Sets are built up term by term, all of one size before the next; then the best are changed, and what is like them is
//! weighed too. Nothing is drawn at random. `docs/isolation.md` says how often the best of all is found.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Fit, MAX_TERMS, Model, Term};

/// Most culprits of a hypothesis, and most cells that it calls wrong.
const MAX_CULPRITS: usize = 6;
/// See [`MAX_CULPRITS`].
const MAX_WRONG: usize = 1;

/// Of the hypotheses with this many terms, only the best are extended by another term. With up to five flags and ten
/// cells all sets of two are weighed. A width of 64 finds no other sets where flags leak, and a few more where cells
/// grow for no reason.
const WIDTH: usize = 32;

/// So many of the best sets are changed and built up again, and so often, as long as that finds better ones.
const REFINED: usize = 4;
/// See [`REFINED`].
const MAX_ROUNDS: usize = 8;
/// Of the terms that would explain most of the rest, this many are tried.
const TRIED: usize = 4;
/// What is behind the best by so much, in logarithms, with most terms in it, is built up no further.
const HOPELESS: f64 = 30.0;

/// Of this many sets the like is sought.
const MAX_COMPLETED: usize = 1024;

/// So many sets are weighed at most before no more of the like is sought: each takes some 350 bytes. 32 flags with all
/// their pairs take a third.
const MAX_FOUND: usize = 300_000;

/// What is less likely than the best by this, in logarithms, is left out: 1 in 3000.
pub(super) const NEGLIGIBLE: f64 = 8.0;

/// Bound of an estimate by which most extensions are not even fitted: a prior of another scale, and the truncation, may
/// add so much.
pub(super) const SLACK: f64 = 3.0;

/// A set of columns, in ascending order.
pub(super) type Set = Vec<usize>;

/// A set that was weighed.
pub(super) struct Found {
    pub(super) set: Set,
    pub(super) fit: Fit,
}

/// The sets that are worth weighing, and others.
pub(super) fn found(model: &Model) -> Vec<Found> {
    let mut search = Search::new(model);
    search.begin();
    search.build_up();
    search.refine();
    search.complete();
    search.found
}

/// The best this many sets, without all that is like them.
pub(super) fn best(model: &Model, count: usize) -> Vec<Found> {
    let mut search = Search::new(model);
    search.weigh(Set::new());
    search.begin();
    search.refine();
    let ranked = search.ranked(|fit| fit.score);
    let mut found: Vec<Option<Found>> = search.found.into_iter().map(Some).collect();
    ranked.into_iter().take(count).filter_map(|at| found[at].take()).collect()
}

struct Search<'m> {
    model: &'m Model,
    best: f64,
    /// Where in `found` a set is. None: its fit is not a number.
    seen: BTreeMap<Set, Option<usize>>,
    extended: BTreeSet<Set>,
    found: Vec<Found>,
}

impl<'m> Search<'m> {
    fn new(model: &'m Model) -> Self {
        Self { model, best: f64::NEG_INFINITY, seen: BTreeMap::new(), extended: BTreeSet::new(), found: Vec::new() }
    }

    /// Terms are added to the best sets of each size until more do not explain more.
    fn build_up(&mut self) {
        self.weigh(Vec::new());
        for size in 0..MAX_TERMS {
            // By the score a set would lose its place if one effect of it seems to be none before the last term is
            // there.
            let mut parents = self.ranked(|fit| fit.bound);
            parents.retain(|&at| self.found[at].set.len() == size);
            parents.truncate(self.width(&parents));
            // The same for all of one size, whichever comes first.
            let floor = self.best - NEGLIGIBLE;
            for parent in parents {
                // Some however far behind they are: only with all of its terms does a set explain what each alone does
                // not.
                self.extend(parent, floor, TRIED);
            }
        }
    }

    /// From each single cause what explains most is added: how well the cells can be explained tells what need not be
    /// weighed.
    fn begin(&mut self) {
        let is_single = |term: Term| matches!(term, Term::One(_) | Term::Program);
        let mut met = BTreeSet::new();
        let singles = (0..self.model.columns.len()).filter(|&column| is_single(self.model.columns[column].term));
        let starts: Vec<Set> = singles.map(|column| vec![column]).collect();
        for start in starts {
            let of_singles = self.climb(start.clone(), is_single);
            let of_all = self.climb(start, |_| true);
            for top in [of_singles, of_all] {
                if met.insert(top.clone()) {
                    self.exchange(top);
                }
            }
        }
    }

    /// Adding alone never takes back a pair that stood in for two flags while those were not there yet. From the best
    /// sets some terms are taken out, pairs are taken apart, what explains most is added again, and terms are
    /// exchanged, as long as that finds better ones.
    fn refine(&mut self) {
        let mut met = BTreeSet::new();
        for _ in 0..MAX_ROUNDS {
            let best = self.best;
            let top = self.ranked(|fit| fit.score).into_iter().take(REFINED);
            let sets: Vec<Set> = top.map(|at| self.found[at].set.clone()).collect();
            for start in sets.iter().flat_map(|set| self.neighbours(set)).collect::<BTreeSet<Set>>() {
                let top = self.climb(start, |_| true);
                if met.insert(top.clone()) {
                    self.exchange(top);
                }
            }
            if self.best <= best + 1e-9 {
                break;
            }
        }
    }

    /// Exchanges one term for another, or for none, as long as that explains more.
    fn exchange(&mut self, mut set: Set) {
        let mut score = self.weigh(set.clone());
        while score >= self.best - HOPELESS {
            let mut best: Option<(f64, Set)> = None;
            for &term in &set.clone() {
                let fewer = without(&set, term);
                let with = self.likeliest_with(&fewer, |_| true);
                let without = (self.weigh(fewer.clone()), fewer);
                best = best.into_iter().chain(with).chain([without]).max_by(|a, b| a.0.total_cmp(&b.0));
            }
            match best {
                Some((better, other)) if better > score + 1e-9 => (score, set) = (better, other),
                _ => break,
            }
        }
    }

    /// What was found by a path of one's own is no more likely than its like that the path did not meet: two flags that
    /// the same cells had are equally suspect. To each of the best sets every term is added, and each of its terms
    /// exchanged for every other, until all of what is likely was met.
    fn complete(&mut self) {
        let mut met = BTreeSet::new();
        while met.len() < MAX_COMPLETED && self.found.len() < MAX_FOUND {
            let is_new = |at: &usize, met: &BTreeSet<Set>| !met.contains(&self.found[*at].set);
            let is_likely = |at: &usize| self.found[*at].fit.score >= self.best - NEGLIGIBLE;
            let next = (0..self.found.len()).filter(|at| is_likely(at) && is_new(at, &met));
            let next: Vec<Set> = next.map(|at| self.found[at].set.clone()).collect();
            if next.is_empty() {
                break;
            }
            for set in next {
                if self.found.len() >= MAX_FOUND {
                    return;
                }
                let fewer: Vec<Set> = set.iter().map(|&term| without(&set, term)).collect();
                for parent in std::iter::once(set.clone()).chain(fewer) {
                    let floor = self.best - NEGLIGIBLE;
                    self.place(parent).into_iter().for_each(|parent| self.extend(parent, floor, 0));
                }
                met.insert(set);
            }
        }
    }

    /// The sets with one or two terms fewer, and with the flags of pairs in their places: of each pair, and of all.
    fn neighbours(&self, set: &Set) -> BTreeSet<Set> {
        let mut neighbours = BTreeSet::new();
        for &term in set {
            let fewer = without(set, term);
            neighbours.extend(fewer.iter().map(|&other| without(&fewer, other)));
            neighbours.insert(self.apart(set, |other| other == term));
            neighbours.insert(fewer);
        }
        neighbours.insert(self.apart(set, |_| true));
        neighbours.retain(|neighbour| neighbour != set && self.is_whole(neighbour));
        neighbours
    }

    /// The set with the flags of these pairs in their places.
    fn apart(&self, set: &Set, is_apart: impl Fn(usize) -> bool) -> Set {
        let parts = |&column: &usize| -> Vec<usize> {
            let singles =
                |flags: &[usize]| flags.iter().filter_map(|&flag| self.model.column(Term::One(flag))).collect();
            match self.model.columns[column].term {
                Term::Both(one, other) if is_apart(column) => singles(&[one, other]),
                Term::Without(one, _) if is_apart(column) => singles(&[one]),
                _ => vec![column],
            }
        };
        set.iter().flat_map(parts).collect::<BTreeSet<usize>>().into_iter().collect()
    }

    /// Whether a hypothesis may have all of these terms.
    fn is_whole(&self, set: &Set) -> bool {
        let is_allowed = |place: usize| self.is_allowed(&set[..place], self.model.columns[set[place]].term);
        set.len() <= MAX_TERMS && (0..set.len()).all(is_allowed)
    }

    /// Adds to `set` what explains most of the rest, again and again, of terms such as these. The best set on the way.
    fn climb(&mut self, mut set: Set, is_such: impl Fn(Term) -> bool) -> Set {
        let mut top = (self.weigh(set.clone()), set.clone());
        while let Some((score, larger)) = self.likeliest_with(&set, &is_such) {
            // What explains nothing by itself may do so with another; what is far behind will not.
            if score < self.best - HOPELESS && larger.len() >= MAX_CULPRITS {
                break;
            }
            if score > top.0 {
                top = (score, larger.clone());
            }
            set = larger;
        }
        top.1
    }

    /// The likeliest set with one such term more, of those that would explain most of the rest.
    fn likeliest_with(&mut self, set: &Set, is_such: impl Fn(Term) -> bool) -> Option<(f64, Set)> {
        let mut gains = self.gains(set, is_such);
        gains.retain(|(gain, _)| *gain > 0.0);
        gains.truncate(TRIED);
        let mut best: Option<(f64, Set)> = None;
        for (_, column) in gains {
            let larger = with(set, column);
            let score = self.weigh(larger.clone());
            if best.as_ref().is_none_or(|(known, _)| score > *known) {
                best = Some((score, larger));
            }
        }
        best
    }

    /// The terms such as these that may be added to a set, with the most that evidence can gain by each, the best
    /// first.
    fn gains(&self, set: &Set, is_such: impl Fn(Term) -> bool) -> Vec<(f64, usize)> {
        if set.len() >= MAX_TERMS {
            return Vec::new();
        }
        let partial = self.model.partial(set);
        let term = |column: usize| self.model.columns[column].term;
        let is_open =
            |column: &usize| !set.contains(column) && is_such(term(*column)) && self.is_allowed(set, term(*column));
        let open = (0..self.model.columns.len()).filter(is_open);
        let mut gains: Vec<(f64, usize)> = open.map(|column| (partial(column).gain(term(column)), column)).collect();
        gains.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        gains
    }

    /// All sets, the best first.
    fn ranked(&self, by: impl Fn(&Fit) -> f64) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.found.len()).collect();
        let (of, set) = (|at: usize| by(&self.found[at].fit), |at: usize| &self.found[at].set);
        all.sort_by(|&a, &b| of(b).total_cmp(&of(a)).then_with(|| set(a).cmp(set(b))));
        all
    }

    /// How many of the sets are extended. Of those that explain as much as the last one none is preferred: else the
    /// order of flags would count.
    fn width(&self, parents: &[usize]) -> usize {
        /// Even so, at most this many times [`WIDTH`].
        const MOST: usize = 4;
        let bound = |&at: &usize| self.found[at].fit.bound;
        let Some(last) = parents.get(WIDTH - 1).map(bound) else { return parents.len() };
        parents.partition_point(|at| bound(at) >= last - 1e-9).min(MOST * WIDTH)
    }

    /// Adds every term to a set, but those that cannot reach `floor`: of these only this many as `spared`.
    fn extend(&mut self, parent: usize, floor: f64, spared: usize) {
        let Found { set, fit } = &self.found[parent];
        let (set, bound) = (set.clone(), fit.bound);
        if !self.extended.insert(set.clone()) {
            return;
        }
        let prior = self.model.ln_prior(&set);
        for (place, (gain, column)) in self.gains(&set, |_| true).into_iter().enumerate() {
            let larger = with(&set, column);
            let reached = bound + gain + self.model.ln_prior(&larger) - prior;
            // Single causes are all weighed: they are what sets are made of.
            if set.is_empty() || place < spared || reached + SLACK >= floor {
                self.weigh(larger);
            }
        }
    }

    fn is_allowed(&self, terms: &[usize], another: Term) -> bool {
        let count = |is: fn(Term) -> bool| terms.iter().filter(|&&term| is(self.model.columns[term].term)).count();
        match another {
            Term::Wrong(_) => count(|term| matches!(term, Term::Wrong(_))) < MAX_WRONG,
            Term::Program => true,
            Term::One(_) | Term::Both(..) | Term::Off(_) | Term::Without(..) => count(Term::is_culprit) < MAX_CULPRITS,
        }
    }

    /// The score of a set, which is kept.
    fn weigh(&mut self, set: Set) -> f64 {
        self.place(set).map_or(f64::NEG_INFINITY, |at| self.found[at].fit.score)
    }

    /// Where in `found` a set is, which is fitted if it is not there. None of growth beyond all bounds, which no
    /// judgement lets through.
    fn place(&mut self, set: Set) -> Option<usize> {
        if let Some(place) = self.seen.get(&set) {
            return *place;
        }
        let fit = self.model.fit(&set);
        let is_number = fit.score.is_finite() && fit.bound.is_finite();
        let place = is_number.then_some(self.found.len());
        self.seen.insert(set.clone(), place);
        if is_number {
            self.best = self.best.max(fit.score);
            self.found.push(Found { set, fit });
        }
        place
    }
}

fn with(set: &Set, column: usize) -> Set {
    let mut larger = set.clone();
    larger.push(column);
    larger.sort_unstable();
    larger
}

fn without(set: &Set, column: usize) -> Set {
    set.iter().copied().filter(|other| *other != column).collect()
}
