//! What besides a leak moves memory: a load that varies, and disturbances of the run.

use super::series::Readings;
use crate::stats::blocks::Blocks;
use crate::stats::order::{deviation, mean, median};

/// Variation of the load above which its rate joins the models, as a coefficient of variation.
const VARYING_LOAD: f64 = 0.05;

/// Most disturbances that are modelled; with more the run is not judged.
const MOST_DISTURBANCES: usize = 8;

/// Disturbances closer than this many blocks are one.
const MERGED_BLOCKS: f64 = 2.0;

/// A gap in sampling is a disturbance above this multiple of the usual interval (METHOD.md, covariates).
const GAP_INTERVALS: f64 = 4.0;

/// A rate is a disturbance above this multiple of any earlier one, and five Poisson deviations.
const RATE_EXCESS: f64 = 1.25;

/// Seconds over which memory follows a change of the load: jemalloc's default decay time, and the middle of the ones
/// that the rule was tried with (none, 10 s, 40 s).
const LOAD_MEMORY: f64 = 10.0;

/// Covariates that vary less are left out: they would only repeat the constant.
const LEAST_VARIATION: f64 = 1e-3;

/// Regressors that join every model.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// Whether the load varied.
    pub(super) varying: bool,
    /// Share of all requests at each block, if the load varied.
    pub(super) cumulative: Option<Vec<f64>>,
    /// One number per block each.
    pub(super) covariates: Vec<Vec<f64>>,
    /// Moments of all disturbances.
    pub(super) moments: Vec<f64>,
    /// Number of disturbances after close ones were merged.
    pub(super) disturbances: usize,
}

impl Environment {
    /// The environment of a run; `known` are the moments of its disturbances, if they are known.
    pub(super) fn of(readings: &Readings, cut: &Blocks, known: Option<&[f64]>) -> Self {
        let mut environment = Self::default();
        environment.add_load(readings, cut);
        environment.moments = known.map_or_else(|| guessed_disturbances(readings), |known| within(readings, known));
        environment.add_disturbances(readings, cut);
        environment
    }

    /// Whether the run was disturbed too often to be judged.
    pub(super) const fn is_noisy(&self) -> bool {
        self.disturbances > MOST_DISTURBANCES
    }

    fn add_load(&mut self, readings: &Readings, cut: &Blocks) {
        let typical = mean(&cut.rate);
        if typical <= 0.0 {
            return;
        }
        let block = readings.seconds() / cut.at.len() as f64;
        // Random arrivals vary by themselves: a count of N has variance N.
        let by_chance = 1.0 / (typical * block);
        if (deviation(&cut.rate) / typical).powi(2) <= VARYING_LOAD.powi(2) + by_chance {
            return;
        }
        self.varying = true;
        let first = readings.requests[0];
        let all = (readings.requests[readings.requests.len() - 1] - first).max(1.0);
        self.cumulative = Some(cut.counted.iter().map(|counted| (counted - first) / all).collect());
        let relative: Vec<f64> = cut.rate.iter().map(|rate| rate / typical - 1.0).collect();
        let fine = block < LOAD_MEMORY;
        let earlier = if fine { smoothed(&relative, block) } else { previous(&relative) };
        let highest = highest_so_far(if fine { &earlier } else { &relative });
        self.covariates.extend([relative, earlier, highest].into_iter().filter(|c| deviation(c) > LEAST_VARIATION));
    }

    fn add_disturbances(&mut self, readings: &Readings, cut: &Blocks) {
        let n = cut.at.len() as f64;
        let block = readings.seconds() / n;
        let mut merged: Vec<f64> = Vec::new();
        for &moment in &self.moments {
            if merged.last().is_none_or(|last| moment - last > MERGED_BLOCKS * block) {
                merged.push(moment);
            }
        }
        self.disturbances = merged.len();
        self.covariates.extend(merged.iter().take(MOST_DISTURBANCES).filter_map(|moment| {
            let step: Vec<f64> = cut.at.iter().map(|t| ((t - moment) / block + 0.5).clamp(0.0, 1.0)).collect();
            // A step at the very start or end is a constant, or one block.
            let after: f64 = step.iter().sum();
            (after > 1.0 && after < n - 1.0).then_some(step)
        }));
    }
}

/// The rate of the block before: blocks of a long run last as long as memory takes to follow the load.
fn previous(rates: &[f64]) -> Vec<f64> {
    rates.iter().take(1).chain(rates).take(rates.len()).copied().collect()
}

/// The rate as memory feels it, for blocks that are shorter than memory takes to follow the load. Without it half of
/// the runs of a minute with a spike were called leaks.
fn smoothed(rates: &[f64], block: f64) -> Vec<f64> {
    let keep = (-block / LOAD_MEMORY).exp();
    let mut felt = rates.first().copied().unwrap_or_default();
    rates
        .iter()
        .map(|rate| {
            felt = keep * felt + (1.0 - keep) * rate;
            felt
        })
        .collect()
}

/// The running maximum: what an allocator that gives nothing back follows.
fn highest_so_far(rates: &[f64]) -> Vec<f64> {
    rates
        .iter()
        .scan(f64::NEG_INFINITY, |highest, &rate| {
            *highest = highest.max(rate);
            Some(*highest)
        })
        .collect()
}

/// The known disturbances that lie in the run, in order.
fn within(readings: &Readings, known: &[f64]) -> Vec<f64> {
    let (first, last) = (readings.ts[0], readings.ts[readings.ts.len() - 1]);
    let mut moments: Vec<f64> = known.iter().copied().filter(|t| *t > first && *t < last).collect();
    moments.sort_unstable_by(f64::total_cmp);
    moments
}

/// Disturbances of foreign data: gaps in sampling, and rates above any earlier one after 3 % of the run.
fn guessed_disturbances(readings: &Readings) -> Vec<f64> {
    let intervals: Vec<f64> = readings.ts.windows(2).map(|w| w[1] - w[0]).collect();
    let rates: Vec<f64> = readings.requests.windows(2).zip(&intervals).map(|(w, dt)| (w[1] - w[0]) / dt).collect();
    let (interval, typical) = (readings.interval, median(&rates));
    let longest = (GAP_INTERVALS * interval).max(interval + 3.0);
    let early = &rates[..rates.len().min((rates.len() / 20).max(5))];
    let mut highest = if typical > 0.0 { median(early) } else { 0.0 };
    let mut moments = Vec::new();
    for (i, &rate) in rates.iter().enumerate() {
        let settled = readings.ts[i] - readings.ts[0] > 0.03 * readings.seconds();
        let peak = typical > 20.0 && rate > RATE_EXCESS * highest.max(typical) + 5.0 * typical.max(1.0).sqrt();
        if settled && (intervals[i] > longest || peak) {
            moments.push(readings.ts[i + 1]);
        }
        highest = highest.max(rate);
    }
    moments
}
