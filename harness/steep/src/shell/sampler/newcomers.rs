//! Finds new processes without looking at all of them.
//!
//! The kernel gives out process numbers in order, and `/proc/loadavg` tells the last one. So the processes that are new
//! since the tick before have the numbers in between, and a quiet host costs one reading of 2 µs whatever runs on it.
//! What descends from a subreaper always has, so a process once seen to be a stranger is never looked at again.

use std::fs::File;
use std::ops::RangeInclusive;

use rustix::io::pread;

use crate::shell::process_tree;
use crate::shell::procfs::{self, Stat};

/// More numbers than this are not looked at one by one, at 3 µs for one that is gone and 10 µs for others; a survey
/// finds what is left of them.
const NUMBERS_MAX: u32 = 256;

/// The line is `0.03 0.13 0.12 1/86 13559` with larger numbers on larger hosts.
const LOADAVG_MAX_BYTES: usize = 128;

/// Where the looking has come to.
#[derive(Debug)]
pub struct Newcomers {
    loadavg: Option<File>,
    /// Looked up to here, two ticks ago and one tick ago. The last stretch is looked at twice, because a number is
    /// given out some moments before its process can be seen.
    seen: [Option<u32>; 2],
}

impl Newcomers {
    /// Begins to look from now on.
    #[must_use]
    pub fn begin() -> Self {
        let loadavg = File::open("/proc/loadavg").ok();
        let last = loadavg.as_ref().and_then(last_pid);
        Self { loadavg, seen: [last, last] }
    }

    /// What is new, in the order of its numbers: processes, and threads, which have numbers of the same kind. None
    /// where the numbers began anew or are too many.
    pub fn look(&mut self) -> Option<Vec<Stat>> {
        let last = self.loadavg.as_ref().and_then(last_pid)?;
        let from = self.seen[0].unwrap_or(last);
        self.seen = [self.seen[1], Some(last)];
        Some(numbers(from, last)?.filter_map(process_tree::stat_of).collect())
    }
}

/// The numbers given out after `from`, up to `last`.
fn numbers(from: u32, last: u32) -> Option<RangeInclusive<u32>> {
    let count = last.checked_sub(from)?;
    (count <= NUMBERS_MAX).then_some(from + 1..=last)
}

fn last_pid(loadavg: &File) -> Option<u32> {
    let mut buffer = [0; LOADAVG_MAX_BYTES];
    let count = pread(loadavg, &mut buffer, 0).ok()?;
    procfs::last_pid(std::str::from_utf8(&buffer[..count]).ok()?)
}

/// Whether `pid` is a process, and not a thread: the folder of one can be opened too, though it is not listed.
#[must_use]
pub fn is_process(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/status"))
        .is_ok_and(|text| procfs::status(&String::from_utf8_lossy(&text)).process == pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_between_are_looked_at_unless_they_began_anew_or_are_many() {
        assert_eq!(numbers(10, 13), Some(11..=13));
        assert_eq!(numbers(10, 10).map(Iterator::count), Some(0));
        assert_eq!(numbers(32_000, 310), None);
        assert_eq!(numbers(10, 10 + NUMBERS_MAX + 1), None);
    }
}
