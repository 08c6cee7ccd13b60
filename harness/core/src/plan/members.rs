//! The members of flag sets, and what the names in a scenario say about them.

use std::collections::BTreeMap;

use super::clauses::{Literal, Statement};
use crate::scenario::{Flag, Scenario};

/// From names in a scenario to statements about members.
#[derive(Debug)]
pub(super) struct Names<'s> {
    pub(super) scenario: &'s Scenario,
    flags: BTreeMap<&'s str, &'s Flag>,
    numbers: BTreeMap<String, usize>,
}

impl<'s> Names<'s> {
    pub(super) fn of(scenario: &'s Scenario) -> Self {
        let members = scenario.flags.iter().flat_map(Flag::members);
        // Of flags with the same name, which are a problem of the scenario, the first.
        let flags = scenario.flags.iter().rev().map(|flag| (flag.name.as_str(), flag)).collect();
        Self { scenario, flags, numbers: members.enumerate().map(|(number, member)| (member, number)).collect() }
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
    pub(super) fn is(&self, name: &str, is_on: bool) -> Statement {
        let of_name = |name: &str| self.flags.get(name).copied();
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
    pub(super) fn numbers_of(&self, name: &str) -> Vec<usize> {
        self.is(name, true).into_iter().flatten().map(|literal| literal.member).collect()
    }

    /// That the axis or flag `name` is, or is not, one of `values` under these `axes`.
    pub(super) fn holds(
        &self,
        name: &str,
        values: &[String],
        is_so: bool,
        axes: &BTreeMap<String, String>,
    ) -> Statement {
        let is_allowed = |value: &str| values.iter().any(|allowed| allowed == value) == is_so;
        match (axes.get(name), self.flags.get(name)) {
            (Some(value), _) if is_allowed(value) => Statement::new(),
            (Some(_), _) => vec![Vec::new()],
            (None, Some(flag)) => self.at(flag, is_allowed),
            (None, None) => Statement::new(),
        }
    }
}
