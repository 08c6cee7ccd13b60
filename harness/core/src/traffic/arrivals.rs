//! Due times, from the curve of expected arrivals. Pure.

use crate::scenario::{Arrival, Block, Code};
use steep_judge::units::SinceStart;

use super::curve::Curve;
use super::stream::Stream;

/// The due times of a cell, in order.
#[derive(Debug, Clone)]
pub struct Arrivals {
    curve: Curve,
    spacing: Spacing,
    last: SinceStart,
    /// What leaves its idle blocks without arrivals.
    code: Option<Code>,
}

/// Where on the axis of expected arrivals the next one lies.
#[derive(Debug, Clone)]
enum Spacing {
    /// The n-th (from 1) lies at n - ½, the middle of its share: the count up to any moment is the integral of the
    /// rate, rounded, whatever the phases.
    Constant { due: u64 },
    /// Gaps are exponential with mean 1, which the curve stretches into a Poisson process of the wanted rate, at phase
    /// borders and on ramps too.
    Poisson { at: f64, gaps: Box<Stream> },
}

impl Arrivals {
    /// The arrivals along `curve`, but for the idle blocks of `code`; `stream` is used by Poisson arrivals alone.
    #[must_use]
    pub fn new(curve: Curve, arrival: Arrival, stream: Stream, code: Option<Code>) -> Self {
        let spacing = match arrival {
            Arrival::Constant => Spacing::Constant { due: 0 },
            Arrival::Poisson => Spacing::Poisson { at: 0.0, gaps: Box::new(stream) },
        };
        Self { curve, spacing, last: SinceStart::ZERO, code }
    }

    /// The next moment on the curve, whatever the code.
    fn moment(&mut self) -> Option<SinceStart> {
        let arrivals = match &mut self.spacing {
            Spacing::Constant { due } => {
                *due += 1;
                *due as f64 - 0.5
            }
            Spacing::Poisson { at, gaps } => {
                *at += gaps.unit_exponential();
                *at
            }
        };
        // `max`: rounding on a ramp must not swap two requests that are due in the same nanosecond.
        self.last = self.curve.moment_of(arrivals)?.max(self.last);
        Some(self.last)
    }
}

impl Iterator for Arrivals {
    type Item = SinceStart;

    fn next(&mut self) -> Option<SinceStart> {
        loop {
            let moment = self.moment()?;
            if self.code.as_ref().is_none_or(|code| code.at(moment) != Block::Idle) {
                return Some(moment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::curve::tests::any_phases;
    use super::*;
    use crate::traffic::testing::{constant, ramp};
    use steep_judge::units::Seed;

    fn arrivals(phases: &[crate::scenario::Phase], arrival: Arrival, seed: u64) -> Arrivals {
        Arrivals::new(Curve::new(phases), arrival, Stream::new(Seed(seed), "arrivals"), None)
    }

    #[test]
    fn constant_arrivals_are_evenly_spaced() {
        let dues: Vec<f64> =
            arrivals(&[constant(4.0, 1.0)], Arrival::Constant, 1).map(SinceStart::as_secs_f64).collect();
        assert_eq!(dues, [0.125, 0.375, 0.625, 0.875]);
    }

    #[test]
    fn poisson_arrivals_have_the_mean_and_variance_of_their_rate() {
        let phases = [ramp(0.0, 200.0, 200.0), constant(200.0, 300.0)];
        let dues: Vec<SinceStart> = arrivals(&phases, Arrival::Poisson, 7).collect();
        // 80,000 expected, standard deviation 283.
        assert!((79_000..81_000).contains(&dues.len()), "{} arrivals", dues.len());
        // Counts of the 300 steady seconds: variance over mean is 1, give or take sqrt(2/300) = 0.08.
        let mut counts = [0.0_f64; 300];
        for due in &dues {
            if let Some(second) = (due.as_secs_f64() as usize).checked_sub(200) {
                counts[second] += 1.0;
            }
        }
        let mean = counts.iter().sum::<f64>() / 300.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 299.0;
        assert!((0.7..1.3).contains(&(variance / mean)), "variance over mean {}", variance / mean);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn constant_arrivals_up_to_any_moment_are_within_one_of_the_integral(
            phases in any_phases(), shares in prop::collection::vec(0.0..1.0, 8),
        ) {
            let curve = Curve::new(&phases);
            let dues: Vec<SinceStart> = arrivals(&phases, Arrival::Constant, 1).collect();
            prop_assert!(dues.is_sorted());
            let moments = shares.iter().map(|share| SinceStart::new(curve.end().elapsed().mul_f64(*share)));
            let mut border = SinceStart::ZERO;
            let borders = phases.iter().map(|phase| { border = border + phase.duration; border });
            for moment in moments.chain(borders) {
                let count = dues.partition_point(|due| *due <= moment) as f64;
                let expected = curve.expected_by(moment);
                prop_assert!((count - expected).abs() < 1.0, "{count} due by {moment}, {expected} expected");
            }
        }
    }
}
