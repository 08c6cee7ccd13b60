//! What the stacks of a cell add to its outcome.

use super::Outcome;
use super::by_request::flow_of;
use crate::kept::{self, SampledBy};
use steep_judge::verdict::Verdict;

impl Outcome {
    /// With the places that allocate most and have what is old, by what the stacks of the cell kept. Where the verdict
    /// rests on the bytes that they are samples of, also what each chain of calls keeps, and the places that keep what
    /// grows: of a leak in the heap of V8 they would show the tables beside it.
    #[must_use]
    pub fn with_stacks(mut self, series: Option<&kept::Series>) -> Self {
        let Some(series) = series else { return self };
        // What jemalloc says it holds is that, whoever counts beside it.
        if self.live_not_believed.is_none() || series.sampled_by == SampledBy::Jemalloc {
            let mut causes = kept::causes(series, &kept::growth(series));
            let askers = causes.iter_mut().filter_map(|cause| cause.asked_by.as_mut()).flat_map(|by| &mut by.requests);
            askers.for_each(|asker| asker.flow = flow_of(&self.flow_of_steps, &asker.name));
            self.stacks = kept::chains(series, &causes);
            // What fills and stops is not accused; what is undecided is named as what grew so far.
            if matches!(self.verdict(), Verdict::Leak | Verdict::Step | Verdict::Inconclusive | Verdict::Crashed) {
                self.kept_by = causes;
            }
        }
        let cpu_us = self.figures.as_ref().and_then(|figures| figures.cpu_us_per_request);
        self.hot_spots = kept::hot_spots(series, cpu_us);
        self.allocator_cpu_share = kept::allocator_us(series).zip(cpu_us).map(|(allocator, all)| allocator / all);
        self.long_lived = kept::long_lived(series);
        self.lost_samples = series.lost_samples;
        self.stacks_sampled_by = Some(series.sampled_by).filter(|by| *by != SampledBy::Preload);
        if self.verdict() == Verdict::Crashed || self.headroom_exceeded {
            self.held_at_end = kept::ending(series).map(Box::new);
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
