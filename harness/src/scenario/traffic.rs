//! What the service is asked: connections, the rate over time, the kinds of request and what stands in them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::template::Template;
use crate::units::seconds;

/// Connections and their limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// How many, opened before the load; a hard cap.
    pub connections: usize,
    /// A connection is closed and opened anew after so many; 0: never.
    pub max_requests_per_connection: u64,
    /// How long opening one may take.
    #[serde(rename = "connect_timeout_s", with = "seconds")]
    pub connect_timeout: Duration,
    /// How long an answer may take, from sending to the end of its body.
    #[serde(rename = "request_timeout_s", with = "seconds")]
    pub request_timeout: Duration,
}

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
}

impl Model {
    /// The users of a closed load.
    #[must_use]
    pub fn users(self) -> Option<u32> {
        match self {
            Self::Open => None,
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

/// A stretch of the soak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name in traces and reports.
    pub name: String,
    /// What the statistics make of it.
    pub role: Role,
    /// The rate over its time.
    pub shape: Shape,
    /// Weights of requests that hold in this phase in place of their own.
    pub weights: BTreeMap<String, f64>,
    /// Whether all connections are closed while it lasts: a pause without clients.
    pub close_connections: bool,
    /// How long it lasts.
    #[serde(rename = "duration_s", with = "seconds")]
    pub duration: Duration,
}

impl Phase {
    /// A phase with the requests' own weights, and open connections.
    #[must_use]
    pub fn new(name: &str, role: Role, shape: Shape, duration: Duration) -> Self {
        let weights = BTreeMap::new();
        Self { name: name.to_owned(), role, shape, duration, weights, close_connections: false }
    }
}

/// What the statistics make of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Fitted, with the warm-up modelled and not cut.
    Warmup,
    /// Fitted.
    Steady,
    /// Not fitted, reported apart.
    Idle,
    /// Not fitted, reported apart.
    Cooldown,
}

/// A kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The label everywhere; never the raw URL.
    pub name: String,
    /// Share of the traffic, relative to the other weights.
    pub weight: f64,
    /// HTTP method, in capitals.
    pub method: String,
    /// Path and query.
    pub path: Template,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, Template>,
    /// Body; none: empty.
    pub body: Option<Template>,
    /// Statuses that count as success; empty: all of 200 to 399.
    pub expect_status: Vec<u16>,
}

/// Where the values of a template's parameter come from; drawn anew for each request that is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Param {
    /// A whole number, each of `min..=max` equally often.
    Uniform {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// `min`, `min + 1`, … `max`, and again from `min`.
    Sequential {
        /// First.
        min: u64,
        /// Last before it begins anew.
        max: u64,
    },
    /// A value that never comes twice in a cell, and is the same in each cell: 16 hexadecimal digits.
    Unique,
}
