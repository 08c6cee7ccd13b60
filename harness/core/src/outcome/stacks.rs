//! What the stacks of a cell add to its outcome.

use super::Outcome;
use crate::kept;
use steep_judge::verdict::Verdict;

impl Outcome {
    /// With the places that keep what grows, by what the stacks of the cell kept; only where the verdict is that
    /// something grows, and rests on the bytes that the stacks are samples of: of a leak in the heap of V8 they show
    /// the tables beside it.
    #[must_use]
    pub fn with_stacks(mut self, series: Option<&kept::Series>) -> Self {
        let are_samples_of_it = self.live_not_believed.is_none();
        if let (Verdict::Leak | Verdict::Step, Some(series), true) = (self.verdict(), series, are_samples_of_it) {
            self.kept_by = kept::causes(series, &kept::growth(series));
        }
        if self.verdict() == Verdict::Crashed || self.headroom_exceeded {
            self.held_at_end = series.and_then(kept::ending);
        }
        self
    }

    /// With what the stacks held when the service came close to its limit.
    #[must_use]
    pub fn with_stacks_at_limit(mut self, series: Option<&kept::Series>) -> Self {
        self.held_at_limit = series.map(kept::each_moment).unwrap_or_default();
        self
    }
}
