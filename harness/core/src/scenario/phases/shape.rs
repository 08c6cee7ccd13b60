//! Shapes of load, the rate of arrivals over the time of a phase: their types, decoding and checks.

use std::f64::consts::FRAC_PI_2;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::check::{Check, SHORTEST_FIT};
use crate::scenario::rates::{HIGHEST_RATE, MAX_STRETCHES, Stretch};
use crate::scenario::read::{Reader, Section};
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
    /// How many users of a closed load are active; none: all.
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

    /// The time in whole multiples of which it can go on without becoming other traffic; none: it cannot.
    #[must_use]
    pub fn rhythm(&self) -> Option<Duration> {
        match self {
            Self::Constant { .. } | Self::Users { .. } => Some(Duration::from_secs(1)),
            Self::Sine { period, .. } => Some(*period),
            Self::Spike { every, .. } => Some(*every),
            // Their rates are laid out over their time, and another program keeps its own.
            Self::Ramp { .. }
            | Self::Stages { .. }
            | Self::Step { .. }
            | Self::Square { .. }
            | Self::FromFile { .. }
            | Self::Pause
            | Self::External => None,
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

/// The names of [`Shape`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeName {
    Constant,
    Ramp,
    Stages,
    Step,
    Spike,
    Square,
    Sine,
    FromFile,
    Users,
    Pause,
    External,
}

pub(super) fn shape(reader: &mut Reader, section: &Section<'_>) -> Shape {
    let shape = reader.choice(section, "shape");
    let mut rate = |name| Rps::new(reader.number(section, name).unwrap_or(1.0));
    match shape {
        Some(ShapeName::Constant) => Shape::Constant { rate: rate("rate") },
        Some(ShapeName::FromFile) => Shape::FromFile {
            path: reader.text(section, "path").unwrap_or_default(),
            repeat: reader.boolean(section, "loop").unwrap_or_default(),
            stretches: Vec::new(),
        },
        Some(ShapeName::Ramp) => Shape::Ramp { start_rate: rate("start_rate"), target_rate: rate("target_rate") },
        Some(ShapeName::Stages) => {
            Shape::Stages { start_rate: rate("start_rate"), stages: reader.list(section, "stages", stage) }
        }
        Some(ShapeName::Step) => Shape::Step {
            start_rate: rate("start_rate"),
            increment: rate("increment"),
            levels: count(reader.integer(section, "levels")),
            level_duration: reader.duration(section, "level_duration").unwrap_or(SHORTEST_FIT),
        },
        Some(ShapeName::Spike) => Shape::Spike {
            rate: rate("rate"),
            peak_rate: rate("peak_rate"),
            every: reader.duration(section, "every").unwrap_or(SHORTEST_FIT),
            width: reader.duration(section, "width").unwrap_or(Duration::from_secs(1)),
        },
        Some(ShapeName::Square) => {
            Shape::Square { low: rate("low"), high: rate("high"), halves: count(reader.integer(section, "halves")) }
        }
        Some(ShapeName::Sine) => {
            let (mean, amplitude) = (reader.number(section, "mean"), reader.number(section, "amplitude"));
            Shape::Sine {
                // Without a mean any swing would be too wide.
                amplitude: Rps::new(mean.and(amplitude).unwrap_or(0.0)),
                mean: Rps::new(mean.unwrap_or(1.0)),
                period: reader.duration(section, "period").unwrap_or(SHORTEST_FIT),
                start_at: reader.choice(section, "start_at").unwrap_or(StartAt::Mean),
            }
        }
        Some(ShapeName::Users) => {
            Shape::Users { users: reader.integer(section, "users").map(|users| count(Some(users))) }
        }
        Some(ShapeName::External) => Shape::External,
        Some(ShapeName::Pause) => Shape::Pause,
        None => Shape::Constant { rate: Rps::new(1.0) },
    }
}

/// A number that the list of keys bounds far below `u32::MAX`.
fn count(number: Option<u64>) -> u32 {
    number.map_or(1, |number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn stage(reader: &mut Reader, section: &Section<'_>) -> Stage {
    Stage {
        target_rate: Rps::new(reader.number(section, "target_rate").unwrap_or(1.0)),
        duration: reader.duration(section, "duration").unwrap_or(SHORTEST_FIT),
    }
}

/// The longest soak, as keys have it.
const LONGEST_PHASE: Duration = Duration::from_hours(720);

impl Check<'_> {
    /// That the shape of the phase `name`, which stands at `place`, is possible.
    pub(super) fn shape(&mut self, place: &str, name: &str, shape: &Shape, duration: Duration) {
        if shape.peak().get() > HIGHEST_RATE {
            let message = format!("\"{name}\" wants more than {HIGHEST_RATE} requests per second");
            self.error(place, message, "no driver sends that many");
        }
        if shape.own_duration().is_some_and(|own| own > LONGEST_PHASE) {
            let message = format!("\"{name}\" lasts {} s", duration.as_secs());
            self.error(place, message, "a phase lasts at most 30 days");
        }
        match shape {
            Shape::Stages { stages, .. } if stages.is_empty() => {
                self.error(place, "\"stages\" is empty", "stages = [{ target_rate = 100, duration = \"5m\" }]");
            }
            Shape::Spike { every, width, .. } => {
                if width >= every {
                    self.error(&format!("{place}.width"), "a peak must be shorter than the time between two", "");
                }
                if *every > duration {
                    let help = "a peak ends each stretch of \"every\": make the phase longer";
                    self.error(&format!("{place}.every"), "the phase ends before its first peak", help);
                }
                self.pieces(place, 2.0 * duration.as_secs_f64() / every.as_secs_f64());
            }
            Shape::Square { halves, .. } if halves % 2 == 1 => {
                self.error(&format!("{place}.halves"), format!("{halves} halves make no whole"), "give an even number");
            }
            Shape::Sine { mean, amplitude, period, .. } => {
                if amplitude.get() > mean.get() {
                    let help = "a rate cannot be negative: at most \"mean\"";
                    self.error(&format!("{place}.amplitude"), "the amplitude is above the mean", help);
                }
                if *period > duration {
                    let help = "what is taken for growth may be a part of the wave: make the phase longer";
                    self.warning(&format!("{place}.period"), "the phase is shorter than one swing", help);
                }
            }
            _ => {}
        }
    }

    fn pieces(&mut self, place: &str, pieces: f64) {
        if pieces > MAX_STRETCHES as f64 {
            let message = format!("the shape has {pieces:.0} pieces, more than {MAX_STRETCHES}");
            self.error(place, message, "make the phase shorter, or the pieces longer");
        }
    }
}
