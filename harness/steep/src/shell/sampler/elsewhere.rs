//! Memory of a process tree on systems without `/proc`, through sysinfo.
//!
//! Known there: resident memory, put down as anonymous though it holds pages of files too; CPU time; who is there. Not
//! known: kinds of memory, swap, peak, threads, descriptors, faults, and pages that processes share, which are counted
//! in each of them.

use std::collections::BTreeSet;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::tree::Total;
use steep_core::trace::ProcessId;
use steep_judge::units::Bytes;

/// The processes of a host without `/proc`.
#[derive(Debug)]
pub struct Elsewhere(System);

impl Elsewhere {
    /// Nothing is read yet; none where sysinfo knows no such system.
    #[must_use]
    pub fn new() -> Option<Self> {
        System::new().ok().map(Self)
    }

    /// Reads all processes.
    pub fn refresh(&mut self) {
        // `nothing` still lists threads unless told otherwise.
        let wanted = ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks();
        self.0.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
    }

    /// What descends from `supervisor`, as of the last refresh.
    #[must_use]
    pub fn below(&self, supervisor: u32) -> Total {
        let mut family = BTreeSet::from([Pid::from_u32(supervisor)]);
        let mut total = Total::default();
        // Each round finds one more generation.
        loop {
            let is_new = |pid: &Pid, parent: Option<Pid>| {
                !family.contains(pid) && parent.is_some_and(|parent| family.contains(&parent))
            };
            let found: Vec<_> =
                self.0.processes().iter().filter(|(pid, process)| is_new(pid, process.parent())).collect();
            if found.is_empty() {
                return total;
            }
            for (pid, process) in found {
                family.insert(*pid);
                total.memory.anon_bytes = total.memory.anon_bytes + Bytes::new(process.memory());
                total.activity.cpu_s += Duration::from_millis(process.accumulated_cpu_time()).as_secs_f64();
                total.processes.push(ProcessId { pid: pid.as_u32(), start_ticks: process.start_time() });
            }
        }
    }
}
