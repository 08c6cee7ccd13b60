//! Turns a series of memory readings into growth with its interval and its evidence.
//!
//! Pure: no files, processes, sockets, clocks, threads or output. The method is reported in METHOD.md.

mod advice;
mod after_cap;
mod candidates;
mod doublings;
mod end;
mod environment;
mod exact;
mod falls;
mod flat_end;
mod high_water;
mod interval;
mod materiality;
mod running;
mod series;
mod source;
mod staircase;
mod still_end;
mod sure;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::advice::{Advice, Trend, advice};
pub use self::after_cap::AfterCap;
#[cfg(test)]
pub(crate) use self::candidates::CANDIDATES_SHOWN;
pub use self::candidates::{Candidate, candidates};
pub use self::falls::GivenBack;
pub use self::flat_end::FlatEnd;
pub(crate) use self::interval::PLAUSIBLE;
pub use self::materiality::Materiality;
pub use self::running::{Reading, RunningSeries};
pub(crate) use self::series::SHORT_RUN_SECONDS;
pub use self::series::{LEAST_PHASE, LEAST_SECONDS, Series, Unjudgeable};
pub use self::source::{Layer, MemorySource, Sources};
pub use self::staircase::Jumps;
pub use crate::stats::shapes::Shape;

use self::environment::Environment;
use self::interval::Interval;
use self::series::Readings;
use crate::stats::autocorrelation::{period, rolling_minimum};
use crate::stats::blocks::{Blocks, blocks};
use crate::stats::competition::Competition;
use crate::stats::order::{deviation, mean, median};
use crate::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate, Rps};

/// Number of blocks that a run is cut into: 30 and 120 do no better (METHOD.md, ablation).
const BLOCKS: f64 = 60.0;

/// Narrowest block in seconds, of a run of [`SHORT_RUN_SECONDS`] and of a shorter one.
const BLOCK_SECONDS: f64 = 5.0;
/// See [`BLOCK_SECONDS`].
const SHORT_BLOCK_SECONDS: f64 = 1.0;

/// Fewest blocks that can be fitted, of a run of [`SHORT_RUN_SECONDS`] and of a shorter one.
const FEWEST_BLOCKS: usize = 20;
/// See [`FEWEST_BLOCKS`].
const FEWEST_SHORT_BLOCKS: usize = 40;

/// The rolling minimum spans this many periods of a sawtooth, so that each window holds a trough.
const PERIODS: f64 = 1.15;

/// Periods of a sawtooth that a run must hold for its minimum to be followed; a short run is content with fewer, as it
/// has no other way to see past a batch job every 15 s.
const FEWEST_PERIODS: f64 = 5.0;
/// See [`FEWEST_PERIODS`].
const FEWEST_SHORT_PERIODS: f64 = 3.5;

/// In runs shorter than this settling and load are not yet told from growth by the models alone: the curve itself is
/// asked (METHOD.md, what decides).
pub(crate) const SETTLING_SECONDS: f64 = 900.0;

/// Whether growth keeps step with the work done or with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// With completed requests.
    Requests,
    /// With time, whatever the load.
    Time,
    /// The load did not vary enough to tell.
    Undecided,
}

/// How memory grew during a run, and how surely.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Growth {
    /// Which memory was fitted.
    #[schemars(with = "String")]
    pub source: MemorySource,
    /// Growth per hour with its 95 % interval: the union over all plausible leaking models.
    #[serde(rename = "growth_bytes_per_hour")]
    pub per_hour: Estimate<BytesPerHour>,
    /// What growth is below with more care than the interval takes: a run is cleared by this.
    #[serde(rename = "ceiling_bytes_per_hour")]
    pub ceiling: BytesPerHour,
    /// What growth is above by the blocks alone: a leak is called by this. The interval of a run of a minute reaches
    /// lower.
    #[serde(rename = "floor_bytes_per_hour")]
    pub floor: BytesPerHour,
    /// The same as `per_hour`, per completed request; `None` if no requests are known of.
    #[serde(rename = "growth_bytes_per_request")]
    pub per_request: Option<Estimate<BytesPerRequest>>,
    /// Logarithm of the likelihood ratio of the best leaking to the best calm model, after their penalties
    /// (at least −100).
    pub evidence: f64,
    /// The best leaking model.
    pub leak_model: Shape,
    /// The best calm model.
    pub calm_model: Shape,
    /// How much better the best calm model is than a constant, in the unit of `evidence`.
    pub calm_gain: f64,
    /// Whether growth follows requests or time.
    pub follows: Follows,
    /// The smallest growth that this run would have called a leak: see [`Materiality`].
    #[serde(rename = "seen_at_least_bytes_per_hour")]
    pub seen_at_least: BytesPerHour,
    /// The smallest growth that is worth finding (δ), at the rate of this run.
    #[serde(rename = "worth_finding_bytes_per_hour")]
    pub worth_finding: BytesPerHour,
    /// Growth over the whole run below which nothing is called a leak.
    #[serde(rename = "least_growth_bytes")]
    pub least_growth: Bytes,
    /// Growth that the curve itself shows over the second half of the run, whatever the models explain it by.
    #[serde(rename = "second_half_bytes_per_hour")]
    pub second_half: BytesPerHour,
    /// The same over the last quarter.
    #[serde(rename = "last_quarter_bytes_per_hour")]
    pub last_quarter: BytesPerHour,
    /// What memory rose by from the first twelfth of the blocks to the last, by their medians; negative where it fell.
    #[serde(rename = "risen_bytes")]
    pub risen: f64,
    /// Whether load or disturbances are part of the models, and may have absorbed growth.
    pub adjusted: bool,
    /// How much longer the run would have had to go on for growth worth finding to show above the marks that peaks of
    /// the load have left; `None` if they could hide none.
    #[serde(rename = "hidden_by_peaks_seconds")]
    pub hidden_by_peaks: Option<f64>,
    /// What a fall took back of the growth, if memory has not passed the height before it since: one tooth of a long
    /// sawtooth is a line to every model that has a step beside it.
    pub given_back: Option<GivenBack>,
    /// What a curve that stood still from some moment on excludes, if growth worth finding is among it.
    pub flat_end: Option<FlatEnd>,
    /// A straight rise that ended, after which memory crept on as the heap of a full cache does.
    pub after_cap: Option<AfterCap>,
    /// Typical memory: the median over the blocks.
    #[serde(rename = "typical_bytes")]
    pub typical: Bytes,
    /// Lasting jumps at the full sampling rate.
    pub jumps: Jumps,
    /// Period of a sawtooth, in seconds, if one was found.
    pub period_s: Option<f64>,
    /// Disturbances of the run, close ones merged; with more than eight the run is not judged.
    pub disturbances: usize,
    /// Whether there were too many disturbances.
    pub environment_noisy: bool,
    /// Mean completed requests per second; zero if unknown.
    #[serde(rename = "requests_per_second")]
    pub rate: Rps,
    /// Readings that were used.
    pub samples: usize,
    /// From the first to the last reading.
    pub seconds: f64,
    /// Blocks that were fitted.
    pub blocks: usize,
    /// Since when growth was measured, in seconds, where what came before was left out: a figure without an allocator's
    /// noise shows growth best once what fills has filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_s: Option<f64>,
}

/// Growth as people say it: per request where requests are known, else per hour.
#[must_use]
pub(crate) fn growth_text(
    per_request: Option<&Estimate<BytesPerRequest>>,
    per_hour: &Estimate<BytesPerHour>,
) -> String {
    match per_request {
        Some(per_request) => format!("{} per request", per_request.compact()),
        None => format!("{} per hour", per_hour.compact()),
    }
}

impl Growth {
    /// How much it is, per request where requests are known: `3.23 (2.67 to 3.79) KiB per request`.
    #[must_use]
    pub fn amount(&self) -> String {
        growth_text(self.per_request.as_ref(), &self.per_hour)
    }

    /// Growth over the whole run at the fitted rate, in bytes.
    #[must_use]
    pub fn over_run(&self) -> f64 {
        self.per_hour.value.get_per_second() * self.seconds
    }

    /// Whether the run was shorter than [`SHORT_RUN_SECONDS`].
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.seconds < SHORT_RUN_SECONDS
    }

    /// Growth that a flat end excludes.
    #[must_use]
    pub fn excluded(&self) -> Option<BytesPerHour> {
        self.flat_end.and_then(|end| end.at_most)
    }

    /// Whether the figure is exact: nothing that an allocator holds is part of it.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.source.holds_allocator()
    }

    /// Whether memory went on after a cap, and the heap may be what creeps.
    #[must_use]
    pub fn is_after_cap(&self) -> bool {
        self.after_cap.is_some() && self.source.holds_allocator()
    }
}

/// Fits the growth of one `layer` of the memory in `series`.
///
/// # Errors
/// Why the series cannot be judged. Never a panic, whatever the numbers.
pub fn fit(series: &Series, layer: Layer, materiality: &Materiality) -> Result<Growth, Unjudgeable> {
    fitted(series, layer, materiality, |_, _| ()).map(|(growth, ())| growth)
}

/// The growth, and what `look` sees of the competition that led to it; there is none for a series that never changes.
fn fitted<T: Default>(
    series: &Series,
    layer: Layer,
    materiality: &Materiality,
    look: impl FnOnce(&Run, &Competition) -> T,
) -> Result<(Growth, T), Unjudgeable> {
    let run = Run::of(series, layer, materiality)?;
    if run.never_changes() {
        return Ok((run.whole(&Interval::NOTHING, &Environment::default(), materiality.bar), T::default()));
    }
    let environment = run.environment(series);
    let competition = run.competition(&environment);
    // Without a fit of each kind there is nothing to compare: all covariances or all means were singular.
    let interval = Interval::of(&competition, run.cut.at.len(), run.readings.seconds(), materiality.bar)
        .ok_or(Unjudgeable::Singular)?;
    let seen = look(&run, &competition);
    let ends = if run.is_exact() { run.ends(&environment, materiality.bar) } else { Vec::new() };
    let mut growth = run.whole(&interval, &environment, materiality.bar);
    if growth.excluded().is_some() && growth.is_exact() {
        growth.end_where_still();
    } else {
        growth = growth.where_sure(&ends, materiality.bar);
    }
    if growth.evidence <= materiality.bar {
        growth.bound_by_flat_end();
    }
    Ok((growth, seen))
}

impl Growth {
    /// Where a flat end excludes more than all shapes of the whole curve together, it bounds growth.
    fn bound_by_flat_end(&mut self) {
        let Some(at_most) = self.excluded().filter(|at_most| at_most.get() < self.ceiling.get()) else { return };
        let rps = self.rate.get();
        self.ceiling = at_most;
        let Estimate { value, low, high } = self.per_hour;
        let bounded = |growth: BytesPerHour| BytesPerHour::new(growth.get().min(at_most.get()));
        self.per_hour = Estimate { value: bounded(value), low: bounded(low), high: bounded(high) };
        self.per_request =
            (rps > 0.0).then(|| self.per_hour.map(|growth| BytesPerRequest::new(growth.get_per_second() / rps)));
    }
}

impl Readings {
    /// Cuts the readings into blocks, a sawtooth under steady traffic replaced by its rolling minimum.
    fn blocks(&self, sawtooth: Option<f64>) -> Result<Blocks, Unjudgeable> {
        let (narrowest, fewest) =
            if self.is_short() { (SHORT_BLOCK_SECONDS, FEWEST_SHORT_BLOCKS) } else { (BLOCK_SECONDS, FEWEST_BLOCKS) };
        // A block narrower than the sampling interval would be empty every other time.
        let width = narrowest.max(self.seconds() / BLOCKS).max(self.interval * 0.999);
        let smoothed = sawtooth
            .filter(|period| self.follows_troughs(*period))
            .map(|period| rolling_minimum(&self.memory, ((PERIODS * period / self.interval).round() as usize).max(3)));
        let followed = smoothed.as_deref().unwrap_or(&self.memory);
        let mut cut = blocks(&self.ts, followed, &self.requests, width);
        if !self.source.holds_allocator() {
            cut.level = self.stillest(followed, width, std::mem::take(&mut cut.level));
        }
        if cut.at.len() < fewest {
            return Err(Unjudgeable::TooFewBlocks { blocks: cut.at.len(), fewest });
        }
        Ok(cut)
    }

    /// Whether the troughs of a sawtooth of this period are followed, and not its teeth.
    fn follows_troughs(&self, period: f64) -> bool {
        let periods = if self.is_short() { FEWEST_SHORT_PERIODS } else { FEWEST_PERIODS };
        self.seconds() > periods * period && self.is_steady()
    }

    /// Whether the load varied no more than its arrivals do by chance, and a third.
    fn is_steady(&self) -> bool {
        let increments: Vec<f64> = self.requests.windows(2).map(|w| w[1] - w[0]).collect();
        let typical = mean(&increments);
        deviation(&increments) <= 0.3 * typical + 5.0 * typical.sqrt()
    }
}

/// Growth from the twelfth of the blocks around a share of the run to the last one, by their medians.
fn since(cut: &Blocks, share: f64) -> BytesPerHour {
    let n = cut.at.len();
    let twelfth = n / 12 + 1;
    let start = (share * n as f64) as usize - twelfth / 2;
    let (first, last) = (start..start + twelfth, n - twelfth..n);
    let rise = median(&cut.level[last.clone()]) - median(&cut.level[first.clone()]);
    BytesPerHour::per_second(rise / (mean(&cut.at[last]) - mean(&cut.at[first])))
}

/// Rise from the first twelfth of the blocks to the last one, by their medians.
fn risen(cut: &Blocks) -> f64 {
    let n = cut.at.len();
    let twelfth = n / 12 + 1;
    median(&cut.level[n - twelfth..]) - median(&cut.level[..twelfth])
}

/// A checked series on its way to a [`Growth`].
struct Run {
    readings: Readings,
    cut: Blocks,
    sawtooth: Option<f64>,
    worth_finding: BytesPerHour,
}

impl Run {
    fn of(series: &Series, layer: Layer, materiality: &Materiality) -> Result<Self, Unjudgeable> {
        let readings = Readings::checked(series, layer)?;
        let sawtooth = period(&readings.ts, &readings.memory);
        let cut = readings.blocks(sawtooth)?;
        Ok(Self { worth_finding: materiality.worth_finding(readings.rps()), readings, cut, sawtooth })
    }

    /// Whether nothing that an allocator holds is part of the figure.
    fn is_exact(&self) -> bool {
        !self.readings.source.holds_allocator()
    }

    /// What a fall took back of growth by `growth`; nothing where troughs are followed.
    fn given_back(&self, environment: &Environment, growth: BytesPerHour) -> Option<GivenBack> {
        let has_teeth = !self.sawtooth.is_some_and(|period| self.readings.follows_troughs(period));
        has_teeth.then(|| falls::given_back(&self.readings, &self.cut, environment, growth)).flatten()
    }

    /// Whether there is nothing to fit.
    fn never_changes(&self) -> bool {
        self.cut.level.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= 0.0)
    }

    fn environment(&self, series: &Series) -> Environment {
        Environment::of(&self.readings, &self.cut, series.disturbances_s.as_deref(), &series.replaced_s)
    }

    fn competition(&self, environment: &Environment) -> Competition {
        let cumulative = environment.cumulative.as_deref();
        Competition::new(&self.moments(), &self.cut.level, cumulative, &environment.covariates)
    }

    /// Mean time of each block as a share of the run.
    fn moments(&self) -> Vec<f64> {
        let (start, length) = (self.readings.ts[0], self.readings.seconds());
        self.cut.at.iter().map(|t| (t - start) / length).collect()
    }

    /// The growth, with what only a whole run shows: whether its end stands still, and what falls took back.
    fn whole(&self, interval: &Interval, environment: &Environment, bar: f64) -> Growth {
        let Self { readings, cut, worth_finding, .. } = self;
        let growth = self.growth(interval, environment);
        let end = if self.is_exact() { still_end::still_end } else { flat_end::flat_end };
        Growth {
            given_back: self.given_back(environment, growth.per_hour.value),
            flat_end: end(readings, cut, environment, *worth_finding, bar),
            ..growth
        }
    }

    fn growth(&self, interval: &Interval, environment: &Environment) -> Growth {
        let Self { readings, cut, sawtooth, worth_finding } = self;
        let (sawtooth, worth_finding) = (*sawtooth, *worth_finding);
        let seconds = readings.seconds();
        let typical = median(&cut.level);
        let drift = materiality::allocator_drift(readings, cut, interval.evidence);
        let least = materiality::least_growth(readings, typical, drift, worth_finding);
        let per_hour = interval.growth.map(|over_run| BytesPerHour::per_second(over_run / seconds));
        let rps = readings.rps().get();
        let per_request =
            (rps > 0.0).then(|| per_hour.map(|growth| BytesPerRequest::new(growth.get_per_second() / rps)));
        let jumps = Jumps::of(readings, cut, environment, worth_finding, drift);
        Growth {
            source: readings.source,
            per_hour,
            ceiling: BytesPerHour::per_second(interval.ceiling / seconds),
            floor: BytesPerHour::per_second(interval.floor / seconds),
            per_request,
            evidence: interval.evidence,
            leak_model: interval.leak_model,
            calm_model: interval.calm_model,
            calm_gain: interval.calm_gain,
            follows: interval.follows,
            seen_at_least: materiality::seen_at_least(interval.detectable, least, worth_finding, seconds),
            worth_finding,
            least_growth: Bytes::new(least.ceil() as u64),
            second_half: since(cut, 0.5),
            last_quarter: since(cut, 0.75),
            risen: risen(cut),
            adjusted: !environment.covariates.is_empty(),
            hidden_by_peaks: high_water::missing_seconds(cut, worth_finding),
            given_back: None,
            after_cap: interval.full.and_then(|full| after_cap::after_cap(cut, full, seconds)),
            flat_end: None,
            typical: Bytes::new(typical.max(0.0) as u64),
            jumps,
            period_s: sawtooth,
            disturbances: environment.disturbances,
            environment_noisy: environment.is_noisy(),
            rate: readings.rps(),
            samples: readings.ts.len(),
            seconds,
            blocks: cut.at.len(),
            since_s: None,
        }
    }
}

#[cfg(test)]
pub(crate) mod planted;
#[cfg(test)]
mod tests;
