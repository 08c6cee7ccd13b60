//! What is varied between cells: flags, axes, allocators, and the rules by which they become a plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A switch of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Its name in cell ids and reports.
    pub name: String,
    /// How it is switched.
    pub switch: Switch,
    /// What it may be, beyond on and off; the first is what it is in production. Empty: on or off.
    pub values: Vec<String>,
    /// Whether it is on in production.
    pub default: bool,
    /// Flags of the same group are switched together.
    pub group: Option<String>,
    /// Flags that must be on where this one is.
    pub requires: Vec<String>,
    /// Flags that must be off where this one is on.
    pub conflicts_with: Vec<String>,
    /// How to see that it took effect.
    pub verify: Option<Verify>,
}

/// Where the value of a flag with values stands in `on` and in `verify.contains`.
const VALUE: &str = "{{value}}";

/// What a flag without values may be.
const OFF_OR_ON: [&str; 2] = ["false", "true"];

impl Flag {
    /// What it may be: its values, or `false` and `true`. The first takes no member.
    #[must_use]
    pub fn levels(&self) -> Vec<&str> {
        if self.values.is_empty() { OFF_OR_ON.to_vec() } else { self.values.iter().map(String::as_str).collect() }
    }

    /// What of it may be a member of a flag set: its name; or `cache=lru` for each value but the first.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        match self.values.split_first() {
            None => vec![self.name.clone()],
            Some((_, others)) => others.iter().map(|value| self.member(value)).collect(),
        }
    }

    /// The member of a flag set that says that it has this `value`.
    #[must_use]
    pub fn member(&self, value: &str) -> String {
        format!("{}={value}", self.name)
    }

    /// Whether `text` has a place for the value.
    #[must_use]
    pub fn names_value(text: &str) -> bool {
        text.contains(VALUE)
    }

    /// `text` with the value in its place, as it is.
    #[must_use]
    pub fn with_value(text: &str, value: &str) -> String {
        text.replace(VALUE, value)
    }
}

/// How a flag is switched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// A cargo feature of the package.
    CargoFeature {
        /// The feature.
        feature: String,
    },
    /// A variable of the service's environment.
    Env {
        /// The variable.
        var: String,
        /// Its value where the flag is on; of a flag with values always, with the value in it.
        on: String,
        /// Its value where the flag is off; none: unset.
        off: Option<String>,
    },
    /// Arguments of the service.
    Arg {
        /// Added where the flag is on; of a flag with values always, with the value in them.
        on: Vec<String>,
        /// Added where the flag is off.
        off: Vec<String>,
    },
}

/// How a flag is seen to have taken effect: the answer to a GET contains a text exactly when the flag is on; of a flag with
/// values always, with the value in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// What is asked.
    pub path: String,
    /// What must be in the answer.
    pub contains: String,
}

/// Something crossed with every flag set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: AxisKind,
    /// Its values; the first is the default, left out of cell ids.
    pub values: Vec<String>,
}

/// What the values of an axis are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AxisKind {
    /// `system`, or a key of `[allocators]`.
    Allocator,
    /// Values of a variable of the service's environment.
    Env {
        /// The variable.
        var: String,
    },
}

/// How an allocator is had.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Allocator {
    /// Cargo features that choose it.
    pub features: Vec<String>,
    /// Environment that tunes it.
    pub env: BTreeMap<String, String>,
}

/// What flag sets must hold beside what each flag says itself. Names are flags, or flags with a value: `cache=lru`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Constraints {
    /// At most one of each list is on.
    pub mutually_exclusive: Vec<Vec<String>>,
    /// At least one of each list is on.
    pub at_least_one_of: Vec<Vec<String>>,
    /// Exactly one of each list is on.
    pub exactly_one_of: Vec<Vec<String>>,
    /// Flags that are never varied, with what they are.
    pub pinned: BTreeMap<String, Vec<String>>,
}

/// A constraint between axes and flags. Each name is followed by what the axis or flag may be: `true`, `false`, or values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Where all of this is so,
    pub when: BTreeMap<String, Vec<String>>,
    /// all of this must be.
    pub then: BTreeMap<String, Vec<String>>,
}

/// Which flag sets become cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRules {
    /// How flag sets are chosen.
    pub strategy: Strategy,
    /// How many flags at once `pairwise` covers.
    pub strength: usize,
    /// Whether `screening` soaks each row's opposite, too.
    pub foldover: bool,
    /// How often each is soaked.
    pub replicates: u32,
    /// More cells than this are an error, never cut.
    pub max_cells: usize,
    /// Flag sets added.
    pub include: Vec<Row>,
    /// Flag sets taken out.
    pub exclude: Vec<Row>,
}

/// How flag sets are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// None on.
    Off,
    /// All on.
    All,
    /// Those that are on in production.
    Default,
    /// None, and each alone.
    Each,
    /// All, and all but each.
    LeaveOneOut,
    /// Every combination of any two (or three) flags, in few rows.
    Pairwise,
    /// A balanced design in which every cell informs about every flag.
    Screening,
    /// Every combination.
    Full,
    /// By the number of free flags.
    Auto,
}

/// A line of `include` or `exclude`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Exactly these flags are on.
    pub flags: Vec<String>,
    /// Values of axes; an axis that is not named means each of its values.
    pub axes: BTreeMap<String, String>,
}
