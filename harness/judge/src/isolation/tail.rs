//! Tails of the normal distribution: what is left of an effect once it must be at least so large.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::erfc;

/// From here on `erfc` comes near the smallest number, and its expansion is exact to 10⁻⁴.
const FAR: f64 = 20.0;

/// The logarithm of the probability that a standard normal variable is above `z`.
pub(super) fn ln_above(z: f64) -> f64 {
    if z < FAR {
        return (0.5 * erfc(z / SQRT_2)).ln();
    }
    ln_density(z) - z.ln() - (1.0 / (z * z)).ln_1p()
}

fn ln_density(z: f64) -> f64 {
    -0.5 * (z * z + (2.0 * PI).ln())
}

/// How far the mean of a standard normal variable moves once it is known to be above `z`.
fn hazard(z: f64) -> f64 {
    (ln_density(z) - ln_above(z)).exp()
}

/// The logarithm of the probability that all `N` normal variables that are named in `which` are above `least`, given
/// their means and covariance. After Mendell and Elston: the least likely is taken first, and the others are then taken
/// for normal again. Exact where they are independent; the true value is missed by little where only the first few
/// matter, which is so here.
pub(super) fn ln_all_above<const N: usize>(
    least: f64,
    which: &[usize],
    mut mean: [f64; N],
    mut covariance: [[f64; N]; N],
) -> f64 {
    let mut left = which.to_vec();
    let mut sum = 0.0;
    while !left.is_empty() {
        let z = |i: usize| (least - mean[i]) / covariance[i][i].sqrt();
        let (at, _) = left
            .iter()
            .enumerate()
            .fold((0, f64::NEG_INFINITY), |best, (at, &i)| if z(i) > best.1 { (at, z(i)) } else { best });
        let i = left.swap_remove(at);
        let z = z(i);
        sum += ln_above(z);
        let (shift, variance) = (hazard(z), covariance[i][i]);
        let shrink = shift * (shift - z);
        let along = covariance[i];
        for &j in &left {
            mean[j] += along[j] / variance.sqrt() * shift;
            for &k in &left {
                covariance[j][k] -= along[j] * along[k] / variance * shrink;
            }
            // Rounding must not make a variance of a certainty negative.
            covariance[j][j] = covariance[j][j].max(f64::MIN_POSITIVE);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_agree_with_scipy() {
        // scipy.stats.norm.logsf
        for (z, expected) in
            [(-1.0, -0.172_753_78), (0.0, -std::f64::consts::LN_2), (3.0, -6.607_726_22), (30.0, -454.321_244)]
        {
            assert!((ln_above(z) - expected).abs() < 1e-4, "{z}: {}", ln_above(z));
        }
        assert!((ln_above(FAR - 1e-9) - ln_above(FAR)).abs() < 1e-3);
    }

    #[test]
    fn independent_variables_multiply_and_correlated_ones_have_their_closed_form() {
        let independent = ln_all_above(0.5, &[0, 1], [0.0, 2.0], [[1.0, 0.0], [0.0, 4.0]]);
        assert!((independent - ln_above(0.5) - ln_above(-0.75)).abs() < 1e-12);
        // Both above their mean: 1/4 + asin(ρ)/2π.
        for correlation in [-0.8_f64, -0.3, 0.5] {
            let got = ln_all_above(0.0, &[0, 1], [0.0; 2], [[1.0, correlation], [correlation, 1.0]]);
            let expected = 0.25 + correlation.asin() / (2.0 * PI);
            assert!((got.exp() - expected).abs() < 0.015, "{correlation}: {} for {expected}", got.exp());
        }
    }
}
