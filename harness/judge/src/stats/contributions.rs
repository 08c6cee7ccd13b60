//! How much each of several counters, and time by itself, adds to a level that is measured at equal steps.
//!
//! The level is a line through time, plus something for each count, plus something for the work of the moment, plus
//! noise of the family of [`Noise`]. Counters at constant rates all rise as time does. What sets one apart is how far
//! it happened to be ahead of its rate or behind it, as Poisson arrivals are by themselves and coded ones on purpose.
//! So each counter enters as its deviation from a straight rise, and what grows by time alone is what is left of the
//! line. What is held while requests are under way, and given back, goes with the work that was done since the level
//! before; it is a part of the model, so that it is laid on nobody, and not of the answer. So is a shift: a level that
//! falls at once and stays there, as when something is freed that was needed at the start. A rise at once is not one: a
//! container that doubles makes it, and who fills that is not known. Nor is a fall that takes back much of what was
//! added, as when a cache is cleared: what it took back nobody keeps.

mod shifts;

use std::iter::successors;

use self::shifts::shift;
use super::cholesky::{Triangle, dot};
use super::noise::{Noise, Whitening};

/// What one unit of something adds, and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// What it adds.
    pub value: f64,
    /// The standard error of that.
    pub error: f64,
}

impl Contribution {
    /// By how many standard errors it is not zero.
    fn surety(&self) -> f64 {
        self.value.abs() / self.error.max(f64::MIN_POSITIVE)
    }
}

/// What all counters and time add.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// For one count of each counter, in their order.
    pub of_counters: Vec<Contribution>,
    /// Over the whole run by time alone.
    pub of_time: Contribution,
    /// Degrees of freedom of the errors.
    pub freedom: f64,
}

/// Noises are plausible whose likelihood is below that of the best by no more than this, as a logarithm.
const PLAUSIBLE: f64 = 3.0;

/// Levels that shift more often do so by what the service does. What is freed within seconds is a shift in each of
/// them.
const SHIFTS_MAX: usize = 4;

/// A shift makes the levels likelier by this factor, as a logarithm: one of six standard errors by 14 among 50 levels.
const LIKELIER: f64 = 10.0;

/// Falls that take back as much of the rise are a part of it: of a cache that is cleared they take all.
const TAKEN_BACK: f64 = 0.1;

/// Counters whose steps vary by less than this share of their mean, squared, rise evenly.
const EVEN: f64 = 1e-6;

/// The contributions of `counters` to `levels`, where this `work` was done until each, by generalised least squares.
/// Which noise it is cannot be known from so few levels, so that of all plausible ones that is taken under which a
/// contribution is the least sure: with the best one alone 5 of 200 calm series named somebody where one should. None
/// where there are too few levels, or a counter says no more than the others do.
#[must_use]
pub fn contributions(levels: &[f64], counters: &[Vec<f64>], work: &[f64]) -> Option<Contributions> {
    let count = levels.len();
    let under_way = under_way(work);
    let rises: Vec<f64> = counters.iter().map(|counter| counter[count - 1] - counter[0]).collect();
    let deviations: Vec<Vec<f64>> =
        counters.iter().zip(&rises).map(|(counter, rise)| deviation(counter, *rise)).collect();
    let scales: Vec<f64> = deviations.iter().map(|column| dot(column, column).sqrt()).collect();
    if scales.iter().any(|scale| *scale <= 0.0) {
        return None;
    }
    let line = [vec![1.0; count], (0..count).map(|at| at as f64 / (count - 1) as f64).collect()];
    let scaled = deviations
        .into_iter()
        .zip(&scales)
        .map(|(column, scale)| column.into_iter().map(|value| value / scale).collect());
    let columns = line.into_iter().chain(scaled).chain(under_way).collect();
    let explained = Explained::of(levels, columns)?;
    let (best, freedom, width) = (explained.likelihood(), explained.freedom, explained.columns.len());
    let plausible: Vec<&Fitted> = explained.fits.iter().filter(|fit| fit.likelihood >= best - PLAUSIBLE).collect();
    let scaled = |weights: &[f64], scale: f64| {
        let parts = plausible.iter().map(|fit| fit.contribution(weights, scale));
        parts.min_by(|one, other| one.surety().total_cmp(&other.surety()))
    };
    // The line holds what all counters add at their rates.
    let mut of_time = unit(1, width);
    rises.iter().zip(&scales).enumerate().for_each(|(index, (rise, scale))| of_time[index + 2] = -rise / scale);
    Some(Contributions {
        of_counters: (0..counters.len())
            .map(|index| scaled(&unit(index + 2, width), scales[index]))
            .collect::<Option<_>>()?,
        of_time: scaled(&of_time, 1.0)?,
        freedom,
    })
}

/// What columns say of levels.
struct Explained {
    columns: Vec<Vec<f64>>,
    /// How many of them, the last ones, are shifts.
    shifts: usize,
    /// Under each noise.
    fits: Vec<Fitted>,
    /// All columns and the levels, a row for each level.
    plain: Vec<f64>,
    freedom: f64,
}

impl Explained {
    /// `levels` by `columns`, and by shifts where there are some; none where there are too few levels.
    fn of(levels: &[f64], columns: Vec<Vec<f64>>) -> Option<Self> {
        let without = Self::by(levels, columns, 0)?;
        let with = successors(without.shifted(levels), |with| with.shifted(levels)).last();
        Some(with.filter(|with| with.is_one_off(levels)).unwrap_or(without))
    }

    /// The same with one shift more; none where there is none for sure.
    fn shifted(&self, levels: &[f64]) -> Option<Self> {
        let count = levels.len();
        if self.shifts == SHIFTS_MAX || count <= 2 * self.columns.len() + 4 {
            return None;
        }
        let at = self.shift(count)?;
        let shift = (0..count).map(|level| if level < at { 0.0 } else { 1.0 }).collect();
        let columns = self.columns.iter().cloned().chain([shift]).collect();
        Self::by(levels, columns, self.shifts + 1).filter(|more| more.likelihood() > self.likelihood() + LIKELIER)
    }

    /// Whether all shifts are falls, and take back a small part of what was added.
    fn is_one_off(&self, levels: &[f64]) -> bool {
        let of_shifts = &self.best().coefficients[self.columns.len() - self.shifts..];
        let fallen: f64 = of_shifts.iter().map(|shift| -shift).sum();
        let rise = levels[levels.len() - 1] - levels[0] + fallen;
        of_shifts.iter().all(|shift| *shift < 0.0) && fallen < TAKEN_BACK * rise
    }

    fn by(levels: &[f64], columns: Vec<Vec<f64>>, shifts: usize) -> Option<Self> {
        let (count, width) = (levels.len(), columns.len());
        // Two more are spent on the noise.
        let freedom = count.checked_sub(width + 2).filter(|freedom| *freedom > width)? as f64;
        let row = |at: usize| columns.iter().map(move |column| column[at]).chain([levels[at]]);
        let plain: Vec<f64> = (0..count).flat_map(row).collect();
        let fits: Vec<Fitted> =
            Noise::family().filter_map(|noise| Fitted::of(&plain, width, count, noise, freedom)).collect();
        (!fits.is_empty()).then_some(Self { columns, shifts, fits, plain, freedom })
    }

    fn best(&self) -> &Fitted {
        let mut fits = self.fits.iter();
        let first = fits.next().expect("some fit, or there is nothing explained");
        fits.fold(first, |best, fit| if fit.likelihood > best.likelihood { fit } else { best })
    }

    fn likelihood(&self) -> f64 {
        self.best().likelihood
    }

    /// Where levels shift for sure. A shift that is not in the model yet makes noise look white; to a walk it is one
    /// step among many.
    fn shift(&self, count: usize) -> Option<usize> {
        let walk = self.fits.iter().find(|fit| fit.noise == Noise { correlation: 1.0, white: 0.0 });
        walk.and_then(|walk| shift(walk, &self.plain, count)).or_else(|| shift(self.best(), &self.plain, count))
    }
}

fn deviation(counter: &[f64], rise: f64) -> Vec<f64> {
    let steps = (counter.len() - 1) as f64;
    counter.iter().enumerate().map(|(at, value)| value - counter[0] - rise * at as f64 / steps).collect()
}

/// The work that was done since the level before, around its mean; none where it was done evenly.
fn under_way(work: &[f64]) -> Option<Vec<f64>> {
    let count = work.len();
    if count < 2 {
        return None;
    }
    // The first level has none before it: it takes that of the second.
    let risen: Vec<f64> = (0..count).map(|at| work[at.max(1)] - work[at.max(1) - 1]).collect();
    let mean = risen.iter().sum::<f64>() / count as f64;
    let column: Vec<f64> = risen.iter().map(|risen| (risen - mean) / mean.max(f64::MIN_POSITIVE)).collect();
    (dot(&column, &column) > EVEN * count as f64).then_some(column)
}

fn unit(index: usize, width: usize) -> Vec<f64> {
    let mut unit = vec![0.0; width];
    unit[index] = 1.0;
    unit
}

/// Least squares under one noise.
struct Fitted {
    noise: Noise,
    likelihood: f64,
    whitening: Whitening,
    coefficients: Vec<f64>,
    normal: Triangle,
    variance: f64,
}

impl Fitted {
    fn of(plain: &[f64], width: usize, count: usize, noise: Noise, freedom: f64) -> Option<Self> {
        let whitening = noise.whitening(count);
        let mut rows = plain.to_vec();
        whitening.whiten(&mut rows, width + 1);
        let product = |i: usize, j: usize| rows.chunks_exact(width + 1).map(|row| row[i] * row[j]).sum::<f64>();
        let normal = Triangle::factor(width, product)?;
        let mut right: Vec<f64> = (0..width).map(|i| product(i, width)).collect();
        normal.solve_rows(&mut right, 1);
        let rest = product(width, width) - dot(&right, &right);
        let coefficients = normal.back_substituted(right);
        let variance = (rest / freedom).max(f64::MIN_POSITIVE);
        let likelihood = -0.5 * count as f64 * variance.ln() - whitening.half_log_determinant;
        Some(Self { noise, likelihood, whitening, coefficients, normal, variance })
    }

    /// A sum of coefficients, each `weights` times, over `scale`.
    fn contribution(&self, weights: &[f64], scale: f64) -> Contribution {
        let mut solved = weights.to_vec();
        self.normal.solve_rows(&mut solved, 1);
        let error = (self.variance * dot(&solved, &solved)).sqrt();
        Contribution { value: dot(weights, &self.coefficients) / scale, error: error / scale }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng as _;
    use rand_distr::{Distribution as _, Normal, Poisson};

    use super::*;
    use crate::stats::student::quantile;

    const SECONDS: usize = 120;
    const RATES: [f64; 4] = [120.0, 20.0, 40.0, 20.0];

    /// Counters of Poisson traffic, and a level in which the third one keeps `leak` bytes a request, under `noise`: the
    /// deviation in bytes of white noise, and of the steps of a random walk.
    fn simulated(seed: u64, leak: f64, noise: (f64, f64)) -> (Vec<f64>, Vec<Vec<f64>>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut counters = vec![Vec::new(); RATES.len()];
        let (mut counts, mut walk, mut levels) = ([0.0; RATES.len()], 0.0, Vec::new());
        let normal = Normal::new(0.0, 1.0).expect("a deviation");
        for _ in 0..SECONDS {
            for (index, rate) in RATES.into_iter().enumerate() {
                counts[index] += Poisson::new(rate).expect("a rate").sample(&mut random);
                counters[index].push(counts[index]);
            }
            walk += noise.1 * normal.sample(&mut random);
            levels.push(8e6 + leak * counts[2] + walk + noise.0 * normal.sample(&mut random));
        }
        (levels, counters)
    }

    /// All that was counted until each level.
    fn work(counters: &[Vec<f64>]) -> Vec<f64> {
        (0..counters[0].len()).map(|at| counters.iter().map(|counter| counter[at]).sum()).collect()
    }

    /// Counters that are named: those whose part is sure, all taken together.
    fn named(levels: &[f64], counters: &[Vec<f64>]) -> Vec<usize> {
        let found = contributions(levels, counters, &work(counters)).expect("enough levels");
        let critical = quantile(1.0 - 0.005 / (counters.len() + 1) as f64, found.freedom);
        let sure = |part: &&Contribution| part.value > critical * part.error;
        let indices = found.of_counters.iter().enumerate().filter(|(_, part)| sure(part));
        indices.map(|(index, _)| index).collect()
    }

    #[test]
    fn exact_levels_are_taken_apart_exactly() {
        let (mut levels, counters) = simulated(1, 0.0, (0.0, 0.0));
        for (second, level) in levels.iter_mut().enumerate() {
            *level += 3.0 * counters[0][second] + 70.0 * counters[3][second] + 1_000.0 * second as f64;
        }
        let found = contributions(&levels, &counters, &work(&counters)).expect("enough levels");
        for (part, expected) in found.of_counters.iter().zip([3.0, 0.0, 0.0, 70.0]) {
            assert!((part.value - expected).abs() < 0.01, "{found:?}");
        }
        assert!((found.of_time.value - 119_000.0).abs() < 100.0, "{:?}", found.of_time);
    }

    #[test]
    fn the_one_that_leaks_is_named_and_nobody_else() {
        let mut right = 0;
        for seed in 0..200 {
            let (levels, counters) = simulated(seed, 1_024.0, (20_000.0, 1_000.0));
            let names = named(&levels, &counters);
            assert!(names.iter().all(|name| *name == 2), "seed {seed}: {names:?}");
            right += names.len();
        }
        assert!(right >= 190, "{right} of 200");
    }

    #[test]
    fn without_a_leak_nobody_is_named_whatever_the_noise() {
        for (noise, of) in
            [(20_000.0, 0.0), (0.0, 20_000.0), (20_000.0, 5_000.0), (5_000.0, 20_000.0)].into_iter().zip(0..)
        {
            let wrong = (0..200).filter(|seed| {
                let (levels, counters) = simulated(1_000 * of + seed, 0.0, noise);
                !named(&levels, &counters).is_empty()
            });
            // One in two hundred is what is asked for; five are beyond chance.
            assert!(wrong.count() < 5, "{noise:?}");
        }
    }

    #[test]
    fn what_is_freed_once_disturbs_nobody() {
        let (mut disturbed, mut errors) = (0, (0.0, 0.0));
        for seed in 0..100 {
            let (mut levels, counters) = simulated(seed, 1_024.0, (5_000.0, 3_000.0));
            let calm = contributions(&levels, &counters, &work(&counters)).expect("enough levels");
            // At once, or within three seconds.
            let (at, parts) = (20 + seed as usize % 80, if seed % 2 == 0 { 1 } else { 3 });
            for part in 0..parts {
                levels[at + part..].iter_mut().for_each(|level| *level -= 210_000.0 / parts as f64);
            }
            let found = contributions(&levels, &counters, &work(&counters)).expect("enough levels");
            let (one, other) = (&found.of_counters[2], &calm.of_counters[2]);
            disturbed += usize::from((one.value - other.value).abs() > other.error);
            errors = (errors.0 + one.error, errors.1 + other.error);
            assert!((found.of_time.value - calm.of_time.value).abs() < 3.0 * found.of_time.error, "seed {seed}");
        }
        assert!(disturbed <= 2 && errors.0 < 1.1 * errors.1, "{disturbed} of 100, {errors:?}");
    }

    #[test]
    fn what_is_cleared_and_filled_again_is_laid_on_nobody() {
        for seed in 0..100 {
            for clearings in [1, 2, 3, 4] {
                let (mut levels, counters) = simulated(seed, 0.0, (5_000.0, 1_000.0));
                let each = SECONDS / (clearings + 1);
                let begun = |second: usize| (second / each).min(clearings) * each;
                for (second, level) in levels.iter_mut().enumerate() {
                    *level += 2_000.0 * (counters[2][second] - counters[2][begun(second)]);
                }
                let names = named(&levels, &counters);
                assert!(names.is_empty(), "seed {seed}, cleared {clearings} times: {names:?}");
            }
        }
    }

    #[test]
    fn what_only_wanders_does_not_shift() {
        for noise in [(20_000.0, 0.0), (0.0, 20_000.0), (20_000.0, 5_000.0)] {
            for seed in 0..100 {
                let (levels, counters) = simulated(seed, 0.0, noise);
                let found = contributions(&levels, &counters, &work(&counters)).expect("enough levels");
                assert!(found.freedom >= (SECONDS - RATES.len() - 5) as f64, "seed {seed}, {noise:?}: {found:?}");
            }
        }
    }

    #[test]
    fn counters_that_say_the_same_and_short_runs_are_refused() {
        let (levels, counters) = simulated(3, 0.0, (20_000.0, 0.0));
        let twice = [counters[0].clone(), counters[0].clone()];
        assert_eq!(
            contributions(&levels, &twice, &work(&twice)).filter(|found| found.of_counters[0].error < 1e4),
            None
        );
        let short: Vec<Vec<f64>> = counters.iter().map(|counter| counter[..9].to_vec()).collect();
        assert_eq!(contributions(&levels[..9], &short, &work(&short)), None);
        assert_eq!(contributions(&levels, &[vec![0.0; SECONDS]], &levels), None);
    }
}
