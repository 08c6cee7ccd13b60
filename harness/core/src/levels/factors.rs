//! What differs between cells: flags, values of axes against the first, revisions against the one before; those that
//! the same cells have are one.

use crate::outcome::Outcome;
use crate::scenario::{Axis, AxisKind};

/// What some cells have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Factor {
    /// What it is called; several where the same cells have them.
    pub(super) names: Vec<String>,
    /// The value of the axis that it is compared with.
    pub(super) against: Option<String>,
    test: Test,
}

/// Which cells have it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Flag(String),
    Axis { axis: String, values: Vec<String> },
}

impl Factor {
    pub(super) fn is_on(&self, outcome: &Outcome) -> bool {
        match &self.test {
            Test::Flag(flag) => outcome.flags.contains(flag),
            Test::Axis { axis, values } => outcome.axes.get(axis).is_some_and(|own| values.contains(own)),
        }
    }

    fn column(&self, cells: &[&Outcome]) -> Vec<bool> {
        cells.iter().map(|cell| self.is_on(cell)).collect()
    }
}

/// All that differs between `cells`.
pub(super) fn factors(flags: &[String], axes: &[Axis], cells: &[&Outcome]) -> Vec<Factor> {
    let of_flag = |flag: &String| {
        let (names, test) = (vec![flag.clone()], Test::Flag(flag.clone()));
        (Factor { names, against: None, test }, format!("not-{flag}"))
    };
    let all = flags.iter().map(of_flag).chain(axes.iter().flat_map(|axis| of_axis(axis, cells)));
    let mut distinct: Vec<(Factor, Vec<bool>)> = Vec::new();
    for (factor, opposite) in all {
        let column = factor.column(cells);
        if column.iter().all(|on| *on == column[0]) {
            continue;
        }
        let turned: Vec<bool> = column.iter().map(|on| !on).collect();
        if let Some((known, _)) = distinct.iter_mut().find(|(_, known)| *known == column) {
            known.names.extend(factor.names);
        } else if let Some((known, _)) = distinct.iter_mut().find(|(_, known)| *known == turned) {
            known.names.push(opposite);
        } else {
            distinct.push((factor, column));
        }
    }
    distinct.into_iter().map(|(factor, _)| factor).collect()
}

/// The values of `axis` that cells have, each against the first of them, or of revisions against the one before; and
/// what the opposite of each is called.
fn of_axis(axis: &Axis, cells: &[&Outcome]) -> Vec<(Factor, String)> {
    let has = |value: &&String| cells.iter().any(|cell| cell.axes.get(&axis.name) == Some(value));
    let values: Vec<&String> = axis.values.iter().filter(has).collect();
    let factor = |place: usize| {
        let value = values[place];
        let is_revision = axis.kind == AxisKind::Revision;
        let name = if is_revision { format!("since {value}") } else { format!("{}={value}", axis.name) };
        let against = values[if is_revision { place - 1 } else { 0 }].clone();
        let alike = if is_revision { &values[place..] } else { &values[place..=place] };
        let test = Test::Axis { axis: axis.name.clone(), values: alike.iter().map(|value| (*value).clone()).collect() };
        let opposite = if is_revision { format!("before {value}") } else { format!("{}={against}", axis.name) };
        (Factor { names: vec![name], against: Some(against), test }, opposite)
    };
    (1..values.len()).map(factor).collect()
}
