//! Why something is said of a factor, or nothing, in words.

use super::cell::JudgedCell;
use super::contrast::Contrast;
use super::factor::Factor;
use super::model::Term;
use super::{CLEARED, Weighed};

/// The share of the probability that a factor leaks from which on its doubt is that of a pair.
const MOSTLY: f64 = 0.5;

impl Weighed<'_> {
    /// The cells that speak of a factor, in words.
    pub(super) fn described(&self, place: usize, contrast: Option<&Contrast<'_>>) -> String {
        /// More cells than these are not told apart.
        const DOUBTED_NAMED: usize = 3;
        if let Some(contrast) = contrast {
            return contrast.described();
        }
        let cells = self.readings.outcomes.iter().zip(&self.readings.cells);
        let with: Vec<String> = cells
            .filter(|(_, reading)| reading.on[place])
            .map(|(outcome, _)| format!("{} is {}", outcome.cell, outcome.verdict()))
            .collect();
        let more = if with.len() > DOUBTED_NAMED {
            format!(" and {} more", with.len() - DOUBTED_NAMED)
        } else {
            String::new()
        };
        format!("{}{more}", with[..with.len().min(DOUBTED_NAMED)].join(", "))
    }

    /// The other of a pair, where a factor may leak with that only, which leaks for sure.
    pub(super) fn needed_by(&self, place: usize) -> Option<String> {
        let together = |other: usize| self.share(Term::Both(place.min(other), place.max(other)));
        let certain = self.named.iter().copied().filter(|&other| other != place);
        let partner = certain.max_by(|&one, &other| together(one).total_cmp(&together(other)))?;
        let is_mostly = together(partner) > MOSTLY * self.probability(place) && together(partner) > CLEARED;
        is_mostly.then(|| self.readings.factors[partner].to_string())
    }

    /// Why a factor is not cleared that another one may need.
    pub(super) fn doubt_of_company(&self, place: usize, needed_by: &str) -> String {
        let (factor, posterior) = (&self.readings.factors[place], self.probability(place));
        format!(
            "{needed_by} leaks, and no cell tells whether it does so without {factor} (posterior of both together: {posterior:.2})"
        )
    }

    /// Why a factor is not decided, in words.
    pub(super) fn doubt(&self, factor: &Factor, place: usize) -> String {
        if let Some((one, other)) = self.disagreeing(factor) {
            let (verdict, its) = (one.verdict(), other.verdict());
            return format!("the same cell was {verdict} as {} and {its} as {}", one.cell, other.cell);
        }
        let posterior = self.probability(place);
        if posterior > CLEARED {
            return format!("leaks with a posterior of {posterior:.2}");
        }
        if self.is_retained(factor) {
            return "the allocator keeps memory".to_owned();
        }
        "an effect worth finding is not excluded".to_owned()
    }

    /// Two soaks of one cell of which one grew and the other is clear, where no more are clear than grew, and no other
    /// cell clears the factor.
    pub(super) fn disagreeing(&self, factor: &Factor) -> Option<(&JudgedCell, &JudgedCell)> {
        let with = || self.readings.outcomes.iter().copied().filter(|outcome| factor.is_on(outcome));
        let is_alike = |one: &JudgedCell, other: &JudgedCell| one.flags == other.flags && one.axes == other.axes;
        let grown = with().find(|outcome| Contrast::is_growing(outcome))?;
        let (alike, others): (Vec<&JudgedCell>, Vec<&JudgedCell>) = with().partition(|other| is_alike(grown, other));
        let clear: Vec<&JudgedCell> = alike.iter().copied().filter(|other| other.verdict().is_clear()).collect();
        let growing = alike.iter().filter(|other| Contrast::is_growing(other)).count();
        let is_contested = clear.len() <= growing && !others.iter().any(|other| other.verdict().is_clear());
        Some((grown, *clear.first().filter(|_| is_contested)?))
    }

    /// Why nothing is known of a factor, in words.
    pub(super) fn untested(&self, factor: &Factor) -> String {
        let with = self.outcomes.iter().find(|outcome| factor.is_on(outcome));
        with.map_or_else(
            || "no cell was soaked with it on".to_owned(),
            |with| {
                let cut = with.cut_short.as_ref().map_or_else(String::new, |reason| format!("; {reason}"));
                format!("no cell with it on was judged: {} is {}{cut}", with.cell, with.verdict())
            },
        )
    }
}
