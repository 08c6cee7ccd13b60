//! What the load does, in order.

mod check;
pub(super) mod decode;
pub(super) mod keys;
mod shape;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::shape::{Shape, Stage, StartAt};
use steep_judge::units::seconds;

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
    /// Connections opened and closed beside the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
}

impl Phase {
    /// A phase with the requests' own weights, and open connections.
    #[must_use]
    pub fn new(name: &str, role: Role, shape: Shape, duration: Duration) -> Self {
        let weights = BTreeMap::new();
        Self { name: name.to_owned(), role, shape, duration, weights, close_connections: false, storm: None }
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

/// Connections opened beside the load, again and again, and closed without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// How many at once.
    pub connections: usize,
    /// How often.
    #[serde(rename = "every_s", with = "seconds")]
    pub every: Duration,
}
