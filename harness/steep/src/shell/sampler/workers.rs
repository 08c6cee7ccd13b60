//! Processes of the service that end while it lives: seen by their absence, with what is known of why.
//!
//! How a child ended is told to its parent alone. The supervisor learns it of orphans; of others the kernel tells in
//! its log, where that can be read, and in its counts of kills for lack of memory. What nobody tells is not guessed.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use rustix::fs::OFlags;

use super::tree::{Passing, Tree};
use crate::shell::clock::Moment;
use crate::shell::process::Reaped;
use crate::shell::process::oom::OomCounters;
use crate::shell::procfs::kernel_log::{Blow, blow};
use steep_core::trace::{ProcessId, WorkerCause, WorkerEnd};
use steep_judge::units::SinceStart;

/// A process that lived shorter is a command that the service ran, unless it is known to have failed.
const SHORTEST_LIFE: Duration = Duration::from_secs(5);

/// How long a replacement and the status of an orphan are waited for.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Ends that are written down in one cell. A service with more has them by plan.
const ENDS_MAX: usize = 1000;

/// Newcomers that are remembered as possible replacements.
const CAME_MAX: usize = 64;

/// Ends of orphans that are remembered until they are missed in the tree.
const REAPED_MAX: usize = 256;

/// Ticks between two looks at the names of all.
const NAMES_EVERY: u64 = 30;

/// Records of the kernel's log that are read at once, and the length of one (`LOG_LINE_MAX` with its dictionary).
const RECORDS_MAX: usize = 1024;
/// See [`RECORDS_MAX`].
const RECORD_MAX_BYTES: usize = 8192;

/// Watches for ends.
#[derive(Debug)]
pub struct Workers {
    /// The service's first process, with whose end everything ends.
    main: Option<ProcessId>,
    open: Vec<Open>,
    came: VecDeque<(SinceStart, Passing)>,
    reaped: VecDeque<Reaped>,
    oom: OomCounters,
    log: Option<KernelLog>,
    ticks: u64,
    now: SinceStart,
    notes: usize,
}

/// An end of which more may become known.
#[derive(Debug)]
struct Open {
    end: WorkerEnd,
    parent: u32,
}

impl Workers {
    /// For the tree in which these processes run.
    #[must_use]
    pub fn begin(processes: &[ProcessId]) -> Self {
        let main = processes.iter().min_by_key(|process| (process.start_ticks, process.pid)).copied();
        Self {
            main,
            open: Vec::new(),
            came: VecDeque::new(),
            reaped: VecDeque::new(),
            oom: main.map(|main| OomCounters::read(main.pid)).unwrap_or_default(),
            log: KernelLog::open(),
            ticks: 0,
            now: SinceStart::ZERO,
            notes: 0,
        }
    }

    /// Takes in who came to `tree` and who ended; `processes` are those that are in it now.
    pub fn tick(&mut self, at: SinceStart, tree: &mut Tree, processes: &[ProcessId]) {
        self.ticks += 1;
        self.now = at;
        let (came, ended) = tree.take_passing();
        // Often at first: what was just forked is about to become another program.
        if !came.is_empty() || self.ticks.is_power_of_two() || self.ticks.is_multiple_of(NAMES_EVERY) {
            tree.learn_names();
        }
        for newcomer in came {
            // By now it may have become another program.
            let name = tree.name_of(newcomer.id).unwrap_or(&newcomer.name).to_owned();
            self.came.push_back((at, Passing { name, ..newcomer }));
        }
        while self.came.len() > CAME_MAX {
            self.came.pop_front();
        }
        let lives = self.main.is_some_and(|main| processes.contains(&main));
        if lives && !ended.is_empty() {
            let blows = self.log.as_mut().map(KernelLog::read).unwrap_or_default();
            let kills = self.oom.risen();
            self.open.extend(ended.into_iter().map(|process| Open::of(at, process)));
            ascribe(at, &mut self.open, &blows, kills);
        }
        // Kills of others from before are none of the next one who ends. One process alone has no workers.
        if let Some(main) = self.main.filter(|_| processes.len() > 1) {
            self.oom = OomCounters::read(main.pid);
        }
    }

    /// The ends of which all is known that will be; with `all` the others as well.
    pub fn take_ends(&mut self, reaped: &[Reaped], all: bool) -> Vec<WorkerEnd> {
        self.reaped.extend(reaped);
        while self.reaped.len() > REAPED_MAX {
            self.reaped.pop_front();
        }
        let mut notes = Vec::new();
        let open = std::mem::take(&mut self.open);
        for mut each in open {
            self.complete(&mut each);
            if all || self.now.since(each.end.t_s) >= SETTLED_AFTER {
                notes.push(each.end);
            } else {
                self.open.push(each);
            }
        }
        notes.retain(|end| end.lived_s >= SHORTEST_LIFE.as_secs() || end.cause.is_failure());
        notes.truncate(ENDS_MAX.saturating_sub(self.notes));
        self.notes += notes.len();
        notes
    }

    fn complete(&mut self, open: &mut Open) {
        let end = &mut open.end;
        if let Some(at) = self.reaped.iter().position(|reaped| reaped.pid == end.process.pid)
            && let Some(Reaped { exit, .. }) = self.reaped.remove(at)
            && matches!(end.cause, WorkerCause::Unknown | WorkerCause::PerhapsOutOfMemory | WorkerCause::Faulted)
        {
            end.cause = match (exit.signal, exit.code) {
                // The signal of such a kill; any other is not one.
                (Some(9), _) if end.cause == WorkerCause::PerhapsOutOfMemory => end.cause,
                (Some(signal), _) => WorkerCause::Signaled { signal },
                (None, code) => WorkerCause::Exited { code: code.unwrap_or_default() },
            };
        }
        if end.replaced_by.is_none() {
            // It may have been started before the old one was gone, as a reload does.
            let is_heir = |(at, newcomer): &(SinceStart, Passing)| {
                let is_about_then = at.since(end.t_s) <= SETTLED_AFTER && end.t_s.since(*at) <= SETTLED_AFTER;
                is_about_then
                    && newcomer.id != end.process
                    && newcomer.name == end.name
                    && newcomer.parent == open.parent
            };
            if let Some(at) = self.came.iter().position(is_heir) {
                // One newcomer replaces one.
                end.replaced_by = self.came.remove(at).map(|(_, newcomer)| newcomer.id);
            }
        }
    }
}

impl Open {
    fn of(at: SinceStart, process: Passing) -> Self {
        let per_second = rustix::param::clock_ticks_per_second();
        let lived_s = Moment::now().since_boot.as_secs().saturating_sub(process.id.start_ticks / per_second);
        let end = WorkerEnd {
            t_s: at,
            process: process.id,
            name: process.name,
            lived_s,
            cause: WorkerCause::Unknown,
            replaced_by: None,
        };
        Self { end, parent: process.parent }
    }
}

/// Says of those that ended `at` this moment what the kernel's log and counts say.
fn ascribe(at: SinceStart, open: &mut [Open], blows: &BTreeMap<u32, (Blow, String)>, (kills, is_own): (u64, bool)) {
    let of_now = |open: &&mut Open| open.end.t_s == at;
    for Open { end, .. } in open.iter_mut().filter(of_now) {
        // The log has the numbers of the host, which in a container are those of others: so the name must fit as well.
        match blows.get(&end.process.pid).filter(|(_, name)| *name == end.name) {
            Some((Blow::OutOfMemory, _)) => end.cause = WorkerCause::OutOfMemory,
            Some((Blow::Fault, _)) => end.cause = WorkerCause::Faulted,
            None => {}
        }
    }
    let named = open.iter_mut().filter(of_now).filter(|open| open.end.cause == WorkerCause::OutOfMemory).count();
    let unnamed = kills.saturating_sub(named as u64);
    let mut rest: Vec<&mut Open> =
        open.iter_mut().filter(of_now).filter(|open| open.end.cause == WorkerCause::Unknown).collect();
    if unnamed > 0 {
        let are_all = is_own && unnamed >= rest.len() as u64;
        for open in &mut rest {
            open.end.cause = if are_all { WorkerCause::OutOfMemory } else { WorkerCause::PerhapsOutOfMemory };
        }
    }
}

/// The kernel's log, from where it was opened on.
#[derive(Debug)]
struct KernelLog(File);

impl KernelLog {
    /// None where it may not be read.
    fn open() -> Option<Self> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg").ok()?;
        file.seek(SeekFrom::End(0)).ok()?;
        Some(Self(file))
    }

    /// What befell whom since it was read last.
    fn read(&mut self) -> BTreeMap<u32, (Blow, String)> {
        let mut found = BTreeMap::new();
        let mut buffer = [0; RECORD_MAX_BYTES];
        for _ in 0..RECORDS_MAX {
            match self.0.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    let record = String::from_utf8_lossy(&buffer[..count]);
                    found.extend(blow(&record).map(|(blow, pid, name)| (pid, (blow, name.to_owned()))));
                }
                // Records were overwritten; the next one is there.
                Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::Interrupted) => {}
                Ok(_) | Err(_) => break,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steep_core::trace::Exit;

    fn ended(pid: u32, second: u64) -> Open {
        let id = ProcessId { pid, start_ticks: 1 };
        let end = WorkerEnd {
            t_s: at(second),
            process: id,
            name: "worker".to_owned(),
            lived_s: 60,
            cause: WorkerCause::Unknown,
            replaced_by: None,
        };
        Open { end, parent: 1 }
    }

    fn at(second: u64) -> SinceStart {
        SinceStart::new(Duration::from_secs(second))
    }

    fn causes(open: &[Open]) -> Vec<WorkerCause> {
        open.iter().map(|open| open.end.cause).collect()
    }

    fn workers(open: Vec<Open>, second: u64) -> Workers {
        Workers { open, now: at(second), ..Workers::begin(&[]) }
    }

    #[test]
    fn a_kill_is_ascribed_by_name_or_by_the_own_count_and_never_guessed() {
        use WorkerCause::{OutOfMemory, PerhapsOutOfMemory, Unknown};
        let with = |blows: &[(u32, &str)], kills, is_own| {
            let blows = blows
                .iter()
                .map(|(pid, name)| (*pid, (Blow::OutOfMemory, (*name).to_owned())))
                .collect::<BTreeMap<_, _>>();
            let mut open = vec![ended(1, 5), ended(2, 5), ended(3, 4)];
            ascribe(at(5), &mut open, &blows, (kills, is_own));
            causes(&open)
        };
        assert_eq!(with(&[], 0, true), [Unknown; 3]);
        assert_eq!(with(&[(1, "worker")], 1, true), [OutOfMemory, Unknown, Unknown]);
        assert_eq!(with(&[(1, "another")], 0, true), [Unknown; 3]);
        assert_eq!(with(&[], 2, true), [OutOfMemory, OutOfMemory, Unknown]);
        assert_eq!(with(&[], 1, true), [PerhapsOutOfMemory, PerhapsOutOfMemory, Unknown]);
        assert_eq!(with(&[], 2, false), [PerhapsOutOfMemory, PerhapsOutOfMemory, Unknown]);
    }

    #[test]
    fn an_end_is_reported_once_it_is_settled_with_status_and_replacement() {
        let mut workers = workers(vec![ended(7, 10), ended(8, 10)], 11);
        let newcomer =
            |pid, name: &str| Passing { id: ProcessId { pid, start_ticks: 2 }, name: name.to_owned(), parent: 1 };
        workers.came.extend([(at(11), newcomer(20, "sh")), (at(11), newcomer(21, "worker"))]);
        let exit = Exit { code: None, signal: Some(11), oom_kill: false };
        assert_eq!(workers.take_ends(&[Reaped { pid: 7, exit }], false), []);
        workers.now = at(12);
        let notes = workers.take_ends(&[], false);
        assert_eq!(notes[0].cause, WorkerCause::Signaled { signal: 11 });
        assert_eq!(notes[0].replaced_by.map(|id| id.pid), Some(21));
        assert_eq!((notes[1].cause, notes[1].replaced_by), (WorkerCause::Unknown, None));
        assert_eq!(workers.take_ends(&[], true), []);
    }

    #[test]
    fn commands_that_end_well_are_not_workers_and_the_number_of_ends_is_bounded() {
        let short = |pid, cause| {
            let mut open = ended(pid, 1);
            (open.end.lived_s, open.end.cause) = (1, cause);
            open
        };
        let mut few = workers(vec![short(1, WorkerCause::Unknown), short(2, WorkerCause::OutOfMemory)], 9);
        assert_eq!(few.take_ends(&[], false).iter().map(|end| end.process.pid).collect::<Vec<_>>(), [2]);
        let mut many = workers((0..2000).map(|pid| ended(pid, 1)).collect(), 9);
        assert_eq!(many.take_ends(&[], false).len(), ENDS_MAX);
        many.open.push(ended(1, 1));
        assert_eq!(many.take_ends(&[], true), []);
    }
}
