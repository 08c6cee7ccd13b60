//! From the outcomes of cells to what the model reads: growth in units of what is worth finding, with its standard
//! error.

use super::cell::JudgedCell;
use super::factor::Factor;
use super::filling::Slowdown;
use super::model::{Causes, Reading};
use super::said::Said;
use super::signals::{Signal, Signals};
use crate::growth::{Growth, Layer};
use crate::units::{BytesPerHour, BytesPerRequest, Estimate, HALF_WIDTH, Rps};

/// The cells that say something about growth.
pub(super) struct Readings<'o> {
    pub(super) factors: Vec<Factor>,
    pub(super) outcomes: Vec<&'o JudgedCell>,
    pub(super) cells: Vec<Reading>,
    /// The same with the errors by which somebody is cleared.
    pub(super) careful: Vec<Reading>,
    /// What grows by itself, stack by stack; `cells` holds what all of these leave.
    pub(super) signals: Vec<Signal>,
    /// What is worth finding, in bytes per request, or per hour where not every cell knows its requests.
    worth: f64,
    is_per_request: bool,
    /// Mean rate of the cells.
    rate: Rps,
}

impl<'o> Readings<'o> {
    /// Of the cells that say something.
    pub(super) fn of(flags: &[String], outcomes: &'o [JudgedCell]) -> Self {
        let judged: Vec<(&JudgedCell, &Growth, Said)> = outcomes
            .iter()
            .filter_map(|outcome| {
                let growth = outcome.growth()?;
                Some((outcome, growth, Said::of(outcome, growth)?))
            })
            .collect();
        let is_per_request = judged.iter().all(|(_, growth, _)| growth.per_request.is_some());
        let worth = judged.iter().map(|(_, growth, _)| in_unit(growth, growth.worth_finding, is_per_request));
        let worth = worth.fold(0.0, f64::max);
        let outcomes: Vec<&JudgedCell> = judged.iter().map(|(outcome, ..)| *outcome).collect();
        let factors = Factor::all(flags, &outcomes);
        let reading = |(outcome, growth, said): &(&JudgedCell, &Growth, Said), error: BytesPerHour| Reading {
            on: factors.iter().map(|factor| factor.is_on(outcome)).collect(),
            growth: in_unit(growth, said.growth, is_per_request) / worth,
            error: in_unit(growth, error, is_per_request) / worth,
        };
        let mut cells: Vec<Reading> = judged.iter().map(|judged| reading(judged, judged.2.error)).collect();
        let mut careful: Vec<Reading> = judged.iter().map(|judged| reading(judged, judged.2.careful)).collect();
        // Stacks know growth per request only.
        let stacks = |outcome: &&'o JudgedCell| outcome.stacks.as_ref().filter(|_| is_per_request);
        let sums: Vec<Option<Slowdown>> = judged.iter().map(|(_, growth, _)| Slowdown::of(growth, worth)).collect();
        let signals = Signals::of(&outcomes.iter().map(stacks).collect::<Vec<_>>(), &sums, worth);
        for (cell, (_, growth, _)) in judged.iter().enumerate() {
            let is_live = growth.source.layer() == Layer::Live;
            leave_out(&signals, cell, is_live, [&mut cells[cell], &mut careful[cell]]);
        }
        let signals = signals.all;
        let rates: f64 = judged.iter().map(|(_, growth, _)| growth.rate.get()).sum();
        let rate = Rps::new(rates / judged.len().max(1) as f64);
        Self { factors, outcomes, cells, careful, signals, worth, is_per_request, rate }
    }

    /// What may cause growth beside each factor by itself.
    pub(super) fn causes(&self) -> Causes {
        let is_flag = |place: usize| matches!(self.factors[place], Factor::Flag(_));
        let may_pair = |one: usize, other: usize| self.factors[one].pairs_with(&self.factors[other]);
        Causes::shown(&self.cells, is_flag, may_pair)
    }

    /// What the cells whose stacks were looked at say of one signal.
    pub(super) fn of_signal(&self, signal: &Signal) -> Vec<Reading> {
        let described = self.cells.iter().zip(&signal.levels).filter_map(|(reading, level)| {
            let level = (*level)?;
            Some(Reading { on: reading.on.clone(), growth: level.growth, error: level.error })
        });
        described.collect()
    }

    /// Growth of this mean and standard error, in units of what is worth finding, as two estimates.
    pub(super) fn in_bytes(
        &self,
        (mean, error): (f64, f64),
    ) -> (Estimate<BytesPerHour>, Option<Estimate<BytesPerRequest>>) {
        let growth = Estimate::normal(mean, error).map(|growth| growth * self.worth);
        if !self.is_per_request {
            return (growth.map(BytesPerHour::new), None);
        }
        let per_request = growth.map(BytesPerRequest::new);
        (per_request.map(|growth| growth.at(self.rate)), Some(per_request))
    }

    /// What is worth finding, in bytes per request; none where not every cell knows its requests.
    pub(super) fn worth(&self) -> Option<f64> {
        self.is_per_request.then_some(self.worth)
    }

    /// Whether growth of this mean and error stays below what is worth finding. No flag is thought to take memory away.
    pub(super) fn is_excluded((mean, error): (f64, f64)) -> bool {
        mean.max(0.0) + HALF_WIDTH * error < 1.0
    }

    /// Whether the same cells have two factors.
    pub(super) fn are_alike(&self, one: usize, other: usize) -> bool {
        self.cells.iter().all(|reading| reading.on[one] == reading.on[other])
    }

    /// Whether all cells have a factor.
    pub(super) fn is_everywhere(&self, factor: usize) -> bool {
        self.cells.iter().all(|reading| reading.on[factor])
    }
}

/// Takes what the signals account for out of what a cell says. Where live bytes decide, what is left is known twice: by
/// the other stacks, which count what filled early in the cell as well, and as what the exact sum is more than the
/// signals, which are samples. Where they do not, something beside the stacks may grow.
fn leave_out(signals: &Signals, cell: usize, is_live: bool, said: [&mut Reading; 2]) {
    let Some((rest, (taken, its_error))) = signals.rest[cell].zip(signals.at(cell)) else { return };
    for reading in said {
        let by_difference = (reading.growth - taken, reading.error.hypot(its_error));
        let (growth, error) = if is_live { of_both(rest, by_difference) } else { by_difference };
        (reading.growth, reading.error) = (growth.max(0.0), error);
    }
}

/// What two say of one figure, each by its weight.
fn of_both(one: (f64, f64), other: (f64, f64)) -> (f64, f64) {
    let [weight, its_weight] = [one.1, other.1].map(|error| error.max(f64::MIN_POSITIVE.sqrt()).powi(-2));
    let both = weight + its_weight;
    ((weight * one.0 + its_weight * other.0) / both, both.powf(-0.5))
}

fn in_unit(growth: &Growth, per_hour: BytesPerHour, is_per_request: bool) -> f64 {
    if is_per_request { per_hour.get_per_second() / growth.rate.get() } else { per_hour.get() }
}
