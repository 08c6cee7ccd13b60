//! The live view: a page of the run under way, shown on a loopback address to whoever opens it.
//!
//! It is a process of its own, steep once more as [`SUBCOMMAND`], at the lowest priority: what it draws it reads from
//! the folder of the run, so that neither a drawing nor a browser takes memory, time or a lock from the soak. steep
//! binds the port before anything is soaked, hands it on as the standard output of that process, and tells it on its
//! standard input where the soak is. When steep ends, by whatever means, the words end, and so does the process.

mod clients;
mod drawings;
pub mod serving;
mod words;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use url::Url;

pub use self::words::{Status, Word};
use crate::shell::own_program::own_program;
use crate::shell::ports::Port;
use steep_core::following::LiveAddress;
use steep_core::scenario::{ReadyCheck, Scenario};

/// The name of the program, as `steep <SUBCOMMAND>`.
pub const SUBCOMMAND: &str = "live-view";

/// Free ports that are tried where any will do, and the scenario has some of its own.
const TRIES: usize = 16;

/// How long the process may take to end once the run is over: as long as browsers may take to fetch the report, and
/// some time for itself. Then it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no live view.
#[derive(Debug, Error)]
pub enum LiveViewError {
    /// Somebody else has the port.
    #[error("--live: {address} is taken by another program: give another port, or --live without one")]
    Taken {
        /// The address.
        address: SocketAddr,
    },
    /// The service, or a dependency, is to have it.
    #[error(
        "--live: port {port} is that of {whose} in the scenario, which could not listen there then: give another one"
    )]
    OfScenario {
        /// The port.
        port: u16,
        /// `service.url`
        whose: String,
    },
    /// The system does not let steep listen there.
    #[error("--live: {address} cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Its process does not start.
    #[error("--live: the process that shows the run cannot be started: {0}")]
    Start(#[source] io::Error),
}

/// A port that is listened on, before there is a run to show.
#[derive(Debug)]
pub struct Place {
    listener: TcpListener,
    address: SocketAddr,
    /// Keeps other steeps from picking the port.
    port: Option<Port>,
}

impl Place {
    /// Listens on `wanted`, or on a free port of its host; never on one that `scenario` has for its own programs.
    ///
    /// # Errors
    /// See [`LiveViewError`].
    pub fn listen(wanted: LiveAddress, scenario: &Scenario) -> Result<Self, LiveViewError> {
        let own = ports_of(scenario);
        let address = wanted.socket();
        if address.port() != 0 {
            if let Some((whose, port)) = own.into_iter().find(|(_, port)| *port == address.port()) {
                return Err(LiveViewError::OfScenario { port, whose });
            }
            return Self::at(address, None);
        }
        let failed = |source| LiveViewError::Listen { address, source };
        for _ in 0..TRIES {
            let mut port = Port::pick().map_err(failed)?;
            if own.iter().any(|(_, own)| *own == port.number()) {
                continue;
            }
            port.release();
            return Self::at(SocketAddr::new(address.ip(), port.number()), Some(port));
        }
        Err(failed(io::Error::from(io::ErrorKind::AddrInUse)))
    }

    fn at(address: SocketAddr, port: Option<Port>) -> Result<Self, LiveViewError> {
        let listener = TcpListener::bind(address).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => LiveViewError::Taken { address },
            _ => LiveViewError::Listen { address, source },
        })?;
        Ok(Self { listener, address, port })
    }

    /// Shows the run in `folder` from now on.
    ///
    /// # Errors
    /// Its process does not start.
    pub fn show(self, folder: &Path) -> Result<LiveView, LiveViewError> {
        let start = || -> io::Result<(UnixStream, Child)> {
            let (words, heard) = UnixStream::pair()?;
            words.set_nonblocking(true)?;
            let mut command = Command::new(own_program()?);
            command.arg(SUBCOMMAND).arg(folder);
            // Ctrl-C is for steep, which then says that the run has ended.
            command.process_group(0);
            command.stdin(OwnedFd::from(heard)).stdout(OwnedFd::from(self.listener)).stderr(Stdio::inherit());
            Ok((words, command.spawn()?))
        };
        let (words, child) = start().map_err(LiveViewError::Start)?;
        let telling = Telling { words, rest: Vec::new(), is_over: false };
        Ok(LiveView {
            address: self.address,
            announcer: Announcer(Arc::new(Mutex::new(telling))),
            child,
            _port: self.port,
        })
    }
}

/// The ports that the scenario gives to the service and its dependencies, each with the key that does.
fn ports_of(scenario: &Scenario) -> Vec<(String, u16)> {
    let ready = |who: &str, check: Option<&ReadyCheck>| match check {
        Some(ReadyCheck::Tcp(address)) => Some((format!("{who}.ready"), format!("tcp://{address}"))),
        _ => None,
    };
    let service = &scenario.service;
    let url = service.url.as_ref().map(|url| ("service.url".to_owned(), url.to_string()));
    let of_service = ready("service", service.ready.as_ref().map(|ready| &ready.check));
    let of_others = scenario.dependencies.iter().filter_map(|dependency| {
        ready(&format!("dependency {}", dependency.name), dependency.ready.as_ref().map(|ready| &ready.check))
    });
    // A port that steep picks, `{{port}}`, is not one that can be read.
    let port = |(whose, text): (String, String)| Some((whose, Url::parse(&text).ok()?.port_or_known_default()?));
    url.into_iter().chain(of_service).chain(of_others).filter_map(port).collect()
}

/// The process that shows a run. Dropping it ends it.
#[derive(Debug)]
pub struct LiveView {
    address: SocketAddr,
    announcer: Announcer,
    child: Child,
    /// Kept as long as it is listened on.
    _port: Option<Port>,
}

impl LiveView {
    /// Where it is opened.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Tells it where the run is.
    #[must_use]
    pub fn announcer(&self) -> Announcer {
        self.announcer.clone()
    }

    /// The run is over, and its report is written: `said` is what is left to say of it. Waits for nobody.
    pub fn run_ended(&self, said: &str) {
        self.announcer.tell(&Word::End(said.to_owned()));
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        let mut telling = self.announcer.0.lock().unwrap_or_else(PoisonError::into_inner);
        telling.is_over = true;
        // The end of the words is what it ends by; that of its own side shows that it has.
        let _ = telling.words.shutdown(std::net::Shutdown::Write);
        let _ = telling.words.set_nonblocking(false);
        let _ = telling.words.set_read_timeout(Some(END_TIMEOUT));
        let _ = telling.words.read(&mut [0; 1]);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells a live view where the run is.
#[derive(Debug, Clone)]
pub struct Announcer(Arc<Mutex<Telling>>);

#[derive(Debug)]
struct Telling {
    words: UnixStream,
    /// What is left of the last word, where the socket was full in its middle.
    rest: Vec<u8>,
    is_over: bool,
}

impl Announcer {
    /// Tells a word. Never waits: while the process does not keep up words are dropped, because a later one says more.
    pub fn tell(&self, word: &Word) {
        let mut telling = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if telling.is_over {
            return;
        }
        telling.write();
        if telling.rest.is_empty() {
            telling.rest = word.line().into_bytes();
            telling.write();
        }
    }
}

impl Telling {
    fn write(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        match self.words.write(&self.rest) {
            Ok(written) => drop(self.rest.drain(..written)),
            // With the next word.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The process has ended. The soak goes on without it.
            Err(_) => self.is_over = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steep_core::testing::{decoded, sound};

    #[test]
    fn the_ports_of_a_scenario_are_those_that_it_names() {
        let scenario = decoded(&sound("1m", ""));
        assert_eq!(ports_of(&scenario), [], "{{{{port}}}} is picked");
        let fixed = sound("1m", "").replace("{{port}}", "8123");
        let ports = ports_of(&decoded(&fixed));
        assert!(!ports.is_empty() && ports.iter().all(|(_, port)| *port == 8123), "{ports:?}");
        let address: LiveAddress = "8123".parse().expect("an address");
        let refused = Place::listen(address, &decoded(&fixed)).expect_err("it is the service's");
        assert!(refused.to_string().contains("port 8123 is that of service.url"), "{refused}");
    }

    #[test]
    fn a_taken_port_is_refused_and_a_free_one_is_found() {
        let scenario = decoded(&sound("1m", ""));
        let any = LiveAddress::DEFAULT.parse().expect("an address");
        let place = Place::listen(any, &scenario).expect("a free port");
        assert!(place.address.ip().is_loopback() && place.address.port() > 0);
        let same = place.address.to_string().parse().expect("an address");
        let refused = Place::listen(same, &scenario).expect_err("it is taken");
        assert!(refused.to_string().contains("is taken by another program"), "{refused}");
    }

    #[test]
    fn a_process_that_does_not_listen_makes_nobody_wait_and_words_stay_whole() {
        let (words, heard) = UnixStream::pair().expect("a pair");
        words.set_nonblocking(true).expect("it");
        let announcer = Announcer(Arc::new(Mutex::new(Telling { words, rest: Vec::new(), is_over: false })));
        let word = Word::Said("x".repeat(700));
        for _ in 0..10_000 {
            announcer.tell(&word);
        }
        drop(announcer);
        let mut text = String::new();
        (&heard).read_to_string(&mut text).expect("what was said");
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert!(lines.len() > 10 && lines.len() < 10_000, "{}", lines.len());
        assert!(lines[..lines.len() - 1].iter().all(|line| *line == word.line()));
    }
}
