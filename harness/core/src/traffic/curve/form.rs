//! The forms that a rate takes over a stretch, with their integral and its inverse. Pure.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::scenario::StartAt;
use steep_judge::units::Rps;

/// Newton's steps until the inverse of a wave is exact to less than a nanosecond: it converges quadratically, and where
/// it does not the bracket is halved, 60 times at most from 30 days to a nanosecond.
const STEPS: usize = 64;

/// A rate that goes from one value to another in a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) start_rate: f64,
    pub(super) target_rate: f64,
    pub(super) length_s: f64,
}

impl Line {
    /// Arrivals expected in the first `elapsed_s` seconds.
    pub(super) fn expected_after(&self, elapsed_s: f64) -> f64 {
        if elapsed_s >= self.length_s {
            return f64::midpoint(self.start_rate, self.target_rate) * self.length_s;
        }
        let share = elapsed_s / self.length_s;
        (self.start_rate + (self.target_rate - self.start_rate) * share / 2.0) * elapsed_s
    }

    /// Solves `start_rate·x + slope·x²/2 = arrivals` for `x`. The root is written with the square root in the
    /// denominator: the school form subtracts two nearly equal numbers where the ramp is flat, and divides by 0 where
    /// it is level.
    pub(super) fn time_of(&self, arrivals: f64) -> f64 {
        let slope = (self.target_rate - self.start_rate) / self.length_s;
        let rate_there = (self.start_rate * self.start_rate + 2.0 * slope * arrivals).max(0.0).sqrt();
        2.0 * arrivals / (self.start_rate + rate_there)
    }
}

/// A rate that swings around a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wave {
    mean: f64,
    amplitude: f64,
    period_s: f64,
    angle: f64,
}

impl Wave {
    /// Swings no further than to 0.
    pub(super) fn new(mean: Rps, amplitude: Rps, period: Duration, start_at: StartAt) -> Self {
        let mean = mean.get().max(0.0);
        let amplitude = amplitude.get().max(0.0).min(mean);
        Self { mean, amplitude, period_s: period.as_secs_f64().max(1e-9), angle: start_at.angle() }
    }

    /// Arrivals expected in the first `elapsed_s` seconds. Whole swings are `mean` each, exactly: over days nothing is
    /// lost in the sine of a large number.
    pub(super) fn expected_after(&self, elapsed_s: f64) -> f64 {
        let swings = (elapsed_s / self.period_s).floor();
        let rest_s = elapsed_s - swings * self.period_s;
        self.mean * self.period_s * swings + self.within_swing(rest_s)
    }

    /// The integral of `mean + amplitude · sin(angle + ωx)` from 0 to `elapsed_s`.
    fn within_swing(&self, elapsed_s: f64) -> f64 {
        let turn = TAU / self.period_s;
        self.mean * elapsed_s + self.amplitude / turn * (self.angle.cos() - (self.angle + turn * elapsed_s).cos())
    }

    /// Solves the integral for time: whole swings first, and then Newton's method within a bracket, as the rate may be
    /// 0.
    pub(super) fn time_of(&self, arrivals: f64, length_s: f64) -> f64 {
        let of_swing = self.mean * self.period_s;
        if of_swing <= 0.0 {
            return length_s;
        }
        let swings = (arrivals / of_swing).floor();
        let wanted = arrivals - swings * of_swing;
        let (mut low, mut high) = (0.0, self.period_s);
        let mut x = wanted / self.mean;
        for _ in 0..STEPS {
            let beyond = self.within_swing(x) - wanted;
            if beyond > 0.0 {
                high = x;
            } else {
                low = x;
            }
            let rate = self.mean + self.amplitude * (self.angle + TAU / self.period_s * x).sin();
            let newton = x - beyond / rate;
            // NaN and infinity, where the rate is 0, are not within either.
            let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
            // A tenth of a nanosecond.
            if (next - x).abs() < 1e-10 {
                x = next;
                break;
            }
            x = next;
        }
        swings * self.period_s + x
    }
}
