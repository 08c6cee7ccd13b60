//! Finds new processes without looking at all of them.
//!
//! The kernel gives out process numbers in order, and `/proc/loadavg` tells the last one. So the processes that are new since
//! the tick before have the numbers in between, and a quiet host costs one reading of 2 µs whatever runs on it. What descends from a
//! subreaper always has, so a process once seen to be a stranger is never looked at again.

use std::fs::File;

use rustix::io::pread;

use super::super::procfs::{self, Stat};
use crate::shell::kinship;

/// More numbers than this between two ticks are not looked at one by one, at 10 µs each; the next survey finds what is left of them.
const NUMBERS_MAX: u32 = 256;

/// The line is `0.03 0.13 0.12 1/86 13559` with larger numbers on larger hosts.
const LOADAVG_MAX_BYTES: usize = 128;

/// Where the looking has come to.
#[derive(Debug)]
pub struct Newcomers {
    loadavg: Option<File>,
    /// Looked up to here, two ticks ago and one tick ago. The last stretch is looked at twice, because a number is given out some
    /// moments before its process can be seen.
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

    /// The processes that are new, threads left out, in the order of their numbers.
    pub fn look(&mut self) -> Vec<Stat> {
        let last = self.loadavg.as_ref().and_then(last_pid);
        let from = self.seen[0];
        self.seen = [self.seen[1], last];
        let (Some(from), Some(last)) = (from, last) else { return Vec::new() };
        numbers(from, last).filter_map(kinship::stat_of).filter(|process| is_process(process.pid)).collect()
    }
}

/// The numbers given out after `from`, up to `last`; none where they began anew at their maximum, or are too many.
fn numbers(from: u32, last: u32) -> impl Iterator<Item = u32> {
    let count = last.saturating_sub(from);
    let count = if count <= NUMBERS_MAX { count } else { 0 };
    (0..count).map(move |step| from + step + 1)
}

fn last_pid(loadavg: &File) -> Option<u32> {
    let mut buffer = [0; LOADAVG_MAX_BYTES];
    let count = pread(loadavg, &mut buffer, 0).ok()?;
    procfs::last_pid(std::str::from_utf8(&buffer[..count]).ok()?)
}

/// Threads have numbers of the same kind, and a folder that can be opened though it is not listed.
fn is_process(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/status"))
        .is_ok_and(|text| procfs::status(&String::from_utf8_lossy(&text)).process == pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_between_are_looked_at_unless_they_began_anew_or_are_many() {
        assert_eq!(numbers(10, 13).collect::<Vec<_>>(), [11, 12, 13]);
        assert_eq!(numbers(10, 10).count(), 0);
        assert_eq!(numbers(32_000, 310).count(), 0);
        assert_eq!(numbers(10, 10 + NUMBERS_MAX + 1).count(), 0);
    }
}
