//! Who descends from whom among the processes of this host, and how such processes are ended for good.
//!
//! On Linux a descendant of a subreaper stays one: when its parent ends it is adopted by the subreaper and not by init,
//! whatever session or group it made for itself. So killing by descent leaves nobody out, where killing a process group
//! leaves out who called `setsid`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait, waitpid};

use super::procfs::{self, Stat};

/// How long killed processes are waited for. One in the middle of a disk write that hangs cannot be killed at all.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at processes that were told to die: the kernel needs some milliseconds to tear down a large one.
const KILL_POLL: Duration = Duration::from_millis(2);

/// Every process of this host that can be seen, from `/proc`; empty where there is none.
#[must_use]
pub fn processes() -> Vec<Stat> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    folder
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat_of)
        .collect()
}

/// `/proc/PID/stat`, of a process that is still there.
#[must_use]
pub fn stat_of(pid: u32) -> Option<Stat> {
    // A process may name itself in any bytes, so the text need not be UTF-8.
    let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
    procfs::stat(&String::from_utf8_lossy(&bytes))
}

/// Those of `all` that descend from `ancestor`; not itself.
#[must_use]
pub fn descendants(all: &[Stat], ancestor: u32) -> Vec<Stat> {
    let mut children: BTreeMap<u32, Vec<&Stat>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([ancestor]);
    let mut open = vec![ancestor];
    while let Some(parent) = open.pop() {
        for &&child in children.get(&parent).into_iter().flatten() {
            // The list is not read in one moment: a number that was used again meanwhile could close a circle.
            if seen.insert(child.pid) {
                found.push(child);
                open.push(child.pid);
            }
        }
    }
    found
}

/// Sends `signal`; a process that is gone already is not an error.
///
/// # Errors
/// What the kernel says, such as no permission for a process that changed its user.
pub fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Kills every descendant of this process and waits until the kernel says that it has no child left. `reaped` is
/// reported of each child that was waited for. Returns whether none is left; bounded by [`KILL_TIMEOUT`].
pub fn kill_descendants(mut reaped: impl FnMut(Pid, WaitStatus)) -> bool {
    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    let deadline = Instant::now() + KILL_TIMEOUT;
    loop {
        // Anew in each round: a process may have forked between the look and the kill.
        for process in descendants(&processes(), own).iter().filter(|process| !process.ended) {
            // No permission is no reason to stop killing the others; who is left shows in the result.
            let _ = send(process.pid, Signal::KILL);
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => reaped(pid, status),
                Ok(None) => break,
                Err(rustix::io::Errno::INTR) => {}
                // No child, and so no descendant: orphans of descendants are children of this subreaper.
                Err(_) => return true,
            }
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(KILL_POLL);
    }
}

/// Kills what steep has adopted because a supervisor and its guard were killed: children of this process in a session
/// other than its own that are not supervisors, with all that descends from them. Returns whether none is left; bounded
/// by [`KILL_TIMEOUT`].
///
/// What steep starts by itself, such as cargo, stays in steep's session; everything below a supervisor is in the
/// supervisor's session or in one that it made for itself. Blocks for some milliseconds where there is something to
/// kill.
pub fn kill_adopted(is_supervisor: impl Fn(u32) -> bool) -> bool {
    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    let deadline = Instant::now() + KILL_TIMEOUT;
    loop {
        let all = processes();
        let Some(own_session) = all.iter().find(|process| process.pid == own).map(|process| process.session) else {
            return true;
        };
        let is_adopted =
            |process: &&Stat| process.parent == own && process.session != own_session && !is_supervisor(process.pid);
        let adopted: Vec<Stat> = all.iter().filter(is_adopted).copied().collect();
        if adopted.is_empty() {
            return true;
        }
        for process in &adopted {
            for each in descendants(&all, process.pid).iter().chain([process]).filter(|each| !each.ended) {
                // As above: the others are killed all the same.
                let _ = send(each.pid, Signal::KILL);
            }
            if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
                // An error means that it is not a child any more, which the next look shows.
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(KILL_POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32) -> Stat {
        Stat { pid, parent, session: 1, ended: false, minor_faults: 0, major_faults: 0, cpu_ticks: 0, start_ticks: 0 }
    }

    #[test]
    fn descendants_are_found_whatever_their_order_and_depth() {
        let all = [process(40, 30), process(1, 0), process(30, 20), process(20, 10), process(10, 1), process(50, 1)];
        let mut found: Vec<u32> = descendants(&all, 10).iter().map(|process| process.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [20, 30, 40]);
    }

    #[test]
    fn a_circle_made_by_a_number_used_again_ends() {
        let all = [process(10, 30), process(20, 10), process(30, 20)];
        assert_eq!(descendants(&all, 10).len(), 2);
    }
}
