//! A simulated service of which stacks are sampled: what each cell's stacks show, with the chance of the samples.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, Poisson, StandardNormal};

use super::truth::{CREEP, Truth};
use super::{Bisect, Rules, Sampled, Soaked};
use crate::ids::FlagSet;
use crate::isolation::signals::Signals;
use crate::isolation::{CellStacks, ChainGrowth, Shape};
use crate::units::{BytesPerRequest, Estimate, HALF_WIDTH};

/// A leak is kept by two stacks, as a map keeps its table and what is in it: this share of it is the larger one's.
const LARGER: f64 = 0.7;

/// One flag in this many brings a cache that fills.
const CACHE_EACH: usize = 4;
/// A cache keeps this many times what is worth finding at first, and less and less with this time constant, in
/// seconds: a third of the warm-up, after which it has 5 % left to fill. One that fills through all of a cell looks
/// like a leak to every judge.
const CACHE_KEEPS: f64 = 16.0;
/// See [`CACHE_KEEPS`].
const CACHE_FILLS: f64 = 40.0;

/// A service, and the cells that were soaked of it.
pub(super) struct SampledService<'t> {
    flags: &'t [String],
    truth: &'t Truth,
    rules: Rules,
    sampled: Sampled,
    creep: BTreeMap<&'t str, f64>,
    random: ChaCha8Rng,
    cells: Vec<(FlagSet, CellStacks)>,
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
        let seconds = length.as_secs_f64() - warm_up;
        let mut chains = Vec::new();
        for (nth, (needed, growth)) in self.truth.culprits.iter().enumerate() {
            if needed.iter().all(|flag| on.contains(flag)) {
                for (part, share) in [("items", LARGER), ("table", 1.0 - LARGER)] {
                    let each = share * growth.get();
                    chains.extend(self.chain(&format!("leak {nth} {part}"), [each, each], seconds));
                }
            }
        }
        for flag in self.flags.iter().step_by(CACHE_EACH).filter(|flag| on.contains(flag)) {
            let at = |from: f64, to: f64| {
                let filled = (-from / CACHE_FILLS).exp() - (-to / CACHE_FILLS).exp();
                CACHE_KEEPS * self.rules.worth_finding.get() * CACHE_FILLS * filled / (to - from)
            };
            let middle = warm_up + seconds / 2.0;
            let halves = [at(warm_up, middle), at(middle, warm_up + seconds)];
            chains.extend(self.chain(&format!("cache of {flag}"), halves, seconds));
        }
        let error = self.sampled.error_of_rest(seconds).get();
        let creep: f64 = on.iter().filter_map(|flag| self.creep.get(flag)).sum();
        let normal: f64 = StandardNormal.sample(&mut self.random);
        let others = estimate(creep + error * normal, error);
        let unseen = BytesPerRequest::new(self.sampled.error(0.0, seconds));
        self.cells.push((on.clone(), CellStacks { chains, others, unseen }));
    }

    /// A stack that keeps this many bytes for each request in the halves of a cell; none: it came into no sample.
    fn chain(&mut self, name: &str, halves: [f64; 2], seconds: f64) -> Option<ChainGrowth> {
        let Sampled { every, rate } = self.sampled;
        let requests = rate * seconds / 2.0;
        let mut seen = |growth: f64| -> f64 {
            let samples = Poisson::new((growth * requests / every).max(f64::MIN_POSITIVE));
            samples.map_or(0.0, |samples| samples.sample(&mut self.random)) * every / requests
        };
        let [earlier, later] = halves.map(&mut seen);
        let whole = f64::midpoint(earlier, later);
        let (error, its_error) = (self.sampled.error(whole, seconds), self.sampled.error(later, seconds / 2.0));
        let (growth, shape) = if whole <= HALF_WIDTH * error {
            (estimate(whole, error), Shape::Flat)
        } else if later + its_error < Shape::LATER * whole {
            (estimate(later, its_error), Shape::Slows)
        } else {
            (estimate(whole, error), Shape::Grows)
        };
        (whole > 0.0).then(|| ChainGrowth { calls: vec![name.to_owned()], place: name.to_owned(), growth, shape })
    }

    /// A search that knows the cells so far.
    pub(super) fn bisect(&self) -> Bisect {
        let worth = self.rules.worth_finding.get();
        let stacks: Vec<Option<&CellStacks>> = self.cells.iter().map(|(_, stacks)| Some(stacks)).collect();
        let signals = Signals::of(&stacks, worth);
        let in_bytes = |(growth, error): (f64, f64)| [growth, error].map(|times| BytesPerRequest::new(times * worth));
        let mut bisect = Bisect::new(self.flags.iter().cloned(), self.rules);
        for (nth, (flags, _)) in self.cells.iter().enumerate() {
            let [growth, error] = in_bytes(signals.rest[nth].unwrap_or_default());
            let level = |level: crate::isolation::signals::Level| in_bytes((level.growth, level.error)).into();
            let stacks = signals.all.iter().map(|signal| signal.levels[nth].map(level)).collect();
            bisect.add(Soaked { flags: flags.clone(), growth, error, stacks });
        }
        bisect
    }
}

fn estimate(value: f64, error: f64) -> Estimate<BytesPerRequest> {
    Estimate::normal(value, error).map(BytesPerRequest::new)
}
