//! A simulated world: a clock that jumps from event to event, and a service with planted leaks. It drives the same
//! soak, schedule and dispatch as the real world does, so that hours pass in milliseconds, and all may go wrong in it:
//! see [`Faults`].
//!
//! Pure.

mod faults;
mod header;
mod recording;
mod service;
mod world;

pub use self::faults::{Answers, Faults, Spell};
use self::header::header;
use self::recording::Recording;
pub use self::service::SimService;
use self::world::World;
use crate::scenario::{Scenario, Supplies};
use crate::trace::{PhaseSpan, Trace};
use crate::traffic::{Schedule, ScheduleError, Workload};

/// What a soak leaves in a world of faults.
#[derive(Debug, Clone)]
pub struct Soaked {
    /// As it was recorded, up to the line that the disk did not take.
    pub trace: Trace,
    /// The lines on the disk; empty where [`Faults::disk`] is none.
    pub text: String,
    /// Whether a line did not find room on it, with which the soak ended.
    pub is_disk_full: bool,
    /// Events that were gone through.
    pub steps: u64,
}

/// Soaks `service` with the traffic of `scenario`, stalled as `stalls` says, and gives the trace.
///
/// # Errors
/// The scenario gives no schedule, or names files: there are none in this world.
pub fn soak(scenario: &Scenario, service: &SimService, stalls: &[Spell]) -> Result<Trace, ScheduleError> {
    let faults = Faults { stalls: stalls.to_vec(), ..Faults::default() };
    Ok(soak_through(scenario, service, &faults)?.trace)
}

/// Soaks `service` with the traffic of `scenario` in a world in which `faults` happen. Where the disk is full, the soak
/// ends there and then, as steep does.
///
/// # Errors
/// See [`soak`].
pub fn soak_through(scenario: &Scenario, service: &SimService, faults: &Faults) -> Result<Soaked, ScheduleError> {
    let supplies = Supplies::default();
    let schedule = Schedule::new(Workload::of(scenario, &supplies), |_| None)?;
    let header = header(scenario, PhaseSpan::chain(&scenario.phases));
    let trace = Trace::begin(header).unwrap_or_else(|_| unreachable!("the format is ours"));
    let mut world = World::new(scenario, service, faults, schedule, Recording::begin(trace, faults.disk));
    let is_disk_full = world.run().is_err();
    let (recording, steps) = world.into_parts();
    let (trace, text) = recording.into_parts();
    Ok(Soaked { trace, text, is_disk_full, steps })
}

#[cfg(test)]
mod chaos;
#[cfg(test)]
mod tests;
