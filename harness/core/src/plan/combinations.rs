//! Sets of combinations of two or three numbers, a bit for each: what is counted most when rows are chosen.

use std::ops::Range;

/// Levels of factors by one number each; those of a factor follow each other.
pub(super) struct Numbers {
    levels: Vec<(usize, usize)>,
    by_factor: Vec<(usize, Range<usize>)>,
}

impl Numbers {
    /// Of `free` factors, each with its levels.
    pub(super) fn of(free: &[(usize, Vec<usize>)]) -> Self {
        let levels: Vec<(usize, usize)> =
            free.iter().flat_map(|(factor, levels)| levels.iter().map(move |level| (*factor, *level))).collect();
        let mut end = 0;
        let numbers = |(factor, levels): &(usize, Vec<usize>)| {
            end += levels.len();
            (*factor, end - levels.len()..end)
        };
        let by_factor = free.iter().map(numbers).collect();
        Self { levels, by_factor }
    }

    /// Factor and level of each number.
    pub(super) fn levels(&self) -> &[(usize, usize)] {
        &self.levels
    }

    /// The factors with their numbers.
    pub(super) fn by_factor(&self) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        self.by_factor.iter().cloned()
    }

    pub(super) fn are_of_one_factor(&self, one: usize, other: usize) -> bool {
        self.levels[one].0 == self.levels[other].0
    }
}

/// Words of bits that are counted as one step: a thousand of them take as long as some thirty clauses that are looked
/// at. Counted as one each, three of 120 flags were refused after half a second.
const WORDS_OF_A_STEP: usize = 16;

/// Numbers as bits.
pub(super) struct Chosen(Vec<u64>);

impl Chosen {
    pub(super) fn add(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .enumerate()
            .flat_map(|(word, bits)| (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| 64 * word + bit))
    }

    fn of(numbers: &[usize], words: usize) -> Self {
        let mut chosen = Self(vec![0; words]);
        for number in numbers {
            chosen.add(*number);
        }
        chosen
    }
}

/// Combinations of this many numbers, each in every order of them: the last number is a bit of a row for the others.
#[derive(Debug)]
pub(super) struct Combinations {
    numbers: usize,
    strength: usize,
    words: usize,
    bits: Vec<u64>,
    count: usize,
}

impl Combinations {
    /// None yet, of `strength` (1 to 3) out of this many `numbers`.
    pub(super) fn none(numbers: usize, strength: usize) -> Self {
        let words = numbers.div_ceil(64);
        let rows = if strength == 0 { 0 } else { numbers.pow(strength as u32 - 1) };
        Self { numbers, strength, words, bits: vec![0; rows * words], count: 0 }
    }

    pub(super) fn strength(&self) -> usize {
        self.strength
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The bits for the last number of a combination that begins with `others`.
    fn row(&self, others: &[usize]) -> Range<usize> {
        row(others, self.numbers, self.words)
    }

    pub(super) fn has(&self, chosen: &[usize]) -> bool {
        let Some((last, others)) = chosen.split_last() else { return false };
        self.bits[self.row(others)][last / 64] >> (last % 64) & 1 == 1
    }

    pub(super) fn add(&mut self, chosen: &[usize]) {
        if !self.has(chosen) {
            self.count += 1;
            self.set(chosen, true);
        }
    }

    fn remove(&mut self, chosen: &[usize]) {
        if self.has(chosen) {
            self.count -= 1;
            self.set(chosen, false);
        }
    }

    fn set(&mut self, chosen: &[usize], is_there: bool) {
        for last in 0..chosen.len() {
            let others: Vec<usize> = (0..chosen.len()).filter(|at| *at != last).map(|at| chosen[at]).collect();
            let turned: Vec<usize> = others.iter().rev().copied().collect();
            for others in [others, turned] {
                let row = self.row(&others);
                let word = &mut self.bits[row][chosen[last] / 64];
                *word = *word & !(1 << (chosen[last] % 64)) | u64::from(is_there) << (chosen[last] % 64);
            }
        }
    }

    /// Everything that `numbers` make; of these nobody asks how many there are.
    pub(super) fn show_all_in(&mut self, numbers: &[usize]) {
        let chosen = self.chosen(numbers);
        let mut show = |row: Range<usize>| {
            self.bits[row].iter_mut().zip(&chosen.0).for_each(|(bits, chosen)| *bits |= chosen);
        };
        match self.strength {
            0 => {}
            1 => show(0..self.words),
            2 => numbers.iter().for_each(|one| show(row(&[*one], self.numbers, self.words))),
            _ => {
                for one in numbers {
                    for two in numbers {
                        show(row(&[*one, *two], self.numbers, self.words));
                    }
                }
            }
        }
    }

    /// Nothing any more that `numbers` (in ascending order) make.
    pub(super) fn remove_all_in(&mut self, numbers: &[usize]) {
        each(numbers, self.strength, |chosen| self.remove(chosen));
    }

    /// How many of those that `numbers` (in ascending order) make are there.
    pub(super) fn count_in(&self, numbers: &[usize]) -> usize {
        let chosen = self.chosen(numbers);
        let gains = numbers.iter().map(|number| self.gain_of(*number, &chosen)).sum::<usize>();
        gains / self.strength.max(1)
    }

    /// What showing everything that this many numbers make, or counting it, is counted as.
    pub(super) fn steps_of_all_in(&self, numbers: usize) -> usize {
        (numbers.pow(self.strength.saturating_sub(1) as u32) * self.words).div_ceil(WORDS_OF_A_STEP)
    }

    /// The combination in this place, in ascending order.
    pub(super) fn nth(&self, nth: usize) -> Vec<usize> {
        let mut left = nth;
        let mut chosen = Vec::new();
        while chosen.len() < self.strength {
            let from = chosen.last().map_or(0, |last: &usize| *last + 1);
            let found = (from..self.numbers).find(|number| {
                chosen.push(*number);
                let with = self.count_from(&chosen);
                chosen.pop();
                let is_there = left < with;
                left -= if is_there { 0 } else { with };
                is_there
            });
            let Some(number) = found else { return chosen };
            chosen.push(number);
        }
        chosen
    }

    /// How many begin with `chosen`, in ascending order.
    fn count_from(&self, chosen: &[usize]) -> usize {
        let last = chosen[chosen.len() - 1];
        match self.strength - chosen.len() {
            0 => usize::from(self.has(chosen)),
            1 => {
                let row = &self.bits[self.row(chosen)];
                let above = |word: usize, bits: u64| match (last / 64).cmp(&word) {
                    std::cmp::Ordering::Less => bits,
                    std::cmp::Ordering::Equal => bits & (u64::MAX << (last % 64)) & !(1 << (last % 64)),
                    std::cmp::Ordering::Greater => 0,
                };
                row.iter().enumerate().map(|(word, bits)| above(word, *bits).count_ones() as usize).sum()
            }
            _ => (last + 1..self.numbers).map(|next| self.count_from(&[chosen, &[next]].concat())).sum(),
        }
    }

    /// `numbers` as bits for [`Combinations::gain_of`].
    pub(super) fn chosen(&self, numbers: &[usize]) -> Chosen {
        Chosen::of(numbers, self.words)
    }

    /// How many `number` makes with those that are chosen.
    pub(super) fn gain_of(&self, number: usize, chosen: &Chosen) -> usize {
        let common = |row: Range<usize>| -> usize {
            self.bits[row].iter().zip(&chosen.0).map(|(bits, chosen)| (bits & chosen).count_ones() as usize).sum()
        };
        match self.strength {
            1 => usize::from(self.has(&[number])),
            2 => common(self.row(&[number])),
            _ => chosen.numbers().map(|other| common(self.row(&[number, other]))).sum::<usize>() / 2,
        }
    }

    /// What a gain is counted as.
    pub(super) fn steps_of_gain(&self, chosen: &Chosen) -> usize {
        let rows = if self.strength > 2 { chosen.0.iter().map(|bits| bits.count_ones() as usize).sum() } else { 1 };
        (rows * self.words).div_ceil(WORDS_OF_A_STEP)
    }
}

/// See [`Combinations::row`].
fn row(others: &[usize], numbers: usize, words: usize) -> Range<usize> {
    let row = others.iter().fold(0, |row, number| row * numbers + number);
    row * words..(row + 1) * words
}

/// Calls `found` with every choice of `strength` of `numbers`, in their order.
fn each(numbers: &[usize], strength: usize, mut found: impl FnMut(&[usize])) {
    for (at, one) in numbers.iter().enumerate() {
        match strength {
            0 => {}
            1 => found(&[*one]),
            2 => numbers[at + 1..].iter().for_each(|two| found(&[*one, *two])),
            _ => {
                for (next, two) in numbers.iter().enumerate().skip(at + 1) {
                    numbers[next + 1..].iter().for_each(|three| found(&[*one, *two, *three]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_there_in_every_order_until_it_is_removed() {
        for strength in 1..=3 {
            let mut all = Combinations::none(130, strength);
            let wanted = [[3, 70, 129], [3, 64, 65], [0, 1, 2]].map(|numbers| numbers[..strength].to_vec());
            for chosen in &wanted {
                all.add(chosen);
            }
            let mut sorted = wanted.to_vec();
            sorted.sort();
            sorted.dedup();
            let listed: Vec<Vec<usize>> = (0..all.count()).map(|nth| all.nth(nth)).collect();
            assert_eq!(listed, sorted);
            let turned: Vec<usize> = wanted[0].iter().rev().copied().collect();
            assert!(all.has(&turned) && !all.has(&[5, 6, 7][..strength]));
            assert_eq!(all.count_in(&[3, 64, 65, 70, 129]), listed.iter().filter(|chosen| chosen[0] == 3).count());
            let mut shown = Combinations::none(130, strength);
            shown.show_all_in(&[3, 70, 129]);
            assert!(shown.has(&wanted[0]) && shown.has(&turned) && !shown.has(&[3, 64, 65][3 - strength..]));
            all.remove_all_in(&[0, 1, 2, 3, 64, 65, 70, 129]);
            assert_eq!(all.count(), 0);
        }
    }

    #[test]
    fn a_gain_is_what_a_number_makes_with_those_chosen() {
        let mut pairs = Combinations::none(70, 2);
        each(&[1, 5, 69], 2, |pair| pairs.add(pair));
        assert_eq!(pairs.gain_of(5, &pairs.chosen(&[1, 2, 69])), 2);
        let mut triples = Combinations::none(70, 3);
        each(&[1, 5, 60, 69], 3, |triple| triples.add(triple));
        assert_eq!(triples.gain_of(5, &triples.chosen(&[1, 60, 69])), 3);
        assert_eq!((triples.count(), triples.count_in(&[1, 5, 69])), (4, 1));
    }
}
