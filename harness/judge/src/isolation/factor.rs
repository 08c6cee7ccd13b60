//! What differs between cells and may be a cause: a flag, a value of an axis, a turn in the history of the service.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::cell::JudgedCell;
use crate::ids::FlagSet;

/// A flag, a value of an axis, or a turn in the history of the service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Factor {
    Flag(String),
    Axis {
        axis: String,
        value: String,
    },
    /// All revisions from this one on; and the one before, of those that were soaked.
    Since {
        axis: String,
        value: String,
        before: String,
    },
    /// All revisions up to this one; and the one after.
    Until {
        axis: String,
        value: String,
        after: String,
    },
}

impl Factor {
    /// Everything that differs between these cells, and `flags`: in an order that is that of the names.
    pub(super) fn all(flags: &[String], outcomes: &[&JudgedCell]) -> Vec<Self> {
        let in_cells = outcomes.iter().flat_map(|outcome| outcome.flags.iter());
        let names: BTreeSet<&str> = flags.iter().map(String::as_str).chain(in_cells).collect();
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (axis, value) in outcomes.iter().flat_map(|outcome| &outcome.axes) {
            values.entry(axis).or_default().insert(value);
        }
        let turns = turns(outcomes);
        if let Some(Self::Since { axis, .. } | Self::Until { axis, .. }) = turns.first() {
            values.remove(axis.as_str());
        }
        values.retain(|_, values| values.len() > 1);
        let axes = values.into_iter().flat_map(|(axis, values)| {
            values.into_iter().map(|value| Self::Axis { axis: axis.to_owned(), value: value.to_owned() })
        });
        names.into_iter().map(|name| Self::Flag(name.to_owned())).chain(axes).chain(turns).collect()
    }

    /// Whether the cell has it.
    pub(super) fn is_on(&self, outcome: &JudgedCell) -> bool {
        match self {
            Self::Flag(flag) => outcome.flags.contains(flag),
            Self::Axis { axis, value } => outcome.axes.get(axis) == Some(value),
            Self::Since { value, .. } => has_grown_out_of(outcome, value),
            Self::Until { after, .. } => outcome.history.is_some() && !has_grown_out_of(outcome, after),
        }
    }

    /// Whether a cell with these flags and axes would have it. What its history would be is not known.
    pub(super) fn is_on_with(&self, flags: &FlagSet, axes: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Flag(flag) => flags.contains(flag),
            Self::Axis { axis, value } => axes.get(axis) == Some(value),
            Self::Since { .. } | Self::Until { .. } => false,
        }
    }

    /// Whether `without` is the cell `with`, but for this.
    pub(super) fn is_only_difference(&self, with: &JudgedCell, without: &JudgedCell) -> bool {
        let is_alike = match self {
            Self::Flag(flag) => {
                // Sets of hundreds of flags are not copied for each two cells.
                let others = with.flags.iter().filter(|other| other != flag);
                without.axes == with.axes && others.eq(without.flags.iter())
            }
            Self::Axis { axis, .. } | Self::Since { axis, .. } | Self::Until { axis, .. } => {
                let others = |outcome: &JudgedCell| {
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
    /// What began at one revision and ended at another is such a pair.
    pub(super) fn pairs_with(&self, other: &Self) -> bool {
        let is_flag = |factor: &Self| matches!(factor, Self::Flag(_));
        let turns = [self, other].map(|factor| matches!(factor, Self::Since { .. }));
        let ends = [self, other].map(|factor| matches!(factor, Self::Until { .. }));
        is_flag(self) || is_flag(other) || turns[0] && ends[1] || ends[0] && turns[1]
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.pad(flag),
            Self::Axis { axis, value } => f.pad(&format!("{axis}={value}")),
            Self::Since { value, .. } => f.pad(&format!("since {value}")),
            Self::Until { value, .. } => f.pad(&format!("until {value}")),
        }
    }
}

fn has_grown_out_of(outcome: &JudgedCell, revision: &String) -> bool {
    outcome.history.as_ref().is_some_and(|history| history.until.contains(revision))
}

/// Where growth may have begun or ended in the history of the service: between any two revisions of which cells were
/// judged.
fn turns(outcomes: &[&JudgedCell]) -> Vec<Factor> {
    let histories = outcomes.iter().filter_map(|outcome| outcome.history.as_ref());
    let Some(longest) = histories.max_by_key(|history| history.until.len()) else { return Vec::new() };
    let axis = &longest.axis;
    let is_judged = |value: &&String| outcomes.iter().any(|outcome| outcome.axes.get(axis) == Some(value));
    let judged: Vec<&String> = longest.until.iter().filter(is_judged).collect();
    let between = judged.windows(2).flat_map(|pair| {
        let [before, after] = [pair[0], pair[1]].map(Clone::clone);
        [
            Factor::Since { axis: axis.clone(), value: after.clone(), before: before.clone() },
            Factor::Until { axis: axis.clone(), value: before, after },
        ]
    });
    between.collect()
}
