//! The rules that decide of a series, in their order: the first that applies decides.
//!
//! What the rules compare growth with stands in `limits`, and how long a soak must last to be decided in `need`.
//! METHOD.md lists all rules ("The rules, in order"); those of a soak are in `outcome/rules.rs` of steep-core.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::limits::Limits;
use super::need::{
    LEAST_AFTER_DRIFT, at_least_longer, lasted, until_another_jump, until_it_counts, until_narrow, until_passed,
};
use super::words::{bound, estimate, worth};
use super::{Judgement, Verdict};
use crate::growth::{AfterCap, GivenBack, Growth, Unjudgeable};
use crate::units::{Bytes, duration_text};

/// A rule by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// As it is written in `verdict.json`, in METHOD.md and by `steep analyze --explain`.
    pub name: &'static str,
    /// What it decides; `None`: the verdict of the phase that it points to.
    pub verdict: Option<Verdict>,
    /// When it applies.
    pub when: &'static str,
}

impl Rule {
    /// A rule that decides for one verdict.
    #[must_use]
    pub const fn new(name: &'static str, verdict: Verdict, when: &'static str) -> Self {
        Self { name, verdict: Some(verdict), when }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// The first rule of a table that applies, and what it says.
pub fn first<F, T>(table: &[(Rule, F)], mut ask: impl FnMut(&F) -> Option<T>) -> Option<(Rule, T)> {
    table.iter().find_map(|(rule, decide)| Some((*rule, ask(decide)?)))
}

/// What a rule says of a growth: why, and how long a soak must last that decides, if this one does not.
pub(super) struct Said {
    pub(super) reason: String,
    pub(super) need: Option<Duration>,
}

impl Said {
    const fn decided(reason: String) -> Self {
        Self { reason, need: None }
    }

    const fn open(reason: String, need: Duration) -> Self {
        Self { reason, need: Some(need) }
    }
}

/// Nothing can be read, so that nothing is judged.
pub(super) const NOT_READ: Rule =
    Rule::new("not_read", Verdict::Invalid, "nothing can be read: the file is broken, or the cell was not soaked");

type OfNumbers = fn(&Unjudgeable) -> bool;

/// Where nothing could be fitted.
pub(super) const OF_NUMBERS: [(Rule, OfNumbers); 1] = [(
    Rule::new(
        "broken_numbers",
        Verdict::Invalid,
        "a reading is not a possible number, time goes backwards, columns differ in length, or no model can be fitted",
    ),
    are_broken,
)];

/// The last one of numbers.
pub(super) const TOO_FEW_READINGS: Rule = Rule::new(
    "too_few_readings",
    Verdict::Inconclusive,
    "the run is too short, too many readings are missing, or something was restarted: nothing is fitted",
);

type OfBoth = fn(&Judgement, &Judgement) -> bool;

/// Where live bytes decide, and anonymous memory was fitted too.
pub(super) const OF_BOTH: [(Rule, OfBoth); 1] = [(
    Rule::new(
        "grows_outside_live_bytes",
        Verdict::Retention,
        "anonymous memory by itself is `leak` or `step`, and live bytes are cleared, or are open and grow by less than \
         half of that for sure",
    ),
    grows_outside_live_bytes,
)];

type OfGrowth = fn(&Growth, &Limits<'_>) -> Option<Said>;

/// Of one growth. Before a leak can be called, jumps; before it can be cleared, all that could hide one.
pub(super) const OF_GROWTH: [(Rule, OfGrowth); 17] = [
    (
        Rule::new(
            "jumps_that_double",
            Verdict::Step,
            "most growth is jumps, each twice as high and as late as the last; or live bytes show three such jumps, \
             and the next one is not overdue",
        ),
        jumps_that_double,
    ),
    (
        Rule::new("jumps_of_one_height", Verdict::Step, "most growth is jumps of one height, and hardly anything else"),
        jumps_of_one_height,
    ),
    (
        Rule::new("jumps_spread_out", Verdict::Step, "most growth is three or more jumps, spread over the run"),
        jumps_spread_out,
    ),
    (
        Rule::new(
            "fell_back",
            Verdict::Inconclusive,
            "growth would be a leak by the next rule, but memory fell back and has not passed that height since",
        ),
        fell_back,
    ),
    (
        Rule::new(
            "grows",
            Verdict::Leak,
            "the evidence is above what is asked, the growth is material, and the run was not disturbed too often",
        ),
        grows,
    ),
    (Rule::new("disturbed", Verdict::Inconclusive, "the run was disturbed more than eight times"), disturbed),
    (
        Rule::new("jumps_of_open_cause", Verdict::Inconclusive, "most growth is jumps, of none of the kinds above"),
        jumps_of_open_cause,
    ),
    (
        Rule::new(
            "jumped_late",
            Verdict::Inconclusive,
            "jumps are worth finding by themselves, the last so late that another would not have come yet",
        ),
        jumped_late,
    ),
    (
        Rule::new(
            "grows_by_too_little",
            Verdict::Stable,
            "growth worth finding is excluded, and the evidence of less is above the bar",
        ),
        grows_by_too_little,
    ),
    (
        Rule::new(
            "grew_and_stopped",
            Verdict::Plateau,
            "growth worth finding is excluded, and memory rose along a shape that ends",
        ),
        grew_and_stopped,
    ),
    (Rule::new("does_not_grow", Verdict::Stable, "growth worth finding is excluded"), does_not_grow),
    (
        Rule::new(
            "within_allocator_drift",
            Verdict::Inconclusive,
            "a short run shows growth of anonymous memory above the bar that is not material: allocators take as much",
        ),
        within_allocator_drift,
    ),
    (
        Rule::new(
            "no_flat_end",
            Verdict::Inconclusive,
            "the run must end flat to be cleared, and the ceiling alone is below what is worth finding",
        ),
        no_flat_end,
    ),
    (
        Rule::new(
            "less_than_counts",
            Verdict::Inconclusive,
            "the evidence is above the bar, and growth over this run is less than the least that counts",
        ),
        less_than_counts,
    ),
    (
        Rule::new(
            "creeps_after_cap",
            Verdict::Inconclusive,
            "anonymous memory filled in a straight rise and creeps on, as the heap of a full cache does",
        ),
        creeps_after_cap,
    ),
    (
        Rule::new(
            "slows_down",
            Verdict::Inconclusive,
            "growth is material and above the bar, but slows down, for which more evidence is asked",
        ),
        slows_down,
    ),
    (
        Rule::new(
            "hidden_by_peak",
            Verdict::Inconclusive,
            "a peak of the load left memory so high that growth worth finding could hide beneath",
        ),
        hidden_by_peak,
    ),
];

/// The last one of growth.
pub(super) const TOO_UNCERTAIN: Rule = Rule::new(
    "too_uncertain",
    Verdict::Inconclusive,
    "nothing above applies: growth worth finding is neither shown nor excluded",
);

/// All rules of a series in their order, each with what it asks about.
pub fn all() -> impl Iterator<Item = (&'static str, Rule)> {
    let numbers = OF_NUMBERS.iter().map(|(rule, _)| *rule);
    let numbers = [NOT_READ].into_iter().chain(numbers).chain([TOO_FEW_READINGS]);
    let both = OF_BOTH.iter().map(|(rule, _)| *rule);
    let growth = OF_GROWTH.iter().map(|(rule, _)| *rule).chain([TOO_UNCERTAIN]);
    let numbers = numbers.map(|rule| ("readings", rule));
    numbers.chain(both.map(|rule| ("live bytes", rule))).chain(growth.map(|rule| ("growth", rule)))
}

const fn are_broken(unjudgeable: &Unjudgeable) -> bool {
    match unjudgeable {
        Unjudgeable::Ragged
        | Unjudgeable::Impossible { .. }
        | Unjudgeable::TimeBackwards { .. }
        | Unjudgeable::Singular => true,
        Unjudgeable::Empty
        | Unjudgeable::TooShort { .. }
        | Unjudgeable::TooFew { .. }
        | Unjudgeable::CounterReset { .. }
        | Unjudgeable::TooManyMissing { .. }
        | Unjudgeable::TooFewBlocks { .. } => false,
    }
}

/// Live bytes, and anonymous memory by itself, which grows: its growth is not that of live bytes if they are cleared,
/// or if what they can grow by at most is less than half of what resident memory grows by at least.
fn grows_outside_live_bytes(live: &Judgement, anonymous: &Judgement) -> bool {
    /// Of what resident memory grows by at least, live bytes must be known to grow by less than this share for the rest
    /// to be said to lie outside of them.
    const HELD_OUTSIDE: f64 = 0.5;
    let most = live.growth.as_ref().map(|growth| growth.ceiling.get());
    let least = anonymous.growth.as_ref().map_or(0.0, |growth| growth.floor.get());
    let excluded = || most.is_some_and(|most| most < HELD_OUTSIDE * least);
    let is_outside = live.verdict.is_clear() || live.verdict == Verdict::Inconclusive && excluded();
    matches!(anonymous.verdict, Verdict::Leak | Verdict::Step) && is_outside
}

fn jumps_that_double(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    limits.is_doubling().then(|| jumped(growth, " that double"))
}

fn jumps_of_one_height(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    limits.is_regular().then(|| jumped(growth, ""))
}

fn jumps_spread_out(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    limits.is_spread().then(|| jumped(growth, ""))
}

fn jumped(growth: &Growth, kind: &str) -> Said {
    let jumps = &growth.jumps;
    let last = duration_text(lasted(growth).mul_f64(jumps.last_at));
    Said::decided(format!("{} jumps{kind}, together {}, the last after {last}", jumps.count, jumps.total))
}

fn fell_back(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let GivenBack { fallen, at_s, missing_s } = growth.given_back.filter(|_| limits.is_sure())?;
    let when = duration_text(Duration::from_secs_f64(at_s));
    let reason = format!(
        "grows, but fell back by {fallen} after {when} and has not passed that height again: it may be one long tooth"
    );
    Some(Said::open(reason, until_passed(growth, missing_s).max(at_least_longer(growth))))
}

fn grows(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let since = || growth.since_s.map(|since| duration_text(Duration::from_secs_f64(growth.seconds - since)));
    let over = || since().map_or_else(String::new, |since| format!(" over the last {since}"));
    let reason = || format!("grows by {}{}, evidence {:.1}", estimate(growth), over(), growth.evidence);
    limits.is_sure().then(|| Said::decided(reason()))
}

fn disturbed(growth: &Growth, _: &Limits<'_>) -> Option<Said> {
    let reason = || format!("disturbed {} times: load or sampling was not even", growth.disturbances);
    growth.environment_noisy.then(|| Said::open(reason(), lasted(growth)))
}

fn jumps_of_open_cause(growth: &Growth, _: &Limits<'_>) -> Option<Said> {
    let jumps = &growth.jumps;
    let reason = || format!("{} late jumps, together {}, of an open cause", jumps.count, jumps.total);
    jumps.dominant.then(|| Said::open(reason(), lasted(growth) * 2))
}

fn jumped_late(growth: &Growth, _: &Limits<'_>) -> Option<Said> {
    let jumps = &growth.jumps;
    let reason = || {
        let last = duration_text(lasted(growth).mul_f64(jumps.last_at));
        let jumped = if jumps.count == 1 { "a jump" } else { "jumps, the last" };
        format!("rose by {} in {jumped} after {last}: whether another follows is open", jumps.total)
    };
    jumps.open.then(|| Said::open(reason(), until_another_jump(growth)))
}

fn grows_by_too_little(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let reason = || format!("grows by {}, and {} is worth finding", estimate(growth), worth(growth));
    (limits.is_cleared() && limits.is_above_bar()).then(|| Said::decided(reason()))
}

fn grew_and_stopped(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    does_not_grow(growth, limits).filter(|_| limits.has_ended())
}

fn does_not_grow(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let reason = || {
        let (worth, bound) = (worth(growth), bound(growth));
        format!("no leak of {worth} or more was active during this run: growth is at most {bound}")
    };
    limits.is_cleared().then(|| Said::decided(reason()))
}

fn within_allocator_drift(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let is_blind = growth.is_short() && growth.source.holds_allocator();
    let reason = || {
        let (grown, least) = (grown(growth), growth.least_growth);
        format!("grew by {grown}, and a run this short needs {least}: allocators take that by themselves")
    };
    let need = || until_narrow(growth).max(LEAST_AFTER_DRIFT);
    (limits.is_above_bar() && !limits.is_material() && is_blind).then(|| Said::open(reason(), need()))
}

fn no_flat_end(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let reason = || format!("no flat end as yet that excludes {}: a run this short could hide it", worth(growth));
    (limits.lacks_flat_end() && limits.is_below_worth()).then(|| Said::open(reason(), until_narrow(growth)))
}

fn less_than_counts(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let is_less = growth.over_run() < growth.least_growth.as_f64() && growth.floor.get() > 0.0;
    let reason = || {
        let (grown, Growth { typical, least_growth, .. }) = (grown(growth), growth);
        format!("grew by {grown}, and beside {typical} of memory only {least_growth} counts")
    };
    (limits.is_above_bar() && is_less).then(|| Said::open(reason(), until_it_counts(growth)))
}

fn creeps_after_cap(growth: &Growth, _: &Limits<'_>) -> Option<Said> {
    let AfterCap { full_s, filled, crept } = growth.after_cap.filter(|_| growth.is_after_cap())?;
    let when = duration_text(Duration::from_secs_f64(full_s));
    let reason = format!(
        "rose by {filled} until {when} and by {crept} since: the heap of a full cache creeps on like that, and so does a \
         leak beside it; live bytes (`service.probe`) tell them apart at once"
    );
    // A cache has turned over often enough, and a line added up, by then.
    Some(Said::open(reason, until_narrow(growth).max(lasted(growth) * 2)))
}

fn slows_down(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let (evidence, asked) = (growth.evidence, limits.evidence_asked());
    let reason = || format!("grows ever more slowly, and evidence {evidence:.1} is below {asked:.1}");
    (limits.is_material() && limits.is_above_bar()).then(|| Said::open(reason(), until_narrow(growth)))
}

fn hidden_by_peak(growth: &Growth, limits: &Limits<'_>) -> Option<Said> {
    let more_s = growth.hidden_by_peaks.filter(|_| limits.is_below_worth())?;
    let reason = format!("a load peak left memory so high that growth of {} could hide beneath", worth(growth));
    Some(Said::open(reason, until_narrow(growth).max(until_passed(growth, more_s))))
}

pub(super) fn too_uncertain(growth: &Growth) -> Said {
    let amount = estimate(growth);
    let reason = format!("{amount} is too uncertain: growth of {} is not excluded", worth(growth));
    Said::open(reason, until_narrow(growth))
}

fn grown(growth: &Growth) -> Bytes {
    Bytes::new(growth.over_run().max(0.0) as u64)
}

#[cfg(test)]
mod tests;
