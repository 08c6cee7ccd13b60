//! The CPUs that the service and the driver share with everybody else on the host.

use std::fs;
use std::path::Path;

use crate::shell::cgroups::CpuQuota;
use crate::shell::host::usable_cpus;
use crate::shell::procfs::cpu;
use steep_core::trace::{CpuTime, Cpus, HostCpu, Pressure, ThreadTime};

/// Looks at the CPUs.
#[derive(Debug)]
pub struct HostCpus {
    service: Vec<usize>,
    driver: Vec<usize>,
    quota: Option<CpuQuota>,
    ticks_per_second: f64,
}

impl HostCpus {
    /// Those that a service and a driver may use which are pinned so; empty: not pinned, and they have those of steep.
    #[must_use]
    pub fn of(service: &[usize], driver: &[usize]) -> Option<Self> {
        let own = usable_cpus()?;
        let or_own = |pinned: &[usize]| if pinned.is_empty() { own.clone() } else { pinned.to_vec() };
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        Some(Self { service: or_own(service), driver: or_own(driver), quota: CpuQuota::above(), ticks_per_second })
    }

    /// How many there are for whom.
    #[must_use]
    pub fn cpus(&self) -> Cpus {
        let count = |cpus: &[usize]| u32::try_from(cpus.len()).unwrap_or(u32::MAX);
        let quota = self.quota.as_ref().map(CpuQuota::cpus);
        Cpus { service: count(&self.service), driver: count(&self.driver), quota }
    }

    /// What they did until now; none where the kernel does not say.
    #[must_use]
    pub fn read(&self) -> Option<HostCpu> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let of = |cpus: &[usize]| {
            let ticks = cpu::ticks(&stat, |cpu| cpus.contains(&cpu))?;
            let seconds = |ticks: u64| ticks as f64 / self.ticks_per_second;
            Some(CpuTime { busy_s: seconds(ticks.busy), steal_s: seconds(ticks.steal) })
        };
        let throttled = self.quota.as_ref().and_then(CpuQuota::throttled);
        Some(HostCpu {
            service: of(&self.service)?,
            driver: (self.driver != self.service).then(|| of(&self.driver)).flatten(),
            pressure: pressure(),
            throttled_s: throttled.map(|waited| waited.as_secs_f64()),
        })
    }
}

/// CPU time of the thread that asks; none where the kernel does not say.
#[must_use]
pub fn own_thread() -> Option<ThreadTime> {
    let (ran, waited) = cpu::schedule(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)?;
    Some(ThreadTime { ran_s: ran.as_secs_f64(), waited_s: waited.as_secs_f64() })
}

fn pressure() -> Option<Pressure> {
    let waited = |of: &str| {
        let text = fs::read_to_string(Path::new("/proc/pressure").join(of)).ok()?;
        Some(cpu::pressure(&text)?.as_secs_f64())
    };
    Some(Pressure { cpu_s: waited("cpu")?, memory_s: waited("memory")?, io_s: waited("io")? })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_cpus_of_this_host_go_on() {
        let host = HostCpus::of(&[], &[]).expect("the CPUs of this thread");
        let (first, cpus) = (host.read().expect("/proc/stat"), host.cpus());
        assert!(cpus.service >= 1 && cpus.driver == cpus.service && first.driver.is_none(), "{cpus:?} {first:?}");
        let second = host.read().expect("/proc/stat");
        assert!(second.service.busy_s >= first.service.busy_s && first.service.busy_s > 0.0, "{first:?} {second:?}");
    }

    #[test]
    fn who_is_pinned_apart_is_read_apart() {
        let own = usable_cpus().expect("the CPUs of this thread");
        let apart = HostCpus { service: own.clone(), driver: own[..1].to_vec(), quota: None, ticks_per_second: 100.0 };
        assert_eq!(apart.read().expect("/proc/stat").driver.is_some(), own.len() > 1);
        assert_eq!(apart.cpus(), Cpus { service: u32::try_from(own.len()).expect("few"), driver: 1, quota: None });
    }

    #[test]
    fn a_thread_knows_that_it_ran() {
        // Counted once it gives its CPU back. Kernels without the accounting of delays tell nothing.
        while own_thread().is_some_and(|time| time.ran_s == 0.0) {
            std::thread::yield_now();
        }
        assert!(own_thread().is_none_or(|time| time.ran_s > 0.0));
    }
}
