//! What happened to processes of the service while it lived, and what it logged.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Exit, ProcessId};
use steep_judge::units::SinceStart;

/// A process of the service ended while the service lived on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerEnd {
    /// The sample that missed it first.
    pub t_s: SinceStart,
    /// Who it was.
    pub process: ProcessId,
    /// Its name, as the kernel knows it.
    pub name: String,
    /// How long it had lived.
    pub lived_s: u64,
    /// What is known of why.
    pub cause: WorkerCause,
    /// Another one of its name that its parent started about then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<ProcessId>,
}

/// A line of the service's log that is an event of the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was read, a few hundredths of a second after it was written.
    pub t_s: SinceStart,
    /// The kind of event, by its name in the scenario.
    pub event: String,
    /// What the groups of its pattern matched, by name or number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// Events of one kind since the line before that were only counted: too many came at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFlood {
    /// When they were counted.
    pub t_s: SinceStart,
    /// The kind of event.
    pub event: String,
    /// How many.
    pub lines: u64,
}

/// What is known of why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerCause {
    /// The kernel killed it for lack of memory: its log names the process, or the count of the service's own cgroup
    /// rose.
    OutOfMemory,
    /// A count of such kills rose at that time, whoever was meant.
    PerhapsOutOfMemory,
    /// The kernel's log says that it crashed.
    Faulted,
    /// It exited with this status.
    Exited {
        /// Status.
        code: i32,
    },
    /// It was killed by this signal.
    Signaled {
        /// Signal.
        signal: i32,
    },
    /// Its parent took its status, and nobody else learns it.
    Unknown,
}

impl WorkerCause {
    /// Whether it is sure that it did not end as planned.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        match self {
            Self::OutOfMemory | Self::Faulted | Self::Signaled { .. } => true,
            Self::Exited { code } => code != 0,
            Self::PerhapsOutOfMemory | Self::Unknown => false,
        }
    }
}

impl fmt::Display for WorkerCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exit = |code, signal| Exit { code, signal, oom_kill: false }.to_string();
        f.pad(&match *self {
            Self::OutOfMemory => "killed: out of memory".to_owned(),
            Self::PerhapsOutOfMemory => "at that time the kernel killed a process for lack of memory".to_owned(),
            Self::Faulted => "crashed: the kernel's log tells of a fault".to_owned(),
            Self::Exited { code } => exit(Some(code), None),
            Self::Signaled { signal } => exit(None, Some(signal)),
            Self::Unknown => "how is not known, its parent took the status".to_owned(),
        })
    }
}
