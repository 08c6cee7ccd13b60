//! What is soaked: the service, how it is started, seen to be up and asked to end.

mod address;
mod check;
pub(super) mod decode;
pub(super) mod keys;
pub(super) mod log_events;
pub(super) mod metrics;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::log_events::LogEvent;
pub use self::metrics::Metrics;
use crate::template::Template;
use steep_judge::units::{Bytes, seconds};

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
    /// Base address of all requests, such as `http://127.0.0.1:{{port}}`; none: nothing is asked.
    pub url: Option<Template>,
    /// When the service counts as up; none: as soon as it is started.
    pub ready: Option<Ready>,
    /// How it is asked to end.
    pub stop: Stop,
    /// What production gives it.
    pub memory_limit_bytes: Option<Bytes>,
    /// Whether the kernel holds it to that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enforce_limit: bool,
    /// CPUs that the service is pinned to; empty: all.
    pub cpus: Vec<usize>,
    /// Where live bytes come from.
    #[serde(default, skip_serializing_if = "LiveChoice::is_auto")]
    pub live: LiveChoice,
    /// Path that answers with live bytes, as the probe crate writes them.
    pub probe: Option<String>,
    /// Lines of its log that are events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_events: Vec<LogEvent>,
    /// Series that it offers; none: none are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
}

impl Service {
    /// Where live bytes come from, as far as the scenario says it; none: nobody counts them, or the program decides,
    /// see [`Service::lets_program_decide`].
    #[must_use]
    pub fn live_from(&self) -> Option<LiveFrom> {
        match self.live {
            LiveChoice::Auto | LiveChoice::Probe => self.probe.as_ref().map(|_| LiveFrom::Probe),
            LiveChoice::Preload => Some(LiveFrom::Preload),
            LiveChoice::Off => None,
        }
    }

    /// Whether the library is to be preloaded where the program lets it, and the service judged without live bytes
    /// where it does not.
    #[must_use]
    pub fn lets_program_decide(&self) -> bool {
        self.live == LiveChoice::Auto && self.probe.is_none()
    }

    /// Whether the library may be preloaded: the scenario asks for it, or lets the program decide.
    #[must_use]
    pub fn may_be_preloaded(&self) -> bool {
        self.lets_program_decide() || self.live_from() == Some(LiveFrom::Preload)
    }

    /// Where the probe answers, if it is asked.
    #[must_use]
    pub fn asked_probe(&self) -> Option<&str> {
        self.probe.as_deref().filter(|_| self.live_from() == Some(LiveFrom::Probe))
    }
}

/// What the scenario says of live bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveChoice {
    /// The probe where there is one, else the library where the program lets it.
    #[default]
    Auto,
    /// The probe.
    Probe,
    /// A library that is preloaded.
    Preload,
    /// None.
    Off,
}

impl LiveChoice {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Who counts live bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveFrom {
    /// The probe, in the service's own source.
    Probe,
    /// A library that steep preloads.
    Preload,
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
