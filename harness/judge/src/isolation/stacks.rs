//! What the stacks of a cell show of growth: each chain of calls by itself.

use schemars::JsonSchema;
use serde::Serialize;

use crate::units::{BytesPerRequest, Estimate, HALF_WIDTH};

/// What the stacks of a cell kept. Growth of all chains and of the others adds up to that of the cell, as sampled.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CellStacks {
    /// The chains of calls that may keep something, those that keep most first.
    pub chains: Vec<ChainGrowth>,
    /// What all others keep together.
    #[serde(rename = "others_bytes_per_request")]
    pub others: Estimate<BytesPerRequest>,
    /// Standard error of the growth of a chain of which nothing was seen: one sample.
    #[serde(rename = "unseen_bytes_per_request")]
    pub unseen: BytesPerRequest,
}

/// What a chain of calls keeps.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ChainGrowth {
    /// The calls, from the allocation outwards, the program's own only, as `file function`: equal in all builds of one
    /// source.
    pub calls: Vec<String>,
    /// The line that keeps it, as far as this cell tells.
    pub place: String,
    /// Growth; of one that slows that of its later half.
    #[serde(rename = "growth_bytes_per_request")]
    pub growth: Estimate<BytesPerRequest>,
    /// How it grows.
    pub shape: Shape,
    /// Growth in the earlier and in the later half of the cell, which tell what is kept from what fills; none of what
    /// does not grow for sure, begins too late, or grows in steps.
    #[serde(rename = "halves_bytes_per_request", skip_serializing_if = "Option::is_none")]
    pub halves: Option<[Estimate<BytesPerRequest>; 2]>,
}

/// How what a chain of calls keeps comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// For sure, and in both halves of the time.
    Grows,
    /// For sure, and less and less: most likely something that fills.
    Slows,
    /// Not for sure.
    Flat,
}

/// Growth differs from cell to cell by this share of it, whatever its interval says: what a request costs depends on
/// what else is on.
const SPREAD: f64 = 0.075;

/// What is not listed is below some samples: a chain that may keep four is listed.
const UNLISTED: f64 = 2.0;

/// Growth in units of what is worth finding, with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    pub(crate) growth: f64,
    pub(crate) error: f64,
    /// Whether it grows for sure.
    pub(crate) grows: bool,
}

impl Shape {
    /// What grows does so in the later half of the time by this share of what it does in all of it: a line has 1, and a
    /// fill of which two time constants are seen 0.54.
    pub const LATER: f64 = 0.6;
}

/// What grew in the halves of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Halves {
    /// In samples, with the standard error.
    counts: [(f64, f64); 2],
    /// What one sample of the whole cell stands for, in units of what is worth finding.
    pub(super) sample: f64,
}

impl Halves {
    pub(super) const fn new(counts: [(f64, f64); 2], sample: f64) -> Self {
        Self { counts, sample }
    }

    /// Of two chains, or more, that are one.
    pub(super) fn with(&self, other: &Self) -> Self {
        let sum = |half: usize| {
            let ((one, error), (two, its_error)) = (self.counts[half], other.counts[half]);
            (one + two, error.hypot(its_error))
        };
        Self { counts: [sum(0), sum(1)], sample: self.sample }
    }

    /// Growth of the whole with its standard error, in units of what is worth finding.
    pub(super) fn whole(&self) -> (f64, f64) {
        let [(earlier, error), (later, its_error)] = self.counts;
        (self.sample * (earlier + later), self.sample * error.hypot(its_error))
    }

    /// By how many standard errors it is above nothing.
    pub(super) fn evidence(&self) -> f64 {
        let (growth, error) = self.whole();
        growth / error
    }

    /// Whether both slow down alike, as far as the samples tell: by one standard error of their difference.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let later = |halves: &Self| {
            let [(earlier, error), (later, its_error)] = halves.counts;
            let whole = (earlier + later).max(1.0);
            let share = later / whole;
            (share, ((1.0 - share) * its_error).hypot(share * error) / whole)
        };
        let ((one, error), (two, its_error)) = (later(self), later(other));
        (one - two).abs() <= error.hypot(its_error)
    }

    /// Logarithm of the likelihood that the later half grows by `share` of the earlier: each sample falls into one of
    /// both by chance. Where halves are known by less than their samples, these count for fewer.
    pub(super) fn likelihood(&self, share: f64) -> f64 {
        let [(earlier, error), (later, its_error)] = self.counts;
        let (earlier, later) = (earlier.max(0.0), later.max(0.0));
        let spread = (error.powi(2) + its_error.powi(2)) / (earlier + later).max(1.0);
        (later * (share / (1.0 + share)).ln() - earlier * (1.0 + share).ln()) / spread.max(1.0)
    }
}

impl CellStacks {
    /// What grew in each half by the chain with these `calls`.
    pub(super) fn halves(&self, calls: &[String], worth: f64) -> Option<Halves> {
        let found = self.chains.iter().find(|chain| chain.calls == calls)?;
        let sample = self.unseen.get();
        let count = |half: Estimate<BytesPerRequest>| (half.value.get() / sample / 2.0, error_of(half) / sample / 2.0);
        let counts = found.halves?.map(count);
        (sample > 0.0).then(|| Halves::new(counts, sample / worth))
    }

    /// What is kept by chains with these `calls`, where `worth` bytes for each request are worth finding.
    pub(super) fn level(&self, calls: &[String], worth: f64) -> Level {
        let found = self.chains.iter().find(|chain| chain.calls == calls);
        let unseen = Level { growth: 0.0, error: UNLISTED * self.unseen.get() / worth, grows: false };
        found.map_or(unseen, |chain| {
            let level = chain.level(worth);
            // Of few samples the error is that of those that should have been there.
            Level { error: level.error + self.unseen.get() / worth, ..level }
        })
    }

    /// What is kept by all but these: growth with its standard error, in units of what is worth finding.
    pub(super) fn rest(&self, is_apart: impl Fn(&ChainGrowth) -> bool, worth: f64) -> (f64, f64) {
        let others = (self.others.value.get() / worth, error_of(self.others) / worth);
        let rest = self.chains.iter().filter(|chain| !is_apart(chain)).map(|chain| chain.careful(worth));
        let (growth, square) = rest.fold((others.0, others.1 * others.1), |(growth, square), (more, error)| {
            (growth + more, square + error * error)
        });
        (growth.max(0.0), square.sqrt())
    }
}

impl ChainGrowth {
    /// What it keeps, where nothing tells whether it fills: all of its growth may, and all may be kept.
    fn careful(&self, worth: f64) -> (f64, f64) {
        let (growth, error) = (self.growth.value.get() / worth, error_of(self.growth) / worth);
        match self.shape {
            Shape::Flat => (growth, error),
            Shape::Grows | Shape::Slows => (growth.max(0.0), error.max(growth / HALF_WIDTH)),
        }
    }

    /// What it grows by, whether it is kept or fills: which of both all cells together tell.
    fn level(&self, worth: f64) -> Level {
        let Some([earlier, later]) = self.halves else {
            let (growth, error) = match self.shape {
                Shape::Grows => {
                    let growth = self.growth.value.get() / worth;
                    (growth, (error_of(self.growth) / worth).hypot(SPREAD * growth))
                }
                Shape::Slows | Shape::Flat => self.careful(worth),
            };
            return Level { growth, error, grows: self.shape == Shape::Grows };
        };
        let growth = f64::midpoint(earlier.value.get(), later.value.get()) / worth;
        let error = error_of(earlier).hypot(error_of(later)) / 2.0 / worth;
        Level { growth, error: error.hypot(SPREAD * growth), grows: growth > HALF_WIDTH * error }
    }

    /// By how many standard errors it is above nothing.
    pub(super) fn evidence(&self) -> f64 {
        self.growth.value.get() / error_of(self.growth)
    }
}

fn error_of(growth: Estimate<BytesPerRequest>) -> f64 {
    growth.map(BytesPerRequest::get).error()
}
