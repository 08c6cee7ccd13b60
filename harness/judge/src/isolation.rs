//! From the outcomes of cells to what is said of each flag and each value of an axis: does it leak, how much does it
//! add, or is it innocent. All cells are weighed together by a sparse model; docs/isolation.md tells how.
//!
//! Pure.

mod ambiguity;
mod cell;
mod contrast;
mod doubt;
mod factor;
mod filling;
mod kept;
mod measured;
pub(crate) mod model;
mod phases;
pub(crate) mod posterior;
mod readings;
mod said;
mod search;
mod sentence;
mod settling;
mod shortlist;
pub(crate) mod signals;
mod stacks;
mod suspects;
mod tail;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::cell::{JudgedCell, Measured, PhasesSeen, StackLevel};
use self::contrast::Contrast;
use self::factor::Factor;
use self::kept::Stacked;
pub use self::kept::{KeptBy, StackFinding};
pub use self::measured::measured;
use self::model::{Causes, Term};
use self::posterior::Posterior;
use self::readings::Readings;
pub use self::settling::Settling;
pub use self::stacks::{CellStacks, ChainGrowth, Shape};
pub use self::suspects::Suspects;
use crate::ids::{CellId, FlagSet};
use crate::units::{BytesPerHour, BytesPerRequest, Estimate};
use crate::verdict::Verdict;

/// A flag is named from this posterior on.
pub const NAMED: f64 = 0.95;
/// A flag may be cleared up to this one.
pub const CLEARED: f64 = 0.05;

/// What a run says of its flags and axes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Isolation {
    /// The flags, in the order that they were asked for.
    pub flags: Vec<FlagFinding>,
    /// Values of axes of which cells had more than one.
    pub axes: Vec<AxisFinding>,
    /// Growth that is there whatever is on; none if no cell was judged.
    pub program: Option<ProgramFinding>,
    /// Those of which one leaks, while the cells do not tell which.
    pub suspects: Option<Suspects>,
    /// Cells that grow by more than the likeliest causes explain.
    pub unexplained: Vec<CellId>,
    /// What grows stack by stack, the largest first; empty where no stacks were looked at, or none grows by itself.
    pub stacks: Vec<StackFinding>,
    /// Whether the stacks of some cell were looked at.
    pub are_stacks_seen: bool,
    /// All of it in one sentence; empty if there is nothing to say.
    pub sentence: String,
}

/// What is said of a flag.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FlagFinding {
    /// The flag.
    pub flag: String,
    /// What is said.
    #[serde(flatten)]
    pub finding: Finding,
    /// Whether nothing showed that it took effect.
    pub unverified: bool,
}

/// What is said of a value of an axis.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AxisFinding {
    /// The axis.
    pub axis: String,
    /// The value.
    pub value: String,
    /// Of a revision: that growth began or ended with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// What is said.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What a revision may have changed; the other revision is its neighbour among those of which cells were judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Memory grows from this revision on.
    Since {
        /// The revision before.
        not_in: String,
    },
    /// Memory grew up to this revision.
    Until {
        /// The revision after.
        not_in: String,
    },
}

impl AxisFinding {
    /// What it is called in tables: `allocator=jemalloc`, `since v2`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.turn {
            None => format!("{}={}", self.axis, self.value),
            Some(Turn::Since { .. }) => format!("since {}", self.value),
            Some(Turn::Until { .. }) => format!("until {}", self.value),
        }
    }
}

/// What is said of a flag, or of a value of an axis.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// Whether it leaks.
    pub guilt: Guilt,
    /// Probability that it leaks, by itself or with others; none if no judged cell had it on.
    pub posterior: Option<f64>,
    /// Why that is said, in words.
    pub reason: String,
    /// What turning it on adds, by all cells together.
    pub effect: Option<Effect>,
    /// Of what leaks: the lines that keep it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept_by: Vec<KeptBy>,
    /// Of what is undecided only because another that leaks may need it: that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed_by: Option<String>,
    /// Of what is undecided: the cell that would settle it; none where no single one would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settling: Option<Settling>,
}

/// Growth that is there whatever is on.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProgramFinding {
    /// Probability that it is.
    pub posterior: f64,
    /// How much, if it is.
    pub effect: Option<Effect>,
}

/// Whether a flag leaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guilt {
    /// It adds growth by itself.
    Leaks,
    /// It adds growth only where these are on too; if the cells do not tell which of several, with any one of them.
    LeaksWith(FlagSet),
    /// It adds growth only where these are off; if the cells do not tell which of several, where any one of them is.
    LeaksWithout(FlagSet),
    /// Memory grows where it is off.
    LeaksOff,
    /// With it on the allocator holds more and more, while live bytes do not grow.
    Retains,
    /// With it on the service ends by itself.
    Crashes,
    /// Any growth that it adds is below what is worth finding.
    Innocent,
    /// The cells do not decide it.
    Undecided,
}

impl Guilt {
    /// Whether it is said to make memory grow, or the service end.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        !matches!(self, Self::Innocent | Self::Undecided)
    }
}

/// What turning something on adds to growth, and the two cells on which the eye can follow it, where there are such. If
/// they differ in more than that, the ids tell.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Effect {
    /// A cell with it.
    pub with: Option<CellId>,
    /// The cell to compare that with.
    pub without: Option<CellId>,
    /// Per hour.
    #[serde(rename = "growth_bytes_per_hour")]
    pub per_hour: Estimate<BytesPerHour>,
    /// Per request.
    #[serde(rename = "growth_bytes_per_request")]
    pub per_request: Option<Estimate<BytesPerRequest>>,
}

impl Effect {
    /// What is added, per request where that is known: `3.23 (2.67 to 3.79) KiB per request`.
    #[must_use]
    pub fn amount(&self) -> String {
        crate::growth::growth_text(self.per_request.as_ref(), &self.per_hour)
    }
}

/// What is said of each of `flags`, and of the axes.
#[must_use]
pub fn isolate(flags: &[String], outcomes: &[JudgedCell]) -> Isolation {
    let places = phases::grown_in(outcomes);
    if places.is_empty() {
        return weighed(flags, outcomes);
    }
    let fitted = weighed(flags, &phases::as_fitted(outcomes));
    let others = places.into_iter().map(|place| {
        let isolation = weighed(flags, &phases::as_in(outcomes, &place));
        (place, isolation)
    });
    phases::worse_of(fitted, others.collect())
}

/// What `outcomes` say by the growth that their verdicts rest on.
fn weighed(flags: &[String], outcomes: &[JudgedCell]) -> Isolation {
    let readings = Readings::of(flags, outcomes);
    let causes = readings.causes();
    let posterior = Posterior::of(&readings.cells, &causes);
    // The same, unless a cell is not decided.
    let is_careful = readings.careful != readings.cells;
    let careful = is_careful.then(|| Posterior::of(&readings.careful, &causes));
    let stacked = Stacked::all(&readings, &causes);
    let unexplained = unexplained(&readings, &posterior, &stacked);
    let mut weighed =
        Weighed { readings, causes, posterior, careful, stacked, outcomes, unexplained, named: Vec::new() };
    weighed.named = (0..weighed.readings.factors.len()).filter(|&place| weighed.probability(place) >= NAMED).collect();
    let suspects = weighed.posteriors().find_map(|posterior| Suspects::of(&weighed, posterior));
    let finding = |factor: &Factor| weighed.finding(factor, suspects.as_ref());
    let is_unverified = |flag| outcomes.iter().any(|outcome| outcome.unverified_flags.contains(flag));
    let flags: Vec<FlagFinding> = flags
        .iter()
        .map(|flag| {
            let finding = weighed.with_off(flag, finding(&Factor::Flag(flag.clone())));
            FlagFinding { flag: flag.clone(), finding, unverified: is_unverified(flag) }
        })
        .collect();
    let axes = weighed.readings.factors.iter().filter_map(|factor| match factor {
        Factor::Axis { axis, value } => Some((axis, value, None, factor)),
        Factor::Since { axis, value, before } => {
            Some((axis, value, Some(Turn::Since { not_in: before.clone() }), factor))
        }
        Factor::Until { axis, value, after } => {
            Some((axis, value, Some(Turn::Until { not_in: after.clone() }), factor))
        }
        Factor::Flag(_) => None,
    });
    let axes = axes.map(|(axis, value, turn, factor)| AxisFinding {
        axis: axis.clone(),
        value: value.clone(),
        turn,
        finding: finding(factor),
    });
    let axes: Vec<AxisFinding> = axes.collect();
    let program = weighed.program();
    let unexplained: Vec<CellId> =
        weighed.unexplained.iter().map(|&cell| weighed.readings.outcomes[cell].cell.clone()).collect();
    let stacks = weighed.stacks();
    let are_stacks_seen = outcomes.iter().any(|outcome| outcome.stacks.is_some());
    let sentence = String::new();
    let mut isolation = Isolation { flags, axes, program, suspects, unexplained, stacks, are_stacks_seen, sentence };
    isolation.sentence = sentence::sentence(&isolation);
    isolation
}

/// The cells that were found to grow, and by more than the likeliest causes explain. Where the same soaked again is
/// explained, the one that is not was judged wrongly.
fn unexplained(readings: &Readings<'_>, posterior: &Posterior, stacked: &[Stacked]) -> Vec<usize> {
    let grows = |cell: usize| matches!(readings.outcomes[cell].verdict(), Verdict::Leak | Verdict::Step);
    let is_alike = |one: usize, other: usize| {
        let (one, other) = (readings.outcomes[one], readings.outcomes[other]);
        one.flags == other.flags && one.axes == other.axes
    };
    let mut cells = posterior.unexplained(&readings.cells, is_alike);
    cells.extend(stacked.iter().flat_map(|stacked| stacked.unexplained(is_alike)));
    cells.sort_unstable();
    cells.dedup();
    cells.into_iter().filter(|&cell| grows(cell)).collect()
}

/// The cells with all explanations of their growth.
struct Weighed<'o> {
    readings: Readings<'o>,
    causes: Causes,
    posterior: Posterior,
    /// With the errors by which somebody is cleared, where those are others.
    careful: Option<Posterior>,
    /// What grows stack by stack.
    stacked: Vec<Stacked>,
    outcomes: &'o [JudgedCell],
    /// Cells among the readings that nothing explains.
    unexplained: Vec<usize>,
    /// Factors that leak as good as surely.
    named: Vec<usize>,
}

impl<'o> Weighed<'o> {
    /// What is said of `flag`, with what the cells in which it is off say.
    fn with_off(&self, flag: &str, said: Finding) -> Finding {
        let factor = Factor::Flag(flag.to_owned());
        let Some(place) = self.readings.factors.iter().position(|known| *known == factor) else { return said };
        let posterior = self.share(Term::Off(place));
        match said.guilt {
            Guilt::Innocent | Guilt::Undecided if posterior >= NAMED => {
                let contrasts = Contrast::all(&factor, self.outcomes);
                let off = contrasts.first().map(|contrast| Contrast { with: contrast.without, without: contrast.with });
                let effect = self.added(Term::Off(place)).map(|effect| self.effect(effect, off));
                let reason = off.map_or_else(|| format!("memory grows where {flag} is off"), |off| off.described());
                let finding = Finding { guilt: Guilt::LeaksOff, posterior: Some(posterior), reason, effect, ..said };
                Finding { needed_by: None, settling: None, ..finding }
            }
            Guilt::Innocent if posterior > CLEARED => {
                let reason =
                    format!("{}; memory grows where it is off with a posterior of {posterior:.2}", said.reason);
                let settling = Settling::of(self, &factor, Some(place));
                Finding { guilt: Guilt::Undecided, reason, settling, ..said }
            }
            _ => said,
        }
    }

    fn finding(&self, factor: &Factor, suspects: Option<&Suspects>) -> Finding {
        let contrasts = Contrast::all(factor, self.outcomes);
        let place = self.readings.factors.iter().position(|known| known == factor);
        let tested = place.filter(|&place| self.readings.cells.iter().any(|reading| reading.on[place]));
        let posterior = tested.map(|place| self.probability(place));
        let finding = |guilt, reason, effect| {
            let kept_by = Vec::new();
            Finding { guilt, posterior, reason, effect, kept_by, needed_by: None, settling: None }
        };

        if let Some(place) = tested.filter(|&place| self.probability(place) >= NAMED) {
            let (guilt, term) = self.company(place);
            let seen = contrasts.iter().find(|contrast| contrast.grows()).or(contrasts.first());
            let effect = self.added(term).map(|effect| self.effect(effect, seen.copied()));
            let kept_by = self.kept_by(place);
            return Finding { kept_by, ..finding(guilt, self.described(place, seen), effect) };
        }
        for (verdict, guilt) in [(Verdict::Crashed, Guilt::Crashes), (Verdict::Retention, Guilt::Retains)] {
            if let Some(shown) = contrasts.iter().find(|contrast| contrast.shows(verdict)) {
                let effect = shown.difference().map(|growth| from_contrast(growth, *shown));
                return finding(guilt, shown.described(), effect);
            }
        }
        let Some(place) = tested else {
            let settling = Settling::of(self, factor, None);
            return Finding { settling, ..finding(Guilt::Undecided, self.untested(factor), None) };
        };
        let seen = contrasts.first().copied().or_else(|| Contrast::nearest(factor, self.outcomes));
        let beside = self.posterior.beside_best(Term::One(place));
        let effect = beside.map(|effect| self.effect(effect, seen));
        let described = self.described(place, contrasts.first());
        let unexplained = self.unexplained.iter().find(|&&cell| self.readings.cells[cell].on[place]);
        let is_clear = self.is_unlikely(place) && self.is_excluded(place) && !self.is_retained(factor);
        if is_clear && self.disagreeing(factor).is_none() {
            let Some(&cell) = unexplained else { return finding(Guilt::Innocent, described, effect) };
            let cell = self.readings.outcomes[cell];
            let reason = format!("{} grows, and no flag or pair explains it", cell.cell);
            let settling = Some(Settling::again(cell, self.outcomes));
            return Finding { settling, ..finding(Guilt::Undecided, reason, effect) };
        }
        let settling = Settling::of(self, factor, Some(place));
        let name = factor.to_string();
        let suspected = suspects.filter(|suspects| suspects.names.contains(&name)).map(Suspects::described);
        if let Some(needed_by) = self.needed_by(place).filter(|_| suspected.is_none()) {
            let reason = self.doubt_of_company(place, &needed_by);
            let needed_by = Some(needed_by);
            // By itself it adds nothing, and what it adds with the other is the other's.
            return Finding { needed_by, settling, ..finding(Guilt::Undecided, reason, None) };
        }
        let reason = suspected.unwrap_or_else(|| format!("{described}; {}", self.doubt(factor, place)));
        Finding { settling, ..finding(Guilt::Undecided, reason, effect) }
    }

    /// Probability that a factor leaks, by itself or with others.
    fn probability(&self, place: usize) -> f64 {
        share_of(self.speaking_of(place), place)
    }

    /// Whether a factor that leaks does so by itself, only with others or only without them, and the likeliest of the
    /// causes that it is part of.
    fn company(&self, place: usize) -> (Guilt, Term) {
        let Causes { together, without, .. } = &self.causes;
        let posterior = self.speaking_of(place);
        let with = together.iter().copied().filter(|&(one, other)| one == place || other == place);
        let with = with.map(|(one, other)| (Term::Both(one, other), if one == place { other } else { one }));
        let without = without.iter().copied().filter(|&(one, _)| one == place);
        let without = without.map(|(one, cleaner)| (Term::Without(one, cleaner), cleaner));
        let alone = (posterior.share(Term::One(place)), Guilt::Leaks, Term::One(place));
        let in_company = [self.in_company(posterior, with.collect()), self.in_company(posterior, without.collect())];
        let guilts = [Guilt::LeaksWith as fn(FlagSet) -> Guilt, Guilt::LeaksWithout];
        let in_company = in_company.into_iter().zip(guilts).filter_map(|(company, guilt)| {
            let (share, others, term) = company?;
            Some((share, guilt(others), term))
        });
        // Of equals the simplest: the first.
        let likelier =
            |best: (f64, Guilt, Term), other: (f64, Guilt, Term)| if other.0 > best.0 { other } else { best };
        let (_, guilt, term) = in_company.fold(alone, likelier);
        (guilt, term)
    }

    /// How likely it is that one of these causes is at work, the partners of those that are not negligible, and the
    /// likeliest of them.
    fn in_company(&self, posterior: &Posterior, causes: Vec<(Term, usize)>) -> Option<(f64, FlagSet, Term)> {
        let causes = causes.into_iter().map(|(term, partner)| (posterior.share(term), term, partner));
        let causes: Vec<(f64, Term, usize)> = causes.filter(|(share, ..)| *share > CLEARED).collect();
        let &(_, likeliest, _) = causes.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        let partners = causes.iter().map(|&(.., partner)| self.readings.factors[partner].to_string()).collect();
        Some((causes.iter().map(|(share, ..)| share).sum(), partners, likeliest))
    }

    /// Whether a factor hardly leaks, with all care.
    fn is_unlikely(&self, place: usize) -> bool {
        let is_unlikely = |posterior: &Posterior| share_of(posterior, place) <= CLEARED;
        self.posteriors().all(is_unlikely) && self.careful.as_ref().is_none_or(is_unlikely)
    }

    /// Whether the cells that had a factor on leave no room for an effect that is worth finding: one of them is clear,
    /// or all of them together say so.
    fn is_excluded(&self, place: usize) -> bool {
        let mut with = self.readings.outcomes.iter().zip(&self.readings.cells).filter(|(_, reading)| reading.on[place]);
        let beside = self.careful.as_ref().unwrap_or(&self.posterior).beside_best(Term::One(place));
        with.any(|(outcome, _)| outcome.verdict().is_clear()) || beside.is_some_and(Readings::is_excluded)
    }

    /// Whether the allocator keeps memory with it on, and no cell without shows the same.
    fn is_retained(&self, factor: &Factor) -> bool {
        let retained = |on: bool| {
            self.outcomes.iter().any(|outcome| factor.is_on(outcome) == on && outcome.verdict() == Verdict::Retention)
        };
        retained(true) && !retained(false)
    }

    fn effect(&self, effect: (f64, f64), seen: Option<Contrast<'o>>) -> Effect {
        let (per_hour, per_request) = self.readings.in_bytes(effect);
        let with = seen.map(|contrast| contrast.with.cell.clone());
        let without = seen.map(|contrast| contrast.without.cell.clone());
        Effect { with, without, per_hour, per_request }
    }

    fn program(&self) -> Option<ProgramFinding> {
        if self.posterior.hypotheses.is_empty() {
            return None;
        }
        let posterior = self.share(Term::Program);
        let effect = self.added(Term::Program).map(|effect| self.effect(effect, None));
        Some(ProgramFinding { posterior, effect })
    }
}

/// Probability that a factor leaks, by itself or with others.
fn share_of(posterior: &Posterior, place: usize) -> f64 {
    posterior.probability(|hypothesis| hypothesis.terms.iter().any(|term| term.involves(place)))
}

fn from_contrast(
    (per_hour, per_request): (Estimate<BytesPerHour>, Option<Estimate<BytesPerRequest>>),
    contrast: Contrast<'_>,
) -> Effect {
    let (with, without) = (Some(contrast.with.cell.clone()), Some(contrast.without.cell.clone()));
    Effect { with, without, per_hour, per_request }
}
