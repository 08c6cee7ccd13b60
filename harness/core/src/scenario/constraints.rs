//! What flag sets must hold: constraints between flags, and rules between axes and flags.

mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

/// A constraint between axes and flags. Each name is followed by what the axis or flag may be: `true`, `false`, or
/// values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Where all of this is so,
    pub when: BTreeMap<String, Vec<String>>,
    /// all of this must be.
    pub then: BTreeMap<String, Vec<String>>,
}
