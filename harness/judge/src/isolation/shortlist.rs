//! Which pairs of factors are weighed where there are too many to weigh them all: 300 flags have 135,000, and a Gram
//! matrix of those would take 140 GB.
//!
//! Every single cause is weighed, and of the pairs those that could explain most of what the best sets so far leave, or
//! could stand in for one of their terms. Where even the likely ones are too many, some stand for the others: no pair
//! gets a share that is not its own or its like's, and none of the likely ones is left out silently.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::model::{Beyond, Causes, Column, Model, Reading, Term, Whitened, columns, ln_prior_of};
use super::search::{self, Found, NEGLIGIBLE, SLACK, Set};
use crate::stats::cholesky::dot;

/// So many causes are weighed at most: all of 36 flags with all their pairs, in both ways. Their Gram matrix takes 32
/// MB.
const MAX_WEIGHED: usize = 2_000;

/// Room for pairs that there is at least, however many single causes there are.
const LEAST_PAIRS: usize = 500;

/// Pairs are chosen by what the best this many sets leave, and what those leave with one term less.
const SETS: usize = 4;

/// Once the pairs are in, other sets may be the best: they are chosen again, so often at most.
const ROUNDS: usize = 3;

impl Model {
    /// Of the cells, with these possible causes: all of them, or where there are too many the likely ones. None if no
    /// covariance comes of the numbers.
    pub(super) fn new(readings: &[Reading], causes: &Causes, creep: f64) -> Option<Self> {
        let cells = Whitened::of(readings, creep)?;
        let columns = columns(readings, causes);
        let columns = if columns.len() > MAX_WEIGHED { shortlist(columns, &cells, MAX_WEIGHED) } else { columns };
        Some(Self::of(columns, &cells))
    }
}

/// All of `columns` that are single causes, and the likeliest of the others: `most` together, or little more.
fn shortlist(columns: Vec<Column>, cells: &Whitened<'_>, most: usize) -> Vec<Column> {
    let is_pair = |column: &Column| matches!(column.term, Term::Both(..) | Term::Without(..));
    let (pairs, single): (Vec<Column>, Vec<Column>) = columns.into_iter().partition(is_pair);
    let room = most.saturating_sub(single.len()).max(LEAST_PAIRS.min(most / 4));
    let mut weighed = single.clone();
    let mut best = f64::NEG_INFINITY;
    for _ in 0..ROUNDS {
        let model = Model::of(weighed.clone(), cells);
        let found = search::best(&model, SETS);
        let reached = found.first().map_or(f64::NEG_INFINITY, |found| found.fit.score);
        if reached <= best + 1e-9 {
            break;
        }
        best = reached;
        weighed = [single.clone(), likely(&pairs, &Explained::of(&model, &found, cells), cells, room)].concat();
    }
    weighed
}

/// Sets of terms that explain growth well, and what each leaves.
struct Explained {
    sets: Vec<Rest>,
    best: f64,
}

/// What a set of terms leaves.
struct Rest {
    beyond: Beyond,
    whitened: Vec<Vec<f64>>,
    bound: f64,
    culprits: usize,
}

impl Explained {
    fn of(model: &Model, found: &[Found], cells: &Whitened<'_>) -> Self {
        let fewer =
            |set: &Set| (0..set.len()).map(|left_out| [&set[..left_out], &set[left_out + 1..]].concat()).collect();
        let mut sets: Vec<Set> = found.iter().map(|found| found.set.clone()).collect();
        sets.extend(found.iter().flat_map(|found| -> Vec<Set> { fewer(&found.set) }));
        sets.push(Set::new());
        sets.sort();
        sets.dedup();
        let rest = |set: &Set| Rest {
            beyond: model.beyond(set),
            whitened: set.iter().map(|&column| cells.column(model.columns[column].term)).collect(),
            bound: model.fit(set).bound,
            culprits: model.culprits(set),
        };
        let best = found.first().map_or(f64::NEG_INFINITY, |found| found.fit.score);
        Self { sets: sets.iter().map(rest).collect(), best }
    }

    /// The most that one of the sets could reach with `column` beside its terms.
    fn reached(&self, column: &Column, cells: &Whitened<'_>) -> f64 {
        let whitened = cells.column(column.term);
        let (own, with_growth) = (dot(&whitened, &whitened), dot(&whitened, &cells.growth));
        let with = |rest: &Rest| {
            let partial = rest.beyond.partial(own, with_growth, |nth| dot(&whitened, &rest.whitened[nth]));
            let prior = column.ln_prior + ln_prior_of(rest.culprits + 1) - ln_prior_of(rest.culprits);
            rest.bound + partial.gain(column.term) + prior
        };
        self.sets.iter().map(with).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// So many of `pairs` as there is `room` for, the likeliest. Where more than those are likely, half of the room is for
/// some that stand for all the others: evenly chosen among them, and each as likely beforehand as those it stands for
/// together.
fn likely(pairs: &[Column], explained: &Explained, cells: &Whitened<'_>, room: usize) -> Vec<Column> {
    let mut reached: Vec<(f64, &Column)> =
        pairs.iter().map(|column| (explained.reached(column, cells), column)).collect();
    // Those that reach the same stay in the order of their factors.
    reached.sort_by(|a, b| b.0.total_cmp(&a.0));
    let floor = explained.best - NEGLIGIBLE - SLACK;
    let likely = reached.partition_point(|(reached, _)| *reached >= floor);
    let column = |(_, column): &(f64, &Column)| **column;
    if likely <= room {
        return reached.iter().take(room).map(column).collect();
    }
    let (first, others) = reached[..likely].split_at(room / 2);
    let stand_ins = room - first.len();
    let each = others.len() as f64 / stand_ins as f64;
    let mut random = ChaCha8Rng::seed_from_u64(others.len() as u64);
    let stand_in = |nth: usize| {
        let (from, to) = ((nth as f64 * each) as usize, ((nth + 1) as f64 * each) as usize);
        let place = from + random.next_u64() as usize % (to - from).max(1);
        let column = others[place.min(others.len() - 1)].1;
        Column { ln_prior: column.ln_prior + each.ln(), ..*column }
    };
    first.iter().map(column).chain((0..stand_ins).map(stand_in).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand_distr::{Distribution as _, StandardNormal};

    use super::super::model::CREEP;
    use super::*;

    /// Cells with about half of the flags on, and first one with all and one with none.
    fn cells(flags: usize, count: usize, truth: &[(Term, f64)], random: &mut ChaCha8Rng) -> Vec<Reading> {
        let reading = |nth: usize, random: &mut ChaCha8Rng| {
            let on: Vec<bool> =
                (0..flags).map(|_| if nth < 2 { nth == 0 } else { random.next_u32().is_multiple_of(2) }).collect();
            let noise: f64 = StandardNormal.sample(random);
            let at_work = truth.iter().filter(|(term, _)| term.is_active(&on));
            Reading { growth: at_work.map(|(_, effect)| effect).sum::<f64>() + 0.15 * noise, error: 0.15, on }
        };
        (0..count).map(|nth| reading(nth, random)).collect()
    }

    /// Of two cells no pair is likelier than another.
    #[test]
    fn those_that_stand_for_others_are_as_likely_as_these_together_and_favour_no_flag() {
        const FLAGS: usize = 60;
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let readings = cells(FLAGS, 2, &[(Term::Both(3, 11), 4.0)], &mut random);
        let whitened = Whitened::of(&readings, CREEP).expect("a covariance");
        let pairs: Vec<(usize, usize)> =
            (0..FLAGS).flat_map(|one| (one + 1..FLAGS).map(move |other| (one, other))).collect();
        let pair = |&(one, other): &(usize, usize)| Column { term: Term::Both(one, other), ln_prior: -9.0 };
        let columns: Vec<Column> = pairs.iter().map(pair).collect();
        let chosen = shortlist(columns, &whitened, 300);
        assert_eq!(chosen.len(), 300);
        let weight = |column: &Column| column.ln_prior.exp();
        let all = pairs.len() as f64 * (-9.0_f64).exp();
        let kept: f64 = chosen.iter().map(weight).sum();
        assert!((kept / all - 1.0).abs() < 1e-9, "{kept} of {all}");
        let mut by_flag: BTreeMap<usize, f64> = BTreeMap::new();
        for column in &chosen {
            for flag in (0..FLAGS).filter(|flag| column.term.involves(*flag)) {
                *by_flag.entry(flag).or_default() += weight(column) / kept;
            }
        }
        // Each has 2 of 60.
        assert!(by_flag.len() == FLAGS && by_flag.values().all(|share| *share < 0.1), "{by_flag:?}");
    }
}
