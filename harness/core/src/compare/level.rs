//! A figure of both runs that is a level: memory, latency, CPU time.

use serde::Serialize;

use super::pair::Pair;
use super::spread::{Known, Spread, of_others};
use super::{Becomes, words};
use crate::history::Figure;
use crate::levels::{is_ratio, matters_from, reading};
use crate::outcome::{Measure, Outcome};
use steep_judge::stats::student;
use steep_judge::units::Estimate;

/// What is compared beside growth, in this order.
const LEVELS: [Figure; 4] = [Figure::SettledAnonBytes, Figure::PeakBytes, Figure::P99Us, Figure::CpuUsPerRequest];

/// What became of a figure of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureChange {
    /// Which; its name carries the unit of all figures here.
    pub figure: Figure,
    /// In the base.
    pub base: Option<f64>,
    /// In the run.
    pub run: Option<f64>,
    /// What the run has more, with its 95 % interval.
    pub difference: Option<Estimate<f64>>,
    /// What does not matter is below.
    pub matters_from: Option<f64>,
    /// What moves it from run to run.
    pub run_to_run: Option<Spread>,
    /// What became of it.
    pub becomes: Becomes,
    /// That in one sentence.
    pub sentence: String,
}

/// A difference with what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift {
    pub(super) value: f64,
    pub(super) error: f64,
    pub(super) freedom: f64,
}

impl Shift {
    /// Its interval of 95 %.
    pub(super) fn interval(self) -> Estimate<f64> {
        self.with(0.975)
    }

    /// The interval that leaves out the truth in `share` of all cases.
    pub(super) fn sure(self, share: f64) -> Estimate<f64> {
        self.with(1.0 - share / 2.0)
    }

    fn with(self, quantile: f64) -> Estimate<f64> {
        let half = student::quantile(quantile, self.freedom) * self.error;
        Estimate { value: self.value, low: self.value - half, high: self.value + half }
    }
}

/// What a difference means: `sure` leaves out the truth next to never, `usual` in 5 %.
pub(super) fn becomes(sure: Estimate<f64>, usual: Estimate<f64>, matters_from: f64) -> Becomes {
    if sure.low > matters_from {
        Becomes::Worse
    } else if sure.high < -matters_from {
        Becomes::Better
    } else if usual.low >= -matters_from && usual.high <= matters_from {
        Becomes::Same
    } else {
        Becomes::Unknown
    }
}

/// The levels that one of the two has a figure of.
pub(super) fn levels(pair: &Pair<'_>) -> impl Iterator<Item = Figure> {
    let has =
        |figure: &Figure, outcome: &Outcome| figure.measure().is_some_and(|measure| measure.of(outcome).is_some());
    let pair = *pair;
    LEVELS.into_iter().filter(move |figure| has(figure, pair.base) || has(figure, pair.run))
}

/// What became of a level, where `share` of all that did not change may be called worse or better.
pub(super) fn change(pair: &Pair<'_>, figure: Figure, known: &Known, share: f64) -> FigureChange {
    let measured = |outcome: &Outcome| figure.measure().and_then(|measure| measure.of(outcome));
    let not_known = |reason: &str| FigureChange {
        figure,
        base: measured(pair.base),
        run: measured(pair.run),
        difference: None,
        matters_from: None,
        run_to_run: None,
        becomes: Becomes::Unknown,
        sentence: format!("{}: {reason}", figure.name()),
    };
    let Some(measure) = figure.measure() else { return not_known("it is not a level") };
    let read = |outcome: &Outcome| reading(measure, outcome);
    let (Some(base), Some(run)) = (read(pair.base), read(pair.run)) else {
        return not_known(why_not(measure, pair));
    };
    let others = of_others(&base).max(of_others(&run));
    let spread = known.spread(&pair.run.cell, figure, others);
    let variance = 2.0 * spread.standard_deviation.powi(2) + base.own + run.own;
    let shift = Shift { value: run.value - base.value, error: variance.sqrt(), freedom: spread.freedom };
    let (was, is) = if is_ratio(measure) { (base.value.exp(), run.value.exp()) } else { (base.value, run.value) };
    let back = |estimate: Estimate<f64>| {
        if is_ratio(measure) { estimate.map(|shift| was * shift.exp_m1()) } else { estimate }
    };
    let matters_from = matters_from(measure, was.min(is));
    let difference = back(shift.interval());
    let becomes = becomes(back(shift.sure(share)), difference, matters_from);
    FigureChange {
        figure,
        base: Some(was),
        run: Some(is),
        difference: Some(difference),
        matters_from: Some(matters_from),
        run_to_run: Some(spread),
        becomes,
        sentence: words::level(figure, was, &difference, becomes, matters_from),
    }
}

fn why_not(measure: Measure, pair: &Pair<'_>) -> &'static str {
    match (measure.of(pair.base), measure.of(pair.run)) {
        (None, _) => "the base has no such figure",
        (_, None) => "the run has no such figure",
        _ => "memory grows or may not have settled in one of the runs, and has no level to compare",
    }
}
