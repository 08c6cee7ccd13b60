//! The guard: the parent of a supervisor, which ends what is left should the supervisor be killed.
//!
//! A supervisor that is killed together with steep can do nothing any more, and what it started would live on, with its
//! port. The guard is a subreaper as well, so that all of it comes to it and is killed. It is no more than that:
//! orders, reports and output pass it by, between steep and the supervisor. Should the guard be killed, the supervisor
//! goes on as before.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, setsid, wait};

use super::protocol::Report;
use super::{GUARDED_OPTION, SUBCOMMAND, become_subreaper, drain, hear_signals, readable, tell};
use crate::shell::own_program::own_program;
use crate::shell::process_tree;

/// What guards and supervisors are called. Not `steep`: `pkill -f steep` is meant for steep, and these end by
/// themselves then.
pub const NAME: &str = "supervisor";

/// Starts a supervisor with `args` and guards it to its end.
pub(super) fn guard(args: impl Iterator<Item = OsString>) -> ExitCode {
    match Guarded::start(args) {
        Ok(guarded) => {
            guarded.watch();
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&Report::NotStarted { message: format!("the supervisor: {error}") });
            ExitCode::FAILURE
        }
    }
}

struct Guarded {
    supervisor: Pid,
    child_ended: std::os::unix::net::UnixStream,
    asked_to_end: std::os::unix::net::UnixStream,
}

impl Guarded {
    fn start(args: impl Iterator<Item = OsString>) -> io::Result<Self> {
        // As the supervisor does, which see.
        let _ = setsid();
        become_subreaper()?;
        let (child_ended, asked_to_end) = hear_signals()?;
        let mut command = Command::new(own_program()?);
        command.arg0(NAME).arg(SUBCOMMAND).arg(GUARDED_OPTION).args(args);
        let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        let supervisor = Pid::from_child(&command.spawn()?);
        // The ends of the pipes are seen only when nobody else holds them.
        let let_go = rustix::stdio::dup2_stdin(&nothing)
            .and_then(|()| rustix::stdio::dup2_stdout(&nothing))
            .and_then(|()| rustix::stdio::dup2_stderr(&nothing));
        // It does not fail on descriptors that are open; if it did, ends would be seen when the guard ends, a moment
        // later.
        let _ = let_go;
        Ok(Self { supervisor, child_ended, asked_to_end })
    }

    /// Waits until the supervisor has ended, in order or killed, and then kills what it left.
    fn watch(mut self) {
        while let Ok([child, end]) = readable([self.child_ended.as_fd(), self.asked_to_end.as_fd()]) {
            if end {
                drain(&mut self.asked_to_end);
                // It tells steep, and ends all in order.
                let _ = kill_process(self.supervisor, Signal::TERM);
            }
            if child {
                drain(&mut self.child_ended);
                if self.has_ended() {
                    break;
                }
            }
        }
        process_tree::kill_descendants(|_, _| {});
    }

    fn has_ended(&self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, _))) if pid == self.supervisor => return true,
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }
}
