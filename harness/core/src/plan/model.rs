//! What a plan varies: factors (flags, or groups of them) with their levels, and the constraints between them as
//! clauses.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::clauses::{Clauses, Known, Literal, Statement, any};
use super::demands::{demand_implied, demand_of_flags, demand_of_lists, implied, needs};
use super::effort::{Effort, TooHard};
use super::members::Names;
use super::solver::{Lit, lit};
use crate::scenario::package::Features;
use crate::scenario::{Axis, AxisKind, Flag, Program, Row, Scenario};
use steep_judge::ids::FlagSet;

/// A flag, or flags that are switched together.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    /// How it is called in what is said of a plan.
    pub(super) name: String,
    /// Numbers of the members of flag sets that belong to it.
    pub(super) members: Vec<usize>,
    /// What it may be, each by the members that are on then. The first is off, or the first value.
    pub(super) levels: Vec<Vec<usize>>,
}

impl Factor {
    /// Marks in `known` that it is at `level`.
    pub(super) fn fix(&self, level: usize, known: &mut Known) {
        self.members.iter().for_each(|member| known[*member] = Some(false));
        self.levels[level].iter().for_each(|member| known[*member] = Some(true));
    }

    /// That it is at `level`: what is on first, which settles most.
    pub(super) fn literals(&self, level: usize) -> Vec<Lit> {
        let on = &self.levels[level];
        let off = self.members.iter().filter(|member| !on.contains(member));
        on.iter().map(|member| lit(*member, true)).chain(off.map(|member| lit(*member, false))).collect()
    }

    /// The level that it has in `set`.
    pub(super) fn level_in(&self, set: &[bool]) -> usize {
        let on: Vec<usize> = self.members.iter().copied().filter(|member| set[*member]).collect();
        self.levels.iter().position(|level| *level == on).unwrap_or(0)
    }
}

/// What is varied under some values of the axes.
#[derive(Debug)]
pub(super) struct Model {
    /// All members of flag sets; their numbers are their places here.
    members: Vec<String>,
    pub(super) factors: Vec<Factor>,
    /// Every constraint but `plan.exclude`.
    pub(super) clauses: Clauses,
    /// Every constraint.
    pub(super) excluding: Clauses,
    /// What is on in production.
    production: Vec<bool>,
    pinned: Known,
    /// Members with what must be on where they are: one of these.
    needs: Vec<(usize, Vec<usize>)>,
    /// By member, the numbers of the `needs` that it serves.
    serves: Vec<Vec<usize>>,
    /// Members with what cargo turns on together with them, directly or by others.
    implied: Vec<(usize, usize)>,
    /// The levels that each factor can have, once they were asked for.
    possible: OnceCell<Result<Vec<Vec<usize>>, TooHard>>,
}

/// What the rules and `plan.exclude` amount to under some values of the axes: constraints between flags, each in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Under {
    rules: Vec<(String, Statement)>,
    /// Numbers of rows of `plan.exclude`.
    excluded: Vec<usize>,
}

impl Under {
    /// The rule that these values of the axes break whatever the flags are.
    pub(super) fn impossible(&self) -> Option<&str> {
        let rule = self.rules.iter().find(|(_, statement)| statement.iter().any(Vec::is_empty));
        rule.map(|(reason, _)| reason.as_str())
    }
}

/// What the rules and excluded rows of a scenario amount to under these `axes`, of which some turn on cargo's
/// `features`.
pub(super) fn under(
    names: &Names<'_>,
    features: &Features,
    axes: &BTreeMap<String, String>,
    effort: &Effort,
) -> Result<Under, TooHard> {
    let scenario = names.scenario;
    let mut rules = Vec::new();
    for rule in &scenario.rules {
        effort.spend(STEPS_OF_A_RULE * (1 + rule.when.len() + rule.then.len()))?;
        let mut either: Vec<Statement> =
            rule.when.iter().map(|(name, values)| names.holds(name, values, false, axes)).collect();
        either.push(rule.then.iter().flat_map(|(name, values)| names.holds(name, values, true, axes)).collect());
        let statement = any(&either, effort)?;
        if !statement.is_empty() {
            rules.push((format!("the rule: {} → {}", shown(&rule.when), shown(&rule.then)), statement));
        }
    }
    let fits = |row: &Row| row.axes.iter().all(|(name, value)| axes.get(name) == Some(value));
    let excluded = scenario.plan.exclude.iter().enumerate().filter(|(_, row)| fits(row)).map(|(number, _)| number);
    rules.extend(turned_on(scenario, features, names, axes));
    Ok(Under { rules, excluded: excluded.collect() })
}

/// Steps that one condition of a rule is counted as.
const STEPS_OF_A_RULE: usize = 20;

/// The axes on which it depends what [`under`] says.
pub(super) fn deciding_axes(scenario: &Scenario) -> Vec<bool> {
    let rules = scenario.rules.iter().flat_map(|rule| rule.when.keys().chain(rule.then.keys()));
    let named: BTreeSet<&String> = rules.chain(scenario.plan.exclude.iter().flat_map(|row| row.axes.keys())).collect();
    let builds = |axis: &Axis| matches!(axis.kind, AxisKind::CargoFeature | AxisKind::Allocator);
    let is_package = matches!(scenario.service.program, Program::Package(_));
    scenario.axes.iter().map(|axis| named.contains(&axis.name) || is_package && builds(axis)).collect()
}

/// The flags of which the feature is on under these `axes` whatever the flag says: a cell that calls one off would be
/// the same as the cell with it.
fn turned_on(
    scenario: &Scenario,
    features: &Features,
    names: &Names<'_>,
    axes: &BTreeMap<String, String>,
) -> Vec<(String, Statement)> {
    let Program::Package(_) = scenario.service.program else { return Vec::new() };
    let of_kind = |axis: &&Axis| matches!(axis.kind, AxisKind::CargoFeature | AxisKind::Allocator);
    let mut demanded = Vec::new();
    for axis in scenario.axes.iter().filter(of_kind) {
        let Some(value) = axes.get(&axis.name) else { continue };
        let by_value: Vec<&str> = match axis.kind {
            AxisKind::Allocator => {
                let allocator = scenario.allocators.get(value);
                allocator.into_iter().flat_map(|allocator| allocator.features.iter().map(String::as_str)).collect()
            }
            _ => vec![value.as_str()],
        };
        let on = features.with(by_value);
        for flag in &scenario.flags {
            if flag.switch.feature().is_some_and(|feature| on.contains(feature)) {
                let reason = format!("{} = {value} turns on the feature of \"{}\"", axis.name, flag.name);
                demanded.push((reason, names.is(&flag.name, true)));
            }
        }
    }
    demanded
}

fn shown(conditions: &BTreeMap<String, Vec<String>>) -> String {
    let one = |(name, values): (&String, &Vec<String>)| format!("{name} = {}", values.join(" or "));
    conditions.iter().map(one).collect::<Vec<_>>().join(" and ")
}

impl Model {
    /// What `scenario` varies, where cargo's `features` imply each other, and `under` the values of the axes.
    pub(super) fn new(names: &Names<'_>, features: &Features, under: &Under, effort: &Effort) -> Result<Self, TooHard> {
        let scenario = names.scenario;
        let members: Vec<String> = scenario.flags.iter().flat_map(Flag::members).collect();
        let on_in_production = |flag: &Flag| vec![flag.default; flag.members().len()];
        let production: Vec<bool> = scenario.flags.iter().flat_map(on_in_production).collect();
        // What is on in production is decided last, and of the others the first: see `Clauses`.
        let mut order: Vec<usize> = (0..members.len()).rev().collect();
        order.sort_by_key(|member| production[*member]);
        let implied = implied(scenario, features, names, effort)?;
        let needs = needs(scenario, names, &implied, effort)?;
        let mut serves = vec![Vec::new(); members.len()];
        for (number, (_, any)) in needs.iter().enumerate() {
            for member in any {
                serves[*member].push(number);
            }
        }
        let mut clauses = Clauses::over(order, effort.clone());
        demand_implied(&mut clauses, &members, &implied)?;
        demand_of_flags(&mut clauses, scenario, names)?;
        demand_of_lists(&mut clauses, scenario, names)?;
        for (reason, statement) in &under.rules {
            clauses.demand(reason.clone(), statement.clone())?;
        }
        let mut pinned = clauses.nothing_known();
        for (name, values) in &scenario.constraints.pinned {
            for literal in names.holds(name, values, true, &BTreeMap::new()).into_iter().flatten() {
                pinned[literal.member] = Some(literal.is_on);
            }
        }
        let excluding = clauses.clone();
        let factors = factors(scenario, names);
        let possible = OnceCell::new();
        let mut model =
            Self { members, factors, clauses, excluding, production, pinned, needs, serves, implied, possible };
        for row in under.excluded.iter().map(|number| &scenario.plan.exclude[*number]) {
            let set = model.settled(&model.numbers(&row.flags.iter().cloned().collect()));
            effort.spend(model.implied.len() + set.len())?;
            let differs = set.iter().enumerate().map(|(member, on)| Literal { member, is_on: !on }).collect();
            let axes: String = row.axes.iter().map(|(name, value)| format!(", {name} = {value:?}")).collect();
            model
                .excluding
                .demand(format!("excluded by the row {{ flags = {:?}{axes} }}", row.flags), vec![differs])?;
        }
        Ok(model)
    }

    /// How many members of flag sets there are.
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    /// Which members are in `flags`.
    pub(super) fn numbers(&self, flags: &FlagSet) -> Vec<bool> {
        self.members.iter().map(|member| flags.contains(member)).collect()
    }

    /// The flag set of what is on in `set`.
    pub(super) fn flags(&self, set: &[bool]) -> FlagSet {
        self.members.iter().zip(set).filter(|(_, on)| **on).map(|(member, _)| member.as_str()).collect()
    }

    /// The flag set of what is known to be on.
    pub(super) fn known_flags(&self, known: &Known) -> FlagSet {
        self.flags(&known.iter().map(|on| *on == Some(true)).collect::<Vec<_>>())
    }

    /// What can be switched by itself: values of flags, flags, and the first flag of each group. Nothing that is the
    /// same in every cell.
    pub(super) fn switches(&self) -> Result<Vec<String>, TooHard> {
        let first = |(factor, levels): (usize, Vec<usize>)| {
            let levels = levels.into_iter().map(move |level| &self.factors[factor].levels[level]);
            levels.filter_map(|level| level.first()).map(|member| self.members[*member].clone())
        };
        Ok(self.free()?.into_iter().flat_map(first).collect())
    }

    /// What is on in every cell: pinned, or needed by what is.
    pub(super) fn always(&self) -> Result<FlagSet, TooHard> {
        let only = |(factor, possible): (&Factor, &Vec<usize>)| match possible.as_slice() {
            [level] => factor.levels[*level].clone(),
            _ => Vec::new(),
        };
        let members = self.factors.iter().zip(self.possible()?).flat_map(only);
        Ok(members.map(|member| self.members[member].as_str()).collect())
    }

    /// `switches` with the other flags of their groups.
    pub(super) fn with_groups(&self, switches: &FlagSet) -> FlagSet {
        let mut set = self.numbers(switches);
        for level in self.factors.iter().flat_map(|factor| &factor.levels) {
            if level.first().is_some_and(|first| set[*first]) {
                for member in level {
                    set[*member] = true;
                }
            }
        }
        self.flags(&set)
    }

    /// What is on in production, with what is pinned.
    pub(super) fn production(&self) -> Vec<bool> {
        self.settled(&self.production)
    }

    /// `set` as it is with what is pinned and what cargo turns on with it.
    pub(super) fn settled(&self, set: &[bool]) -> Vec<bool> {
        let set: Vec<bool> = set.iter().zip(&self.pinned).map(|(on, pinned)| pinned.unwrap_or(*on)).collect();
        let mut whole = set.clone();
        // What those that are turned on turn on is among the pairs of the first.
        self.implied.iter().filter(|(member, _)| set[*member]).for_each(|(_, other)| whole[*other] = true);
        whole
    }

    /// `set` without everything that needs what is not in it.
    pub(super) fn without_dependents(&self, set: &[bool]) -> Vec<bool> {
        let mut set = set.to_vec();
        let mut open: Vec<usize> = (0..self.needs.len()).collect();
        while let Some(number) = open.pop() {
            let (member, any) = &self.needs[number];
            if set[*member] && any.iter().all(|other| !set[*other]) {
                set[*member] = false;
                open.extend(&self.serves[*member]);
            }
        }
        set
    }

    /// Whether `factor` is varied at all.
    pub(super) fn is_pinned(&self, factor: &Factor) -> bool {
        factor.members.iter().all(|member| self.pinned[*member].is_some())
    }

    /// Numbers of the factors that have several levels under all constraints, each with those levels.
    pub(super) fn free(&self) -> Result<Vec<(usize, Vec<usize>)>, TooHard> {
        let free = self.possible()?.iter().enumerate().filter(|(_, levels)| levels.len() > 1);
        Ok(free.map(|(number, levels)| (number, levels.clone())).collect())
    }

    /// The levels that each factor can have under all constraints.
    fn possible(&self) -> Result<&[Vec<usize>], TooHard> {
        self.possible.get_or_init(|| self.find_possible()).as_deref().map_err(|too_hard| *too_hard)
    }

    /// Every set that is found shows of each factor that one of its levels is possible: few are asked for by
    /// themselves.
    fn find_possible(&self) -> Result<Vec<Vec<usize>>, TooHard> {
        let mut seen: Vec<Vec<bool>> = self.factors.iter().map(|factor| vec![false; factor.levels.len()]).collect();
        let mark = |seen: &mut Vec<Vec<bool>>, set: &[bool]| {
            for (factor, seen) in self.factors.iter().zip(seen) {
                seen[factor.level_in(set)] = true;
            }
            self.excluding.effort().spend(2 * set.len())
        };
        let mut asking = self.excluding.ask()?;
        for is_on in [false, true] {
            if let Some(set) = asking.complete(&vec![is_on; self.members.len()], self.excluding.order())? {
                mark(&mut seen, &set)?;
            }
        }
        let off = vec![false; self.members.len()];
        for (number, factor) in self.factors.iter().enumerate() {
            for level in 0..factor.levels.len() {
                if !seen[number][level] && asking.assume(factor.literals(level))? {
                    if let Some(set) = asking.complete(&off, self.excluding.order())? {
                        mark(&mut seen, &set)?;
                    }
                    asking.back_to(0);
                }
            }
        }
        let possible = |seen: Vec<bool>| (0..seen.len()).filter(|level| seen[*level]).collect();
        Ok(seen.into_iter().map(possible).collect())
    }

    /// What `factor` is at `level`, in words of cell ids.
    pub(super) fn level_name(&self, factor: usize, level: usize) -> String {
        let factor = &self.factors[factor];
        match factor.levels[level].as_slice() {
            [] if factor.levels.len() > 2 => format!("{} at its first value", factor.name),
            [] => format!("not-{}", factor.name),
            [member] => self.members[*member].clone(),
            _ => factor.name.clone(),
        }
    }
}

/// Flags that belong to a group are one factor, at the place of its first.
fn factors(scenario: &Scenario, names: &Names<'_>) -> Vec<Factor> {
    let mut factors: Vec<Factor> = Vec::new();
    let mut of_group: BTreeMap<&str, usize> = BTreeMap::new();
    for flag in &scenario.flags {
        let members = names.numbers_of(&flag.name);
        if let Some(group) = &flag.group {
            let place = *of_group.entry(group).or_insert(factors.len());
            if let Some(factor) = factors.get_mut(place) {
                factor.members.extend(&members);
                factor.levels[1].extend(&members);
                factor.name = format!("{}+{}", factor.name, flag.name);
                continue;
            }
        }
        let levels = std::iter::once(Vec::new()).chain(members.iter().map(|member| vec![*member])).collect();
        factors.push(Factor { name: flag.name.clone(), members, levels });
    }
    factors
}
