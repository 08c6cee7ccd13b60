//! What makes requests due: the clock, or users that wait for their answers.

mod check;
pub(super) mod coded;
pub(super) mod decode;
pub(super) mod external;
pub(super) mod keys;
mod no_load;
pub(super) mod tolerate;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use steep_judge::units::seconds;

/// How arrivals are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What makes a request due.
    pub model: Model,
    /// Spacing of arrivals.
    pub arrival: Arrival,
    /// How exactly requests are sent when they are due.
    pub pacing: Pacing,
    /// Sent or waiting for a connection; beyond it a due request is dropped and counted.
    pub max_in_flight: usize,
    /// CPUs that the driver is pinned to; empty: all.
    pub cpus: Vec<usize>,
    /// Whether weights swing after a code, see [`coded::Code`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coded: bool,
}

/// What makes a request due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// The clock, however slow the answers are.
    Open,
    /// The answer to the one before: users send, wait, think, and send again.
    Closed {
        /// How many users there are.
        vus: u32,
        /// How long they think.
        think_time: ThinkTime,
    },
    /// Nothing: what does the service do by itself?
    None,
}

impl Model {
    /// The users of a closed load.
    #[must_use]
    pub fn users(self) -> Option<u32> {
        match self {
            Self::Open | Self::None => None,
            Self::Closed { vus, .. } => Some(vus),
        }
    }
}

/// How long a user waits between an answer and the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkTime {
    /// Always the same.
    Constant {
        /// That time.
        #[serde(rename = "time_s", with = "seconds")]
        time: Duration,
    },
    /// Any time between two, equally often.
    Uniform {
        /// The shortest.
        #[serde(rename = "min_s", with = "seconds")]
        min: Duration,
        /// The longest.
        #[serde(rename = "max_s", with = "seconds")]
        max: Duration,
    },
    /// Exponential.
    Exponential {
        /// The mean.
        #[serde(rename = "mean_s", with = "seconds")]
        mean: Duration,
    },
}

impl Default for ThinkTime {
    fn default() -> Self {
        Self::Constant { time: Duration::ZERO }
    }
}

/// How exactly requests are sent when they are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// On a tick of a millisecond.
    Tick,
    /// Each at its moment.
    Exact,
}

/// Spacing of arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// Independent arrivals: exponential gaps at the rate of the moment.
    Poisson,
    /// Evenly spaced at the rate of the moment.
    Constant,
}
