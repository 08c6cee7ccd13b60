//! What the service is asked: connections, the rate over time, the kinds of request and what stands in them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::transport::{Auth, Conduct, Protocol, Storm, Tls};
use crate::template::Template;
use crate::units::{Rps, seconds};

/// Connections and their limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// What is spoken.
    #[serde(default)]
    pub protocol: Protocol,
    /// How many, opened before the load; a hard cap.
    pub connections: usize,
    /// Most requests at a time on one connection, with HTTP/2; fewer where the server wants it so.
    #[serde(default)]
    pub max_concurrent_streams: usize,
    /// Most connections beside the others, each for one slow or held request.
    #[serde(default)]
    pub aside_connections: usize,
    /// A connection is closed and opened anew after so many; 0: never.
    pub max_requests_per_connection: u64,
    /// A connection unused for so long is closed and opened anew; none: never.
    #[serde(rename = "max_idle_s", default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<Duration>,
    /// How long opening one may take.
    #[serde(rename = "connect_timeout_s", with = "seconds")]
    pub connect_timeout: Duration,
    /// How long an answer may take, from sending to the end of its body.
    #[serde(rename = "request_timeout_s", with = "seconds")]
    pub request_timeout: Duration,
    /// Whom it trusts, where there is TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What is said to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// How arrivals are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Spacing of arrivals.
    pub arrival: Arrival,
    /// Sent or waiting for a connection; beyond it a due request is dropped and counted.
    pub max_in_flight: usize,
    /// CPUs that the driver is pinned to; empty: all.
    pub cpus: Vec<usize>,
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
    /// How long it lasts.
    #[serde(rename = "duration_s", with = "seconds")]
    pub duration: Duration,
    /// Connections opened and closed beside the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
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

/// The rate of arrivals over the time of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// No requests.
    Pause,
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
    /// How the client treats it; none: sends it and takes the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conduct: Option<Conduct>,
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

impl Shape {
    /// The rate at `share` (0 to 1) of the phase.
    #[must_use]
    pub fn rate_at(&self, share: f64) -> Rps {
        match *self {
            Self::Constant { rate } => rate,
            Self::Ramp { start_rate, target_rate } => {
                Rps::new(start_rate.get() + (target_rate.get() - start_rate.get()) * share)
            }
            Self::Pause => Rps::new(0.0),
        }
    }
}
