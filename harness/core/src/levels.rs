//! What flags and values of axes cost by being on, beside growth: memory from the start, settled and at its peak,
//! latency and CPU. All cells are weighed together, by effects that add up; docs/levels.md tells how.
//!
//! Pure.

mod factors;
mod readings;
mod sentence;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use self::factors::{Factor, factors};
use self::readings::readings;
pub(crate) use self::readings::{FREEDOM, Reading, is_ratio, matters_from, reading};
pub use self::sentence::sentence;
use crate::outcome::{Measure, Outcome};
use crate::scenario::Axis;
use steep_judge::ids::CellId;
use steep_judge::stats::effects::{Effect, Effects, effects};
use steep_judge::stats::order::median;
use steep_judge::stats::student;
use steep_judge::units::Estimate;

/// What levels are reported by, in the order of the tables.
pub const MEASURES: [Measure; 5] =
    [Measure::SettledAnonBytes, Measure::StartAnonBytes, Measure::PeakBytes, Measure::P99Us, Measure::CpuUsPerRequest];

/// Of all runs in which no level differs, no more than this share says in words that one does.
const FALSE_WORDS: f64 = 0.01;
/// Cells whose effects add up are as far from their sum as this in no more than such a share.
const STRANGE: f64 = 0.001;

/// What a run says of levels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Levels {
    /// What is varied between cells that were loaded to their end, in the order of the scenario.
    pub factors: Vec<FactorLevels>,
    /// Cells that are left out of some levels, and why.
    pub left_out: Vec<LeftOut>,
    /// Measures by which effects do not add up, with the cell that is farthest from their sum.
    pub not_additive: Vec<NotAdditive>,
}

/// What one factor does to levels; or several that the same cells have.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FactorLevels {
    /// Flags, `axis=value`, `since revision`; `not-flag` where it is off. More than one are on in the same cells.
    pub names: Vec<String>,
    /// The value of the axis that it is compared with; none for a flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What it adds, by each measure; none where the cells do not tell it from other factors.
    pub adds: BTreeMap<Measure, Option<Level>>,
}

/// What a factor adds to a level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Level {
    /// How much, in the unit of the measure, with its 95 % interval.
    #[serde(flatten)]
    pub estimate: Estimate<f64>,
    /// What does not matter by this measure: it is below.
    pub matters_from: f64,
    /// Whether it matters, however often was looked: with so much care that it is said in words.
    pub is_said: bool,
    /// Degrees of freedom of the interval.
    pub freedom: f64,
    /// Cells that it rests on.
    pub cells: usize,
}

/// A cell that is left out of levels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    /// Which.
    pub cell: CellId,
    /// Of what: all levels if empty.
    pub measures: Vec<Measure>,
    /// Why.
    pub reason: String,
}

/// Effects that do not add up.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NotAdditive {
    /// By which measure.
    pub measure: Measure,
    /// The cell that is farthest from the sum.
    pub cell: CellId,
    /// What it is above it.
    pub above: f64,
}

/// The levels of `flags` and `axes`, by these cells.
#[must_use]
pub fn levels(flags: &[String], axes: &[Axis], outcomes: &[Outcome]) -> Levels {
    let mut outcomes: Vec<&Outcome> = outcomes.iter().collect();
    outcomes.sort_by(|one, other| one.cell.cmp(&other.cell));
    let left_out: Vec<LeftOut> = outcomes.iter().filter_map(|outcome| readings::left_out(outcome)).collect();
    let whole: Vec<&Outcome> = outcomes.iter().copied().filter(|outcome| outcome.is_whole()).collect();
    let varied = factors(flags, axes, &whole);
    if varied.is_empty() {
        return Levels::default();
    }
    let fitted: Vec<Fitted<'_>> =
        MEASURES.into_iter().filter_map(|measure| Fitted::of(measure, &varied, &whole)).collect();
    let claims = fitted.iter().flat_map(|fitted| &fitted.effects.of).flatten().count().max(1) as f64;
    let adds = |factor: &Factor| {
        let of = |fitted: &Fitted<'_>| {
            let place = fitted.factors.iter().position(|known| known == factor);
            (fitted.measure, place.and_then(|place| fitted.level(place, FALSE_WORDS / claims)))
        };
        fitted.iter().map(of).collect()
    };
    let factors = varied
        .iter()
        .map(|factor| FactorLevels { names: factor.names.clone(), against: factor.against.clone(), adds: adds(factor) })
        .collect();
    let not_additive = fitted.iter().filter_map(Fitted::strangest).collect();
    Levels { factors, left_out, not_additive }
}

impl Levels {
    /// Whether nothing is varied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.factors.is_empty()
    }
}

/// A measure of all cells that have it, as a sum of effects.
struct Fitted<'o> {
    measure: Measure,
    cells: Vec<(&'o Outcome, Reading)>,
    factors: Vec<Factor>,
    effects: Effects,
}

impl<'o> Fitted<'o> {
    /// None where fewer than two cells have the measure, or nothing varies between them.
    fn of(measure: Measure, varied: &[Factor], whole: &[&'o Outcome]) -> Option<Self> {
        let cells = readings(measure, whole);
        let columns: Vec<(Factor, Vec<f64>)> = varied
            .iter()
            .map(|factor| {
                let on = cells.iter().map(|(outcome, _)| f64::from(u8::from(factor.is_on(outcome))));
                (factor.clone(), on.collect::<Vec<f64>>())
            })
            .filter(|(_, on)| on.windows(2).any(|pair| pair[0].total_cmp(&pair[1]).is_ne()))
            .collect();
        if columns.is_empty() {
            return None;
        }
        let (factors, columns): (Vec<Factor>, Vec<Vec<f64>>) = columns.into_iter().unzip();
        let values: Vec<f64> = cells.iter().map(|(_, reading)| reading.value).collect();
        let variances: Vec<f64> = cells.iter().map(|(_, reading)| reading.variance).collect();
        let effects = effects(&columns, &values, &variances, FREEDOM);
        Some(Self { measure, cells, factors, effects })
    }

    /// The effect of the factor at `place` with its interval; said where even one of `share` leaves out what does not
    /// matter.
    fn level(&self, place: usize, share: f64) -> Option<Level> {
        let Effect { value, error } = self.effects.of[place]?;
        let freedom = self.effects.freedom;
        let half = student::quantile(0.975, freedom) * error;
        let sure = student::quantile(1.0 - share / 2.0, freedom) * error;
        let (with, without): (Vec<_>, Vec<_>) =
            self.cells.iter().partition(|(outcome, _)| self.factors[place].is_on(outcome));
        let typical = |cells: &[&(&Outcome, Reading)]| {
            median(&cells.iter().map(|(_, reading)| self.figure(reading.value)).collect::<Vec<f64>>())
        };
        let base = typical(&without);
        let added = |effect: f64| if is_ratio(self.measure) { base * effect.exp_m1() } else { effect };
        let matters_from = matters_from(self.measure, base.min(typical(&with)));
        // What is left of it for those who doubt it most; nothing if that has another sign.
        let least = added(if value > 0.0 { (value - sure).max(0.0) } else { (value + sure).min(0.0) });
        Some(Level {
            estimate: Estimate { value: added(value), low: added(value - half), high: added(value + half) },
            matters_from,
            is_said: least.abs() > matters_from,
            freedom,
            cells: self.cells.len(),
        })
    }

    /// What was measured, of a value on the scale on which effects add up.
    fn figure(&self, value: f64) -> f64 {
        if is_ratio(self.measure) { value.exp() } else { value }
    }

    /// The cell that is farthest from the sum of effects, where they do not add up by more than matters.
    fn strangest(&self) -> Option<NotAdditive> {
        let residuals = self.effects.residuals.iter().zip(&self.cells);
        let (left, (outcome, reading)) = residuals.max_by(|(one, _), (other, _)| one.abs().total_cmp(&other.abs()))?;
        let (own, sum) = (self.figure(reading.value), self.figure(reading.value - left));
        let is_strange = self.effects.adds_up < STRANGE && (own - sum).abs() > matters_from(self.measure, sum);
        is_strange.then(|| NotAdditive { measure: self.measure, cell: outcome.cell.clone(), above: own - sum })
    }
}

impl FactorLevels {
    /// What it is called in tables.
    #[must_use]
    pub fn name(&self) -> String {
        self.names.join(", ")
    }

    /// What it adds by `measure`, where that is distinguished from the other factors.
    #[must_use]
    pub fn level(&self, measure: Measure) -> Option<&Level> {
        self.adds.get(&measure)?.as_ref()
    }

    /// The same, where it is said in words.
    #[must_use]
    pub fn said(&self, measure: Measure) -> Option<&Level> {
        self.level(measure).filter(|level| level.is_said)
    }

    /// Whether anything is said of it in words.
    #[must_use]
    pub fn is_said(&self) -> bool {
        MEASURES.into_iter().any(|measure| self.said(measure).is_some())
    }
}
