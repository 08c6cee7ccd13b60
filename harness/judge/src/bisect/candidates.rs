//! Which cell would tell most: the sets of flags that are considered, and what each is expected to tell.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::isolation::model::Term;
use crate::isolation::posterior::Hypothesis;

/// Sets that are drawn, at these densities (docs/isolation.md, where the numbers come from).
const DRAWN: usize = 160;
/// See [`DRAWN`].
const DENSITIES: (f64, f64) = (0.15, 0.85);
/// Hypotheses whose neighbourhood is considered.
const NEIGHBOURHOODS: usize = 4;

/// The likeliest hypotheses of which the neighbourhood is considered.
pub(super) fn neighbourhoods(hypotheses: &[Hypothesis]) -> &[Hypothesis] {
    &hypotheses[..hypotheses.len().min(NEIGHBOURHOODS)]
}

/// Sets of `flags` flags that may tell something: all, none, each alone, all but and only the culprits of these
/// hypotheses or each of them, and random ones; of those that are not feasible as large a part as is. The same seed
/// gives the same.
pub(super) fn candidates(
    flags: usize,
    hypotheses: &[&Hypothesis],
    seed: u64,
    is_feasible: impl Fn(&Vec<bool>) -> bool,
) -> Vec<Vec<bool>> {
    let mut sets = vec![vec![true; flags], vec![false; flags]];
    for hypothesis in hypotheses {
        let involved: Vec<usize> =
            (0..flags).filter(|&flag| hypothesis.culprits().any(|term: Term| term.involves(flag))).collect();
        for on in [true, false] {
            let turned = |which: &[usize]| {
                let mut set = vec![on; flags];
                for &flag in which {
                    set[flag] = !on;
                }
                set
            };
            sets.push(turned(&involved));
            sets.extend(involved.iter().map(|&flag| turned(&[flag])));
        }
    }
    sets.extend((0..flags).map(|flag| (0..flags).map(|other| other == flag).collect()));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut share = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    for _ in 0..DRAWN {
        let density = DENSITIES.0 + (DENSITIES.1 - DENSITIES.0) * share();
        sets.push((0..flags).map(|_| share() < density).collect());
    }
    let mut feasible: Vec<Vec<bool>> = sets.into_iter().filter_map(|set| feasible_part(set, &is_feasible)).collect();
    feasible.sort();
    feasible.dedup();
    feasible
}

/// `set`, or what of it can be on together, from the first flag to the last. A flag that needs a later one is tried
/// again.
fn feasible_part(set: Vec<bool>, is_feasible: &impl Fn(&Vec<bool>) -> bool) -> Option<Vec<bool>> {
    if is_feasible(&set) {
        return Some(set);
    }
    let mut part = vec![false; set.len()];
    loop {
        let before = part.clone();
        for flag in (0..set.len()).filter(|&flag| set[flag]) {
            let was = std::mem::replace(&mut part[flag], true);
            part[flag] = was || is_feasible(&part);
        }
        if part == before {
            break;
        }
    }
    is_feasible(&part).then_some(part)
}

/// Information, in bits, that a cell with these flags on is expected to give about which hypothesis holds, at this
/// standard error of its growth, to which each flag adds what innocent ones grow by, `creep`. A lower bound for a
/// mixture of normal distributions (Kolchinsky and Tracey, 2017), by Bhattacharyya's distances.
pub(super) fn information(hypotheses: &[Hypothesis], on: &[bool], error: f64, creep: f64) -> f64 {
    let creeping = on.iter().filter(|on| **on).count() as f64 + 2.0;
    let noise = error * error + creep * creep * creeping;
    let foretold = foretold(hypotheses, on, noise);
    let confused = |mean: f64, variance: f64| -> f64 {
        foretold
            .iter()
            .map(|(weight, other_mean, other_variance)| {
                let both = variance + other_variance;
                let overlap = (2.0 * (variance * other_variance).sqrt() / both).sqrt();
                weight * overlap * (-(mean - other_mean).powi(2) / (4.0 * both)).exp()
            })
            .sum()
    };
    -foretold.iter().map(|(weight, mean, variance)| weight * confused(*mean, *variance).log2()).sum::<f64>()
}

/// What the hypotheses foretell: weight, mean and variance; those that nobody could tell apart are one.
fn foretold(hypotheses: &[Hypothesis], on: &[bool], noise: f64) -> Vec<(f64, f64, f64)> {
    let mut alike: BTreeMap<(i64, i64), (f64, f64, f64)> = BTreeMap::new();
    for hypothesis in hypotheses {
        let active = hypothesis.terms.iter().zip(&hypothesis.effects).filter(|(term, _)| term.is_active(on));
        let (mean, variance) = active.fold((0.0, noise), |(mean, variance), (_, (effect, deviation))| {
            (mean + effect, variance + deviation * deviation)
        });
        let place = ((2.0 * mean / noise.sqrt()).round() as i64, (2.0 * (variance / noise).ln()).round() as i64);
        let (weight, means, variances) = alike.entry(place).or_default();
        *weight += hypothesis.probability;
        *means += hypothesis.probability * mean;
        *variances += hypothesis.probability * variance;
    }
    alike.into_values().map(|(weight, means, variances)| (weight, means / weight, variances / weight)).collect()
}
