//! The dominant period of a series, by its autocorrelation, and the rolling minimum that removes a sawtooth.

use std::collections::VecDeque;
use std::f64::consts::PI;

use super::cholesky::{Triangle, dot};

/// Spacing of the even grid that the series is put on, in the unit of its times (seconds).
const GRID_STEP: f64 = 2.0;

/// Most points of the grid, nine hours of them: longer runs are searched more coarsely, so that the search does not
/// outweigh the fit. A block of such a run is 273 points wide, and holds whatever is too short to be seen.
const GRID_POINTS: f64 = 16_384.0;

/// Autocorrelation at the period below which there is none (the Python reference's).
const LEAST_CORRELATION: f64 = 0.35;

/// Shortest period in steps of the grid: a shorter one lies within a block and needs no care.
const SHORTEST: usize = 5;

/// The dominant period of `ys` over `ts`, in the unit of `ts`; `None` if there is none.
///
/// The series is interpolated on an even grid and freed of a cubic trend; of its autocorrelation, the highest value
/// after the first negative one, up to a third of the series, counts if it is above 0.35.
/// `ts` strictly increasing, equal lengths. Cost: n log n.
#[must_use]
pub fn period(ts: &[f64], ys: &[f64]) -> Option<f64> {
    let (&first, &last) = (ts.first()?, ts.last()?);
    let step = GRID_STEP.max((last - first) / GRID_POINTS);
    let mut grid = interpolate(ts, ys, step);
    remove_cubic(&mut grid)?;
    let correlations = autocorrelation(&grid, grid.len() / 3)?;
    let negative = correlations.iter().position(|&a| a < 0.0)?;
    let (lag, &highest) = correlations
        .iter()
        .enumerate()
        .skip(negative)
        .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    (highest > LEAST_CORRELATION && lag + 2 < correlations.len() && lag >= SHORTEST).then_some(step * lag as f64)
}

/// Values of the polyline through the points at `first, first + step, …` below the last time.
fn interpolate(ts: &[f64], ys: &[f64], step: f64) -> Vec<f64> {
    let (first, last) = (ts[0], ts[ts.len() - 1]);
    let mut right = 1;
    let count = ((last - first) / step).ceil() as usize;
    (0..count)
        .map(|i| {
            let at = first + step * i as f64;
            while right + 1 < ts.len() && ts[right] <= at {
                right += 1;
            }
            let (t0, t1) = (ts[right - 1], ts[right]);
            ys[right - 1] + (ys[right] - ys[right - 1]) * ((at - t0) / (t1 - t0))
        })
        .collect()
}

/// Subtracts the least-squares cubic, in Legendre polynomials, which are nearly orthogonal on an even grid.
/// `None` for fewer than five points.
fn remove_cubic(values: &mut [f64]) -> Option<()> {
    if values.len() < 5 {
        return None;
    }
    let scale = 2.0 / (values.len() - 1) as f64;
    let legendre = |i: usize| {
        let u = scale * i as f64 - 1.0;
        [1.0, u, (3.0 * u * u - 1.0) / 2.0, (5.0 * u * u * u - 3.0 * u) / 2.0]
    };
    let (mut gram, mut moments) = ([[0.0; 4]; 4], [0.0; 4]);
    for (i, value) in values.iter().enumerate() {
        let basis = legendre(i);
        for a in 0..4 {
            moments[a] += basis[a] * value;
            for b in 0..=a {
                gram[a][b] += basis[a] * basis[b];
            }
        }
    }
    let factor = Triangle::factor(4, |i, j| gram[i][j])?;
    factor.solve_rows(&mut moments, 1);
    for i in (0..4).rev() {
        moments[i] = (i + 1..4).fold(moments[i], |rest, j| rest - factor.row(j)[i] * moments[j]) / factor.row(i)[i];
    }
    values.iter_mut().enumerate().for_each(|(i, value)| *value -= dot(&legendre(i), &moments));
    Some(())
}

/// Autocorrelation at lags `0..lags`, each divided by the number of pairs it is made of, by the Fourier transform
/// of the zero-padded series. `None` if the series is zero everywhere.
fn autocorrelation(values: &[f64], lags: usize) -> Option<Vec<f64>> {
    let n = values.len();
    let mut spectrum: Vec<[f64; 2]> = values.iter().map(|&v| [v, 0.0]).collect();
    spectrum.resize((2 * n).next_power_of_two(), [0.0, 0.0]);
    fourier(&mut spectrum);
    for value in &mut spectrum {
        *value = [value[0] * value[0] + value[1] * value[1], 0.0];
    }
    // The power spectrum is even: the transform is its own inverse up to a factor, which cancels below.
    fourier(&mut spectrum);
    let power = spectrum[0][0];
    (power > 0.0).then(|| (0..lags).map(|lag| spectrum[lag][0] / power * (n as f64 / (n - lag) as f64)).collect())
}

/// Discrete Fourier transform in place, radix 2 (Cooley and Tukey 1965). The length must be a power of two.
fn fourier(values: &mut [[f64; 2]]) {
    let n = values.len();
    let bits = n.trailing_zeros();
    for i in 0..n {
        let j = if bits == 0 { 0 } else { i.reverse_bits() >> (usize::BITS - bits) };
        if i < j {
            values.swap(i, j);
        }
    }
    let mut half = 1;
    while half < n {
        let roots: Vec<(f64, f64)> = (0..half).map(|k| (-PI * k as f64 / half as f64).sin_cos()).collect();
        for pair in values.chunks_exact_mut(2 * half) {
            let (evens, odds) = pair.split_at_mut(half);
            for ((even, odd), &(sin, cos)) in evens.iter_mut().zip(odds).zip(&roots) {
                let turned = [odd[0] * cos - odd[1] * sin, odd[0] * sin + odd[1] * cos];
                (*even, *odd) =
                    ([even[0] + turned[0], even[1] + turned[1]], [even[0] - turned[0], even[1] - turned[1]]);
            }
        }
        half *= 2;
    }
}

/// The least of the `width` values around each value (`width / 2` before it), fewer at the ends. Cost: linear.
#[must_use]
pub fn rolling_minimum(values: &[f64], width: usize) -> Vec<f64> {
    let (n, before) = (values.len(), width / 2);
    let after = width.saturating_sub(1) - before.min(width.saturating_sub(1));
    let mut candidates: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    (0..n)
        .map(|i| {
            while next < n && next <= i + after {
                while candidates.back().is_some_and(|&last| values[last] >= values[next]) {
                    candidates.pop_back();
                }
                candidates.push_back(next);
                next += 1;
            }
            while candidates.front().is_some_and(|&first| first + before < i) {
                candidates.pop_front();
            }
            candidates.front().map_or(values[i], |&least| values[least])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sawtooth_on_a_trend_has_its_period() {
        let ts: Vec<f64> = (0..600).map(f64::from).collect();
        let ys: Vec<f64> = ts.iter().map(|t| (t % 40.0) + 0.3 * t).collect();
        assert!((period(&ts, &ys).expect("a period") - 40.0).abs() < 1e-9);
    }

    #[test]
    fn a_line_a_constant_and_three_points_have_no_period() {
        let ts: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(period(&ts, &vec![5.0; 100]), None);
        assert_eq!(period(&ts[..3], &[1.0, 2.0, 1.0]), None);
        assert_eq!(period(&[], &[]), None);
    }

    #[test]
    fn autocorrelation_agrees_with_the_sum_of_products() {
        let values = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0, -2.0];
        let power = dot(&values, &values);
        for (lag, got) in autocorrelation(&values, 4).expect("not zero").into_iter().enumerate() {
            let direct = dot(&values[lag..], &values[..7 - lag]) / power * 7.0 / (7 - lag) as f64;
            assert!((got - direct).abs() < 1e-12);
        }
    }

    #[test]
    fn a_cubic_is_removed_completely() {
        let mut values: Vec<f64> = (0..50).map(f64::from).map(|x| 7.0 + x - 0.2 * x * x + 0.01 * x * x * x).collect();
        remove_cubic(&mut values).expect("enough points");
        assert!(values.iter().all(|v| v.abs() < 1e-9));
    }

    #[test]
    fn the_rolling_minimum_looks_both_ways_and_shrinks_at_the_ends() {
        // scipy.ndimage.minimum_filter1d([5, 3, 4, 8, 1, 9, 9, 9], 3) and the same with 4.
        let values = [5.0, 3.0, 4.0, 8.0, 1.0, 9.0, 9.0, 9.0];
        assert_eq!(rolling_minimum(&values, 3), [3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 9.0, 9.0]);
        assert_eq!(rolling_minimum(&values, 4), [3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0, 9.0]);
    }
}
