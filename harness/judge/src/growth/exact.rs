//! What is done with a figure in which nothing is an allocator's: live bytes. Its blocks are those that bend least, and
//! its ends are fitted by themselves.

use super::environment::Environment;
use super::flat_end;
use super::interval::Interval;
use super::series::Readings;
use super::{FEWEST_BLOCKS, Growth, Run};
use crate::stats::blocks::{Blocks, quantiles};

/// Where the ends begin that an exact figure is fitted over by themselves, as shares of the run; the shortest last.
const ENDS: [f64; 2] = [0.25, 0.5];

impl Readings {
    /// The levels of an exact figure: that quantile of the blocks which moves least from one to the next. What is in
    /// flight only adds, so that its lower envelope is what is kept; where much is in flight all the time, the middle
    /// is surer.
    pub(super) fn stillest(&self, memory: &[f64], width: f64, usual: Vec<f64>) -> Vec<f64> {
        /// Of readings in a block; the usual one, the lower quartile, first.
        const OTHERS: [f64; 3] = [0.1, 0.5, 0.75];
        let bends = |levels: &[f64]| levels.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).sum::<f64>();
        let others = OTHERS.iter().map(|share| quantiles(&self.ts, memory, width, *share));
        std::iter::once(usual)
            .chain(others)
            .map(|levels| (bends(&levels), levels))
            .reduce(|best, next| if next.0 < best.0 { next } else { best })
            .map(|(_, levels)| levels)
            .unwrap_or_default()
    }

    /// Those from a moment on.
    fn since(&self, moment: f64) -> Self {
        let first = self.ts.partition_point(|t| *t < moment);
        let from = |values: &[f64]| values[first..].to_vec();
        Self { ts: from(&self.ts), memory: from(&self.memory), requests: from(&self.requests), ..*self }
    }
}

impl Run {
    /// Growth over each of the [`ENDS`] by itself, where it can be fitted.
    pub(super) fn ends(&self, environment: &Environment, bar: f64) -> Vec<Growth> {
        let blocks = self.cut.at.len();
        let starts = ENDS.iter().map(|share| (share * blocks as f64) as usize);
        let is_seen = |start: &usize| {
            let is_long = *start > 0 && blocks - start >= FEWEST_BLOCKS;
            is_long && !environment.varying && !flat_end::is_disturbed(environment, &self.cut, *start)
        };
        let fitted = starts.filter(is_seen).filter_map(|start| {
            let moment = f64::midpoint(self.cut.at[start - 1], self.cut.at[start]);
            let from = |values: &[f64]| values[start..].to_vec();
            let cut = Blocks {
                at: from(&self.cut.at),
                level: from(&self.cut.level),
                counted: from(&self.cut.counted),
                rate: from(&self.cut.rate),
                width: self.cut.width,
            };
            let (readings, worth_finding, sawtooth) = (self.readings.since(moment), self.worth_finding, self.sawtooth);
            let run = Self { readings, cut, sawtooth, worth_finding };
            let since = environment.since(start, moment);
            if run.never_changes() {
                return Some(run.growth(&Interval::NOTHING, &since));
            }
            let competition = run.competition(&since);
            let interval = Interval::of(&competition, run.cut.at.len(), run.readings.seconds(), bar)?;
            let growth = run.growth(&interval, &since);
            // A fall before this end may have taken back what it shows.
            Some(Growth { given_back: self.given_back(environment, growth.per_hour.value), ..growth })
        });
        fitted.collect()
    }
}

impl Growth {
    /// Where an exact figure stands still at its end, growth as large as what is worth finding has no evidence left:
    /// what the shapes of the whole curve found was a misfit of its beginning.
    pub(super) fn end_where_still(&mut self) {
        let Some(end) = self.flat_end.filter(|end| end.at_most.is_some()) else { return };
        self.evidence = self.evidence.min(-end.evidence);
    }
}
