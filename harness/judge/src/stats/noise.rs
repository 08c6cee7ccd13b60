//! What the noise around a mean may look like: an autoregressive part, up to a random walk, plus a white part.

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

    /// What whitens `n` equally spaced blocks of this noise.
    ///
    /// The inverse of the Cholesky factor of a covariance turns values into their innovations: each less what those
    /// before it foretell, over the deviation of the difference. For an autoregression in white noise these are the
    /// steps of a Kalman filter (Harvey 1989, section 3.4): n steps for a column instead of the n²/2 of a triangle.
    #[must_use]
    pub fn whitening(self, n: usize) -> Whitening {
        let Self { correlation, white } = self;
        let white = white + JITTER;
        // A random walk steps by 1, and so does the covariance above; an autoregression keeps its variance of 1.
        let innovation = if correlation >= 1.0 { 1.0 } else { 1.0 - correlation * correlation };
        let mut hidden = 1.0;
        let mut half_log_determinant = 0.0;
        let steps = (0..n)
            .map(|_| {
                let seen: f64 = hidden + white;
                half_log_determinant += 0.5 * seen.ln();
                let step = Step {
                    kept: correlation * white / seen,
                    taken: correlation * hidden / seen,
                    scale: 1.0 / seen.sqrt(),
                };
                hidden = correlation * correlation * hidden * white / seen + innovation;
                step
            })
            .collect();
        Whitening { steps, half_log_determinant }
    }
}

/// One block of a [`Whitening`].
#[derive(Debug, Clone, Copy)]
struct Step {
    /// What the next block is foretold by: this much of what this one was.
    kept: f64,
    /// And this much of its value.
    taken: f64,
    /// One over the deviation of the value from what was foretold.
    scale: f64,
}

/// The inverse of the Cholesky factor of one covariance.
#[derive(Debug, Clone)]
pub struct Whitening {
    steps: Vec<Step>,
    /// Half the logarithm of the determinant of the covariance.
    pub half_log_determinant: f64,
}

impl Whitening {
    /// Whitens every column of `rows`, a matrix of one row of `width` numbers for each block.
    pub fn whiten(&self, rows: &mut [f64], width: usize) {
        let mut foretold = vec![0.0; width];
        for (step, row) in self.steps.iter().zip(rows.chunks_exact_mut(width.max(1))) {
            for (value, foretold) in row.iter_mut().zip(&mut foretold) {
                let next = step.kept * *foretold + step.taken * *value;
                *value = (*value - *foretold) * step.scale;
                *foretold = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cholesky::Triangle;
    use super::*;

    /// The definition: `R + white·I`, factored as any matrix is.
    fn factor(noise: Noise, n: usize) -> Triangle {
        let correlated = |i: usize, j: usize| match noise.correlation {
            walk if walk >= 1.0 => j as f64 + 1.0,
            correlation => correlation.powf((i - j) as f64),
        };
        let entry = |i: usize, j: usize| correlated(i, j) + if i == j { noise.white + JITTER } else { 0.0 };
        Triangle::factor(n, entry).expect("positive definite")
    }

    #[test]
    fn whitening_is_the_inverse_of_the_cholesky_factor_for_all_25_members() {
        let columns: Vec<f64> = (0..120).map(|i| f64::from(i % 7) - 0.3 * f64::from(i % 11)).collect();
        assert_eq!(Noise::family().count(), 25);
        for noise in Noise::family() {
            let (factor, whitening) = (factor(noise, 60), noise.whitening(60));
            let (mut by_factor, mut by_filter) = (columns.clone(), columns.clone());
            factor.solve_rows(&mut by_factor, 2);
            whitening.whiten(&mut by_filter, 2);
            for (a, b) in by_factor.iter().zip(&by_filter) {
                assert!((a - b).abs() < 1e-10 * a.abs().max(1.0), "{noise:?}: {a} {b}");
            }
            let determinant: f64 = (0..60).map(|i| factor.row(i)[i].ln()).sum();
            assert!((determinant - whitening.half_log_determinant).abs() < 1e-10, "{noise:?}");
        }
    }

    #[test]
    fn an_autoregressive_determinant_has_its_closed_form() {
        // The determinant of ρ^|i−j| over n points is (1−ρ²)^(n−1).
        let whitening = Noise { correlation: 0.8, white: 0.0 }.whitening(10);
        assert!((whitening.half_log_determinant - 4.5 * 0.36_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn a_random_walk_is_whitened_into_its_increments() {
        let mut walk = [1.0, 3.0, 2.0, 5.0];
        Noise { correlation: 1.0, white: 0.0 }.whitening(4).whiten(&mut walk, 1);
        for (got, expected) in walk.iter().zip([1.0, 2.0, -1.0, 3.0]) {
            assert!((got - expected).abs() < 1e-6);
        }
    }
}
