//! Who else could have written what appeared on a tmpfs: programs of the same user that are not a part of the service.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::Key;
use super::descriptors::open_files;
use super::origin::user_of;
use crate::shell::process_tree;
use crate::shell::procfs::Stat;

/// Parent of the threads of the kernel.
const KTHREADD: u32 = 2;

/// Descriptors of bystanders that are looked at.
const DESCRIPTORS_MAX: usize = 4096;

/// Processes of the service's users that are none of it, apart from steep and those who wait for it.
#[must_use]
pub fn bystanders(users: &BTreeSet<u32>, service_supervisor: u32) -> Vec<u32> {
    let all = process_tree::processes();
    let mut known = BTreeSet::from([service_supervisor, std::process::id()]);
    known.extend(process_tree::descendants(&all, service_supervisor).iter().map(|process| process.pid));
    known.extend(ancestors(&all, std::process::id()));
    known.extend(ancestors(&all, service_supervisor));
    // steep itself in its other parts.
    let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let own = program("self");
    let is_steep = |process: &Stat| own.is_some() && program(&process.pid.to_string()) == own;
    let is_other = |process: &&Stat| {
        let is_kernels = process.pid == KTHREADD || process.parent == KTHREADD;
        !known.contains(&process.pid) && !is_kernels && !process.ended && !is_steep(process)
    };
    let of_users = |process: &Stat| user_of(process.pid).filter(|user| users.contains(user)).map(|_| process.pid);
    all.iter().filter(is_other).filter_map(of_users).collect()
}

fn ancestors(all: &[Stat], of: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut pid = of;
    // The list is not read in one moment: a circle ends by itself.
    while let Some(parent) = all.iter().find(|process| process.pid == pid).map(|process| process.parent) {
        if !found.insert(parent) {
            break;
        }
        pid = parent;
    }
    found
}

/// Files that one of `processes` has open.
#[must_use]
pub fn open_in(processes: &[u32]) -> BTreeSet<Key> {
    let mut left = DESCRIPTORS_MAX;
    let files = |pid: &u32| open_files(&PathBuf::from(format!("/proc/{pid}/fd")), &mut left).unwrap_or_default();
    processes.iter().flat_map(files).map(|(_, seen)| seen.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_end_at_the_first_process_and_in_a_circle() {
        let process = |pid, parent| Stat {
            pid,
            parent,
            session: 1,
            ended: false,
            minor_faults: 0,
            major_faults: 0,
            cpu_ticks: 0,
            start_ticks: 0,
        };
        let all = [process(9, 5), process(5, 1), process(1, 0), process(7, 8), process(8, 7)];
        assert_eq!(ancestors(&all, 9), BTreeSet::from([0, 1, 5]));
        assert_eq!(ancestors(&all, 7), BTreeSet::from([7, 8]));
    }
}
