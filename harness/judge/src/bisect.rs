//! An adaptive search for the flags that leak: from the cells so far to how likely each explanation is, and to the cell
//! that would tell most next.
//!
//! Pure: who soaks the cells is somebody else's.

mod candidates;
mod rehearsal;
mod simulated;
mod stacks;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use self::candidates::{candidates, information, neighbourhoods};
pub use self::rehearsal::{Rehearsal, Tally};
pub use self::stacks::Sampled;
use self::stacks::{Stack, only_may_fill, together};
pub use self::truth::Truth;
use crate::ids::FlagSet;
use crate::isolation::StackLevel;
use crate::isolation::model::{CREEP, Causes, Reading, Term};
use crate::isolation::posterior::{Hypothesis, Posterior};
use crate::units::{BytesPerHour, BytesPerRequest, counted, duration_text};

/// Cells that a search has at most. The first simulations took 5 to 13; what this many do not tell, more of their
/// length will not.
pub const MAX_CELLS: usize = 64;

/// The search ends once one explanation is so likely (docs/isolation.md, where the numbers come from).
const SURE: f64 = 0.97;

/// A cell that was soaked.
#[derive(Debug, Clone, PartialEq)]
pub struct Soaked {
    /// The flags that were on.
    pub flags: FlagSet,
    /// How memory grew.
    pub growth: BytesPerRequest,
    /// Standard error of that.
    pub error: BytesPerRequest,
    /// Growth of each stack that grows by itself in some cell, in the same order in all cells; none: nobody looked at
    /// the stacks of this cell. `growth` is what they leave.
    pub stacks: Vec<Option<StackLevel>>,
}

/// What a search goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The smallest growth worth finding.
    pub worth_finding: BytesPerRequest,
    /// The same per hour, where nothing is asked of the service; only what is said of growth differs.
    pub worth_per_hour: Option<BytesPerHour>,
    /// How long the service warms up.
    pub warm_up: Duration,
    /// Standard error of the growth of a cell of half an hour.
    pub error_of_half_hour: BytesPerRequest,
    /// How long every cell is, where that is not for the search to choose.
    pub fixed_length: Option<Duration>,
    /// How stacks are sampled, where they are.
    pub sampled: Option<Sampled>,
    /// From which the candidates are drawn.
    pub seed: u64,
}

impl Default for Rules {
    /// As they were first measured: docs/isolation.md, where the numbers come from.
    fn default() -> Self {
        Self {
            worth_finding: BytesPerRequest::new(4.0),
            worth_per_hour: None,
            warm_up: Duration::from_mins(2),
            error_of_half_hour: BytesPerRequest::new(0.5),
            fixed_length: None,
            sampled: None,
            seed: 0,
        }
    }
}

/// Half an hour, in seconds.
const HALF_HOUR: f64 = 1800.0;
/// A cell is at least so much longer than its warm-up: below five minutes nothing is judged without live bytes
/// (METHOD.md).
const SHORTEST: Duration = Duration::from_mins(5);
/// No cell is longer: one that long tells what is worth finding from nothing, twenty times over.
const LONGEST: Duration = Duration::from_hours(1);
/// A cell is so long that the effect in question is this many standard errors (docs/isolation.md, where the numbers
/// come from).
const TELLING: f64 = 4.0;

impl Rules {
    /// How long a cell must last to tell `effect` from nothing: the error falls with the time after the warm-up to the
    /// power 3/2. Where stacks are sampled, `is_longer` makes it twice as long.
    fn length(&self, effect: BytesPerRequest, is_longer: bool) -> Duration {
        if let Some(length) = self.fixed_length {
            return length;
        }
        if let Some(sampled) = self.sampled {
            return self.warm_up + sampled.length(effect) * if is_longer { 2 } else { 1 };
        }
        let share = TELLING * self.error_of_half_hour.get() / effect.get();
        let seconds = HALF_HOUR * share.max(0.0).powf(2.0 / 3.0);
        let length = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST);
        self.warm_up + length.clamp(SHORTEST, LONGEST)
    }

    /// An amount of growth in words: per hour where there are no requests.
    #[must_use]
    pub fn described(&self, growth: BytesPerRequest) -> String {
        match self.worth_per_hour {
            None => growth.to_string(),
            Some(worth) => BytesPerHour::new(growth.get() / self.worth_finding.get() * worth.get()).to_string(),
        }
    }

    /// Standard error of the growth of a cell of this length.
    #[must_use]
    pub fn error(&self, length: Duration) -> BytesPerRequest {
        let fitted = length.saturating_sub(self.warm_up).as_secs_f64().max(1.0);
        if let Some(sampled) = self.sampled {
            return sampled.error_of_rest(fitted);
        }
        BytesPerRequest::new(self.error_of_half_hour.get() * (HALF_HOUR / fitted).powf(1.5))
    }
}

/// A search as far as it came.
#[derive(Debug, Clone)]
pub struct Bisect {
    flags: Vec<String>,
    rules: Rules,
    soaked: Vec<Soaked>,
    doubted: FlagSet,
}

/// What is known after some cells, and what is to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchState {
    /// Which flags leak, the likeliest explanation first.
    pub explanations: Vec<Explanation>,
    /// Of each flag, how likely it is that it leaks, by itself or with others.
    pub flags: BTreeMap<String, f64>,
    /// How likely it is that the program grows whatever is on.
    pub program_posterior: f64,
    /// What next.
    pub next: Next,
}

/// One explanation of all growth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The culprits: flags that leak by themselves, and pairs that leak only together. Empty: no flag leaks.
    pub culprits: Vec<FlagSet>,
    /// How likely that is.
    pub posterior: f64,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let culprits: Vec<String> = self.culprits.iter().map(ToString::to_string).collect();
        let named = if culprits.is_empty() { "no flag leaks".to_owned() } else { culprits.join(" and ") };
        write!(f, "{named} ({:.2})", self.posterior)
    }
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// To stop: one explanation is likely enough.
    Sure,
    /// To stop: no set of flags is feasible that would tell anything, or no time is left.
    Unsure {
        /// Which of both.
        reason: String,
    },
    /// To soak this.
    Soak(NextCell),
}

/// The cell that would tell most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextCell {
    /// The flags to be on.
    pub flags: FlagSet,
    /// How long.
    #[serde(rename = "length_s", serialize_with = "crate::units::seconds::serialize")]
    pub length: Duration,
    /// Why this one, in words.
    pub why: String,
}

impl Bisect {
    /// A search among these flags. Their order does not matter.
    #[must_use]
    pub fn new(flags: impl IntoIterator<Item = String>, rules: Rules) -> Self {
        let mut flags: Vec<String> = flags.into_iter().collect();
        flags.sort();
        flags.dedup();
        Self { flags, rules, soaked: Vec::new(), doubted: FlagSet::default() }
    }

    /// Takes note of a cell.
    pub fn add(&mut self, soaked: Soaked) {
        self.soaked.push(soaked);
    }

    /// Holds these flags for undecided: a report that goes by stricter rules does not clear them yet. The search does
    /// not end before more was soaked for them.
    pub fn doubt(&mut self, flags: &FlagSet) {
        self.doubted = flags.clone();
    }

    /// What is known, and what is next. `is_feasible`: whether a set of flags can be built and run; `left`: time that
    /// is left.
    #[must_use]
    pub fn look(&self, is_feasible: impl Fn(&FlagSet) -> bool, left: Duration) -> SearchState {
        let posterior = self.posterior();
        let stacks = self.stacks();
        let of_rest = self.explanations(&posterior);
        let grows = |posterior: &Posterior| posterior.share(Term::Program);
        let program_posterior = stacks.iter().map(|stack| grows(&stack.posterior)).fold(grows(&posterior), f64::max);
        let explanations = together(self.flags.len(), &of_rest, &stacks);
        let next = self.next(&posterior, &stacks, (&of_rest, &explanations), is_feasible, left);
        SearchState { explanations, flags: self.likelihoods(&posterior, &stacks), program_posterior, next }
    }

    /// Of each flag, how likely it is that it leaks.
    fn by_flag(&self, posterior: &Posterior) -> BTreeMap<String, f64> {
        let leaks =
            |flag: usize| posterior.probability(|hypothesis| hypothesis.culprits().any(|term| term.involves(flag)));
        self.flags.iter().enumerate().map(|(flag, name)| (name.clone(), leaks(flag))).collect()
    }

    fn on(&self, flags: &FlagSet) -> Vec<bool> {
        self.flags.iter().map(|flag| flags.contains(flag)).collect()
    }

    fn set(&self, on: &[bool]) -> FlagSet {
        self.flags.iter().zip(on).filter(|(_, on)| **on).map(|(flag, _)| flag.as_str()).collect()
    }

    fn readings(&self) -> Vec<Reading> {
        let worth = self.rules.worth_finding.get();
        let reading = |soaked: &Soaked| Reading {
            on: self.on(&soaked.flags),
            growth: soaked.growth.get() / worth,
            error: soaked.error.get() / worth,
        };
        self.soaked.iter().map(reading).collect()
    }

    fn posterior(&self) -> Posterior {
        Posterior::of(&self.readings(), &self.causes())
    }

    /// Each flag, and each pair of them.
    fn causes(&self) -> Causes {
        let together = (0..self.flags.len()).flat_map(|one| (0..one).map(move |other| (other, one))).collect();
        Causes { together, ..Causes::default() }
    }

    /// Hypotheses that name the same culprits are one explanation.
    fn explanations(&self, posterior: &Posterior) -> Vec<Explanation> {
        let mut by_culprits: BTreeMap<Vec<Term>, f64> = BTreeMap::new();
        for hypothesis in &posterior.hypotheses {
            *by_culprits.entry(hypothesis.culprits().collect()).or_insert(0.0) += hypothesis.probability;
        }
        let mut explanations: Vec<Explanation> = by_culprits
            .into_iter()
            .map(|(terms, posterior)| Explanation {
                culprits: terms.into_iter().map(|term| self.named(term)).collect(),
                posterior,
            })
            .collect();
        explanations.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        explanations
    }

    fn named(&self, term: Term) -> FlagSet {
        self.flags.iter().enumerate().filter(|(flag, _)| term.involves(*flag)).map(|(_, name)| name.as_str()).collect()
    }

    fn next(
        &self,
        posterior: &Posterior,
        stacks: &[Stack],
        (of_rest, explanations): (&[Explanation], &[Explanation]),
        is_feasible: impl Fn(&FlagSet) -> bool,
        left: Duration,
    ) -> Next {
        let is_likely = of_rest.first().is_some_and(|best| best.posterior >= SURE);
        let unsure = || stacks.iter().filter(|stack| !stack.is_sure());
        let is_longer = is_likely && only_may_fill(stacks);
        let length = self.rules.length(self.in_question(posterior, stacks), is_longer);
        let shortest = self.rules.sampled.map_or(SHORTEST, |_| Sampled::SHORTEST);
        let may_be_last = self.rules.fixed_length.is_none() && left >= self.rules.warm_up + shortest;
        let length = if may_be_last && left < length.mul_f64(LAST) { left } else { length };
        let seed = self.rules.seed ^ (self.soaked.len() as u64) << 32;
        let feasible = |on: &Vec<bool>| is_feasible(&self.set(on));
        let near = unsure().flat_map(|stack| neighbourhoods(&stack.posterior.hypotheses));
        let near: Vec<&Hypothesis> = neighbourhoods(&posterior.hypotheses).iter().chain(near).collect();
        let candidates = candidates(self.flags.len(), &near, seed, feasible);
        let first = self.first(&candidates);
        let untested = self.untested();
        let unseen = self.unseen(posterior, stacks);
        let is_sure = is_likely && unseen.is_empty() && unsure().next().is_none();
        let are_alike = |one: usize, other: usize| self.soaked[one].flags == self.soaked[other].flags;
        let beyond = posterior.unexplained(&self.readings(), are_alike);
        if first.is_none() && untested.is_empty() && is_sure && beyond.is_empty() {
            return Next::Sure;
        }
        if first.is_none() && !untested.is_empty() {
            return Next::Unsure { reason: format!("no cell that was judged had {untested} on, and none can be run") };
        }
        if self.soaked.len() >= MAX_CELLS {
            return Next::Unsure { reason: format!("{MAX_CELLS} cells did not decide it, and more are not soaked") };
        }
        if length > left {
            return Next::Unsure { reason: format!("no time is left for a cell of {}", duration_text(length)) };
        }
        if let Some((on, why)) = first {
            return Next::Soak(NextCell { flags: self.set(on), length, why });
        }
        if is_sure && let Some(cell) = beyond.first() {
            return self.again(*cell, length);
        }
        let in_doubt = doubted(&posterior.hypotheses, &unseen, is_likely);
        let of_stacks = |on: &[bool]| unsure().map(|stack| stack.information(on)).sum::<f64>();
        let described =
            |on: &[bool]| information(&in_doubt, on, self.expected_error(on, length), CREEP) + of_stacks(on);
        let told_likely = |on: &[bool]| {
            information(&posterior.hypotheses, on, self.expected_error(on, length), CREEP) + of_stacks(on)
        };
        let described = candidates.iter().map(|on| (described(on), on));
        match described.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((bits, on)) if bits >= LEAST_BITS => {
                let is_for_unseen = is_likely && unsure().next().is_none() || told_likely(on) < 0.5 * bits;
                let why = if is_for_unseen { self.why_again(&unseen) } else { why(explanations, bits) };
                Next::Soak(NextCell { flags: self.set(on), length, why })
            }
            _ => Next::Unsure { reason: self.blind(&unseen, length) },
        }
    }

    /// Standard error that a cell with these flags on will have. Where all cells are of one length: that of the
    /// quietest, to which each flag adds its share of what a cell with it had more, the smallest of these; and at least
    /// that of the quietest that had the same flags or a part of them. A cache that fills through most of a cell blinds
    /// each that has it, and the same soaked again is as blind as it was.
    fn expected_error(&self, on: &[bool], length: Duration) -> f64 {
        let worth = self.rules.worth_finding.get();
        let error = |soaked: &Soaked| soaked.error.get() / worth;
        // Not that of the middle one: after ten cells with a flag that blinds, no other would be expected to see.
        let least = self.soaked.iter().map(error).reduce(f64::min);
        let (Some(_), Some(least)) = (self.rules.fixed_length, least) else {
            return self.rules.error(length).get() / worth;
        };
        let on: FlagSet = self.set(on);
        let share = |soaked: &Soaked| (error(soaked).powi(2) - least.powi(2)) / soaked.flags.iter().count() as f64;
        let added = on.iter().filter_map(|flag| {
            self.soaked.iter().filter(|soaked| soaked.flags.contains(flag)).map(share).reduce(f64::min)
        });
        let together = (least.powi(2) + added.sum::<f64>()).sqrt();
        let mut of_parts: BTreeMap<&FlagSet, f64> = BTreeMap::new();
        for part in self.soaked.iter().filter(|part| part.flags.iter().all(|flag| on.contains(flag))) {
            of_parts.entry(&part.flags).and_modify(|known| *known = known.min(error(part))).or_insert(error(part));
        }
        of_parts.into_values().fold(together, f64::max)
    }

    /// The flags that the likeliest explanation holds innocent, while the cells could not have seen growth that is
    /// worth finding.
    fn unseen(&self, posterior: &Posterior, stacks: &[Stack]) -> Vec<usize> {
        let Some(best) = posterior.hypotheses.first() else { return (0..self.flags.len()).collect() };
        let of_stacks = stacks.iter().filter_map(|stack| stack.posterior.hypotheses.first());
        let guilty: Vec<&Hypothesis> = std::iter::once(best).chain(of_stacks).collect();
        let is_culprit = |flag: usize, best: &Hypothesis| best.culprits().any(|term| term.involves(flag));
        let innocent = |flag: &usize| !guilty.iter().any(|best| is_culprit(*flag, best));
        let error = |flag| posterior.beside_best(Term::One(flag)).map_or(f64::INFINITY, |(_, error)| error);
        let is_open = |&flag: &usize| self.doubted.contains(&self.flags[flag]) || EXCLUDING * error(flag) >= 1.0;
        (0..self.flags.len()).filter(innocent).filter(is_open).collect()
    }

    /// A cell that nothing explains is soaked once more. If it is so again, flags leak together that are more than two.
    fn again(&self, cell: usize, length: Duration) -> Next {
        let flags = self.soaked[cell].flags.clone();
        let count = self.soaked.iter().filter(|soaked| soaked.flags == flags).count();
        let grows = format!("{flags} grew by more than any flags or pairs explain");
        if count > 1 {
            let what = if flags.is_empty() { "a flag leaks where it is off" } else { "three flags leak only together" };
            let reason = format!("{grows}, {count} times; perhaps {what}");
            return Next::Unsure { reason };
        }
        Next::Soak(NextCell { flags, length, why: format!("{grows}: is it so again?") })
    }

    /// Why no further cell is worth its time.
    fn blind(&self, unseen: &[usize], length: Duration) -> String {
        if unseen.is_empty() {
            return format!("no set of flags that can be run would tell more in cells of {}", duration_text(length));
        }
        let open = self.why_again(unseen);
        format!("{open}, and no other cell of {} would tell; longer ones would", duration_text(length))
    }

    fn why_again(&self, unseen: &[usize]) -> String {
        let worth = self.rules.described(self.rules.worth_finding);
        match unseen {
            [flag] => format!("{} could leak {worth} and the cells so far would not show it", self.flags[*flag]),
            several => format!("{} flags could leak {worth} and the cells so far would not show it", several.len()),
        }
    }

    /// Flags that no cell had on: nothing is known of them, however clean the others are.
    fn untested(&self) -> FlagSet {
        let is_new = |flag: &&String| self.soaked.iter().all(|soaked| !soaked.flags.contains(flag));
        self.flags.iter().filter(is_new).cloned().collect()
    }

    /// The cells that come before any weighing: all on, or where that cannot be, sets in which each flag is on once;
    /// and the fewest on that can be.
    fn first<'c>(&self, candidates: &'c [Vec<bool>]) -> Option<(&'c Vec<bool>, String)> {
        let tried: Vec<Vec<bool>> = self.soaked.iter().map(|soaked| self.on(&soaked.flags)).collect();
        let count = |on: &[bool]| on.iter().filter(|on| **on).count();
        let is_new = |flag: usize| tried.iter().all(|on| !on[flag]);
        let new = |on: &[bool]| on.iter().enumerate().filter(|(flag, on)| **on && is_new(*flag)).count();
        let widest = candidates.iter().max_by_key(|on| (new(on), count(on)))?;
        if new(widest) > 0 {
            let said = format!("it tells whether any of {} leaks", counted(new(widest), "flag"));
            return Some((widest, said));
        }
        let fewest = candidates.iter().min_by_key(|on| count(on))?;
        (!tried.contains(fewest)).then(|| (fewest, "it tells whether the program grows without any flag".to_owned()))
    }

    /// The effect that the next cell must tell: the smallest of the likeliest explanation, and as long as nothing leaks
    /// in it what is worth finding, with a margin.
    fn in_question(&self, posterior: &Posterior, stacks: &[Stack]) -> BytesPerRequest {
        let worth = self.rules.worth_finding.get();
        let smallest = |hypothesis: &Hypothesis| {
            let culprits = hypothesis.terms.iter().zip(&hypothesis.effects).filter(|(term, _)| term.is_culprit());
            culprits.map(|(_, (mean, _))| *mean).reduce(f64::min)
        };
        let all = std::iter::once(posterior).chain(stacks.iter().map(|stack| &stack.posterior));
        let effects = all.filter_map(|posterior| posterior.hypotheses.first().and_then(smallest));
        let effect = effects.reduce(f64::min).unwrap_or(UNKNOWN);
        BytesPerRequest::new(effect.clamp(UNKNOWN, LARGE) * worth)
    }
}

/// Effects that cells are made for, in units of what is worth finding: while none is known, and at most.
const UNKNOWN: f64 = 2.0;
/// See [`UNKNOWN`].
const LARGE: f64 = 2.5;

/// Growth of this many standard errors is excluded by 95 % where none is seen: of one side, as no flag is thought to
/// take memory away.
const EXCLUDING: f64 = 1.645;

/// A cell that is expected to tell less than this, in bits, is not worth its time: "0.00 bit expected" was soaked for
/// nine times over.
const LEAST_BITS: f64 = 0.005;

/// With less than this many cells' time left, the next cell is the last and takes all of it.
const LAST: f64 = 1.6;

/// The hypotheses, of which only the likeliest where that is likely enough, and beside them those in which a flag that
/// could not have been seen leaks what is worth finding. The model itself holds them for less likely than they are:
/// among effects that cells do not tell it weighs but one scale.
fn doubted(hypotheses: &[Hypothesis], unseen: &[usize], is_likely: bool) -> Vec<Hypothesis> {
    let Some(best) = hypotheses.first() else { return Vec::new() };
    if unseen.is_empty() {
        return hypotheses.to_vec();
    }
    let with = |&flag: &usize| {
        let mut hypothesis = Hypothesis { probability: (1.0 - SURE) / unseen.len() as f64, ..best.clone() };
        hypothesis.terms.push(Term::One(flag));
        hypothesis.effects.push((1.0, 0.0));
        hypothesis
    };
    let known = if is_likely { vec![Hypothesis { probability: 1.0, ..best.clone() }] } else { hypotheses.to_vec() };
    let known = known.into_iter().map(|known| Hypothesis { probability: SURE * known.probability, ..known });
    unseen.iter().map(with).chain(known).collect()
}

/// What the next cell is to tell apart.
fn why(explanations: &[Explanation], bits: f64) -> String {
    match explanations {
        [first, second, ..] => format!("it tells {first} from {second} and others: {bits:.2} bit expected"),
        [only] => format!("it confirms {only}: {bits:.2} bit expected"),
        [] => format!("{bits:.2} bit expected"),
    }
}
