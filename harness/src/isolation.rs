//! From the outcomes of cells to what is said of each flag: does it leak, how much does it add, or is it innocent.
//!
//! Two cells that differ in one flag only are a contrast; the difference of their growth is that flag's effect there.
//! Pure.

use serde::Serialize;

use crate::flags::{CellId, FlagSet};
use crate::growth::Growth;
use crate::outcome::Outcome;
use crate::units::{BytesPerHour, BytesPerRequest, Estimate};
use crate::verdict::Verdict;

/// What is said of a flag.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlagFinding {
    /// The flag.
    pub flag: String,
    /// Whether it leaks.
    pub guilt: Guilt,
    /// Why that is said, in words.
    pub reason: String,
    /// What turning it on adds, in the contrast that says it best.
    pub effect: Option<Effect>,
    /// Whether nothing showed that it took effect.
    pub unverified: bool,
}

/// Whether a flag leaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Guilt {
    /// It adds growth by itself.
    Leaks,
    /// It adds growth only where these flags are on too.
    LeaksWith(FlagSet),
    /// With it on the allocator holds more and more, while live bytes do not grow.
    Retains,
    /// With it on the service ends by itself.
    Crashes,
    /// Any growth that it adds is below what is worth finding.
    Innocent,
    /// The cells do not decide it.
    Undecided,
}

/// What turning a flag on adds to growth. Where no two cells differ in that flag only, what it and those that were turned on
/// with it add together: the ids tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// The cell with the flag.
    pub with: CellId,
    /// The cell that it is compared with.
    pub without: CellId,
    /// Difference of growth per hour.
    #[serde(rename = "growth_bytes_per_hour")]
    pub per_hour: Estimate<BytesPerHour>,
    /// Difference of growth per request.
    #[serde(rename = "growth_bytes_per_request")]
    pub per_request: Option<Estimate<BytesPerRequest>>,
}

/// Two cells that differ in one flag; or in a few that are only ever on together.
#[derive(Clone, Copy)]
struct Contrast<'o> {
    with: &'o Outcome,
    without: &'o Outcome,
}

impl<'o> Contrast<'o> {
    /// The flag adds growth: the cell with it grows, and by more than the other for sure.
    fn shows_leak(&self) -> bool {
        let grows = matches!(self.with.verdict(), Verdict::Leak | Verdict::Step);
        let without_is_known = self.without.verdict().is_clear() || self.without.growth().is_some();
        grows
            && without_is_known
            && (self.without.verdict().is_clear() || self.effect().is_some_and(|e| e.per_hour.low.get() > 0.0))
    }

    /// Any growth that the flag adds is below what is worth finding: the cell with it is clear, or it leaks as the other does.
    /// Of a soak that was cut short only what was soaked is known.
    fn shows_innocence(&self) -> bool {
        let small = |effect: &Effect| {
            self.with.growth().is_some_and(|growth| effect.per_hour.high.get() < growth.worth_finding.get())
        };
        let leaks_alike = self.with.verdict() == Verdict::Leak
            && self.without.verdict() == Verdict::Leak
            && self.effect().as_ref().is_some_and(small);
        self.with.cut_short.is_none() && (self.with.verdict().is_clear() || leaks_alike)
    }

    /// The cell with the flag has this verdict, and the other was judged and has another.
    fn shows(&self, verdict: Verdict) -> bool {
        self.with.verdict() == verdict && self.without.verdict() != verdict && is_judged(self.without)
    }

    /// Whether it has all of the flags of `other` and more, and all else is alike.
    fn is_above(&self, other: &Contrast<'_>) -> bool {
        let (larger, smaller) = (&self.with.flags, &other.with.flags);
        self.with.axes == other.with.axes && larger != smaller && smaller.iter().all(|flag| larger.contains(flag))
    }

    fn effect(&self) -> Option<Effect> {
        // What the allocator holds is seen in anonymous memory only.
        let growth = |outcome: &'o Outcome| match self.with.verdict() {
            Verdict::Retention => outcome.judgement.anonymous.as_ref(),
            _ => outcome.growth(),
        };
        let (with, without) = (growth(self.with)?, growth(self.without)?);
        let per_request = with.per_request.zip(without.per_request);
        Some(Effect {
            with: self.with.cell.clone(),
            without: self.without.cell.clone(),
            per_hour: difference(with.per_hour.map(BytesPerHour::get), without.per_hour.map(BytesPerHour::get))
                .map(BytesPerHour::new),
            per_request: per_request.map(|(with, without)| {
                difference(with.map(BytesPerRequest::get), without.map(BytesPerRequest::get)).map(BytesPerRequest::new)
            }),
        })
    }
}

/// Whether growth of the cell was measured under the load that was asked for.
fn is_judged(outcome: &Outcome) -> bool {
    !matches!(outcome.verdict(), Verdict::Invalid | Verdict::Crashed)
}

/// The difference of two independent estimates: half-widths add as squares.
fn difference(a: Estimate<f64>, b: Estimate<f64>) -> Estimate<f64> {
    let value = a.value - b.value;
    let low = value - (a.value - a.low).hypot(b.high - b.value);
    let high = value + (a.high - a.value).hypot(b.value - b.low);
    Estimate { value, low, high }
}

/// What is said of each of `flags`.
#[must_use]
pub fn isolate(flags: &[String], outcomes: &[Outcome]) -> Vec<FlagFinding> {
    flags.iter().map(|flag| finding(flag, outcomes)).collect()
}

fn finding(flag: &str, outcomes: &[Outcome]) -> FlagFinding {
    let contrasts = contrasts(flag, outcomes);
    let (guilt, reason, told) = decide(flag, &contrasts, outcomes);
    let effect = told.as_ref().and_then(Contrast::effect);
    let unverified = outcomes.iter().any(|outcome| outcome.unverified_flags.iter().any(|name| name == flag));
    FlagFinding { flag: flag.to_owned(), guilt, reason, effect, unverified }
}

/// All pairs of cells that differ in `flag` only, those with the fewest other flags first.
fn contrasts<'o>(flag: &str, outcomes: &'o [Outcome]) -> Vec<Contrast<'o>> {
    let mut contrasts: Vec<Contrast<'o>> = outcomes
        .iter()
        .filter(|outcome| outcome.flags.contains(flag))
        .filter_map(|with| {
            let base = with.flags.without(flag);
            let alike =
                |other: &&Outcome| other.flags == base && other.axes == with.axes && other.replicate == with.replicate;
            outcomes.iter().find(alike).map(|without| Contrast { with, without })
        })
        .collect();
    contrasts.sort_by_key(|contrast| (contrast.with.flags.iter().count(), contrast.with.replicate));
    contrasts
}

fn decide<'o>(
    flag: &str,
    contrasts: &[Contrast<'o>],
    outcomes: &'o [Outcome],
) -> (Guilt, String, Option<Contrast<'o>>) {
    let Some(simplest) = contrasts.first() else { return without_contrast(flag, outcomes) };
    let told = |contrast: &Contrast<'_>| {
        let (with, without) = (contrast.with, contrast.without);
        format!("{} is {}, {} is {}", with.cell, with.verdict(), without.cell, without.verdict())
    };
    if let Some(leaking) = contrasts.iter().find(|contrast| contrast.shows_leak()) {
        let others = leaking.with.flags.without(flag);
        let is_calm_below = contrasts.iter().any(|other| leaking.is_above(other) && other.shows_innocence());
        let guilt = if is_calm_below { Guilt::LeaksWith(others) } else { Guilt::Leaks };
        return (guilt, told(leaking), Some(*leaking));
    }
    for (verdict, guilt) in [(Verdict::Crashed, Guilt::Crashes), (Verdict::Retention, Guilt::Retains)] {
        if let Some(shown) = contrasts.iter().find(|contrast| contrast.shows(verdict)) {
            return (guilt, told(shown), Some(*shown));
        }
    }
    match contrasts.iter().find(|contrast| !contrast.shows_innocence()) {
        None => (Guilt::Innocent, told(simplest), Some(*simplest)),
        Some(open) => {
            let cut = open.with.cut_short.as_ref().map_or_else(String::new, |reason| format!("; {reason}"));
            (Guilt::Undecided, told(open) + &cut, Some(*open))
        }
    }
}

/// No two cells differ in the flag only. A cell that is clear with it on still clears it, and all flags with it.
fn without_contrast<'o>(flag: &str, outcomes: &'o [Outcome]) -> (Guilt, String, Option<Contrast<'o>>) {
    let with: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.flags.contains(flag)).collect();
    let Some(first) = with.first() else {
        return (Guilt::Undecided, "no cell was soaked with it on".to_owned(), None);
    };
    if with.iter().all(|outcome| outcome.verdict().is_clear() && outcome.cut_short.is_none()) {
        let reason = format!("{} is {}", first.cell, first.verdict());
        return (Guilt::Innocent, reason, together(flag, first, outcomes));
    }
    let told: Vec<String> = with.iter().map(|outcome| format!("{} is {}", outcome.cell, outcome.verdict())).collect();
    (Guilt::Undecided, format!("{}, and no two cells differ in this flag only", told.join(", ")), None)
}

/// The cell that is alike but for the fewest flags, `flag` among them: what all of those add together.
fn together<'o>(flag: &str, with: &'o Outcome, outcomes: &'o [Outcome]) -> Option<Contrast<'o>> {
    let is_within = |other: &&Outcome| {
        !other.flags.contains(flag)
            && other.flags.iter().all(|name| with.flags.contains(name))
            && other.axes == with.axes
            && other.replicate == with.replicate
    };
    let without = outcomes.iter().filter(is_within).max_by_key(|other| other.flags.iter().count())?;
    Some(Contrast { with, without })
}

/// Whether the statistics decided a cell, one way or the other.
#[must_use]
pub fn is_decided(outcome: &Outcome) -> bool {
    matches!(outcome.verdict(), Verdict::Leak | Verdict::Step | Verdict::Plateau | Verdict::Stable | Verdict::Retention)
}

/// The growth of the decided cell that could have hidden most, for the foot of the report.
#[must_use]
pub fn blindest(outcomes: &[Outcome]) -> Option<&Growth> {
    let decided = outcomes.iter().filter(|outcome| is_decided(outcome)).filter_map(Outcome::growth);
    decided.max_by(|a, b| a.seen_at_least.get().total_cmp(&b.seen_at_least.get()))
}
