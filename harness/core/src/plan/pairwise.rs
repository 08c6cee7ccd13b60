//! Covering arrays: few rows in which every combination of any two, or any three, factors stands that the constraints
//! allow.
//!
//! Greedy, one row at a time, with the constraints kept while a row is made (as in AETG: Cohen et al., IEEE TSE 23,
//! 1997): rows that are filtered afterwards would take combinations with them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::clauses::Known;
use super::combinations::{Combinations, Numbers};
use super::effort::TooHard;
use super::model::Model;
use super::solver::{Lit, Solver};

/// A combination that no row can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impossible {
    /// What would be together.
    pub together: Vec<String>,
    /// The constraints against it, in words.
    pub reason: String,
}

/// So many rows are tried for each that is taken. With 1, 3, 10 and 30, 24 flags take 12.3, 11.3, 11.0 and 11.3 rows
/// for any two of them, and 32.5, 30.3, 28.8 and 27.8 for any three (means over four seeds).
const TRIED: usize = 10;
/// The same for more levels than [`MANY_LEVELS`]: what it takes grows with their square, and the gain does not.
const TRIED_OF_MANY: usize = 3;
/// See [`TRIED_OF_MANY`]: 64 flags that are on or off.
const MANY_LEVELS: usize = 128;
/// Combinations that are told to be impossible, each with its reason. Others are counted.
const MAX_IMPOSSIBLE: usize = 100;
/// Keeps this stream apart from that of the order.
const STREAM: u64 = 0x7061_6972;

/// Levels of free factors by one number each, and which of their combinations still lack a row.
struct Cover<'m> {
    model: &'m Model,
    numbers: Numbers,
    /// What each number stands for.
    literals: Vec<Vec<Lit>>,
    lacking: Combinations,
}

/// Rows; combinations that none can have; and how many more of those there are.
pub(super) type Covered = (Vec<Vec<bool>>, Vec<Impossible>, usize);

/// The rows, seeded with `first`; the combinations that none can have; and how many more of those there are.
pub(super) fn pairwise(
    model: &Model,
    free: &[(usize, Vec<usize>)],
    strength: usize,
    first: &[bool],
    seed: u64,
) -> Result<Covered, TooHard> {
    let (mut cover, impossible, more) = Cover::new(model, free, strength.min(free.len()))?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(STREAM);
    let mut rows = Vec::new();
    if model.excluding.broken_by(first).is_none() {
        cover.lacking.remove_all_in(&cover.numbers_in(first));
        rows.push(first.to_vec());
    }
    let tries = if cover.literals.len() > MANY_LEVELS { TRIED_OF_MANY } else { TRIED };
    while cover.lacking.count() > 0 {
        let mut best: Option<(usize, Vec<usize>, Vec<bool>)> = None;
        for _ in 0..tries {
            let row = cover.row(&mut random)?;
            let numbers = cover.numbers_in(&row);
            model.excluding.effort().spend(cover.lacking.steps_of_all_in(numbers.len()))?;
            let gain = cover.lacking.count_in(&numbers);
            if best.as_ref().is_none_or(|(most, ..)| gain > *most) {
                best = Some((gain, numbers, row));
            }
        }
        let (_, numbers, best) = best.unwrap_or_else(|| unreachable!("several rows were tried"));
        cover.lacking.remove_all_in(&numbers);
        rows.push(best);
    }
    if rows.is_empty() {
        // Nothing varies, and the one flag set that is possible is not that of production.
        rows.extend(model.excluding.complete(&model.excluding.nothing_known(), first, 0)?);
    }
    Ok((rows, impossible, more))
}

impl<'m> Cover<'m> {
    fn new(
        model: &'m Model,
        free: &[(usize, Vec<usize>)],
        strength: usize,
    ) -> Result<(Self, Vec<Impossible>, usize), TooHard> {
        let numbers = Numbers::of(free);
        let literals = numbers.levels().iter().map(|(factor, level)| model.factors[*factor].literals(*level)).collect();
        model.excluding.effort().spend(numbers.levels().len().pow(strength as u32))?;
        let lacking = Combinations::none(numbers.levels().len(), strength);
        let mut cover = Self { model, numbers, literals, lacking };
        let mut notes = (Vec::new(), 0);
        if strength > 0 {
            let mut shown = Combinations::none(cover.literals.len(), strength);
            let mut pairs = Combinations::none(cover.literals.len(), 2.min(strength));
            cover.list(&mut Vec::new(), &mut *model.excluding.ask()?, (&mut shown, &mut pairs), &mut notes)?;
        }
        let (impossible, more) = notes;
        let impossible = impossible.into_iter().map(|chosen: Vec<usize>| cover.impossible(&chosen));
        let impossible = impossible.collect::<Result<Vec<_>, _>>()?;
        Ok((cover, impossible, more))
    }

    /// Lists every combination that begins with `chosen`, which `asking` assumes. Each set that is found shows that
    /// many combinations are possible: those in `shown` and `pairs` are not asked for.
    fn list(
        &mut self,
        chosen: &mut Vec<usize>,
        asking: &mut Solver,
        (shown, pairs): (&mut Combinations, &mut Combinations),
        notes: &mut (Vec<Vec<usize>>, usize),
    ) -> Result<(), TooHard> {
        let from = chosen.last().map_or(0, |last| last + 1);
        for number in from..self.literals.len() {
            if chosen.last().is_some_and(|last| self.numbers.are_of_one_factor(*last, number)) {
                continue;
            }
            chosen.push(number);
            let is_whole = chosen.len() == self.lacking.strength();
            let is_shown = match chosen.len() {
                length if length == shown.strength() => shown.has(chosen),
                length if length == pairs.strength() => pairs.has(chosen),
                // Levels that are not possible are none of a free factor.
                _ => true,
            };
            if is_whole && is_shown {
                self.lacking.add(chosen);
            } else if asking.assume(self.literals[number].iter().copied())? {
                let mut is_possible = is_shown;
                if !is_shown && let Some(set) = self.shown_by(chosen, asking)? {
                    is_possible = true;
                    let numbers = self.numbers_in(&set);
                    shown.show_all_in(&numbers);
                    if pairs.strength() < shown.strength() {
                        pairs.show_all_in(&numbers);
                    }
                    self.model.excluding.effort().spend(shown.steps_of_all_in(numbers.len()))?;
                }
                if is_possible && is_whole {
                    self.lacking.add(chosen);
                } else if is_possible {
                    self.list(chosen, asking, (shown, pairs), notes)?;
                } else {
                    note(chosen, pairs, notes);
                }
                asking.back_to(chosen.len() - 1);
            } else {
                note(chosen, pairs, notes);
            }
            chosen.pop();
        }
        Ok(())
    }

    /// A set with what `asking` assumes, and with more of what was not seen together yet than the one before: each
    /// begins with another wish.
    fn shown_by(&self, chosen: &[usize], asking: &mut Solver) -> Result<Option<Vec<bool>>, TooHard> {
        let mut random = ChaCha8Rng::seed_from_u64(chosen.iter().fold(0, |seed, number| seed << 20 ^ *number as u64));
        let wish: Vec<bool> = (0..self.model.members()).map(|_| random.next_u32() & 1 == 1).collect();
        asking.complete(&wish, self.model.excluding.order())
    }

    fn impossible(&self, chosen: &[usize]) -> Result<Impossible, TooHard> {
        let clash = self.model.excluding.clash(&self.known(chosen))?;
        let name = |number: &usize| {
            let (factor, level) = self.numbers.levels()[*number];
            self.model.level_name(factor, level)
        };
        Ok(Impossible { together: chosen.iter().map(name).collect(), reason: clash.unwrap_or_default().notes() })
    }

    fn known(&self, chosen: &[usize]) -> Known {
        let mut known = self.model.excluding.nothing_known();
        for (factor, level) in chosen.iter().map(|number| self.numbers.levels()[*number]) {
            self.model.factors[factor].fix(level, &mut known);
        }
        known
    }

    /// The numbers of the levels in `row`, in ascending order.
    fn numbers_in(&self, row: &[bool]) -> Vec<usize> {
        let number = |(factor, numbers): (usize, std::ops::Range<usize>)| {
            let level = self.model.factors[factor].level_in(row);
            numbers.clone().find(|number| self.numbers.levels()[*number].1 == level)
        };
        self.numbers.by_factor().filter_map(number).collect()
    }

    /// A row with a combination that lacks one, and with as many more as a greedy choice in random order finds.
    fn row(&self, random: &mut ChaCha8Rng) -> Result<Vec<bool>, TooHard> {
        let model = self.model;
        let first = self.lacking.nth(below(random, self.lacking.count()));
        let mut asking = model.excluding.ask()?;
        let mut chosen = self.lacking.chosen(&first);
        let mut is_possible = true;
        for number in &first {
            is_possible &= asking.assume(self.literals[*number].iter().copied())?;
        }
        debug_assert!(is_possible, "what lacks a row was found to be possible");
        let is_chosen = |factor: usize| first.iter().any(|number| self.numbers.levels()[*number].0 == factor);
        let mut factors: Vec<_> = self.numbers.by_factor().filter(|(factor, _)| !is_chosen(*factor)).collect();
        while !factors.is_empty() {
            let (_, numbers) = factors.swap_remove(below(random, factors.len()));
            let mut options: Vec<(usize, usize)> =
                numbers.map(|number| (self.lacking.gain_of(number, &chosen), number)).collect();
            model.excluding.effort().spend(options.len() * self.lacking.steps_of_gain(&chosen))?;
            let turn = below(random, options.len());
            options.rotate_left(turn);
            options.sort_by_key(|(gain, _)| std::cmp::Reverse(*gain));
            for (_, number) in options {
                if asking.assume(self.literals[number].iter().copied())? {
                    chosen.add(number);
                    break;
                }
            }
        }
        let off = vec![false; model.members()];
        if let Some(row) = asking.complete(&off, model.excluding.order())? {
            return Ok(row);
        }
        // What follows at once left a choice that is none: the row nearest to it, which begins as it did.
        let mut wish = off;
        for number in chosen.numbers() {
            let (factor, level) = self.numbers.levels()[number];
            model.factors[factor].levels[level].iter().for_each(|member| wish[*member] = true);
        }
        asking.back_to(first.len());
        let row = asking.complete(&wish, model.excluding.order())?;
        Ok(row.unwrap_or_else(|| unreachable!("what lacks a row was found to be possible")))
    }
}

/// Notes that `chosen` is impossible, unless two of it are already: those are reported, and not all that they are part
/// of.
fn note(chosen: &[usize], pairs: &Combinations, notes: &mut (Vec<Vec<usize>>, usize)) {
    let without = |left_out: usize| chosen.iter().copied().filter(|number| *number != left_out).collect::<Vec<_>>();
    if chosen.len() == 3 && !chosen.iter().all(|number| pairs.has(&without(*number))) {
        return;
    }
    if notes.0.len() < MAX_IMPOSSIBLE {
        notes.0.push(chosen.to_vec());
    } else {
        notes.1 += 1;
    }
}

/// A number below `bound`, which is above 0. The bias of a 64-bit remainder over so few is of no account.
fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    (random.next_u64() % bound.max(1) as u64) as usize
}
