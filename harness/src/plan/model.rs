//! What a plan varies: factors (flags, or groups of them) with their levels, and the constraints between them as clauses.

use std::collections::{BTreeMap, BTreeSet};

use super::clauses::{Clauses, Known, Literal, Statement, any};
use crate::flags::FlagSet;
use crate::scenario::package::Features;
use crate::scenario::{Axis, AxisKind, Flag, Program, Row, Scenario, Switch};

/// A flag, or flags that are switched together.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    /// How it is called in what is told of a plan.
    pub(super) name: String,
    /// Numbers of the members of flag sets that belong to it.
    pub(super) members: Vec<usize>,
    /// What it may be, each by the members that are on then. The first is off, or the first value.
    pub(super) levels: Vec<Vec<usize>>,
}

impl Factor {
    /// Marks in `known` that it is at `level`.
    pub(super) fn fix(&self, level: usize, known: &mut Known) {
        for member in &self.members {
            known[*member] = Some(self.levels[level].contains(member));
        }
    }

    /// The level that it has in `set`.
    pub(super) fn level_in(&self, set: &[bool]) -> usize {
        self.levels.iter().position(|level| self.members.iter().all(|m| set[*m] == level.contains(m))).unwrap_or(0)
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
    /// Members with what cargo turns on together with them.
    implied: Vec<(usize, usize)>,
}

/// What the rules and `plan.exclude` come to under some values of the axes: constraints between flags, each in words.
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

/// From names in a scenario to statements about members.
struct Names<'s> {
    scenario: &'s Scenario,
    numbers: BTreeMap<String, usize>,
}

impl<'s> Names<'s> {
    fn of(scenario: &'s Scenario) -> Self {
        let members = scenario.flags.iter().flat_map(Flag::members);
        Self { scenario, numbers: members.enumerate().map(|(number, member)| (member, number)).collect() }
    }

    /// The member for `level` of `flag`; none for its first.
    fn number(&self, flag: &Flag, level: &str) -> Option<usize> {
        let member = if flag.values.is_empty() { flag.name.clone() } else { flag.member(level) };
        (flag.levels().first() != Some(&level)).then(|| self.numbers.get(&member).copied()).flatten()
    }

    /// That `flag` is at one of the levels for which `is_allowed`.
    fn at(&self, flag: &Flag, is_allowed: impl Fn(&str) -> bool) -> Statement {
        let levels = flag.levels();
        let numbers = |wanted: bool| {
            let chosen = levels.iter().filter(|level| is_allowed(level) == wanted);
            chosen.filter_map(|level| self.number(flag, level)).collect::<Vec<_>>()
        };
        if levels.first().is_some_and(|first| is_allowed(first)) {
            numbers(false).into_iter().map(|member| vec![Literal { member, is_on: false }]).collect()
        } else {
            vec![numbers(true).into_iter().map(|member| Literal { member, is_on: true }).collect()]
        }
    }

    /// That what `name` stands for is on, or is not: a flag, or one with a value.
    fn is(&self, name: &str, is_on: bool) -> Statement {
        let of_name = |name: &str| self.scenario.flags.iter().find(|flag| flag.name == name);
        let (flag, value) = of_name(name).map_or_else(
            || name.split_once('=').map_or((None, None), |(name, value)| (of_name(name), Some(value))),
            |flag| (Some(flag), None),
        );
        // A name that is nothing was a problem of the scenario already.
        let Some(flag) = flag else { return Statement::new() };
        let first = flag.levels()[0];
        self.at(flag, |level| value.map_or(level != first, |value| level == value) == is_on)
    }

    /// The numbers that `name` stands for.
    fn numbers_of(&self, name: &str) -> Vec<usize> {
        self.is(name, true).into_iter().flatten().map(|literal| literal.member).collect()
    }

    /// That the axis or flag `name` is, or is not, one of `values` under these `axes`.
    fn holds(&self, name: &str, values: &[String], is_so: bool, axes: &BTreeMap<String, String>) -> Statement {
        let is_allowed = |value: &str| values.iter().any(|allowed| allowed == value) == is_so;
        match (axes.get(name), self.scenario.flags.iter().find(|flag| flag.name == name)) {
            (Some(value), _) if is_allowed(value) => Statement::new(),
            (Some(_), _) => vec![Vec::new()],
            (None, Some(flag)) => self.at(flag, is_allowed),
            (None, None) => Statement::new(),
        }
    }
}

/// What the rules and excluded rows of `scenario` come to under these `axes`, of which some turn on cargo's `features`.
pub(super) fn under(scenario: &Scenario, features: &Features, axes: &BTreeMap<String, String>) -> Under {
    let names = Names::of(scenario);
    let rules = scenario.rules.iter().filter_map(|rule| {
        let mut either: Vec<Statement> =
            rule.when.iter().map(|(name, values)| names.holds(name, values, false, axes)).collect();
        either.push(rule.then.iter().flat_map(|(name, values)| names.holds(name, values, true, axes)).collect());
        let statement = any(&either);
        (!statement.is_empty()).then(|| (format!("the rule: {} → {}", shown(&rule.when), shown(&rule.then)), statement))
    });
    let fits = |row: &Row| row.axes.iter().all(|(name, value)| axes.get(name) == Some(value));
    let excluded = scenario.plan.exclude.iter().enumerate().filter(|(_, row)| fits(row)).map(|(number, _)| number);
    let rules = rules.chain(turned_on(scenario, features, &names, axes)).collect();
    Under { rules, excluded: excluded.collect() }
}

/// The flags of which the feature is on under these `axes` whatever the flag says: a cell that calls one off would be the same as the
/// cell with it.
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
            if matches!(&flag.switch, Switch::CargoFeature { feature } if on.contains(feature)) {
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
    pub(super) fn new(scenario: &Scenario, features: &Features, under: &Under) -> Self {
        let names = Names::of(scenario);
        let members: Vec<String> = scenario.flags.iter().flat_map(Flag::members).collect();
        let on_in_production = |flag: &Flag| vec![flag.default; flag.members().len()];
        let production: Vec<bool> = scenario.flags.iter().flat_map(on_in_production).collect();
        // What is on in production is decided last, and of the others the first: see `Clauses`.
        let mut order: Vec<usize> = (0..members.len()).rev().collect();
        order.sort_by_key(|member| production[*member]);
        let implied = implied(scenario, features, &names);
        let needs = scenario.flags.iter().flat_map(|flag| {
            let on = flag.requires.iter().map(|name| names.numbers_of(name)).collect::<Vec<_>>();
            names
                .numbers_of(&flag.name)
                .into_iter()
                .flat_map(move |member| on.clone().into_iter().map(move |on| (member, on)))
        });
        let needs = needs.chain(implied.iter().map(|(member, other)| (*member, vec![*other]))).collect();
        let mut clauses = Clauses::over(order);
        demand_implied(&mut clauses, &members, &implied);
        demand_of_flags(&mut clauses, scenario, &names);
        demand_of_lists(&mut clauses, scenario, &names);
        under.rules.iter().for_each(|(reason, statement)| clauses.demand(reason.clone(), statement.clone()));
        let mut pinned = clauses.nothing_known();
        for (name, values) in &scenario.constraints.pinned {
            for literal in names.holds(name, values, true, &BTreeMap::new()).into_iter().flatten() {
                pinned[literal.member] = Some(literal.is_on);
            }
        }
        let excluding = clauses.clone();
        let factors = factors(scenario, &names);
        let mut model = Self { members, factors, clauses, excluding, production, pinned, needs, implied };
        for row in under.excluded.iter().map(|number| &scenario.plan.exclude[*number]) {
            let set = model.settled(&model.numbers(&row.flags.iter().cloned().collect()));
            let differs = set.iter().enumerate().map(|(member, on)| Literal { member, is_on: !on }).collect();
            let axes: String = row.axes.iter().map(|(name, value)| format!(", {name} = {value:?}")).collect();
            model.excluding.demand(format!("excluded by the row {{ flags = {:?}{axes} }}", row.flags), vec![differs]);
        }
        model
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

    /// What can be switched by itself: values of flags, flags, and the first flag of each group. Nothing that is the same in every cell.
    pub(super) fn switches(&self) -> Vec<String> {
        let first = |(factor, levels): (usize, Vec<usize>)| {
            let levels = levels.into_iter().map(move |level| &self.factors[factor].levels[level]);
            levels.filter_map(|level| level.first()).map(|member| self.members[*member].clone())
        };
        self.free().into_iter().flat_map(first).collect()
    }

    /// What is on in every cell: pinned, or needed by what is.
    pub(super) fn always(&self) -> FlagSet {
        let only = |factor: &Factor| match self.possible(factor).as_slice() {
            [level] => factor.levels[*level].clone(),
            _ => Vec::new(),
        };
        self.factors.iter().flat_map(only).map(|member| self.members[member].as_str()).collect()
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
        let mut set: Vec<bool> = set.iter().zip(&self.pinned).map(|(on, pinned)| pinned.unwrap_or(*on)).collect();
        while let Some((_, other)) = self.implied.iter().find(|(member, other)| set[*member] && !set[*other]) {
            set[*other] = true;
        }
        set
    }

    /// `set` without everything that needs what is not in it.
    pub(super) fn without_dependents(&self, set: &[bool]) -> Vec<bool> {
        let mut set = set.to_vec();
        while let Some((member, _)) =
            self.needs.iter().find(|(member, any)| set[*member] && any.iter().all(|m| !set[*m]))
        {
            set[*member] = false;
        }
        set
    }

    /// Whether `factor` is varied at all.
    pub(super) fn is_pinned(&self, factor: &Factor) -> bool {
        factor.members.iter().all(|member| self.pinned[*member].is_some())
    }

    /// Numbers of the factors that have several levels under all constraints, each with those levels.
    pub(super) fn free(&self) -> Vec<(usize, Vec<usize>)> {
        let free = self.factors.iter().enumerate().map(|(number, factor)| (number, self.possible(factor)));
        free.filter(|(_, levels)| levels.len() > 1).collect()
    }

    /// The levels that a factor can have under all constraints.
    fn possible(&self, factor: &Factor) -> Vec<usize> {
        let is_possible = |level: &usize| {
            let mut known = self.excluding.nothing_known();
            factor.fix(*level, &mut known);
            self.excluding.allow(&known)
        };
        (0..factor.levels.len()).filter(is_possible).collect()
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

/// Pairs of members of which cargo turns on the second with the first.
fn implied(scenario: &Scenario, features: &Features, names: &Names<'_>) -> Vec<(usize, usize)> {
    let Program::Package(_) = scenario.service.program else { return Vec::new() };
    let feature_of = |flag: &Flag| match &flag.switch {
        Switch::CargoFeature { feature } => Some(feature.clone()),
        Switch::Cfg { .. } | Switch::Env { .. } | Switch::Arg { .. } | Switch::Config { .. } | Switch::Http { .. } => {
            None
        }
    };
    let switched: Vec<(usize, String)> = scenario
        .flags
        .iter()
        .filter_map(|flag| Some((*names.numbers_of(&flag.name).first()?, feature_of(flag)?)))
        .collect();
    let of = |(number, feature): &(usize, String)| {
        let on: BTreeSet<String> = features.with(std::iter::once(feature.as_str()));
        let others = switched.iter().filter(|(other, feature)| other != number && on.contains(feature));
        others.map(|(other, _)| (*number, *other)).collect::<Vec<_>>()
    };
    switched.iter().flat_map(of).collect()
}

fn demand_implied(clauses: &mut Clauses, members: &[String], implied: &[(usize, usize)]) {
    for (member, other) in implied {
        let either = vec![Literal { member: *member, is_on: false }, Literal { member: *other, is_on: true }];
        let reason = format!("cargo turns on \"{}\" with \"{}\"", members[*other], members[*member]);
        clauses.demand(reason, vec![either]);
    }
}

fn demand_of_flags(clauses: &mut Clauses, scenario: &Scenario, names: &Names<'_>) {
    let mut together: BTreeMap<&str, &Flag> = BTreeMap::new();
    for flag in &scenario.flags {
        let off = names.is(&flag.name, false);
        for other in &flag.requires {
            let reason = format!("\"{}\" requires \"{other}\"", flag.name);
            clauses.demand(reason, any(&[off.clone(), names.is(other, true)]));
        }
        for other in &flag.conflicts_with {
            let reason = format!("\"{}\" conflicts with \"{other}\"", flag.name);
            clauses.demand(reason, any(&[off.clone(), names.is(other, false)]));
        }
        demand_one_at_most(clauses, &format!("\"{}\" has one value at a time", flag.name), &flag.members(), names);
        if let Some(group) = &flag.group {
            let first = together.entry(group).or_insert(flag);
            if first.name != flag.name {
                let reason = format!("\"{}\" and \"{}\" are of group \"{group}\"", first.name, flag.name);
                let mut alike = any(&[off.clone(), names.is(&first.name, true)]);
                alike.extend(any(&[names.is(&first.name, false), names.is(&flag.name, true)]));
                clauses.demand(reason, alike);
            }
        }
    }
}

fn demand_of_lists(clauses: &mut Clauses, scenario: &Scenario, names: &Names<'_>) {
    let constraints = &scenario.constraints;
    let in_words = |list: &[String]| list.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    for list in &constraints.mutually_exclusive {
        demand_one_at_most(clauses, &format!("at most one of {}", in_words(list)), list, names);
    }
    for list in &constraints.exactly_one_of {
        demand_one_at_most(clauses, &format!("exactly one of {}", in_words(list)), list, names);
    }
    for (how, lists) in [("at least", &constraints.at_least_one_of), ("exactly", &constraints.exactly_one_of)] {
        for list in lists {
            let each: Vec<Statement> = list.iter().map(|name| names.is(name, true)).collect();
            clauses.demand(format!("{how} one of {}", in_words(list)), any(&each));
        }
    }
    for (name, values) in &constraints.pinned {
        let reason = format!("\"{name}\" is pinned to {}", values.join(" or "));
        clauses.demand(reason, names.holds(name, values, true, &BTreeMap::new()));
    }
}

fn demand_one_at_most(clauses: &mut Clauses, reason: &str, list: &[String], names: &Names<'_>) {
    let pairs =
        list.iter().enumerate().flat_map(|(place, one)| list[place + 1..].iter().map(move |other| (one, other)));
    let statement: Statement =
        pairs.flat_map(|(one, other)| any(&[names.is(one, false), names.is(other, false)])).collect();
    if !statement.is_empty() {
        clauses.demand(reason.to_owned(), statement);
    }
}
