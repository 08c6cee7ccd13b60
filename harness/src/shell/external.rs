//! A load that another program makes: started under a supervisor as the service is, ended with the phases, and the requests read
//! from a counter of the service.

use std::time::Duration;

use crate::scenario::{Counter, Stop, StopSignal};
use crate::shell::loopback::Client;
use crate::shell::probe::{self, ProbeError};
use crate::shell::process::{Launch, Process};
use crate::shell::service::failure::{LastWords, ServiceError, Who};
use crate::trace::Exit;

/// How the program is ended when the phases are over: k6 and Gatling write their summaries first.
const STOP: Stop = Stop { signal: StopSignal::Term, grace: Duration::from_secs(10) };

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
    pub async fn start(launch: Launch, steep: &std::path::Path) -> Result<Self, ServiceError> {
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
