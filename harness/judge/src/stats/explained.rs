//! How much of the movement of a level another series explains, beyond time and work.
//!
//! Two things that only grow are always correlated, and so are two random walks. So a series is named only where its
//! *steps* go with the steps of the level, after all that is smooth in time or follows from the work is taken out of
//! both; how much it explains is then said of the levels themselves.

use super::cholesky::dot;
use super::student;

/// Fewer readings say nothing.
const FEWEST: usize = 60;

/// Readings that are taken together for a step: memory may follow a series at once, or by and by.
const SCALES: [usize; 3] = [1, 4, 16];

/// Fewest steps of a scale: three for each thing that is taken out.
const FEWEST_STEPS: usize = 36;

/// Most readings that are looked at; more are averaged.
const MOST: usize = 2_048;

/// Chance that any of the series of a soak is named by chance.
const FALSE_ALARM: f64 = 0.01;

/// Lags up to which steps are taken to hang together.
const LAGS: usize = 200;

/// What is left of a series without time and work must be at least this share of it: less is rounding.
const LEAST_LEFT: f64 = 1e-8;

/// What a series explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explained {
    /// Share of the level's movement beyond time and work (partial R²), with its interval of 95 %.
    pub share: [f64; 3],
    /// How much the level moves for each unit of the series.
    pub slope: f64,
    /// Whether its steps go with those of the level, by more than chance makes of any of the series.
    pub is_sure: bool,
}

/// What each of `series` explains of the `level`, both read at the moments `ts`, by which so much `work` was done; none
/// where a series does not move, or too little was read. All have the length of `ts`, and are finite.
#[must_use]
pub fn explained(ts: &[f64], level: &[f64], work: &[f64], series: &[&[f64]]) -> Vec<Option<Explained>> {
    let (ts, level, work) = (thinned(ts), thinned(level), thinned(work));
    if ts.len() < FEWEST {
        return vec![None; series.len()];
    }
    let scales: Vec<Scale> = SCALES.iter().filter_map(|scale| Scale::of(&ts, &level, &work, *scale)).collect();
    let chance = FALSE_ALARM / (2 * series.len().max(1) * scales.len().max(1)) as f64;
    let plain = Projection::onto(&[vec![1.0; ts.len()], centred(&ts), centred(&work)]);
    let Some(level) = plain.rest(&level) else { return vec![None; series.len()] };
    let of_one = |values: &&[f64]| {
        let values = thinned(values);
        let rest = plain.rest(&values)?;
        let correlation = correlation(&level, &rest)?;
        let signs = scales.iter().filter_map(|scale| scale.sign(&values, chance));
        let is_sure = signs.into_iter().any(|sign| sign * correlation > 0.0);
        let slope = dot(&level, &rest) / dot(&rest, &rest);
        Some(Explained { share: share(&level, &rest, correlation), slope, is_sure })
    };
    series.iter().map(of_one).collect()
}

/// `values` as they are looked at: of more than a few thousand, means of this many one after the other.
#[must_use]
pub fn thinned(values: &[f64]) -> Vec<f64> {
    means(values, values.len().div_ceil(MOST).max(1))
}

/// Steps over this many readings, with what is to be taken out of them.
struct Scale {
    width: usize,
    smooth: Projection,
    level: Vec<f64>,
    /// Autocorrelation of the steps of the level.
    hangs: Vec<f64>,
}

impl Scale {
    fn of(ts: &[f64], level: &[f64], work: &[f64], width: usize) -> Option<Self> {
        let count = ts.len() / width;
        if count < FEWEST_STEPS + 1 {
            return None;
        }
        let done = steps(&means(work, width));
        let smooth = Projection::onto(&taken_out(&done));
        let level = smooth.rest(&steps(&means(level, width)))?;
        let hangs = autocorrelation(&level);
        Some(Self { width, smooth, level, hangs })
    }

    /// The sign of the correlation between steps, where it is more than `chance` (one-sided) makes; none where it is
    /// not. It has to be large in two ways: against how series that hang together like these two are correlated by
    /// chance (Bartlett 1935), and against the spread of its own terms, so that neither one coincidence nor a time in
    /// which everything moves makes it (White 1980).
    fn sign(&self, values: &[f64], chance: f64) -> Option<f64> {
        let steps = self.smooth.rest(&steps(&means(values, self.width)))?;
        let correlation = correlation(&self.level, &steps)?;
        let n = steps.len() as f64;
        let freedom = n - self.smooth.count() as f64;
        let together: f64 = self
            .hangs
            .iter()
            .zip(autocorrelation(&steps))
            .enumerate()
            .map(|(lag, (level, series))| level * series * (1.0 - (lag + 1) as f64 / n))
            .sum();
        let by_chance = ((1.0 + 2.0 * together).max(1.0) / freedom).sqrt();
        let terms: Vec<f64> = self.level.iter().zip(&steps).map(|(level, series)| level * series).collect();
        let spread = dot(&terms, &terms).sqrt() * (n / freedom).sqrt();
        let least = student::quantile(1.0 - chance, freedom);
        let is_sure = correlation.abs() / by_chance > least && terms.iter().sum::<f64>().abs() / spread > least;
        is_sure.then(|| correlation.signum())
    }
}

/// What is taken out of steps: all that is smooth in time, and what follows from the work that was `done` in each: as
/// much for each unit, more or less of it as time goes by, and what is held while it is done.
fn taken_out(done: &[f64]) -> Vec<Vec<f64>> {
    let n = done.len();
    let place = |at: usize| at as f64 / (n - 1) as f64;
    let of_time = |function: &dyn Fn(f64) -> f64| (0..n).map(|at| function(place(at))).collect::<Vec<f64>>();
    let done = centred(done);
    let held = std::iter::once(0.0).chain(done.windows(2).map(|pair| pair[1] - pair[0])).collect();
    vec![
        vec![1.0; n],
        of_time(&|u| 2.0 * u - 1.0),
        of_time(&|u| (2.0 * u - 1.0).powi(2) - 1.0 / 3.0),
        of_time(&|u| (2.0 * u - 1.0).powi(3)),
        // A warm-up: in a quarter, a twelfth and a fortieth of the time.
        of_time(&|u| (-4.0 * u).exp()),
        of_time(&|u| (-12.0 * u).exp()),
        of_time(&|u| (-40.0 * u).exp()),
        done.iter().enumerate().map(|(at, done)| done * place(at)).collect(),
        done.iter().enumerate().map(|(at, done)| done * (-8.0 * place(at)).exp()).collect(),
        held,
        done,
    ]
}

/// Takes out of a series what is in others.
struct Projection {
    /// Orthogonal to each other, of length 1.
    columns: Vec<Vec<f64>>,
}

impl Projection {
    /// Columns that are made of those before them are left out (Gram and Schmidt, twice over).
    fn onto(columns: &[Vec<f64>]) -> Self {
        let mut own = Self { columns: Vec::new() };
        for column in columns {
            if let Some(mut rest) = own.rest(column) {
                let length = dot(&rest, &rest).sqrt();
                for value in &mut rest {
                    *value /= length;
                }
                own.columns.push(rest);
            }
        }
        own
    }

    fn count(&self) -> usize {
        self.columns.len()
    }

    /// What is left of `values`; none where that is rounding.
    fn rest(&self, values: &[f64]) -> Option<Vec<f64>> {
        let mut rest = values.to_vec();
        for _ in 0..2 {
            for column in &self.columns {
                let part = dot(column, &rest);
                for (rest, column) in rest.iter_mut().zip(column) {
                    *rest -= part * column;
                }
            }
        }
        let whole = dot(values, values);
        (whole > 0.0 && dot(&rest, &rest) > LEAST_LEFT * LEAST_LEFT.sqrt() * whole).then_some(rest)
    }
}

/// The share that a correlation of levels explains, with its interval by Fisher's transformation: the readings are
/// worth fewer ones where both hang together.
fn share(level: &[f64], series: &[f64], correlation: f64) -> [f64; 3] {
    let n = level.len() as f64;
    let together: f64 = autocorrelation(level)
        .iter()
        .zip(autocorrelation(series))
        .enumerate()
        .map(|(lag, (level, series))| level * series * (1.0 - (lag + 1) as f64 / n))
        .sum();
    let worth = (n / (1.0 + 2.0 * together).max(1.0) - 3.0).max(1.0);
    let centre = correlation.abs().min(1.0 - 1e-12).atanh();
    let half = 1.96 / worth.sqrt();
    let squared = |z: f64| z.max(0.0).tanh().powi(2);
    [correlation * correlation, squared(centre - half), squared(centre + half)]
}

fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let correlation = dot(one, other) / (dot(one, one) * dot(other, other)).sqrt();
    correlation.is_finite().then_some(correlation)
}

/// Of what is centred, at the lags from 1 on.
fn autocorrelation(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let whole = dot(values, values);
    (1..=(n / 4).min(LAGS)).map(|lag| dot(&values[lag..], &values[..n - lag]) / whole).collect()
}

fn steps(values: &[f64]) -> Vec<f64> {
    values.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| value - mean).collect()
}

/// The means of this many values one after the other; what is left over at the end is left out.
fn means(values: &[f64], together: usize) -> Vec<f64> {
    values.chunks_exact(together).map(|part| part.iter().sum::<f64>() / together as f64).collect()
}

#[cfg(test)]
mod tests;
