//! The lines between steep and a supervisor: orders one way, reports the other. Pure.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use steep_core::trace::LimitedBy;

/// What steep asks of a supervisor, one a line on its standard input. Its end means: kill all and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Start the process now.
    Go,
    /// Send this signal to the process group of the main process.
    Signal(i32),
    /// Kill all.
    Kill,
}

/// What a supervisor tells steep, one a line on its standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// All is ready for the process to be started.
    Prepared,
    /// What the process, which runs in a moment, is held to its memory limit by.
    Limited {
        /// By what.
        by: LimitedBy,
    },
    /// The main process runs.
    Started {
        /// Its number.
        pid: u32,
        /// The number of its supervisor.
        supervisor: u32,
    },
    /// It could not be started.
    NotStarted {
        /// Why, in one line.
        message: String,
    },
    /// The main process exited.
    Exited {
        /// Its status.
        code: i32,
    },
    /// The main process was killed.
    Signaled {
        /// By this signal.
        signal: i32,
    },
    /// Another process that descends from it ended after its parent had, which is why the supervisor learns how.
    Reaped {
        /// Its number.
        pid: u32,
        /// Exit status, where it exited.
        code: Option<i32>,
        /// Signal, where it was killed by one.
        signal: Option<i32>,
    },
    /// Somebody asked the supervisor to end, by a signal: what is reported after it is not the doing of the process.
    Asked,
    /// No descendant is left.
    Gone,
    /// Something is left that could not be killed, by permission or because the kernel holds it.
    Left,
}

/// A line that neither side writes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a word of the supervisor's protocol")]
pub struct UnknownWord(pub String);

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Go => write!(f, "go"),
            Self::Kill => write!(f, "kill"),
        }
    }
}

impl FromStr for Order {
    type Err = UnknownWord;

    fn from_str(line: &str) -> Result<Self, UnknownWord> {
        match line.split_once(' ') {
            None if line == "go" => Some(Self::Go),
            None if line == "kill" => Some(Self::Kill),
            Some(("signal", number)) => number.parse().ok().map(Self::Signal),
            _ => None,
        }
        .ok_or_else(|| UnknownWord(line.to_owned()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepared => write!(f, "prepared"),
            Self::Limited { by: LimitedBy::Cgroup } => write!(f, "limited cgroup"),
            Self::Limited { by: LimitedBy::DataLimit } => write!(f, "limited data"),
            Self::Started { pid, supervisor } => write!(f, "started {pid} {supervisor}"),
            Self::NotStarted { message } => write!(f, "not-started {}", message.replace('\n', " ")),
            Self::Exited { code } => write!(f, "exited {code}"),
            Self::Signaled { signal } => write!(f, "signaled {signal}"),
            Self::Reaped { pid, code: _, signal: Some(signal) } => write!(f, "reaped {pid} signaled {signal}"),
            Self::Reaped { pid, code, signal: None } => write!(f, "reaped {pid} exited {}", code.unwrap_or_default()),
            Self::Asked => write!(f, "asked"),
            Self::Gone => write!(f, "gone"),
            Self::Left => write!(f, "left"),
        }
    }
}

impl FromStr for Report {
    type Err = UnknownWord;

    fn from_str(line: &str) -> Result<Self, UnknownWord> {
        match line.split_once(' ') {
            None if line == "prepared" => Some(Self::Prepared),
            None if line == "asked" => Some(Self::Asked),
            None if line == "gone" => Some(Self::Gone),
            None if line == "left" => Some(Self::Left),
            Some(("limited", "cgroup")) => Some(Self::Limited { by: LimitedBy::Cgroup }),
            Some(("limited", "data")) => Some(Self::Limited { by: LimitedBy::DataLimit }),
            Some(("started", pids)) => pids.split_once(' ').and_then(|(pid, supervisor)| {
                Some(Self::Started { pid: pid.parse().ok()?, supervisor: supervisor.parse().ok()? })
            }),
            Some(("not-started", message)) => Some(Self::NotStarted { message: message.to_owned() }),
            Some(("exited", code)) => code.parse().ok().map(|code| Self::Exited { code }),
            Some(("reaped", rest)) => reaped(rest),
            Some(("signaled", signal)) => signal.parse().ok().map(|signal| Self::Signaled { signal }),
            _ => None,
        }
        .ok_or_else(|| UnknownWord(line.to_owned()))
    }
}

/// `77 exited 3`, `77 signaled 9`.
fn reaped(text: &str) -> Option<Report> {
    let mut words = text.split(' ');
    let pid = words.next()?.parse().ok()?;
    let kind = words.next()?;
    let number: i32 = words.next()?.parse().ok()?;
    let (code, signal) = match kind {
        "exited" => (Some(number), None),
        "signaled" => (None, Some(number)),
        _ => return None,
    };
    Some(Report::Reaped { pid, code, signal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_as_it_was_written() {
        for order in [Order::Go, Order::Signal(15), Order::Kill] {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        let reports = [
            Report::Prepared,
            Report::Limited { by: LimitedBy::Cgroup },
            Report::Limited { by: LimitedBy::DataLimit },
            Report::Started { pid: 7, supervisor: 5 },
            Report::NotStarted { message: "`a b`: no such file".to_owned() },
            Report::Exited { code: 3 },
            Report::Signaled { signal: 9 },
            Report::Reaped { pid: 7, code: Some(3), signal: None },
            Report::Reaped { pid: 7, code: None, signal: Some(11) },
            Report::Asked,
            Report::Gone,
            Report::Left,
        ];
        for report in reports {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
    }

    #[test]
    fn a_word_that_is_cut_is_not_a_word() {
        assert!("signal".parse::<Order>().is_err());
        assert!("signal 1x".parse::<Order>().is_err());
        assert!("exited".parse::<Report>().is_err());
        assert!("reaped 7".parse::<Report>().is_err() && "reaped 7 left 1".parse::<Report>().is_err());
        assert!("".parse::<Report>().is_err());
    }

    #[test]
    fn a_message_of_several_lines_stays_one_line() {
        let report = Report::NotStarted { message: "a\nb".to_owned() };
        assert_eq!(report.to_string(), "not-started a b");
    }
}
