//! Live bytes of services whose truth is known: exact, so that all noise in them is the service's own. Ten readings a
//! second, or as many as the recipe says.
//!
//! The ranges are those of services that were recorded under the preloaded library (METHOD.md, live bytes).

mod calm;
mod family;
mod leaking;

pub use self::family::LiveFamily;

use super::draw::Dice;
use super::{Simulated, Truth, heap};
use crate::growth::Series;

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveRecipe {
    /// How live bytes behave.
    pub family: LiveFamily,
    /// How long.
    pub seconds: f64,
    /// Bytes kept by each request, in a leaking family.
    pub leak: f64,
    /// Mean requests a second.
    pub rps: f64,
    /// Readings a second.
    pub hz: f64,
    /// Which of the endlessly many.
    pub seed: u64,
    /// See `seed`.
    pub index: u64,
}

/// Least and most live bytes of a service before any load.
const BASES: (f64, f64) = (0.3e6, 60e6);

/// What anonymous memory holds beside live bytes, and the steps in which it is taken.
const HELD_BESIDE: f64 = 3e6;
/// See [`HELD_BESIDE`].
const CHUNK: f64 = 135_168.0;

/// A service on its way through a run: all vectors have one number a reading.
struct Service {
    family: LiveFamily,
    hz: f64,
    rps: f64,
    live: Vec<f64>,
    /// Requests that came between two readings.
    arrivals: Vec<f64>,
    /// When what fills has filled, in seconds: from then on it grows by less than [`FILLED`].
    settled: f64,
    replaced_s: Vec<f64>,
}

/// Growth, in bytes a request, below which what fills has filled: a quarter of the least that is worth finding.
const FILLED: f64 = 1.0;

impl Service {
    fn readings(&self) -> usize {
        self.live.len()
    }

    fn seconds(&self) -> f64 {
        self.readings() as f64 / self.hz
    }

    /// The moment of a reading, in seconds.
    fn at(&self, reading: usize) -> f64 {
        reading as f64 / self.hz
    }

    /// Adds `bytes(t)` at every moment `t` in seconds.
    fn add(&mut self, mut bytes: impl FnMut(f64) -> f64) {
        let hz = self.hz;
        self.live.iter_mut().enumerate().for_each(|(reading, live)| *live += bytes(reading as f64 / hz));
    }

    fn settles_at(&mut self, seconds: f64) {
        self.settled = self.settled.max(seconds);
    }
}

/// The series of a recipe.
#[must_use]
pub fn live(recipe: &LiveRecipe) -> Simulated {
    let LiveRecipe { family, seconds, leak, rps, hz, seed, index } = *recipe;
    let readings = (seconds * hz) as usize + 1;
    let mut dice = Dice::of(seed, index, readings as u64, 128 + family as u8);
    let base = dice.log_uniform(BASES.0, BASES.1);
    let arrivals: Vec<f64> = (0..readings).map(|i| if i == 0 { 0.0 } else { dice.poisson(rps / hz) }).collect();
    let mut service =
        Service { family, hz, rps, live: vec![base; readings], arrivals, settled: 0.0, replaced_s: Vec::new() };
    calm::shape(&mut service, &mut dice);
    let onset = leaking::leak(&mut service, leak, &mut dice);

    let requests = heap::recurse(&service.arrivals, 1.0);
    let chunked = |live: &f64| ((live + HELD_BESIDE) / CHUNK).ceil() * CHUNK;
    let memory = heap::high_water(&service.live.iter().map(chunked).collect::<Vec<f64>>());
    let per_request = if family.is_leaking() { leak } else { 0.0 };
    let truth = Truth {
        bytes_per_hour: per_request * rps * 3600.0,
        bytes_per_request: per_request,
        onset,
        settled: service.settled,
        rps,
    };
    let series = Series {
        t_s: (0..readings).map(|reading| service.at(reading)).collect(),
        memory_bytes: memory,
        live_bytes: service.live,
        requests,
        disturbances_s: Some(Vec::new()),
        replaced_s: service.replaced_s,
        ..Series::default()
    };
    Simulated { series, truth }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(family: LiveFamily) -> LiveRecipe {
        LiveRecipe { family, seconds: 120.0, leak: 64.0, rps: 500.0, hz: 10.0, seed: 1, index: 0 }
    }

    #[test]
    fn every_family_gives_numbers_that_can_be_and_the_same_each_time() {
        for family in LiveFamily::all() {
            let Simulated { series, truth } = live(&recipe(family));
            assert_eq!((series.t_s.len(), series.live_bytes.len(), series.requests.len()), (1201, 1201, 1201));
            assert!(series.live_bytes.iter().all(|bytes| bytes.is_finite() && *bytes >= 0.0), "{family}");
            assert_eq!(truth.bytes_per_request > 0.0, family.is_leaking(), "{family}");
            assert_eq!(live(&recipe(family)).series, series, "{family}");
            assert_ne!(live(&LiveRecipe { index: 1, ..recipe(family) }).series, series, "{family}");
        }
    }

    /// The same draws with a leak and without: what differs is the leak. A container has just doubled, or is about to:
    /// it holds 0.7 to 1.4 times what it keeps on average, and more where it must have room to spare.
    #[test]
    fn a_leak_keeps_as_much_as_the_recipe_says() {
        for family in LiveFamily::all().filter(|family| family.is_leaking()) {
            let mut kept = 0.0;
            for index in 0..40 {
                let with = live(&LiveRecipe { index, ..recipe(family) });
                let without = live(&LiveRecipe { index, leak: 0.0, ..recipe(family) });
                let last = |simulated: &Simulated| simulated.series.live_bytes[1200] - simulated.series.live_bytes[0];
                let requests = with.series.requests[1200] * (1.0 - with.truth.onset / 120.0);
                kept += (last(&with) - last(&without)) / requests / 40.0;
            }
            assert!((kept / 64.0 - 1.0).abs() < if family.has_steps() { 0.6 } else { 0.1 }, "{family}: {kept}");
        }
    }
}
