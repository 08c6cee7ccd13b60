//! What the noise around a mean may look like: an autoregressive part, up to a random walk, plus a white part.

use super::cholesky::Triangle;

/// Correlations of neighbouring blocks that are tried. 1 is the random walk, without which a slowly wandering live
/// set is called a leak (METHOD.md, ablation).
const CORRELATIONS: [f64; 7] = [0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 1.0];

/// Variances of the white part that are tried, relative to the autoregressive one.
const WHITE_SHARES: [f64; 4] = [0.0, 0.3, 1.0, 3.0];

/// Added to every variance so that nearly singular matrices factor; far below any share above.
const JITTER: f64 = 1e-8;

/// One covariance up to a scale: `R + white·I` with `Rᵢⱼ = correlation^|i−j|`, or `min(i, j) + 1` for a random walk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Correlation of neighbouring blocks, 0 to 1; 1 is a random walk.
    pub correlation: f64,
    /// Variance of the white part relative to that of the correlated one.
    pub white: f64,
}

impl Noise {
    /// The 25 covariances of the method: white noise once, every other correlation with every white share.
    pub fn family() -> impl Iterator<Item = Self> {
        CORRELATIONS.into_iter().flat_map(|correlation| {
            let shares = if correlation == 0.0 { &WHITE_SHARES[..1] } else { &WHITE_SHARES[..] };
            shares.iter().map(move |&white| Self { correlation, white })
        })
    }

    /// The Cholesky factor of this covariance over `n` equally spaced blocks.
    #[must_use]
    pub fn factor(self, n: usize) -> Option<Triangle> {
        let powers: Vec<f64> = (0..n).map(|lag| self.correlation.powf(lag as f64)).collect();
        let walk = self.correlation >= 1.0;
        Triangle::factor(n, |i, j| {
            let correlated = if walk { j as f64 + 1.0 } else { powers[i - j] };
            if i == j { correlated + self.white + JITTER } else { correlated }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_has_25_members_and_every_one_factors() {
        let family: Vec<Noise> = Noise::family().collect();
        assert_eq!(family.len(), 25);
        assert!(family.iter().all(|noise| noise.factor(60).is_some()));
    }

    #[test]
    fn an_autoregressive_factor_has_its_closed_form() {
        // The determinant of ρ^|i−j| over n points is (1−ρ²)^(n−1).
        let factor = Noise { correlation: 0.8, white: 0.0 }.factor(10).expect("positive definite");
        assert!((factor.half_log_determinant() - 4.5 * 0.36_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn a_random_walk_is_whitened_into_its_increments() {
        let factor = Noise { correlation: 1.0, white: 0.0 }.factor(4).expect("positive definite");
        let mut walk = [1.0, 3.0, 2.0, 5.0];
        factor.solve_rows(&mut walk, 1);
        for (got, expected) in walk.iter().zip([1.0, 2.0, -1.0, 3.0]) {
            assert!((got - expected).abs() < 1e-6);
        }
    }
}
