//! Two cells that differ in one factor only: where a crash or memory that the allocator keeps comes from, and where the
//! eye can follow what the model says.

use super::cell::JudgedCell;
use super::factor::Factor;
use crate::growth::Growth;
use crate::units::{BytesPerHour, BytesPerRequest, Estimate};
use crate::verdict::Verdict;

/// Two cells that differ in one factor; or in a few that are only ever on together.
#[derive(Clone, Copy)]
pub(super) struct Contrast<'o> {
    pub(super) with: &'o JudgedCell,
    pub(super) without: &'o JudgedCell,
}

impl<'o> Contrast<'o> {
    /// All pairs of cells that differ in `factor` only, those with the fewest flags first.
    pub(super) fn all(factor: &Factor, outcomes: &'o [JudgedCell]) -> Vec<Self> {
        let with = outcomes.iter().filter(|outcome| factor.is_on(outcome));
        let mut contrasts: Vec<Self> = with
            .filter_map(|with| {
                let without = outcomes.iter().find(|other| factor.is_only_difference(with, other))?;
                Some(Self { with, without })
            })
            .collect();
        contrasts.sort_by_key(|contrast| (contrast.with.flags.iter().count(), contrast.with.replicate));
        contrasts
    }

    /// The cell that is alike but for the fewest flags, `flag` among them: what all of those add together.
    pub(super) fn nearest(factor: &Factor, outcomes: &'o [JudgedCell]) -> Option<Self> {
        let mut with: Vec<&JudgedCell> = outcomes.iter().filter(|outcome| factor.is_on(outcome)).collect();
        with.sort_by_key(|outcome| (outcome.flags.iter().count(), outcome.replicate));
        let with = *with.first()?;
        let is_within = |other: &&JudgedCell| {
            !factor.is_on(other)
                && other.flags.iter().all(|flag| with.flags.contains(flag))
                && other.axes == with.axes
                && other.replicate == with.replicate
        };
        let without = outcomes.iter().filter(is_within).max_by_key(|other| other.flags.iter().count())?;
        Some(Self { with, without })
    }

    /// The cell with the factor has this verdict, and the other was judged and has another.
    pub(super) fn shows(&self, verdict: Verdict) -> bool {
        let is_judged = !matches!(self.without.verdict(), Verdict::Invalid | Verdict::Crashed);
        self.with.verdict() == verdict && self.without.verdict() != verdict && is_judged
    }

    /// Whether the cell with the factor grows.
    pub(super) fn grows(&self) -> bool {
        Self::is_growing(self.with)
    }

    /// Whether a cell was found to grow.
    pub(super) fn is_growing(outcome: &JudgedCell) -> bool {
        matches!(outcome.verdict(), Verdict::Leak | Verdict::Step)
    }

    /// Both cells with their verdicts, in words.
    pub(super) fn described(&self) -> String {
        let (with, without) = (self.with, self.without);
        format!("{} is {}, {} is {}", with.cell, with.verdict(), without.cell, without.verdict())
    }

    /// The difference of what the allocator keeps, which is seen in anonymous memory only; of the growth itself where
    /// the service crashed.
    pub(super) fn difference(&self) -> Option<(Estimate<BytesPerHour>, Option<Estimate<BytesPerRequest>>)> {
        let growth = |outcome: &'o JudgedCell| -> Option<&'o Growth> {
            match self.with.verdict() {
                Verdict::Retention => outcome.judgement.anonymous.as_ref(),
                _ => outcome.growth(),
            }
        };
        let (with, without) = (growth(self.with)?, growth(self.without)?);
        let per_hour = difference(with.per_hour.map(BytesPerHour::get), without.per_hour.map(BytesPerHour::get));
        let per_request = with.per_request.zip(without.per_request).map(|(with, without)| {
            difference(with.map(BytesPerRequest::get), without.map(BytesPerRequest::get)).map(BytesPerRequest::new)
        });
        Some((per_hour.map(BytesPerHour::new), per_request))
    }
}

/// The difference of two independent estimates: half-widths add as squares.
fn difference(a: Estimate<f64>, b: Estimate<f64>) -> Estimate<f64> {
    let value = a.value - b.value;
    let low = value - (a.value - a.low).hypot(b.high - b.value);
    let high = value + (a.high - a.value).hypot(b.value - b.low);
    Estimate { value, low, high }
}
