//! How well one mean with one noise explains the values of a series.

/// One mean with one noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Index of the mean in [`Competition::means`](super::competition::Competition::means).
    pub mean: usize,
    /// Index of the noise in [`Noise::family`](super::noise::Noise::family).
    pub noise: usize,
    /// Log-likelihood less half the parameters times ln n (Schwarz 1978).
    pub score: f64,
    /// Coefficient of the first column of a leaking mean: the growth over the whole run, in the unit of the values.
    /// Zero for a calm one.
    pub slope: f64,
    /// Its standard error.
    pub error: f64,
}
