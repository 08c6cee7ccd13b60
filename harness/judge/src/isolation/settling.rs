//! Which one cell would settle whether something leaks that the cells leave open.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::Weighed;
use super::cell::JudgedCell;
use super::factor::Factor;
use super::posterior::Hypothesis;
use crate::ids::FlagSet;
use crate::verdict::Verdict;

/// Cells that are reported at most, the most telling first: the constraints of a scenario may forbid some.
const MOST: usize = 8;

/// A cell settles it if no more than this share of the doubt is expected to remain: the overlap of what it would show
/// if the factor leaks with what it would show if not.
const LEFT_IN_DOUBT: f64 = 0.25;

/// Cells are expected to be as exact as this, in units of what is worth finding, where none was decided: such that
/// growth worth finding is just told from none.
const USUAL_ERROR: f64 = 0.5;

/// With more factors than this only the likeliest explanations and culprits are compared: what is compared for all
/// flags grows with the third power of their number.
const LARGE: usize = 40;
/// So many explanations with a factor, and as many without it.
const MAX_COMPARED: usize = 32;
/// About this many others beside a factor.
const MAX_OTHERS: usize = 16;

/// What would settle whether a factor leaks.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Settling {
    /// The flags of the cell that would.
    pub flags: FlagSet,
    /// Its values of axes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, String>,
    /// Which repetition of it: 1 where none was soaked.
    pub replicate: u32,
    /// How long it must last, where cells as long as those that there are would not decide.
    #[serde(rename = "length_s", skip_serializing_if = "Option::is_none", serialize_with = "in_seconds")]
    #[schemars(with = "Option<f64>")]
    pub length: Option<Duration>,
    /// What to call, once a report knows the scenario.
    pub command: Option<String>,
    /// Others that would, the most telling first.
    #[serde(skip)]
    pub others: Vec<FlagSet>,
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn in_seconds<S: Serializer>(length: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    length.map(|length| length.as_secs_f64()).serialize(serializer)
}

impl Settling {
    /// For a factor; none where no single cell would.
    pub(super) fn of(weighed: &Weighed<'_>, factor: &Factor, place: Option<usize>) -> Option<Self> {
        let outcomes = weighed.outcomes;
        let Some(place) = place else { return Self::untested(factor, outcomes) };
        if let Some((one, _)) = weighed.disagreeing(factor) {
            return Some(Self::again(one, outcomes));
        }
        let mut with = weighed.readings.outcomes.iter().filter(|outcome| factor.is_on(outcome));
        if with.all(|outcome| outcome.verdict() == Verdict::Inconclusive) {
            // Whatever hides growth in all of its cells will hide it in another one.
            return Self::longer(factor, outcomes).or_else(|| Self::by_telling(weighed, factor, place));
        }
        let telling = Self::by_telling(weighed, factor, place);
        let described = Self::of_company(weighed, place, telling.as_ref()).or(telling);
        described.or_else(|| Self::longer(factor, outcomes)).or_else(|| Self::untested(factor, outcomes))
    }

    /// The smallest cell that has the factor, once more; or it alone.
    pub(super) fn untested(factor: &Factor, outcomes: &[JudgedCell]) -> Option<Self> {
        let with = outcomes.iter().filter(|outcome| factor.is_on(outcome));
        match (with.min_by_key(|outcome| outcome.flags.iter().count()), factor) {
            (Some(with), _) => Some(Self::again(with, outcomes)),
            (None, Factor::Flag(flag)) => {
                let axes = outcomes.first().map(|outcome| outcome.axes.clone()).unwrap_or_default();
                Some(Self::new([flag.as_str()].into_iter().collect(), axes))
            }
            (None, Factor::Axis { .. } | Factor::Since { .. } | Factor::Until { .. }) => None,
        }
    }

    /// A cell that was soaked, once more.
    pub(super) fn again(outcome: &JudgedCell, outcomes: &[JudgedCell]) -> Self {
        let is_alike = |other: &&JudgedCell| other.flags == outcome.flags && other.axes == outcome.axes;
        let last = outcomes.iter().filter(is_alike).map(|other| other.replicate).max().unwrap_or(0);
        // What could not be judged is soaked again in its place.
        let is_judged =
            !matches!(outcome.verdict(), Verdict::Invalid | Verdict::Crashed) && outcome.cut_short.is_none();
        let replicate = if is_judged { last + 1 } else { outcome.replicate };
        Self { replicate, ..Self::new(outcome.flags.clone(), outcome.axes.clone()) }
    }

    /// Where a culprit may need the factor: the culprit alone, which most likely leaks so, and then clears all that it
    /// may need at once.
    fn of_company(weighed: &Weighed<'_>, place: usize, telling: Option<&Self>) -> Option<Self> {
        let culprit = weighed.needed_by(place)?;
        let is_flag = weighed.readings.factors.contains(&Factor::Flag(culprit.clone()));
        let alone: FlagSet = [culprit].into_iter().collect();
        if !is_flag || weighed.outcomes.iter().any(|outcome| outcome.flags == alone) {
            return None;
        }
        let others = telling.map(|telling| [telling.flags.clone()].into_iter().chain(telling.others.iter().cloned()));
        let axes = weighed.readings.outcomes.first()?.axes.clone();
        Some(Self { others: others.into_iter().flatten().collect(), ..Self::new(alone, axes) })
    }

    /// The cell that was not soaked yet and would tell best: it and the same with other flags off.
    fn by_telling(weighed: &Weighed<'_>, factor: &Factor, place: usize) -> Option<Self> {
        let Factor::Flag(flag) = factor else { return None };
        let hypotheses = &weighed.speaking_of(place).hypotheses;
        let (mut guilty, mut innocent): (Vec<&Hypothesis>, Vec<&Hypothesis>) =
            hypotheses.iter().partition(|hypothesis| hypothesis.terms.iter().any(|term| term.involves(place)));
        if is_large(weighed) {
            guilty.truncate(MAX_COMPARED);
            innocent.truncate(MAX_COMPARED);
        }
        let weight = |hypotheses: &[&Hypothesis]| hypotheses.iter().map(|each| each.probability).sum::<f64>();
        let doubt = weight(&guilty) * weight(&innocent);
        if doubt <= 0.0 {
            return None;
        }
        let first = weighed.readings.outcomes.first()?;
        let error = usual_error(weighed);
        let on = |flags: &FlagSet| -> Vec<bool> {
            weighed.readings.factors.iter().map(|factor| factor.is_on_with(flags, &first.axes)).collect()
        };
        let mut described: Vec<(f64, FlagSet)> = candidates(weighed, flag)
            .into_iter()
            .map(|flags| (overlap(&guilty, &innocent, &on(&flags), error) / doubt, flags))
            .filter(|(left, _)| *left <= LEFT_IN_DOUBT)
            .collect();
        described.sort_by(|a, b| {
            // Cells that tell about the same: the one with fewer flags shows more.
            // A hair above a tenth is that tenth: which of two flags comes first must not decide.
            let in_tenths = |left: f64| (10.0 * left + 1e-6).floor() as i64;
            let rank = |(left, flags): &(f64, FlagSet)| (in_tenths(*left), flags.iter().count(), !flags.contains(flag));
            rank(a).cmp(&rank(b)).then(a.1.cmp(&b.1))
        });
        let mut described = described.into_iter().map(|(_, flags)| flags).take(MOST);
        let best = Self::new(described.next()?, first.axes.clone());
        Some(Self { others: described.collect(), ..best })
    }

    /// A cell with it on that is open: the one that needs least.
    fn longer(factor: &Factor, outcomes: &[JudgedCell]) -> Option<Self> {
        let open = outcomes.iter().filter(|outcome| outcome.verdict() == Verdict::Inconclusive);
        let open = open.filter_map(|outcome| Some((outcome.judgement.need?, !factor.is_on(outcome), outcome)));
        let (need, _, outcome) = open.min_by_key(|(need, is_off, _)| (*is_off, *need))?;
        let cell = Self::new(outcome.flags.clone(), outcome.axes.clone());
        Some(Self { length: Some(need), replicate: outcome.replicate, ..cell })
    }

    fn new(flags: FlagSet, axes: BTreeMap<String, String>) -> Self {
        Self { flags, axes, replicate: 1, length: None, command: None, others: Vec::new() }
    }
}

/// Sets of flags that no cell had: the flag alone, each that was soaked with it turned, and those with each other flag
/// that may leak.
fn candidates(weighed: &Weighed<'_>, flag: &str) -> BTreeSet<FlagSet> {
    let soaked: BTreeSet<&FlagSet> = weighed.outcomes.iter().map(|outcome| &outcome.flags).collect();
    let turned =
        |flags: &FlagSet, flag: &str| if flags.contains(flag) { flags.without(flag) } else { flags.with(flag) };
    let alone: FlagSet = [flag].into_iter().collect();
    let mut sets: BTreeSet<FlagSet> = soaked.iter().map(|flags| turned(flags, flag)).collect();
    for factor in others(weighed) {
        let Factor::Flag(other) = factor else { continue };
        sets.insert([other.as_str()].into_iter().collect());
        sets.insert(alone.with(other));
        sets.extend(soaked.iter().map(|flags| turned(flags, other)));
    }
    sets.insert(alone);
    sets.retain(|flags| !soaked.contains(flags));
    sets
}

/// Whether there is so much to compare for each flag that only the likeliest is.
fn is_large(weighed: &Weighed<'_>) -> bool {
    weighed.readings.factors.len() > LARGE
}

/// The factors that are turned beside one that is in doubt: all, or of many those of the likeliest explanations.
fn others<'w>(weighed: &'w Weighed<'_>) -> Vec<&'w Factor> {
    let factors = &weighed.readings.factors;
    if !is_large(weighed) {
        return factors.iter().collect();
    }
    let likely = weighed.posterior.hypotheses.iter().take(MAX_COMPARED).flat_map(|hypothesis| &hypothesis.terms);
    let mut others: Vec<usize> = Vec::new();
    for term in likely {
        let involved = (0..factors.len()).filter(|factor| term.involves(*factor) && !others.contains(factor));
        others.extend(involved.collect::<Vec<_>>());
        if others.len() >= MAX_OTHERS {
            break;
        }
    }
    others.into_iter().map(|other| &factors[other]).collect()
}

/// The doubt that remains after a cell with these factors on: the sum over what explains growth with the factor and
/// what does so without, of both probabilities and of the overlap of what they foretell (Bhattacharyya's, of two normal
/// distributions).
fn overlap(guilty: &[&Hypothesis], innocent: &[&Hypothesis], on: &[bool], error: f64) -> f64 {
    let foretold = |hypothesis: &&Hypothesis| {
        let active = hypothesis.terms.iter().zip(&hypothesis.effects).filter(|(term, _)| term.is_active(on));
        let (mean, variance) = active.fold((0.0, error * error), |(mean, variance), (_, (effect, deviation))| {
            (mean + effect, variance + deviation * deviation)
        });
        (hypothesis.probability, mean, variance)
    };
    let innocent: Vec<(f64, f64, f64)> = innocent.iter().map(foretold).collect();
    let pairs = guilty.iter().map(foretold).flat_map(|one| innocent.iter().map(move |other| (one, *other)));
    pairs
        .map(|((p, mean, variance), (q, other, its_variance))| {
            let both = variance + its_variance;
            let overlap = (2.0 * (variance * its_variance).sqrt() / both).sqrt();
            p * q * overlap * (-(mean - other).powi(2) / (4.0 * both)).exp()
        })
        .sum()
}

/// The error that another cell will have: that of the middle one of those that were decided.
fn usual_error(weighed: &Weighed<'_>) -> f64 {
    let cells = weighed.readings.outcomes.iter().zip(&weighed.readings.cells);
    let decided = cells.filter(|(outcome, _)| outcome.verdict().is_clear());
    let mut errors: Vec<f64> = decided.map(|(_, reading)| reading.error).collect();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() / 2).copied().unwrap_or(USUAL_ERROR)
}
