//! Numbers of which the small ones are frequent, as Zipf's law has them: the k-th as often as 1/k to the power of an
//! exponent. Pure.
//!
//! Rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone discrete
//! distributions", 1996): exact, and without a table, so that a million million values take no memory. Own code,
//! because a crate that draws otherwise in its next version would change the traffic of every seed.

use super::stream::Stream;

/// Ranks `1..=count` by Zipf's law.
#[derive(Debug, Clone)]
pub struct Zipf {
    exponent: f64,
    count: u64,
    /// Integral of the law up to 1.5, less the whole weight of rank 1.
    low: f64,
    /// Integral up to `count` + ½.
    high: f64,
    /// A point no farther than this below its rank is accepted without a look at the law.
    margin: f64,
}

impl Zipf {
    /// The law over `1..=count`; `count` is at least 1 and at most 2^53.
    #[must_use]
    pub fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self { exponent, count, low: 0.0, high: 0.0, margin: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(count as f64 + 0.5);
        zipf.margin = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.weight(2.0));
        zipf
    }

    /// The next rank.
    pub fn draw(&self, stream: &mut Stream) -> u64 {
        loop {
            let area = self.high + stream.share() * (self.low - self.high);
            let point = self.inverse(area);
            let rank = (point + 0.5).clamp(1.0, self.count as f64).floor();
            if rank - point <= self.margin || area >= self.integral(rank + 0.5) - self.weight(rank) {
                return rank as u64;
            }
        }
    }

    /// Of a rank, relative to that of rank 1.
    fn weight(&self, rank: f64) -> f64 {
        (-self.exponent * rank.ln()).exp()
    }

    /// Integral of the weight from 1 to `x`, written so that it is exact at and near an exponent of 1.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        let power = (1.0 - self.exponent) * log;
        // (e^p - 1) / p, which is 1 where p is 0.
        let growth = if power == 0.0 { 1.0 } else { power.exp_m1() / power };
        growth * log
    }

    fn inverse(&self, area: f64) -> f64 {
        // Rounding must not lead to the logarithm of a negative number.
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        let shrink = if scaled == 0.0 { 1.0 } else { scaled.ln_1p() / scaled };
        (shrink * area).exp()
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ChiSquared, ContinuousCDF as _};

    use super::*;
    use steep_judge::units::Seed;

    /// How probable it is that exact draws differ from the law at least as much as `draws` of these do.
    fn chi_square_p(count: u64, exponent: f64, draws: u32) -> f64 {
        let zipf = Zipf::new(count, exponent);
        let mut stream = Stream::new(Seed(7), "zipf");
        let mut counts = vec![0.0_f64; count as usize];
        (0..draws).for_each(|_| counts[zipf.draw(&mut stream) as usize - 1] += 1.0);
        let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-exponent)).collect();
        let total: f64 = weights.iter().sum();
        let expected = weights.iter().map(|weight| weight / total * f64::from(draws));
        let distance: f64 =
            counts.iter().zip(expected).map(|(count, expected)| (count - expected).powi(2) / expected).sum();
        1.0 - ChiSquared::new((count - 1) as f64).expect("a distribution").cdf(distance)
    }

    #[test]
    fn frequencies_are_those_of_the_law() {
        // The seed is fixed: this cannot fail by chance, and an error of 1 % in any frequency would show.
        for exponent in [0.0, 0.5, 0.999_999_999, 1.0, 1.1, 2.0] {
            let p = chi_square_p(50, exponent, 400_000);
            assert!(p > 0.001, "exponent {exponent}: p = {p}");
        }
        assert!(chi_square_p(2, 3.0, 400_000) > 0.001);
    }

    #[test]
    fn a_million_million_values_need_no_table() {
        let zipf = Zipf::new(1_000_000_000_000, 1.1);
        let mut stream = Stream::new(Seed(1), "zipf");
        let drawn: Vec<u64> = (0..100_000).map(|_| zipf.draw(&mut stream)).collect();
        assert!(drawn.iter().all(|rank| (1..=1_000_000_000_000).contains(rank)));
        // The weights sum to zeta(1.1) less the tail beyond 10^12: 10.584 - 0.631 = 9.953, so that rank 1 has 0.1005 of
        // all.
        let ones = drawn.iter().filter(|rank| **rank == 1).count();
        // 10,047 expected, standard deviation 95.
        assert!((9_760..10_340).contains(&ones), "{ones} of rank 1");
        assert!(drawn.iter().any(|rank| *rank > 1_000_000_000));
    }

    #[test]
    fn one_value_and_the_steepest_law_give_the_smallest() {
        let mut stream = Stream::new(Seed(1), "zipf");
        assert_eq!(Zipf::new(1, 1.0).draw(&mut stream), 1);
        let steep = Zipf::new(1 << 53, 10.0);
        assert!((0..1000).filter(|_| steep.draw(&mut stream) == 1).count() > 990);
    }
}
