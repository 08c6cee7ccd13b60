//! The arithmetic of sampling by bytes, without a library for mathematics: what is preloaded may need nothing.
//!
//! Every byte is chosen with the same small probability, each by itself; an allocation is sampled when one of its
//! bytes is. So the gaps between chosen bytes are exponential, and an allocation of `size` bytes is sampled with
//! probability `1 - exp(-size / every)`. Each sample stands for one over that many objects, which is unbiased for
//! every size.

/// Bytes until the next sample, when one byte in `every` is chosen and `random` is uniform over all numbers.
#[must_use]
pub fn gap(random: u64, every: u64) -> u64 {
    // 53 bits, the middle of each step: neither 0 nor 1.
    let uniform = ((random >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0;
    (-logarithm(uniform) * every as f64) as u64 + 1
}

/// How many objects of `size` bytes one sample stands for.
#[must_use]
pub fn objects(size: u64, every: u64) -> f64 {
    1.0 / chosen(size as f64 / every.max(1) as f64)
}

/// `1 - exp(-of)`, exact for small ones as well.
fn chosen(of: f64) -> f64 {
    // Below 1/16 the series is exact to a part in 10^9; above, nothing cancels.
    if of < 0.0625 {
        of * (1.0 - of / 2.0 * (1.0 - of / 3.0 * (1.0 - of / 4.0 * (1.0 - of / 5.0))))
    } else {
        1.0 - exponential(-of)
    }
}

/// The natural logarithm of a number between 0 and 1, to a part in 10^9.
fn logarithm(of: f64) -> f64 {
    let bits = of.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as f64 - 1023.0;
    let fraction = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    // ln m = 2 artanh s with s = (m - 1) / (m + 1), at most 1/3 here.
    let s = (fraction - 1.0) / (fraction + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    let mut term = s;
    let mut odd = 1.0;
    while odd < 26.0 {
        sum += term / odd;
        term *= square;
        odd += 2.0;
    }
    exponent * core::f64::consts::LN_2 + 2.0 * sum
}

/// `exp(of)` for numbers that are not positive.
fn exponential(of: f64) -> f64 {
    // Smaller than any weight can show.
    if of < -50.0 {
        return 0.0;
    }
    // A 64th of it has a series of a few terms; six squarings give the whole.
    let small = of / 64.0;
    let mut sum = 1.0;
    let mut term = 1.0;
    let mut order = 1.0;
    while order < 14.0 {
        term *= small / order;
        sum += term;
        order += 1.0;
    }
    let mut squarings = 0;
    while squarings < 6 {
        sum *= sum;
        squarings += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{exponential, gap, logarithm, objects};
    use crate::layout::mixed;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_logarithm_is_that_of_the_standard_library(of in 1e-17_f64..1.0) {
            prop_assert!((logarithm(of) - of.ln()).abs() <= 1e-9 * of.ln().abs().max(1e-3));
        }

        #[test]
        fn the_exponential_is_that_of_the_standard_library(of in -49.0_f64..0.0) {
            prop_assert!((exponential(of) - of.exp()).abs() <= 1e-9);
        }

        #[test]
        fn a_sample_stands_for_one_over_its_probability(size in 1_u64..10_000_000, every in 1_u64..10_000_000) {
            let expected = 1.0 / -(-(size as f64) / every as f64).exp_m1();
            prop_assert!((objects(size, every) / expected - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn gaps_are_exponential() {
        const EVERY: u64 = 512 * 1024;
        const DRAWS: u64 = if cfg!(miri) { 500 } else { 200_000 };
        let (mut sum, mut longer) = (0.0, 0);
        for draw in 0..DRAWS {
            let gap = gap(mixed(draw), EVERY);
            sum += gap as f64;
            longer += u64::from(gap as f64 > 2.0 * EVERY as f64);
        }
        // Four standard errors.
        assert!((sum / DRAWS as f64 / EVERY as f64 - 1.0).abs() < 4.0 / (DRAWS as f64).sqrt());
        let share = longer as f64 / DRAWS as f64;
        assert!((share - (-2.0_f64).exp()).abs() < 4.0 * (0.135 * 0.865 / DRAWS as f64).sqrt(), "{share}");
    }

    #[test]
    fn the_sum_of_the_weights_is_unbiased_for_every_size() {
        // An interpreter has not the time for the millions of small ones.
        for size in [16, 1_000, 100_000, 3_000_000_u64].into_iter().filter(|size| !cfg!(miri) || *size >= 100_000) {
            const EVERY: u64 = 64 * 1024;
            let wanted = if cfg!(miri) { 100.0 } else { 4_000.0_f64 };
            let allocations = (wanted / -(-(size as f64) / EVERY as f64).exp_m1()) as u64;
            let (mut until, mut seen, mut draw) = (gap(mixed(7), EVERY).cast_signed(), 0.0, 0);
            for _ in 0..allocations {
                until -= size.cast_signed();
                if until <= 0 {
                    seen += objects(size, EVERY);
                    draw += 1;
                    until = gap(mixed(1_000 + draw), EVERY).cast_signed();
                }
            }
            assert!((seen / allocations as f64 - 1.0).abs() < 4.0 / wanted.sqrt(), "{size}: {seen} of {allocations}");
        }
    }
}
