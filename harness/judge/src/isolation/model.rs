//! The sparse model: the growth of every cell as a sum of few effects, each of at least what is worth finding, under
//! noise and the creep of innocent flags. Gives the evidence for a set of terms in closed form.
//!
//! All growth here is in units of what is worth finding.

use super::tail::{ln_above, ln_all_above};
use crate::stats::cholesky::{Triangle, dot};

/// What may cause growth beside each factor by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Causes {
    /// Two that may leak only together.
    pub(crate) together: Vec<(usize, usize)>,
    /// Those without which memory may grow.
    pub(crate) off: Vec<usize>,
    /// The first may leak only where the second is off.
    pub(crate) without: Vec<(usize, usize)>,
}

impl Causes {
    /// All that these cells could show: factors that `may_pair` leak together, and flags may be what keeps memory from
    /// growing.
    pub(crate) fn shown(
        readings: &[Reading],
        is_flag: impl Fn(usize) -> bool,
        may_pair: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let count = readings.first().map_or(0, |reading| reading.on.len());
        let varies = |factor: usize| readings.iter().any(|reading| reading.on[factor] != readings[0].on[factor]);
        let meet = |one: usize, other: usize| readings.iter().any(|reading| reading.on[one] && reading.on[other]);
        let pairs = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
        let off: Vec<usize> = (0..count).filter(|&factor| is_flag(factor) && varies(factor)).collect();
        // Of two that are never on together one is always without the other.
        let is_without =
            |&(one, cleaner): &(usize, usize)| one != cleaner && off.contains(&cleaner) && meet(one, cleaner);
        let without = pairs.clone().filter(is_without).collect();
        let together = pairs.filter(|&(one, other)| one < other && may_pair(one, other)).collect();
        Self { together, off, without }
    }
}

/// What a cell says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Of each factor, whether it was on.
    pub(crate) on: Vec<bool>,
    /// Growth.
    pub(crate) growth: f64,
    /// Its standard error.
    pub(crate) error: f64,
}

/// One cause of growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Term {
    /// The program grows whatever is on.
    Program,
    /// A factor adds growth by itself.
    One(usize),
    /// Two factors add growth where both are on.
    Both(usize, usize),
    /// A factor keeps memory from growing: it grows where that is off.
    Off(usize),
    /// The first factor adds growth only where the second is off, which cleans up after it.
    Without(usize, usize),
    /// A cell grew by something that is none of these: the one in which a cache had not filled, or a judgement that is
    /// wrong.
    Wrong(usize),
}

impl Term {
    /// Whether it is at work where these factors are on.
    pub(crate) fn is_active(self, on: &[bool]) -> bool {
        match self {
            Self::Program => true,
            Self::One(factor) => on[factor],
            Self::Both(one, other) => on[one] && on[other],
            Self::Off(factor) => !on[factor],
            Self::Without(factor, cleaner) => on[factor] && !on[cleaner],
            Self::Wrong(_) => false,
        }
    }

    /// Whether it is at work where `factor` is on, and only there.
    pub(crate) fn involves(self, factor: usize) -> bool {
        match self {
            Self::One(one) | Self::Without(one, _) => one == factor,
            Self::Both(one, other) => one == factor || other == factor,
            Self::Program | Self::Off(_) | Self::Wrong(_) => false,
        }
    }

    /// Whether it is a finding about factors.
    pub(crate) fn is_culprit(self) -> bool {
        matches!(self, Self::One(_) | Self::Both(..) | Self::Off(_) | Self::Without(..))
    }
}

/// Probability that no factor leaks. With as much on the other side, evidence of 19 to 1 is needed to name one at 0.95,
/// and where nothing leaks evidence reaches x to 1 with a probability of at most 1/x, *however many factors there are*.
const NOTHING: f64 = 0.5;
/// Of culprits beyond the first, each has this probability: several leaks are the normal case.
const ANOTHER: f64 = 0.3;
/// Share of culprits that are two factors together. In the first simulations it was .15 of .9 (docs/isolation.md, where
/// the numbers come from).
const TOGETHER: f64 = 0.2;
/// Share of culprits that leak where they are off: what is switched is mostly what is new, and what cleans up is on in
/// production.
const OFF: f64 = 0.1;
/// Share of culprits that leak only where another factor is off: a cache of which eviction is a flag. So small because
/// there are this many of them, and in most designs one of them looks like any pair.
const WITHOUT: f64 = 0.05;
/// Probability that the program leaks by itself.
const PROGRAM: f64 = 0.1;
/// Probability that the growth of a cell is not what its interval says: leaks were found in 0.1 % of soaks of half an
/// hour or more that had none (METHOD.md), half as often in each direction.
const WRONG: f64 = 0.0005;

/// Growth that innocent factors, and the program, have by chance: 0.3 B/request where 4 are worth finding
/// (docs/isolation.md, where the numbers come from).
pub(crate) const CREEP: f64 = 0.075;

/// The same of what one stack keeps: innocent factors do not allocate there. What is left is that a leak costs more in
/// one cell than in another, which its errors hold already.
pub(crate) const STACK_CREEP: f64 = 0.02;

/// Sizes that effects may be of: half-normals of these deviations. The first simulations had the first; the others are
/// there because leaks of kilobytes were found where 4 B were worth finding, and a narrow prior shares those out among
/// the innocent.
const SCALES: [f64; 8] = [3.0, 12.0, 48.0, 192.0, 768.0, 3072.0, 12_288.0, 49_152.0];
const WIDEST: f64 = SCALES[SCALES.len() - 1];

/// Most terms of a hypothesis.
pub(super) const MAX_TERMS: usize = 8;

/// Numbers of a hypothesis' terms.
pub(super) type Vector = [f64; MAX_TERMS];
type Matrix = [[f64; MAX_TERMS]; MAX_TERMS];

/// A possible cause, with the logarithm of its prior probability among those of its kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) term: Term,
    pub(super) ln_prior: f64,
}

/// All columns, whitened, in one Gram matrix: a hypothesis needs but a corner of it.
pub(super) struct Model {
    pub(super) columns: Vec<Column>,
    gram: Vec<f64>,
    with_growth: Vec<f64>,
}

/// The cells in coordinates in which their noise is independent, and of one size.
pub(super) struct Whitened<'r> {
    readings: &'r [Reading],
    noise: Triangle,
    pub(super) growth: Vec<f64>,
}

impl<'r> Whitened<'r> {
    /// None if no covariance comes of the numbers.
    /// Factors add growth of the size `creep` by chance.
    pub(super) fn of(readings: &'r [Reading], creep: f64) -> Option<Self> {
        let noise = Triangle::factor(readings.len(), |i, j| {
            let (one, other) = (&readings[i], &readings[j]);
            let shared = one.on.iter().zip(&other.on).filter(|(a, b)| **a && **b).count() as f64 + 1.0;
            let own = if i == j { one.error * one.error + creep * creep } else { 0.0 };
            creep * creep * shared + own
        })?;
        let mut growth: Vec<f64> = readings.iter().map(|reading| reading.growth).collect();
        noise.solve_rows(&mut growth, 1);
        Some(Self { readings, noise, growth })
    }

    /// In which cells `term` is at work.
    pub(super) fn column(&self, term: Term) -> Vec<f64> {
        let acts = |cell: usize, on: &[bool]| term.is_active(on) || term == Term::Wrong(cell);
        let cells = self.readings.iter().enumerate();
        let mut column: Vec<f64> = cells.map(|(cell, reading)| f64::from(u8::from(acts(cell, &reading.on)))).collect();
        self.noise.solve_rows(&mut column, 1);
        column
    }
}

/// How well a set of terms explains the cells.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// Logarithm of prior and evidence, over that of noise alone.
    pub(super) score: f64,
    /// The same as if effects could be of any size and sign: what more terms can reach begins here.
    pub(super) bound: f64,
    pub(super) mean: Vector,
    pub(super) deviation: Vector,
}

/// Normal distribution of the effects of a set of terms.
struct Effects {
    mean: Vector,
    covariance: Matrix,
    ln_evidence: f64,
}

impl Model {
    /// With these columns.
    pub(super) fn of(columns: Vec<Column>, cells: &Whitened<'_>) -> Self {
        let whitened: Vec<Vec<f64>> = columns.iter().map(|column| cells.column(column.term)).collect();
        let gram = whitened.iter().flat_map(|a| whitened.iter().map(|b| dot(a, b))).collect();
        let with_growth = whitened.iter().map(|column| dot(column, &cells.growth)).collect();
        Self { columns, gram, with_growth }
    }

    /// The place of `term`, if some cell could show it.
    pub(super) fn column(&self, term: Term) -> Option<usize> {
        self.columns.iter().position(|column| column.term == term)
    }

    fn gram(&self, a: usize, b: usize) -> f64 {
        self.gram[a * self.columns.len() + b]
    }

    /// How well `terms` explain the cells.
    pub(super) fn fit(&self, terms: &[usize]) -> Fit {
        let wide = self.effects(terms, &[WIDEST; MAX_TERMS]);
        let mut scales = [WIDEST; MAX_TERMS];
        let mut prior = self.ln_prior(terms);
        let mut truncated = Vec::with_capacity(MAX_TERMS);
        for (i, &term) in terms.iter().enumerate() {
            let at_least = !matches!(self.columns[term].term, Term::Wrong(_));
            let (scale, ln_weight) = scale_of(wide.mean[i], at_least);
            scales[i] = scale;
            prior += ln_weight;
            if at_least {
                truncated.push(i);
            }
        }
        let effects = self.effects(terms, &scales);
        let bound = prior + effects.ln_evidence;
        let score = bound + ln_all_above(1.0, &truncated, effects.mean, effects.covariance);
        let mut deviation = [0.0; MAX_TERMS];
        (0..terms.len()).for_each(|i| deviation[i] = effects.covariance[i][i].sqrt());
        Fit { score, bound, mean: effects.mean, deviation }
    }

    /// The effect of `column` beside `terms`, as the cells alone tell it: mean and deviation. None if they do not tell
    /// it.
    pub(super) fn beside(&self, terms: &[usize], column: usize) -> Option<(f64, f64)> {
        let partial = self.partial(terms)(column);
        partial.is_told.then(|| (partial.slope / partial.weight, partial.weight.powf(-0.5)))
    }

    /// What any column says beyond `terms`.
    pub(super) fn partial<'m>(&'m self, terms: &[usize]) -> impl Fn(usize) -> Partial + use<'m> {
        let beyond = self.beyond(terms);
        let terms = terms.to_vec();
        move |column| {
            let gram = |nth: usize| self.gram(column, terms[nth]);
            beyond.partial(self.gram(column, column), self.with_growth[column], gram)
        }
    }

    /// What `terms` leave of growth, effects being of any size.
    pub(super) fn beyond(&self, terms: &[usize]) -> Beyond {
        Beyond { count: terms.len(), effects: self.effects(terms, &[WIDEST; MAX_TERMS]) }
    }

    /// Ridge regression on `terms`: normal effects of these deviations, and the evidence for them over noise alone.
    fn effects(&self, terms: &[usize], scales: &Vector) -> Effects {
        let n = terms.len();
        let mut effects =
            Effects { mean: [0.0; MAX_TERMS], covariance: [[0.0; MAX_TERMS]; MAX_TERMS], ln_evidence: 0.0 };
        // L Lᵀ = Gram + 1/scale², and beside it its inverse, column by column.
        let mut lower: Matrix = [[0.0; MAX_TERMS]; MAX_TERMS];
        let mut inverse: Matrix = [[0.0; MAX_TERMS]; MAX_TERMS];
        for i in 0..n {
            for j in 0..=i {
                let ridge = if i == j { scales[i].powi(-2) } else { 0.0 };
                let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
                let rest = self.gram(terms[i], terms[j]) + ridge - known;
                lower[i][j] = if i == j { rest.max(ridge).sqrt() } else { rest / lower[j][j] };
            }
            effects.ln_evidence -= (lower[i][i] * scales[i]).ln();
            let (above, rest) = inverse.split_at_mut(i);
            for (j, entry) in rest[0].iter_mut().enumerate().take(i + 1) {
                let known: f64 = (j..i).map(|k| lower[i][k] * above[k][j]).sum();
                *entry = (f64::from(u8::from(i == j)) - known) / lower[i][i];
            }
        }
        for i in 0..n {
            for j in 0..n {
                effects.covariance[i][j] = (i.max(j)..n).map(|k| inverse[k][i] * inverse[k][j]).sum();
            }
        }
        for i in 0..n {
            effects.mean[i] = (0..n).map(|j| effects.covariance[i][j] * self.with_growth[terms[j]]).sum();
            effects.ln_evidence += 0.5 * effects.mean[i] * self.with_growth[terms[i]];
        }
        effects
    }

    /// Logarithm of the prior probability of `terms`.
    pub(super) fn ln_prior(&self, terms: &[usize]) -> f64 {
        let each: f64 = terms.iter().map(|&term| self.columns[term].ln_prior).sum();
        each + ln_prior_of(self.culprits(terms))
    }

    /// How many of `terms` are findings about factors.
    pub(super) fn culprits(&self, terms: &[usize]) -> usize {
        terms.iter().filter(|&&term| self.columns[term].term.is_culprit()).count()
    }
}

/// Logarithm of the prior probability that there are this many culprits, each of which has its own share besides.
pub(super) fn ln_prior_of(culprits: usize) -> f64 {
    if culprits == 0 {
        return NOTHING.ln();
    }
    // The same set comes of as many draws as it has orders.
    let orders: f64 = (1..=culprits).map(|n| (n as f64).ln()).sum();
    (1.0 - NOTHING).ln() + (1.0 - ANOTHER).ln() + (culprits as f64 - 1.0) * ANOTHER.ln() + orders
}

/// What some terms leave of growth.
pub(super) struct Beyond {
    count: usize,
    effects: Effects,
}

impl Beyond {
    /// Of a column with this product with itself, with growth, and with the `nth` of the terms.
    pub(super) fn partial(&self, own: f64, with_growth: f64, gram: impl Fn(usize) -> f64) -> Partial {
        let (mut weight, mut slope) = (own, with_growth);
        for i in 0..self.count {
            slope -= gram(i) * self.effects.mean[i];
            for j in 0..self.count {
                weight -= gram(i) * self.effects.covariance[i][j] * gram(j);
            }
        }
        // What is left of a column that the others make up is rounding.
        Partial { slope, weight: weight.max(1e-9 * own), is_told: weight > 1e-6 * own }
    }
}

/// What a column says beyond some terms: its regression on what they leave of growth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partial {
    slope: f64,
    weight: f64,
    is_told: bool,
}

impl Partial {
    /// The most that evidence can gain by it.
    pub(super) fn gain(&self, term: Term) -> f64 {
        let grows = self.slope > 0.0 || matches!(term, Term::Wrong(_));
        if grows { self.slope * self.slope / (2.0 * self.weight) } else { 0.0 }
    }
}

/// Every cause that some cell could show.
pub(super) fn columns(readings: &[Reading], causes: &Causes) -> Vec<Column> {
    let is_seen = |term: &Term| readings.iter().any(|reading| term.is_active(&reading.on));
    let factors = readings.first().map_or(0, |reading| reading.on.len());
    let seen = |terms: Vec<Term>| -> Vec<Term> { terms.into_iter().filter(is_seen).collect() };
    let ones = seen((0..factors).map(Term::One).collect());
    let kinds = [
        (TOGETHER, seen(causes.together.iter().map(|&(one, other)| Term::Both(one, other)).collect())),
        (OFF, seen(causes.off.iter().copied().map(Term::Off).collect())),
        (WITHOUT, seen(causes.without.iter().map(|&(one, cleaner)| Term::Without(one, cleaner)).collect())),
    ];
    let of_others: f64 = kinds.iter().filter(|(_, terms)| !terms.is_empty()).map(|(share, _)| share).sum();
    let of_kind = |(share, terms): (f64, Vec<Term>)| {
        let ln_prior = (share / terms.len().max(1) as f64).ln();
        terms.into_iter().map(move |term| Column { term, ln_prior })
    };
    let program = [Column { term: Term::Program, ln_prior: (PROGRAM / (1.0 - PROGRAM)).ln() }];
    program
        .into_iter()
        .chain(std::iter::once((1.0 - of_others, ones)).chain(kinds).flat_map(of_kind))
        .chain((0..readings.len()).map(|cell| Column { term: Term::Wrong(cell), ln_prior: WRONG.ln() }))
        .collect()
}

/// The scale that suits an effect best, with the logarithm of what it costs: smaller leaks are the likelier ones, by
/// half from one scale to the next. `at_least`: the effect is none below what is worth finding.
fn scale_of(effect: f64, at_least: bool) -> (f64, f64) {
    let mut best = (WIDEST, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for (n, scale) in SCALES.into_iter().enumerate() {
        let ln_cut = if at_least { ln_above(1.0 / scale) } else { 0.0 };
        let ln_weight = -(n as f64 + 1.0) * std::f64::consts::LN_2 - ln_cut;
        let suits = ln_weight - scale.ln() - 0.5 * (effect / scale).powi(2);
        if suits > best.1 {
            best = (scale, suits, ln_weight);
        }
    }
    (best.0, best.2)
}
