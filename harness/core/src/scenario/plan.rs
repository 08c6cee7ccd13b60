//! Which flag sets become cells.

mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which flag sets become cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRules {
    /// How flag sets are chosen.
    pub strategy: Strategy,
    /// How many flags at once `pairwise` covers.
    pub strength: usize,
    /// When `screening` soaks each row's opposite, too.
    pub foldover: Foldover,
    /// How often each is soaked.
    pub replicates: u32,
    /// More cells than this are an error, never cut.
    pub max_cells: usize,
    /// How often a cell that did not have its load is soaked once more.
    #[serde(default = "PlanRules::usual_retries")]
    pub retries: u32,
    /// Flag sets added.
    pub include: Vec<Row>,
    /// Flag sets taken out.
    pub exclude: Vec<Row>,
}

impl PlanRules {
    /// What a run of an older steep is resumed with.
    const fn usual_retries() -> u32 {
        1
    }
}

/// When a screening design soaks the opposite of each of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Foldover {
    /// Never.
    Never,
    /// After the others, where they do not tell which flags leak.
    IfAmbiguous,
    /// With the others.
    Always,
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
