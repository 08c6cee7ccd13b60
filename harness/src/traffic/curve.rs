//! The rate of arrivals over a chain of phases, as its integral: how many requests are due by a moment, and by which
//! moment the n-th is.
//!
//! Each phase is a row of segments on which the rate is a straight line, so that the integral is inverted in closed form
//! and from the index alone: there is no sum of gaps, and so no drift over hours. Pure.

use std::time::Duration;

use crate::scenario::{Phase, Shape};
use crate::units::SinceStart;

/// Expected arrivals over the time of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    segments: Vec<Segment>,
    end: Duration,
    total: f64,
}

/// A stretch on which the rate is a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    start: Duration,
    length: Duration,
    start_rate: f64,
    target_rate: f64,
    /// Arrivals expected before it.
    before: f64,
}

impl Curve {
    /// The curve of `phases`, one after the other. Rates that are negative or no numbers count as 0.
    #[must_use]
    pub fn new(phases: &[Phase]) -> Self {
        let mut curve = Self { segments: Vec::with_capacity(phases.len()), end: Duration::ZERO, total: 0.0 };
        for phase in phases {
            let (start_rate, target_rate) = match phase.shape {
                Shape::Constant { rate } => (rate.get(), rate.get()),
                Shape::Ramp { start_rate, target_rate } => (start_rate.get(), target_rate.get()),
                Shape::Pause => (0.0, 0.0),
            };
            curve.push(start_rate, target_rate, phase.duration);
        }
        curve
    }

    fn push(&mut self, start_rate: f64, target_rate: f64, length: Duration) {
        // `max` also turns NaN into 0.
        let (start_rate, target_rate) = (start_rate.max(0.0), target_rate.max(0.0));
        let segment = Segment { start: self.end, length, start_rate, target_rate, before: self.total };
        self.end += length;
        self.total += segment.expected();
        self.segments.push(segment);
    }

    /// When the last phase ends.
    #[must_use]
    pub fn end(&self) -> SinceStart {
        SinceStart::new(self.end)
    }

    /// Arrivals expected in all.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Arrivals expected by `moment`.
    #[must_use]
    pub fn expected_by(&self, moment: SinceStart) -> f64 {
        let after = self.segments.partition_point(|segment| segment.start <= moment.elapsed());
        match after.checked_sub(1).map(|index| &self.segments[index]) {
            Some(segment) => segment.before + segment.expected_after(moment.elapsed().saturating_sub(segment.start)),
            None => 0.0,
        }
    }

    /// The moment by which `arrivals` are expected; none if there are never so many.
    #[must_use]
    pub fn moment_of(&self, arrivals: f64) -> Option<SinceStart> {
        if !(0.0..self.total).contains(&arrivals) {
            return None;
        }
        // The last one that begins at or below: a pause has the same `before` as what follows it, and is passed over.
        let index = self.segments.partition_point(|segment| segment.before <= arrivals) - 1;
        Some(SinceStart::new(self.segments[index].moment_of(arrivals)))
    }
}

impl Segment {
    fn expected(&self) -> f64 {
        f64::midpoint(self.start_rate, self.target_rate) * self.length.as_secs_f64()
    }

    fn expected_after(&self, elapsed: Duration) -> f64 {
        if elapsed >= self.length {
            return self.expected();
        }
        let elapsed_s = elapsed.as_secs_f64();
        let share = elapsed_s / self.length.as_secs_f64();
        (self.start_rate + (self.target_rate - self.start_rate) * share / 2.0) * elapsed_s
    }

    /// Solves `start_rate·x + slope·x²/2 = arrivals - before` for `x`. The root is written with the square root in the
    /// denominator: the school form subtracts two nearly equal numbers where the ramp is flat, and divides by 0 where it
    /// is level. Rounded to the nanosecond, and never past the end of the segment.
    fn moment_of(&self, arrivals: f64) -> Duration {
        let within = (arrivals - self.before).max(0.0);
        if within == 0.0 {
            return self.start;
        }
        let slope = (self.target_rate - self.start_rate) / self.length.as_secs_f64();
        let rate_there = (self.start_rate * self.start_rate + 2.0 * slope * within).max(0.0).sqrt();
        let elapsed_s = 2.0 * within / (self.start_rate + rate_there);
        self.start + Duration::try_from_secs_f64(elapsed_s).unwrap_or(self.length).min(self.length)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::Role;
    use crate::units::Rps;

    pub(crate) fn phase(shape: Shape, seconds: f64) -> Phase {
        Phase {
            name: "p".to_owned(),
            role: Role::Steady,
            shape,
            duration: Duration::from_secs_f64(seconds),
            storm: None,
        }
    }

    pub(crate) fn constant(rate: f64, seconds: f64) -> Phase {
        phase(Shape::Constant { rate: Rps::new(rate) }, seconds)
    }

    pub(crate) fn ramp(start_rate: f64, target_rate: f64, seconds: f64) -> Phase {
        let shape = Shape::Ramp { start_rate: Rps::new(start_rate), target_rate: Rps::new(target_rate) };
        phase(shape, seconds)
    }

    pub(crate) fn pause(seconds: f64) -> Phase {
        phase(Shape::Pause, seconds)
    }

    /// Any chain of phases, among them empty ones and ramps from and to 0.
    pub(crate) fn any_phases() -> impl Strategy<Value = Vec<Phase>> {
        let rate = || prop_oneof![Just(0.0), 0.0..500.0];
        let seconds = || prop_oneof![Just(0.0), 0.001..20.0];
        let any_phase = prop_oneof![
            (rate(), seconds()).prop_map(|(rate, seconds)| constant(rate, seconds)),
            (rate(), rate(), seconds()).prop_map(|(from, to, seconds)| ramp(from, to, seconds)),
            seconds().prop_map(pause),
        ];
        prop::collection::vec(any_phase, 1..6)
    }

    #[test]
    fn a_ramp_from_zero_is_the_square_root() {
        let curve = Curve::new(&[ramp(0.0, 200.0, 100.0)]);
        assert!((curve.total() - 10_000.0).abs() < 1e-9);
        assert_eq!(curve.moment_of(2_500.0), Some(SinceStart::from_secs_f64(50.0)));
    }

    #[test]
    fn a_pause_is_passed_over_and_its_borders_are_exact() {
        let curve = Curve::new(&[constant(100.0, 1.0), pause(3600.0), constant(1.0, 10.0)]);
        assert_eq!(curve.moment_of(99.5), Some(SinceStart::from_secs_f64(0.995)));
        assert_eq!(curve.moment_of(100.0), Some(SinceStart::from_secs_f64(3601.0)));
        assert_eq!(curve.moment_of(110.0), None);
    }

    #[test]
    fn a_week_at_ten_thousand_a_second_does_not_drift() {
        let week_s = 604_800.0;
        let curve = Curve::new(&[constant(10_000.0, week_s)]);
        let moment = curve.moment_of(10_000.0 * (week_s - 1.0)).expect("within the week");
        assert_eq!(moment, SinceStart::from_secs_f64(week_s - 1.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_inverse_is_the_inverse(phases in any_phases(), share in 0.0..1.0) {
            let curve = Curve::new(&phases);
            let arrivals = share * curve.total();
            if let Some(moment) = curve.moment_of(arrivals) {
                // A nanosecond at 500/s is half a millionth of an arrival.
                prop_assert!((curve.expected_by(moment) - arrivals).abs() < 1e-6 * (1.0 + arrivals));
            }
        }
    }
}
