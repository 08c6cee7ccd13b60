//! Which allocator serves best: what each costs, side by side, and where a difference is more than chance.
//! docs/allocators.md tells how.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

pub use crate::outcome::Measure;
use crate::outcome::Outcome;
use crate::scenario::Axis;
use steep_judge::ids::FlagSet;
use steep_judge::stats::student;
use steep_judge::units::Estimate;

/// Fewer replicates than these say nothing of how a figure differs from soak to soak.
pub const FEWEST_REPLICATES: usize = 2;
/// A table in which nothing differs marks a best one in no more than this share.
const FALSE_MARKS: f64 = 0.05;

/// The allocators side by side, under the same flags and the same values of the other axes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// The flags that were on.
    pub flags: FlagSet,
    /// Value of each other axis.
    pub axes: BTreeMap<String, String>,
    /// Replicates in which every allocator was soaked to the end.
    pub replicates: usize,
    /// The allocators in the order of the scenario; without figures where there are fewer than two replicates.
    pub allocators: Vec<Compared>,
}

/// What one allocator costs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Compared {
    /// Which.
    pub allocator: String,
    /// What is known of every allocator in every replicate.
    pub figures: BTreeMap<Measure, Figure>,
}

/// A figure of one allocator: the mean over the replicates, and the interval of that mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Figure {
    /// The figure, in the unit that its name says.
    #[serde(flatten)]
    pub estimate: Estimate<f64>,
    /// Whether it is better than that of every other allocator by more than chance.
    pub best: bool,
}

/// The allocators of `axis` compared, once for each flag set and other axes that at least two of them were soaked
/// under.
#[must_use]
pub fn compare(axis: &Axis, outcomes: &[Outcome]) -> Vec<Comparison> {
    let mut groups: BTreeMap<(FlagSet, BTreeMap<String, String>), Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.axes.contains_key(&axis.name)) {
        let others = outcome.axes.iter().filter(|(name, _)| **name != axis.name);
        let key = (outcome.flags.clone(), others.map(|(name, value)| (name.clone(), value.clone())).collect());
        groups.entry(key).or_default().push(outcome);
    }
    groups.into_iter().filter_map(|((flags, axes), cells)| compared(axis, flags, axes, &cells)).collect()
}

fn compared(axis: &Axis, flags: FlagSet, axes: BTreeMap<String, String>, cells: &[&Outcome]) -> Option<Comparison> {
    let is_of = |outcome: &Outcome, allocator: &str| outcome.axes.get(&axis.name).is_some_and(|own| own == allocator);
    let allocators: Vec<&String> =
        axis.values.iter().filter(|value| cells.iter().any(|cell| is_of(cell, value))).collect();
    if allocators.len() < 2 {
        return None;
    }
    let replicates: BTreeSet<u32> = cells.iter().map(|cell| cell.replicate).collect();
    let whole = |replicate: u32| -> Option<Vec<&Outcome>> {
        let of = |allocator: &&String| {
            cells.iter().copied().find(|cell| cell.replicate == replicate && is_of(cell, allocator) && cell.is_whole())
        };
        allocators.iter().map(of).collect()
    };
    let replicates: Vec<Vec<&Outcome>> = replicates.into_iter().filter_map(whole).collect();
    let mut known: BTreeMap<Measure, Vec<Vec<f64>>> = BTreeMap::new();
    if replicates.len() >= FEWEST_REPLICATES {
        known.extend(Measure::ALL.into_iter().filter_map(|measure| Some((measure, figures(measure, &replicates)?))));
    }
    let claims = allocators.len() * known.len();
    let best: BTreeMap<Measure, Option<usize>> =
        known.iter().map(|(&measure, figures)| (measure, best(measure, figures, claims))).collect();
    let row = |(place, allocator): (usize, &&String)| Compared {
        allocator: (*allocator).clone(),
        figures: known
            .iter()
            .map(|(&measure, figures)| {
                (measure, Figure { estimate: mean(&figures[place], 0.975), best: best[&measure] == Some(place) })
            })
            .collect(),
    };
    let rows = allocators.iter().enumerate().map(row).collect();
    Some(Comparison { flags, axes, replicates: replicates.len(), allocators: rows })
}

/// Of each allocator the figure in each replicate; none if one is not known.
fn figures(measure: Measure, replicates: &[Vec<&Outcome>]) -> Option<Vec<Vec<f64>>> {
    let of = |place: usize| replicates.iter().map(|cells| measure.of(cells[place])).collect::<Option<Vec<f64>>>();
    (0..replicates.first()?.len()).map(of).collect()
}

/// The allocator that is better than every other: by the differences within each replicate, where a drift of the host
/// is gone, and Student's t of those. It must be ahead of all at once, so that each claim that could be made, of so
/// many `claims` of the table, is false no more often than one comparison is: [`FALSE_MARKS`] is divided by their
/// number (Bonferroni over intersection–union tests).
fn best(measure: Measure, figures: &[Vec<f64>], claims: usize) -> Option<usize> {
    let costs: Vec<Vec<f64>> =
        figures.iter().map(|own| own.iter().map(|figure| measure.cost(*figure)).collect()).collect();
    let sum = |place: &usize| costs[*place].iter().sum::<f64>();
    let first = (0..costs.len()).min_by(|one, other| sum(one).total_cmp(&sum(other)))?;
    let share = 1.0 - FALSE_MARKS / claims as f64;
    let is_behind = |other: &Vec<f64>| {
        let differences: Vec<f64> = other.iter().zip(&costs[first]).map(|(other, own)| other - own).collect();
        let difference = mean(&differences, share);
        // Differences that are all the same are of a scale too coarse to tell chance.
        difference.low > 0.0 && difference.low < difference.high
    };
    let others = costs.iter().enumerate().filter(|(place, _)| *place != first);
    others.map(|(_, other)| other).all(is_behind).then_some(first)
}

/// The mean of `values`, with what Student's t leaves below it at `share`, and above.
fn mean(values: &[f64], share: f64) -> Estimate<f64> {
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|each| (each - value).powi(2)).sum::<f64>() / (n - 1.0);
    let half = student::quantile(share, n - 1.0) * (variance / n).sqrt();
    Estimate { value, low: value - half, high: value + half }
}
