//! Cells that ran the same program, started the same way, although they are to differ: a feature that nothing asks for,
//! two names of one commit. What differs between them is chance, and is compared by nobody.
//!
//! Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::outcome::Outcome;
use crate::scenario::Axis;
use steep_judge::ids::CellId;
use steep_judge::isolation::{Guilt, Isolation};

/// A cell that ran what another ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Alike {
    /// The cell.
    pub cell: CellId,
    /// The other, which is nearer to production.
    pub same_as: CellId,
    /// Flags, and axes with their values, that made no difference.
    pub without_effect: Vec<String>,
}

impl Alike {
    /// What is to be said of it.
    #[must_use]
    pub fn described(&self) -> String {
        let names: Vec<String> = self.without_effect.iter().map(|name| format!("`{name}`")).collect();
        format!(
            "{} ran the same program as {}, started the same way: {} made no difference",
            self.cell,
            self.same_as,
            names.join(", ")
        )
    }
}

/// `outcomes` with the flags and axes of cells that ran the same as they are in the one of these that is nearest to
/// production, so that they count as replicates; and which cells those are.
#[must_use]
pub fn told_apart(axes: &[Axis], outcomes: &[Outcome]) -> (Vec<Outcome>, Vec<Alike>) {
    let usual =
        |outcome: &Outcome| axes.iter().filter(|axis| outcome.axes.get(&axis.name) != axis.values.first()).count();
    let mut first: BTreeMap<&str, &Outcome> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(process) = &outcome.process {
            let order = |outcome: &Outcome| (usual(outcome), outcome.flags.iter().count(), outcome.cell.clone());
            let known = first.entry(process.as_str()).or_insert(outcome);
            if order(outcome) < order(known) {
                *known = outcome;
            }
        }
    }
    let mut alike = Vec::new();
    let apart = outcomes.iter().map(|outcome| {
        let same = outcome.process.as_deref().and_then(|process| first.get(process));
        let Some(same) = same.filter(|same| same.flags != outcome.flags || same.axes != outcome.axes) else {
            return outcome.clone();
        };
        let without_effect = differing(outcome, same);
        alike.push(Alike { cell: outcome.cell.clone(), same_as: same.cell.clone(), without_effect });
        let (flags, axes, history) = (same.flags.clone(), same.axes.clone(), same.history.clone());
        Outcome { flags, axes, history, ..outcome.clone() }
    });
    (apart.collect(), alike)
}

/// What `one` has and `other` has not.
fn differing(one: &Outcome, other: &Outcome) -> Vec<String> {
    let on = one.flags.iter().filter(|flag| !other.flags.contains(flag)).map(str::to_owned);
    let off = other.flags.iter().filter(|flag| !one.flags.contains(flag)).map(|flag| format!("not-{flag}"));
    let axes = one.axes.iter().filter(|(axis, value)| other.axes.get(*axis) != Some(value));
    on.chain(off).chain(axes.map(|(axis, value)| format!("{axis}={value}"))).collect()
}

/// Says of each flag that no cell was left for: that it made no difference, and where.
pub fn explain(isolation: &mut Isolation, alike: &[Alike], apart: &[Outcome]) {
    for finding in &mut isolation.flags {
        let is_gone = !apart.iter().any(|outcome| outcome.flags.contains(&finding.flag));
        let described = alike.iter().find(|alike| alike.without_effect.contains(&finding.flag));
        if let (true, Guilt::Undecided, Some(alike)) = (is_gone, &finding.finding.guilt, described) {
            finding.finding.reason = format!("{}; they are not compared", alike.described());
        }
    }
}

#[cfg(test)]
mod tests;
