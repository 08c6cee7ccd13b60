//! Those of which one leaks for sure, while the cells do not tell which.

use schemars::JsonSchema;
use serde::Serialize;

use super::model::Term;
use super::posterior::Posterior;
use super::{CLEARED, NAMED, Weighed};

/// What the program itself is called among suspects.
pub(super) const PROGRAM: &str = "the program itself";

/// Those of which at least one leaks, while none is named.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suspects {
    /// Flags, values of axes as `axis=value`, and `the program itself`.
    pub names: Vec<String>,
    /// Probability that at least one of them leaks.
    pub posterior: f64,
    /// Whether no cell has one of them without the others.
    pub inseparable: bool,
}

impl Suspects {
    /// Of those that the same cells have, if one of them must leak; or else of the likeliest.
    pub(super) fn of(weighed: &Weighed<'_>, posterior: &Posterior) -> Option<Self> {
        let open = open(weighed, posterior);
        let alike = open.iter().find_map(|&first| {
            let group: Vec<Option<usize>> =
                open.iter().copied().filter(|&other| are_alike(weighed, first, other)).collect();
            (group.len() > 1).then(|| Self::named(weighed, posterior, &group, true)).flatten()
        });
        alike.or_else(|| (2..=open.len()).find_map(|count| Self::named(weighed, posterior, &open[..count], false)))
    }

    fn named(weighed: &Weighed<'_>, posterior: &Posterior, group: &[Option<usize>], inseparable: bool) -> Option<Self> {
        let posterior = posterior.probability(|hypothesis| {
            hypothesis.terms.iter().any(|term| group.iter().any(|&member| is_part(member, *term)))
        });
        let name = |member: &Option<usize>| {
            member.map_or_else(|| PROGRAM.to_owned(), |factor| weighed.readings.factors[factor].to_string())
        };
        (posterior >= NAMED).then(|| Self { names: group.iter().map(name).collect(), posterior, inseparable })
    }

    /// What is said of them.
    pub(super) fn described(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| quoted(name)).collect();
        let why = if self.inseparable { "no cell has one without the others" } else { "the cells do not tell which" };
        let why = if self.inseparable && names.len() == 2 { "no cell has one without the other" } else { why };
        format!("{} leaks (posterior {}): {why}", names.join(" or "), probability_text(self.posterior))
    }
}

/// Factors, and none for the program, that are neither named nor unlikely, the likeliest first.
fn open(weighed: &Weighed<'_>, posterior: &Posterior) -> Vec<Option<usize>> {
    let factors = (0..weighed.readings.factors.len()).map(Some);
    let mut open: Vec<(f64, Option<usize>)> = factors
        .chain([None])
        .map(|member| {
            let is_in = |term: &Term| is_part(member, *term);
            (posterior.probability(|hypothesis| hypothesis.terms.iter().any(is_in)), member)
        })
        .filter(|(posterior, _)| (CLEARED..NAMED).contains(posterior))
        .collect();
    open.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.is_none().cmp(&b.1.is_none())).then(a.1.cmp(&b.1)));
    open.into_iter().map(|(_, member)| member).collect()
}

fn is_part(member: Option<usize>, term: Term) -> bool {
    member.map_or(term == Term::Program, |factor| term.involves(factor))
}

fn are_alike(weighed: &Weighed<'_>, one: Option<usize>, other: Option<usize>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => weighed.readings.are_alike(one, other),
        (Some(factor), None) | (None, Some(factor)) => weighed.readings.is_everywhere(factor),
        (None, None) => true,
    }
}

/// A name as it stands in a sentence.
pub(super) fn quoted(name: &str) -> String {
    if name == PROGRAM { name.to_owned() } else { format!("`{name}`") }
}

/// A posterior as it stands in a sentence: none is 1.
pub(super) fn probability_text(posterior: f64) -> String {
    if posterior > 0.99 { "> 0.99".to_owned() } else { format!("{posterior:.2}") }
}
