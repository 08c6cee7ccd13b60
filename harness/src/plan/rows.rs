//! The rows of a plan: flag sets by strategy, crossed with axes, with the constraints applied.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::flags::FlagSet;
use crate::scenario::{Flag, Row, Scenario, Strategy};

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
    /// The constraint, in words.
    pub reason: String,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) kept: Vec<PlannedRow>,
    pub(super) dropped: Vec<Dropped>,
    /// The same as `kept`: a plan may have thousands of rows.
    seen: BTreeSet<PlannedRow>,
}

/// With more flags than this, `auto` no longer soaks every combination.
const FULL_UP_TO: usize = 3;

/// All rows of `scenario`, each once, in the order of the strategy.
pub(super) fn rows(scenario: &Scenario) -> Rows {
    let mut rows = Rows::default();
    let all_axes = every_combination(scenario, &BTreeMap::new());
    for flags in flag_sets(scenario) {
        rows.add(scenario, &flags, &all_axes);
    }
    for row in &scenario.plan.include {
        rows.add(scenario, &row.flags.iter().cloned().collect(), &every_combination(scenario, &row.axes));
    }
    rows
}

/// Values of all axes as in production: the first of each.
pub(super) fn usual_axes(scenario: &Scenario) -> BTreeMap<String, String> {
    let first = |values: &[String]| values.first().cloned();
    scenario.axes.iter().filter_map(|axis| Some((axis.name.clone(), first(&axis.values)?))).collect()
}

/// Whether no constraint and no `exclude` takes out a row with these flags, axes as in production.
pub(super) fn is_feasible(scenario: &Scenario, flags: &FlagSet) -> bool {
    let row = PlannedRow { flags: flags.clone(), axes: usual_axes(scenario) };
    broken_constraint(&scenario.flags, flags).is_none()
        && !scenario.plan.exclude.iter().any(|exclude| matches(exclude, &row))
}

impl Rows {
    fn add(&mut self, scenario: &Scenario, flags: &FlagSet, axes: &[BTreeMap<String, String>]) {
        if let Some(reason) = broken_constraint(&scenario.flags, flags) {
            let dropped = Dropped { flags: flags.clone(), reason };
            if !self.dropped.contains(&dropped) {
                self.dropped.push(dropped);
            }
            return;
        }
        for axes in axes {
            let row = PlannedRow { flags: flags.clone(), axes: axes.clone() };
            if let Some(excluding) = scenario.plan.exclude.iter().find(|exclude| matches(exclude, &row)) {
                let reason = format!("excluded by the row {{ flags = {:?}{} }}", excluding.flags, axes_text(excluding));
                self.dropped.push(Dropped { flags: row.flags, reason });
            } else if self.seen.insert(row.clone()) {
                self.kept.push(row);
            }
        }
    }
}

fn axes_text(row: &Row) -> String {
    row.axes.iter().map(|(name, value)| format!(", {name} = {value:?}")).collect()
}

fn matches(exclude: &Row, row: &PlannedRow) -> bool {
    let flags: FlagSet = exclude.flags.iter().cloned().collect();
    flags == row.flags && exclude.axes.iter().all(|(name, value)| row.axes.get(name) == Some(value))
}

/// Every combination of axis values that agrees with `fixed`.
fn every_combination(scenario: &Scenario, fixed: &BTreeMap<String, String>) -> Vec<BTreeMap<String, String>> {
    let mut combinations = vec![BTreeMap::new()];
    for axis in &scenario.axes {
        let values = axis.values.iter().filter(|value| fixed.get(&axis.name).is_none_or(|wanted| wanted == *value));
        combinations = values
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

fn flag_sets(scenario: &Scenario) -> Vec<FlagSet> {
    let flags = &scenario.flags;
    let all: FlagSet = flags.iter().map(|flag| flag.name.as_str()).collect();
    let none = FlagSet::default();
    match scenario.plan.strategy {
        Strategy::Off => vec![none],
        Strategy::All => vec![all],
        Strategy::Default => {
            vec![flags.iter().filter(|flag| flag.default).map(|flag| flag.name.as_str()).collect()]
        }
        Strategy::Each => each(flags),
        Strategy::LeaveOneOut => {
            let one_out = flags.iter().map(|flag| without_dependents(flags, &all, &flag.name));
            std::iter::once(all.clone()).chain(one_out).collect()
        }
        Strategy::Full => full(flags),
        Strategy::Auto if flags.len() <= FULL_UP_TO => full(flags),
        Strategy::Auto => each(flags).into_iter().chain([all]).collect(),
    }
}

/// None, and each alone with what it requires.
fn each(flags: &[Flag]) -> Vec<FlagSet> {
    let alone = flags.iter().map(|flag| with_requirements(flags, FlagSet::default().with(&flag.name)));
    std::iter::once(FlagSet::default()).chain(alone).collect()
}

/// Every combination of flags; constraints drop the impossible ones. The caller bounds the number of flags.
fn full(flags: &[Flag]) -> Vec<FlagSet> {
    let on = |bits: u32| flags.iter().enumerate().filter(move |(index, _)| bits >> index & 1 == 1);
    (0..1_u32 << flags.len()).map(|bits| on(bits).map(|(_, flag)| flag.name.as_str()).collect()).collect()
}

/// `set` with everything that its flags require, and what those require.
fn with_requirements(flags: &[Flag], mut set: FlagSet) -> FlagSet {
    loop {
        let missing = flags
            .iter()
            .filter(|flag| set.contains(&flag.name))
            .flat_map(|flag| &flag.requires)
            .find(|required| !set.contains(required));
        match missing {
            Some(required) => set = set.with(required),
            None => return set,
        }
    }
}

/// `set` without `left_out`, and without everything that requires it.
fn without_dependents(flags: &[Flag], set: &FlagSet, left_out: &str) -> FlagSet {
    let mut set = set.without(left_out);
    while let Some(dependent) = flags
        .iter()
        .find(|flag| set.contains(&flag.name) && flag.requires.iter().any(|required| !set.contains(required)))
    {
        set = set.without(&dependent.name);
    }
    set
}

/// The first constraint that `set` breaks, in words that name both flags.
fn broken_constraint(flags: &[Flag], set: &FlagSet) -> Option<String> {
    flags.iter().filter(|flag| set.contains(&flag.name)).find_map(|flag| {
        let missing = flag.requires.iter().find(|required| !set.contains(required));
        let clash = flag.conflicts_with.iter().find(|other| set.contains(other));
        match (missing, clash) {
            (Some(required), _) => Some(format!("\"{}\" requires \"{required}\"", flag.name)),
            (None, Some(other)) => Some(format!("\"{}\" conflicts with \"{other}\"", flag.name)),
            (None, None) => None,
        }
    })
}
