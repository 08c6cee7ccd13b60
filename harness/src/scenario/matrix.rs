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
    /// Whether it is on in production.
    pub default: bool,
    /// Flags that must be on where this one is.
    pub requires: Vec<String>,
    /// Flags that must be off where this one is on.
    pub conflicts_with: Vec<String>,
    /// How to see that it took effect.
    pub verify: Option<Verify>,
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
        /// Its value where the flag is on.
        on: String,
        /// Its value where the flag is off; none: unset.
        off: Option<String>,
    },
    /// Arguments of the service.
    Arg {
        /// Added where the flag is on.
        on: Vec<String>,
        /// Added where the flag is off.
        off: Vec<String>,
    },
}

/// How a flag is seen to have taken effect: the answer to a GET contains a text exactly when the flag is on.
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

/// Which flag sets become cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRules {
    /// How flag sets are chosen.
    pub strategy: Strategy,
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
    /// Every combination.
    Full,
    /// `full` for up to three flags, `each` and `all` beyond.
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
