//! Order statistics and the few moments that the other modules share.

/// Quantile `share` in `0..=1` of `values` by linear interpolation between order statistics (type 7 of Hyndman and
/// Fan 1996, numpy's default). Unit of the result: that of the values. NaN for an empty slice. Cost: linear; the
/// slice is partly reordered.
pub fn quantile_in_place(values: &mut [f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = (position.floor() as usize).min(last);
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    if high.is_finite() { low + (position - below as f64) * (high - low) } else { low }
}

/// As [`quantile_in_place`], on a copy.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    quantile_in_place(&mut values.to_vec(), share)
}

/// The median; the mean of the two middle values for an even count. NaN for an empty slice.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// 1.4826 = 1/Φ⁻¹(3/4): makes the median absolute deviation estimate the standard deviation of a normal sample.
const MAD_TO_SIGMA: f64 = 1.4826;

/// Standard deviation estimated by the median absolute deviation from the median. NaN for an empty slice.
#[must_use]
pub fn robust_sigma(values: &[f64]) -> f64 {
    let mut deviations = values.to_vec();
    let centre = quantile_in_place(&mut deviations, 0.5);
    for deviation in &mut deviations {
        *deviation = (*deviation - centre).abs();
    }
    MAD_TO_SIGMA * quantile_in_place(&mut deviations, 0.5)
}

/// Arithmetic mean. NaN for an empty slice.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation with divisor n (not n − 1). NaN for an empty slice.
#[must_use]
pub fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    (values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Derivative of `ys` by `xs` at every x: the slope of the parabola through three neighbours, at the ends the slope
/// to the one neighbour (numpy's `gradient`). `xs` strictly increasing, equal lengths. Zeros for fewer than two points.
#[must_use]
pub fn gradient(xs: &[f64], ys: &[f64]) -> Vec<f64> {
    let n = xs.len().min(ys.len());
    if n < 2 {
        return vec![0.0; n];
    }
    let chord = |i: usize| (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]);
    let mut slopes = Vec::with_capacity(n);
    let mut last = chord(0);
    slopes.push(last);
    for i in 1..n - 1 {
        let (before, after, next) = (xs[i] - xs[i - 1], xs[i + 1] - xs[i], chord(i));
        slopes.push((last * after + next * before) / (before + after));
        last = next;
    }
    slopes.push(chord(n - 2));
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_numpy() {
        // np.quantile([7, 1, 3, 10], [0, .2, .25, .5, .9, 1])
        let expected = [1.0, 2.2, 2.5, 5.0, 9.1, 10.0];
        for (share, expected) in [0.0, 0.2, 0.25, 0.5, 0.9, 1.0].into_iter().zip(expected) {
            assert!((quantile(&[7.0, 1.0, 3.0, 10.0], share) - expected).abs() < 1e-12);
        }
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn robust_sigma_of_one_to_five_is_one_deviation() {
        assert!((robust_sigma(&[1.0, 2.0, 3.0, 4.0, 500.0]) - 1.4826).abs() < 1e-12);
    }

    #[test]
    fn the_gradient_of_a_parabola_is_exact_inside_on_uneven_steps() {
        let xs = [0.0, 1.0, 3.0, 4.0, 8.0];
        let ys = xs.map(|x| x * x);
        let slopes = gradient(&xs, &ys);
        for (got, expected) in slopes.iter().zip([1.0, 2.0, 6.0, 8.0, 12.0]) {
            assert!((got - expected).abs() < 1e-12, "{slopes:?}");
        }
    }

    #[test]
    fn the_deviation_divides_by_n() {
        assert!((deviation(&[1.0, 3.0]) - 1.0).abs() < 1e-15);
        assert!((mean(&[1.0, 3.0]) - 2.0).abs() < 1e-15);
    }
}
