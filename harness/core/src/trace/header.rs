//! The first line of a trace: what was soaked and how, so that a cell's folder can be judged by itself.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cpus, OwnHeap};
use crate::scenario::{
    Code, Counter, Judge, LiveFrom, LogEvent, Metrics, Model, Phase, Reported, Role, Scenario, Shape, Threshold,
    Tolerate,
};
use steep_judge::ids::{CellId, FlagSet, History};
use steep_judge::units::{Bytes, Rps, Seed, SinceStart};

/// Version of the format: the first number changes when old readers would misread, the second when lines gain fields.
pub const FORMAT: &str = "1.6";

/// What was soaked, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// Name of the scenario.
    pub scenario: String,
    /// The cell.
    pub cell: CellId,
    /// The flags that were on.
    pub flags: FlagSet,
    /// All flags that the scenario knows.
    pub known_flags: Vec<String>,
    /// Flags of which nothing showed that they took effect: neither a `verify`, nor cargo's word on the features of
    /// what it built.
    pub unverified_flags: Vec<String>,
    /// The allocator of which nothing showed that it is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unverified_allocator: Option<String>,
    /// Whether the certificate of the service was not checked, because the scenario says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub certificate_unchecked: bool,
    /// Value of each axis.
    pub axes: BTreeMap<String, String>,
    /// The revision of the service among those of the scenario; none: it has no axis of revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// SHA-256 of what flags and axes add to the start of the service, beside its build: two cells with the same of it
    /// and the same program are the same soak, whatever they are called. Empty in older traces.
    #[serde(default)]
    pub settings_sha256: String,
    /// Variables that were set beside the cell's own, to see what they change; empty: it is the cell itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub added_env: BTreeMap<String, String>,
    /// Which repetition, from 1.
    pub replicate: u32,
    /// Which attempt at this cell, from 1: resuming a run adds one.
    pub attempt: u32,
    /// That it was soaked before, and why that does not count; none: it was not repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repeated>,
    /// Seed of the scenario.
    pub seed: Seed,
    /// Hash of the plan.
    pub plan_hash: String,
    /// Hash of the schedule of requests: equal in every cell that got the same traffic.
    pub schedule_hash: String,
    /// Wall clock when the cell was begun, before the service was started, RFC 3339.
    pub begun: String,
    /// The phases, with their places on the cell's clock.
    pub phases: Vec<PhaseSpan>,
    /// Time between two samples.
    pub sampling_every_s: f64,
    /// What counts as a finding.
    pub judge: Judge,
    /// Whether nothing was sent at all, because the scenario says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_load: bool,
    /// Users of a closed load, who wait for answers; none: the load is open.
    #[serde(default)]
    pub users: Option<u32>,
    /// What must not be exceeded.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// What of the load may be missing.
    #[serde(default)]
    pub tolerate: Tolerate,
    /// Connections that the scenario says; none where that is not known, or each is to be closed after this many
    /// requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// The code after which weights swung; none: they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<Code>,
    /// The flow of each request that is a step of one flow, and was sent in no other way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flow_of_steps: BTreeMap<String, String>,
    /// The program that made the load; none: steep did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalLoad>,
    /// What production gives the service.
    pub memory_limit_bytes: Option<Bytes>,
    /// Whether the service is said to carry the probe.
    pub probe: bool,
    /// Who counts live bytes; none where nobody does, and in older traces, which know the probe only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_from: Option<LiveFrom>,
    /// Lines of the service's log that are events; empty in older traces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_events: Vec<LogEvent>,
    /// Series that the service offers; none where the scenario asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Where the service and the machine come from.
    pub provenance: Provenance,
}

/// A cell that was soaked anew, because it did not have its load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeated {
    /// How often.
    pub times: u32,
    /// What was said of the attempt before.
    pub why: String,
}

/// A load that another program made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExternalLoad {
    /// The program and its arguments, as the scenario gives them.
    pub command: Vec<String>,
    /// Where the service's own count of requests is; none: it is not known.
    pub counter: Option<Counter>,
    /// Where the program itself told how many requests it had made; none: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

/// The moment from which a cell's clock counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadStart {
    /// Wall clock, RFC 3339.
    pub started: String,
    /// The same in seconds since 1970.
    pub started_unix_s: f64,
    /// The clock since boot, which goes on while the host sleeps.
    pub started_boot_s: f64,
    /// What this host does not let steep see, in words.
    pub limits: Vec<String>,
    /// What is not a part of the memory that is judged, in words, as this host lets steep count.
    #[serde(default)]
    pub not_counted: Vec<String>,
    /// How many CPUs there are for whom; none in older traces, and where the host does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// Why nobody counts live bytes where the scenario leaves it to the program; none: somebody does, or none are
    /// wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_refused: Option<String>,
    /// Heaps of the service that its allocator knows nothing of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_heaps: Vec<OwnHeap>,
    /// Who holds the service to its memory limit; none: nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_enforced_by: Option<LimitedBy>,
}

/// What of the kernel holds a service to its memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// The memory controller of a cgroup: resident memory of all its processes together.
    Cgroup,
    /// `RLIMIT_DATA` of each process: what it maps for itself and may write, resident or not.
    DataLimit,
}

impl fmt::Display for LimitedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cgroup => "a cgroup of its own: what is over the limit is killed",
            Self::DataLimit => {
                "RLIMIT_DATA, for there is no cgroup for it on this host: of each process what it maps for itself and may \
                 write, resident or not; what is over the limit is not allocated"
            }
        })
    }
}

/// A phase on the cell's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseSpan {
    /// Its name.
    pub name: String,
    /// What the statistics make of it.
    pub role: Role,
    /// Its beginning.
    pub start_s: SinceStart,
    /// Its end.
    pub end_s: SinceStart,
    /// The highest scheduled rate; none where it follows from the answers, or from another program.
    #[serde(default)]
    pub peak_requests_per_second: Option<Rps>,
    /// The peaks of its load, where it has some that come as by a clock; none in older traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spikes: Option<Spikes>,
}

/// Most spikes of a phase: one a minute for a week.
const SPIKES_MAX: u32 = 10_080;

/// Peaks of a load, of equal width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spikes {
    /// From one to the next; the first ends the first such stretch.
    pub every_s: f64,
    /// How long one lasts.
    pub width_s: f64,
}

impl Header {
    /// The connections that `scenario` wants throughout; none where it has them closed on purpose.
    #[must_use]
    pub fn kept_connections(scenario: &Scenario) -> Option<u64> {
        let has_recess = scenario.phases.iter().any(|phase| phase.close_connections);
        let has_load = scenario.external.is_none() && scenario.load.model != Model::None;
        let is_kept = scenario.http.max_requests_per_connection == 0 && has_load && !has_recess;
        // Clients that go away, or open connections of their own, close them on purpose as well.
        let is_kept = is_kept
            && scenario.http.max_idle.is_none()
            && scenario.requests.iter().all(|request| request.conduct.is_none());
        is_kept.then_some(scenario.http.connections as u64)
    }
}

impl ExternalLoad {
    /// That of `scenario`, where there is one.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Option<Self> {
        let external = scenario.external.as_ref()?;
        let command = external.command.iter().map(ToString::to_string).collect();
        Some(Self { command, counter: external.counter.clone(), reported: external.reported.clone() })
    }

    /// Whether anybody counted requests.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.counter.is_some() || self.reported.is_some()
    }

    /// What counted them, in words; none: nobody did.
    #[must_use]
    pub fn counted_by(&self) -> Option<String> {
        let program = self.command.first().map_or("", String::as_str);
        let of_service = self.counter.as_ref().map(|counter| format!("the counter {}", counter.metric));
        of_service.or_else(|| self.reported.as_ref().map(|place| format!("the count of {program} in {place}")))
    }
}

impl Spikes {
    fn of(shape: &Shape) -> Option<Self> {
        let Shape::Spike { every, width, .. } = shape else { return None };
        Some(Self { every_s: every.as_secs_f64(), width_s: width.as_secs_f64() })
    }
}

impl PhaseSpan {
    /// The `phases` of a scenario, one after the other.
    #[must_use]
    pub fn chain(phases: &[Phase]) -> Vec<Self> {
        let mut start = SinceStart::ZERO;
        let span = |phase: &Phase| {
            let end = start + phase.duration;
            let span = Self {
                name: phase.name.clone(),
                role: phase.role,
                start_s: start,
                end_s: end,
                peak_requests_per_second: (!matches!(phase.shape, Shape::Users { .. } | Shape::External))
                    .then(|| phase.shape.peak()),
                spikes: Spikes::of(&phase.shape),
            };
            start = end;
            span
        };
        phases.iter().map(span).collect()
    }

    /// When each of its spikes begins.
    pub fn spikes(&self) -> impl Iterator<Item = SinceStart> + use<> {
        let (from, to) = (self.start_s.as_secs_f64(), self.end_s.as_secs_f64());
        // Of a header that somebody wrote by hand there may be any number.
        let spikes = self.spikes.filter(|spikes| spikes.every_s > 0.0);
        let Spikes { every_s, width_s } = spikes.unwrap_or(Spikes { every_s: f64::INFINITY, width_s: 0.0 });
        let begins = (1..=SPIKES_MAX).map(move |nth| from + f64::from(nth) * every_s - width_s);
        begins.take_while(move |at| *at < to).map(SinceStart::from_secs_f64)
    }

    /// Whether it is fitted.
    #[must_use]
    pub fn is_fitted(&self) -> bool {
        matches!(self.role, Role::Warmup | Role::Steady)
    }
}

/// Where the service and the machine come from. What is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// Version of steep.
    pub steep: String,
    /// Commit of the service's repository.
    pub git_commit: String,
    /// Whether files differed from that commit.
    pub git_dirty: bool,
    /// SHA-256 of `Cargo.lock`.
    pub lockfile_sha256: String,
    /// `rustc --version`.
    pub rustc: String,
    /// Cargo profile.
    pub profile: String,
    /// Cargo features.
    pub features: Vec<String>,
    /// Flags for rustc.
    pub rustflags: Vec<String>,
    /// The program that ran, and its arguments.
    pub command: Vec<String>,
    /// SHA-256 of the program's file.
    pub binary_sha256: String,
    /// Variables of the service's environment that are known to change how memory is managed.
    pub allocator_env: BTreeMap<String, String>,
    /// Kernel.
    pub kernel: String,
    /// Processor.
    pub cpu: String,
    /// Logical processors.
    pub cpus: u64,
    /// Memory of the host.
    pub memory_bytes: Bytes,
    /// Setting of transparent huge pages.
    pub transparent_huge_pages: String,
}
