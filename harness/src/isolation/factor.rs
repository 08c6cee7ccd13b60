//! What differs between cells and may be a cause: a flag, or a value of an axis.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::outcome::Outcome;

/// A flag, or a value of an axis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Factor {
    Flag(String),
    Axis { axis: String, value: String },
}

impl Factor {
    /// Everything that differs between these cells, and `flags`: in an order that is that of the names.
    pub(super) fn all(flags: &[String], outcomes: &[&Outcome]) -> Vec<Self> {
        let in_cells = outcomes.iter().flat_map(|outcome| outcome.flags.iter());
        let names: BTreeSet<&str> = flags.iter().map(String::as_str).chain(in_cells).collect();
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (axis, value) in outcomes.iter().flat_map(|outcome| &outcome.axes) {
            values.entry(axis).or_default().insert(value);
        }
        values.retain(|_, values| values.len() > 1);
        let axes = values.into_iter().flat_map(|(axis, values)| {
            values.into_iter().map(|value| Self::Axis { axis: axis.to_owned(), value: value.to_owned() })
        });
        names.into_iter().map(|name| Self::Flag(name.to_owned())).chain(axes).collect()
    }

    /// Whether the cell has it.
    pub(super) fn is_on(&self, outcome: &Outcome) -> bool {
        match self {
            Self::Flag(flag) => outcome.flags.contains(flag),
            Self::Axis { axis, value } => outcome.axes.get(axis) == Some(value),
        }
    }

    /// Whether `without` is the cell `with`, but for this.
    pub(super) fn is_only_difference(&self, with: &Outcome, without: &Outcome) -> bool {
        let is_alike = match self {
            Self::Flag(flag) => without.flags == with.flags.without(flag) && without.axes == with.axes,
            Self::Axis { axis, .. } => {
                let others = |outcome: &Outcome| {
                    let mut axes = outcome.axes.clone();
                    axes.remove(axis);
                    axes
                };
                without.flags == with.flags && others(without) == others(with)
            }
        };
        is_alike && !self.is_on(without) && without.replicate == with.replicate
    }

    /// Whether both may leak only together: two values of one axis are never on at once, and of two axes nobody asks.
    pub(super) fn pairs_with(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Flag(_), _) | (_, Self::Flag(_)))
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.pad(flag),
            Self::Axis { axis, value } => f.pad(&format!("{axis}={value}")),
        }
    }
}
