//! The hidden program `steep supervise`: starts one process, and sees to it that nothing which descends from it stays
//! behind, however steep, the process or this supervisor's own part in it ends.
//!
//! It is two processes, a [`guard`] and the supervisor proper below it. Any one of steep, guard and supervisor may be
//! killed, and any two at the same moment: whoever is left kills all that descends from it.
//!
//! steep starts itself again as this program with three pipes: orders come in on standard input, reports go out on
//! standard output (both in the words of [`protocol`]), and standard error becomes standard output and error of the
//! process. It is a subreaper, so that grandchildren which outlive their parents become its children. When steep closes
//! its end of the orders, or dies by whatever means, all descendants are killed. It uses no runtime and a single
//! thread, and takes about as much memory as an empty program does.

pub mod guard;
mod limit;
pub mod protocol;

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, setsid, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::cgroups::Cgroup;
use super::process_tree;
use limit::Limit;
use protocol::{Order, Report};

/// The name of the program, as `steep <SUBCOMMAND>` and as the second word of its command line in `/proc`.
pub const SUBCOMMAND: &str = "supervise";

/// Comes before a comma-separated list of the CPUs that the process is pinned to.
pub const CPUS_OPTION: &str = "--cpus";

/// Comes before the most bytes of memory that the process may have.
pub const MEMORY_OPTION: &str = "--memory";

/// Says that the process is to be started when steep orders it, and not at once.
pub const ON_ORDER_OPTION: &str = "--on-order";

/// Comes before all else where the guard is there already.
const GUARDED_OPTION: &str = "--guarded";

/// Orders are a few bytes. More than this without a line end is not from steep.
const ORDERS_MAX_BYTES: usize = 256;

/// Supervises: `args` are what follows `steep supervise`, that is
/// `[--on-order] [--memory BYTES] [--cpus 0,1] PROGRAM ARG…`. The folder and the environment of the process are those
/// of the supervisor.
pub fn supervise(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter().peekable();
    if args.next_if(|arg| arg == GUARDED_OPTION).is_none() {
        return guard::guard(args);
    }
    let mut tell = |report: Report| tell(&report);
    match Supervised::start(args, &mut tell) {
        Ok(supervised) => {
            let supervisor = std::process::id();
            tell(Report::Started { pid: supervised.main.as_raw_nonzero().get().unsigned_abs(), supervisor });
            supervised.watch(&mut tell);
            ExitCode::SUCCESS
        }
        Err(message) => {
            tell(Report::NotStarted { message });
            ExitCode::FAILURE
        }
    }
}

fn tell(report: &Report) {
    let mut reports = io::stdout().lock();
    // When steep is dead nobody reads the report; then the orders have ended too, and that is what counts.
    let _ = writeln!(reports, "{report}").and_then(|()| reports.flush());
}

/// A process and the means to notice what happens to it.
struct Supervised {
    main: Pid,
    /// What all of it is counted in by the kernel; none where the host does not let steep make one.
    cgroup: Option<Cgroup>,
    orders: Orders,
    /// Readable when a child has ended.
    child_ended: UnixStream,
    /// Readable when the supervisor itself is asked to end.
    asked_to_end: UnixStream,
}

impl Supervised {
    fn start(args: impl IntoIterator<Item = OsString>, tell: &mut impl FnMut(Report)) -> Result<Self, String> {
        let mut args = args.into_iter().peekable();
        let is_on_order = args.next_if(|arg| arg == ON_ORDER_OPTION).is_some();
        let most = args.next_if(|arg| arg == MEMORY_OPTION).and_then(|_| args.next());
        let cpus = args.next_if(|arg| arg == CPUS_OPTION).and_then(|_| args.next());
        let program = args.next().ok_or("no program is named")?;

        // A session of its own: neither Ctrl-C nor the end of the terminal reaches the service, steep stops it in
        // order. It fails only for a leader of a group, which has one as good.
        let _ = setsid();
        become_subreaper().map_err(|error| format!("the supervisor cannot become a subreaper: {error}"))?;
        let (child_ended, asked_to_end) =
            hear_signals().map_err(|error| format!("the supervisor cannot handle signals: {error}"))?;
        if let Some(cpus) = cpus {
            pin(&cpus.to_string_lossy())?;
        }
        let output = io::stderr().as_fd().try_clone_to_owned();
        let output = output.map_err(|error| format!("the supervisor cannot pass on its output: {error}"))?;
        let mut orders = Orders { stdin: io::stdin(), pending: Vec::new() };
        if is_on_order {
            // steep lets go of the process's ports only now, so that nobody takes them meanwhile.
            tell(Report::Prepared);
            if orders.wait_for_first() != Some(Order::Go) {
                return Err(format!("`{}` was not to be started after all", program.to_string_lossy()));
            }
        }
        let cgroup = Cgroup::enter().ok();
        let limit = most.map(|most| Limit::set(&most.to_string_lossy(), cgroup.as_ref())).transpose();
        let limit = limit.inspect_err(|_| {
            if let Some(cgroup) = &cgroup {
                cgroup.leave();
                cgroup.remove();
            }
        });
        let limit = limit.map_err(|error| format!("`{}`: {error}", program.to_string_lossy()))?;
        let spawned =
            Command::new(&program).args(args).process_group(0).stdin(Stdio::null()).stdout(Stdio::from(output)).spawn();
        if let Some(limit) = limit {
            tell(Report::Limited { by: limit.lift() });
        }
        if let Some(cgroup) = &cgroup {
            cgroup.leave();
            if spawned.is_err() {
                cgroup.remove();
            }
        }
        let child = spawned.map_err(|error| format!("`{}`: {error}", program.to_string_lossy()))?;
        // The standard library's handle is let go: children are reaped below, whoever's they were.
        let main = Pid::from_child(&child);
        Ok(Self { main, cgroup, orders, child_ended, asked_to_end })
    }

    /// Waits for orders, signals and ends of children, until nothing is left.
    fn watch(mut self, tell: &mut impl FnMut(Report)) {
        while let Ok([orders, child, end]) =
            readable([self.orders.stdin.as_fd(), self.child_ended.as_fd(), self.asked_to_end.as_fd()])
        {
            if end {
                // Whoever ends a whole group of processes ends the main process as well: that is reported as this.
                tell(Report::Asked);
            }
            if child {
                drain(&mut self.child_ended);
                if self.reap(tell) {
                    break;
                }
            }
            if end || (orders && !self.obey()) {
                break;
            }
        }
        let main = self.main;
        // On systems without /proc the group is all that can be found.
        let _ = kill_process_group(main, Signal::KILL);
        let gone = process_tree::kill_descendants(|pid, status| {
            if pid == main {
                tell(end_of(status));
            }
        });
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
        tell(if gone { Report::Gone } else { Report::Left });
    }

    /// Waits for every child that has ended; says whether the main process was among them.
    fn reap(&self, tell: &mut impl FnMut(Report)) -> bool {
        let mut main_ended = false;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.main => {
                    tell(end_of(status));
                    main_ended = true;
                }
                Ok(Some((pid, status))) => tell(Report::Reaped {
                    pid: pid.as_raw_nonzero().get().unsigned_abs(),
                    code: status.exit_status(),
                    signal: status.terminating_signal(),
                }),
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) | Err(_) => return main_ended,
            }
        }
    }

    /// Reads and follows orders; false: all is to be killed.
    fn obey(&mut self) -> bool {
        let Some(orders) = self.orders.read() else { return false };
        for order in orders {
            match order {
                Some(Order::Signal(number)) => self.signal(number),
                Some(Order::Go | Order::Kill) | None => return false,
            }
        }
        true
    }

    /// To the whole group of the main process, as a terminal and systemd do it, so that it arrives behind a shell
    /// script as well. The main process is not reaped yet, so that the number is still its own.
    fn signal(&self, number: i32) {
        if let Some(signal) = Signal::from_named_raw(number) {
            let _ = kill_process_group(self.main, signal);
        }
    }
}

/// What steep asks for, line by line.
struct Orders {
    stdin: io::Stdin,
    /// The line that has not ended yet.
    pending: Vec<u8>,
}

impl Orders {
    /// What can be read now, in order; within, none is a line that is not an order. None: they have ended, or never
    /// will end a line.
    fn read(&mut self) -> Option<Vec<Option<Order>>> {
        let mut buffer = [0; ORDERS_MAX_BYTES];
        let count = match rustix::io::read(&self.stdin, &mut buffer) {
            Ok(0) => return None,
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(_) => return None,
        };
        self.pending.extend_from_slice(&buffer[..count]);
        let mut orders = Vec::new();
        while let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            orders.push(String::from_utf8_lossy(&line[..end]).parse().ok());
        }
        (self.pending.len() < ORDERS_MAX_BYTES).then_some(orders)
    }

    /// Waits for the first order, after which steep sends none before it has heard what came of it.
    fn wait_for_first(&mut self) -> Option<Order> {
        loop {
            if let Some(first) = self.read()?.into_iter().next() {
                return first;
            }
        }
    }
}

/// How the main process ended, as a report.
fn end_of(status: WaitStatus) -> Report {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Report::Exited { code },
        (None, Some(signal)) => Report::Signaled { signal },
        // Neither is reported without being asked for (stopped, continued).
        (None, None) => Report::Exited { code: status.as_raw() },
    }
}

/// Makes orphaned descendants the children of this process, where the system can. Also for steep itself, before a run:
/// should a supervisor be killed, its descendants come to steep, and [`process_tree::kill_adopted`] finds them.
///
/// # Errors
/// What the kernel says; Linux before 3.4 knows no subreapers.
pub fn become_subreaper() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Ok(())
}

/// Sockets that become readable when a child ends, and when this process is asked to end.
///
/// Handling a signal has a second purpose: what was inherited as ignored, as SIGINT is behind `&` in a script and
/// SIGHUP behind `nohup`, becomes handled here and so the default in the process that is started, as exec(2) resets it.
fn hear_signals() -> io::Result<(UnixStream, UnixStream)> {
    let (child_ended, child_waker) = UnixStream::pair()?;
    let (asked_to_end, end_waker) = UnixStream::pair()?;
    child_ended.set_nonblocking(true)?;
    asked_to_end.set_nonblocking(true)?;
    // SIGUSR1 and SIGUSR2 only wake the loop, which then finds nothing to do.
    for signal in [SIGCHLD, SIGUSR1, SIGUSR2] {
        signal_hook::low_level::pipe::register(signal, child_waker.try_clone()?)?;
    }
    for signal in [SIGTERM, SIGINT, SIGQUIT, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, end_waker.try_clone()?)?;
    }
    Ok((child_ended, asked_to_end))
}

/// Pins this process, and so the one that it starts, to the CPUs of a list such as `0,2`.
fn pin(cpus: &str) -> Result<(), String> {
    let numbers: Result<Vec<usize>, _> = cpus.split(',').map(str::parse).collect();
    let numbers = numbers.map_err(|_| format!("`{cpus}` is not a list of CPUs"))?;
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_setaffinity};
        if let Some(beyond) = numbers.iter().find(|&&number| number >= CpuSet::MAX_CPU) {
            return Err(format!("there is no CPU {beyond} to pin to"));
        }
        let mut set = CpuSet::new();
        for &number in &numbers {
            set.set(number);
        }
        sched_setaffinity(None, &set).map_err(|error| format!("cannot pin to CPUs {cpus} of this host: {error}"))
    }
    #[cfg(not(target_os = "linux"))]
    Err(format!("cannot pin to CPUs {numbers:?}: this system has no such call"))
}

/// Waits until one of `fds` has something to read or has ended, and says which.
fn readable<const N: usize>(fds: [BorrowedFd<'_>; N]) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    loop {
        match poll(&mut polled, None) {
            Ok(_) => return Ok(polled.map(|fd| !fd.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes out what the signal handlers wrote.
fn drain(waker: &mut UnixStream) {
    let mut buffer = [0; 64];
    while waker.read(&mut buffer).is_ok_and(|count| count == buffer.len()) {}
}
