//! Sends a schedule to a service, over a fixed set of HTTP connections, on a thread of its own.
//!
//! The pacer wakes when requests come due, on the millisecond grid of the runtime's timers (27 to 59 % less CPU than
//! exact timers, which are there for who wants them), the switchboard gives them to free connections, and each
//! connection carries one request at a time, or with HTTP/2 several. In a closed load an answer makes the next one due,
//! and wakes the pacer where it sleeps too long. All of it is one thread and one runtime, so that nothing on the way of
//! a request needs a lock. Whatever the service does, the driver ends: every wait has a bound. It decides neither what
//! is sent nor what is too late; `traffic` does.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::shell::access::Access;
use crate::shell::loopback::Endpoint;
use steep_core::scenario::{Http, Load, Phase, Request};
use steep_core::trace::{Disturbance, Percentiles, Traffic};
use steep_core::traffic::Schedule;
use steep_core::traffic::latency::{Interval, LatencyLimit};
use steep_judge::units::Seed;

mod alarm;
mod answer;
mod aside;
mod connection;
mod line;
mod message;
mod meter;
mod multiplexed;
mod pacer;
mod received;
mod slow;
mod storm;
mod stream;
mod switchboard;
mod target;
#[cfg(test)]
mod tests;

/// Events that may wait for the receiver, two a second; the histograms of an interval have 28 KiB for each kind of
/// request in it. Beyond, records cover more than a second: counts are cumulative, times are kept for the next, and
/// nothing is lost.
const EVENTS: usize = 16;

/// What the driver is to drive.
#[derive(Debug, Clone)]
pub struct DriverSpec {
    /// Base address of all requests, such as `http://127.0.0.1:8080`.
    pub endpoint: Endpoint,
    /// Connections and their limits.
    pub http: Http,
    /// Most requests in flight, and where the driver runs.
    pub load: Load,
    /// The phases: connections are closed in some of them, and storms raised in others.
    pub phases: Vec<Phase>,
    /// Kinds of request, in the order that the schedule counts them by.
    pub requests: Vec<Request>,
    /// Times of which it is counted how many requests took longer.
    pub limits: Vec<LatencyLimit>,
    /// What it needs to be let in.
    pub access: Access,
    /// Chooses the requests that are left before their answers.
    pub seed: Seed,
}

/// A driver with open connections, which sends nothing before it is told to begin. Dropping it ends its load at once.
#[derive(Debug)]
pub struct Driver {
    control: mpsc::UnboundedSender<Control>,
    events: mpsc::Receiver<DriverEvent>,
    completed: Arc<Completed>,
    thread: JoinHandle<()>,
}

/// What the driver is reported.
#[derive(Debug, Clone, Copy)]
enum Control {
    /// Send the schedule, which starts at this moment.
    Begin(Instant),
    /// Send no more.
    Stop,
}

/// What the driver tells.
#[derive(Debug, Clone, PartialEq)]
pub enum DriverEvent {
    /// What it did until now: each second.
    Traffic(Box<Traffic>),
    /// The times of what ended since the record before, right after it.
    Interval(Box<Interval>),
    /// It got no CPU, and requests were missed.
    Starved(Disturbance),
    /// The load is over and nothing is in flight. The last event.
    Finished(Box<DriverEnd>),
}

/// What the load came to.
#[derive(Debug, Clone, PartialEq)]
pub struct DriverEnd {
    /// The last counts, in which every due request is accounted for.
    pub traffic: Traffic,
    /// The times of what ended since the last record before.
    pub interval: Interval,
    /// Latency from the due time, by request name, over all due requests: see [`steep_core::traffic::latency`].
    pub latency: BTreeMap<String, Percentiles>,
    /// From sending to the end of the answer, by request name, of the completed ones.
    pub service_time: BTreeMap<String, Percentiles>,
    /// How late the driver turned to the requests that it sent. Waiting for a connection is not in it: that is the
    /// service's doing, and in the latency.
    pub lateness: Percentiles,
    /// The first answer that was not as expected though its status was, in words.
    pub first_unmet: Option<String>,
}

/// Requests that the service answered, by name: what memory is read beside. Written by the driver's thread alone.
#[derive(Debug)]
pub struct Completed(Vec<(String, AtomicU64)>);

/// A driver that cannot start.
#[derive(Debug, Error)]
pub enum DriverError {
    /// The address of the service is none.
    #[error("`{url}` is not an address of a service: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A request that HTTP cannot carry.
    #[error("request `{request}`: {reason}")]
    BadRequest {
        /// Its name.
        request: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not all connections could be opened.
    #[error("open connection {} of {wanted} to {address}", opened + 1)]
    Connect {
        /// The service.
        address: SocketAddr,
        /// How many were opened before.
        opened: usize,
        /// How many were asked for.
        wanted: usize,
        /// Why.
        source: io::Error,
    },
    /// The service is not the one that is trusted, or does not trust.
    #[error("TLS with {address}: {reason}")]
    Tls {
        /// The service.
        address: SocketAddr,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// The driver cannot run on the CPUs asked for.
    #[error("pin the driver to CPUs {cpus:?}")]
    Pin {
        /// Those CPUs.
        cpus: Vec<usize>,
        /// Why.
        source: io::Error,
    },
    /// Its thread or runtime is not available.
    #[error("start the driver's thread")]
    Start(#[source] io::Error),
    /// A bug: its thread ended by itself.
    #[error("the driver's thread ended unexpectedly")]
    Died,
}

impl Driver {
    /// Starts the driver's thread and opens all connections.
    ///
    /// # Errors
    /// A request that cannot be sent, CPUs that are not available, or a connection that cannot be opened in time.
    pub async fn connect(spec: DriverSpec, schedule: Schedule) -> Result<Self, DriverError> {
        let (control, commands) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::channel(EVENTS);
        let (opened, is_open) = oneshot::channel();
        let completed = Arc::new(Completed::new(spec.requests.iter().map(|request| request.name.clone())));
        let counters = Arc::clone(&completed);
        let thread = std::thread::Builder::new()
            .name("driver".to_owned())
            .spawn(move || pacer::run_thread(&spec, schedule, counters, commands, sender, opened))
            .map_err(DriverError::Start)?;
        is_open.await.unwrap_or(Err(DriverError::Died))?;
        Ok(Self { control, events, completed, thread })
    }

    /// Sends the schedule, whose times count from `origin`.
    pub fn begin(&self, origin: Instant) {
        // A thread that is gone has nothing to begin; `next_event` tells.
        let _ = self.control.send(Control::Begin(origin));
    }

    /// Sends no more. What is in flight may end until the request timeout, and then the driver finishes.
    pub fn stop(&self) {
        let _ = self.control.send(Control::Stop);
    }

    /// Completed requests by name, at any moment.
    #[must_use]
    pub fn completed(&self) -> Arc<Completed> {
        Arc::clone(&self.completed)
    }

    /// The next event; none after the last. May be dropped and called again, and nothing is lost.
    pub async fn next_event(&mut self) -> Option<DriverEvent> {
        self.events.recv().await
    }

    /// Waits for the driver's thread, after [`DriverEvent::Finished`].
    ///
    /// # Errors
    /// The thread panicked.
    pub fn join(self) -> Result<(), DriverError> {
        let Self { control, events, thread, .. } = self;
        drop((control, events));
        thread.join().map_err(|_| DriverError::Died)
    }
}

impl Completed {
    fn new(names: impl Iterator<Item = String>) -> Self {
        Self(names.map(|name| (name, AtomicU64::new(0))).collect())
    }

    /// One more of this kind. There is one writer, so that no exchange is needed.
    fn add_one(&self, request: usize) {
        let count = &self.0[request].1;
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Each name with its count, since the start of the load.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), count.load(Ordering::Relaxed)))
    }

    /// The same, as a sample has it.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        self.iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }
}
