//! What counts as a finding.

mod check;
mod decides;
pub(super) mod decode;
pub(super) mod keys;

use serde::{Deserialize, Serialize};

use steep_judge::units::{BytesPerHour, BytesPerRequest};

/// What counts as a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    /// The smallest growth with the work done that is worth finding.
    pub min_growth_bytes_per_request: BytesPerRequest,
    /// The smallest growth over time that is worth finding.
    pub min_growth_bytes_per_hour: BytesPerHour,
    /// How much evidence a leak needs.
    pub strictness: Strictness,
    /// Whether a cell may end before its time.
    pub stop_early: StopEarly,
    /// What is soaked once more to see what helps.
    #[serde(default)]
    pub confirm: Confirm,
    /// Which leaking cells are soaked once more to find the line.
    #[serde(default)]
    pub rerun: Rerun,
    /// Verdicts that make the run fail.
    pub fail_on: Vec<Finding>,
}

/// How much evidence a leak needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// A log-likelihood ratio above 3.
    Normal,
    /// Above 5.
    Strict,
}

/// Whether a cell may end before its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopEarly {
    /// It may not.
    #[default]
    Never,
    /// Once it is sure to be a leak.
    Leak,
}

/// What is soaked once more to see what helps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// Nothing.
    #[default]
    Nothing,
    /// A cell whose allocator holds more and more.
    Retention,
}

/// Which leaking cells are soaked once more to find the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rerun {
    /// Those whose allocator no stacks could be sampled of, with the system's.
    #[default]
    Leaks,
    /// None.
    Nothing,
}

/// What a run may fail on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Sustained growth.
    Leak,
    /// Growth in lasting jumps.
    Step,
    /// Memory that the allocator holds.
    Retention,
    /// The service ended by itself.
    Crashed,
    /// Peak memory above 90 % of the limit.
    Headroom,
}
