//! A load that another program makes: started under a supervisor as the service is, ended with the phases, and the
//! requests read from a counter of the service, or as the program itself tells them.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::shell::files;
use crate::shell::loopback::Client;
use crate::shell::probe::{self, ProbeError};
use crate::shell::process::{Launch, Process};
use crate::shell::service::failure::{LastWords, ServiceError, Who};
use steep_core::running_count::RunningCount;
use steep_core::scenario::{Counter, Reported, Stop, StopSignal};
use steep_core::trace::Exit;

/// How the program is ended when the phases are over: k6 and Gatling write their summaries first.
const STOP: Stop = Stop { signal: StopSignal::Term, grace: Duration::from_secs(10) };

/// What is read of the end of a file of counts, with each sample.
const FILE_END_BYTES: u64 = 4 << 10;

/// A program that makes the load, under way.
#[derive(Debug)]
pub struct External {
    process: Process,
    launch: Launch,
    is_stopping: bool,
}

/// How such a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadEnd {
    /// It was asked to.
    Asked,
    /// By itself, and said that all was well.
    Done,
    /// By itself, with what it said.
    Failed(String),
}

impl External {
    /// Starts the program. `steep` is the supervisor.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub async fn start(launch: Launch, steep: &Path) -> Result<Self, ServiceError> {
        let started = Process::start(&launch, steep).await;
        let process = started.map_err(|source| ServiceError::Start { who: Who::Load, source })?;
        Ok(Self { process, launch, is_stopping: false })
    }

    /// The load is over: [`External::ended`] then ends the program.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Waits until it has ended. May be dropped and called again.
    pub async fn ended(&mut self) -> LoadEnd {
        if self.is_stopping {
            self.process.stop(&STOP).await;
            return LoadEnd::Asked;
        }
        match self.process.wait_until_gone().await {
            Exit { code: Some(0), .. } => LoadEnd::Done,
            exit => {
                let last = LastWords { lines: self.process.last_lines(), log: self.launch.log.clone() };
                LoadEnd::Failed(ServiceError::Failed { who: Who::Load, exit, last }.to_string())
            }
        }
    }
}

/// Who counts the requests.
#[derive(Debug)]
pub enum Requests {
    /// Nobody.
    Uncounted,
    /// The service.
    Service(Counted),
    /// The program that makes them.
    Program(ReportedRequests),
}

/// What the program that makes the load tells of its requests.
#[derive(Debug)]
pub struct ReportedRequests {
    place: Reported,
    /// The file, where it is one.
    file: Option<PathBuf>,
    count: RunningCount,
    /// Why the file could not be read last time.
    problem: Option<String>,
}

impl ReportedRequests {
    /// What `program`, which has just been started, reports at `place`; files are below `cell_folder`.
    #[must_use]
    pub fn begin(place: &Reported, program: &External, cell_folder: &Path) -> Self {
        let file = match place {
            Reported::Stdout => None,
            Reported::File(name) => Some(cell_folder.join(name)),
        };
        if file.is_none() {
            program.process.watch_count();
        }
        Self { place: place.clone(), file, count: RunningCount::default(), problem: None }
    }

    /// What is reported by now; none: nothing yet.
    pub fn read(&mut self, program: &External) -> Option<u64> {
        match &self.file {
            None => self.count = program.process.count().unwrap_or_default(),
            Some(file) => match end_of(file) {
                Ok((end, is_whole)) => {
                    self.problem = None;
                    self.count.follow(RunningCount::of_end(&end, is_whole));
                }
                Err(error) => self.problem = Some(format!("{}: {error}", file.display())),
            },
        }
        self.count.last()
    }

    /// The first count that was less than the one before: that one, and it.
    #[must_use]
    pub fn fell(&self) -> Option<(u64, u64)> {
        self.count.fell()
    }

    /// What could not be read of it, if anything.
    #[must_use]
    pub fn flaw(&self) -> Option<String> {
        let unread = self.count.unread().map(|(lines, first)| {
            let lines = if lines == 1 { "a line".to_owned() } else { format!("{lines} lines") };
            format!(
                "{lines} in {} look like a count of requests and are not a whole number, the first: {first}",
                self.place
            )
        });
        let unreadable =
            self.problem.as_ref().map(|problem| format!("the count of requests could not be read: {problem}"));
        unread.or(unreadable)
    }
}

/// The last [`FILE_END_BYTES`] of a file, and whether they are all of it.
fn end_of(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut file = files::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(FILE_END_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut end = Vec::new();
    file.take(FILE_END_BYTES).read_to_end(&mut end)?;
    Ok((end, begin == 0))
}

/// The service's own count of requests.
#[derive(Debug)]
pub struct Counted {
    counter: Counter,
    /// The last that was read: an answer that is missing must not look like requests that are undone.
    last: u64,
}

impl Counted {
    /// Reads `counter` for the first time.
    ///
    /// # Errors
    /// The service does not answer, or has no such counter.
    pub async fn begin(counter: &Counter, client: &Client) -> Result<Self, ProbeError> {
        let last = probe::counter(client, counter).await?;
        Ok(Self { counter: counter.clone(), last })
    }

    /// Reads it, `within` this time.
    pub async fn read(&mut self, client: &Client, within: Duration) -> u64 {
        if let Ok(Ok(count)) = tokio::time::timeout(within, probe::counter(client, &self.counter)).await {
            self.last = count;
        }
        self.last
    }

    /// What is counted.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.counter.metric
    }
}
