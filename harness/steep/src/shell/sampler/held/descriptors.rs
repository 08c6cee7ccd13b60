//! Objects that processes hold by descriptors: memfd and files on tmpfs and hugetlbfs, deleted ones too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, MemfdFlags, memfd_create};

use super::{Devices, Key, Kind, LOOK_EVERY, LOOK_REST, Seen, seen, seen_at};
use crate::shell::clock::thread_cpu;
use crate::shell::process_tree;
use crate::shell::procfs::shared::Filesystem;
use steep_core::trace::ProcessId;
use steep_judge::units::{Bytes, SinceStart};

/// Descriptors that are looked at in one look, at some 2 µs each. Those beyond are reported as not seen.
pub const DESCRIPTORS_MAX: usize = 16_384;

/// Known objects that are read at each tick between two looks.
const REFRESHED_MAX: usize = 256;

/// Files on tmpfs that are remembered as the service's because it had them open once.
const REMEMBERED_MAX: usize = 16_384;

/// A name that nobody sees: the memfd is closed at once.
const TRIAL_NAME: &str = "steep";

/// An object that somebody holds.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its pages.
    pub bytes: Bytes,
    /// Where it can be looked at again: a link of the kernel.
    pub handle: PathBuf,
}

/// The objects of a tree.
#[derive(Debug)]
pub struct Descriptors {
    devices: Devices,
    /// Where the kernel keeps memfds, which is mounted nowhere.
    memfd_device: Option<(u32, u32)>,
    objects: BTreeMap<Key, Object>,
    /// Found mapped in the last survey, with no descriptor left.
    mapped_only: BTreeMap<Key, Object>,
    /// Files on tmpfs that were open in the tree once, and their folders.
    ever: BTreeSet<Key>,
    folders: BTreeSet<PathBuf>,
    looked_at: Option<SinceStart>,
    took: Duration,
    /// Number of processes and descriptors at the last look.
    then: (usize, u64),
    /// An object was gone at the last tick.
    changed: bool,
    is_cut: bool,
    is_hidden: bool,
}

impl Descriptors {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(devices: Devices) -> Self {
        // A hardened host refuses memfds that could be executed; Linux before 6.3 does not know others.
        let memfd_device = memfd_create(TRIAL_NAME, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| memfd_create(TRIAL_NAME, MemfdFlags::CLOEXEC))
            .ok()
            .and_then(|memfd| seen(&memfd, "", AtFlags::EMPTY_PATH))
            .and_then(|seen| match seen.key {
                Key::File { device, .. } => Some(device),
                Key::Segment(_) => None,
            });
        Self {
            devices,
            memfd_device,
            objects: BTreeMap::new(),
            mapped_only: BTreeMap::new(),
            ever: BTreeSet::new(),
            folders: BTreeSet::new(),
            looked_at: None,
            took: Duration::ZERO,
            then: (0, 0),
            changed: false,
            is_cut: false,
            is_hidden: false,
        }
    }

    /// Looks at all descriptors where their number changed or it is time, and else at the known objects.
    pub fn tick(&mut self, at: SinceStart, processes: &[ProcessId], fds: u64) {
        let now = (processes.len(), fds);
        let since = self.looked_at.map(|looked_at| at.since(looked_at));
        let is_due = since.is_none_or(|since| {
            since >= self.took * LOOK_REST && (self.changed || now != self.then || since >= LOOK_EVERY)
        });
        if is_due {
            let begun = thread_cpu();
            self.look(processes);
            self.took = thread_cpu().saturating_sub(begun);
            (self.looked_at, self.then, self.changed) = (Some(at), now, false);
        } else {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        for (key, object) in self.objects.iter_mut().chain(&mut self.mapped_only).take(REFRESHED_MAX) {
            match seen_at(&object.handle, AtFlags::empty()).filter(|seen| seen.key == *key) {
                Some(seen) => object.bytes = seen.bytes,
                None => self.changed = true,
            }
        }
    }

    fn look(&mut self, processes: &[ProcessId]) {
        let mut left = DESCRIPTORS_MAX;
        let mut found = BTreeMap::new();
        for process in processes {
            let folder = PathBuf::from(format!("/proc/{}/fd", process.pid));
            let entries = open_files(&folder, &mut left);
            // Denied, and not gone: of another user, or not dumpable.
            self.is_hidden |=
                entries.is_none() && process_tree::stat_of(process.pid).is_some_and(|process| !process.ended);
            for (number, seen) in entries.into_iter().flatten() {
                let handle = folder.join(number);
                let known = self.objects.get(&seen.key).map(|object| object.kind);
                let Some(kind) = known.or_else(|| self.kind(&seen, &handle)) else { continue };
                if known.is_none() && kind == Kind::Tmpfs {
                    self.remember(seen.key, &handle);
                }
                found.entry(seen.key).or_insert(Object { kind, bytes: seen.bytes, handle });
            }
        }
        self.is_cut = left == 0;
        self.objects = found;
        let objects = &self.objects;
        self.mapped_only.retain(|key, object| {
            let seen = seen_at(&object.handle, AtFlags::empty()).filter(|seen| seen.key == *key);
            object.bytes = seen.map_or(object.bytes, |seen| seen.bytes);
            seen.is_some() && !objects.contains_key(key)
        });
    }

    /// Of what kind a file is that lives in memory; none of others.
    fn kind(&self, seen: &Seen, handle: &Path) -> Option<Kind> {
        let Key::File { device, .. } = seen.key else { return None };
        match self.devices.get(device) {
            _ if Some(device) == self.memfd_device => Some(Kind::Memfd),
            Some(Filesystem::Tmpfs) => Some(Kind::Tmpfs),
            Some(Filesystem::Hugetlb) => Some(Kind::Hugetlb),
            // The kernel keeps memfds of huge pages in places that are mounted nowhere, one for each size.
            None if device.0 == 0 && fs::read_link(handle).ok()?.starts_with("/memfd:") => {
                Some(if self.memfd_device.is_some() { Kind::Hugetlb } else { Kind::Memfd })
            }
            None => None,
        }
    }

    fn remember(&mut self, key: Key, handle: &Path) {
        if self.ever.len() < REMEMBERED_MAX {
            self.ever.insert(key);
            let path = fs::read_link(handle).unwrap_or_default();
            if let Some(folder) = path.parent().filter(|folder| folder.is_absolute()) {
                self.folders.insert(folder.to_owned());
            }
        }
    }

    /// Whether a file was ever open in the tree.
    #[must_use]
    pub fn was_open(&self, key: &Key) -> bool {
        self.ever.contains(key)
    }

    /// Whether it is counted here.
    #[must_use]
    pub fn holds(&self, key: &Key) -> bool {
        self.objects.contains_key(key) || self.mapped_only.contains_key(key)
    }

    /// Folders in which the tree had files open, on file systems in memory.
    #[must_use]
    pub fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
    }

    /// All pages of objects of this kind.
    #[must_use]
    pub fn sum(&self, kind: Kind) -> Bytes {
        let all = self.objects.values().chain(self.mapped_only.values());
        all.filter(|object| object.kind == kind).map(|object| object.bytes).sum()
    }

    /// What is known.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.objects.keys().chain(self.mapped_only.keys()).copied()
    }

    /// Takes in objects that are mapped and that no descriptor was found for.
    pub fn take_in(&mut self, found: &[(Key, Object)]) {
        self.mapped_only = found.iter().filter(|(key, _)| !self.objects.contains_key(key)).cloned().collect();
    }

    /// What could not be seen.
    #[must_use]
    pub fn limit(&self) -> Option<&'static str> {
        match (self.is_hidden, self.is_cut) {
            (true, _) => Some("memfd and deleted files on tmpfs of processes whose descriptors steep may not read"),
            (_, true) => Some("memfd and deleted files on tmpfs beyond the first 16,384 descriptors of the service"),
            _ => None,
        }
    }
}

/// The regular files among the descriptors in `folder`, a `/proc/PID/fd`, as far as `left` reaches; none where it
/// cannot be read.
#[must_use]
pub fn open_files(folder: &Path, left: &mut usize) -> Option<Vec<(String, Seen)>> {
    let opened = File::open(folder).ok()?;
    let entries = Dir::read_from(&opened).ok()?;
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        if *left == 0 {
            break;
        }
        let name = entry.file_name();
        let Some(number) = name.to_str().ok().filter(|name| !name.starts_with('.')) else { continue };
        *left -= 1;
        // The link is followed: sockets and pipes are reported by their type.
        if let Some(seen) = seen(&opened, name, AtFlags::empty()).filter(|seen| seen.file_type == FileType::RegularFile)
        {
            found.push((number.to_owned(), seen));
        }
    }
    Some(found)
}
