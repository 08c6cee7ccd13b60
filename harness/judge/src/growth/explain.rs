//! What led to a growth: the best models with their scores and intervals, so that a person can follow the decision.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::interval::{Interval, PLAUSIBLE};
use super::materiality::Materiality;
use super::series::{MemorySource, Series, Unjudgeable};
use super::{Growth, Run};
use crate::stats::competition::{Competition, Fit};
use crate::stats::noise::Noise;
use crate::stats::shapes::Shape;
use crate::units::{BytesPerHour, Estimate};

/// How many models of each kind are told.
const CANDIDATES_SHOWN: usize = 5;

/// One model of the competition: the best of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

/// What led to a growth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The growth.
    pub growth: Growth,
    /// Evidence above which growth is called a leak.
    pub bar: f64,
    /// The best models of either kind, best first.
    pub candidates: Vec<Candidate>,
}

/// As [`super::fit`], and keeps what that throws away. A series that never changes has no candidates.
///
/// # Errors
/// Why the series cannot be judged.
pub fn explain(series: &Series, source: MemorySource, materiality: &Materiality) -> Result<Explanation, Unjudgeable> {
    let (growth, candidates) = super::fitted(series, source, materiality, candidates)?;
    Ok(Explanation { growth, bar: materiality.bar, candidates })
}

fn candidates(run: &Run, competition: &Competition) -> Vec<Candidate> {
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
    let mut told: Vec<Candidate> = of_kind(true).chain(of_kind(false)).collect();
    told.sort_by(|a, b| a.behind.total_cmp(&b.behind));
    told
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { growth, bar, candidates } = self;
        writeln!(f, "{} readings in {} blocks over {:.0} s", growth.samples, growth.blocks, growth.seconds)?;
        writeln!(f, "  behind  model                    noise            growth an hour")?;
        for candidate in candidates {
            let mut noise = String::new();
            let _ = match candidate.correlation {
                walk if walk >= 1.0 => write!(noise, "random walk"),
                zero if zero <= 0.0 => write!(noise, "white"),
                correlation => write!(noise, "AR {correlation}"),
            };
            if candidate.white > 0.0 {
                let _ = write!(noise, " + {}", candidate.white);
            }
            let shape = format!("{:?}", candidate.shape);
            let mark = if candidate.plausible { '*' } else { ' ' };
            let grows = candidate.growth.map_or_else(|| "none".to_owned(), |growth| growth.compact());
            writeln!(f, "{mark} {:>6.1}  {shape:<23}  {noise:<15}  {grows}", candidate.behind)?;
        }
        writeln!(
            f,
            "* within {PLAUSIBLE} of the best leaking model: the interval is the union of theirs, the same shapes with other noises included"
        )?;
        writeln!(f, "growth an hour: {}, at most {}", growth.per_hour.compact(), growth.ceiling)?;
        let asked = growth.evidence_asked(*bar);
        writeln!(f, "evidence {:.1}; above {asked} it is a leak, if material", growth.evidence)?;
        write!(
            f,
            "worth finding: {}; least growth over the run: {}; would have been seen: {}",
            growth.worth_finding, growth.least_growth, growth.seen_at_least
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted::Planted;
    use super::*;

    fn explained(series: &Series) -> Explanation {
        explain(series, MemorySource::Anonymous, &Materiality::default()).expect("a series that can be judged")
    }

    #[test]
    fn the_best_models_of_both_kinds_are_told_best_first() {
        let explanation = explained(&Planted { seconds: 900, leak: 64.0, ..Planted::CALM }.series());
        let candidates = &explanation.candidates;
        assert_eq!(candidates.iter().filter(|candidate| candidate.leaking).count(), CANDIDATES_SHOWN);
        assert_eq!(candidates.iter().filter(|candidate| !candidate.leaking).count(), CANDIDATES_SHOWN);
        assert!(candidates.is_sorted_by(|a, b| a.behind <= b.behind));
        assert!(candidates[0].leaking && candidates[0].plausible && candidates[0].behind <= 0.0);
    }

    #[test]
    fn the_growth_of_every_plausible_model_lies_in_the_interval() {
        let explanation = explained(&Planted { seconds: 900, leak: 64.0, noise: 100e3, ..Planted::CALM }.series());
        let whole = explanation.growth.per_hour;
        let plausible: Vec<_> =
            explanation.candidates.iter().filter(|c| c.plausible).filter_map(|c| c.growth).collect();
        assert!(!plausible.is_empty());
        assert!(
            plausible
                .iter()
                .all(|growth| whole.low.get() <= growth.value.get() && growth.value.get() <= whole.high.get())
        );
    }

    #[test]
    fn the_text_names_models_noise_and_bounds() {
        let text = explained(&Planted { seconds: 900, leak: 64.0, ..Planted::CALM }.series()).to_string();
        for part in ["901 readings in 60 blocks over 900 s", "* ", "Line", "evidence", "worth finding"] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }

    #[test]
    fn a_series_that_never_changes_has_no_candidates() {
        assert!(explained(&Planted { noise: 0.0, ..Planted::CALM }.series()).candidates.is_empty());
    }
}
