//! Independent streams of random numbers, each named, all from one seed. Pure.
//!
//! A stream per purpose: were arrivals, picks and parameters drawn from one, a parameter more would change the
//! arrivals.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

use steep_judge::units::Seed;

/// Names the way in which a seed becomes traffic. A change of it changes all traffic, and every hash.
pub const GENERATOR: &str = "steep traffic 1";

/// A stream of random numbers. `ChaCha` with eight rounds: the same numbers on every machine and in every version.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream called `name` of `seed`.
    #[must_use]
    pub fn new(seed: Seed, name: &str) -> Self {
        let key = Sha256::new()
            .chain_update(GENERATOR)
            .chain_update(seed.0.to_le_bytes())
            .chain_update(name.as_bytes())
            .finalize();
        Self(ChaCha8Rng::from_seed(key.into()))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`.
    pub fn share(&mut self) -> f64 {
        share_of(self.bits())
    }

    /// Exponential with mean 1; never infinite, because `share` is never 1.
    pub fn unit_exponential(&mut self) -> f64 {
        unit_exponential_of(self.share())
    }

    /// A whole number of `0..=last`, each equally often: Lemire's multiplication, with rejection of the uneven rest
    /// ("Fast random integer generation in an interval", 2019).
    pub fn up_to(&mut self, last: u64) -> u64 {
        let Some(count) = last.checked_add(1) else { return self.bits() };
        let uneven = count.wrapping_neg() % count;
        loop {
            let product = u128::from(self.bits()) * u128::from(count);
            if product as u64 >= uneven {
                return (product >> 64) as u64;
            }
        }
    }
}

/// Random bits as a number of `[0, 1)`.
#[must_use]
pub fn share_of(bits: u64) -> f64 {
    /// The 53 bits of an f64's mantissa.
    const STEPS: f64 = (1_u64 << 53) as f64;
    (bits >> 11) as f64 / STEPS
}

/// A share of `[0, 1)` as an exponential with mean 1.
#[must_use]
pub fn unit_exponential_of(share: f64) -> f64 {
    -(-share).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_by_name_and_repeat_by_seed() {
        let mut first = Stream::new(Seed(1), "a");
        assert_ne!(first.bits(), Stream::new(Seed(1), "b").bits());
        assert_ne!(Stream::new(Seed(2), "a").bits(), Stream::new(Seed(1), "a").bits());
        let mut again = Stream::new(Seed(1), "a");
        again.bits();
        assert_eq!(first.bits(), again.bits());
    }

    #[test]
    fn bounded_numbers_are_even_and_reach_both_ends() {
        let mut stream = Stream::new(Seed(3), "even");
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[stream.up_to(5) as usize] += 1;
        }
        // 10,000 expected each, standard deviation 91.
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(stream.up_to(0), 0);
        stream.up_to(u64::MAX);
    }
}
