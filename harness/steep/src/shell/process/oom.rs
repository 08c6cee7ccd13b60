//! Tells a kill by the kernel for lack of memory from other kills: by the kernel's counters before and after.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::cgroups::is_of_a_supervisor;
use crate::shell::procfs;

/// Holds the count of the whole host, since Linux 4.13.
const VMSTAT: &str = "/proc/vmstat";

/// Where the counters stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OomCounters {
    /// Of the whole host.
    host: Option<u64>,
    /// Of the cgroup that the process was in, and the file.
    cgroup: Option<(PathBuf, u64)>,
}

impl OomCounters {
    /// Reads them for process `pid`. What cannot be read counts as not there.
    #[must_use]
    pub fn read(pid: u32) -> Self {
        let host = read_counter(Path::new(VMSTAT));
        let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok().and_then(|text| {
            let candidates = counter_files(&procfs::cgroups(&text));
            candidates.into_iter().find_map(|file| Some((file.clone(), read_counter(&file)?)))
        });
        Self { host, cgroup }
    }

    /// How many such kills were counted since, and whether all of them hit a cgroup that holds the service and nothing
    /// else.
    #[must_use]
    pub fn risen(&self) -> (u64, bool) {
        match (&self.cgroup, self.host) {
            (Some((file, before)), _) => {
                let is_own = file.parent().is_some_and(is_of_a_supervisor);
                (read_counter(file).unwrap_or(*before).saturating_sub(*before), is_own)
            }
            (None, Some(before)) => (read_counter(Path::new(VMSTAT)).unwrap_or(before).saturating_sub(before), false),
            (None, None) => (0, false),
        }
    }

    /// Whether an out-of-memory kill was counted since.
    ///
    /// The cgroup's count is of its own processes alone (version 2: and of those in cgroups below). The host's also
    /// rises when a stranger is killed, so it is asked only where there is no other.
    #[must_use]
    pub fn rose(&self) -> bool {
        let now = self.cgroup.as_ref().and_then(|(file, before)| Some((read_counter(file)?, *before)));
        match (now, self.host) {
            (Some((now, before)), _) => now > before,
            (None, Some(before)) => read_counter(Path::new(VMSTAT)).is_some_and(|now| now > before),
            (None, None) => false,
        }
    }
}

fn read_counter(file: &Path) -> Option<u64> {
    procfs::counter(&fs::read_to_string(file).ok()?, "oom_kill")
}

/// The files that may hold the count, at the places where the hierarchies are usually mounted.
fn counter_files(cgroups: &procfs::Cgroups) -> Vec<PathBuf> {
    let below = |root: &str, path: &str, file: &str| Path::new(root).join(path.trim_start_matches('/')).join(file);
    let v1 = cgroups.memory_v1.iter().map(|path| below("/sys/fs/cgroup/memory", path, "memory.oom_control"));
    let v2 = cgroups.unified.iter().map(|path| below("/sys/fs/cgroup", path, "memory.events"));
    v1.chain(v2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_looked_for_in_both_versions() {
        let cgroups = procfs::cgroups("4:memory:/jobs\n0::/user.slice\n");
        let files = counter_files(&cgroups);
        assert_eq!(files[0], Path::new("/sys/fs/cgroup/memory/jobs/memory.oom_control"));
        assert_eq!(files[1], Path::new("/sys/fs/cgroup/user.slice/memory.events"));
    }

    #[test]
    fn nothing_rose_without_a_kill() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("memory.events");
        fs::write(&file, "oom 0\noom_kill 1\n").expect("a file");
        let before = OomCounters { host: None, cgroup: Some((file.clone(), 1)) };
        assert!(!before.rose());
        fs::write(&file, "oom 1\noom_kill 2\n").expect("a file");
        assert!(before.rose());
        assert_eq!(before.risen(), (1, false));
        fs::remove_file(&file).expect("a file");
        assert!(!before.rose());
    }
}
