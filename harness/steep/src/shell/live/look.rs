//! Looks at the stacks while a soak goes on: rare ones, on a thread of its own at the lowest priority, so that the
//! line that grows most can be named before the end.
//!
//! What is found is also what a run leaves behind that is killed.

use std::path::Path;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use rustix::thread::gettid;

use super::stacks::StackLog;
use crate::shell::store::write_stacks;
use steep_core::kept::{causes, growth};
use steep_core::visible::visible;

/// The first look, after this much of the steady time. A dozen snapshots are there by then.
const FIRST: Duration = Duration::from_secs(30);

/// Between two looks there are at most this many seconds: half as many again as between the two before.
const RAREST: Duration = Duration::from_mins(15);

/// A look rests for this many times what it took, so that it takes 1 % of a processor at most.
const REST: u32 = 100;

/// The lowest priority of a thread.
const NICEST: i32 = 19;

/// What a look found: the line that grows most, if any does.
#[derive(Debug, PartialEq, Eq)]
pub struct Found(pub Option<String>);

/// The looks at the stacks of one cell.
#[derive(Debug, Default)]
pub struct Looks {
    under_way: Option<(Instant, JoinHandle<Found>)>,
    between: Option<Duration>,
    next: Option<Instant>,
}

impl Looks {
    /// Begins a look at `stacks` if one is due; what it finds is written into `cell_folder` as well. The first one is
    /// due some time after this is called first.
    pub fn begin_if_due(&mut self, stacks: &StackLog, cell_folder: &Path) {
        let now = Instant::now();
        let next = *self.next.get_or_insert(now + FIRST);
        if self.under_way.is_some() || now < next {
            return;
        }
        let (stacks, folder) = (stacks.clone(), cell_folder.to_owned());
        // One that cannot be started is made the next time.
        let thread = Builder::new().name("stacks".to_owned()).spawn(move || look(stacks, &folder));
        self.under_way = thread.ok().map(|thread| (now, thread));
        let between = (self.between.unwrap_or(FIRST) * 3 / 2).min(RAREST);
        self.between = Some(between);
        self.next = Some(now + between);
    }

    /// What a look found that has ended.
    pub fn found(&mut self) -> Option<Found> {
        let (began, thread) = self.under_way.take_if(|(_, thread)| thread.is_finished())?;
        let rest = self.between.unwrap_or(FIRST).max(began.elapsed() * REST);
        self.next = Some(Instant::now() + rest);
        thread.join().ok()
    }

    /// Waits for a look that is under way: what it writes is not to come after the end.
    pub fn finish(self) {
        if let Some((_, thread)) = self.under_way {
            let _ = thread.join();
        }
    }
}

/// Names the places of `stacks`, and writes them down.
fn look(stacks: StackLog, cell_folder: &Path) -> Found {
    // Of this thread alone. Where it is not allowed, looks are rare all the same.
    let _ = setpriority_process(Some(gettid()), NICEST);
    let Some(series) = stacks.finish() else { return Found(None) };
    // A disk that is full is reported where the trace is written.
    let _ = write_stacks(cell_folder, &series);
    let causes = causes(&series, &growth(&series));
    let line = |place: &str, share: f64| visible(&format!("{place} ({:.0} %)", 100.0 * share)).into_owned();
    Found(causes.first().map(|first| line(&first.frame.place(), first.share)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use steep_live::{file_name, layout as at};

    use super::*;
    use crate::shell::clock::Moment;
    use crate::shell::live::Preloaded;
    use crate::shell::store::read_stacks;
    use steep_core::kept;
    use steep_core::trace::{ProcessId, Sample};
    use steep_judge::units::SinceStart;

    /// Some address of this function's code.
    #[inline(never)]
    fn here() -> u64 {
        here as fn() -> u64 as usize as u64 + 2
    }

    /// A file of this process with one stack that has this much alive, as the library writes it.
    fn file(live_bytes: u64) -> Vec<u8> {
        let mut file = vec![0; at::FILE_BYTES];
        let mut put = |place: usize, bytes: &[u8]| file[place..place + bytes.len()].copy_from_slice(bytes);
        put(at::MAGIC_AT, &at::MAGIC.to_le_bytes());
        put(at::VERSION_AT, &at::VERSION.to_le_bytes());
        put(at::STACKS_USED_AT, &1_u32.to_le_bytes());
        put(at::STACKS_AT + at::STACK_ALLOCATED_BYTES, &live_bytes.to_le_bytes());
        put(at::STACKS_AT + at::STACK_DEPTH, &1_u32.to_le_bytes());
        put(at::STACKS_AT + at::STACK_FRAMES, &here().to_le_bytes());
        file
    }

    /// What is found of a stack that has `live_bytes` alive after each number of seconds, and whether it is written.
    fn found(live_bytes: impl Fn(u64) -> u64) -> (Found, bool) {
        let folder = tempfile::tempdir().expect("a folder");
        let preloaded = Preloaded::lay(folder.path(), 64 * 1024).expect("it is laid");
        let own = ProcessId { pid: std::process::id(), start_ticks: 0 };
        let mut stacks = StackLog::since(Moment::now());
        for second in 1..=20 {
            fs::write(preloaded.folder.join(file_name(own.pid)), file(live_bytes(second))).expect("a file");
            let moment = kept::Moment { t_s: SinceStart::new(Duration::from_secs(second)), completed: 100 * second };
            stacks.tick(&preloaded, &Sample { processes: vec![own], ..Sample::default() }, moment);
        }
        let line = look(stacks, folder.path());
        (line, read_stacks(folder.path()).is_some_and(|series| series.snapshots.len() == 20))
    }

    #[test]
    fn the_line_that_grows_is_found_and_what_was_seen_is_written_down() {
        let (line, is_written) = found(|second| second << 20);
        let line = line.0.expect("a line");
        assert!(line.contains("look.rs:") || line.contains("look::tests::here"), "{line}");
        assert!(line.ends_with(" (100 %)") && is_written, "{line}");
        assert_eq!(found(|_| 5 << 20), (Found(None), true), "nothing grows");
    }
}
