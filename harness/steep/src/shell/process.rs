//! A process under a supervisor, as steep handles it: started, waited for, asked to end, killed, and gone with all that
//! descends from it. Dropping the handle closes the supervisor's orders, and the supervisor then kills all of it.

pub mod oom;
pub mod output;
pub mod tail;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::shell::supervisor::guard::NAME;
use crate::shell::supervisor::protocol::{Order, Report};
use crate::shell::supervisor::{CPUS_OPTION, MEMORY_OPTION, ON_ORDER_OPTION, SUBCOMMAND};
use crate::shell::{cgroups, process_tree, remains};
use oom::OomCounters;
use output::Output;
use steep_core::log_lines::LogLines;
use steep_core::running_count::RunningCount;
use steep_core::scenario::{Stop, StopSignal};
use steep_core::trace::{Exit, LimitedBy};
use steep_judge::units::Bytes;

/// How long starting may take, from the fork to the process's own program; a cold disk takes a second.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a supervisor may take to end all that is left. Its own bound for it is 10 s.
const GONE_TIMEOUT: Duration = Duration::from_secs(15);

/// Ends of orphans that are kept until somebody asks for them; of more the oldest are let go.
const REAPED_MAX: usize = 256;

/// How long the last output is waited for once all who could write it are gone.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// What is started, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program: a path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set (`Some`) or taken out (`None`), beside steep's own environment.
    pub env: BTreeMap<String, Option<String>>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// CPUs that it is pinned to; empty: all.
    pub cpus: Vec<usize>,
    /// The most memory that the kernel lets it have; none: as much as steep may have.
    pub memory_limit: Option<Bytes>,
    /// Where its output goes; begun anew.
    pub log: PathBuf,
}

/// A process that did not come to run.
#[derive(Debug, Error)]
pub enum StartError {
    /// The program, its folder or its permissions; as the system says it.
    #[error("cannot start {message}")]
    Refused {
        /// `` `program`: reason ``.
        message: String,
    },
    /// steep could not start itself as the supervisor.
    #[error("cannot start the supervisor `{}` in folder {}: {source}", program.display(), folder.display())]
    Supervisor {
        /// steep's own program.
        program: PathBuf,
        /// The folder of the process.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log could not be created.
    #[error("cannot write the log {}: {source}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The supervisor said nothing, or something else.
    #[error("the supervisor of `{}` did not answer: {said}", program.display())]
    Supervision {
        /// What was to be started.
        program: PathBuf,
        /// What it said instead.
        said: String,
    },
}

/// How stopping went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// How the main process ended.
    pub exit: Exit,
    /// Whether it had to be killed because it did not end in its grace.
    pub killed_after_grace: bool,
    /// Whether something of it is still there: held by the kernel, or of another user whom steep may not kill.
    pub something_left: bool,
}

/// A process under a supervisor.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    supervisor_pid: u32,
    /// The guard of the supervisor, which is steep's own child.
    guard: Child,
    own: Own,
    limited_by: Option<LimitedBy>,
    was_asked_to_end: bool,
    orders: Option<ChildStdin>,
    reports: Lines<BufReader<ChildStdout>>,
    output: Output,
    /// Both are compared with at the end, so that a kill just before the last refresh is not lost.
    oom_before: [OomCounters; 2],
    exit: Option<Exit>,
    reaped: VecDeque<Reaped>,
    rest: Rest,
}

/// A process that descends from the main one and outlived its own parent, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// Its number.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
}

/// The supervisors of all processes, and their guards. By their numbers, and not by what they are called: anybody may
/// call itself a supervisor.
static SUPERVISORS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Those of one process among [`SUPERVISORS`], for as long as they may be there.
#[derive(Debug, Default)]
struct Own(Vec<u32>);

impl Own {
    fn add(&mut self, pid: Option<u32>) {
        self.0.extend(pid);
        SUPERVISORS.lock().unwrap_or_else(PoisonError::into_inner).extend(pid);
    }

    /// Whether `pid` is a supervisor or a guard that this steep started.
    fn has(pid: u32) -> bool {
        SUPERVISORS.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        SUPERVISORS.lock().unwrap_or_else(PoisonError::into_inner).retain(|pid| !self.0.contains(pid));
    }
}

/// What is known of the descendants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Supervised,
    Gone,
    Left,
}

/// An end that nobody saw.
const UNKNOWN_EXIT: Exit = Exit { code: None, signal: None, oom_kill: false };

impl Process {
    /// Starts `launch` under a supervisor, which is `program` (see [`own_program`]) called as `steep supervise`.
    ///
    /// # Errors
    /// No such program or folder, no permission, or a log that cannot be written; nothing runs then.
    ///
    /// [`own_program`]: super::own_program::own_program
    pub async fn start(launch: &Launch, program: &Path) -> Result<Self, StartError> {
        Self::start_after(launch, program, || ()).await
    }

    /// As [`Process::start`]; `release` is called right before the supervisor starts the process, when all else is
    /// done, and lets go of what only the process is to have.
    ///
    /// # Errors
    /// As there.
    pub async fn start_after(launch: &Launch, program: &Path, release: impl FnOnce()) -> Result<Self, StartError> {
        let supervisor_failed =
            |source| StartError::Supervisor { program: program.to_owned(), folder: launch.folder.clone(), source };
        let unanswered =
            |said: &str| StartError::Supervision { program: launch.program.clone(), said: said.to_owned() };

        let (output_reader, output_writer) = io::pipe().map_err(supervisor_failed)?;
        let output = Output::start(output_reader.into(), &launch.log)
            .map_err(|source| StartError::Log { path: launch.log.clone(), source })?;
        // The command, and steep's copy of the writing end in it, are gone after this line, so that the output can end.
        let mut guard = supervisor_command(launch, program, output_writer.into()).spawn().map_err(supervisor_failed)?;
        let mut own = Own::default();
        own.add(guard.id());
        let orders = guard.stdin.take();
        let stdout = guard.stdout.take().ok_or_else(|| unanswered("it has no standard output"))?;
        let mut reports = BufReader::new(stdout).lines();
        let mut next = async || match timeout(START_TIMEOUT, reports.next_line()).await {
            Ok(Ok(Some(line))) => match line.parse() {
                Ok(Report::NotStarted { message }) => Err(StartError::Refused { message }),
                Ok(report @ (Report::Prepared | Report::Limited { .. } | Report::Started { .. })) => Ok(report),
                Ok(_) | Err(_) => Err(unanswered(&line)),
            },
            Ok(_) => Err(unanswered("it ended at once")),
            Err(_) => Err(unanswered("it said nothing in 30s")),
        };
        // Prepared: then nothing is left to do but this.
        next().await?;
        release();
        let mut orders = orders.ok_or_else(|| unanswered("it takes no orders"))?;
        // One that has ended meanwhile says so in place of having started.
        let _ = orders.write_all(format!("{}\n", Order::Go).as_bytes()).await;
        let mut limited_by = None;
        let (pid, supervisor_pid) = loop {
            match next().await? {
                Report::Started { pid, supervisor } => break (pid, supervisor),
                Report::Limited { by } if limited_by.is_none() => limited_by = Some(by),
                _ => return Err(unanswered("it was prepared twice")),
            }
        };
        own.add(Some(supervisor_pid));
        let oom = OomCounters::read(pid);
        Ok(Self {
            pid,
            supervisor_pid,
            guard,
            own,
            limited_by,
            was_asked_to_end: false,
            orders: Some(orders),
            reports,
            output,
            oom_before: [oom.clone(), oom],
            exit: None,
            reaped: VecDeque::new(),
            rest: Rest::Supervised,
        })
    }

    /// Number of the main process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Number of its supervisor: all that is to be measured descends from it.
    #[must_use]
    pub fn supervisor_pid(&self) -> u32 {
        self.supervisor_pid
    }

    /// What holds it to its memory limit; none: nothing does.
    #[must_use]
    pub fn limited_by(&self) -> Option<LimitedBy> {
        self.limited_by
    }

    /// Whether somebody asked its supervisor to end: then its end is not its own doing.
    #[must_use]
    pub fn was_asked_to_end(&self) -> bool {
        self.was_asked_to_end
    }

    /// The last lines of its output, oldest first, bounded in number and length.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        self.output.last_lines()
    }

    /// From now on looks for a running count of requests in its output.
    pub fn watch_count(&self) {
        self.output.watch_count();
    }

    /// The requests that it counts in its output; none: see [`Process::watch_count`].
    #[must_use]
    pub fn count(&self) -> Option<RunningCount> {
        self.output.count()
    }

    /// From now on looks for events in the lines of its output, and times them from `origin`.
    pub fn watch_lines(&self, lines: LogLines, origin: Instant) {
        self.output.watch_lines(lines, origin);
    }

    /// What `take` takes of the events that were found; none: see [`Process::watch_lines`].
    pub fn take_lines<T>(&self, take: impl FnOnce(&mut LogLines) -> T) -> Option<T> {
        self.output.take_lines(take)
    }

    /// What went wrong with its log file, if anything did.
    #[must_use]
    pub fn log_problem(&self) -> Option<String> {
        self.output.problem()
    }

    /// Notes the kernel's counts of out-of-memory kills anew, some 50 µs. To be called once it is ready, when it may
    /// have moved to a cgroup of its own, and then on a slow cadence, which keeps others' kills of hours ago out of the
    /// answer.
    pub fn refresh_oom_baseline(&mut self) {
        self.oom_before.swap(0, 1);
        self.oom_before[1] = OomCounters::read(self.pid);
    }

    /// The ends of orphans since this was asked last.
    pub fn take_reaped(&mut self) -> Vec<Reaped> {
        self.reaped.drain(..).collect()
    }

    /// Waits until the main process has ended. May be dropped and called again at any time, also after the end.
    pub async fn wait(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.exit {
                return exit;
            }
            self.hear().await;
        }
    }

    /// As [`Process::wait`], and then until nothing is left of what descends from it and its last output has been read.
    pub async fn wait_until_gone(&mut self) -> Exit {
        let exit = self.wait().await;
        self.clear().await;
        exit
    }

    /// Asks it to end with `stop.signal`, kills it after `stop.grace`, and returns when nothing is left of it.
    pub async fn stop(&mut self, stop: &Stop) -> Stopped {
        let mut killed_after_grace = false;
        if self.exit.is_none() {
            self.order(Order::Signal(signal_of(stop.signal).as_raw_nonzero().get())).await;
            if timeout(stop.grace, self.wait()).await.is_err() {
                killed_after_grace = true;
                self.order(Order::Kill).await;
            }
        }
        self.clear().await;
        Stopped { exit: self.exit.unwrap_or(UNKNOWN_EXIT), killed_after_grace, something_left: self.rest != Rest::Gone }
    }

    /// Sees to it that nothing is left, and reads the last output.
    async fn clear(&mut self) {
        let all_told = async {
            while self.rest == Rest::Supervised {
                self.hear().await;
            }
        };
        if timeout(GONE_TIMEOUT, all_told).await.is_err() {
            // A supervisor that hangs is ended as well; what it leaves comes to steep.
            let _ = process_tree::send(self.supervisor_pid, Signal::KILL);
            let _ = self.guard.start_kill();
        }
        self.orders = None;
        // It has nothing left to do, or was killed.
        let _ = timeout(GONE_TIMEOUT, self.guard.wait()).await;
        self.own = Own::default();
        if self.rest == Rest::Supervised {
            self.take_over().await;
        }
        cgroups::remove_left_over_here();
        self.output.drain(DRAIN_TIMEOUT).await;
    }

    /// Takes in the next report. Cancel-safe: a line is taken whole or not at all.
    async fn hear(&mut self) {
        let line = self.reports.next_line().await.ok().flatten();
        match line.map(|line| line.parse()) {
            Some(Ok(Report::Exited { code })) => self.exit = Some(Exit { code: Some(code), ..UNKNOWN_EXIT }),
            Some(Ok(Report::Signaled { signal })) => {
                let oom_kill =
                    signal == Signal::KILL.as_raw_nonzero().get() && self.oom_before.iter().any(OomCounters::rose);
                self.exit = Some(Exit { code: None, signal: Some(signal), oom_kill });
            }
            Some(Ok(Report::Reaped { pid, code, signal })) => {
                self.reaped.push_back(Reaped { pid, exit: Exit { code, signal, oom_kill: false } });
                if self.reaped.len() > REAPED_MAX {
                    self.reaped.pop_front();
                }
            }
            Some(Ok(Report::Asked)) => self.was_asked_to_end = true,
            Some(Ok(Report::Gone)) => self.rest = Rest::Gone,
            Some(Ok(Report::Left)) => {
                self.rest = Rest::Left;
                self.exit.get_or_insert(UNKNOWN_EXIT);
            }
            // Said at the start only, or nothing that a supervisor says.
            Some(
                Ok(Report::Prepared | Report::Limited { .. } | Report::Started { .. } | Report::NotStarted { .. })
                | Err(_),
            ) => {}
            None => self.take_over().await,
        }
    }

    /// Supervisor and guard are gone: what descends from them came to steep, where steep is a subreaper
    /// (see [`crate::shell::supervisor::become_subreaper`]), and is killed here.
    ///
    /// A process that ends closes its files before the kernel gives its children away, so the end of the reports may be
    /// read while guard or supervisor still have them. The guard is waited for; the supervisor, no longer spared, is
    /// one of those that are.
    async fn take_over(&mut self) {
        if timeout(GONE_TIMEOUT, self.guard.wait()).await.is_err() {
            let _ = self.guard.start_kill();
        }
        self.own = Own::default();
        let cleared = process_tree::kill_adopted(Own::has);
        if self.rest == Rest::Supervised {
            self.rest = if cleared { Rest::Gone } else { Rest::Left };
        }
        self.exit.get_or_insert(UNKNOWN_EXIT);
    }

    async fn order(&mut self, order: Order) {
        let Some(orders) = &mut self.orders else { return };
        // A supervisor that is dead takes no orders; its reports end then, which is seen there.
        let _ = orders.write_all(format!("{order}\n").as_bytes()).await;
    }
}

fn supervisor_command(launch: &Launch, program: &Path, output: Stdio) -> Command {
    let mut command = Command::new(program);
    command.arg0(NAME).arg(SUBCOMMAND).arg(ON_ORDER_OPTION);
    if let Some(limit) = launch.memory_limit {
        command.arg(MEMORY_OPTION).arg(limit.get().to_string());
    }
    if !launch.cpus.is_empty() {
        let list: Vec<String> = launch.cpus.iter().map(usize::to_string).collect();
        command.arg(CPUS_OPTION).arg(list.join(","));
    }
    command.arg(&launch.program).args(&launch.args).current_dir(&launch.folder);
    if let Some(mark) = remains::own_mark() {
        command.env(remains::MARK, mark);
    }
    for (name, value) in &launch.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output);
    command
}

fn signal_of(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
    }
}
