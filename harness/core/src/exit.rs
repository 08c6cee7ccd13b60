//! What a run comes to, as the status that steep exits with.
//!
//! Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a run, in the order of the list: the first that applies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The command line or the scenario is wrong.
    Usage,
    /// A verdict that the scenario fails on.
    Finding,
    /// Something could not be done.
    NotDone,
    /// Nothing was found, and something is not decided.
    Undecided,
    /// Nothing was found.
    Clean,
}

impl Status {
    /// The number that the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Finding => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::NotDone => 4,
        }
    }

    /// The status of several results together.
    #[must_use]
    pub fn of(each: impl IntoIterator<Item = Self>) -> Self {
        each.into_iter().min().unwrap_or(Self::Clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_outweighs_what_could_not_be_done_and_that_what_is_undecided() {
        assert_eq!(Status::of([Status::Clean, Status::Undecided, Status::NotDone, Status::Finding]), Status::Finding);
        assert_eq!(Status::of([Status::Clean, Status::Undecided, Status::NotDone]).code(), 4);
        assert_eq!(Status::of([Status::Clean, Status::Undecided]).code(), 3);
        assert_eq!(Status::of([]).code(), 0);
    }
}
