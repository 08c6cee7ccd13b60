//! What the service is asked: connections, the rate over time, the kinds of request and what stands in them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use super::transport::{Auth, Conduct, Protocol, Storm, Tls};
use super::{Capture, Grpc, GrpcForm, GrpcStatus, JsonPath};
use crate::template::Template;
use steep_judge::units::seconds;

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
    /// A connection is closed and opened anew after this many; 0: never.
    pub max_requests_per_connection: u64,
    /// A connection unused for this long is closed and opened anew; none: never.
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

/// A kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The label everywhere; never the raw URL.
    pub name: String,
    /// Share of the traffic, relative to the other weights.
    pub weight: f64,
    /// HTTP method, in capitals.
    pub method: String,
    /// The call that it is, where path and frame follow from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<Grpc>,
    /// Path and query.
    pub path: Template,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, Template>,
    /// Body; none: empty, or from a file.
    pub body: Option<Template>,
    /// The file that the body is in.
    pub body_file: Option<String>,
    /// What counts as success.
    pub expect: Expect,
    /// What is taken out of its answer, for later steps of a flow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, Capture>,
    /// How the client treats it; none: sends it and takes the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conduct: Option<Conduct>,
}

/// What an answer must be to count as success.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Expect {
    /// One of these statuses; empty: any of 200 to 399.
    pub status: Vec<u16>,
    /// Headers, names in lower case, with what each contains.
    pub headers: BTreeMap<String, Template>,
    /// Trailers, names in lower case, with what each contains.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trailers: BTreeMap<String, Template>,
    /// One of these statuses of gRPC; empty: OK, where the answer is one of gRPC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grpc_status: Vec<GrpcStatus>,
    /// What its body contains.
    pub body_contains: Option<Template>,
    /// What stands at these places of its body.
    pub json: BTreeMap<JsonPath, Wanted>,
}

/// What is to stand at a place of a JSON body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// This text; where values stand in it, also a number or boolean that is written so.
    Text(Template),
    /// This number or boolean.
    Scalar(serde_json::Value),
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
    /// A whole number: the k-th of `min..=max` as often as 1/k to the power of `exponent`.
    Zipf {
        /// Smallest, and most frequent.
        min: u64,
        /// Largest, and rarest.
        max: u64,
        /// How steep; 0: each equally often.
        exponent: f64,
    },
    /// One of these texts.
    Choice {
        /// The texts.
        values: Vec<String>,
        /// How often each, relative to the others; empty: equally often.
        weights: Vec<f64>,
    },
    /// From a row of a CSV file.
    Csv {
        /// The file.
        path: String,
        /// The column; none: a template names it, as in `{{user.name}}`.
        column: Option<String>,
        /// Which row is next.
        pick: Pick,
    },
    /// From a line of a file with a JSON value on each.
    Jsonl {
        /// The file.
        path: String,
        /// The place in each value; none: a template names it, as in `{{user.name}}`.
        field: Option<JsonPath>,
        /// Which line is next.
        pick: Pick,
    },
}

/// Which row of a file is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// Each once, in order; when all were used, what needs one is not sent.
    Queue,
    /// In order, and again from the first.
    Circular,
    /// Any, each equally often.
    Random,
    /// All in a random order, and again in another.
    Shuffle,
}

impl Param {
    /// Whether a template names a column or field of it, as in `{{user.name}}`.
    #[must_use]
    fn has_columns(&self) -> bool {
        matches!(self, Self::Csv { column: None, .. } | Self::Jsonl { field: None, .. })
    }

    /// The parameter that `name` in a template is about, with its column where the name says one: `user` and `name` of
    /// `{{user.name}}`.
    #[must_use]
    pub fn named<'p, 'n>(params: &'p BTreeMap<String, Self>, name: &'n str) -> Option<(&'p str, Option<&'n str>)> {
        let found = |name: &str| params.get_key_value(name);
        if let Some((param, kind)) = found(name) {
            return (!kind.has_columns()).then_some((param, None));
        }
        let mut splits = name.match_indices('.').map(|(dot, _)| (&name[..dot], &name[dot + 1..]));
        splits.find_map(|(before, column)| {
            found(before).filter(|(_, kind)| kind.has_columns()).map(|(param, _)| (param.as_str(), Some(column)))
        })
    }
}

impl Request {
    /// The form of gRPC that its content type names, as far as no value stands in it.
    #[must_use]
    pub fn grpc_form(&self) -> Option<GrpcForm> {
        GrpcForm::of_content_type(self.headers.get("content-type")?.to_string().as_bytes())
    }

    /// Every template in it, with the key that it stands in.
    pub fn templates(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        let Expect { headers, trailers, body_contains, json, .. } = &self.expect;
        let wanted = json.values().filter_map(|wanted| match wanted {
            Wanted::Text(text) => Some(("expect.json", text)),
            Wanted::Scalar(_) => None,
        });
        std::iter::once(("path", &self.path))
            .chain(self.headers.values().map(|text| ("headers", text)))
            .chain(self.body.iter().map(|text| ("body", text)))
            .chain(headers.values().map(|text| ("expect.header", text)))
            .chain(trailers.values().map(|text| ("expect.trailer", text)))
            .chain(body_contains.iter().map(|text| ("expect.body_contains", text)))
            .chain(wanted)
    }
}
