//! The rate of arrivals over a chain of phases, as its integral: how many requests are due by a moment, and by which
//! moment the n-th is.
//!
//! Each phase is a row of segments on which the rate is a straight line or a wave. The integral is inverted from the
//! index alone, in closed form on lines: there is no sum of gaps, and so no drift over hours. Pure.

mod form;

use std::time::Duration;

use self::form::{Line, Wave};
use crate::scenario::rates::Stretch;
use crate::scenario::{Phase, Shape};
use steep_judge::units::{Rps, SinceStart};

/// Expected arrivals over the time of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    segments: Vec<Segment>,
    end: Duration,
    total: f64,
}

/// A stretch on which the rate is of one form.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    start: Duration,
    length: Duration,
    form: Form,
    /// Arrivals expected before it.
    before: f64,
}

/// The rate over a stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Line(Line),
    Wave(Wave),
}

impl Curve {
    /// The curve of `phases`, one after the other. Rates that are negative or no numbers count as 0.
    #[must_use]
    pub fn new(phases: &[Phase]) -> Self {
        let mut curve = Self { segments: Vec::with_capacity(phases.len()), end: Duration::ZERO, total: 0.0 };
        for phase in phases {
            let end = curve.end + phase.duration;
            curve.push_shape(&phase.shape, phase.duration);
            debug_assert_eq!(curve.end, end, "a shape fills its phase");
        }
        curve
    }

    /// A phase of `duration` whose lines come from a file: as many as were drawn, and no requests in what they leave
    /// over.
    fn push_stretches(&mut self, stretches: &[Stretch], duration: Duration) {
        let mut left = duration;
        for stretch in stretches {
            self.push_line(stretch.start_rate, stretch.target_rate, stretch.length.min(left));
            left = left.saturating_sub(stretch.length);
        }
        self.push_line(Rps::new(0.0), Rps::new(0.0), left);
    }

    fn push_shape(&mut self, shape: &Shape, duration: Duration) {
        match shape {
            Shape::Constant { rate } => self.push_line(*rate, *rate, duration),
            Shape::Ramp { start_rate, target_rate } => self.push_line(*start_rate, *target_rate, duration),
            Shape::Stages { start_rate, stages } => {
                let mut from = *start_rate;
                for stage in stages {
                    self.push_line(from, stage.target_rate, stage.duration);
                    from = stage.target_rate;
                }
            }
            Shape::Step { start_rate, increment, levels, level_duration } => {
                for level in 0..*levels {
                    let rate = Rps::new(start_rate.get() + increment.get() * f64::from(level));
                    self.push_line(rate, rate, *level_duration);
                }
            }
            Shape::Spike { rate, peak_rate, every, width } => {
                self.push_spikes(*rate, *peak_rate, (*every, *width), duration);
            }
            Shape::Square { low, high, halves } => {
                let begin = self.end;
                for half in 0..*halves {
                    let rate = if half % 2 == 0 { *high } else { *low };
                    // From the index: the borders do not drift.
                    let border = begin + duration.mul_f64(f64::from(half + 1) / f64::from(*halves));
                    self.push_line(rate, rate, border.saturating_sub(self.end));
                }
            }
            Shape::Sine { mean, amplitude, period, start_at } => {
                self.push(Form::Wave(Wave::new(*mean, *amplitude, *period, *start_at)), duration);
            }
            Shape::FromFile { stretches, .. } => self.push_stretches(stretches, duration),
            Shape::Users { .. } | Shape::External | Shape::Pause => {
                self.push_line(Rps::new(0.0), Rps::new(0.0), duration);
            }
        }
    }

    fn push_spikes(&mut self, rate: Rps, peak_rate: Rps, (every, width): (Duration, Duration), duration: Duration) {
        let mut left = duration;
        while !left.is_zero() {
            for (rate, length) in [(rate, every.saturating_sub(width)), (peak_rate, width)] {
                let length = length.min(left);
                self.push_line(rate, rate, length);
                left -= length;
            }
            if every.is_zero() {
                return self.push_line(rate, rate, left);
            }
        }
    }

    fn push_line(&mut self, start_rate: Rps, target_rate: Rps, length: Duration) {
        // `max` also turns NaN into 0.
        let (start_rate, target_rate) = (start_rate.get().max(0.0), target_rate.get().max(0.0));
        self.push(Form::Line(Line { start_rate, target_rate, length_s: length.as_secs_f64() }), length);
    }

    fn push(&mut self, form: Form, length: Duration) {
        let segment = Segment { start: self.end, length, form, before: self.total };
        self.end += length;
        self.total += form.expected_after(length.as_secs_f64());
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

    /// The moment by which `arrivals` are expected; none if there are never this many.
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
    fn expected_after(&self, elapsed: Duration) -> f64 {
        self.form.expected_after(elapsed.min(self.length).as_secs_f64())
    }

    /// The moment at which `arrivals` are expected. Rounded to the nanosecond, and never past the end of the segment.
    fn moment_of(&self, arrivals: f64) -> Duration {
        let within = (arrivals - self.before).max(0.0);
        if within == 0.0 {
            return self.start;
        }
        let elapsed_s = self.form.time_of(within, self.length.as_secs_f64());
        self.start + Duration::try_from_secs_f64(elapsed_s).unwrap_or(self.length).min(self.length)
    }
}

impl Form {
    fn expected_after(&self, elapsed_s: f64) -> f64 {
        match self {
            Self::Line(line) => line.expected_after(elapsed_s),
            Self::Wave(wave) => wave.expected_after(elapsed_s),
        }
    }

    fn time_of(&self, arrivals: f64, length_s: f64) -> f64 {
        match self {
            Self::Line(line) => line.time_of(arrivals),
            Self::Wave(wave) => wave.time_of(arrivals, length_s),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::rates::Rates;
    use crate::scenario::{Stage, StartAt};
    use crate::traffic::testing::{constant, pause, phase, ramp};

    /// A phase whose rates are these, each this many seconds after the one before.
    pub(crate) fn from_file(points: &[(f64, f64)], seconds: f64, repeat: bool) -> Phase {
        let mut at = 0.0;
        let mut text = "time,rate\n".to_owned();
        for (rate, gap) in points {
            at += gap.max(0.1);
            text.push_str(&format!("{at},{rate}\n"));
        }
        let duration = Duration::from_secs_f64(seconds);
        let stretches = Rates::parse("r.csv", &text).and_then(|rates| rates.over(duration, repeat)).expect("rates");
        phase(Shape::FromFile { path: "r.csv".to_owned(), repeat, stretches }, seconds)
    }

    /// Any chain of phases, among them empty ones and ramps from and to 0.
    pub(crate) fn any_phases() -> impl Strategy<Value = Vec<Phase>> {
        let rate = || prop_oneof![Just(0.0), 0.0..500.0];
        let seconds = || prop_oneof![Just(0.0), 0.001..20.0];
        let some_seconds = || 0.001..20.0;
        let time = Duration::from_secs_f64;
        let rps = Rps::new;
        let stage =
            (rate(), seconds()).prop_map(move |(to, lasts)| Stage { target_rate: rps(to), duration: time(lasts) });
        let stages = (rate(), prop::collection::vec(stage, 1..5));
        let step = (rate(), 0.0..50.0, 1_u32..6, some_seconds());
        let spike = (rate(), rate(), some_seconds(), 0.01..0.99, 0.01..60.0);
        let sine = (
            0.1..500.0,
            0.0..=1.0,
            some_seconds(),
            prop_oneof![Just(StartAt::Mean), Just(StartAt::Peak), Just(StartAt::Trough)],
            seconds(),
        );
        let any_phase = prop_oneof![
            stages.prop_map(move |(from, stages)| phase(Shape::Stages { start_rate: rps(from), stages }, 0.0)),
            step.prop_map(move |(from, by, levels, lasts)| {
                let (start_rate, increment, level_duration) = (rps(from), rps(by), time(lasts));
                phase(Shape::Step { start_rate, increment, levels, level_duration }, 0.0)
            }),
            spike.prop_map(move |(rate, peak, every, share, lasts)| {
                let (rate, peak_rate, width) = (rps(rate), rps(peak), time(every * share));
                phase(Shape::Spike { rate, peak_rate, every: time(every), width }, lasts)
            }),
            (rate(), rate(), 1_u32..5, seconds()).prop_map(move |(low, high, wholes, lasts)| {
                phase(Shape::Square { low: rps(low), high: rps(high), halves: 2 * wholes }, lasts)
            }),
            sine.prop_map(move |(mean, depth, period, start_at, lasts)| {
                let (amplitude, period) = (rps(mean * depth), time(period));
                phase(Shape::Sine { mean: rps(mean), amplitude, period, start_at }, lasts)
            }),
            (rate(), seconds()).prop_map(|(rate, seconds)| constant(rate, seconds)),
            (rate(), rate(), seconds()).prop_map(|(from, to, seconds)| ramp(from, to, seconds)),
            seconds().prop_map(pause),
            (prop::collection::vec((rate(), seconds()), 1..5), seconds(), any::<bool>())
                .prop_map(|(points, seconds, repeat)| from_file(&points, seconds, repeat)),
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
    fn rates_of_a_file_are_lines_between_its_points() {
        // 1 s held at 10, 1 s from 10 to 30, and 2 s held at 30.
        let curve = Curve::new(&[from_file(&[(10.0, 1.0), (30.0, 1.0)], 4.0, false)]);
        assert_eq!((curve.total(), curve.end()), (90.0, SinceStart::from_secs_f64(4.0)));
        assert_eq!(curve.moment_of(10.0), Some(SinceStart::from_secs_f64(1.0)));
        assert_eq!(curve.moment_of(30.0), Some(SinceStart::from_secs_f64(2.0)));
    }

    #[test]
    fn a_wave_from_its_trough_has_half_its_mean_after_half_a_swing_but_the_bow() {
        let sine = Shape::Sine {
            mean: Rps::new(150.0),
            amplitude: Rps::new(100.0),
            period: Duration::from_hours(1),
            start_at: StartAt::Trough,
        };
        let curve = Curve::new(&[phase(sine, 6.0 * 3600.0)]);
        assert!((curve.total() - 150.0 * 6.0 * 3600.0).abs() < 1e-6, "{}", curve.total());
        // A quarter of a swing from the trough: mean · T/4 less amplitude · T/2π.
        let quarter = 150.0 * 900.0 - 100.0 * 3600.0 / std::f64::consts::TAU;
        let moment = curve.moment_of(quarter).expect("within");
        assert!((moment.as_secs_f64() - 900.0).abs() < 1e-6, "{moment:?}");
        // Five swings later the moment is the same to the nanosecond.
        let later = curve.moment_of(quarter + 5.0 * 150.0 * 3600.0).expect("within");
        assert!((later.as_secs_f64() - 5.0 * 3600.0 - 900.0).abs() < 1e-6, "{later:?}");
    }

    #[test]
    fn spikes_end_each_stretch_and_a_square_begins_high() {
        let (every, width) = (Duration::from_secs(10), Duration::from_secs(1));
        let spike = Shape::Spike { rate: Rps::new(10.0), peak_rate: Rps::new(100.0), every, width };
        let curve = Curve::new(&[phase(spike, 25.0)]);
        assert!((curve.total() - (2.0 * 190.0 + 50.0)).abs() < 1e-9, "{}", curve.total());
        assert!((curve.expected_by(SinceStart::from_secs_f64(9.0)) - 90.0).abs() < 1e-9);
        let square = Curve::new(&[phase(Shape::Square { low: Rps::new(0.0), high: Rps::new(10.0), halves: 8 }, 80.0)]);
        assert!((square.expected_by(SinceStart::from_secs_f64(20.0)) - 100.0).abs() < 1e-9);
        assert!((square.total() - 400.0).abs() < 1e-9);
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
