//! Who was short while load was not delivered: the host, the service's CPU, steep's CPU, a quota, or whatever the
//! service waited for.
//!
//! Only those times count in which load was missing, with what led to them: a shortage of a minute is lost in the mean
//! of a night.

use schemars::JsonSchema;
use serde::Serialize;

use super::shortfall::Shortfall;
use crate::trace::{Cpus, DisturbanceKind, HostCpu, Sample, Trace};

mod words;

/// CPUs that are this busy are full: the rest is what the scheduler loses between one task and the next, and ticks of
/// 10 ms.
const FULL: f64 = 0.9;
/// Of full CPUs others must have used this share to be called short: below it the service and steep would have filled
/// them by themselves.
const OTHERS: f64 = 0.2;
/// A service that used less of its CPUs may not have wanted more.
const LITTLE: f64 = 0.1;
/// A virtual machine that is not given its CPUs for this share of the time is one of too many on its host.
const STOLEN: f64 = 0.05;
/// A host on which some task waits for memory for this share of the time swaps, or reads programs again and again.
const THRASHING: f64 = 0.1;
/// Seconds a second for which a quota holds up who wants to run, from which on it shows in answers.
const THROTTLED: f64 = 0.05;
/// A thread that runs for this share of the time has no pause left to be on time in.
const BUSY_THREAD: f64 = 0.85;
/// A driver that waits for a CPU for this share of the time is late for more requests than the 1 % that are tolerated.
const WAITED: f64 = 0.1;

/// Who was short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Short {
    /// The host: other programs, or other machines on its host, took the CPUs, or its memory is too small for all that
    /// runs on it.
    Host,
    /// The CPU quota of the cgroup that steep and the service run in.
    Quota,
    /// The service, of CPU.
    Service,
    /// steep's driver, of CPU.
    Driver,
    /// Nobody of CPU: the service answers slowly because it waits for something else, or connections are too few.
    Answers,
    /// The host slept.
    Asleep,
    /// It cannot be known.
    Unknown,
}

/// Who was short, and what shows it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Shortage {
    /// Who, the cause before what follows from it.
    pub who: Vec<Short>,
    /// None where the trace has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What the CPUs did while load was missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Evidence {
    /// Over this many seconds.
    pub seconds: f64,
    /// How many CPUs there were for whom.
    pub available: Cpus,
    /// Those of the service.
    pub service_side: Side,
    /// Those of the driver, where they are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_side: Option<Side>,
    /// CPUs that the service used; none where its processes were replaced, whose time is lost.
    pub service_cpus: Option<f64>,
    /// CPUs that steep used, its driver included.
    pub steep_cpus: f64,
    /// The driver's thread of one CPU.
    pub driver_cpus: Option<f64>,
    /// Share of the time for which the driver's thread could have run and waited.
    pub driver_waited: Option<f64>,
    /// Shares of the time in which some task of the host waited.
    pub pressure: Option<Waiting>,
    /// Seconds a second for which the quota held up who wanted to run.
    pub throttled: Option<f64>,
    /// Connections of the driver, where they are kept.
    pub connections: Option<u64>,
    /// Whether dependencies of the service are among the others.
    pub has_dependencies: bool,
}

/// Shares of the time in which some task of the host waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Waiting {
    /// For a CPU.
    pub cpu: f64,
    /// For memory.
    pub memory: f64,
    /// For a disk.
    pub io: f64,
}

/// What some CPUs did, in CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Side {
    /// How many they are.
    pub cpus: f64,
    /// Used by anybody.
    pub busy: f64,
    /// Given to other machines.
    pub stolen: f64,
    /// Used by programs other than the service and steep; none where that is not known.
    pub others: Option<f64>,
}

impl Side {
    fn is_full(&self) -> bool {
        self.busy + self.stolen >= FULL * self.cpus
    }

    fn is_stolen(&self) -> bool {
        self.stolen >= STOLEN * self.cpus
    }

    fn is_taken(&self) -> bool {
        self.is_stolen() || self.is_full() && self.others.is_some_and(|others| others >= OTHERS * self.cpus)
    }
}

/// Who was short while `shortfall` lasted.
pub(super) fn shortage(trace: &Trace, shortfall: &Shortfall) -> Shortage {
    let slept = |kind| kind == DisturbanceKind::HostSlept;
    let slept = trace.disturbances.iter().any(|lost| slept(lost.kind) && shortfall.covers(lost.t_s, lost.t_s));
    let evidence = evidence(trace, shortfall);
    let mut who = Vec::new();
    if slept {
        who.push(Short::Asleep);
    }
    if let Some(evidence) = &evidence {
        who.extend(evidence.who(shortfall.is_late, shortfall.is_crowded));
    }
    if who.is_empty() {
        who.push(Short::Unknown);
    }
    Shortage { who, evidence }
}

impl Evidence {
    fn who(&self, is_late: bool, is_crowded: bool) -> Vec<Short> {
        let sides = || [Some(self.service_side), self.driver_side].into_iter().flatten();
        let quota = self.available.quota.unwrap_or(f64::INFINITY);
        let own = self.service_side.cpus.min(quota);
        let mut who = Vec::new();
        let is_thrashing = self.pressure.is_some_and(|waited| waited.memory >= THRASHING);
        if sides().any(|side| side.is_taken()) || is_thrashing {
            who.push(Short::Host);
            // The driver was on time on the same CPUs, and the service hardly asked for any.
            let is_sure = is_late || is_thrashing || sides().any(|side| side.is_stolen());
            let asked_little = self.service_cpus.is_some_and(|used| used < LITTLE * own);
            who.extend((is_crowded && !is_sure && asked_little).then_some(Short::Answers));
        }
        if self.throttled.is_some_and(|throttled| throttled >= THROTTLED) {
            who.push(Short::Quota);
        }
        if self.service_cpus.is_some_and(|used| self.is_service_short(used, own)) {
            who.push(Short::Service);
        }
        // Full, and nobody can say by whom: the CPU of processes that are replaced is lost.
        if who.is_empty() && self.service_cpus.is_none() && self.service_side.is_full() {
            who.push(Short::Unknown);
        }
        if is_late && (self.is_driver_busy() || self.driver_waited.is_some_and(|share| share >= WAITED)) {
            who.push(Short::Driver);
        }
        if is_crowded && !who.iter().any(|short| matches!(short, Short::Host | Short::Quota | Short::Service)) {
            let is_known = self.service_cpus.is_some() && !who.contains(&Short::Unknown);
            who.extend(is_known.then_some(Short::Answers));
        }
        who
    }

    /// All of what it may use, most of what is full, or the one CPU of a program whose work is done by one thread.
    fn is_service_short(&self, used: f64, own: f64) -> bool {
        let is_most = self.service_side.is_full() && used >= own / 2.0;
        let is_one_thread = !self.service_side.is_full() && (FULL..=1.1).contains(&used);
        used >= FULL * own || is_most || is_one_thread
    }

    fn is_driver_busy(&self) -> bool {
        self.driver_cpus.is_some_and(|ran| ran >= BUSY_THREAD)
    }
}

/// Means over those times; none where the trace does not have them.
fn evidence(trace: &Trace, shortfall: &Shortfall) -> Option<Evidence> {
    let available = trace.start.as_ref()?.cpus?;
    let mut seconds = 0.0;
    let mut service = Mean::default();
    let mut steep = Mean::default();
    let (mut own_side, mut driver_side) = ([Mean::default(); 2], [Mean::default(); 2]);
    let (mut pressure, mut throttled) = ([Mean::default(); 3], Mean::default());
    for (before, after, hosts) in pairs(&trace.samples, shortfall) {
        let lasted = after.t_s.as_secs_f64() - before.t_s.as_secs_f64();
        let [was, is] = hosts;
        seconds += lasted;
        let used = after.activity.cpu_s - before.activity.cpu_s;
        let used = (before.processes == after.processes).then_some(used);
        service.add(used, lasted);
        steep.add(Some(after.steep.cpu_s - before.steep.cpu_s), lasted);
        own_side[0].add(Some(is.service.busy_s - was.service.busy_s), lasted);
        own_side[1].add(Some(is.service.steal_s - was.service.steal_s), lasted);
        let driver = is.driver.zip(was.driver);
        driver_side[0].add(driver.map(|(is, was)| is.busy_s - was.busy_s), lasted);
        driver_side[1].add(driver.map(|(is, was)| is.steal_s - was.steal_s), lasted);
        let waited = is.pressure.zip(was.pressure);
        pressure[0].add(waited.map(|(is, was)| is.cpu_s - was.cpu_s), lasted);
        pressure[1].add(waited.map(|(is, was)| is.memory_s - was.memory_s), lasted);
        pressure[2].add(waited.map(|(is, was)| is.io_s - was.io_s), lasted);
        throttled.add(is.throttled_s.zip(was.throttled_s).map(|(is, was)| is - was), lasted);
    }
    let (driver_cpus, driver_waited) = driver(trace, shortfall);
    let (service_cpus, steep_cpus) = (service.get(), steep.get()?);
    let is_apart = driver_side[0].get().is_some();
    // Where the driver has CPUs of its own, hardly anything of steep's is on those of the service.
    let beside = if is_apart { 0.0 } else { steep_cpus };
    let side = |cpus: u32, means: [Mean; 2], own: Option<f64>| {
        let (busy, stolen) = (means[0].get()?, means[1].get()?);
        let others = own.map(|own| (busy - own).max(0.0));
        Some(Side { cpus: f64::from(cpus), busy, stolen, others })
    };
    Some(Evidence {
        seconds,
        available,
        service_side: side(available.service, own_side, service_cpus.map(|used| used + beside))?,
        driver_side: side(available.driver, driver_side, driver_cpus),
        service_cpus,
        steep_cpus,
        driver_cpus,
        driver_waited,
        pressure: pressure[0]
            .get()
            .and_then(|cpu| Some(Waiting { cpu, memory: pressure[1].get()?, io: pressure[2].get()? })),
        throttled: throttled.get(),
        connections: trace.header.connections,
        has_dependencies: trace.samples.last().is_some_and(|last| !last.dependencies.is_empty()),
    })
}

/// Neighbouring samples in those times, with what both tell of the host.
fn pairs<'t>(
    samples: &'t [Sample],
    shortfall: &'t Shortfall,
) -> impl Iterator<Item = (&'t Sample, &'t Sample, [HostCpu; 2])> {
    samples.windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let hosts = [before.host?, after.host?];
        (after.t_s > before.t_s && shortfall.covers(before.t_s, after.t_s)).then_some((before, after, hosts))
    })
}

/// How much the driver's thread ran and waited in those times.
fn driver(trace: &Trace, shortfall: &Shortfall) -> (Option<f64>, Option<f64>) {
    let (mut ran, mut waited) = (Mean::default(), Mean::default());
    for (before, after) in trace.seconds().zip(trace.seconds().skip(1)) {
        let lasted = after.t_s.as_secs_f64() - before.t_s.as_secs_f64();
        if let Some((was, is)) = before.driver.zip(after.driver)
            && lasted > 0.0
            && shortfall.covers(before.t_s, after.t_s)
        {
            ran.add(Some(is.ran_s - was.ran_s), lasted);
            waited.add(Some(is.waited_s - was.waited_s), lasted);
        }
    }
    (ran.get(), waited.get())
}

/// Seconds of something for each second in which it was looked for.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    seconds: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>, seconds: f64) {
        if let Some(value) = value {
            // A clock that was set back, or CPUs that were taken offline.
            self.sum += value.max(0.0);
            self.seconds += seconds;
        }
    }

    fn get(self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.sum / self.seconds)
    }
}

#[cfg(test)]
mod tests;
