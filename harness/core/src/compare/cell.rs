//! What became of a cell that both runs have.

use serde::Serialize;

use super::level::{FigureChange, levels};
use super::pair::Pair;
use super::spread::Known;
use super::{Becomes, growth, level};
use crate::outcome::Outcome;
use steep_judge::ids::CellId;
use steep_judge::verdict::Verdict;

/// What became of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellChange {
    /// Which.
    pub cell: CellId,
    /// The verdict in the base.
    pub base: Verdict,
    /// The verdict in the run.
    pub run: Verdict,
    /// What became of it: of its growth, and of the others where one of them is worse.
    pub becomes: Becomes,
    /// Whether one of the two cannot be judged.
    pub is_not_judged: bool,
    /// That in one sentence.
    pub sentence: String,
    /// Growth first, then what else it costs.
    pub figures: Vec<FigureChange>,
}

impl Pair<'_> {
    /// Figures of which something may be said.
    pub(super) fn claims(&self) -> usize {
        1 + levels(self).count()
    }

    /// What became of it, where `share` of all figures that did not change may be called worse or better.
    pub(super) fn change(&self, known: &Known, share: f64) -> CellChange {
        let (base, run) = (self.base.verdict(), self.run.verdict());
        let of = |becomes, sentence: String, is_not_judged, figures| CellChange {
            cell: self.run.cell.clone(),
            base,
            run,
            becomes,
            is_not_judged,
            sentence,
            figures,
        };
        if let Some((becomes, sentence)) = self.ended() {
            return of(becomes, sentence, false, Vec::new());
        }
        if let Some(reason) = self.not_judged() {
            return of(Becomes::Unknown, reason, true, Vec::new());
        }
        let growth = growth::change(self, known, share);
        let (of_growth, said_of_growth) = growth.as_ref().map_or_else(
            || (Becomes::Unknown, "of growth nothing is known in one of the runs".to_owned()),
            |change| (change.becomes, change.sentence.clone()),
        );
        let mut figures: Vec<FigureChange> = growth.into_iter().collect();
        figures.extend(levels(self).map(|figure| level::change(self, figure, known, share)));
        let worse: Vec<&FigureChange> = figures.iter().filter(|figure| figure.becomes == Becomes::Worse).collect();
        let better = figures.iter().filter(|figure| figure.becomes == Becomes::Better);
        let joined = |figures: Vec<&FigureChange>| {
            figures.iter().map(|figure| figure.sentence.clone()).collect::<Vec<_>>().join("; ")
        };
        let (becomes, sentence) = if !worse.is_empty() {
            (Becomes::Worse, joined(worse))
        } else if of_growth == Becomes::Unknown {
            (Becomes::Unknown, said_of_growth)
        } else if better.clone().next().is_some() {
            (Becomes::Better, joined(better.collect()))
        } else {
            (Becomes::Same, said_of_growth)
        };
        of(becomes, sentence, false, figures)
    }

    /// That the service ended by itself in one of the two only.
    fn ended(&self) -> Option<(Becomes, String)> {
        let (base, run) = (self.base.verdict(), self.run.verdict());
        match (base, run) {
            (Verdict::Crashed, Verdict::Crashed) => {
                Some((Becomes::Same, "the service ended by itself in both runs".to_owned()))
            }
            (Verdict::Invalid, _) => None,
            (_, Verdict::Crashed) => {
                let reason = self.run.judgement.reason.lines().next().unwrap_or_default();
                Some((Becomes::Worse, format!("new: the service ended by itself, and did not before: {reason}")))
            }
            (Verdict::Crashed, run) if run.is_decided() => {
                Some((Becomes::Better, format!("fixed: the service no longer ends by itself, and is {run}")))
            }
            _ => None,
        }
    }

    /// Why the two cannot be compared; none if they can.
    fn not_judged(&self) -> Option<String> {
        let reason = |which: &str, outcome: &Outcome| {
            let why = || outcome.judgement.reason.lines().next().unwrap_or_default().to_owned();
            let reason = match (outcome.verdict(), &outcome.cut_short) {
                (Verdict::Invalid | Verdict::Crashed, _) => format!("{}: {}", outcome.verdict(), why()),
                (_, Some(cut)) => format!("cut short: {cut}"),
                (_, None) => return None,
            };
            Some(format!("{which} cannot be compared, it is {reason}"))
        };
        reason("the base", self.base).or_else(|| reason("the run", self.run))
    }
}
