use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rand_distr::{Distribution as _, StandardNormal};

use super::super::model::{CREEP, Causes, Reading};
use super::super::posterior::Posterior;
use super::*;

/// Pairs, those that leak where they are off, and those that leak only where another is off.
fn all_causes(flags: usize) -> Causes {
    let ordered = (0..flags).flat_map(|one| (0..flags).map(move |other| (one, other)));
    let without: Vec<(usize, usize)> = ordered.filter(|(one, other)| one != other).collect();
    let together = without.iter().copied().filter(|(one, other)| one < other).collect();
    Causes { together, off: (0..flags).collect(), without }
}

fn reading(on: Vec<bool>, truth: &[(Term, f64)], noise: f64, error: f64) -> Reading {
    let at_work = truth.iter().filter(|(term, _)| term.is_active(&on));
    Reading { growth: at_work.map(|(_, effect)| effect).sum::<f64>() + noise * error, error, on }
}

/// Five flags that leak and a pair, among eleven, of the sizes and with the errors of cells of a minute
/// (`scenarios/bisect.toml`). By adding terms alone the search stopped at pairs that stood in for flags, twenty
/// logarithms below the truth.
#[test]
fn several_leaks_and_a_pair_are_found_behind_pairs_that_stand_in_for_them() {
    const FLAGS: usize = 11;
    let truth: Vec<(Term, f64)> = [2.4, 1.6, 1.2, 1.6, 2.0]
        .into_iter()
        .enumerate()
        .map(|(flag, effect)| (Term::One(flag), effect))
        .chain([(Term::Both(5, 6), 2.0)])
        .collect();
    // Sets that are spread as if they were drawn: a step of SplitMix64.
    let on = |cell: u64| {
        let mut bits = (cell + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (0..FLAGS).map(|flag| bits >> (flag + 40) & 1 == 1).collect::<Vec<bool>>()
    };
    let readings: Vec<Reading> = (0..40)
        .map(on)
        .map(|on| {
            let error = if on[4] || on[10] { 0.8 } else { 0.15 };
            reading(on, &truth, 0.0, error)
        })
        .collect();
    for causes in [Causes { together: all_causes(FLAGS).together, ..Causes::default() }, all_causes(FLAGS)] {
        let posterior = Posterior::of(&readings, &causes);
        let best: BTreeSet<Term> = posterior.hypotheses[0].terms.iter().copied().collect();
        assert_eq!(best, truth.iter().map(|(term, _)| *term).collect(), "{:?}", posterior.hypotheses[0]);
    }
}

/// Up to six causes of any kind.
fn drawn_truth(flags: usize, random: &mut ChaCha8Rng) -> Vec<(Term, f64)> {
    let mut below = |most: usize| random.next_u32() as usize % most;
    let mut truth: Vec<(Term, f64)> = Vec::new();
    for _ in 0..=below(6) {
        let (one, other) = (below(flags), below(flags));
        let term = match below(10) {
            6..8 if one != other => Term::Both(one.min(other), one.max(other)),
            8 if one != other => Term::Without(one, other),
            _ => Term::One(one),
        };
        if truth.iter().all(|(known, _)| *known != term) {
            truth.push((term, 1.2 + below(1000) as f64 / 250.0));
        }
    }
    truth
}

#[test]
fn the_search_never_stops_far_below_the_truth() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for (flags, cells) in [(8, 24), (11, 40), (16, 32)] {
        for _ in 0..12 {
            let truth = drawn_truth(flags, &mut random);
            let readings: Vec<Reading> = (0..cells)
                .map(|_| {
                    let on: Vec<bool> = (0..flags).map(|_| random.next_u32() % 2 == 0).collect();
                    let error = if on[0] { 0.6 } else { 0.15 };
                    reading(on, &truth, StandardNormal.sample(&mut random), error)
                })
                .collect();
            let model = Model::new(&readings, &all_causes(flags), CREEP).expect("a model");
            // What no cell shows has no column, and is not a part of what can be found.
            let mut set: Set = truth.iter().filter_map(|(term, _)| model.column(*term)).collect();
            set.sort_unstable();
            let best = found(&model).iter().map(|found| found.fit.score).fold(f64::NEG_INFINITY, f64::max);
            let behind = model.fit(&set).score - best;
            assert!(behind < 2.5, "{flags} flags, {cells} cells: {behind} below {truth:?}");
        }
    }
}

/// Every set that a hypothesis may be.
fn all_sets(model: &Model) -> Vec<Set> {
    let is_whole = |set: &Set| {
        let count = |is: fn(Term) -> bool| set.iter().filter(|&&column| is(model.columns[column].term)).count();
        count(Term::is_culprit) <= MAX_CULPRITS && count(|term| matches!(term, Term::Wrong(_))) <= MAX_WRONG
    };
    (0..model.columns.len()).fold(vec![Vec::new()], |sets, column| {
        let larger: Vec<Set> = sets.iter().map(|set| with(set, column)).filter(is_whole).collect();
        sets.into_iter().chain(larger).collect()
    })
}

/// The logarithm of the sum of what these are the logarithms of.
fn ln_sum<'s>(sets: impl Iterator<Item = &'s (Set, f64)>) -> f64 {
    sets.fold(f64::NEG_INFINITY, |sum, (_, score)| {
        let (more, less) = (sum.max(*score), sum.min(*score));
        if less == f64::NEG_INFINITY { more } else { more + (less - more).exp().ln_1p() }
    })
}

/// The oracle: all sets that there are, weighed one by one.
#[test]
fn each_cause_is_as_likely_as_all_sets_together_say() {
    const FLAGS: usize = 4;
    let mut random = ChaCha8Rng::seed_from_u64(9);
    for case in 0..10 {
        let truth = drawn_truth(FLAGS, &mut random);
        let readings: Vec<Reading> = (0..6)
            .map(|_| {
                let on: Vec<bool> = (0..FLAGS).map(|_| random.next_u32() % 2 == 0).collect();
                reading(on, &truth, StandardNormal.sample(&mut random), 0.15)
            })
            .collect();
        let causes = Causes { together: all_causes(FLAGS).together, ..Causes::default() };
        let model = Model::new(&readings, &causes, CREEP).expect("a model");
        let weigh = |set: Set| (set.clone(), model.fit(&set).score);
        let all: Vec<(Set, f64)> = all_sets(&model).into_iter().map(weigh).collect();
        let found: Vec<(Set, f64)> = found(&model).into_iter().map(|found| (found.set, found.fit.score)).collect();
        for column in 0..model.columns.len() {
            let share = |sets: &[(Set, f64)]| {
                (ln_sum(sets.iter().filter(|(set, _)| set.contains(&column))) - ln_sum(sets.iter())).exp()
            };
            let (found, all) = (share(&found), share(&all));
            let term = model.columns[column].term;
            assert!(
                (found - all).abs() < 0.01,
                "case {case}, {term:?}: {found} of {all}; truth {truth:?}, cells {readings:?}"
            );
        }
    }
}
