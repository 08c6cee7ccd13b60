//! What the stacks of a cell add to its outcome.

use super::Outcome;
use crate::kept;
use steep_judge::verdict::Verdict;

impl Outcome {
    /// With what the stacks of the cell kept, where the verdict rests on the bytes that they are samples of: of a leak in
    /// the heap of V8 they show the tables beside it. The places that keep it only where the verdict is that something
    /// grows.
    #[must_use]
    pub fn with_stacks(mut self, series: Option<&kept::Series>) -> Self {
        let are_samples_of_it = self.live_not_believed.is_none();
        if let Some(series) = series.filter(|_| are_samples_of_it) {
            let causes = kept::causes(series, &kept::growth(series));
            self.stacks = kept::chains(series, &causes);
            if matches!(self.verdict(), Verdict::Leak | Verdict::Step) {
                self.kept_by = causes;
            }
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
