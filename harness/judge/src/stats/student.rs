//! Student's t, and the normal distribution that it becomes.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The number that a t-distributed variable with `freedom` degrees of freedom stays below with probability `share`.
/// Infinite if the arguments are not a distribution: an interval of unknown width is infinitely wide.
#[must_use]
pub fn quantile(share: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(share))
}

/// The number that a normal variable stays below with probability `share`, in standard deviations.
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_the_printed_tables_and_scipy() {
        for (freedom, expected) in [(1.0, 12.706_204_736), (10.0, 2.228_138_852), (6.666_666_666_7, 2.388_804_3)] {
            assert!((quantile(0.975, freedom) - expected).abs() < 1e-5, "{freedom}: {}", quantile(0.975, freedom));
        }
        assert!(quantile(0.975, -1.0).is_infinite());
        assert!((normal_quantile(0.9995) - 3.290_526_731).abs() < 1e-6);
    }
}
