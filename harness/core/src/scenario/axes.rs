//! What is crossed with every flag set.

mod check;
pub(super) mod decode;
pub(super) mod keys;

use serde::{Deserialize, Serialize};

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
    /// Values of an argument.
    Arg {
        /// What stands before the value; the value is an argument of its own unless this ends in `=`.
        arg: String,
    },
    /// Cargo features of which one is on, or [`AxisKind::NO_FEATURE`].
    CargoFeature,
    /// Revisions of the git repository that the package is in, the oldest first.
    Revision,
}

impl AxisKind {
    /// The value of an axis of features that stands for none of them.
    pub const NO_FEATURE: &str = "none";
}
