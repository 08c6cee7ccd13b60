//! Shapes of load: the rate of arrivals over the time of a phase.

use std::f64::consts::FRAC_PI_2;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::rates::Stretch;
use steep_judge::units::{Rps, seconds};

/// The rate of arrivals over the time of a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The same rate throughout.
    Constant {
        /// That rate.
        rate: Rps,
    },
    /// From one rate to another in a straight line.
    Ramp {
        /// At the beginning.
        start_rate: Rps,
        /// At the end.
        target_rate: Rps,
    },
    /// One ramp after the other.
    Stages {
        /// At the beginning.
        start_rate: Rps,
        /// The ramps. The phase lasts as long as all of them.
        stages: Vec<Stage>,
    },
    /// A staircase. The phase lasts as long as all levels.
    Step {
        /// The first level.
        start_rate: Rps,
        /// What each level is above the one before.
        increment: Rps,
        /// How many there are.
        levels: u32,
        /// How long each lasts.
        #[serde(rename = "level_duration_s", with = "seconds")]
        level_duration: Duration,
    },
    /// A rate with peaks above it.
    Spike {
        /// Between the peaks.
        rate: Rps,
        /// In a peak.
        peak_rate: Rps,
        /// From one peak to the next; the first ends the first such stretch.
        #[serde(rename = "every_s", with = "seconds")]
        every: Duration,
        /// How long a peak lasts.
        #[serde(rename = "width_s", with = "seconds")]
        width: Duration,
    },
    /// High and low in turn, high first: what grows with requests and what grows with time part ways (METHOD.md).
    Square {
        /// In every second half.
        low: Rps,
        /// In the others.
        high: Rps,
        /// How many halves there are in all.
        halves: u32,
    },
    /// A wave.
    Sine {
        /// What it swings around.
        mean: Rps,
        /// How far it swings; no more than `mean`.
        amplitude: Rps,
        /// The time of one swing.
        #[serde(rename = "period_s", with = "seconds")]
        period: Duration,
        /// Where in the swing it begins.
        start_at: StartAt,
    },
    /// As a file says, with straight lines between its points.
    FromFile {
        /// The file.
        path: String,
        /// Whether it begins anew after its last point, instead of holding that rate.
        repeat: bool,
        /// The lines over the phase; none until the file is read ([`super::Scenario::supply`]).
        #[serde(skip)]
        stretches: Vec<Stretch>,
    },
    /// So many users of a closed load are active; none: all.
    Users {
        /// How many.
        users: Option<u32>,
    },
    /// No requests.
    Pause,
    /// As another program makes it.
    External,
}

/// A ramp among others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The rate at its end.
    pub target_rate: Rps,
    /// How long it lasts.
    #[serde(rename = "duration_s", with = "seconds")]
    pub duration: Duration,
}

/// Where in its swing a wave begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    /// At its mean, rising.
    Mean,
    /// At its highest.
    Peak,
    /// At its lowest.
    Trough,
}

impl StartAt {
    /// The same as an angle of the sine, in radians.
    #[must_use]
    pub fn angle(self) -> f64 {
        match self {
            Self::Mean => 0.0,
            Self::Peak => FRAC_PI_2,
            Self::Trough => -FRAC_PI_2,
        }
    }
}

impl Shape {
    /// How long a phase of this shape lasts, where that follows from the shape.
    #[must_use]
    pub fn own_duration(&self) -> Option<Duration> {
        match self {
            Self::Stages { stages, .. } => {
                Some(stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.duration)))
            }
            Self::Step { levels, level_duration, .. } => Some(level_duration.saturating_mul(*levels)),
            _ => None,
        }
    }

    /// The highest rate that it asks for.
    #[must_use]
    pub fn peak(&self) -> Rps {
        let highest = match self {
            Self::Constant { rate } => rate.get(),
            Self::Ramp { start_rate, target_rate } => start_rate.get().max(target_rate.get()),
            Self::Stages { start_rate, stages } => {
                stages.iter().map(|stage| stage.target_rate.get()).fold(start_rate.get(), f64::max)
            }
            Self::Step { start_rate, increment, levels, .. } => {
                start_rate.get() + increment.get() * f64::from(levels.saturating_sub(1))
            }
            Self::Spike { rate, peak_rate, .. } => rate.get().max(peak_rate.get()),
            Self::Square { low, high, .. } => low.get().max(high.get()),
            Self::Sine { mean, amplitude, .. } => mean.get() + amplitude.get(),
            Self::FromFile { stretches, .. } => {
                let highest = |part: &Stretch| part.start_rate.get().max(part.target_rate.get());
                stretches.iter().map(highest).fold(0.0, f64::max)
            }
            // What users send depends on the answers, and what another program does is its own.
            Self::Users { .. } | Self::External | Self::Pause => 0.0,
        };
        Rps::new(highest)
    }
}
