//! Growth in lasting jumps: containers that double, batches that are kept.

use schemars::JsonSchema;
use serde::Serialize;

use super::doublings::{self, Chain};
use super::environment::Environment;
use super::series::{Readings, SHORT_RUN_SECONDS};
use crate::stats::blocks::Blocks;
use crate::stats::jumps::{Jump, upward_jumps};
use crate::stats::order::{deviation, gradient, mean, median};
use crate::units::{Bytes, BytesPerHour};

/// The smallest jump that counts, in bytes (METHOD.md, jumps).
pub(super) const SMALLEST: f64 = 512.0 * 1024.0;

/// Jumps in the first part of the run belong to its start.
const START: f64 = 0.1;

/// A jump from this long before until this long after a disturbance belongs to it, in seconds; at most the given
/// shares of a short run.
const BEFORE_DISTURBANCE: f64 = 10.0;
/// See [`BEFORE_DISTURBANCE`].
const AFTER_DISTURBANCE: f64 = 30.0;

/// Of jumps as high as this share of the highest a staircase is made; lower ones are noise beside it.
const HIGH: f64 = 0.15;

/// Jumps are alike if none is this much higher than another.
const ALIKE: f64 = 1.6;

/// Jumps of one height must be higher, in bytes: a creep that is taken from the kernel in chunks of 1 or 2 MiB has such
/// jumps too (mimalloc was measured to step by 2.1 MB).
const LEAST_HEIGHT: f64 = 2.2e6;

/// High-water marks of random bursts come early and ever more rarely: the mean moment of jumps that go on is later.
const EARLIEST_CENTROID: f64 = 0.38;

/// Most variance that jumps may leave which are said to be all that there is.
const LEFT_OVER: f64 = 0.1;

/// Of what jumped this share may be given back at the end: more, and it was peaks that were held for a while.
const GIVEN_BACK: f64 = 0.2;

/// Readings for which a jump must hold to be seen.
const SEEN_AFTER: f64 = 10.0;

/// More jumps than this are noise, or a line.
const MOST: usize = 12;

/// Lasting jumps of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own; the verdict asks for them one by one"
)]
pub struct Jumps {
    /// Upward jumps that neither belong to the start nor to a disturbance.
    pub count: usize,
    /// Their sum.
    #[serde(rename = "total_bytes")]
    pub total: Bytes,
    /// Where the last one was, as a share of the run.
    pub last_at: f64,
    /// Whether they make up most of the growth, and went on into the second half.
    pub dominant: bool,
    /// Whether some were about twice as large, and came about twice as late, as the one before: a container that
    /// doubles.
    pub doubling: bool,
    /// Whether the jumps are so few, or so alone, that marks which an allocator keeps look like them.
    pub few: bool,
    /// Whether there are at least three, spread over the run.
    pub spread: bool,
    /// Whether they alone are growth worth finding, the last so late that another would not have come yet.
    pub open: bool,
    /// Whether there are at least two of about one height, spread over the run, with hardly anything beside them.
    pub regular: bool,
    /// Whether an exact figure shows a container that doubles by itself: three jumps at least, each twice as high and
    /// after twice as many requests as the last.
    #[serde(rename = "doubles_exactly")]
    pub exact: bool,
}

impl Jumps {
    /// The jumps of a run. `drift`: what the allocator may have taken by itself, in bytes.
    pub(super) fn of(
        readings: &Readings,
        cut: &Blocks,
        environment: &Environment,
        worth_finding: BytesPerHour,
        drift: f64,
    ) -> Self {
        if let Some(chain) = Self::exact(readings, worth_finding) {
            return chain;
        }
        let all = upward_jumps(&readings.ts, &readings.memory, SMALLEST);
        let ups = lasting(&all, readings, environment);
        let Some(last) = ups.last() else { return Self::default() };
        let staircase = Staircase::of(&ups, readings, cut);
        let mirrored: Vec<f64> = readings.memory.iter().map(|bytes| -bytes).collect();
        let down: f64 = upward_jumps(&readings.ts, &mirrored, SMALLEST).iter().map(|jump| jump.size).sum();
        let up: f64 = ups.iter().map(|jump| jump.size).sum();
        let growth = growth_by_ends(&cut.level);
        let last_at = staircase.share(last);
        let dominant = ups.len() >= 2
            && growth > 0.0
            && up > 0.6 * growth
            && down < 0.3 * up
            && up / readings.seconds() > 0.25 * worth_finding.get_per_second()
            && up >= drift
            && last_at > 0.5 * staircase.seen;
        let few = staircase.high.len() <= MOST && !staircase.fell_back(up);
        let doublings = staircase.doublings();
        let doubling = dominant && few && !doublings.is_empty();
        let alone = || doublings.len() == 1 && !all.iter().any(|jump| staircase.is_half(jump, doublings[0]));
        Self {
            count: ups.len(),
            total: Bytes::new(up.max(0.0) as u64),
            last_at,
            dominant,
            doubling,
            few: if doubling { alone() } else { staircase.high.len() == 2 },
            spread: dominant
                && few
                && (3..=MOST).contains(&ups.len())
                && last_at > 0.6
                && staircase.centroid(&ups) > EARLIEST_CENTROID,
            open: last_at > 0.5 && down < 0.3 * up && up > worth_finding.get_per_second() * readings.seconds(),
            regular: dominant && few && staircase.is_regular(),
            exact: false,
        }
    }

    /// Those of a container that doubles in a figure without an allocator's noise.
    fn exact(readings: &Readings, worth_finding: BytesPerHour) -> Option<Self> {
        let is_exact = !readings.source.holds_allocator();
        let chain = is_exact.then(|| doublings::chain(readings, worth_finding)).flatten()?;
        let Chain { count, total, last_at } = chain;
        Some(Self { count, total, last_at, dominant: true, doubling: true, exact: true, ..Self::default() })
    }
}

/// The jumps that neither belong to the start, nor to a disturbance, nor to a peak of the load.
fn lasting(all: &[Jump], readings: &Readings, environment: &Environment) -> Vec<Jump> {
    let seconds = readings.seconds();
    let mut ups = all.to_vec();
    if ups.is_empty() {
        return ups;
    }
    let rates = gradient(&readings.ts, &readings.requests);
    let typical_rate = median(&rates);
    ups.retain(|jump| {
        (jump.at - readings.ts[0]) / seconds > START
            && !(environment.varying && at_rate_peak(readings, &rates, typical_rate, jump.at))
            && !near_disturbance(environment, jump.at, seconds)
    });
    ups
}

/// The high jumps of a run, and what they leave of its curve.
struct Staircase<'c> {
    high: Vec<Jump>,
    start: f64,
    seconds: f64,
    /// The share of the run in which a jump would have been seen: the last one must hold for some readings.
    seen: f64,
    cut: &'c Blocks,
}

impl<'c> Staircase<'c> {
    fn of(ups: &[Jump], readings: &Readings, cut: &'c Blocks) -> Self {
        let highest = ups.iter().map(|jump| jump.size).fold(0.0, f64::max);
        let high = ups.iter().filter(|jump| jump.size >= HIGH * highest).copied().collect();
        let seen = 1.0 - SEEN_AFTER / readings.ts.len() as f64;
        Self { high, start: readings.ts[0], seconds: readings.seconds(), seen, cut }
    }

    /// When a jump was, as a share of the run.
    fn share(&self, jump: &Jump) -> f64 {
        (jump.at - self.start) / self.seconds
    }

    /// Mean moment of some jumps, weighted by size, as a share of the run.
    fn centroid(&self, jumps: &[Jump]) -> f64 {
        let (moments, sizes): (Vec<f64>, Vec<f64>) =
            jumps.iter().map(|jump| (self.share(jump) * jump.size, jump.size)).unzip();
        moments.iter().sum::<f64>() / sizes.iter().sum::<f64>()
    }

    /// Those after which one came that is about twice as high, and about twice as late.
    fn doublings(&self) -> Vec<Jump> {
        let about = |ratio: f64| ratio > 1.5 && ratio < 3.0;
        let doubled =
            |pair: &&[Jump]| about(pair[1].size / pair[0].size) && about(self.share(&pair[1]) / self.share(&pair[0]));
        let large = self.high.last().is_some_and(|last| last.size > 0.01 * median(&self.cut.level));
        if large { self.high.windows(2).filter(doubled).map(|pair| pair[0]).collect() } else { Vec::new() }
    }

    /// Whether `jump` is half as high as another and came at half the time, as in a container that doubles.
    fn is_half(&self, jump: &Jump, other: Jump) -> bool {
        let about = |ratio: f64| ratio > 0.3 && ratio < 0.7;
        about(jump.size / other.size) && about(self.share(jump) / self.share(&other))
    }

    /// Whether memory lies well below the highest that it was after a jump, of jumps that are `up` together: what is
    /// given back was not kept.
    fn fell_back(&self, up: f64) -> bool {
        let levels = &self.cut.level;
        let highest = levels.windows(3).map(median).fold(f64::NEG_INFINITY, f64::max);
        highest - median(&levels[levels.len().saturating_sub(3)..]) > GIVEN_BACK * up
    }

    /// Whether there are at least two of about one height, not all early, and hardly anything beside them.
    fn is_regular(&self) -> bool {
        let sizes = || self.high.iter().map(|jump| jump.size);
        let alike = sizes().fold(0.0, f64::max) < ALIKE * sizes().fold(f64::INFINITY, f64::min);
        self.high.len() >= 2
            && sizes().sum::<f64>() > LEAST_HEIGHT * self.high.len() as f64
            && alike
            && self.centroid(&self.high) > EARLIEST_CENTROID
            && self.left_over() < LEFT_OVER
    }

    /// Share of the variance of the blocks that remains once the jumps are taken away.
    fn left_over(&self) -> f64 {
        let climbed = |t: f64| self.high.iter().filter(|jump| t > jump.at).map(|jump| jump.size).sum::<f64>();
        let rest: Vec<f64> = self.cut.at.iter().zip(&self.cut.level).map(|(&t, level)| level - climbed(t)).collect();
        (deviation(&rest) / deviation(&self.cut.level)).powi(2)
    }
}

/// Growth from the first twelfth of the blocks to the last, by their medians.
fn growth_by_ends(levels: &[f64]) -> f64 {
    let twelfth = (levels.len() / 12).max(2).min(levels.len());
    median(&levels[levels.len() - twelfth..]) - median(&levels[..twelfth])
}

/// Whether memory may have fallen at `at` because the load did: it peaked there, or is lower from there on.
pub(super) fn falls_with_load(readings: &Readings, rates: &[f64], typical: f64, at: f64) -> bool {
    let k = readings.ts.partition_point(|t| *t < at);
    let before = &rates[k.saturating_sub(30)..k];
    let after = &rates[k.min(rates.len())..(k + 15).min(rates.len())];
    at_rate_peak(readings, rates, typical, at) || mean(after) < mean(before) / 1.1
}

/// Whether the rate of requests was above the usual around `at`, or rose there to stay.
fn at_rate_peak(readings: &Readings, rates: &[f64], typical: f64, at: f64) -> bool {
    let k = readings.ts.partition_point(|t| *t < at);
    let around = &rates[k.saturating_sub(15)..(k + 5).min(rates.len())];
    let is_peak = |rate: &f64| *rate > 1.25 * typical + 4.0 * typical.max(1.0).sqrt();
    let before = &rates[k.saturating_sub(30)..k.saturating_sub(15)];
    let after = &rates[k.min(rates.len())..(k + 15).min(rates.len())];
    // Sums of 15 readings vary by chance too. Empty sides have a mean of NaN, which is not above anything.
    let rose = mean(after) > 1.1 * mean(before) + 4.0 * (typical.max(1.0) / 15.0).sqrt();
    around.iter().any(is_peak) || rose
}

pub(super) fn near_disturbance(environment: &Environment, at: f64, seconds: f64) -> bool {
    let shrink = (seconds / SHORT_RUN_SECONDS).min(1.0);
    environment
        .moments
        .iter()
        .any(|moment| at - moment >= -BEFORE_DISTURBANCE * shrink && at - moment < AFTER_DISTURBANCE * shrink)
}
