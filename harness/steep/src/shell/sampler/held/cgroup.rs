//! The kernel's own count of shared memory, where the service has a cgroup to itself that its supervisor made
//! (see [`crate::shell::cgroups`]).

use std::fs;
use std::path::PathBuf;

use crate::shell::cgroups::{memory_folder, name_below};
use crate::shell::procfs::shared::{CgroupMemory, cgroup_memory};
use steep_core::trace::ProcessId;
use steep_judge::units::Bytes;

/// The cgroup of one service.
#[derive(Debug)]
pub struct OwnCgroup {
    folder: PathBuf,
}

impl OwnCgroup {
    /// That of process `pid`, if the supervisor `supervisor` made it.
    #[must_use]
    pub fn of(pid: u32, supervisor: u32) -> Option<Self> {
        let folder = folder_of(pid)?;
        (folder.file_name()? == name_below(supervisor).as_str()).then_some(Self { folder })
    }

    /// Reads it, 15 µs.
    #[must_use]
    pub fn read(&self) -> Option<CgroupMemory> {
        let text = |name| fs::read_to_string(self.folder.join(name)).ok();
        let bytes = |name| Some(Bytes::new(text(name)?.trim().parse().ok()?));
        let counted = cgroup_memory(&text("memory.stat")?)?;
        Some(CgroupMemory {
            swap_bytes: counted.swap_bytes.or_else(|| bytes("memory.swap.current")),
            kernel_bytes: counted.kernel_bytes.or_else(|| bytes("memory.kmem.usage_in_bytes")),
            ..counted
        })
    }

    /// Whether all of `processes` are in it or below.
    #[must_use]
    pub fn holds(&self, processes: &[ProcessId]) -> bool {
        // One that has ended meanwhile is in no cgroup.
        processes.iter().filter_map(|process| folder_of(process.pid)).all(|folder| folder.starts_with(&self.folder))
    }
}

fn folder_of(pid: u32) -> Option<PathBuf> {
    memory_folder(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}
