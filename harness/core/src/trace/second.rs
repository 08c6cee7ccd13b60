//! What is kept of one second of traffic, where that is all that is asked of it: a day of lines with a count for each
//! name of a request is a quarter of a gigabyte.

use super::cpu::ThreadTime;
use super::{Counts, Traffic};
use steep_judge::units::SinceStart;

/// A line of traffic, all names together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Second {
    /// When.
    pub t_s: SinceStart,
    /// Requests that were missed; cumulative.
    pub missed: u64,
    /// Requests that were dropped because too many were in flight; cumulative.
    pub crowded: u64,
    /// Requests that were completed; cumulative.
    pub completed: u64,
    /// Connections that were opened; cumulative.
    pub connections: u64,
    /// The highest p99 of any name since the line before, in microseconds; none where nothing ended.
    pub slowest_us: Option<u64>,
    /// The p99 of how late was sent what was sent since the line before, in microseconds.
    pub late_us: u64,
    /// CPU time of the driver's thread.
    pub driver: Option<ThreadTime>,
}

impl From<&Traffic> for Second {
    fn from(traffic: &Traffic) -> Self {
        let mut totals = Counts::default();
        traffic.requests.values().for_each(|counts| totals.add(counts));
        Self {
            t_s: traffic.t_s,
            missed: totals.missed,
            crowded: totals.dropped.saturating_sub(totals.dry).saturating_sub(totals.crowded),
            completed: traffic.requests.values().map(Counts::completed).sum(),
            connections: traffic.connections.opened + traffic.connections.storm_opened,
            slowest_us: traffic.latency.values().map(|times| times.p99_us).max(),
            late_us: traffic.lateness.p99_us,
            driver: traffic.driver,
        }
    }
}
