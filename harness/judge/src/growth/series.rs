//! What is fitted, and whether it can be.

use std::time::Duration;

use super::source::{Layer, MemorySource, Sources};
use crate::stats::order::quantile_in_place;
use crate::units::{Rps, duration_text};

/// Runs shorter than this follow the rules for short runs: the Python reference refuses them.
pub const SHORT_RUN_SECONDS: f64 = 290.0;

/// Shortest run that is judged: a phase of 60 s has a little less between its first and last reading.
pub const LEAST_SECONDS: f64 = 55.0;

/// What a run must last, when it was too short.
pub const LEAST_PHASE: Duration = Duration::from_mins(1);

/// Fewest readings of a short run and of one that is long, of one of [`SHORT_RUN_SECONDS`] and up to that (METHOD.md,
/// input).
const FEWEST_SHORT_SAMPLES: usize = 40;
/// See [`FEWEST_SHORT_SAMPLES`].
const FEWEST_SAMPLES: usize = 120;

/// From here on, in seconds, a run is long: its readings are few because they are far apart, and what they say about an
/// hour or a week does not depend on how many lie between (METHOD.md, sparse series).
const LONG_SECONDS: f64 = 1700.0;

/// Readings closer than this are one, in seconds.
const SAME_MOMENT: f64 = 1e-6;

/// Larger numbers are broken ones: an exabyte, 30 billion years, requests of 30 years at a billion a second. Their
/// squares still fit.
const LARGEST: f64 = 1e18;

/// Share of the readings that must be there, and share of them that must carry live bytes for those to decide.
const LEAST_PRESENT: f64 = 0.5;
/// See [`LEAST_PRESENT`].
const LEAST_LIVE: f64 = 0.9;

/// Readings of one process over one run. All vectors but `live_bytes` have one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Moments in seconds, increasing; repeated ones are dropped.
    pub t_s: Vec<f64>,
    /// Anonymous memory (`RssAnon`, shared memory and swap) in bytes; of foreign data, whatever was recorded. NaN where
    /// only live bytes were read.
    pub memory_bytes: Vec<f64>,
    /// Live bytes as the service's allocator counts them; NaN where a reading is missing. Empty without a probe.
    pub live_bytes: Vec<f64>,
    /// Completed requests since the start; all zero if unknown.
    pub requests: Vec<f64>,
    /// Moments in seconds at which the run is known to have been disturbed (a gap in sampling, load not delivered as
    /// scheduled). `None` for foreign data: they are then guessed from gaps and peaks of the rate.
    pub disturbances_s: Option<Vec<f64>>,
    /// Moments in seconds from which another process holds the memory: a worker was replaced.
    pub replaced_s: Vec<f64>,
    /// Who has read the memory.
    pub sources: Sources,
}

impl Series {
    /// Whether at least 90 % of the readings carry live bytes.
    #[must_use]
    pub fn has_live_bytes(&self) -> bool {
        let present = self.live_bytes.iter().filter(|live| live.is_finite()).count();
        present > 0 && present as f64 >= LEAST_LIVE * self.t_s.len() as f64
    }

    /// The memory of a layer.
    fn memory(&self, layer: Layer) -> &[f64] {
        match layer {
            Layer::Live => &self.live_bytes,
            Layer::Resident => &self.memory_bytes,
        }
    }
}

/// Why a series cannot be judged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unjudgeable {
    /// No reading at all.
    #[error("there are no readings")]
    Empty,
    /// The vectors of the series differ in length.
    #[error("the columns have different lengths")]
    Ragged,
    /// A number is NaN, infinite, or beyond any amount of memory, requests or time.
    #[error("reading {} is not a possible number", .index + 1)]
    Impossible {
        /// Its index.
        index: usize,
    },
    /// Time goes backwards.
    #[error("time goes backwards at reading {}", .index + 1)]
    TimeBackwards {
        /// Index of the earlier moment that comes later.
        index: usize,
    },
    /// The run is too short, or has too few readings.
    #[error("too short: {samples} readings over {}", duration_text(*.lasted))]
    TooShort {
        /// Readings.
        samples: usize,
        /// From the first to the last.
        lasted: Duration,
        /// How long a run must last at this sampling interval.
        need: Duration,
    },
    /// The run was long enough, and was read too seldom.
    #[error(
        "too few readings: {samples} over {}, and {fewest} are needed: a reading every {} would have been enough",
        duration_text(*.lasted),
        duration_text(*.every)
    )]
    TooFew {
        /// Readings.
        samples: usize,
        /// From the first to the last.
        lasted: Duration,
        /// How many readings are needed.
        fewest: usize,
        /// How far apart they may be for a run of that length.
        every: Duration,
        /// How long a run must last at the sampling interval that there was.
        need: Duration,
    },
    /// The request counter went back: the service, or what counts, was restarted.
    #[error("the request counter goes back at {at_s:.0} s: something was restarted")]
    CounterReset {
        /// When.
        at_s: f64,
    },
    /// More than half of the readings are missing.
    #[error("{samples} readings where about {expected} were due")]
    TooManyMissing {
        /// Readings.
        samples: usize,
        /// What the typical interval between readings would have given.
        expected: usize,
    },
    /// Too few blocks with enough readings.
    #[error("readings for {blocks} blocks only, {fewest} are needed")]
    TooFewBlocks {
        /// Blocks.
        blocks: usize,
        /// Fewest.
        fewest: usize,
    },
    /// No model could be fitted.
    #[error("no model can be fitted to these numbers")]
    Singular,
}

impl Unjudgeable {
    /// How long a run would have to last, if a longer one helps.
    #[must_use]
    pub const fn need(&self) -> Option<Duration> {
        match self {
            Self::TooShort { need, .. } | Self::TooFew { need, .. } => Some(*need),
            Self::Empty => Some(LEAST_PHASE),
            _ => None,
        }
    }
}

/// A series that can be judged: finite, in order, long and dense enough. Never empty.
#[derive(Debug, Clone)]
pub(super) struct Readings {
    pub(super) source: MemorySource,
    pub(super) ts: Vec<f64>,
    pub(super) memory: Vec<f64>,
    pub(super) requests: Vec<f64>,
    /// Median seconds between readings.
    pub(super) interval: f64,
}

/// Fewest readings of a run of this length.
fn fewest_samples(seconds: f64) -> usize {
    if (SHORT_RUN_SECONDS..LONG_SECONDS).contains(&seconds) { FEWEST_SAMPLES } else { FEWEST_SHORT_SAMPLES }
}

impl Readings {
    /// The readings of one layer of `series`.
    pub(super) fn checked(series: &Series, layer: Layer) -> Result<Self, Unjudgeable> {
        let readings = Self::in_order(series, series.memory(layer), series.sources.of(layer))?;
        readings.long_enough()?;
        if let Some(i) = readings.requests.windows(2).position(|w| w[1] < w[0]) {
            return Err(Unjudgeable::CounterReset { at_s: readings.ts[i + 1] });
        }
        let expected = readings.seconds() / readings.interval;
        if (readings.ts.len() as f64) < LEAST_PRESENT * expected {
            return Err(Unjudgeable::TooManyMissing { samples: readings.ts.len(), expected: expected as usize });
        }
        Ok(readings)
    }

    fn in_order(series: &Series, memory: &[f64], source: MemorySource) -> Result<Self, Unjudgeable> {
        let n = series.t_s.len();
        if n == 0 {
            return Err(Unjudgeable::Empty);
        }
        if memory.len() != n || series.requests.len() != n {
            return Err(Unjudgeable::Ragged);
        }
        let numbers = || Vec::with_capacity(n);
        let mut readings = Self { source, ts: numbers(), memory: numbers(), requests: numbers(), interval: 0.0 };
        for (index, &t) in series.t_s.iter().enumerate() {
            // Live bytes may be read more often than the rest.
            let is_read_elsewhere = || series.live_bytes.get(index).is_some_and(|live| live.is_finite());
            if memory[index].is_nan() && (source.may_be_missing() || is_read_elsewhere()) {
                continue;
            }
            // NaN fails the comparison too.
            if ![t, memory[index], series.requests[index]].iter().all(|number| number.abs() < LARGEST) {
                return Err(Unjudgeable::Impossible { index });
            }
            let since = readings.ts.last().map_or(f64::INFINITY, |last| t - last);
            if since < 0.0 {
                return Err(Unjudgeable::TimeBackwards { index });
            }
            if since > SAME_MOMENT {
                readings.ts.push(t);
                readings.memory.push(memory[index]);
                readings.requests.push(series.requests[index]);
            }
        }
        if readings.ts.is_empty() {
            return Err(Unjudgeable::Empty);
        }
        let mut steps: Vec<f64> = readings.ts.windows(2).map(|w| w[1] - w[0]).collect();
        readings.interval = quantile_in_place(&mut steps, 0.5);
        Ok(readings)
    }

    fn long_enough(&self) -> Result<(), Unjudgeable> {
        let (samples, seconds) = (self.ts.len(), self.seconds());
        let fewest = fewest_samples(seconds);
        if seconds >= LEAST_SECONDS && samples >= fewest {
            return Ok(());
        }
        let lasted = Duration::from_secs_f64(seconds);
        // A slow sampler needs longer for as many readings. A single reading has no interval: NaN loses all times.
        let minute = LEAST_PHASE.as_secs_f64();
        let at_this_pace = self.interval * FEWEST_SHORT_SAMPLES as f64;
        let need = if at_this_pace >= LONG_SECONDS {
            at_this_pace
        } else if at_this_pace > minute {
            (self.interval * FEWEST_SAMPLES as f64).min(LONG_SECONDS)
        } else {
            minute
        };
        let need = Duration::from_secs_f64(need.min(LARGEST));
        if seconds < SHORT_RUN_SECONDS || samples < 2 {
            return Err(Unjudgeable::TooShort { samples, lasted, need });
        }
        // In whole seconds, so that it is one that can be set.
        let every = Duration::from_secs((seconds / fewest as f64).floor().max(1.0) as u64);
        Err(Unjudgeable::TooFew { samples, lasted, fewest, every, need })
    }

    /// The share of all requests until the reading at `index`, or of the time where none are known.
    pub(super) fn progress(&self, index: usize) -> f64 {
        let Self { ts, requests, .. } = self;
        let all = requests[requests.len() - 1] - requests[0];
        if all > 0.0 { (requests[index] - requests[0]) / all } else { (ts[index] - ts[0]) / self.seconds() }
    }

    /// From the first to the last reading.
    pub(super) fn seconds(&self) -> f64 {
        self.ts[self.ts.len() - 1] - self.ts[0]
    }

    /// Whether the run is shorter than what the method was calibrated for by experiment.
    pub(super) fn is_short(&self) -> bool {
        self.seconds() < SHORT_RUN_SECONDS
    }

    /// Mean completed requests per second.
    pub(super) fn rps(&self) -> Rps {
        Rps::new((self.requests[self.requests.len() - 1] - self.requests[0]) / self.seconds())
    }
}
