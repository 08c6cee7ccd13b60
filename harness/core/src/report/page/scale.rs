//! Scales: from a figure's numbers to places on it, and the ticks of its axes.

use std::time::Duration;

use steep_judge::units::{Bytes, duration_text};

/// Ticks that an axis of values has about.
const TICKS: f64 = 6.0;
/// The same of the axis of time, which is longer.
const TIME_TICKS: f64 = 8.0;

/// Steps between ticks of time, in seconds, up to a day.
const TIME_STEPS: [f64; 17] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 21_600.0,
    43_200.0,
];

const DAY: f64 = 86_400.0;

/// What the numbers of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Bytes, in powers of 1024.
    Bytes,
    /// Numbers of things, or of things each second.
    Numbers,
    /// Microseconds, on a logarithmic axis.
    Times,
}

impl Axis {
    /// What the script calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Numbers => "numbers",
            Self::Times => "times",
        }
    }

    /// Where a value stands on the axis, before it is scaled.
    pub(super) fn placed(self, value: f64) -> f64 {
        // A microsecond is the least that is told apart.
        if self == Self::Times { value.max(1.0).log10() } else { value }
    }

    /// A value in words.
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Bytes if value < 0.0 => format!("−{}", Bytes::new(-value as u64)),
            Self::Bytes => Bytes::new(value as u64).to_string(),
            Self::Numbers if value.fract().abs() < 1e-9 => format!("{value:.0}"),
            Self::Numbers => format!("{value:.2}").trim_end_matches('0').to_owned(),
            Self::Times => microseconds(value),
        }
    }

    /// Ticks between two places, as values.
    fn ticks(self, low: f64, high: f64) -> Vec<f64> {
        match self {
            Self::Times => {
                // Where less than two powers of ten are seen, what lies between them as well.
                let parts: &[f64] = if high - low < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let powers = (low.floor() as i32..=high.floor() as i32).map(|power| 10_f64.powi(power));
                let all = powers.flat_map(|power| parts.iter().map(move |part| part * power));
                all.filter(|value| (low..=high).contains(&value.log10())).collect()
            }
            Self::Numbers => stepped(low, high, decimal((high - low) / TICKS)),
            Self::Bytes => {
                let step = (high - low) / TICKS;
                let unit = 1024_f64.powi((step.max(1.0).log2() / 10.0).floor() as i32);
                // A thousand of a unit are written as nearly one of the next.
                let count = decimal((step / unit).max(1.0));
                stepped(low, high, if count >= 1000.0 { 1024.0 * unit } else { count * unit })
            }
        }
    }
}

/// `1.2 ms`
pub(super) fn microseconds(value: f64) -> String {
    let (value, unit) = match value {
        seconds if seconds >= 999_500.0 => (seconds / 1e6, "s"),
        millis if millis >= 999.5 => (millis / 1e3, "ms"),
        micros => (micros, "µs"),
    };
    let decimals = usize::from(value < 99.5 && value.fract().abs() >= 0.05);
    format!("{value:.decimals$} {unit}")
}

/// The next of 1, 2, 5, 10, 20, … from `step` on.
fn decimal(step: f64) -> f64 {
    let step = if step.is_finite() && step > 0.0 { step } else { 1.0 };
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|part| part * power).find(|part| *part >= step).unwrap_or(10.0 * power)
}

fn stepped(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step + 1e-9).floor() - first).clamp(0.0, 4.0 * TIME_TICKS) as usize;
    (0..=count).map(|tick| (first + tick as f64) * step).filter(|tick| *tick <= high + step * 1e-9).collect()
}

/// A scale of values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) axis: Axis,
    /// The place of the lower end.
    pub(super) low: f64,
    /// The place of the upper end.
    pub(super) high: f64,
}

impl Scale {
    /// From zero to a little above `highest`.
    pub(super) fn from_zero(axis: Axis, highest: f64) -> Self {
        let highest = if highest.is_finite() && highest > 0.0 { highest } else { 1.0 };
        Self { axis, low: 0.0, high: highest * 1.05 }
    }

    /// Around all `values`; none where there is no value.
    pub(super) fn around(axis: Axis, values: impl Iterator<Item = f64>) -> Option<Self> {
        let places = values.filter(|value| value.is_finite()).map(|value| axis.placed(value));
        let (low, high) =
            places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)));
        if low > high {
            return None;
        }
        let room = match axis {
            Axis::Times => 0.1,
            // A curve that never changes is a line through the middle.
            Axis::Bytes | Axis::Numbers => ((high - low) * 0.08).max(high.abs() * 0.001).max(1.0),
        };
        Some(Self { axis, low: low - room, high: high + room })
    }

    /// Where `value` stands: 0 at the top, `height` at the bottom.
    pub(super) fn place(&self, value: f64, height: f64) -> f64 {
        height * (self.high - self.axis.placed(value)) / (self.high - self.low)
    }

    /// Ticks with their texts.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let ticks = self.axis.ticks(self.low, self.high);
        ticks.into_iter().map(|value| (value, self.axis.text(value))).collect()
    }
}

/// Ticks of time from `from` to `to`, in seconds, with their texts.
pub(super) fn time_ticks(from: f64, to: f64) -> Vec<(f64, String)> {
    let wanted = (to - from) / TIME_TICKS;
    let step = TIME_STEPS.into_iter().find(|step| *step >= wanted).unwrap_or_else(|| decimal(wanted / DAY) * DAY);
    stepped(from, to, step).into_iter().map(|tick| (tick, seconds_text(tick))).collect()
}

/// `1h 30m`
pub(super) fn seconds_text(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "never".to_owned(), duration_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_in_the_unit_that_is_written() {
        let scale = Scale::from_zero(Axis::Bytes, 47.6 * 1_048_576.0);
        assert_eq!(texts(scale.ticks()), ["0 B", "10.0 MiB", "20.0 MiB", "30.0 MiB", "40.0 MiB"]);
        assert_eq!(texts(Scale::from_zero(Axis::Numbers, 210.0).ticks()), ["0", "50", "100", "150", "200"]);
        let times = Scale::around(Axis::Times, [300.0, 250_000.0].into_iter()).expect("a scale");
        assert_eq!(texts(times.ticks()), ["1 ms", "10 ms", "100 ms"]);
        let times = Scale::around(Axis::Times, [1_300.0, 9_000.0].into_iter()).expect("a scale");
        assert_eq!(texts(times.ticks()), ["2 ms", "5 ms", "10 ms"]);
        assert_eq!(texts(Scale::from_zero(Axis::Bytes, 4_000.0).ticks())[1], "1.00 KiB");
        assert_eq!(texts(time_ticks(0.0, 60.0)), ["0s", "10s", "20s", "30s", "40s", "50s", "60s"]);
        assert_eq!(texts(time_ticks(0.0, 28_800.0))[1], "1h");
    }

    #[test]
    fn no_number_makes_ticks_without_end() {
        for value in [0.0, f64::NAN, f64::INFINITY, 1e300, -5.0] {
            let scale = Scale::from_zero(Axis::Bytes, value);
            assert!(scale.ticks().len() < 40 && time_ticks(0.0, value).len() < 40, "{value}");
        }
        assert!(Scale::around(Axis::Bytes, [f64::NAN].into_iter()).is_none());
    }
}
