//! Where the load of a cell comes from: steep's own driver, another program, or nowhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::shell::driver::{Driver, DriverEvent};
use crate::shell::external::{self, External, LoadEnd, Requests};
use crate::shell::loopback::Client;

/// Where the load of a cell comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// steep's driver.
    Own(Driver),
    /// Another program, and who counts its requests.
    External(Box<External>, Box<Requests>),
    /// Nothing is asked; told to stop by this.
    Nothing(watch::Sender<bool>),
}

/// What a source tells.
pub(super) enum SourceEvent {
    /// Steep's driver tells this; none: its thread is gone.
    Driver(Option<DriverEvent>),
    /// The other program has ended.
    Ended(LoadEnd),
}

impl Source {
    /// No load at all.
    pub(super) fn nothing() -> Self {
        Self::Nothing(watch::Sender::new(false))
    }

    /// The load begins; another program has begun already.
    pub(super) fn begin(&self, origin: Instant) {
        match self {
            Self::Own(driver) => driver.begin(origin),
            Self::External(..) | Self::Nothing(_) => {}
        }
    }

    /// No more load.
    pub(super) fn stop(&mut self) {
        match self {
            Self::Own(driver) => driver.stop(),
            Self::External(program, _) => program.stop(),
            Self::Nothing(stopped) => drop(stopped.send_replace(true)),
        }
    }

    /// What comes next. May be dropped and called again, and nothing is lost.
    pub(super) async fn next(&mut self) -> SourceEvent {
        match self {
            Self::Own(driver) => SourceEvent::Driver(driver.next_event().await),
            Self::External(program, _) => SourceEvent::Ended(program.ended().await),
            Self::Nothing(stopped) => {
                // The sender lives as long as this.
                let _ = stopped.subscribe().wait_for(|stopped| *stopped).await;
                SourceEvent::Ended(LoadEnd::Asked)
            }
        }
    }

    /// Completed requests by name.
    pub(super) async fn completed(&mut self, client: &Client, within: Duration) -> BTreeMap<String, u64> {
        match self {
            Self::Own(driver) => driver.completed().by_name(),
            Self::Nothing(_) => BTreeMap::new(),
            Self::External(program, requests) => match &mut **requests {
                Requests::Uncounted => BTreeMap::new(),
                Requests::Service(counted) => {
                    let count = counted.read(client, within).await;
                    BTreeMap::from([(counted.name().to_owned(), count)])
                }
                // Nothing yet is an empty map, so that a program that never tells is distinguished from one that counts
                // nothing.
                Requests::Program(described) => {
                    described.read(program).map(|count| ("requests".to_owned(), count)).into_iter().collect()
                }
            },
        }
    }

    /// What the program that makes the load tells of its requests, where it does.
    pub(super) fn reported(&self) -> Option<&external::ReportedRequests> {
        match self {
            Self::External(_, requests) => match &**requests {
                Requests::Program(described) => Some(described),
                Requests::Uncounted | Requests::Service(_) => None,
            },
            Self::Own(_) | Self::Nothing(_) => None,
        }
    }
}
