//! The rows of a plan: flag sets by strategy under the constraints, crossed with axes.

use std::collections::{BTreeMap, BTreeSet};

use super::effort::Effort;
use super::infeasible::NoRows;
use super::members::Names;
use super::model::{Model, Under, deciding_axes, under};
use super::notes::{Dropped, PlanNotes};
use super::strategy::sets;
use crate::scenario::Scenario;
use crate::scenario::package::Features;
use steep_judge::ids::FlagSet;

/// Combinations of axis values that are gone through, rules or not: more than six times the most cells that a plan can
/// have.
pub(super) const MAX_COMBINATIONS: u128 = 1 << 16;

/// A flag set with values of all axes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PlannedRow {
    pub(super) flags: FlagSet,
    pub(super) axes: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    /// As many as a plan may have.
    pub(super) kept: Vec<PlannedRow>,
    /// How many there are.
    pub(super) count: usize,
    /// Soaked after `kept` where those do not tell which flags leak: rows that are new, and some of `kept` again.
    pub(super) opposites: Vec<PlannedRow>,
    pub(super) notes: PlanNotes,
}

/// What is soaked under some values of the axes.
struct Soaked {
    model: Model,
    /// Each once.
    sets: BTreeSet<FlagSet>,
    in_order: Vec<FlagSet>,
    opposites: Vec<FlagSet>,
    /// By the row of `plan.include`, once it was asked for: its flag set, or none where a constraint is against it.
    included: Vec<Asked>,
}

/// Whether a row of `plan.include` was asked for, and what it gave.
#[derive(Debug, Clone)]
enum Asked {
    Not,
    Found(Option<FlagSet>),
}

enum Design {
    Soaked(Box<Soaked>),
    /// The rule against these values of the axes.
    Impossible(String),
    Clash(Vec<String>, bool),
}

/// All rows of `scenario`, each once.
///
/// # Errors
/// The strategy is not available, in words; or the constraints clash.
pub(super) fn rows(scenario: &Scenario, features: &Features) -> Result<Rows, NoRows> {
    let combinations = scenario.axes.iter().try_fold(1_u128, |all, axis| all.checked_mul(axis.values.len() as u128));
    if combinations.is_none_or(|combinations| combinations > MAX_COMBINATIONS) {
        return Err(NoRows::Axes(combinations));
    }
    let mut crossing = Crossing::new(scenario, features);
    for places in every_combination(scenario) {
        match crossing.add(&places) {
            Err(NoRows::TooHard(_)) if crossing.rows.count > crossing.most => break, // Too many already.
            added => added?,
        }
    }
    let Crossing { designs, rows, .. } = crossing;
    // Where no values of the axes are left, the constraints clash by themselves.
    let has_rows = designs.iter().any(|design| matches!(design, Design::Soaked(_)));
    let clash = designs.into_iter().find_map(|design| match design {
        Design::Clash(reasons, is_smallest) => Some(NoRows::Clash(reasons, is_smallest)),
        Design::Soaked(_) | Design::Impossible(_) => None,
    });
    clash.filter(|_| !has_rows).map_or(Ok(rows), Err)
}

/// Flag sets crossed with axes, one combination of axis values after the other.
struct Crossing<'s> {
    names: Names<'s>,
    features: &'s Features,
    effort: Effort,
    /// Which axes decide what is soaked.
    deciding: Vec<bool>,
    designs: Vec<Design>,
    /// The number of the design for places of values of the axes that decide.
    by_places: BTreeMap<Vec<usize>, usize>,
    by_under: BTreeMap<Under, usize>,
    rows: Rows,
    /// Rows that a plan may have.
    most: usize,
}

impl<'s> Crossing<'s> {
    fn new(scenario: &'s Scenario, features: &'s Features) -> Self {
        Self {
            names: Names::of(scenario),
            features,
            effort: Effort::default(),
            deciding: deciding_axes(scenario),
            designs: Vec::new(),
            by_places: BTreeMap::new(),
            by_under: BTreeMap::new(),
            rows: Rows::default(),
            most: scenario.plan.max_cells / scenario.plan.replicates.max(1) as usize,
        }
    }

    /// Adds what is soaked with the values in these places of the axes.
    fn add(&mut self, places: &[usize]) -> Result<(), NoRows> {
        let scenario = self.names.scenario;
        let values = scenario.axes.iter().zip(places);
        let axes: BTreeMap<String, String> =
            values.map(|(axis, place)| (axis.name.clone(), axis.values[*place].clone())).collect();
        let number = self.design(places, &axes)?;
        let rows = &mut self.rows;
        match &mut self.designs[number] {
            Design::Impossible(rule) => {
                let (flags, reason) = (FlagSet::default(), rule.clone());
                rows.notes.drop_row(Dropped { flags, axes, reason });
            }
            Design::Clash(clash, _) => {
                let reason = format!("no flag set keeps all constraints there: {}", clash.join("; "));
                rows.notes.drop_row(Dropped { flags: FlagSet::default(), axes, reason });
            }
            Design::Soaked(soaked) => {
                for flags in &soaked.in_order {
                    rows.add(flags, &axes, self.most);
                }
                // Of a plan that is too large without them, they are not asked for.
                let opposites = soaked.opposites.iter().filter(|_| rows.count <= self.most);
                rows.opposites.extend(opposites.map(|flags| PlannedRow { flags: flags.clone(), axes: axes.clone() }));
                let mut more = BTreeSet::new();
                for (number, row) in scenario.plan.include.iter().enumerate() {
                    if row.axes.iter().all(|(name, value)| axes.get(name) == Some(value))
                        && let Some(flags) = soaked.included(number, &row.flags, &mut rows.notes)
                        && !soaked.sets.contains(&flags)
                        && more.insert(flags.clone())
                    {
                        rows.add(&flags, &axes, self.most);
                    }
                }
            }
        }
        Ok(())
    }

    /// The number of the design for the values in these places of the axes.
    fn design(&mut self, places: &[usize], axes: &BTreeMap<String, String>) -> Result<usize, NoRows> {
        let deciding: Vec<usize> =
            places.iter().zip(&self.deciding).filter(|(_, decides)| **decides).map(|(place, _)| *place).collect();
        if let Some(number) = self.by_places.get(&deciding) {
            return Ok(*number);
        }
        let under = under(&self.names, self.features, axes, &self.effort)?;
        let number = if let Some(number) = self.by_under.get(&under) {
            *number
        } else {
            let design = self.new_design(&under)?;
            self.designs.push(design);
            self.by_under.insert(under, self.designs.len() - 1);
            self.designs.len() - 1
        };
        self.by_places.insert(deciding, number);
        Ok(number)
    }

    fn new_design(&mut self, under: &Under) -> Result<Design, NoRows> {
        if let Some(rule) = under.impossible() {
            return Ok(Design::Impossible(rule.to_owned()));
        }
        let model = Model::new(&self.names, self.features, under, &self.effort)?;
        if let Some(clash) = model.clauses.clash(&model.clauses.nothing_known())? {
            let reasons = clash.reasons.iter().map(|reason| (*reason).to_owned()).collect();
            return Ok(Design::Clash(reasons, clash.is_smallest));
        }
        let chosen = sets(self.names.scenario, &model, &mut self.rows.notes)?;
        let mut soaked = Soaked {
            sets: BTreeSet::new(),
            in_order: Vec::new(),
            opposites: Vec::new(),
            included: vec![Asked::Not; self.names.scenario.plan.include.len()],
            model,
        };
        for set in &chosen.sets {
            let flags = soaked.model.flags(set);
            if let Some(reason) = soaked.model.excluding.broken_by(set) {
                self.rows.notes.drop_row(Dropped { flags, axes: BTreeMap::new(), reason: reason.to_owned() });
            } else if soaked.sets.insert(flags.clone()) {
                soaked.in_order.push(flags);
            }
        }
        let opposites = chosen.opposites.iter().filter(|set| soaked.model.excluding.broken_by(set).is_none());
        soaked.opposites = opposites.map(|set| soaked.model.flags(set)).collect();
        Ok(Design::Soaked(Box::new(soaked)))
    }
}

impl Soaked {
    /// The flag set of the row of `plan.include` with this number and these flags; none: a constraint is against it,
    /// which is reported.
    fn included(&mut self, number: usize, flags: &[String], notes: &mut PlanNotes) -> Option<FlagSet> {
        if let Asked::Found(found) = &self.included[number] {
            return found.clone();
        }
        let model = &self.model;
        let mut find = || {
            let set = model.settled(&model.numbers(&flags.iter().cloned().collect()));
            let flags = model.flags(&set);
            let Some(reason) = model.excluding.broken_by(&set) else { return Some(flags) };
            notes.drop_row(Dropped { flags, axes: BTreeMap::new(), reason: reason.to_owned() });
            None
        };
        let found = find();
        self.included[number] = Asked::Found(found.clone());
        found
    }
}

/// Values of all axes as in production: the first of each.
#[must_use]
pub fn usual_axes(scenario: &Scenario) -> BTreeMap<String, String> {
    let first = |values: &[String]| values.first().cloned();
    scenario.axes.iter().filter_map(|axis| Some((axis.name.clone(), first(&axis.values)?))).collect()
}

impl Rows {
    /// Counts a row, and keeps it as long as there are not too many.
    fn add(&mut self, flags: &FlagSet, axes: &BTreeMap<String, String>, most: usize) {
        self.count += 1;
        if self.count <= most {
            self.kept.push(PlannedRow { flags: flags.clone(), axes: axes.clone() });
        }
    }
}

/// Every combination of places of axis values, the first axis changing fastest.
fn every_combination(scenario: &Scenario) -> impl Iterator<Item = Vec<usize>> {
    let counts: Vec<usize> = scenario.axes.iter().map(|axis| axis.values.len()).collect();
    let first = counts.iter().all(|count| *count > 0).then(|| vec![0; counts.len()]);
    std::iter::successors(first, move |places| {
        let turning = places.iter().zip(&counts).position(|(place, count)| place + 1 < *count)?;
        let mut next = places.clone();
        next[..turning].fill(0);
        next[turning] += 1;
        Some(next)
    })
}
