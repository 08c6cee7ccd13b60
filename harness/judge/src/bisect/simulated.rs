//! A simulated service that a library counts inside of: live bytes exactly, once a second, and stacks with the chance
//! of their samples. What a cell says of it goes through the judge and through isolation, as that of a real one.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, Poisson, StandardNormal};

use super::truth::{CREEP, Truth};
use super::{Bisect, Rules, Sampled, Soaked};
use crate::growth::{Materiality, Series};
use crate::ids::{CellId, FlagSet};
use crate::isolation::{CellStacks, ChainGrowth, JudgedCell, Shape, measured};
use crate::units::{BytesPerRequest, Estimate, HALF_WIDTH};
use crate::verdict::judge;

/// A leak is kept by two stacks, as a map keeps its table and what is in it: this share of it is the larger one's.
const LARGER: f64 = 0.7;

/// One flag in this many brings a cache that fills.
const CACHE_EACH: usize = 4;
/// A cache keeps this many times what is worth finding at first, and less and less with the time constant of
/// [`Sampled::fills`].
const CACHE_KEEPS: f64 = 16.0;

/// Requests in flight at a reading, and what each holds: readings of live bytes are exact, and the service swings.
const IN_FLIGHT: f64 = 2.5;
/// See [`IN_FLIGHT`].
const HELD_BY_EACH: f64 = 4_096.0;

/// Live bytes before any load, what anonymous memory holds beside them, and the steps in which it is taken.
const BASE: f64 = 10e6;
/// See [`BASE`].
const HELD_BESIDE: f64 = 3e6;
/// See [`BASE`].
const CHUNK: f64 = 135_168.0;

/// A stack that grows: by this many bytes for each request at first, and less and less where it fills.
struct Source {
    name: String,
    at_first: f64,
    /// Time constant in seconds; none: it goes on.
    fills: Option<f64>,
}

impl Source {
    /// Growth for each request on average between two moments since the service began, in seconds.
    fn between(&self, from: f64, to: f64) -> f64 {
        let Some(fills) = self.fills else { return self.at_first };
        let filled = (-from / fills).exp() - (-to / fills).exp();
        self.at_first * fills * filled / (to - from)
    }
}

/// A service, and the cells that were soaked of it.
pub(super) struct SampledService<'t> {
    flags: &'t [String],
    truth: &'t Truth,
    rules: Rules,
    sampled: Sampled,
    creep: BTreeMap<&'t str, f64>,
    random: ChaCha8Rng,
    cells: Vec<JudgedCell>,
}

impl<'t> SampledService<'t> {
    pub(super) fn new(flags: &'t [String], truth: &'t Truth, rules: Rules, sampled: Sampled, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let scale = CREEP * rules.worth_finding.get();
        let mut creep = |_| -> f64 {
            let normal: f64 = StandardNormal.sample(&mut random);
            scale * normal
        };
        let creep = flags.iter().map(|flag| (flag.as_str(), creep(flag))).collect();
        Self { flags, truth, rules, sampled, creep, random, cells: Vec::new() }
    }

    pub(super) fn soak(&mut self, on: &FlagSet, length: Duration) {
        let warm_up = self.rules.warm_up.as_secs_f64();
        let seconds = (length.as_secs_f64() - warm_up).max(1.0);
        let sources = self.sources(on);
        let middle = warm_up + seconds / 2.0;
        let stacks: Vec<Option<ChainGrowth>> = sources
            .iter()
            .map(|source| {
                let halves = [source.between(warm_up, middle), source.between(middle, warm_up + seconds)];
                self.chain(&source.name, halves, seconds)
            })
            .collect();
        let error = self.sampled.error_of_rest(seconds).get();
        let creep: f64 = on.iter().filter_map(|flag| self.creep.get(flag)).sum();
        let others = estimate(creep + error * self.normal(), error);
        let unseen = BytesPerRequest::new(self.sampled.error(0.0, seconds));
        let stacks = Some(CellStacks { chains: stacks.into_iter().flatten().collect(), others, unseen });
        let series = self.series(&sources, creep, seconds);
        let materiality = Materiality { per_request: self.rules.worth_finding, ..Materiality::default() };
        self.cells.push(JudgedCell {
            cell: CellId::parse(&format!("cell-{}", self.cells.len())),
            flags: on.clone(),
            axes: BTreeMap::new(),
            history: None,
            replicate: 1,
            judgement: judge(&series, &materiality),
            phases: Vec::new(),
            grows_in: None,
            cut_short: None,
            stacks,
            unverified_flags: Vec::new(),
        });
    }

    /// What grows by a stack of its own with these flags on.
    fn sources(&self, on: &FlagSet) -> Vec<Source> {
        let mut sources = Vec::new();
        for (nth, (needed, growth)) in self.truth.culprits.iter().enumerate() {
            if needed.iter().all(|flag| on.contains(flag)) {
                for (part, share) in [("items", LARGER), ("table", 1.0 - LARGER)] {
                    let name = format!("leak {nth} {part}");
                    sources.push(Source { name, at_first: share * growth.get(), fills: None });
                }
            }
        }
        for flag in self.flags.iter().step_by(CACHE_EACH).filter(|flag| on.contains(flag)) {
            let at_first = CACHE_KEEPS * self.rules.worth_finding.get();
            let fills = Some(self.sampled.fills.as_secs_f64());
            sources.push(Source { name: format!("cache of {flag}"), at_first, fills });
        }
        sources
    }

    /// Live bytes after the warm-up, once a second, with what anonymous memory makes of them.
    fn series(&mut self, sources: &[Source], creep: f64, seconds: f64) -> Series {
        let warm_up = self.rules.warm_up.as_secs_f64();
        let mut series = Series { disturbances_s: Some(Vec::new()), ..Series::default() };
        let (mut kept, mut requests, mut most) = (BASE, 0.0, 0.0_f64);
        for second in 0..=seconds as u32 {
            let t = f64::from(second);
            if second > 0 {
                let came = self.poisson(self.sampled.rate);
                let from = warm_up + t - 1.0;
                kept += came * (creep + sources.iter().map(|source| source.between(from, from + 1.0)).sum::<f64>());
                requests += came;
            }
            let live = kept + HELD_BY_EACH * self.poisson(IN_FLIGHT);
            most = most.max(((live + HELD_BESIDE) / CHUNK).ceil() * CHUNK);
            series.t_s.push(t);
            series.live_bytes.push(live);
            series.memory_bytes.push(most);
            series.requests.push(requests);
        }
        series
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        Poisson::new(mean.max(f64::MIN_POSITIVE)).map_or(0.0, |poisson| poisson.sample(&mut self.random))
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.random)
    }

    /// A stack that keeps this many bytes for each request in the halves of a cell; none: it came into no sample.
    fn chain(&mut self, name: &str, halves: [f64; 2], seconds: f64) -> Option<ChainGrowth> {
        let Sampled { every, rate, .. } = self.sampled;
        let requests = rate * seconds / 2.0;
        let [earlier, later] = halves.map(|growth| self.poisson(growth * requests / every) * every / requests);
        let whole = f64::midpoint(earlier, later);
        let (error, its_error) = (self.sampled.error(whole, seconds), self.sampled.error(later, seconds / 2.0));
        let (growth, shape) = if whole <= HALF_WIDTH * error {
            (estimate(whole, error), Shape::Flat)
        } else if later + its_error < Shape::LATER * whole {
            (estimate(later, its_error), Shape::Slows)
        } else {
            (estimate(whole, error), Shape::Grows)
        };
        let halves = [earlier, later].map(|half| estimate(half, self.sampled.error(half, seconds / 2.0)));
        let halves = (shape != Shape::Flat).then_some(halves);
        let (calls, place) = (vec![name.to_owned()], name.to_owned());
        (whole > 0.0).then_some(ChainGrowth { calls, place, growth, shape, halves })
    }

    /// A search that knows the cells so far.
    pub(super) fn bisect(&self) -> Bisect {
        let in_bytes = |times: f64| BytesPerRequest::new(times * self.rules.worth_finding.get());
        let measured = measured(self.flags, &self.cells);
        let mut bisect = Bisect::new(self.flags.iter().cloned(), self.rules);
        for cell in &self.cells {
            let Some(found) = measured.iter().find(|found| found.cell == cell.cell) else { continue };
            let (growth, error) = (in_bytes(found.growth), in_bytes(found.error));
            bisect.add(Soaked { flags: cell.flags.clone(), growth, error, stacks: found.stacks.clone() });
        }
        bisect
    }
}

fn estimate(value: f64, error: f64) -> Estimate<BytesPerRequest> {
    Estimate::normal(value, error).map(BytesPerRequest::new)
}
