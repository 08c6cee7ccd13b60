//! The best models of a competition with their scores and intervals, so that a person can follow what led to a growth.

use schemars::JsonSchema;
use serde::Serialize;

use super::interval::{Interval, PLAUSIBLE};
use super::materiality::Materiality;
use super::series::{Series, Unjudgeable};
use super::source::Layer;
use super::{Growth, Run};
use crate::stats::competition::Competition;
use crate::stats::fit::Fit;
use crate::stats::noise::Noise;
use crate::stats::shapes::Shape;
use crate::units::{BytesPerHour, Estimate};

/// How many models of each kind are reported.
pub(crate) const CANDIDATES_SHOWN: usize = 5;

/// One model of the competition: the best of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Candidate {
    /// The form of the mean.
    pub shape: Shape,
    /// Whether it grows without end.
    pub leaking: bool,
    /// Score below the best of all; zero for the best.
    pub behind: f64,
    /// Correlation of neighbouring blocks in its noise; 1 is a random walk.
    pub correlation: f64,
    /// White noise relative to the correlated one.
    pub white: f64,
    /// Its growth, with its own 95 % interval; none for a calm shape.
    #[serde(rename = "growth_bytes_per_hour")]
    pub growth: Option<Estimate<BytesPerHour>>,
    /// Whether its interval is part of the growth's.
    pub plausible: bool,
}

/// As [`super::fit`], with the best models of either kind, best first, which that throws away. A series that never
/// changes has none.
///
/// # Errors
/// Why the series cannot be judged.
pub fn candidates(
    series: &Series,
    layer: Layer,
    materiality: &Materiality,
) -> Result<(Growth, Vec<Candidate>), Unjudgeable> {
    super::fitted(series, layer, materiality, best)
}

fn best(run: &Run, competition: &Competition) -> Vec<Candidate> {
    let t = Interval::quantile(run.cut.at.len(), run.readings.seconds());
    let mut best: Vec<(Shape, Fit)> = Vec::new();
    for fit in &competition.fits {
        let shape = competition.means[fit.mean].shape;
        match best.iter_mut().find(|(other, _)| *other == shape) {
            Some((_, other)) if other.score >= fit.score => {}
            Some((_, other)) => *other = *fit,
            None => best.push((shape, *fit)),
        }
    }
    best.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    let top = best.first().map_or(0.0, |(_, fit)| fit.score);
    let is_leaking = |fit: &Fit| competition.means[fit.mean].drift.is_some();
    let best_leaking = best.iter().find(|(_, fit)| is_leaking(fit)).map_or(top, |(_, fit)| fit.score);
    let noises: Vec<Noise> = Noise::family().collect();
    let seconds = run.readings.seconds();
    let candidate = |(shape, fit): &(Shape, Fit)| {
        let leaking = is_leaking(fit);
        let Noise { correlation, white } = noises[fit.noise];
        let growth = Estimate { value: fit.slope, low: fit.slope - t * fit.error, high: fit.slope + t * fit.error };
        Candidate {
            shape: *shape,
            leaking,
            behind: top - fit.score,
            correlation,
            white,
            growth: leaking.then(|| growth.map(|over_run| BytesPerHour::per_second(over_run / seconds))),
            plausible: leaking && fit.slope + t * fit.error >= 0.0 && fit.score >= best_leaking - PLAUSIBLE,
        }
    };
    let of_kind = |leaking: bool| {
        best.iter().filter(move |(_, fit)| is_leaking(fit) == leaking).take(CANDIDATES_SHOWN).map(candidate)
    };
    let mut described: Vec<Candidate> = of_kind(true).chain(of_kind(false)).collect();
    described.sort_by(|a, b| a.behind.total_cmp(&b.behind));
    described
}
