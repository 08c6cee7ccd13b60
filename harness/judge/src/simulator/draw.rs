//! Random draws of the simulator: one seeded stream for each recipe.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rand_distr::{Distribution as _, Poisson, StandardNormal};

use super::Recipe;
use super::heap;

/// A stream of random numbers.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of a recipe: all that tells two recipes apart is part of its key but the leak, so that leaks of
    /// several sizes are compared over the same noise.
    pub(super) fn new(recipe: &Recipe) -> Self {
        Self::of(recipe.seed, recipe.index, recipe.seconds as u64, recipe.family as u8)
    }

    /// The stream of a key.
    pub(super) fn of(seed: u64, index: u64, length: u64, family: u8) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&index.to_le_bytes());
        key[16..24].copy_from_slice(&length.to_le_bytes());
        key[24] = family;
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `0..1`.
    pub(super) fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform between two numbers.
    pub(super) fn uniform(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.share()
    }

    /// A whole number of `from..to`.
    pub(super) fn whole(&mut self, from: usize, to: usize) -> usize {
        from + (self.share() * (to.saturating_sub(from)) as f64) as usize
    }

    /// Uniform in the logarithm, between two positive numbers.
    pub(super) fn log_uniform(&mut self, from: f64, to: f64) -> f64 {
        self.uniform(from.ln(), to.ln()).exp()
    }

    /// One of some numbers, each equally often.
    pub(super) fn choose(&mut self, among: &[f64]) -> f64 {
        among[self.whole(0, among.len())]
    }

    /// Normal with mean 0 and variance 1.
    pub(super) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// A count of arrivals of which `mean` are expected.
    pub(super) fn poisson(&mut self, mean: f64) -> f64 {
        // A mean of zero is not a distribution to the crate, and no arrival to us.
        Poisson::new(mean).map_or(0.0, |poisson| poisson.sample(&mut self.0))
    }

    /// Lomax: a Pareto variable less its smallest value, as numpy's `pareto`.
    pub(super) fn lomax(&mut self, shape: f64) -> f64 {
        (1.0 - self.share()).powf(-1.0 / shape) - 1.0
    }

    /// A stationary first-order autoregressive series of standard deviation `deviation` whose correlation time, in
    /// steps, is drawn from a range.
    pub(super) fn autoregressive(&mut self, length: usize, times: (f64, f64), deviation: f64) -> Vec<f64> {
        let keep = (-1.0 / self.log_uniform(times.0, times.1)).exp();
        let innovation = deviation * (1.0 - keep * keep).sqrt();
        let mut pushes: Vec<f64> = (0..length).map(|_| innovation * self.normal()).collect();
        if let Some(first) = pushes.first_mut() {
            *first *= deviation / innovation;
        }
        heap::recurse(&pushes, keep)
    }
}
