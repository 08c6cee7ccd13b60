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
    /// Any growth that it adds is below what is worth finding.
    Innocent,
    /// The cells do not decide it.
    Undecided,
}

/// What turning a flag on adds to growth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// The cell with the flag.
    pub with: CellId,
    /// The cell without it, and with all else alike.
    pub without: CellId,
    /// Difference of growth per hour.
    #[serde(rename = "growth_bytes_per_hour")]
    pub per_hour: Estimate<BytesPerHour>,
    /// Difference of growth per request.
    #[serde(rename = "growth_bytes_per_request")]
    pub per_request: Option<Estimate<BytesPerRequest>>,
}

/// Two cells that differ in one flag.
#[derive(Clone, Copy)]
struct Contrast<'o> {
    with: &'o Outcome,
    without: &'o Outcome,
}

impl Contrast<'_> {
    /// The flag adds growth: the cell with it grows, and by more than the other for sure.
    fn shows_leak(&self) -> bool {
        let grows = matches!(self.with.verdict(), Verdict::Leak | Verdict::Step);
        let without_is_known = self.without.verdict().is_clear() || self.without.growth().is_some();
        grows
            && without_is_known
            && (self.without.verdict().is_clear() || self.effect().is_some_and(|e| e.per_hour.low.get() > 0.0))
    }

    /// Any growth that the flag adds is below what is worth finding.
    fn shows_innocence(&self) -> bool {
        let small = |effect: &Effect| {
            self.with.growth().is_some_and(|growth| effect.per_hour.high.get() < growth.worth_finding.get())
        };
        self.with.verdict().is_clear()
            || is_judged(self.without) && is_judged(self.with) && self.effect().as_ref().is_some_and(small)
    }

    fn effect(&self) -> Option<Effect> {
        let (with, without) = (self.with.growth()?, self.without.growth()?);
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
    if let Some(leaking) = contrasts.iter().find(|contrast| contrast.shows_leak()) {
        let others = leaking.with.flags.without(flag);
        let calm_before = contrasts.iter().any(|contrast| {
            contrast.with.flags.iter().count() < leaking.with.flags.iter().count() && contrast.shows_innocence()
        });
        let reason = format!(
            "{} is {}, {} is {}",
            leaking.with.cell,
            leaking.with.verdict(),
            leaking.without.cell,
            leaking.without.verdict()
        );
        let guilt = if calm_before && !others.is_empty() { Guilt::LeaksWith(others) } else { Guilt::Leaks };
        return (guilt, reason, Some(*leaking));
    }
    if contrasts.iter().all(Contrast::shows_innocence) {
        let reason = format!("{} is {}", simplest.with.cell, simplest.with.verdict());
        return (Guilt::Innocent, reason, Some(*simplest));
    }
    let open = contrasts.iter().find(|contrast| !contrast.shows_innocence()).unwrap_or(simplest);
    let reason =
        format!("{} is {}, {} is {}", open.with.cell, open.with.verdict(), open.without.cell, open.without.verdict());
    (Guilt::Undecided, reason, Some(*open))
}

/// No two cells differ in the flag only. A cell that is clear with it on still clears it, and all flags with it.
fn without_contrast<'o>(flag: &str, outcomes: &'o [Outcome]) -> (Guilt, String, Option<Contrast<'o>>) {
    let with: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.flags.contains(flag)).collect();
    let Some(first) = with.first() else {
        return (Guilt::Undecided, "no cell was soaked with it on".to_owned(), None);
    };
    if with.iter().all(|outcome| outcome.verdict().is_clear()) {
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
    };
    let without = outcomes.iter().filter(is_within).max_by_key(|other| other.flags.iter().count())?;
    Some(Contrast { with, without })
}

/// The growth of the judged cell that could have hidden most, for the foot of the report.
#[must_use]
pub fn blindest(outcomes: &[Outcome]) -> Option<&Growth> {
    let judged = outcomes.iter().filter(|outcome| is_judged(outcome)).filter_map(Outcome::growth);
    judged.max_by(|a, b| a.seen_at_least.get().total_cmp(&b.seen_at_least.get()))
}
