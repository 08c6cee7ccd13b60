//! Why a service does not run, in words that say what happened, where, and what to do next.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::names::say_port_taken;
use crate::shell::access::AccessError;
use crate::shell::listener::Stranger;
use crate::shell::loopback::EndpointError;
use crate::shell::process::StartError;
use steep_core::scenario::Flaw;
use steep_core::template::{TemplateError, UnknownName};
use steep_core::trace::Exit;
use steep_judge::units::duration_text;

/// A process of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// What is soaked.
    Service,
    /// What it needs, by name.
    Dependency(String),
    /// The program that makes the load.
    Load,
    /// The command run before each cell, of the dependency with this name.
    BeforeCell(String),
}

impl Who {
    /// The file in the cell's folder that its output goes to.
    #[must_use]
    pub fn log_name(&self) -> String {
        match self {
            Self::Service => "service.log".to_owned(),
            Self::Load => "driver.log".to_owned(),
            Self::Dependency(name) => format!("{name}.log"),
            Self::BeforeCell(name) => format!("{name}.before_cell.log"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("the service"),
            Self::Load => f.write_str("the program that makes the load"),
            Self::Dependency(name) => write!(f, "dependency `{name}`"),
            Self::BeforeCell(name) => write!(f, "`before_cell` of dependency `{name}`"),
        }
    }
}

/// The last lines of a process and where the rest of them is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// The whole log.
    pub log: PathBuf,
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return write!(f, "it wrote nothing to {}", self.log.display());
        }
        writeln!(f, "its last lines, of {}:", self.log.display())?;
        let indented: Vec<String> = self.lines.iter().map(|line| format!("    {line}")).collect();
        f.write_str(&indented.join("\n"))
    }
}

/// Why a service does not run.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// A template that names what is not there.
    #[error("`{place}` of {who}: {source}; known here: {known}")]
    Name {
        /// Whose.
        who: Who,
        /// The key.
        place: String,
        /// What is not there.
        source: UnknownName,
        /// What is.
        known: String,
    },
    /// A file that is to be rendered and is not a template.
    #[error("{}, a file of {who}: {source}", path.display())]
    Template {
        /// Whose.
        who: Who,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// A file that a flag cannot change.
    #[error("a file of {who}: {}; {}", flaw.message, flaw.help)]
    Patch {
        /// Whose.
        who: Who,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A file that cannot be read or written.
    #[error("{}, a file of {who}: {source}", path.display())]
    File {
        /// Whose.
        who: Who,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The scenario says neither a command nor was a binary built.
    #[error("{who} has no program to start")]
    NoProgram {
        /// Who.
        who: Who,
    },
    /// No free port.
    #[error("the system gives no free port: {0}")]
    Port(io::Error),
    /// An address of the scenario leads nowhere, or to another host.
    #[error("{who}: {source}")]
    Address {
        /// Whose.
        who: Who,
        /// What is wrong.
        source: EndpointError,
    },
    /// Another program has the port.
    #[error("{stranger}{}{}", whose_port(who), last.as_ref().map(|last| format!("; {last}")).unwrap_or_default())]
    PortTaken {
        /// Whose port.
        who: Who,
        /// The other program.
        stranger: Box<Stranger>,
        /// The port that steep picked.
        port: u16,
        /// What the process said, where it was started.
        last: Option<LastWords>,
    },
    /// Something answers, and nobody listens that can be seen.
    #[error(
        "something answers on {address}, and no program in steep's network namespace listens there: it is forwarded to \
         another one, by a container or by a rule of the firewall, whose memory would not be seen; let the service \
         listen on that address itself"
    )]
    Unseen {
        /// Where.
        address: SocketAddr,
    },
    /// The client that asks for readiness.
    #[error(transparent)]
    Client(AccessError),
    /// It could not be started.
    #[error("{who}: {source}{}", start_hint(source))]
    Start {
        /// Who.
        who: Who,
        /// Why.
        source: StartError,
    },
    /// It ended before it was ready.
    #[error("{who} ended before it was ready ({exit}){}; {last}", hint(exit, &last.lines, *port))]
    Ended {
        /// Who.
        who: Who,
        /// How.
        exit: Exit,
        /// The port that it was given.
        port: u16,
        /// What it said.
        last: LastWords,
    },
    /// Its certificate, or its TLS, will not do, however long it is waited for.
    #[error("{who}: {answer}; {last}")]
    Refused {
        /// Who.
        who: Who,
        /// What is wrong.
        answer: String,
        /// What it said.
        last: LastWords,
    },
    /// It was not ready in time.
    #[error("{who} was not ready in {}: {answer}; raise `ready.timeout` if it needs longer; {last}", duration_text(*limit))]
    NotReady {
        /// Who.
        who: Who,
        /// Its time.
        limit: Duration,
        /// What was asked, and the last answer.
        answer: String,
        /// What it said.
        last: LastWords,
    },
    /// A command before the cell failed.
    #[error("{who} failed ({exit}); {last}")]
    Failed {
        /// Who.
        who: Who,
        /// How it ended.
        exit: Exit,
        /// What it said.
        last: LastWords,
    },
    /// A command before the cell did not end in time.
    #[error("{who} did not end in {}; {last}", duration_text(*limit))]
    TooLong {
        /// Who.
        who: Who,
        /// Its time.
        limit: Duration,
        /// What it said.
        last: LastWords,
    },
}

impl ServiceError {
    /// Whether another program had taken the port that steep picked, as far as that is known: another port may do.
    #[must_use]
    pub fn is_port_taken(&self) -> bool {
        match self {
            Self::Ended { last, .. } => say_port_taken(&last.lines),
            Self::PortTaken { stranger, port, .. } => stranger.address.port() == *port,
            _ => false,
        }
    }
}

fn whose_port(who: &Who) -> String {
    match who {
        Who::Service => String::new(),
        who => format!(" (it is the port of {who})"),
    }
}

fn start_hint(error: &StartError) -> &'static str {
    match error {
        StartError::Refused { .. } => {
            "; a path with a slash is taken from the folder of the scenario, another name is looked for in PATH"
        }
        StartError::Supervisor { .. } | StartError::Log { .. } | StartError::Supervision { .. } => "",
    }
}

/// What to do about an early end.
fn hint(exit: &Exit, lines: &[String], port: u16) -> String {
    if say_port_taken(lines) {
        format!(": its port was taken; steep gave it {port} as {{{{port}}}}, does it listen on that one only?")
    } else if exit.code == Some(0) {
        ": does it put itself in the background? steep needs it in the foreground".to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(lines: &[&str]) -> LastWords {
        LastWords { lines: lines.iter().map(|&line| line.to_owned()).collect(), log: "cell/service.log".into() }
    }

    #[test]
    fn an_early_end_says_how_why_and_where() {
        let exit = Exit { code: Some(1), signal: None, oom_kill: false };
        let taken = ServiceError::Ended { who: Who::Service, exit, port: 4000, last: last(&["bind: Address in use"]) };
        insta::assert_snapshot!(taken, @r"
        the service ended before it was ready (exit status 1): its port was taken; steep gave it 4000 as {{port}}, does it listen on that one only?; its last lines, of cell/service.log:
            bind: Address in use
        ");
        assert!(taken.is_port_taken());
        let exit = Exit { code: Some(0), ..exit };
        let daemon = ServiceError::Ended { who: Who::Dependency("db".to_owned()), exit, port: 1, last: last(&[]) };
        insta::assert_snapshot!(daemon, @"dependency `db` ended before it was ready (exit status 0): does it put itself in the background? steep needs it in the foreground; it wrote nothing to cell/service.log");
    }

    #[test]
    fn a_service_that_is_never_ready_says_what_it_answered() {
        let error = ServiceError::NotReady {
            who: Who::Service,
            limit: Duration::from_secs(30),
            answer: "GET http://127.0.0.1:4000/healthz said 503 last".to_owned(),
            last: last(&["starting", "waiting for the database"]),
        };
        insta::assert_snapshot!(error, @r"
        the service was not ready in 30s: GET http://127.0.0.1:4000/healthz said 503 last; raise `ready.timeout` if it needs longer; its last lines, of cell/service.log:
            starting
            waiting for the database
        ");
    }
}
