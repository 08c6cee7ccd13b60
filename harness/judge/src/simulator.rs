//! Simulated memory of services whose truth is known: the families that the method is measured on (METHOD.md).
//!
//! One reading a second. Bytes pass through a toy allocator (chunked growth, retention with a decay or a high-water
//! mark). The shapes and ranges are those of the simulator that the method was chosen with; the families beyond it are
//! marked in [`Family`]. Not to be confused with `sim`, the simulated world that drives a whole soak.
//!
//! Pure: the same recipe always gives the same series.

mod calm;
mod draw;
mod family;
mod heap;
mod idle;
mod leaking;
mod live;
mod load;
mod spoil;

pub use self::family::{CALM, EXTRA_CALM, EXTRA_LEAKING, Family, LEAKING};
pub use self::idle::{IdleFamily, idle};
pub use self::live::{LiveFamily, LiveRecipe, live};

use self::draw::Dice;
use self::load::Load;
use crate::growth::Series;

/// Smallest memory of a process, in bytes.
const LEAST_MEMORY: f64 = 1_048_576.0;

/// Slowest and fastest load, in requests a second, where a recipe does not say.
const RATES: (f64, f64) = (500.0, 5000.0);

/// Smallest and largest memory before any load, in bytes.
const BASES: (f64, f64) = (20.0 * 1_048_576.0, 400.0 * 1_048_576.0);

/// Least and most noise, its standard deviation as a share of the base.
const NOISES: (f64, f64) = (0.0005, 0.01);

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// How memory behaves.
    pub family: Family,
    /// How long.
    pub seconds: usize,
    /// Bytes kept by each request, in a leaking family.
    pub leak: f64,
    /// Mean requests a second; `None` draws 500–5000.
    pub rps: Option<f64>,
    /// Whether the disturbances of the run are known, as to a harness, or must be guessed, as from a foreign file.
    pub known: bool,
    /// Which of the endlessly many.
    pub seed: u64,
    /// See `seed`.
    pub index: u64,
}

/// What is true of a simulated series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    /// Bytes an hour after the onset; zero in a calm family.
    pub bytes_per_hour: f64,
    /// Bytes a request after the onset.
    pub bytes_per_request: f64,
    /// When the leak begins, in seconds.
    pub onset: f64,
    /// When what fills has filled, in seconds.
    pub settled: f64,
    /// Requests a second.
    pub rps: f64,
}

impl Simulated {
    /// What was known after the first `seconds`.
    #[must_use]
    pub fn look(mut self, seconds: f64) -> Self {
        let seen = self.series.t_s.partition_point(|t| *t < seconds);
        self.series.t_s.truncate(seen);
        self.series.memory_bytes.truncate(seen);
        self.series.requests.truncate(seen);
        self
    }
}

impl Truth {
    /// Whether a leak was active for long enough to be asked for: half as long again as until its onset, and 4 minutes
    /// (in a short run a third of it).
    #[must_use]
    pub fn is_visible(&self, seconds: f64) -> bool {
        seconds >= 1.5 * self.onset + (seconds / 3.0).min(240.0) && seconds >= 1.25 * self.settled
    }

    /// Whether a calm service had settled by four fifths of the run.
    #[must_use]
    pub fn is_settled(&self, seconds: f64) -> bool {
        self.settled <= 0.8 * seconds
    }
}

/// A series and what is true of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulated {
    /// The readings.
    pub series: Series,
    /// The truth.
    pub truth: Truth,
}

/// A service on its way through a run: all vectors have one number a second.
struct Service {
    family: Family,
    base: f64,
    load: Load,
    live: Vec<f64>,
    /// Seconds within which the allocator gives memory back; infinite: never.
    decay: f64,
    settled: f64,
}

impl Service {
    /// Seconds of the run.
    fn length(&self) -> usize {
        self.live.len()
    }

    fn seconds(&self) -> f64 {
        self.live.len() as f64
    }

    /// Adds `bytes(t)` at every second `t`.
    fn add(&mut self, bytes: impl Fn(f64) -> f64) {
        self.live.iter_mut().enumerate().for_each(|(t, live)| *live += bytes(t as f64));
    }

    fn add_all(&mut self, bytes: &[f64]) {
        self.live.iter_mut().zip(bytes).for_each(|(live, bytes)| *live += bytes);
    }
}

/// The series of a recipe.
#[must_use]
pub fn simulate(recipe: &Recipe) -> Simulated {
    let mut dice = Dice::new(recipe);
    let rps = recipe.rps.unwrap_or_else(|| dice.log_uniform(RATES.0, RATES.1));
    let base = dice.log_uniform(BASES.0, BASES.1);
    let load = Load::draw(recipe.family, recipe.seconds, rps, &mut dice);
    let noise = base * dice.log_uniform(NOISES.0, NOISES.1);
    let mut live = dice.autoregressive(recipe.seconds, (2.0, 40.0), noise);
    let in_flight = dice.log_uniform(2e3, 4e4);
    let excess: Vec<f64> = load.requests.iter().map(|requests| 0.3 * in_flight * (requests - rps)).collect();
    for (live, extra) in live.iter_mut().zip(heap::follow(&excess, 0.3)) {
        *live += base + extra;
    }
    let decay = dice.choose(&[0.0, 10.0, 10.0, 40.0]);
    let chunk =
        dice.choose(&[4096.0, 4096.0, 4096.0, 4096.0, 4096.0, 65_536.0, 65_536.0, 65_536.0, 262_144.0, 1_048_576.0]);
    let mut service = Service { family: recipe.family, base, load, live, decay, settled: 0.0 };
    calm::shape(&mut service, noise, &mut dice);
    let leak = leaking::leak(&service, recipe.leak, rps, &mut dice);
    service.add_all(&leak.bytes);

    service.live.iter_mut().for_each(|live| *live = live.max(LEAST_MEMORY));
    let memory = heap::resident(&service.live, service.decay, chunk);
    let truth = leak.truth(&service, rps);
    let mut series = Series {
        t_s: (0..recipe.seconds).map(|t| t as f64).collect(),
        memory_bytes: memory,
        requests: service.load.cumulative(),
        disturbances_s: recipe.known.then(|| service.load.disturbances.clone()),
        ..Series::default()
    };
    spoil::spoil(&mut series, recipe.family, &service.load, &mut dice);
    Simulated { series, truth }
}

#[cfg(test)]
mod tests;
