//! Covering arrays: few rows in which every combination of any two, or any three, factors stands that the constraints allow.
//!
//! Greedy, one row at a time, with the constraints kept while a row is made (as in AETG: Cohen et al., IEEE TSE 23, 1997): rows that
//! are filtered afterwards would take combinations with them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::clauses::Known;
use super::model::Model;

/// A combination that no row can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impossible {
    /// What would be together.
    pub together: Vec<String>,
    /// The constraints against it, in words.
    pub reason: String,
}

/// So many rows are tried for each that is taken. With 1, 3, 10 and 30, 24 flags take 12.3, 11.3, 11.0 and 11.3 rows for any two of
/// them, and 32.5, 30.3, 28.8 and 27.8 for any three (means over four seeds).
const TRIED: usize = 10;
/// Keeps this stream apart from that of the order.
const STREAM: u64 = 0x7061_6972;

/// Levels of free factors by one number each, and which of their combinations still lack a row.
struct Cover<'m> {
    model: &'m Model,
    /// Factor and level of each number.
    levels: Vec<(usize, usize)>,
    /// How many stand together.
    strength: usize,
    /// Whether the combination lacks a row, by its numbers in ascending order.
    lacking: Vec<bool>,
    left: usize,
}

/// The rows, seeded with `first`, and the combinations that none can have.
pub(super) fn pairwise(
    model: &Model,
    free: &[(usize, Vec<usize>)],
    strength: usize,
    first: &[bool],
    seed: u64,
) -> (Vec<Vec<bool>>, Vec<Impossible>) {
    let (mut cover, impossible) = Cover::new(model, free, strength.min(free.len()));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(STREAM);
    let mut rows = Vec::new();
    if model.excluding.broken_by(first).is_none() {
        cover.count(first);
        rows.push(first.to_vec());
    }
    while cover.left > 0 {
        let tried: Vec<Vec<bool>> = (0..TRIED).filter_map(|_| cover.row(&mut random)).collect();
        let best = tried.into_iter().rev().max_by_key(|row| cover.gain(row));
        let best = best.unwrap_or_else(|| unreachable!("what lacks a row was found to be possible"));
        cover.count(&best);
        rows.push(best);
    }
    if rows.is_empty() {
        // Nothing varies, and the one flag set that is possible is not that of production.
        rows.extend(model.excluding.complete(&model.excluding.nothing_known(), first, 0));
    }
    (rows, impossible)
}

impl<'m> Cover<'m> {
    fn new(model: &'m Model, free: &[(usize, Vec<usize>)], strength: usize) -> (Self, Vec<Impossible>) {
        let levels: Vec<(usize, usize)> =
            free.iter().flat_map(|(factor, levels)| levels.iter().map(move |level| (*factor, *level))).collect();
        let size = if strength == 0 { 0 } else { levels.len().pow(strength as u32) };
        let mut cover = Self { model, levels, strength, lacking: vec![false; size], left: 0 };
        let mut impossible = Vec::new();
        if strength > 0 {
            cover.list(&mut Vec::new(), &mut impossible);
        }
        (cover, impossible)
    }

    /// Lists every combination that begins with `chosen`.
    fn list(&mut self, chosen: &mut Vec<usize>, impossible: &mut Vec<Impossible>) {
        let from = chosen.last().map_or(0, |last| last + 1);
        for number in from..self.levels.len() {
            if chosen.last().is_some_and(|last| self.levels[*last].0 == self.levels[number].0) {
                continue;
            }
            chosen.push(number);
            let known = self.known(chosen);
            if !self.model.excluding.allow(&known) {
                if self.is_smallest(chosen) {
                    let together = chosen.iter().map(|number| self.name(*number)).collect();
                    impossible.push(Impossible { together, reason: self.model.excluding.clash(&known).join("; ") });
                }
            } else if chosen.len() < self.strength {
                self.list(chosen, impossible);
            } else {
                let place = self.place(chosen);
                self.lacking[place] = true;
                self.left += 1;
            }
            chosen.pop();
        }
    }

    /// Whether each two of `chosen` could be together: if not, those are told, and not all that they are part of.
    fn is_smallest(&self, chosen: &[usize]) -> bool {
        let without = |left_out: usize| chosen.iter().copied().filter(|number| *number != left_out).collect::<Vec<_>>();
        chosen.len() < 3 || chosen.iter().all(|number| self.model.excluding.allow(&self.known(&without(*number))))
    }

    fn name(&self, number: usize) -> String {
        let (factor, level) = self.levels[number];
        self.model.level_name(factor, level)
    }

    fn known(&self, chosen: &[usize]) -> Known {
        let mut known = self.model.excluding.nothing_known();
        for (factor, level) in chosen.iter().map(|number| self.levels[*number]) {
            self.model.factors[factor].fix(level, &mut known);
        }
        known
    }

    fn place(&self, numbers: &[usize]) -> usize {
        numbers.iter().fold(0, |place, number| place * self.levels.len() + number)
    }

    /// How many combinations that lack a row `number` makes with `chosen`, which are in ascending order.
    fn gain_of(&self, number: usize, chosen: &[usize]) -> usize {
        let lacks = |numbers: &mut [usize]| {
            numbers.sort_unstable();
            usize::from(self.lacking[self.place(numbers)])
        };
        match self.strength {
            1 => lacks(&mut [number]),
            2 => chosen.iter().map(|other| lacks(&mut [number, *other])).sum(),
            _ => {
                let pairs = chosen
                    .iter()
                    .enumerate()
                    .flat_map(|(at, one)| chosen[at + 1..].iter().map(move |two| (*one, *two)));
                pairs.map(|(one, two)| lacks(&mut [number, one, two])).sum()
            }
        }
    }

    /// The numbers of the levels in `row`, in ascending order.
    fn numbers_in(&self, row: &[bool]) -> Vec<usize> {
        let has = |number: &usize| {
            let (factor, level) = self.levels[*number];
            self.model.factors[factor].level_in(row) == level
        };
        (0..self.levels.len()).filter(has).collect()
    }

    /// How many combinations that lack a row stand in `row`.
    fn gain(&self, row: &[bool]) -> usize {
        let numbers = self.numbers_in(row);
        (0..numbers.len()).map(|at| self.gain_of(numbers[at], &numbers[..at])).sum()
    }

    /// Notes that `row` is taken.
    fn count(&mut self, row: &[bool]) {
        let numbers = self.numbers_in(row);
        let mut combinations: Vec<Vec<usize>> = vec![Vec::new()];
        for number in numbers {
            let longer = combinations.iter().filter(|chosen| chosen.len() < self.strength);
            let longer: Vec<Vec<usize>> =
                longer.map(|chosen| chosen.iter().copied().chain([number]).collect()).collect();
            combinations.extend(longer);
        }
        for chosen in combinations.iter().filter(|chosen| chosen.len() == self.strength && !chosen.is_empty()) {
            let place = self.place(chosen);
            self.left -= usize::from(std::mem::take(&mut self.lacking[place]));
        }
    }

    /// A row with a combination that lacks one, and with as many more as a greedy choice in random order finds.
    fn row(&self, random: &mut ChaCha8Rng) -> Option<Vec<bool>> {
        let mut chosen = self.combination(below(random, self.left))?;
        let mut known = self.known(&chosen);
        let mut factors: Vec<usize> = self.levels.iter().map(|(factor, _)| *factor).collect();
        factors.dedup();
        factors.retain(|factor| chosen.iter().all(|number| self.levels[*number].0 != *factor));
        while !factors.is_empty() {
            let factor = factors.swap_remove(below(random, factors.len()));
            let mut options: Vec<usize> =
                (0..self.levels.len()).filter(|number| self.levels[*number].0 == factor).collect();
            let turn = below(random, options.len());
            options.rotate_left(turn);
            options.sort_by_key(|number| std::cmp::Reverse(self.gain_of(*number, &chosen)));
            let fitting = options.into_iter().find_map(|number| {
                let mut tried = known.clone();
                self.model.factors[factor].fix(self.levels[number].1, &mut tried);
                self.model.excluding.allow(&tried).then_some((number, tried))
            });
            let (number, tried) = fitting?;
            known = tried;
            chosen.push(number);
        }
        self.model.excluding.complete(&known, &vec![false; known.len()], 0)
    }

    /// The combination that lacks a row as the `nth` of those.
    fn combination(&self, nth: usize) -> Option<Vec<usize>> {
        let mut place = self.lacking.iter().enumerate().filter(|(_, lacks)| **lacks).nth(nth)?.0;
        let mut numbers = Vec::new();
        for _ in 0..self.strength {
            numbers.push(place % self.levels.len());
            place /= self.levels.len();
        }
        numbers.reverse();
        Some(numbers)
    }
}

/// A number below `bound`, which is above 0. The bias of a 64-bit remainder over so few is of no account.
fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    (random.next_u64() % bound.max(1) as u64) as usize
}
