//! What the same features keep with the system's allocator, of a leaking cell whose own no stacks could be sampled of.

use schemars::JsonSchema;
use serde::Serialize;

use super::Outcome;
use crate::kept::Cause;
use steep_judge::ids::CellId;
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate};
use steep_judge::verdict::Verdict;

/// The cell with the same flags and the system's allocator, and what came of it. It tells where a leak that both have
/// comes from, and changes nothing of what is said of the other.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rerun {
    /// It.
    pub cell: CellId,
    /// The allocator that the other has.
    pub in_place_of: String,
    /// Whether the plan has it; else it was soaked for this.
    pub of_plan: bool,
    /// What was said of it.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Its growth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes_per_request: Option<Estimate<BytesPerRequest>>,
    /// The same over time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_bytes_per_hour: Option<Estimate<BytesPerHour>>,
    /// The places in the program that keep what grows there, the largest first.
    pub kept_by: Vec<Cause>,
}

impl Outcome {
    /// Whether the cell leaks, and nobody knows where although the scenario lets the library in: its allocator is none
    /// that the library sees.
    #[must_use]
    pub fn lacks_stacks(&self) -> bool {
        let leaks = matches!(self.verdict(), Verdict::Leak | Verdict::Step);
        leaks && self.stacks.is_none() && (self.live_not_counted.is_some() || self.live_not_believed.is_some())
    }

    /// Whether its stacks say what the same flags keep with another allocator.
    #[must_use]
    pub fn has_stacks(&self) -> bool {
        self.stacks.is_some() && !matches!(self.verdict(), Verdict::Invalid | Verdict::Crashed)
    }

    /// With what came `of` the cell with the system's allocator, which the plan has, or which was soaked for this.
    pub fn add_rerun(&mut self, of: &Self, in_place_of: &str, of_plan: bool) {
        let growth = of.growth();
        self.rerun = Some(Box::new(Rerun {
            cell: of.cell.clone(),
            in_place_of: in_place_of.to_owned(),
            of_plan,
            verdict: of.verdict(),
            reason: of.judgement.reason.clone(),
            growth_bytes_per_request: growth.and_then(|growth| growth.per_request),
            growth_bytes_per_hour: growth.map(|growth| growth.per_hour),
            kept_by: of.kept_by.clone(),
        }));
    }
}
