//! What led to a growth, in words: the best models with their scores and intervals, and what it is held against.

use std::fmt::{self, Write as _};

use super::limits::Limits;
use crate::growth::{Candidate, Growth, Layer, Materiality, PLAUSIBLE, Series, Unjudgeable, candidates};

/// What led to a growth.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The growth.
    pub growth: Growth,
    /// Evidence above which growth is called a leak.
    pub bar: f64,
    /// The best models of either kind, best first.
    pub candidates: Vec<Candidate>,
}

/// As [`crate::growth::fit`], and keeps what that throws away.
///
/// # Errors
/// Why the series cannot be judged.
pub fn explain(series: &Series, layer: Layer, materiality: &Materiality) -> Result<Explanation, Unjudgeable> {
    let (growth, candidates) = candidates(series, layer, materiality)?;
    Ok(Explanation { growth, bar: materiality.bar, candidates })
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
        let asked = Limits::of(growth, *bar).evidence_asked();
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
    use super::*;
    use crate::growth::CANDIDATES_SHOWN;
    use crate::growth::planted::Planted;

    fn explained(series: &Series) -> Explanation {
        explain(series, Layer::Resident, &Materiality::default()).expect("a series that can be judged")
    }

    #[test]
    fn the_best_models_of_both_kinds_are_reported_best_first() {
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
