use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rand_distr::{Distribution as _, StandardNormal};

use super::super::model::{Causes, Reading};
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

/// Five flags that leak and a pair, among eleven, of the sizes and with the errors of cells of a minute (`scenarios/bisect.toml`). By
/// adding terms alone the search stopped at pairs that stood in for flags, twenty logarithms below the truth.
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
            let model = Model::new(&readings, &all_causes(flags)).expect("a model");
            // What no cell shows has no column, and is no part of what can be found.
            let mut set: Set = truth.iter().filter_map(|(term, _)| model.column(*term)).collect();
            set.sort_unstable();
            let best = found(&model).iter().map(|found| found.fit.score).fold(f64::NEG_INFINITY, f64::max);
            let behind = model.fit(&set).score - best;
            assert!(behind < LIKELY, "{flags} flags, {cells} cells: {behind} below {truth:?}");
        }
    }
}
