//! From the competition of models to growth with its interval and evidence. Everything is over the whole run.

use super::Follows;
use crate::stats::competition::Competition;
use crate::stats::fit::Fit;
use crate::stats::shapes::{Drift, Shape};
use crate::stats::student;
use crate::units::Estimate;

/// Models whose score is within this of the best are plausible (METHOD.md, interval).
pub(crate) const PLAUSIBLE: f64 = 3.0;

/// Blocks per degree of freedom of the t quantile: neighbouring blocks are correlated.
const BLOCKS_PER_FREEDOM: f64 = 6.0;

/// Least degrees of freedom.
const LEAST_FREEDOM: f64 = 4.0;

/// Seconds per degree of freedom where those are fewer still: noise that lasts for half a minute has come and gone
/// twice in a minute, however many blocks it was cut into. Without this 83–87 % of the intervals of steep leaks held
/// the truth after a minute (METHOD.md, interval).
const SECONDS_PER_FREEDOM: f64 = 25.0;

/// Quantile of a two-sided 95 % interval.
const UPPER: f64 = 0.975;

/// Quantile below which growth must stay for a run to be cleared: a leak of just what is worth finding would be cleared
/// by the interval above in one run of forty.
const CLEARING: f64 = 0.995;

/// Requests and time are told apart when their best models differ by more than this (METHOD.md, mean models).
const TOLD_APART: f64 = 3.0;

/// Evidence never falls below this: a number stands in a report where no leaking model has a positive slope.
const LEAST_EVIDENCE: f64 = -100.0;

/// What the competition says.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    /// Growth over the run, in bytes.
    pub(super) growth: Estimate<f64>,
    /// Growth over the run that is excluded with more care than the interval's, in bytes.
    pub(super) ceiling: f64,
    /// The lower end of the interval by the blocks alone, in bytes over the run: what a verdict rests on, so that the
    /// wider interval of a short run hides no leak.
    pub(super) floor: f64,
    /// Log-likelihood ratio after penalties, leaking over calm.
    pub(super) evidence: f64,
    pub(super) leak_model: Shape,
    pub(super) calm_model: Shape,
    /// Score of the best calm model over the best constant one.
    pub(super) calm_gain: f64,
    pub(super) follows: Follows,
    /// When a straight rise ended, as a share of the run, where the best calm or the best leaking model has one.
    pub(super) full: Option<f64>,
    /// Growth over the run that the noise would have let through, in bytes.
    pub(super) detectable: f64,
}

impl Interval {
    /// Of a series that never changes.
    pub(super) const NOTHING: Self = Self {
        growth: Estimate { value: 0.0, low: 0.0, high: 0.0 },
        ceiling: 0.0,
        floor: 0.0,
        evidence: 0.0,
        leak_model: Shape::Line,
        calm_model: Shape::Constant,
        calm_gain: 0.0,
        follows: Follows::Undecided,
        full: None,
        detectable: 0.0,
    };

    fn freedom(blocks: usize) -> f64 {
        LEAST_FREEDOM.max(blocks as f64 / BLOCKS_PER_FREEDOM)
    }

    /// How many standard errors a 95 % interval reaches to each side, for this many blocks of a run of this many
    /// seconds.
    pub(super) fn quantile(blocks: usize, seconds: f64) -> f64 {
        student::quantile(UPPER, Self::freedom(blocks).min(seconds / SECONDS_PER_FREEDOM))
    }

    /// From all fits to `blocks` blocks of a run of `seconds`; `None` without a calm and a leaking fit.
    pub(super) fn of(competition: &Competition, blocks: usize, seconds: f64, bar: f64) -> Option<Self> {
        let leaking = competition.best(|mean, _| mean.drift.is_some())?;
        let calm = competition.best(|mean, _| mean.drift.is_none())?;
        let constant = competition.best(|mean, _| mean.shape == Shape::Constant)?;
        let growing = competition.best(|mean, fit| mean.drift.is_some() && fit.slope > 0.0);
        let chosen = growing.unwrap_or(leaking);
        let evidence = growing.map_or(LEAST_EVIDENCE, |fit| (fit.score - calm.score).max(LEAST_EVIDENCE));

        let n = blocks as f64;
        let t = student::quantile(UPPER, Self::freedom(blocks));
        let plausible = plausible(competition, t);
        let by_blocks = union(&plausible, t);
        let half_width = (by_blocks.high - by_blocks.low) / 2.0;
        let mut growth = union(&plausible, Self::quantile(blocks, seconds));
        let mut floor = by_blocks.low;
        if calm.score > chosen.score - PLAUSIBLE {
            growth.low = growth.low.min(0.0);
            floor = floor.min(0.0);
        } else if floor > 0.0 {
            // No calm model is plausible: the evidence has excluded zero, whatever the noise of a short run.
            growth.low = growth.low.max(0.0);
        }
        if evidence <= bar && calm.score > chosen.score {
            growth.value *= (chosen.score - calm.score).exp();
        }
        Some(Self {
            growth,
            ceiling: union(&plausible, student::quantile(CLEARING, Self::freedom(blocks))).high,
            floor,
            evidence,
            leak_model: competition.means[chosen.mean].shape,
            calm_model: competition.means[calm.mean].shape,
            calm_gain: calm.score - constant.score,
            follows: follows(competition),
            full: [calm, chosen].iter().find_map(|fit| competition.means[fit.mean].full),
            // A line that is z standard errors steep gains about z²/2 over a constant and pays ½ ln n for it.
            detectable: half_width * ((2.0 * (bar + 0.5 * n.ln())).sqrt() / t).max(1.0),
        })
    }
}

/// All leaking fits within [`PLAUSIBLE`] of the best. A line that falls for sure beside a shape that rises is a misfit
/// of the shape, and bounds nothing: it counts only where no other line fits.
fn plausible(competition: &Competition, t: f64) -> Vec<Fit> {
    let leaking = || competition.fits.iter().filter(|fit| competition.means[fit.mean].drift.is_some());
    let mut fits: Vec<Fit> = leaking().filter(|fit| fit.slope + t * fit.error >= 0.0).copied().collect();
    if fits.is_empty() {
        fits = leaking().copied().collect();
    }
    let best = fits.iter().map(|fit| fit.score).fold(f64::NEG_INFINITY, f64::max);
    fits.retain(|fit| fit.score >= best - PLAUSIBLE);
    fits
}

/// The mean slope of some fits, weighted by their likelihood, and the union of their intervals.
fn union(fits: &[Fit], t: f64) -> Estimate<f64> {
    let best = fits.iter().map(|fit| fit.score).fold(f64::NEG_INFINITY, f64::max);
    let (mut weights, mut weighted) = (0.0, 0.0);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for Fit { score, slope, error, .. } in fits {
        let weight = (score - best).exp();
        weights += weight;
        weighted += weight * slope;
        low = low.min(slope - t * error);
        high = high.max(slope + t * error);
    }
    Estimate { value: weighted / weights, low, high }
}

/// Whether the best growing line runs against requests or time. A late line is tried against time only, and so does
/// not count.
fn follows(competition: &Competition) -> Follows {
    let best = |drift: Drift| {
        competition.best(|mean, fit| mean.drift == Some(drift) && mean.shape != Shape::LateLine && fit.slope > 0.0)
    };
    match (best(Drift::Requests), best(Drift::Time)) {
        (Some(requests), Some(time)) if requests.score > time.score + TOLD_APART => Follows::Requests,
        (Some(requests), Some(time)) if time.score > requests.score + TOLD_APART => Follows::Time,
        (Some(_) | None, Some(_) | None) => Follows::Undecided,
    }
}
