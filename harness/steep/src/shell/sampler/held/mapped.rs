//! How much of the objects that are held is mapped, and so in the processes' resident memory already.
//!
//! The kernel tells it mapping by mapping (`smaps`), at the price of a walk over all pages, so it is measured with the
//! surveys. Between two of them the share of the resident shared memory that belongs to known objects is taken to stay.
//! Where it was not measured, all of it is taken to belong to them: that counts too little, and never a page twice.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use rustix::fs::AtFlags;

use super::descriptors::Object;
use super::{Devices, Key, Kind, seen_at};
use crate::shell::procfs::shared::{Filesystem, Mapping, mappings};
use steep_core::trace::ProcessId;
use steep_judge::units::Bytes;

/// Processes whose mappings are read in one survey.
const PROCESSES_MAX: usize = 256;

/// What is mapped.
#[derive(Debug, Default)]
pub struct Mapped {
    /// Whether there is something to measure: pages that are mapped and may be of objects that are held.
    pub are_wanted: bool,
    shmem_share: Option<f64>,
    hugetlb_share: Option<f64>,
}

/// What a survey found.
#[derive(Debug, Default)]
pub struct Found {
    /// Shared pages that are mapped, in all and of known objects.
    shmem: [Bytes; 2],
    /// The same of huge pages.
    hugetlb: [Bytes; 2],
    /// Objects that are mapped and that nobody knew of.
    pub objects: Vec<(Key, Object)>,
}

impl Mapped {
    /// Whether they were never measured.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.are_wanted && self.shmem_share.is_none()
    }

    /// What of `objects` is not mapped, where `mapped` is resident as shared memory.
    #[must_use]
    pub fn unmapped(&self, objects: Bytes, mapped: Bytes) -> Bytes {
        less_share(objects, mapped, self.shmem_share)
    }

    /// The same of huge pages.
    #[must_use]
    pub fn unmapped_huge(&self, objects: Bytes, mapped: Bytes) -> Bytes {
        less_share(objects, mapped, self.hugetlb_share)
    }

    /// Takes in what was found.
    pub fn take_in(&mut self, found: &Found) {
        let share = |[all, known]: [Bytes; 2]| if all > Bytes::ZERO { known.as_f64() / all.as_f64() } else { 1.0 };
        self.shmem_share = Some(share(found.shmem));
        self.hugetlb_share = Some(share(found.hugetlb));
    }
}

fn less_share(objects: Bytes, mapped: Bytes, share: Option<f64>) -> Bytes {
    let known = mapped.as_f64() * share.unwrap_or(1.0);
    objects.saturating_sub(Bytes::new(known as u64))
}

/// Reads the mappings of `processes`; `known` are the objects whose pages are counted already.
#[must_use]
pub fn find(processes: &[ProcessId], known: &BTreeSet<Key>) -> Found {
    let devices = processes.first().map(|first| Devices::of(first.pid)).unwrap_or_default();
    let mut known = known.clone();
    let mut found = Found::default();
    for process in processes.iter().take(PROCESSES_MAX) {
        let folder = PathBuf::from(format!("/proc/{}", process.pid));
        let Ok(text) = fs::read(folder.join("smaps")) else { continue };
        for mapping in mappings(&String::from_utf8_lossy(&text)) {
            let Some(kind) = kind(&mapping, &devices) else { continue };
            let key = key(&mapping);
            if !known.contains(&key) {
                let handle = folder.join("map_files").join(&mapping.addresses);
                // Only a privileged steep may look there; else what is resident of it is all that is known.
                if let Some(seen) = seen_at(&handle, AtFlags::empty()).filter(|seen| seen.key == key) {
                    found.objects.push((key, Object { kind, bytes: seen.bytes, handle }));
                    known.insert(key);
                }
            }
            let [all, of_known] = if kind == Kind::Hugetlb { &mut found.hugetlb } else { &mut found.shmem };
            let bytes = if kind == Kind::Hugetlb { mapping.hugetlb_bytes } else { mapping.pss_bytes };
            *all = *all + bytes;
            if known.contains(&key) {
                *of_known = *of_known + bytes;
            }
        }
    }
    found
}

fn key(mapping: &Mapping) -> Key {
    let Mapping { device, inode, .. } = *mapping;
    if mapping.is_segment() { Key::Segment(inode) } else { Key::File { device, inode } }
}

/// Of what kind a mapped file is that lives in memory.
fn kind(mapping: &Mapping, devices: &Devices) -> Option<Kind> {
    let is_named = |name| mapping.path.starts_with(name);
    match devices.get(mapping.device) {
        _ if mapping.hugetlb_bytes > Bytes::ZERO || is_named("/anon_hugepage") => Some(Kind::Hugetlb),
        Some(Filesystem::Hugetlb) => Some(Kind::Hugetlb),
        Some(Filesystem::Tmpfs) => Some(Kind::Tmpfs),
        None => (is_named("/memfd:") || is_named("/SYSV") || is_named("/dev/zero")).then_some(Kind::Memfd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_of_an_object_is_not_counted_again() {
        let mut mapped = Mapped::default();
        // Not measured: all that is resident may be of the objects.
        assert_eq!(mapped.unmapped(Bytes::mib(8), Bytes::mib(3)), Bytes::mib(5));
        // A third of what is mapped is of known objects.
        mapped.take_in(&Found { shmem: [Bytes::mib(3), Bytes::mib(1)], ..Found::default() });
        assert_eq!(mapped.unmapped(Bytes::mib(8), Bytes::mib(3)), Bytes::mib(7));
        assert_eq!(mapped.unmapped(Bytes::mib(1), Bytes::mib(9)), Bytes::ZERO);
        assert_eq!(mapped.unmapped(Bytes::mib(8), Bytes::ZERO), Bytes::mib(8));
    }

    #[test]
    fn mappings_are_told_apart_by_device_and_name() {
        let devices = Devices([((0, 27), Filesystem::Tmpfs)].into());
        let text = "1-2 rw-s 0 00:1b 7 /dev/shm/a\nPss: 4 kB\n2-3 rw-s 0 00:01 8 /memfd:a (deleted)\nPss: 4 kB\n\
                    3-4 r-xp 0 fe:00 9 /usr/lib/a.so\nPss: 4 kB\n4-5 rw-p 0 00:0f 10 /anon_hugepage (deleted)\nPss: 0 kB\n\
                    5-6 rw-s 0 00:01 3 /SYSV00000000 (deleted)\nPss: 4 kB\n";
        let kinds: Vec<_> = mappings(text).iter().map(|mapping| kind(mapping, &devices)).collect();
        let expected = [Some(Kind::Tmpfs), Some(Kind::Memfd), None, Some(Kind::Hugetlb), Some(Kind::Memfd)];
        assert_eq!(kinds, expected);
        assert_eq!(key(&mappings(text)[4]), Key::Segment(3));
    }
}
