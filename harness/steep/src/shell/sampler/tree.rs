//! The processes below one supervisor, and their memory with each page counted once.
//!
//! A plain sum over processes that forked counts every shared page once in each of them. The kernel's proportional
//! shares (PSS) are exact but costly to read, so they are read on a slow cadence, and between two such surveys each
//! process's difference between resident and proportional is taken off what it shows. A process that no survey has seen
//! yet counts nothing: right for one just forked, all of whose pages are its parent's, and mended by the survey that
//! its appearing brings on. Where shares cannot be read (another user's process, kernels before 4.14) the plain sum is
//! all there is. A tree of one process shares with nobody, and is exact at any time.
//!
//! Pages of files are also shared with programs outside of the tree, which proportional shares leave in part to them.

use std::collections::BTreeMap;

use super::process::{Reading, Shares, Watched};
use crate::shell::procfs::Stat;
use steep_core::trace::{Activity, Memory, ProcessId, Rollup};
use steep_judge::units::Bytes;

/// Of this many processes descriptors are kept, three each; of further ones they are opened in each tick.
const KEPT_MAX: usize = 64;

/// More are not followed: steep is for services, and 1,000 processes cost 20 ms a tick.
pub const PROCESSES_MAX: usize = 1024;

/// The processes below one supervisor.
#[derive(Debug)]
pub struct Tree {
    supervisor: u32,
    processes: BTreeMap<u32, Watched>,
    /// Who came and who ended since that was asked for last; both bounded by [`PROCESSES_MAX`].
    came: Vec<Passing>,
    ended: Vec<Passing>,
    /// Whether a process came or went since the last survey.
    changed: bool,
    /// Whether shares could not be read of a process that is there.
    shares_unknown: bool,
}

/// A process that came or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passing {
    /// Who.
    pub id: ProcessId,
    /// Its name.
    pub name: String,
    /// Who started it, or took it over.
    pub parent: u32,
}

/// What one tick says of a tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Total {
    /// Each page counted once.
    pub memory: Memory,
    /// Threads, descriptors, faults and CPU.
    pub activity: Activity,
    /// Who was read.
    pub processes: Vec<ProcessId>,
}

/// What a survey says of one process.
pub type Measured = (ProcessId, Shares);

impl Tree {
    /// The tree below `supervisor`, with nobody in it yet.
    #[must_use]
    pub fn below(supervisor: u32) -> Self {
        let (came, ended) = (Vec::new(), Vec::new());
        Self { supervisor, processes: BTreeMap::new(), came, ended, changed: false, shares_unknown: false }
    }

    /// The supervisor.
    #[must_use]
    pub fn supervisor(&self) -> u32 {
        self.supervisor
    }

    /// Who is in it.
    pub fn ids(&self) -> impl Iterator<Item = ProcessId> {
        self.processes.values().map(|process| process.id)
    }

    /// Whether a survey is wanted because processes came or went. One process alone needs none.
    #[must_use]
    pub fn wants_survey(&self) -> bool {
        self.changed && self.processes.len() > 1
    }

    /// Whether pages may be counted twice, because the shares of a process cannot be read.
    #[must_use]
    pub fn shares_unknown(&self) -> bool {
        self.shares_unknown && self.processes.len() > 1
    }

    /// Whether `process` belongs here, by its parent.
    #[must_use]
    pub fn is_kin(&self, process: &Stat) -> bool {
        process.parent == self.supervisor || self.processes.contains_key(&process.parent)
    }

    /// Takes in `process`, which belongs here, if it is not here yet.
    pub fn adopt(&mut self, process: &Stat) {
        let is_new = self.processes.get(&process.pid).is_none_or(|known| known.id.start_ticks != process.start_ticks);
        if is_new && self.processes.len() < PROCESSES_MAX {
            let keep = self.processes.len() < KEPT_MAX;
            // It may have ended by now, as those of short-lived commands do.
            if let Some(watched) = Watched::open(process.pid, keep) {
                if self.came.len() < PROCESSES_MAX {
                    self.came.push(Passing::of(&watched));
                }
                self.processes.insert(process.pid, watched);
                self.changed = true;
            }
        }
    }

    /// Reads all; who has ended is left out from now on. `ticks_per_second` is the kernel's unit of CPU time.
    pub fn read(&mut self, ticks_per_second: f64) -> Total {
        let mut readings = Vec::with_capacity(self.processes.len());
        self.processes.retain(|_, process| {
            let reading = process.read();
            if reading.is_none() {
                self.changed = true;
                if self.ended.len() < PROCESSES_MAX {
                    self.ended.push(Passing::of(process));
                }
            }
            readings.extend(reading.map(|reading| (process.id, process.counted_elsewhere, reading)));
            reading.is_some()
        });
        total(&readings, ticks_per_second)
    }

    /// Who came and who ended since this was asked last.
    pub fn take_passing(&mut self) -> (Vec<Passing>, Vec<Passing>) {
        (std::mem::take(&mut self.came), std::mem::take(&mut self.ended))
    }

    /// Asks all for their names anew.
    pub fn learn_names(&mut self) {
        self.processes.values_mut().for_each(Watched::learn_name);
    }

    /// The name of one of them, as of now.
    pub fn name_of(&mut self, id: ProcessId) -> Option<&str> {
        let process = self.processes.get_mut(&id.pid).filter(|process| process.id == id)?;
        process.learn_name();
        Some(&process.name)
    }

    /// Takes in what a survey measured, and sums it up; the sum is none where the shares of a process cannot be read.
    pub fn take_in(&mut self, measured: &[Measured]) -> Option<Rollup> {
        let mut sum = Rollup::default();
        let mut complete = true;
        let hugetlb_of = most_of_shared_hugetlb(measured);
        for (id, shares) in measured {
            let Some(process) = self.processes.get_mut(&id.pid).filter(|process| process.id == *id) else { continue };
            process.counted_elsewhere = Some(match shares {
                Shares::Known(resident, smaps) => {
                    add_rollup(&mut sum, &smaps.rollup);
                    let mut share = smaps.share;
                    if hugetlb_of == Some(*id) {
                        share.hugetlb_bytes = share.hugetlb_bytes + smaps.hugetlb_shared_bytes;
                    }
                    less(resident, &share)
                }
                // Better counted twice than not at all.
                Shares::Unknown => {
                    complete = false;
                    Memory::default()
                }
            });
        }
        self.changed = self.processes.values().any(|process| process.counted_elsewhere.is_none());
        self.shares_unknown = !complete;
        (complete && !measured.is_empty()).then_some(sum)
    }
}

/// Whose shared pages of hugetlb count for all: forks share the same ones, and the kernel tells no share of them. Two
/// groups of processes with pages of their own are counted as one, too little and never too much.
fn most_of_shared_hugetlb(measured: &[Measured]) -> Option<ProcessId> {
    let shared = measured.iter().filter_map(|(id, shares)| match shares {
        Shares::Known(_, smaps) => Some((smaps.hugetlb_shared_bytes, *id)),
        Shares::Unknown => None,
    });
    shared.max().map(|(_, id)| id)
}

impl Passing {
    fn of(process: &Watched) -> Self {
        Self { id: process.id, name: process.name.clone(), parent: process.parent }
    }
}

/// Sums up a tick.
fn total(readings: &[(ProcessId, Option<Memory>, Reading)], ticks_per_second: f64) -> Total {
    let alone = readings.len() == 1;
    let any_measured = readings.iter().any(|(_, elsewhere, _)| elsewhere.is_some());
    let mut total = Total::default();
    for (id, elsewhere, reading) in readings {
        let memory = reading.status.memory;
        let counted = match elsewhere {
            _ if alone => memory,
            Some(elsewhere) => Memory { peak_bytes: without_shared(&memory, elsewhere), ..less(&memory, elsewhere) },
            // The first of a tree cannot share with those that are counted already.
            None if !any_measured => memory,
            None => Memory::default(),
        };
        add(&mut total.memory, &counted);
        total.activity.threads += reading.status.threads;
        total.activity.fds += reading.fds;
        total.activity.minor_faults += reading.stat.minor_faults;
        total.activity.major_faults += reading.stat.major_faults;
        total.activity.cpu_s += reading.stat.cpu_ticks as f64 / ticks_per_second;
        total.processes.push(*id);
    }
    total
}

/// The peak less the resident pages that are counted elsewhere.
fn without_shared(memory: &Memory, elsewhere: &Memory) -> Bytes {
    memory.peak_bytes.saturating_sub(elsewhere.anon_bytes + elsewhere.file_bytes + elsewhere.shmem_bytes)
}

/// Kind by kind; the peak is left at zero.
fn less(memory: &Memory, other: &Memory) -> Memory {
    Memory {
        anon_bytes: memory.anon_bytes.saturating_sub(other.anon_bytes),
        file_bytes: memory.file_bytes.saturating_sub(other.file_bytes),
        shmem_bytes: memory.shmem_bytes.saturating_sub(other.shmem_bytes),
        swap_bytes: memory.swap_bytes.saturating_sub(other.swap_bytes),
        hugetlb_bytes: memory.hugetlb_bytes.saturating_sub(other.hugetlb_bytes),
        // Known of the whole tree only.
        unmapped_bytes: Bytes::ZERO,
        peak_bytes: Bytes::ZERO,
    }
}

/// Kind by kind, the peak too.
fn add(memory: &mut Memory, other: &Memory) {
    memory.anon_bytes = memory.anon_bytes + other.anon_bytes;
    memory.file_bytes = memory.file_bytes + other.file_bytes;
    memory.shmem_bytes = memory.shmem_bytes + other.shmem_bytes;
    memory.swap_bytes = memory.swap_bytes + other.swap_bytes;
    memory.hugetlb_bytes = memory.hugetlb_bytes + other.hugetlb_bytes;
    memory.peak_bytes = memory.peak_bytes + other.peak_bytes;
}

fn add_rollup(sum: &mut Rollup, other: &Rollup) {
    sum.pss_bytes = sum.pss_bytes + other.pss_bytes;
    sum.pss_anon_bytes = sum.pss_anon_bytes + other.pss_anon_bytes;
    sum.private_dirty_bytes = sum.private_dirty_bytes + other.private_dirty_bytes;
    sum.private_clean_bytes = sum.private_clean_bytes + other.private_clean_bytes;
    sum.lazy_free_bytes = sum.lazy_free_bytes + other.lazy_free_bytes;
    sum.anon_huge_pages_bytes = sum.anon_huge_pages_bytes + other.anon_huge_pages_bytes;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::procfs::{SmapsRollup, Status};

    fn reading(pid: u32, anon_mib: u64, elsewhere_mib: Option<u64>) -> (ProcessId, Option<Memory>, Reading) {
        let memory = |mib| Memory { anon_bytes: Bytes::mib(mib), ..Memory::default() };
        let stat = Stat {
            pid,
            parent: 1,
            session: 1,
            ended: false,
            minor_faults: 1,
            major_faults: 0,
            cpu_ticks: 50,
            start_ticks: 7,
        };
        let of_process = Memory { peak_bytes: Bytes::mib(anon_mib + 1), ..memory(anon_mib) };
        let status = Status { process: pid, parent: 1, memory: of_process, threads: 2 };
        (ProcessId { pid, start_ticks: 7 }, elsewhere_mib.map(memory), Reading { stat, status, fds: 3 })
    }

    fn anon(readings: &[(ProcessId, Option<Memory>, Reading)]) -> Bytes {
        total(readings, 100.0).memory.anon_bytes
    }

    #[test]
    fn shared_pages_are_counted_once() {
        // A parent of 100 MiB and two forks of it that wrote 10 MiB each: 90 MiB are shared by three.
        let forks = [reading(1, 100, Some(60)), reading(2, 100, Some(60)), reading(3, 100, Some(60))];
        assert_eq!(anon(&forks), Bytes::mib(120));
        assert_eq!(total(&forks, 100.0).memory.peak_bytes, Bytes::mib(123));
    }

    #[test]
    fn a_process_alone_is_counted_whole_whatever_it_shared_before() {
        assert_eq!(anon(&[reading(1, 100, Some(60))]), Bytes::mib(100));
        assert_eq!(anon(&[reading(1, 100, None)]), Bytes::mib(100));
    }

    #[test]
    fn a_fork_counts_nothing_until_it_is_measured_and_makes_no_spike() {
        assert_eq!(anon(&[reading(1, 100, Some(0)), reading(2, 100, None)]), Bytes::mib(100));
    }

    #[test]
    fn huge_pages_that_forks_share_are_counted_in_one_of_them() {
        let smaps = |private, shared| {
            let share = Memory { hugetlb_bytes: Bytes::mib(private), ..Memory::default() };
            Shares::Known(
                share,
                SmapsRollup { share, hugetlb_shared_bytes: Bytes::mib(shared), ..SmapsRollup::default() },
            )
        };
        let id = |pid| ProcessId { pid, start_ticks: 7 };
        let measured = [(id(1), smaps(2, 8)), (id(2), smaps(0, 16)), (id(3), Shares::Unknown)];
        assert_eq!(most_of_shared_hugetlb(&measured), Some(id(2)));
    }

    #[test]
    fn activity_is_summed() {
        let total = total(&[reading(1, 1, Some(0)), reading(2, 1, Some(0))], 100.0);
        let expected = Activity { threads: 4, fds: 6, minor_faults: 2, major_faults: 0, cpu_s: 1.0 };
        assert_eq!(total.activity, expected);
        assert_eq!(total.processes.len(), 2);
    }
}
