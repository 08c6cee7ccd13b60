//! What one soak wrote down: the lines of `trace.jsonl`, and the trace that is read back from them.
//!
//! One JSON object a line, told apart by `record`. The first is the header, the last of a finished cell is `end`;
//! between them a line for each sample, each second of traffic, each change of phase and each disturbance. Counts are
//! cumulative, so a lost line loses no request. Pure: `TraceReader` takes lines.

mod cpu;
mod events;
mod header;
mod held;
mod memory;
mod own_heap;
mod read;
mod sample;
mod scrapes;
mod second;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::cpu::{CpuTime, Cpus, HostCpu, Pressure, ThreadTime};
pub use self::events::{LogFlood, LogLine, WorkerCause, WorkerEnd};
pub use self::header::{ExternalLoad, FORMAT, Header, LimitedBy, LoadStart, PhaseSpan, Provenance, Repeated, Spikes};
pub use self::held::{Held, HeldSource};
pub use self::memory::{Heap, LargeBlock, Live, Memory, Own, Places, Rollup};
pub use self::own_heap::OwnHeap;
pub use self::read::{FromRecords, Trace, TraceError, TraceReader};
pub use self::sample::{Activity, LiveCount, ProcessId, Sample};
pub use self::scrapes::{Points, Scrape, Scraped};
pub use self::second::Second;
use steep_judge::units::SinceStart;

/// One line of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// What was soaked, and how: the first line.
    Header(Box<Header>),
    /// The service is ready, and the load begins.
    Start(LoadStart),
    /// The load entered a phase.
    Phase(PhaseChange),
    /// Memory, read at one moment.
    Sample(Sample),
    /// Live bytes alone, read between two samples.
    LiveCount(LiveCount),
    /// A process of the service ended while the service lived on.
    WorkerEnd(WorkerEnd),
    /// A line of the service's log that is an event of the scenario.
    LogEvent(LogLine),
    /// Such lines that were counted and not kept.
    LogFlood(LogFlood),
    /// What changed of the series that the service offers.
    Metrics(Scrape),
    /// What the driver did until one moment.
    Traffic(Traffic),
    /// Something that was not the service's doing.
    Disturbance(Disturbance),
    /// The cell is finished; nothing follows.
    End(End),
}

/// The load entered a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseChange {
    /// When.
    pub t_s: SinceStart,
    /// Name of the phase.
    pub phase: String,
}

/// What the driver did until one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// When.
    pub t_s: SinceStart,
    /// By request name, cumulative.
    pub requests: BTreeMap<String, Counts>,
    /// Sessions by the name of their flow, cumulative.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flows: BTreeMap<String, FlowCounts>,
    /// Connections, cumulative.
    pub connections: Connections,
    /// Sent or waiting for a connection, now.
    pub in_flight: u64,
    /// The most there were since the record before.
    pub in_flight_peak: u64,
    /// Latency from the due time of what ended since the record before, by request name.
    pub latency: BTreeMap<String, Percentiles>,
    /// How many requests took longer than each threshold of a latency allows, in the order of the header; cumulative.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slower: Vec<Slower>,
    /// How late the driver sent what it sent since the record before.
    pub lateness: Percentiles,
    /// CPU time of the driver's thread; none in older traces, and where the host does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<ThreadTime>,
}

/// What became of the requests of one name. `due = sent + missed + dropped`, always; and everything sent is ok, failed,
/// aborted or still in flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Came due by the schedule.
    pub due: u64,
    /// Given to a connection, or waiting for one.
    pub sent: u64,
    /// Not sent, because the driver was starved when they were due.
    pub missed: u64,
    /// Not sent, because too many were in flight, or because there was nothing to send.
    pub dropped: u64,
    /// Of the dropped ones, those that found no row left of a parameter with `pick = "queue"`.
    #[serde(default)]
    pub dry: u64,
    /// Of the dropped ones, first steps of flows that came when there were as many sessions as there may be.
    #[serde(default)]
    pub crowded: u64,
    /// Answered as expected.
    pub ok: u64,
    /// Of those: with a status of 400 or above, or a `grpc-status` other than OK, which the scenario expects.
    #[serde(default)]
    pub ok_refused: u64,
    /// Answered with another status.
    pub failed_status: u64,
    /// Answered with the expected status, but not with what else is expected.
    #[serde(default)]
    pub failed_expect: u64,
    /// Calls of gRPC that ended with another status than expected, or without one.
    #[serde(default)]
    pub failed_grpc: u64,
    /// Not sent, because a value that came with an answer before does not fit the message that it is to stand in.
    #[serde(default)]
    pub failed_unsent: u64,
    /// No connection could be opened.
    pub failed_connect: u64,
    /// No whole answer in time.
    pub failed_timeout: u64,
    /// The connection ended, or spoke no HTTP, before the answer was whole; or the answer was larger than the bound.
    pub failed_body: u64,
    /// Left by the client as the scenario wants it: gone before the answer was there, read too slowly to the end, held
    /// open and dropped. No failure, and without a latency.
    #[serde(default)]
    pub aborted: u64,
    /// Bytes of request bodies.
    pub body_bytes_sent: u64,
    /// Bytes of answers' bodies.
    pub body_bytes_received: u64,
}

impl Counts {
    /// Answered by the service, well or not, or left by the client on purpose: the work that growth per request is
    /// reported by.
    #[must_use]
    pub fn completed(&self) -> u64 {
        [self.failed_status, self.failed_expect, self.failed_grpc, self.aborted]
            .iter()
            .fold(self.ok, |sum, n| sum.saturating_add(*n))
    }

    /// Sent, and ended otherwise than expected.
    #[must_use]
    pub fn failed(&self) -> u64 {
        let Self { failed_grpc, failed_unsent, failed_connect, failed_timeout, failed_body, .. } = *self;
        [self.failed_expect, failed_grpc, failed_unsent, failed_connect, failed_timeout, failed_body]
            .iter()
            .fold(self.failed_status, |sum, n| sum.saturating_add(*n))
    }

    /// Whether every due request is accounted for.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.sent.checked_add(self.missed).and_then(|sum| sum.checked_add(self.dropped)) == Some(self.due)
            && self.dry.checked_add(self.crowded).is_some_and(|described| described <= self.dropped)
            && self
                .failed()
                .checked_add(self.ok)
                .and_then(|sum| sum.checked_add(self.aborted))
                .is_some_and(|ended| ended <= self.sent)
    }

    /// Adds what happened to the requests of another name.
    pub fn add(&mut self, other: &Self) {
        self.due = self.due.saturating_add(other.due);
        self.sent = self.sent.saturating_add(other.sent);
        self.missed = self.missed.saturating_add(other.missed);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.dry = self.dry.saturating_add(other.dry);
        self.crowded = self.crowded.saturating_add(other.crowded);
        self.ok = self.ok.saturating_add(other.ok);
        self.ok_refused = self.ok_refused.saturating_add(other.ok_refused);
        self.failed_status = self.failed_status.saturating_add(other.failed_status);
        self.failed_expect = self.failed_expect.saturating_add(other.failed_expect);
        self.failed_grpc = self.failed_grpc.saturating_add(other.failed_grpc);
        self.failed_unsent = self.failed_unsent.saturating_add(other.failed_unsent);
        self.failed_connect = self.failed_connect.saturating_add(other.failed_connect);
        self.failed_timeout = self.failed_timeout.saturating_add(other.failed_timeout);
        self.failed_body = self.failed_body.saturating_add(other.failed_body);
        self.aborted = self.aborted.saturating_add(other.aborted);
        self.body_bytes_sent = self.body_bytes_sent.saturating_add(other.body_bytes_sent);
        self.body_bytes_received = self.body_bytes_received.saturating_add(other.body_bytes_received);
    }
}

/// What became of the sessions of one flow. `started = completed + ended_early + left` once none is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowCounts {
    /// Their first step was sent.
    pub started: u64,
    /// All steps went as they should.
    pub completed: u64,
    /// A step failed, or was missed or dropped, and those after it were not sent.
    pub ended_early: u64,
    /// Ended before a step that would have been due in a pause, or after the end of the load.
    pub left: u64,
}

/// Connections of the driver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connections {
    /// Opened.
    pub opened: u64,
    /// Ended, by either side.
    pub closed: u64,
    /// Could not be opened.
    pub refused: u64,
    /// Opened by storms, and closed again at once; not among the others.
    #[serde(default)]
    pub storm_opened: u64,
    /// Could not be opened by a storm.
    #[serde(default)]
    pub storm_refused: u64,
    /// Written to the sockets of all of them: heads and frames, and TLS around them, with the bodies.
    #[serde(default)]
    pub bytes_sent: u64,
    /// Read from them.
    #[serde(default)]
    pub bytes_received: u64,
}

/// How many requests took longer than a threshold allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slower {
    /// Of this many due requests: answered, or never to be.
    pub of: u64,
    /// So many.
    pub slower: u64,
}

/// A distribution of times, in microseconds, from a histogram of fixed size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Median.
    pub p50_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Largest.
    pub max_us: u64,
}

/// Something that was not the service's doing, and that the statistics must know of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// When it ended.
    pub t_s: SinceStart,
    /// What it was.
    pub kind: DisturbanceKind,
    /// How long it lasted.
    pub seconds: f64,
}

/// Kinds of disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisturbanceKind {
    /// Samples are missing.
    SamplingGap,
    /// The driver got no CPU, and requests were missed.
    DriverStarved,
    /// The host slept: its clock since boot went on, the monotonic one stood still.
    HostSlept,
}

impl fmt::Display for DisturbanceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SamplingGap => "samples are missing",
            Self::DriverStarved => "the driver was starved",
            Self::HostSlept => "the host slept",
        })
    }
}

/// How the cell ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub t_s: SinceStart,
    /// Why.
    pub reason: EndReason,
    /// What happened, in words, where the reason does not say it all: a compiler's message, the last lines of a log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The program that makes the load counted its requests, and once told fewer than before: that number, and the one
    /// before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_fell: Option<CountFell>,
    /// How the service's main process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Whether it had to be killed after the grace.
    #[serde(default)]
    pub killed_after_grace: bool,
    /// Whether some process could not be ended.
    #[serde(default)]
    pub something_left: bool,
    /// What this host did not let steep see, as it was known at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// Latency from the due time over the whole cell, by request name: all due requests; those that were never answered
    /// as having waited for the request timeout.
    #[serde(default)]
    pub latency: BTreeMap<String, Percentiles>,
    /// From sending to the end of the answer, of the completed ones.
    #[serde(default)]
    pub service_time: BTreeMap<String, Percentiles>,
    /// How late the driver sent.
    #[serde(default)]
    pub lateness: Percentiles,
}

/// A count of requests that went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountFell {
    /// What was reported before.
    pub from: u64,
    /// What was told then.
    pub to: u64,
}

/// Why a cell ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// All phases were soaked.
    #[default]
    Completed,
    /// It was sure to be a leak before its time, and the scenario lets it end then.
    StoppedEarly,
    /// A threshold was broken for as long as the scenario bears.
    ThresholdBroken,
    /// The program that made the load was done before the phases were.
    LoadEnded,
    /// The user stopped it.
    Interrupted,
    /// The service ended by itself.
    Crashed,
    /// The service, or a dependency, was not ready in time or ended before.
    NotReady,
    /// The service could not be built.
    BuildFailed,
    /// A flag or axis did not take effect.
    NotVerified,
    /// Something else that steep needs failed.
    Failed,
}

impl EndReason {
    /// Whether nothing is left to soak: what is there tells of the service, and would again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::StoppedEarly | Self::ThresholdBroken | Self::LoadEnded | Self::Crashed => true,
            Self::Interrupted | Self::NotReady | Self::BuildFailed | Self::NotVerified | Self::Failed => false,
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit status, where it exited.
    pub code: Option<i32>,
    /// Signal, where it was killed by one.
    pub signal: Option<i32>,
    /// Whether the kernel counted an out-of-memory kill meanwhile.
    pub oom_kill: bool,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (_, Some(9)) if self.oom_kill => f.pad("killed by the kernel, out of memory (signal 9)"),
            (_, Some(signal)) => f.pad(&format!("killed by signal {signal}{}", signal_name(signal))),
            (Some(code), None) => f.pad(&format!("exit status {code}")),
            (None, None) => f.pad("ended, status unknown"),
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        2 => " (SIGINT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}
