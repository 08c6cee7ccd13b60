//! From the outcomes of cells to what the model reads: growth in units of what is worth finding, with its standard error.

use super::factor::Factor;
use super::model::{Causes, Reading};
use crate::growth::{Growth, MemorySource};
use crate::outcome::Outcome;
use crate::units::{BytesPerHour, BytesPerRequest, Estimate, Rps};
use crate::verdict::Verdict;

/// Half the width of an interval of 95 %, in standard errors.
const HALF_WIDTH: f64 = 1.96;

/// By how much growth of the same flag differs from cell to cell, as a share of it: 95 % of the estimates from anonymous memory were
/// within 15 % of what leaked (METHOD, real traces), those from live bytes within 4 % (METHOD.md: median error below 1.5 %).
const ANONYMOUS_SPREAD: f64 = 0.075;
/// See [`ANONYMOUS_SPREAD`].
const LIVE_SPREAD: f64 = 0.02;
/// The same of growth in jumps: what a cell shows depends on how far it was from the next one. With two to six jumps, the last of which
/// may or may not have come, that is a quarter.
const STEP_SPREAD: f64 = 0.25;

/// The cells that say something about growth.
pub(super) struct Readings<'o> {
    pub(super) factors: Vec<Factor>,
    pub(super) outcomes: Vec<&'o Outcome>,
    pub(super) cells: Vec<Reading>,
    /// What is worth finding, in bytes per request, or per hour where not every cell knows its requests.
    worth: f64,
    is_per_request: bool,
    /// Mean rate of the cells.
    rate: Rps,
}

impl<'o> Readings<'o> {
    /// Of the cells that were judged. A soak that was cut short tells what grew, and clears nothing: it is left out unless it grew.
    pub(super) fn of(flags: &[String], outcomes: &'o [Outcome]) -> Self {
        let judged: Vec<(&Outcome, &Growth)> = outcomes
            .iter()
            .filter(|outcome| match outcome.verdict() {
                Verdict::Invalid | Verdict::Crashed => false,
                Verdict::Leak | Verdict::Step => true,
                Verdict::Plateau | Verdict::Stable | Verdict::Retention | Verdict::Inconclusive => {
                    outcome.cut_short.is_none()
                }
            })
            .filter_map(|outcome| Some((outcome, outcome.growth()?)))
            .collect();
        let is_per_request = judged.iter().all(|(_, growth)| growth.per_request.is_some());
        let worth =
            judged.iter().map(|(_, growth)| in_unit(growth, growth.worth_finding, is_per_request)).fold(0.0, f64::max);
        let outcomes: Vec<&Outcome> = judged.iter().map(|(outcome, _)| *outcome).collect();
        let factors = Factor::all(flags, &outcomes);
        let reading = |(outcome, growth): &(&Outcome, &Growth)| Reading {
            on: factors.iter().map(|factor| factor.is_on(outcome)).collect(),
            growth: in_unit(growth, growth.per_hour.value, is_per_request) / worth,
            error: in_unit(growth, error(outcome, growth), is_per_request) / worth,
        };
        let cells = judged.iter().map(reading).collect();
        let rates: f64 = judged.iter().map(|(_, growth)| growth.rate.get()).sum();
        let rate = Rps::new(rates / judged.len().max(1) as f64);
        Self { factors, outcomes, cells, worth, is_per_request, rate }
    }

    /// What may cause growth beside each factor by itself.
    pub(super) fn causes(&self) -> Causes {
        let is_flag = |place: usize| matches!(self.factors[place], Factor::Flag(_));
        let may_pair = |one: usize, other: usize| self.factors[one].pairs_with(&self.factors[other]);
        Causes::shown(&self.cells, is_flag, may_pair)
    }

    /// Growth of this mean and standard error, in units of what is worth finding, as two estimates.
    pub(super) fn in_bytes(
        &self,
        (mean, error): (f64, f64),
    ) -> (Estimate<BytesPerHour>, Option<Estimate<BytesPerRequest>>) {
        let half = HALF_WIDTH * error;
        let growth = Estimate { value: mean, low: mean - half, high: mean + half }.map(|growth| growth * self.worth);
        if !self.is_per_request {
            return (growth.map(BytesPerHour::new), None);
        }
        let per_request = growth.map(BytesPerRequest::new);
        (per_request.map(|growth| growth.at(self.rate)), Some(per_request))
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

fn in_unit(growth: &Growth, per_hour: BytesPerHour, is_per_request: bool) -> f64 {
    if is_per_request { per_hour.get_per_second() / growth.rate.get() } else { per_hour.get() }
}

/// Standard error of growth between cells: that of the fit, by the longer side of the interval, with what differs from cell to cell.
/// Where a cell without live bytes was not cleared, what allocators do by themselves comes on top; a clear verdict has weighed that.
/// And a cell that is not decided excludes nothing that is worth finding, however narrow its interval: a load peak may hide growth. Its
/// value is drawn towards zero (METHOD.md), so that the truth may be a whole interval away: by half of it a cache that filled through
/// most of a minute hid leaks of 1.5 KiB/request in cell after cell, and a pair that leaked was called innocent.
fn error(outcome: &Outcome, growth: &Growth) -> BytesPerHour {
    let Estimate { value, low, high } = growth.per_hour.map(BytesPerHour::get);
    let undecided = outcome.verdict() == Verdict::Inconclusive;
    let fitted = if undecided { high - low } else { (high - value).max(value - low) } / HALF_WIDTH;
    let spread = match (outcome.verdict(), growth.source) {
        (Verdict::Step, _) => STEP_SPREAD,
        (_, MemorySource::Live) => LIVE_SPREAD,
        (_, MemorySource::Anonymous) => ANONYMOUS_SPREAD,
    };
    let is_open = !outcome.verdict().is_clear() && growth.source == MemorySource::Anonymous;
    let allocator = if is_open { growth.least_growth.as_f64() / growth.seconds / HALF_WIDTH } else { 0.0 };
    let error = fitted.hypot(spread * value).hypot(BytesPerHour::per_second(allocator).get());
    BytesPerHour::new(if undecided { error.max(growth.worth_finding.get() / HALF_WIDTH) } else { error })
}
