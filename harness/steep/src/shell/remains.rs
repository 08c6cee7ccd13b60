//! What a run has left whose steep, guards and supervisors were all killed in one moment, so that nobody was there to
//! end it: found by a mark in the environment that every descendant inherits, and ended when the next run begins in
//! that folder.

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::console::tell;
use super::files;
use super::process_tree;
use steep_judge::units::counted;

/// The variable that every process of a run has. Its value is never given twice: boot, number and start of steep.
pub const MARK: &str = "STEEP_RUN";

/// The most that an environment may have (`MAX_ARG_STRLEN` times what anybody uses).
const LARGEST_ENVIRONMENT: u64 = 8 << 20;
/// The most of a lock file that is looked at: a mark has some 60 bytes.
const LARGEST_MARKS: u64 = 4 << 10;
/// How long killed processes are waited for; one that hangs in the kernel does not end.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks at processes that were told to die.
const KILL_POLL: Duration = Duration::from_millis(5);

/// The mark of this steep; none where there is no `/proc`.
#[must_use]
pub fn own_mark() -> Option<String> {
    let own = process_tree::stat_of(std::process::id())?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{} {} {}", boot.trim(), own.pid, own.start_ticks))
}

/// Ends what the run left whose mark stands in `lock`, a lock file that this process has locked, and puts the own mark
/// there.
///
/// # Errors
/// The file cannot be read or written.
pub fn take_over(lock: &mut fs::File) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    lock.take(LARGEST_MARKS).read_to_end(&mut bytes)?;
    let marks = String::from_utf8_lossy(&bytes);
    for mark in marks.lines().filter(|mark| is_of_a_dead_steep(mark)) {
        end_all(mark);
    }
    let Some(own) = own_mark() else { return Ok(()) };
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(format!("{own}\n").as_bytes())
}

/// Whether `mark` is one, and the steep that had it is gone: somebody may have written that of another run into the
/// file.
fn is_of_a_dead_steep(mark: &str) -> bool {
    let mut words = mark.split(' ').skip(1).map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(start))) = (words.next(), words.next()) else { return false };
    let there = u32::try_from(pid).ok().and_then(process_tree::stat_of);
    there.is_none_or(|process| process.ended || process.start_ticks != start)
}

fn end_all(mark: &str) {
    let entry = format!("{MARK}={mark}");
    let deadline = Instant::now() + KILL_TIMEOUT;
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let marked: Vec<u32> = process_tree::processes()
            .into_iter()
            .filter(|process| !process.ended && has(process.pid, entry.as_bytes()))
            .map(|process| process.pid)
            .collect();
        if marked.is_empty() || Instant::now() > deadline {
            let (ended, left) = (counted(seen.len(), "program"), counted(marked.len(), "program"));
            if !marked.is_empty() {
                tell(&format!("warning: {left} of an earlier run here cannot be ended: {marked:?}"));
            } else if !seen.is_empty() {
                tell(&format!("ended {ended} that an earlier run here had left: steep was killed then"));
            }
            return;
        }
        for pid in marked {
            seen.insert(pid);
            // Who may not be killed is reported at the end.
            let _ = process_tree::send(pid, Signal::KILL);
        }
        std::thread::sleep(KILL_POLL);
    }
}

/// Whether process `pid` was started with `entry` in its environment; not, if that may not be seen.
fn has(pid: u32, entry: &[u8]) -> bool {
    let environment = files::read(format!("/proc/{pid}/environ").as_ref(), LARGEST_ENVIRONMENT);
    environment.is_ok_and(|environment| environment.split(|&byte| byte == 0).any(|each| each == entry))
}
