//! What besides a leak moves memory: a load that varies, and disturbances of the run.

use super::high_water;
use super::series::Readings;
use crate::stats::blocks::{Blocks, levels};
use crate::stats::order::{deviation, gradient, mean, median};

/// Variation of the load above which its rate joins the models, as a coefficient of variation.
const VARYING_LOAD: f64 = 0.05;

/// Most disturbances that are modelled; with more the run is not judged.
const MAX_DISTURBANCES: usize = 8;

/// Disturbances closer than this many blocks are one.
const MERGED_BLOCKS: f64 = 2.0;

/// A gap in sampling is a disturbance above this multiple of the usual interval (METHOD.md, covariates).
const GAP_INTERVALS: f64 = 4.0;

/// A rate is a disturbance above this multiple of any earlier one, and five Poisson deviations.
const RATE_EXCESS: f64 = 1.25;

/// Seconds over which memory follows a change of the load: at once, within jemalloc's default decay time, and within a
/// minute for what is purged more slowly.
const LOAD_MEMORIES: [f64; 3] = [3.0, 10.0, 30.0];

/// Seconds over which what a peak of the load took is given back, while memory grows at once: the service's own queues
/// and pools empty first, and jemalloc then purges over ten seconds twice, dirty and muzzy pages (its manual,
/// `dirty_decay_ms` and `muzzy_decay_ms`). Found on seed 1; 40 and 100 do nearly as well (METHOD.md, load peaks).
const PEAK_MEMORY: f64 = 60.0;

/// A run must last this many of it for peaks to come and go within it: of calm services with spikes 7 % were called
/// leaks in ten minutes and 5 % in twenty (METHOD.md, what load peaks hide).
const PEAK_MEMORIES: f64 = 25.0;

/// Blocks at least this wide, in seconds, hold what follows at once; in narrower ones a slow memory of the load would
/// be a curve over the whole run, and growth beside it a matter of taste.
const WIDE_BLOCK: f64 = 10.0;

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
    /// The same from a block on.
    pub(super) fn since(&self, block: usize, moment: f64) -> Self {
        let varies = |covariate: &Vec<f64>| deviation(covariate) > LEAST_VARIATION;
        Self {
            varying: self.varying,
            cumulative: self.cumulative.as_ref().map(|cumulative| cumulative[block..].to_vec()),
            covariates: self.covariates.iter().map(|values| values[block..].to_vec()).filter(varies).collect(),
            moments: self.moments.iter().copied().filter(|t| *t >= moment).collect(),
            disturbances: self.disturbances,
        }
    }

    /// The environment of a run; `known` are the moments of its disturbances, if they are known.
    pub(super) fn of(readings: &Readings, cut: &Blocks, known: Option<&[f64]>, replaced: &[f64]) -> Self {
        let mut environment = Self::default();
        environment.add_load(readings, cut);
        environment.moments = known.map_or_else(|| guessed_disturbances(readings), |known| within(readings, known));
        environment.add_disturbances(readings, cut);
        environment.add_replacements(&within(readings, replaced), readings, cut);
        environment
    }

    /// Whether the run was disturbed too often to be judged.
    pub(super) const fn is_noisy(&self) -> bool {
        self.disturbances > MAX_DISTURBANCES
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
        let rates = gradient(&readings.ts, &readings.requests);
        let described = if block < WIDE_BLOCK { 0..if readings.is_short() { 2 } else { 3 } } else { 1..3 };
        // Covariates pass through the same statistic as memory: a peak within a block moves neither.
        let in_blocks = |values: &[f64]| {
            levels(&readings.ts, values, cut.width).into_iter().map(|level| level / typical - 1.0).collect::<Vec<f64>>()
        };
        let mut covariates = Vec::new();
        let mut marks = Vec::new();
        let is_held = readings.seconds() > 0.99 * PEAK_MEMORIES * PEAK_MEMORY && high_water::has_peaks(cut);
        for i in described {
            // One at a time: each is as long as the series.
            let mut felt = smoothed(&readings.ts, &rates, LOAD_MEMORIES[i]);
            covariates.push(in_blocks(&felt));
            if i == 1 {
                marks.extend(is_held.then(|| in_blocks(&held(&readings.ts, &felt, PEAK_MEMORY))));
                climb_to_highest(&mut felt);
                marks.push(in_blocks(&felt));
            }
        }
        covariates.extend(marks);
        self.covariates.extend(covariates.into_iter().filter(|c| deviation(c) > LEAST_VARIATION));
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
        self.covariates.extend(merged.iter().take(MAX_DISTURBANCES).filter_map(|moment| step_at(*moment, block, cut)));
    }

    /// A fresh worker begins at a level of its own and then does what the old one did: each has an intercept. More of
    /// them than could be modelled are the service's way to work, and no change of it.
    fn add_replacements(&mut self, replaced: &[f64], readings: &Readings, cut: &Blocks) {
        if replaced.len() > MAX_DISTURBANCES {
            return;
        }
        let block = readings.seconds() / cut.at.len() as f64;
        self.covariates.extend(replaced.iter().filter_map(|moment| step_at(*moment, block, cut)));
        self.moments.extend(replaced);
    }
}

/// A step at `moment`, which may lie within a block; none at the very start or end, where it is a constant or one
/// block.
fn step_at(moment: f64, block: f64, cut: &Blocks) -> Option<Vec<f64>> {
    let step: Vec<f64> = cut.at.iter().map(|t| ((t - moment) / block + 0.5).clamp(0.0, 1.0)).collect();
    let after: f64 = step.iter().sum();
    (after > 1.0 && after < cut.at.len() as f64 - 1.0).then_some(step)
}

/// The rate as memory feels it, an exponential average over `memory` seconds. Without it half of the runs of a minute
/// with a spike were called leaks.
fn smoothed(ts: &[f64], rates: &[f64], memory: f64) -> Vec<f64> {
    let mut felt = rates.first().copied().unwrap_or_default();
    let mut last = ts.first().copied().unwrap_or_default();
    ts.iter()
        .zip(rates)
        .map(|(&t, rate)| {
            let keep = (-(t - last) / memory).exp();
            last = t;
            felt = keep * felt + (1.0 - keep) * rate;
            felt
        })
        .collect()
}

/// The rate as an allocator holds memory for it: rises at once, and falls exponentially over `memory` seconds.
fn held(ts: &[f64], rates: &[f64], memory: f64) -> Vec<f64> {
    let mut held = f64::NEG_INFINITY;
    let mut last = ts.first().copied().unwrap_or_default();
    ts.iter()
        .zip(rates)
        .map(|(&t, &rate)| {
            let keep = (-(t - last) / memory).exp();
            last = t;
            held = if held > rate { rate + (held - rate) * keep } else { rate };
            held
        })
        .collect()
}

/// Turns rates into their running maximum: what an allocator that gives nothing back follows.
fn climb_to_highest(rates: &mut [f64]) {
    let mut highest = f64::NEG_INFINITY;
    for rate in rates {
        highest = highest.max(*rate);
        *rate = highest;
    }
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
