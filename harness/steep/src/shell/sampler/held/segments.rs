//! System V segments that the service made, attached or left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::Key;
use super::origin::{started_unix_s, user_of};
use crate::shell::procfs::shared::{Segment, segments};
use steep_core::trace::ProcessId;
use steep_judge::units::Bytes;

const SEGMENTS: &str = "/proc/sysvipc/shm";

/// The table is that of the whole host, 4,096 segments at most by default (`shmmni`); a larger text is not read.
const TEXT_MAX_BYTES: usize = 1 << 20;

/// The segments that concern the service.
#[derive(Debug, Default)]
pub struct Segments {
    /// When the service started; segments made before are not its own.
    since_unix_s: i64,
    /// Those of the service, with when they were made, so that a number used again is not taken for it.
    own: BTreeMap<u64, (u64, Bytes)>,
    /// Made since the service started, by its user and by a process that nobody saw.
    unascribed: Bytes,
}

impl Segments {
    /// For the service whose first process this is.
    #[must_use]
    pub fn begin(first: Option<ProcessId>) -> Self {
        Self { since_unix_s: first.map_or(i64::MAX, started_unix_s), ..Self::default() }
    }

    /// Reads the table. `ever` are all processes that were seen in the tree, `processes` those that are in it.
    pub fn tick(&mut self, ever: &BTreeSet<u32>, processes: &[ProcessId]) {
        // Version, owner and all else is in one text, 120 bytes when there is none.
        let Some(text) = fs::read_to_string(SEGMENTS).ok().filter(|text| text.len() < TEXT_MAX_BYTES) else { return };
        let table = segments(&text);
        if table.is_empty() && self.own.is_empty() {
            self.unascribed = Bytes::ZERO;
            return;
        }
        let users: BTreeSet<u32> = processes.iter().take(1).filter_map(|process| user_of(process.pid)).collect();
        let is_alive = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
        self.sort(&table, ever, &users, is_alive);
    }

    fn sort(&mut self, table: &[Segment], ever: &BTreeSet<u32>, users: &BTreeSet<u32>, is_alive: impl Fn(u32) -> bool) {
        let mut own = BTreeMap::new();
        self.unascribed = Bytes::ZERO;
        for segment in table {
            let is_known = self.own.get(&segment.id).is_some_and(|(changed, _)| *changed == segment.changed_unix_s);
            let is_since = i64::try_from(segment.changed_unix_s).is_ok_and(|changed| changed >= self.since_unix_s);
            if is_known || is_since && ever.contains(&segment.creator) {
                own.insert(segment.id, (segment.changed_unix_s, segment.bytes));
            } else if is_since && users.contains(&segment.user) && !is_alive(segment.creator) {
                // Its maker lived between two looks: the service's, or anybody's of that user.
                self.unascribed = self.unascribed + segment.bytes;
            }
        }
        self.own = own;
    }

    /// Those of the service.
    #[must_use]
    pub fn own(&self) -> Bytes {
        self.own.values().map(|(_, bytes)| *bytes).sum()
    }

    /// Those that may be its own.
    #[must_use]
    pub const fn unascribed(&self) -> Bytes {
        self.unascribed
    }

    /// Those of the service, as they are found mapped.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.own.keys().map(|id| Key::Segment(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_the_services_by_their_maker_also_when_it_is_gone() {
        let segment = |id, creator, changed_unix_s| Segment {
            id,
            creator,
            user: 7,
            attached: 0,
            changed_unix_s,
            bytes: Bytes::kib(4 << id),
        };
        let mut segments = Segments { since_unix_s: 100, ..Segments::default() };
        // Of the service; of it, by a number that was another's before; of a living stranger; of one whom nobody saw.
        let table = [segment(0, 10, 100), segment(1, 10, 99), segment(2, 20, 100), segment(3, 30, 100)];
        let users = BTreeSet::from([7]);
        segments.sort(&table, &BTreeSet::from([10]), &users, |pid| pid == 20);
        assert_eq!((segments.own(), segments.unascribed()), (Bytes::kib(4), Bytes::kib(32)));
        // Its maker is forgotten, the segment is not; and a new one with its number is another one.
        segments.sort(&table, &BTreeSet::new(), &BTreeSet::new(), |_| false);
        assert_eq!((segments.own(), segments.unascribed()), (Bytes::kib(4), Bytes::ZERO));
        segments.sort(&[segment(0, 11, 101)], &BTreeSet::new(), &BTreeSet::new(), |_| false);
        assert_eq!(segments.own(), Bytes::ZERO);
    }
}
