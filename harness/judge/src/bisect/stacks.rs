//! A search that knows the stacks: each that grows is a leak of its own, and the search goes on until each has one
//! cause that is sure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::candidates::information;
use super::{Bisect, Explanation, SURE, Soaked};
use crate::isolation::StackLevel;
use crate::isolation::model::{Reading, STACK_CREEP};
use crate::isolation::posterior::{Hypothesis, Posterior};
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
    /// Time constant with which caches of a simulated service fill.
    pub fills: Duration,
}

impl Sampled {
    /// After the warm-up. Fewer snapshots would have no halves to compare.
    pub(super) const SHORTEST: Duration = Duration::from_mins(2);
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

    /// Whether it is known what makes it grow, and open only whether that fills.
    fn may_fill(&self) -> bool {
        let leaks = self.explanations.iter().find(|best| !best.culprits.is_empty());
        !self.is_sure() && leaks.is_some_and(|best| best.posterior >= SURE * self.posterior.kept())
    }

    /// Information, in bits, that a cell with these flags on is expected to give about it: what makes it grow, and
    /// whether it fills.
    pub(super) fn information(&self, on: &[bool]) -> f64 {
        let kept = self.posterior.kept();
        let entropy = |share: f64| if share > 0.0 { -share * share.log2() } else { 0.0 };
        let is_open = entropy(kept) + entropy(1.0 - kept);
        let is_grown = |hypothesis: &&Hypothesis| hypothesis.terms.iter().any(|term| term.is_active(on));
        let grows: f64 = self.posterior.hypotheses.iter().filter(is_grown).map(|grown| grown.probability).sum();
        let others_off = on.iter().filter(|on| !**on).count() as f64 / on.len().max(1) as f64;
        let settles = SETTLES * is_open * grows * others_off;
        information(&self.posterior.hypotheses, on, self.error, STACK_CREEP) + settles
    }
}

/// Whether of all stacks that are open only that is: what may fill is known by what is left of it later.
pub(super) fn only_may_fill(stacks: &[Stack]) -> bool {
    let mut open = stacks.iter().filter(|stack| !stack.is_sure()).peekable();
    open.peek().is_some() && open.all(Stack::may_fill)
}

/// A cell in which a stack grows alone tells this share of whether it fills; the more flags are on beside, the less of
/// it: what they fill slows down as well.
const SETTLES: f64 = 0.3;

/// The same where what grows is kept with this probability: what fills is not a leak.
fn if_kept(explanations: Vec<Explanation>, kept: f64) -> Vec<Explanation> {
    let scaled = explanations.into_iter().map(|each| Explanation { posterior: kept * each.posterior, ..each });
    let (innocent, mut all): (Vec<Explanation>, Vec<Explanation>) = scaled.partition(|each| each.culprits.is_empty());
    let posterior = innocent.iter().map(|each| each.posterior).sum::<f64>() + 1.0 - kept;
    all.push(Explanation { culprits: Vec::new(), posterior });
    all.retain(|each| each.posterior > 0.0);
    all.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
    all
}

impl Bisect {
    /// The stacks that grow.
    pub(super) fn stacks(&self) -> Vec<Stack> {
        let count = self.soaked.iter().map(|soaked| soaked.stacks.len()).max().unwrap_or(0);
        (0..count).map(|nth| self.stack(nth)).collect()
    }

    fn stack(&self, nth: usize) -> Stack {
        let reading = |soaked: &Soaked| {
            let StackLevel { growth, error, .. } = (*soaked.stacks.get(nth)?)?;
            Some(Reading { on: self.on(&soaked.flags), growth, error })
        };
        let readings: Vec<Reading> = self.soaked.iter().filter_map(reading).collect();
        let levels = self.soaked.iter().filter_map(|soaked| *soaked.stacks.get(nth)?);
        let kept = levels.map(|level| level.kept).next().unwrap_or(1.0);
        let posterior = Posterior::of_stack(&readings, &self.causes(), kept);
        let explanations = if_kept(self.explanations(&posterior), kept);
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

/// The explanations of all: each is one of every stack, and one of what no stack accounts for. What leaks by one stack
/// is likelier to do so by another than any of the `flags` is beforehand.
pub(super) fn together(flags: usize, of_rest: &[Explanation], stacks: &[Stack]) -> Vec<Explanation> {
    let mut all = of_rest.to_vec();
    for stack in stacks {
        let mut with: BTreeMap<Vec<_>, f64> = BTreeMap::new();
        for (one, other) in all.iter().flat_map(|one| stack.explanations.iter().map(move |other| (one, other))) {
            let mut culprits = [&one.culprits[..], &other.culprits[..]].concat();
            culprits.sort();
            culprits.dedup();
            let known = other.culprits.iter().filter(|culprit| one.culprits.contains(culprit));
            let flags_known: usize = known.map(|culprit| culprit.iter().count()).sum();
            let likelier = (flags as f64).powi(i32::try_from(flags_known).unwrap_or(i32::MAX));
            *with.entry(culprits).or_default() += likelier * one.posterior * other.posterior;
        }
        let sum: f64 = with.values().sum();
        for posterior in with.values_mut() {
            *posterior /= sum;
        }
        all = with.into_iter().map(|(culprits, posterior)| Explanation { culprits, posterior }).collect();
        all.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        all.truncate(CARRIED);
    }
    all
}
