//! What flags, lists of flags and cargo's features demand of each other, as clauses, each with its reason in words.

use std::collections::BTreeMap;

use super::clauses::{Clauses, Literal, Statement, any};
use super::effort::{Effort, TooHard};
use super::members::Names;
use crate::scenario::package::Features;
use crate::scenario::{Flag, Program, Scenario};

/// Members with what must be on where they are: one of each of these.
pub(super) fn needs(
    scenario: &Scenario,
    names: &Names<'_>,
    implied: &[(usize, usize)],
    effort: &Effort,
) -> Result<Vec<(usize, Vec<usize>)>, TooHard> {
    let mut needs = Vec::new();
    for flag in scenario.flags.iter().filter(|flag| !flag.requires.is_empty()) {
        let on: Vec<Vec<usize>> = flag.requires.iter().map(|name| names.numbers_of(name)).collect();
        for member in names.numbers_of(&flag.name) {
            effort.spend(on.iter().map(|any| 1 + any.len()).sum())?;
            needs.extend(on.iter().map(|any| (member, any.clone())));
        }
    }
    needs.extend(implied.iter().map(|(member, other)| (*member, vec![*other])));
    Ok(needs)
}

/// Pairs of members of which cargo turns on the second with the first, directly or by others.
pub(super) fn implied(
    scenario: &Scenario,
    features: &Features,
    names: &Names<'_>,
    effort: &Effort,
) -> Result<Vec<(usize, usize)>, TooHard> {
    let Program::Package(_) = scenario.service.program else { return Ok(Vec::new()) };
    let mut switching: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut switched: Vec<(usize, &str)> = Vec::new();
    for flag in &scenario.flags {
        if let (Some(feature), Some(member)) = (flag.switch.feature(), names.numbers_of(&flag.name).first().copied()) {
            switching.entry(feature).or_default().push(member);
            switched.push((member, feature));
        }
    }
    let mut implied = Vec::new();
    for (member, feature) in switched {
        let on = features.turned_on_by([feature]);
        let mut others: Vec<usize> = on.iter().filter_map(|on| switching.get(on)).flatten().copied().collect();
        effort.spend(features.entries() + on.len() + others.len())?;
        others.sort_unstable();
        implied.extend(others.into_iter().filter(|other| *other != member).map(|other| (member, other)));
    }
    Ok(implied)
}

pub(super) fn demand_implied(
    clauses: &mut Clauses,
    members: &[String],
    implied: &[(usize, usize)],
) -> Result<(), TooHard> {
    for (member, other) in implied {
        let either = vec![Literal { member: *member, is_on: false }, Literal { member: *other, is_on: true }];
        let reason = format!("cargo turns on \"{}\" with \"{}\"", members[*other], members[*member]);
        clauses.demand(reason, vec![either])?;
    }
    Ok(())
}

pub(super) fn demand_of_flags(clauses: &mut Clauses, scenario: &Scenario, names: &Names<'_>) -> Result<(), TooHard> {
    let mut together: BTreeMap<&str, &Flag> = BTreeMap::new();
    let effort = clauses.effort().clone();
    for flag in &scenario.flags {
        let off = names.is(&flag.name, false);
        for other in &flag.requires {
            let reason = format!("\"{}\" requires \"{other}\"", flag.name);
            clauses.demand(reason, any(&[off.clone(), names.is(other, true)], &effort)?)?;
        }
        for other in &flag.conflicts_with {
            let reason = format!("\"{}\" conflicts with \"{other}\"", flag.name);
            clauses.demand(reason, any(&[off.clone(), names.is(other, false)], &effort)?)?;
        }
        demand_one_at_most(clauses, &format!("\"{}\" has one value at a time", flag.name), &flag.members(), names)?;
        if let Some(group) = &flag.group {
            let first = together.entry(group).or_insert(flag);
            if first.name != flag.name {
                let reason = format!("\"{}\" and \"{}\" are of group \"{group}\"", first.name, flag.name);
                let mut alike = any(&[off.clone(), names.is(&first.name, true)], &effort)?;
                alike.extend(any(&[names.is(&first.name, false), names.is(&flag.name, true)], &effort)?);
                clauses.demand(reason, alike)?;
            }
        }
    }
    Ok(())
}

pub(super) fn demand_of_lists(clauses: &mut Clauses, scenario: &Scenario, names: &Names<'_>) -> Result<(), TooHard> {
    let constraints = &scenario.constraints;
    let effort = clauses.effort().clone();
    for list in &constraints.mutually_exclusive {
        demand_one_at_most(clauses, &format!("at most one of {}", listed(list)), list, names)?;
    }
    for list in &constraints.exactly_one_of {
        demand_one_at_most(clauses, &format!("exactly one of {}", listed(list)), list, names)?;
    }
    for (how, lists) in [("at least", &constraints.at_least_one_of), ("exactly", &constraints.exactly_one_of)] {
        for list in lists {
            let each: Vec<Statement> = list.iter().map(|name| names.is(name, true)).collect();
            clauses.demand(format!("{how} one of {}", listed(list)), any(&each, &effort)?)?;
        }
    }
    for (name, values) in &constraints.pinned {
        let reason = format!("\"{name}\" is pinned to {}", values.join(" or "));
        clauses.demand(reason, names.holds(name, values, true, &BTreeMap::new()))?;
    }
    Ok(())
}

/// The names of a list, of which nobody reads more than a few.
fn listed(list: &[String]) -> String {
    const MAX_TOLD: usize = 20;
    let notes: Vec<String> = list.iter().take(MAX_TOLD).map(|name| format!("\"{name}\"")).collect();
    match list.len() - notes.len() {
        0 => notes.join(", "),
        more => format!("{} and {more} more", notes.join(", ")),
    }
}

fn demand_one_at_most(clauses: &mut Clauses, reason: &str, list: &[String], names: &Names<'_>) -> Result<(), TooHard> {
    let effort = clauses.effort().clone();
    let off: Vec<Statement> = list.iter().map(|name| names.is(name, false)).collect();
    let mut statement = Statement::new();
    for (place, one) in off.iter().enumerate() {
        for other in &off[place + 1..] {
            statement.extend(any(&[one.clone(), other.clone()], &effort)?);
        }
    }
    if !statement.is_empty() {
        clauses.demand(reason.to_owned(), statement)?;
    }
    Ok(())
}
