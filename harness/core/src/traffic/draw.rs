//! Which request is due, and the values of its parameters. Pure.
//!
//! Every due request draws, whether it is sent or not, so that what a slow service makes the driver drop does not
//! change the requests after it.

use std::borrow::Cow;

use crate::scenario::{Block, Code, Param, Phase, Pick};
use steep_judge::units::{Seed, SinceStart};

use super::rows::RowDraw;
use super::stream::Stream;
use super::zipf::Zipf;

/// Picks requests and flows by their weights, which may differ from phase to phase.
#[derive(Debug, Clone)]
pub struct Picks {
    /// Of each phase, with its end.
    phases: Vec<(SinceStart, Weights)>,
    /// The one that draws.
    current: usize,
    stream: Stream,
    /// What weights swing by.
    code: Option<Code>,
    /// Those of the phase and column that drew last.
    coded: Option<(usize, u32, Weights)>,
}

/// The weights of a phase.
#[derive(Debug, Clone)]
struct Weights {
    /// Each that can be picked, with the sum of the weights up to its own.
    sums: Vec<(usize, f64)>,
    total: f64,
}

impl Weights {
    fn new(weights: impl Iterator<Item = f64>) -> Self {
        let mut total = 0.0;
        let mut sums = Vec::new();
        for (place, weight) in weights.enumerate() {
            if weight > 0.0 {
                total += weight;
                sums.push((place, total));
            }
        }
        Self { sums, total }
    }

    /// The same under a column of a code.
    fn coded(&self, column: u32) -> Self {
        let mut before = 0.0;
        let mut total = 0.0;
        let sums = self.sums.iter().map(|&(place, sum)| {
            total += (sum - before) * Code::factor(place, column);
            before = sum;
            (place, total)
        });
        let sums: Vec<_> = sums.collect();
        Self { sums, total }
    }

    /// The one at `share` of the total.
    fn at(&self, share: f64) -> usize {
        let point = share * self.total;
        let place = self.sums.partition_point(|&(_, sum)| sum <= point);
        // The product may round up to the total itself.
        self.sums[place.min(self.sums.len() - 1)].0
    }
}

impl Picks {
    /// Picks among names with weights; none if in some phase, or in none of them, nothing can be picked.
    #[must_use]
    pub fn new(weighted: &[(&str, f64)], phases: &[Phase], seed: Seed, code: Option<Code>) -> Option<Self> {
        let mut end = SinceStart::ZERO;
        let of_phase = |phase: &Phase| {
            end = end + phase.duration;
            let weight = |(name, own): &(&str, f64)| phase.weights.get(*name).copied().unwrap_or(*own);
            (end, Weights::new(weighted.iter().map(weight)))
        };
        let phases: Vec<_> = phases.iter().map(of_phase).collect();
        let can_pick = !phases.is_empty() && phases.iter().all(|(_, weights)| !weights.sums.is_empty());
        let stream = Stream::new(seed, "picks");
        can_pick.then(|| Self { phases, current: 0, stream, code, coded: None })
    }

    /// The place of the one that is due at `at`, which is no earlier than the one before. One number of the stream
    /// each, whatever the weights: those of one phase do not change the picks of another.
    pub fn draw(&mut self, at: SinceStart) -> usize {
        while self.current + 1 < self.phases.len() && self.phases[self.current].0 <= at {
            self.current += 1;
        }
        let share = self.stream.share();
        match self.code.as_ref().map(|code| code.at(at)) {
            Some(Block::Coded(column)) => self.coded(column).at(share),
            _ => self.phases[self.current].1.at(share),
        }
    }

    /// The weights of this phase under a column of the code.
    fn coded(&mut self, column: u32) -> &Weights {
        let drawn = self.coded.take().filter(|(phase, of, _)| (*phase, *of) == (self.current, column));
        let weights = drawn.map_or_else(|| self.phases[self.current].1.coded(column), |(_, _, weights)| weights);
        &self.coded.insert((self.current, column, weights)).2
    }
}

/// Draws the values of one parameter.
#[derive(Debug, Clone)]
pub enum Draw {
    /// Each of `min..=min + span` equally often.
    Uniform {
        /// Smallest.
        min: u64,
        /// Largest less smallest.
        span: u64,
        /// The parameter's own stream.
        stream: Box<Stream>,
    },
    /// From `min` to `max`, and again.
    Sequential {
        /// First.
        min: u64,
        /// Last.
        max: u64,
        /// Drawn next.
        next: u64,
    },
    /// A counter, mixed by a bijection: never twice the same.
    Unique {
        /// Tells the values of one seed and parameter from those of another.
        key: u64,
        /// How many were drawn.
        drawn: u64,
    },
    /// From `min` up, the small ones more often.
    Zipf {
        /// Smallest.
        min: u64,
        /// The law.
        zipf: Zipf,
        /// The parameter's own stream.
        stream: Box<Stream>,
    },
    /// Numbers of rows.
    Rows(Box<RowDraw>),
}

impl Draw {
    /// Draws for the parameter `name`, which has this many `rows` if its values are not numbers.
    #[must_use]
    pub fn new(name: &str, param: &Param, rows: u64, seed: Seed) -> Self {
        let mut stream = Stream::new(seed, &format!("param {name}"));
        match *param {
            Param::Uniform { min, max } => {
                Self::Uniform { min, span: max.saturating_sub(min), stream: Box::new(stream) }
            }
            Param::Sequential { min, max } => Self::Sequential { min, max, next: min },
            Param::Unique => Self::Unique { key: stream.bits(), drawn: 0 },
            Param::Zipf { min, max, exponent } => {
                let zipf = Zipf::new(max.saturating_sub(min).saturating_add(1), exponent);
                Self::Zipf { min, zipf, stream: Box::new(stream) }
            }
            Param::Choice { ref weights, .. } if !weights.is_empty() => {
                Self::Rows(Box::new(RowDraw::weighted(weights, stream)))
            }
            Param::Choice { .. } => Self::Rows(Box::new(RowDraw::new(rows, Pick::Random, stream))),
            Param::Csv { pick, .. } | Param::Jsonl { pick, .. } => {
                Self::Rows(Box::new(RowDraw::new(rows, pick, stream)))
            }
        }
    }

    /// The next value; none when a queue of rows has run dry.
    pub fn draw(&mut self) -> Option<u64> {
        Some(match self {
            Self::Uniform { min, span, stream } => *min + stream.up_to(*span),
            Self::Sequential { min, max, next } => {
                let value = *next;
                *next = if value >= *max { *min } else { value + 1 };
                value
            }
            Self::Unique { key, drawn } => {
                let value = mixed(key.wrapping_add(*drawn));
                *drawn = drawn.wrapping_add(1);
                value
            }
            Self::Zipf { min, zipf, stream } => *min + zipf.draw(stream) - 1,
            Self::Rows(rows) => return rows.draw(),
        })
    }
}

/// Scatters `number` over 64 bits; a bijection. The finaliser of `SplitMix64` (Steele, Lea and Flood 2014, variant 13
/// of Stafford).
pub(super) const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The values of a due request's parameters, each once, in the order in which its texts first name them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// Most requests have no more: a due request then allocates nothing.
    few: [u64; FEW],
    count: usize,
    rest: Vec<u64>,
    /// What answers before it gave, by their places in [`super::capture::Variables`]; empty but in a session.
    captured: Vec<String>,
}

/// How many values are held without allocation.
const FEW: usize = 4;

impl Values {
    /// The value of a slot of [`super::request::RequestText::params`].
    ///
    /// # Panics
    /// There are not this many.
    #[must_use]
    pub fn get(&self, slot: usize) -> u64 {
        if slot < FEW { self.few[slot] } else { self.rest[slot - FEW] }
    }

    /// The value that was captured for the variable at this place; nothing where none was.
    #[must_use]
    pub fn captured(&self, variable: usize) -> &str {
        self.captured.get(variable).map_or("", String::as_str)
    }

    /// `text` as it may stand in files and reports: what was captured may be a token.
    #[must_use]
    pub fn redacted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let captured = self.captured.iter().filter(|value| !value.is_empty());
        captured.fold(Cow::Borrowed(text), |text, value| {
            if text.contains(value.as_str()) { Cow::Owned(text.replace(value.as_str(), "{{captured}}")) } else { text }
        })
    }

    /// An answer gave the variable at this place a value.
    pub fn capture(&mut self, variable: usize, value: String) {
        if let Some(place) = self.captured.get_mut(variable) {
            *place = value;
        }
    }

    /// The same, with what answers before gave.
    #[must_use]
    pub fn with_captured(self, captured: Vec<String>) -> Self {
        Self { captured, ..self }
    }

    /// What answers gave until now.
    #[must_use]
    pub fn into_captured(self) -> Vec<String> {
        self.captured
    }
}

impl FromIterator<u64> for Values {
    fn from_iter<I: IntoIterator<Item = u64>>(drawn: I) -> Self {
        let mut values = Self::default();
        for value in drawn {
            match values.few.get_mut(values.count) {
                Some(place) => *place = value,
                None => values.rest.push(value),
            }
            values.count += 1;
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::traffic::testing::constant;

    #[test]
    fn what_was_captured_is_not_told() {
        let mut values = Values::default().with_captured(vec![String::new(), String::new()]);
        values.capture(1, "s3cret".to_owned());
        assert_eq!(values.redacted("Bearer s3cret, for a"), "Bearer {{captured}}, for a");
        assert_eq!(values.redacted("for a"), "for a");
    }

    fn picks(weights: &[f64], phases: &[Phase]) -> Option<Picks> {
        let name = |index: usize| format!("request {index}");
        let names: Vec<String> = (0..weights.len()).map(name).collect();
        let weighted: Vec<_> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
        Picks::new(&weighted, phases, Seed(1), None)
    }

    #[test]
    fn picks_follow_the_weights_and_never_take_a_weight_of_zero() {
        let mut picks = picks(&[3.0, 0.0, 1.0], &[constant(1.0, 1.0)]).expect("two can be picked");
        let mut counts = [0_u32; 3];
        for _ in 0..40_000 {
            counts[picks.draw(SinceStart::ZERO)] += 1;
        }
        // 30,000 expected, standard deviation 87.
        assert!((29_500..30_500).contains(&counts[0]) && counts[1] == 0, "{counts:?}");
    }

    #[test]
    fn where_nothing_can_be_picked_there_are_no_picks() {
        assert!(picks(&[0.0], &[constant(1.0, 1.0)]).is_none());
        let mut silenced = constant(1.0, 1.0);
        silenced.weights.insert("request 0".to_owned(), 0.0);
        assert!(picks(&[1.0], &[constant(1.0, 1.0), silenced]).is_none());
    }

    #[test]
    fn weights_of_a_phase_hold_in_it_alone() {
        let mut second = constant(1.0, 10.0);
        second.weights.insert("request 0".to_owned(), 0.0);
        let phases = [constant(1.0, 10.0), second, constant(1.0, 10.0)];
        let (mut plain, mut varied) =
            (picks(&[3.0, 1.0], &phases[..1]).expect("picks"), picks(&[3.0, 1.0], &phases).expect("picks"));
        for second in 0..30 {
            let at = SinceStart::from_secs_f64(f64::from(second));
            let (plain, varied) = (plain.draw(at), varied.draw(at));
            if (10..20).contains(&second) {
                assert_eq!(varied, 1);
            } else {
                assert_eq!(varied, plain, "second {second}");
            }
        }
    }

    #[test]
    fn a_sequence_begins_anew_after_its_last() {
        let mut draw = Draw::new("n", &Param::Sequential { min: 5, max: 7 }, 0, Seed(1));
        let drawn: Vec<u64> = (0..5).filter_map(|_| draw.draw()).collect();
        assert_eq!(drawn, [5, 6, 7, 5, 6]);
    }

    #[test]
    fn unique_values_never_repeat_and_depend_on_the_seed() {
        let mut draw = Draw::new("id", &Param::Unique, 0, Seed(1));
        let drawn: HashSet<u64> = (0..100_000).filter_map(|_| draw.draw()).collect();
        assert_eq!(drawn.len(), 100_000);
        let other = Draw::new("id", &Param::Unique, 0, Seed(2)).draw().expect("a value");
        assert!(!drawn.contains(&other));
    }

    #[test]
    fn values_beyond_the_few_are_kept_too() {
        let values: Values = (10..20).collect();
        assert_eq!((values.get(0), values.get(3), values.get(4), values.get(9)), (10, 13, 14, 19));
    }
}
