//! Who had the CPUs: what says, where load was not delivered, who was short.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CPU time of one thread, as the scheduler of the kernel counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadTime {
    /// Seconds that it ran, since its start.
    pub ran_s: f64,
    /// Seconds that it could have run and waited for a CPU.
    pub waited_s: f64,
}

/// What some CPUs of the host did, summed over them, since the host was booted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuTime {
    /// Seconds that they ran something, whoever's.
    pub busy_s: f64,
    /// Seconds that the host of a virtual machine gave to others.
    pub steal_s: f64,
}

/// The CPUs that the service and the driver may use, at the moment of a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HostCpu {
    /// Those of the service.
    pub service: CpuTime,
    /// Those of the driver; none: the same ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<CpuTime>,
    /// What tasks of the host waited for; none where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// Seconds for which the quota of the cgroup held up who wanted to run; none where there is no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_s: Option<f64>,
}

/// Seconds in which some task of the host waited, since it was booted (`/proc/pressure`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// For a CPU.
    pub cpu_s: f64,
    /// For memory that was taken from it, or for the kernel to find some.
    pub memory_s: f64,
    /// For a disk.
    pub io_s: f64,
}

/// How many CPUs there are for whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cpus {
    /// That the service may use.
    pub service: u32,
    /// That the driver may use; it has one thread.
    pub driver: u32,
    /// CPU time for each second that the cgroup of steep, and so of the service, is given; none: no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<f64>,
}
