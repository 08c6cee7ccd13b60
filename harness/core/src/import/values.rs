//! The values that stood in one place of the requests of a log, in bounded memory: the range of numbers, the most
//! frequent texts.

use super::draft::{Param, is_a_choice};

/// Texts that are kept of each place: enough for the names of a shop's categories, few enough to be read.
const MAX_TEXTS: usize = 50;

/// Longer texts are not kept: a scenario is to be read.
const LONGEST_TEXT: usize = 200;

/// The share of numbers that the range holds at least; the rest may be slips, such as a time stamp among ids.
const KEPT_NUMBERS: f64 = 0.99;

/// Digits of a number that a parameter of a scenario can have, which is below 2^53.
const MAX_DIGITS: usize = 15;

/// What stood in one place.
#[derive(Debug, Default, Clone)]
pub(super) struct Values {
    count: u64,
    numbers: Numbers,
    /// The most frequent, with at most how often (the "space-saving" count of Metwally, Agrawal and El Abbadi, 2005).
    texts: Vec<(String, u64)>,
    /// There were more texts than are kept.
    is_many: bool,
}

/// Whole numbers, by their number of binary digits: how many, and the largest.
#[derive(Debug, Default, Clone)]
struct Numbers {
    min: Option<u64>,
    by_digits: Vec<(u64, u64)>,
}

/// `text` as a number that is written as numbers are.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= MAX_DIGITS;
    let has_zeros = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| is_plain && !has_zeros)
}

impl Values {
    /// This stood there so often.
    pub(super) fn add(&mut self, text: &str, count: u64) {
        self.count += count;
        if let Some(number) = number(text) {
            self.numbers.add(number, count);
        }
        self.keep(text, count);
    }

    fn keep(&mut self, text: &str, count: u64) {
        if let Some(known) = self.texts.iter_mut().find(|(known, _)| known == text) {
            known.1 += count;
        } else if text.len() > LONGEST_TEXT || !is_a_choice(text) {
            self.is_many = true;
        } else if self.texts.len() < MAX_TEXTS {
            self.texts.push((text.to_owned(), count));
        } else {
            self.is_many = true;
            if let Some(rarest) = self.texts.iter_mut().min_by_key(|(_, count)| *count) {
                *rarest = (text.to_owned(), rarest.1 + count);
            }
        }
    }

    /// What stood in another place, too.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.is_many |= other.is_many;
        self.numbers.merge(&other.numbers);
        other.texts.iter().for_each(|(text, count)| self.keep(text, *count));
    }

    /// The value, where there was but one.
    pub(super) fn only_one(&self) -> Option<&str> {
        match self.texts.as_slice() {
            [(text, _)] if !self.is_many => Some(text),
            _ => None,
        }
    }

    /// A parameter with these values.
    pub(super) fn param(&self) -> Param {
        if let (true, Some(range)) = (self.numbers.count() == self.count, self.numbers.range()) {
            return range;
        }
        let mut texts = self.texts.clone();
        texts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        if texts.is_empty() { Param::Unique } else { Param::Choice(texts.into_iter().map(|(text, _)| text).collect()) }
    }
}

impl Numbers {
    fn add(&mut self, number: u64, count: u64) {
        self.min = Some(self.min.map_or(number, |min| min.min(number)));
        self.at(number.checked_ilog2().map_or(0, |digits| digits as usize + 1), count, number);
    }

    fn at(&mut self, digits: usize, count: u64, largest: u64) {
        if self.by_digits.len() <= digits {
            self.by_digits.resize(digits + 1, (0, 0));
        }
        let there = &mut self.by_digits[digits];
        *there = (there.0 + count, there.1.max(largest));
    }

    fn merge(&mut self, other: &Self) {
        self.min = self.min.into_iter().chain(other.min).min();
        for (digits, (count, largest)) in other.by_digits.iter().enumerate() {
            self.at(digits, *count, *largest);
        }
    }

    fn count(&self) -> u64 {
        self.by_digits.iter().map(|(count, _)| count).sum()
    }

    fn range(&self) -> Option<Param> {
        let wanted = self.count() as f64 * KEPT_NUMBERS;
        let mut seen = 0;
        let mut enough = self.by_digits.iter().skip_while(|(count, _)| {
            seen += count;
            (seen as f64) < wanted
        });
        Some(Param::Uniform { min: self.min?, max: enough.next()?.1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'t>(texts: impl IntoIterator<Item = &'t str>) -> Values {
        let mut values = Values::default();
        texts.into_iter().for_each(|text| values.add(text, 1));
        values
    }

    #[test]
    fn numbers_have_a_range_that_a_slip_does_not_stretch() {
        let numbers: Vec<String> = (3..=1000).map(|number: u32| number.to_string()).collect();
        let mut many = values(numbers.iter().map(String::as_str));
        assert_eq!(many.param(), Param::Uniform { min: 3, max: 1000 });
        many.add("999999999999", 1);
        assert_eq!(many.param(), Param::Uniform { min: 3, max: 1000 });
        assert_eq!(values(["0", "0"]).param(), Param::Uniform { min: 0, max: 0 });
    }

    #[test]
    fn texts_come_most_frequent_first() {
        assert_eq!(values(["b", "a", "7", "b"]).param(), Param::Choice(["b", "7", "a"].map(str::to_owned).into()));
        assert_eq!(values(["007", "008"]).param(), Param::Choice(["007", "008"].map(str::to_owned).into()));
    }

    #[test]
    fn memory_is_bounded_and_the_frequent_are_found_among_the_many() {
        let mut many = Values::default();
        for nth in 0..100_000 {
            many.add(&format!("rare-{nth}"), 1);
            if nth % 20 == 0 {
                many.add("often", 1);
            }
        }
        assert_eq!(many.texts.len(), MAX_TEXTS);
        let Param::Choice(texts) = many.param() else { panic!("{:?}", many.param()) };
        assert!(texts[..5].contains(&"often".to_owned()), "{texts:?}");
        assert_eq!(many.count, 105_000);
    }

    #[test]
    fn what_cannot_be_written_is_not_kept() {
        let odd = values([&"x".repeat(LONGEST_TEXT + 1), "\u{1}", "\u{FFFD}", "{{7*7}}"] as [&str; 4]);
        assert_eq!((odd.param(), odd.only_one()), (Param::Unique, None));
    }

    #[test]
    fn two_places_become_one() {
        let mut one = values(["5", "6"]);
        one.merge(&values(["4", "6"]));
        assert_eq!((one.param(), one.count), (Param::Uniform { min: 4, max: 6 }, 4));
        assert_eq!(values(["a", "a"]).only_one(), Some("a"));
    }
}
