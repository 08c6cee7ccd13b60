//! A search that knows the stacks: each that grows is a leak of its own, and the search goes on until each has one
//! cause that is sure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::candidates::information;
use super::{Bisect, Explanation, SURE, Soaked};
use crate::isolation::model::{Reading, STACK_CREEP};
use crate::isolation::posterior::Posterior;
use crate::units::BytesPerRequest;

/// Explanations of all stacks together that are carried on, the likeliest.
const CARRIED: usize = 16;

/// What a stack keeps differs from cell to cell by this share of it.
const SPREAD: f64 = 0.1;

/// How stacks are sampled: what is known of each stack after some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// Mean bytes between two samples.
    pub every: f64,
    /// Requests for each second.
    pub rate: f64,
}

impl Sampled {
    /// After the warm-up. Fewer snapshots would have no halves to compare.
    pub(super) const SHORTEST: Duration = Duration::from_mins(1);
    /// No cell is longer: what is worth finding stands in dozens of samples by then.
    const LONGEST: Duration = Duration::from_mins(30);
    /// A stack that keeps what is in question is seen in this many samples: its size is known to a quarter.
    const SEEN: f64 = 16.0;
    /// What is allocated and freed all the time moves the rest by this many samples.
    const OF_REST: f64 = 3.0;

    /// How long a cell must last after its warm-up to tell `effect` from nothing.
    pub(super) fn length(self, effect: BytesPerRequest) -> Duration {
        let seconds = Self::SEEN * self.every / effect.get() / self.rate;
        Duration::try_from_secs_f64(seconds).unwrap_or(Self::LONGEST).clamp(Self::SHORTEST, Self::LONGEST)
    }

    /// Standard error of what no stack accounts for, after this many seconds.
    pub(super) fn error_of_rest(self, seconds: f64) -> BytesPerRequest {
        BytesPerRequest::new(Self::OF_REST * self.every / (self.rate * seconds))
    }

    /// Standard error of a stack that keeps `growth`, after this many seconds: samples come by chance.
    pub(super) fn error(self, growth: f64, seconds: f64) -> f64 {
        let requests = self.rate * seconds;
        (self.every * growth / requests).sqrt().max(self.every / requests)
    }
}

/// A stack that grows by itself, and what makes it.
pub(super) struct Stack {
    pub(super) posterior: Posterior,
    explanations: Vec<Explanation>,
    /// Standard error of the next cell.
    error: f64,
}

impl Stack {
    /// Whether one explanation is sure.
    pub(super) fn is_sure(&self) -> bool {
        self.explanations.first().is_some_and(|best| best.posterior >= SURE)
    }

    /// Information, in bits, that a cell with these flags on is expected to give about it.
    pub(super) fn information(&self, on: &[bool]) -> f64 {
        information(&self.posterior.hypotheses, on, self.error, STACK_CREEP)
    }
}

impl Bisect {
    /// The stacks that grow.
    pub(super) fn stacks(&self) -> Vec<Stack> {
        let count = self.soaked.iter().map(|soaked| soaked.stacks.len()).max().unwrap_or(0);
        (0..count).map(|nth| self.stack(nth)).collect()
    }

    fn stack(&self, nth: usize) -> Stack {
        let worth = self.rules.worth_finding.get();
        let reading = |soaked: &Soaked| {
            let (growth, error) = (*soaked.stacks.get(nth)?)?;
            let on = self.on(&soaked.flags);
            Some(Reading { on, growth: growth.get() / worth, error: error.get() / worth })
        };
        let readings: Vec<Reading> = self.soaked.iter().filter_map(reading).collect();
        let posterior = Posterior::of_stack(&readings, &self.causes());
        let explanations = self.explanations(&posterior);
        let largest = readings.iter().map(|reading| reading.growth).fold(0.0, f64::max);
        let least = readings.iter().map(|reading| reading.error).fold(f64::INFINITY, f64::min);
        Stack { posterior, explanations, error: least.max(SPREAD * largest) }
    }

    /// Of each flag, how likely it is that it leaks: by any stack, or by what no stack accounts for.
    pub(super) fn likelihoods(&self, rest: &Posterior, stacks: &[Stack]) -> BTreeMap<String, f64> {
        let mut most = self.by_flag(rest);
        for stack in stacks {
            for (flag, posterior) in self.by_flag(&stack.posterior) {
                most.entry(flag).and_modify(|most| *most = most.max(posterior));
            }
        }
        most
    }
}

/// The explanations of all: each is one of every stack, and one of what no stack accounts for.
pub(super) fn together(of_rest: &[Explanation], stacks: &[Stack]) -> Vec<Explanation> {
    let mut all = of_rest.to_vec();
    for stack in stacks {
        let mut with: BTreeMap<Vec<_>, f64> = BTreeMap::new();
        for (one, other) in all.iter().flat_map(|one| stack.explanations.iter().map(move |other| (one, other))) {
            let mut culprits = [&one.culprits[..], &other.culprits[..]].concat();
            culprits.sort();
            culprits.dedup();
            *with.entry(culprits).or_default() += one.posterior * other.posterior;
        }
        all = with.into_iter().map(|(culprits, posterior)| Explanation { culprits, posterior }).collect();
        all.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        all.truncate(CARRIED);
    }
    all
}
