//! The rows of a plan: flag sets by strategy under the constraints, crossed with axes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::model::{Model, Under, under};
use super::pairwise::Impossible;
use super::screening::{Aliasing, Changed};
use super::strategy::{Chosen, sets};
use crate::flags::FlagSet;
use crate::scenario::Scenario;
use crate::scenario::package::Features;

/// A flag set with values of all axes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PlannedRow {
    pub(super) flags: FlagSet,
    pub(super) axes: BTreeMap<String, String>,
}

/// A row that is not soaked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The flags that would have been on.
    pub flags: FlagSet,
    /// Values of axes that it is about; empty: all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, String>,
    /// The constraint, in words.
    pub reason: String,
}

/// What the strategy came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Which design, in words.
    pub design: String,
    /// Rows that a constraint or `exclude` took out.
    pub dropped: Vec<Dropped>,
    /// Rows of a balanced design, and that of production, which a constraint changed.
    pub changed: Vec<Changed>,
    /// Combinations of `pairwise` that no row can have.
    pub impossible: Vec<Impossible>,
    /// What a balanced design cannot tell apart.
    pub aliasing: Aliasing,
    /// Why a screening design will not be folded over even if its outcome is ambiguous, in words; none: it will, or it is none.
    pub no_foldover: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) kept: Vec<PlannedRow>,
    /// Soaked after `kept` where those do not tell which flags leak: rows that are new, and some of `kept` again.
    pub(super) opposites: Vec<PlannedRow>,
    pub(super) told: Told,
    /// The same as `kept`: a plan may have thousands of rows.
    seen: BTreeSet<PlannedRow>,
}

/// All rows of `scenario`, each once.
///
/// # Errors
/// The strategy cannot be had, in words; or the constraints clash.
pub(super) fn rows(scenario: &Scenario, features: &Features) -> Result<Rows, NoRows> {
    let mut rows = Rows::default();
    let mut designs: BTreeMap<Under, (Model, Chosen)> = BTreeMap::new();
    let all_axes = every_combination(scenario);
    let mut clashes: BTreeMap<Under, Vec<String>> = BTreeMap::new();
    for axes in &all_axes {
        let under = under(scenario, features, axes);
        if let Some(rule) = under.impossible() {
            let (flags, reason) = (FlagSet::default(), rule.to_owned());
            rows.told.drop_row(Dropped { flags, axes: axes.clone(), reason });
            continue;
        }
        if !designs.contains_key(&under) && !clashes.contains_key(&under) {
            let model = Model::new(scenario, features, &under);
            let clash = model.clauses.clash(&model.clauses.nothing_known());
            if clash.is_empty() {
                let chosen = sets(scenario, &model, &mut rows.told).map_err(NoRows::Strategy)?;
                designs.insert(under.clone(), (model, chosen));
            } else {
                clashes.insert(under.clone(), clash.iter().map(|reason| (*reason).to_owned()).collect());
            }
        }
        if let Some(clash) = clashes.get(&under) {
            let reason = format!("no flag set keeps all constraints there: {}", clash.join("; "));
            rows.told.drop_row(Dropped { flags: FlagSet::default(), axes: axes.clone(), reason });
            continue;
        }
        let (model, chosen) = &designs[&under];
        for set in &chosen.sets {
            rows.add(model, set, axes);
        }
        let opposites = chosen.opposites.iter().filter(|set| model.excluding.broken_by(set).is_none());
        rows.opposites.extend(opposites.map(|set| PlannedRow { flags: model.flags(set), axes: axes.clone() }));
        for row in &scenario.plan.include {
            if row.axes.iter().all(|(name, value)| axes.get(name) == Some(value)) {
                let set = model.settled(&model.numbers(&row.flags.iter().cloned().collect()));
                rows.add(model, &set, axes);
            }
        }
    }
    // Where no values of the axes are left, the constraints clash by themselves.
    match clashes.into_values().next() {
        Some(clash) if designs.is_empty() => Err(NoRows::Clash(clash)),
        _ => Ok(rows),
    }
}

/// Why there are no rows.
#[derive(Debug)]
pub(super) enum NoRows {
    /// These constraints clash.
    Clash(Vec<String>),
    /// The strategy cannot be had.
    Strategy(String),
}

/// Values of all axes as in production: the first of each.
#[must_use]
pub fn usual_axes(scenario: &Scenario) -> BTreeMap<String, String> {
    let first = |values: &[String]| values.first().cloned();
    scenario.axes.iter().filter_map(|axis| Some((axis.name.clone(), first(&axis.values)?))).collect()
}

impl Rows {
    fn add(&mut self, model: &Model, set: &[bool], axes: &BTreeMap<String, String>) {
        let flags = model.flags(set);
        if let Some(reason) = model.excluding.broken_by(set) {
            return self.told.drop_row(Dropped { flags, axes: BTreeMap::new(), reason: reason.to_owned() });
        }
        let row = PlannedRow { flags, axes: axes.clone() };
        if self.seen.insert(row.clone()) {
            self.kept.push(row);
        }
    }
}

impl Told {
    /// Notes a row that is not soaked, once.
    pub(super) fn drop_row(&mut self, dropped: Dropped) {
        if !self.dropped.contains(&dropped) {
            self.dropped.push(dropped);
        }
    }

    /// Notes one row for all that a constraint takes out: of every combination they may be thousands.
    pub(super) fn drop_example(&mut self, dropped: Dropped) {
        if self.dropped.iter().all(|known| known.reason != dropped.reason) {
            self.dropped.push(dropped);
        }
    }
}

/// Every combination of axis values.
fn every_combination(scenario: &Scenario) -> Vec<BTreeMap<String, String>> {
    let mut combinations = vec![BTreeMap::new()];
    for axis in &scenario.axes {
        combinations = axis
            .values
            .iter()
            .flat_map(|value| {
                combinations.iter().map(move |chosen: &BTreeMap<String, String>| {
                    let mut chosen = chosen.clone();
                    chosen.insert(axis.name.clone(), value.clone());
                    chosen
                })
            })
            .collect();
    }
    combinations
}
