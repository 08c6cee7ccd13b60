//! Memory that the service holds by a descriptor, a name or a number, whether a process has mapped it or not: memfd,
//! files on tmpfs, System V segments, hugetlb. It is charged to the service's container until the last holder lets go,
//! and stands in the resident memory of nobody.
//!
//! Each object counts once, with all its pages: whoever holds it, and however many. What of that is mapped is in the
//! processes' resident memory already, so that only the rest is added. Where the service has a cgroup of its own (see
//! [`cgroup`]) the kernel's own count of shared pages takes the place of the sum over objects; it also knows of files
//! that were written and closed between two looks, and of descriptors on their way through a socket.

pub mod bystanders;
pub mod cgroup;
pub mod descriptors;
pub mod folders;
pub mod mapped;
mod origin;
pub mod segments;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, StatxFlags, statx};

use crate::shell::procfs::shared::{Filesystem, mounts_in_memory};
use cgroup::OwnCgroup;
use descriptors::Descriptors;
use folders::Folders;
use mapped::Mapped;
use segments::Segments;
use steep_core::trace::{Held, HeldSource, Memory, ProcessId};
use steep_judge::units::{Bytes, SinceStart};

/// A look waits for this many times the CPU time that the last one took, so that a service with 16,000 descriptors is
/// looked at for 1 % of the time. What it waited for a processor is not counted: on a crowded host all looks would be
/// put off, and what a service holds be seen late.
const LOOK_REST: u32 = 100;

/// Between two whole looks at the descriptors while their number stays the same: objects that are known are read at
/// each tick.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Processes ever seen in the tree that are remembered as makers of what they left behind.
const EVER_MAX: usize = 16_384;

/// What makes two holders hold the same pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A file on tmpfs or hugetlbfs, or a memfd.
    File {
        /// Major and minor number of its device.
        device: (u32, u32),
        /// Its inode.
        inode: u64,
    },
    /// A System V segment, by its number.
    Segment(u64),
}

/// What kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A memfd, or a shared anonymous mapping.
    Memfd,
    /// A file on tmpfs.
    Tmpfs,
    /// Huge pages: a file on hugetlbfs, or a memfd of such.
    Hugetlb,
}

/// A file as `statx` sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Device and inode.
    pub key: Key,
    /// Pages that it has, resident or swapped out.
    pub bytes: Bytes,
    /// What it is.
    pub file_type: FileType,
    /// Whose.
    pub user: u32,
    /// When it was made, in seconds since 1970; the last change where the kernel does not know (tmpfs before Linux
    /// 6.6).
    pub made_unix_s: i64,
}

/// Looks at `name` in `folder`. Never opens it, and never asks a server for it, so that it cannot hang.
#[must_use]
pub fn seen(folder: impl AsFd, name: impl rustix::path::Arg, flags: AtFlags) -> Option<Seen> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(folder, name, flags | AtFlags::STATX_DONT_SYNC, wanted).ok()?;
    let made = if found.stx_mask & StatxFlags::BTIME.bits() == 0 { found.stx_ctime } else { found.stx_btime };
    Some(Seen {
        key: Key::File { device: (found.stx_dev_major, found.stx_dev_minor), inode: found.stx_ino },
        // In units of 512 bytes, whatever the page size (stat(2)).
        bytes: Bytes::new(found.stx_blocks * 512),
        file_type: FileType::from_raw_mode(found.stx_mode.into()),
        user: found.stx_uid,
        made_unix_s: made.tv_sec,
    })
}

/// The same of a path.
#[must_use]
pub fn seen_at(path: &Path, flags: AtFlags) -> Option<Seen> {
    seen(rustix::fs::CWD, path, flags)
}

/// Which file systems live in memory, by device, as the service sees them.
#[derive(Debug, Clone, Default)]
pub struct Devices(BTreeMap<(u32, u32), Filesystem>);

/// What is held, from tick to tick.
#[derive(Debug)]
pub struct HeldMemory {
    descriptors: Descriptors,
    segments: Segments,
    folders: Folders,
    mapped: Mapped,
    cgroup: Option<OwnCgroup>,
    /// Numbers of all processes that were ever seen in the tree.
    ever: BTreeSet<u32>,
    /// The supervisors of the service and of what it needs: what is below the others is nothing of the service.
    supervisors: Vec<u32>,
    limits: BTreeSet<&'static str>,
}

impl HeldMemory {
    /// Begins for the tree of the first of `supervisors`, in which these processes run; `folder` is the cell's, on
    /// whatever file system.
    #[must_use]
    pub fn begin(supervisors: Vec<u32>, processes: &[ProcessId], folder: Option<&Path>) -> Self {
        let mut limits = BTreeSet::new();
        let first = processes.iter().min_by_key(|process| (process.start_ticks, process.pid)).copied();
        let devices = first.map(|first| Devices::of(first.pid)).unwrap_or_default();
        if first.is_some_and(|first| !shares_namespace(first.pid, "ipc")) {
            limits.insert(
                "System V segments: the service has an IPC namespace of its own, into which steep does not see",
            );
        }
        let cgroup =
            first.zip(supervisors.first()).and_then(|(first, supervisor)| OwnCgroup::of(first.pid, *supervisor));
        Self {
            folders: Folders::begin(first, folder),
            descriptors: Descriptors::new(devices),
            segments: Segments::begin(first),
            mapped: Mapped::default(),
            cgroup,
            ever: processes.iter().map(|process| process.pid).collect(),
            supervisors,
            limits,
        }
    }

    /// Reads all, for the service's `processes`, whose resident memory and number of descriptors are known, and puts
    /// what nobody has mapped into `memory`. None where nothing is held and nothing else is to be reported.
    pub fn tick(&mut self, at: SinceStart, processes: &[ProcessId], fds: u64, memory: &mut Memory) -> Option<Held> {
        self.ever.extend(processes.iter().map(|process| process.pid));
        while self.ever.len() > EVER_MAX {
            self.ever.pop_first();
        }
        self.descriptors.tick(at, processes, fds);
        self.segments.tick(&self.ever, processes);
        let counted = self.cgroup.as_ref().and_then(OwnCgroup::read);
        if counted.is_none() {
            self.folders.tick(at, processes, &self.supervisors, &mut self.descriptors);
        }
        let closed = if counted.is_none() { self.folders.closed(&self.descriptors) } else { Bytes::ZERO };
        let mut held = Held {
            memfd_bytes: self.descriptors.sum(Kind::Memfd),
            tmpfs_bytes: self.descriptors.sum(Kind::Tmpfs) + closed,
            sysv_bytes: self.segments.own(),
            hugetlb_bytes: self.descriptors.sum(Kind::Hugetlb),
            ..Held::default()
        };
        let objects = held.memfd_bytes + held.tmpfs_bytes + held.sysv_bytes;
        self.mapped.are_wanted = counted.is_none() && memory.shmem_bytes > Bytes::ZERO
            || held.hugetlb_bytes > Bytes::ZERO && memory.hugetlb_bytes > Bytes::ZERO;
        memory.unmapped_bytes = self.mapped.unmapped_huge(held.hugetlb_bytes, memory.hugetlb_bytes);
        if let Some(counted) = counted {
            held.source = HeldSource::Cgroup;
            held.kernel_bytes = counted.kernel_bytes;
            let swapped = counted.swap_bytes.unwrap_or_default().saturating_sub(memory.swap_bytes);
            let unmapped = (counted.shmem_bytes + swapped).saturating_sub(memory.shmem_bytes);
            memory.unmapped_bytes = memory.unmapped_bytes + unmapped;
        } else {
            held.unascribed_bytes = self.folders.unascribed() + self.segments.unascribed();
            memory.unmapped_bytes = memory.unmapped_bytes + self.mapped.unmapped(objects, memory.shmem_bytes);
        }
        (held != Held::default()).then_some(held)
    }

    /// Whether the shares of what is mapped are to be measured, and of which objects.
    #[must_use]
    pub fn wants_mappings(&self) -> Option<BTreeSet<Key>> {
        let keys = || self.descriptors.keys().chain(self.segments.keys()).chain(self.folders.keys()).collect();
        self.mapped.are_wanted.then(keys)
    }

    /// Whether that is to be done at once.
    #[must_use]
    pub fn wants_survey(&self) -> bool {
        self.mapped.is_unknown()
    }

    /// Takes in what a survey found mapped.
    pub fn take_in(&mut self, found: &mapped::Found) {
        self.descriptors.take_in(&found.objects);
        self.mapped.take_in(found);
    }

    /// Looks whether all `processes` are still in the service's own cgroup.
    pub fn check_cgroup(&mut self, processes: &[ProcessId]) {
        if self.cgroup.as_ref().is_some_and(|cgroup| !cgroup.holds(processes)) {
            self.cgroup = None;
            self.limits.insert(
                "the cgroup of the service: a process left it, and its count of shared memory is not used since then",
            );
        }
    }

    /// What is not a part of the memory that is judged, in words.
    #[must_use]
    pub fn not_counted(&self) -> Vec<&'static str> {
        let kernel = "memory of the kernel (sockets, slab, page tables)";
        let on_the_way = "descriptors on their way through a socket, and what a process of less than a sampling interval left on tmpfs \
                          while other programs of its user ran: steep could not make a cgroup";
        let more = if self.cgroup.is_some() { &[kernel][..] } else { &[kernel, on_the_way][..] };
        ["page cache of files on disks"].iter().chain(more).copied().collect()
    }

    /// What cannot be seen, in words.
    pub fn limits(&self) -> impl Iterator<Item = &'static str> {
        let others = [self.descriptors.limit(), self.folders.limit().filter(|_| self.cgroup.is_none())];
        self.limits.iter().copied().chain(others.into_iter().flatten())
    }
}

impl Devices {
    /// Those that process `pid` has mounted.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        Self(mounts_in_memory(&text).into_iter().map(|mount| (mount.device, mount.filesystem)).collect())
    }

    /// What is on `device`, where it lives in memory.
    #[must_use]
    pub fn get(&self, device: (u32, u32)) -> Option<Filesystem> {
        self.0.get(&device).copied()
    }
}

/// Whether process `pid` is in steep's own namespace of this kind; also where that cannot be seen.
#[must_use]
pub fn shares_namespace(pid: u32, kind: &str) -> bool {
    let of = |who: &str| fs::read_link(PathBuf::from(format!("/proc/{who}/ns/{kind}"))).ok();
    of(&pid.to_string()).zip(of("self")).is_none_or(|(its, own)| its == own)
}
