//! What the user asks for: a scenario file, checked, with every default filled in.
//!
//! `keys` lists every key, `read` takes typed values out of TOML against that list, `decode` makes the scenario of them, `check` looks
//! at what spans several keys, and `package` at what the cargo package has.
//! Pure: paths are kept as they were given, and nothing is opened here.

mod address;
pub mod check;
pub mod decode;
pub mod keys;
mod matrix;
pub mod package;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::matrix::{Allocator, Axis, AxisKind, Flag, PlanRules, Row, Strategy, Switch, Verify};
use crate::template::Template;
use crate::units::{Bytes, BytesPerHour, BytesPerRequest, Rps, Seed, seconds};

/// A whole scenario. Serialised into `run.json` as the resolved form of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Names the run's folder.
    pub name: String,
    /// Where all randomness comes from.
    pub seed: Seed,
    /// What is soaked.
    pub service: Service,
    /// What the service needs beside it.
    pub dependencies: Vec<Dependency>,
    /// How connections are made and kept.
    pub http: Http,
    /// How arrivals are made.
    pub load: Load,
    /// What happens when, in order.
    pub phases: Vec<Phase>,
    /// What is sent, picked by weight.
    pub requests: Vec<Request>,
    /// What the templates of requests may name.
    pub params: BTreeMap<String, Param>,
    /// What may be switched.
    pub flags: Vec<Flag>,
    /// What is crossed with every flag set.
    pub axes: Vec<Axis>,
    /// How each allocator but `system` is had.
    pub allocators: BTreeMap<String, Allocator>,
    /// Which flag sets become cells.
    pub plan: PlanRules,
    /// How memory is read.
    pub sampling: Sampling,
    /// What counts as a finding.
    pub judge: Judge,
}

/// The service under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// What is started.
    pub program: Program,
    /// Arguments after the program.
    pub args: Vec<Template>,
    /// Environment of the service, beside steep's own.
    pub env: BTreeMap<String, Template>,
    /// Files written before each start.
    pub files: Vec<RenderedFile>,
    /// Base address of all requests, such as `http://127.0.0.1:{{port}}`.
    pub url: Template,
    /// When the service counts as up.
    pub ready: Ready,
    /// How it is asked to end.
    pub stop: Stop,
    /// What production gives it.
    pub memory_limit_bytes: Option<Bytes>,
    /// CPUs that the service is pinned to; empty: all.
    pub cpus: Vec<usize>,
    /// Path that answers with live bytes, as the probe crate writes them.
    pub probe: Option<String>,
}

/// What is started as the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A binary of a cargo package, built by steep.
    Package(Package),
    /// Any other program, with its arguments.
    Command(Vec<Template>),
}

/// A cargo package and how it is built; always optimised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name of the package in the workspace of the scenario file.
    pub name: String,
    /// Name of the binary, where the package has several.
    pub bin: Option<String>,
    /// Cargo profile; `dev` and `test` are refused.
    pub profile: String,
    /// Features of every cell.
    pub features: Vec<String>,
    /// Whether the package's default features are on.
    pub default_features: bool,
    /// Whether `Cargo.lock` must be up to date.
    pub locked: bool,
    /// Added to `RUSTFLAGS`.
    pub rustflags: Vec<String>,
}

/// A file rendered before each start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenderedFile {
    /// Template file, relative to the scenario file.
    pub from: PathBuf,
    /// Where it is written.
    pub to: Template,
}

/// When a process counts as up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// What is asked.
    #[serde(flatten)]
    pub check: ReadyCheck,
    /// How long it may take.
    #[serde(rename = "timeout_s", with = "seconds")]
    pub timeout: Duration,
}

/// How readiness is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyCheck {
    /// A GET of this path answers with a status below 400.
    Path(String),
    /// This address (`host:port`) takes a TCP connection.
    Tcp(Template),
}

/// How a process is asked to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// The signal sent first.
    pub signal: StopSignal,
    /// How long it has before it is killed.
    #[serde(rename = "grace_s", with = "seconds")]
    pub grace: Duration,
}

/// Signals that ask a process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT, which nginx takes as "finish what is open".
    Quit,
    /// SIGHUP.
    Hup,
}

/// A process that the service needs; its memory is recorded and not judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dependency {
    /// Its name; the service sees its port as `{{<name>.port}}`.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Environment, beside steep's own.
    pub env: BTreeMap<String, Template>,
    /// Files written before each start.
    pub files: Vec<RenderedFile>,
    /// When it counts as up.
    pub ready: Option<Ready>,
    /// How it is asked to end.
    pub stop: Stop,
    /// A command run once it is up, before each cell; empty: none.
    pub before_cell: Vec<Template>,
}

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

/// How memory is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Time between two samples.
    #[serde(rename = "every_s", with = "seconds")]
    pub every: Duration,
}

/// What counts as a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    /// The smallest growth with the work done that is worth finding.
    pub min_growth_bytes_per_request: BytesPerRequest,
    /// The smallest growth over time that is worth finding.
    pub min_growth_bytes_per_hour: BytesPerHour,
    /// How much evidence a leak needs.
    pub strictness: Strictness,
    /// Whether a cell may end before its time.
    pub stop_early: StopEarly,
    /// Verdicts that make the run fail.
    pub fail_on: Vec<Finding>,
}

/// How much evidence a leak needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// A log-likelihood ratio above 3.
    Normal,
    /// Above 5.
    Strict,
}

/// Whether a cell may end before its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopEarly {
    /// It may not.
    #[default]
    Never,
    /// Once it is sure to be a leak.
    Leak,
}

/// What a run may fail on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Sustained growth.
    Leak,
    /// Growth in lasting jumps.
    Step,
    /// Memory that the allocator holds.
    Retention,
    /// The service ended by itself.
    Crashed,
    /// Peak memory above 90 % of the limit.
    Headroom,
}

impl Scenario {
    /// How long the load of one cell lasts.
    #[must_use]
    pub fn soak_duration(&self) -> Duration {
        self.phases.iter().map(|phase| phase.duration).sum()
    }
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
