//! Files on tmpfs that nobody has open: the cell's folder, `/dev/shm`, a `/tmp` in memory, an `emptyDir` of medium
//! Memory.
//!
//! Whose a closed file is, its inode does not say. It is the service's if it lies in the cell's folder, if the tree had
//! it or a file beside it open once, in a folder made since the service started, or if it was made since then under the
//! service's user while no other program of that user ran. What other programs of that user could have made as well is
//! told apart and not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, statvfs};

use super::bystanders::{bystanders, open_in};
use super::descriptors::{Descriptors, open_files};
use super::origin::{started_unix_s, user_of};
use super::{Key, LOOK_REST, Seen, seen_at, shares_namespace};
use crate::shell::clock::thread_cpu;
use crate::shell::procfs::shared::{Filesystem, mounts_in_memory};
use steep_core::trace::ProcessId;
use steep_judge::units::{Bytes, SinceStart};

/// Entries that are looked at on one tmpfs, at some 3 µs each.
const ENTRIES_MAX: usize = 16_384;

/// File systems that are looked at.
const PLACES_MAX: usize = 32;

/// Files of the service's user among which others are looked for: less is the noise of a host.
const LEAST_UNASCRIBED: Bytes = Bytes::kib(64);

/// What steep writes into a cell's folder and may have closed again.
const OWN_NAMES: [&str; 9] = [
    "trace.jsonl",
    "trace.jsonl.zst",
    "verdict.json",
    "attempts",
    "heap.pb.gz",
    "heap.folded",
    "growth.folded",
    "live",
    "stacks.json",
];

/// All tmpfs that the service can write to.
#[derive(Debug, Default)]
pub struct Folders {
    places: Vec<Place>,
    /// The cell's folder.
    cell: Option<PathBuf>,
    /// Goes before every folder: the root of the service, where that is another than steep's.
    root: PathBuf,
    since_unix_s: i64,
    walked_at: Option<SinceStart>,
    took: Duration,
}

/// One file system.
#[derive(Debug)]
struct Place {
    device: (u32, u32),
    folders: Vec<PathBuf>,
    /// In use at the beginning and at the last walk.
    used_at_first: Option<u64>,
    used: Option<u64>,
    own: BTreeMap<Key, Bytes>,
    unascribed: Bytes,
    is_cut: bool,
}

/// What a walk looks for.
struct Walk<'a> {
    place: &'a Place,
    cell: Option<&'a Path>,
    root: &'a Path,
    since_unix_s: i64,
    users: &'a BTreeSet<u32>,
    descriptors: &'a Descriptors,
    /// Folders made since the service started in which the tree had a file open.
    own_folders: BTreeSet<PathBuf>,
    steeps: &'a BTreeSet<Key>,
    has_dependencies: bool,
    left: usize,
}

/// Whose a file is.
enum Owner {
    Service,
    Perhaps,
    Other,
}

impl Folders {
    /// For the service whose first process this is.
    #[must_use]
    pub fn begin(first: Option<ProcessId>, cell: Option<&Path>) -> Self {
        let Some(first) = first else { return Self::default() };
        let text = fs::read_to_string(format!("/proc/{}/mountinfo", first.pid)).unwrap_or_default();
        let root = if shares_namespace(first.pid, "mnt") {
            PathBuf::from("/")
        } else {
            PathBuf::from(format!("/proc/{}/root", first.pid))
        };
        let mut places: Vec<Place> = Vec::new();
        let mounts = mounts_in_memory(&text);
        for mount in mounts.iter().filter(|mount| mount.filesystem == Filesystem::Tmpfs && mount.writable) {
            let folder = below(&root, &mount.folder);
            // One that lies below a later mount is not seen by anybody.
            if seen_at(&folder, AtFlags::empty()).is_none_or(|seen| device(seen.key) != Some(mount.device)) {
                continue;
            }
            if let Some(place) = places.iter_mut().find(|place| place.device == mount.device) {
                place.folders.push(folder);
            } else if places.len() < PLACES_MAX {
                places.push(Place::new(mount.device, folder));
            }
        }
        Self { places, cell: cell.map(Path::to_owned), root, since_unix_s: started_unix_s(first), ..Self::default() }
    }

    /// Walks what has changed since the last walk. The first of `supervisors` is the service's.
    pub fn tick(
        &mut self,
        at: SinceStart,
        processes: &[ProcessId],
        supervisors: &[u32],
        descriptors: &mut Descriptors,
    ) {
        let is_rested = self.walked_at.is_none_or(|walked_at| at.since(walked_at) >= self.took * LOOK_REST);
        let changed: Vec<usize> = (0..self.places.len()).filter(|&index| self.places[index].has_changed()).collect();
        if !is_rested || changed.is_empty() {
            return;
        }
        let begun = thread_cpu();
        let users: BTreeSet<u32> = processes.iter().filter_map(|process| user_of(process.pid)).collect();
        let steeps: BTreeSet<Key> = open_files(Path::new("/proc/self/fd"), &mut { ENTRIES_MAX })
            .into_iter()
            .flatten()
            .map(|(_, seen)| seen.key)
            .collect();
        let own_folders: BTreeSet<PathBuf> =
            descriptors.folders().iter().filter(|folder| self.is_made_since(folder)).cloned().collect();
        for index in changed {
            let walk = Walk {
                place: &self.places[index],
                cell: self.cell.as_deref(),
                root: &self.root,
                since_unix_s: self.since_unix_s,
                users: &users,
                descriptors,
                own_folders: own_folders.clone(),
                steeps: &steeps,
                has_dependencies: supervisors.len() > 1,
                left: ENTRIES_MAX,
            };
            let (mut own, perhaps, is_cut) = walk.run();
            let perhaps = if perhaps.values().copied().sum::<Bytes>() < LEAST_UNASCRIBED {
                BTreeMap::new()
            } else {
                let others = bystanders(&users, supervisors.first().copied().unwrap_or_default());
                if others.is_empty() {
                    own.extend(perhaps);
                    BTreeMap::new()
                } else {
                    let theirs = open_in(&others);
                    perhaps.into_iter().filter(|(key, _)| !theirs.contains(key)).collect()
                }
            };
            let place = &mut self.places[index];
            place.unascribed = perhaps.values().copied().sum();
            place.own = own;
            place.is_cut = is_cut;
            place.take_in_use();
        }
        (self.walked_at, self.took) = (Some(at), thread_cpu().saturating_sub(begun));
    }

    fn is_made_since(&self, folder: &Path) -> bool {
        let is_mount =
            self.places.iter().flat_map(|place| &place.folders).any(|mount| *mount == below(&self.root, folder));
        let made = seen_at(&below(&self.root, folder), AtFlags::empty()).map(|seen| seen.made_unix_s);
        !is_mount && self.cell.as_deref() != Some(folder) && made.is_some_and(|made| made >= self.since_unix_s)
    }

    /// Files of the service that are not among the open ones.
    #[must_use]
    pub fn closed(&self, descriptors: &Descriptors) -> Bytes {
        let all: Bytes = self.places.iter().flat_map(|place| place.own.values().copied()).sum();
        if all == Bytes::ZERO {
            return all;
        }
        let of = |key: &Key| self.places.iter().find_map(|place| place.own.get(key)).copied();
        let open = descriptors.keys().filter_map(|key| of(&key)).sum();
        all.saturating_sub(open)
    }

    /// What may be the service's.
    #[must_use]
    pub fn unascribed(&self) -> Bytes {
        self.places.iter().map(|place| place.unascribed).sum()
    }

    /// Files of the service.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.places.iter().flat_map(|place| place.own.keys().copied())
    }

    /// What could not be seen.
    #[must_use]
    pub fn limit(&self) -> Option<&'static str> {
        let is_cut = self.places.iter().any(|place| place.is_cut);
        is_cut.then_some(
            "whose files there are on tmpfs beyond the first 16,384; what it grew by is reported as not ascribed",
        )
    }
}

impl Place {
    fn new(device: (u32, u32), folder: PathBuf) -> Self {
        let mut place = Self {
            device,
            folders: vec![folder],
            used_at_first: None,
            used: None,
            own: BTreeMap::new(),
            unascribed: Bytes::ZERO,
            is_cut: false,
        };
        place.used_at_first = place.now_used();
        place
    }

    /// Bytes in use: one call, however many files there are.
    fn now_used(&self) -> Option<u64> {
        let found = statvfs(self.folders.first()?).ok()?;
        Some(found.f_blocks.saturating_sub(found.f_bfree) * found.f_frsize)
    }

    fn has_changed(&self) -> bool {
        self.used.is_none() || self.now_used() != self.used
    }

    fn take_in_use(&mut self) {
        self.used = self.now_used();
        if self.is_cut {
            let own: Bytes = self.own.values().copied().sum();
            let grown = self.used.unwrap_or(0).saturating_sub(self.used_at_first.unwrap_or(0));
            self.unascribed = Bytes::new(grown).saturating_sub(own);
        }
    }
}

impl Walk<'_> {
    /// Files of the service, those that may be, and whether there are more than could be looked at.
    fn run(mut self) -> (BTreeMap<Key, Bytes>, BTreeMap<Key, Bytes>, bool) {
        let (mut own, mut perhaps) = (BTreeMap::new(), BTreeMap::new());
        let mut open: Vec<PathBuf> = self.place.folders.clone();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
                if self.left == 0 {
                    return (own, perhaps, true);
                }
                self.left -= 1;
                let path = entry.path();
                let Some(seen) = seen_at(&path, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                if device(seen.key) != Some(self.place.device) || self.is_steeps(&path, &seen) {
                    continue;
                }
                match seen.file_type {
                    FileType::Directory => open.push(path),
                    FileType::RegularFile => match self.owner(&path, &seen) {
                        Owner::Service => drop(own.insert(seen.key, seen.bytes)),
                        Owner::Perhaps => drop(perhaps.insert(seen.key, seen.bytes)),
                        Owner::Other => {}
                    },
                    _ => {}
                }
            }
        }
        (own, perhaps, false)
    }

    /// Whether steep wrote it: what it has open, what it keeps of the cell, and all else in the folder of the run.
    fn is_steeps(&self, path: &Path, seen: &Seen) -> bool {
        let Some(cell) = self.cell else { return false };
        let is_in_run = cell.parent().is_some_and(|run| run.parent().is_some() && path.starts_with(run));
        let is_beside = is_in_run && !path.starts_with(cell) && !cell.starts_with(path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_turned = name.strip_suffix(".1").is_some_and(|name| {
            seen_at(&path.with_file_name(name), AtFlags::SYMLINK_NOFOLLOW)
                .is_some_and(|now| self.steeps.contains(&now.key))
        });
        let is_kept =
            path.parent() == Some(cell) && (OWN_NAMES.contains(&name) || name.starts_with("latency.") || is_turned);
        is_beside || is_kept || self.steeps.contains(&seen.key)
    }

    fn owner(&self, path: &Path, seen: &Seen) -> Owner {
        let is_in_cell = self.cell.is_some_and(|cell| path.starts_with(cell));
        let as_the_service_sees =
            path.strip_prefix(self.root).map_or(path.to_owned(), |path| Path::new("/").join(path));
        let is_in_own = as_the_service_sees.ancestors().skip(1).any(|folder| self.own_folders.contains(folder));
        if is_in_cell && !self.has_dependencies || is_in_own || self.descriptors.was_open(&seen.key) {
            Owner::Service
        } else if is_in_cell || seen.made_unix_s >= self.since_unix_s && self.users.contains(&seen.user) {
            Owner::Perhaps
        } else {
            Owner::Other
        }
    }
}

/// `folder` as it is found from here.
fn below(root: &Path, folder: &Path) -> PathBuf {
    root.join(folder.strip_prefix("/").unwrap_or(folder))
}

fn device(key: Key) -> Option<(u32, u32)> {
    match key {
        Key::File { device, .. } => Some(device),
        Key::Segment(_) => None,
    }
}
