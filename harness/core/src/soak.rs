//! One soak as a state machine: what happened goes in, what is to be done comes out. The real world and the simulated
//! one drive the same machine, so hours of soak can be tested in milliseconds.
//!
//! Pure: time comes in with the events.

use std::time::Duration;

use crate::trace::{Disturbance, DisturbanceKind, EndReason, PhaseSpan};
use steep_judge::units::SinceStart;

/// A gap of more than this many sampling intervals is a disturbance (METHOD.md, what is fitted).
const GAP_INTERVALS: u32 = 4;
/// A shorter sleep of the host is lost in the noise of two clocks.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// A soak under way.
#[derive(Debug)]
pub struct Soak {
    phases: Vec<PhaseSpan>,
    every: Duration,
    /// Time between two counts of live bytes; none: they come with samples only.
    count_every: Option<Duration>,
    next_count: SinceStart,
    /// The phase that is entered next.
    next_phase: usize,
    next_sample: SinceStart,
    /// Whether the driver has nothing in flight and nothing to come, which it may know before the last phase ends.
    drained: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Requests come due.
    Loading,
    /// No more come due; those in flight are waited for. Then the cell ends for this reason.
    Draining(EndReason),
    Ended,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The moment asked for by [`Soak::due`] came, and the host slept so long since the last event.
    Woke {
        /// How much more the clock since boot went on than the monotonic one.
        slept: Duration,
    },
    /// All requests in flight have ended.
    Drained,
    /// The service ended by itself.
    Exited,
    /// Something else that the soak needs failed: a dependency, the driver.
    Failed,
    /// The user wants to stop.
    Interrupted,
    /// It is sure to be a leak, and need not go on.
    Decided,
    /// A threshold was broken for too long.
    Broken,
    /// The program that makes the load was done by itself.
    LoadEnded,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Record that this phase began.
    EnterPhase(usize),
    /// Record this disturbance.
    Disturb(Disturbance),
    /// Read and record memory.
    Sample,
    /// Read and record live bytes alone.
    Count,
    /// Let no more requests come due.
    StopLoad,
    /// Ask the service to end.
    StopService,
    /// The soak is over.
    End(EndReason),
}

impl Soak {
    /// A soak through `phases`, sampled `every` so often. The load begins at zero; wake it there.
    #[must_use]
    pub fn new(phases: Vec<PhaseSpan>, every: Duration) -> Self {
        Self {
            phases,
            every,
            count_every: None,
            next_count: SinceStart::ZERO,
            next_phase: 0,
            next_sample: SinceStart::ZERO,
            drained: false,
            state: State::Loading,
        }
    }

    /// The same with live bytes counted `every` so often between samples as well; none: with samples only.
    #[must_use]
    pub fn with_counts(self, every: Option<Duration>) -> Self {
        Self { count_every: every, ..self }
    }

    /// When it wants to be woken next; none once the load is over.
    #[must_use]
    pub fn due(&self) -> Option<SinceStart> {
        if self.state != State::Loading {
            return None;
        }
        let boundary = self.phases.get(self.next_phase).map_or(self.load_ends(), |phase| phase.start_s);
        let due = self.next_sample.min(boundary);
        Some(self.count_every.map_or(due, |_| due.min(self.next_count)))
    }

    /// Where the last phase ends.
    #[must_use]
    pub fn load_ends(&self) -> SinceStart {
        self.phases.last().map_or(SinceStart::ZERO, |phase| phase.end_s)
    }

    /// What is to be done about `event`, which happened `at` this moment.
    pub fn handle(&mut self, at: SinceStart, event: Event) -> Vec<Action> {
        match (self.state, event) {
            (State::Loading, Event::Woke { slept }) => self.woke(at, slept),
            (State::Loading, Event::Interrupted) => {
                let mut actions = vec![Action::Sample];
                actions.extend(self.drain(EndReason::Interrupted));
                actions
            }
            (State::Loading, Event::Decided) => self.drain(EndReason::StoppedEarly),
            (State::Loading, Event::Broken) => self.drain(EndReason::ThresholdBroken),
            (State::Loading, Event::LoadEnded) => self.end(EndReason::LoadEnded),
            (State::Loading, Event::Drained) => {
                // Requests may be over before the last phase is: a pause at its end.
                self.drained = true;
                Vec::new()
            }
            (State::Draining(_), Event::Interrupted) => self.end(EndReason::Interrupted),
            // A program that was asked to end may have been about to.
            (State::Draining(reason), Event::Drained | Event::LoadEnded) => self.end(reason),
            (State::Loading | State::Draining(_), Event::Exited) => self.give_up(EndReason::Crashed),
            (State::Loading | State::Draining(_), Event::Failed) => self.give_up(EndReason::Failed),
            (State::Draining(_), Event::Woke { .. } | Event::Decided | Event::Broken) | (State::Ended, _) => Vec::new(),
        }
    }

    /// Lets no more requests come due, and ends at once where nothing is in flight.
    fn drain(&mut self, reason: EndReason) -> Vec<Action> {
        let mut actions = vec![Action::StopLoad];
        if self.drained {
            actions.extend(self.end(reason));
        } else {
            self.state = State::Draining(reason);
        }
        actions
    }

    fn give_up(&mut self, reason: EndReason) -> Vec<Action> {
        self.state = State::Ended;
        vec![Action::StopLoad, Action::End(reason)]
    }

    fn end(&mut self, reason: EndReason) -> Vec<Action> {
        self.state = State::Ended;
        vec![Action::StopService, Action::End(reason)]
    }

    fn woke(&mut self, at: SinceStart, slept: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if slept >= SHORTEST_SLEEP {
            actions.push(disturbance(at, DisturbanceKind::HostSlept, slept));
        }
        while let Some(phase) = self.phases.get(self.next_phase).filter(|phase| phase.start_s <= at) {
            // A phase that was slept through altogether was not entered.
            if phase.end_s > at {
                actions.push(Action::EnterPhase(self.next_phase));
            }
            self.next_phase += 1;
        }
        let is_over = at >= self.load_ends();
        if at >= self.next_sample || is_over {
            let late = at.since(self.next_sample);
            if late > self.every * GAP_INTERVALS {
                actions.push(disturbance(at, DisturbanceKind::SamplingGap, late));
            }
            actions.push(Action::Sample);
            self.next_sample = after(at, self.every);
        } else if self.count_every.is_some() && at >= self.next_count {
            actions.push(Action::Count);
        }
        // A sample counts as well.
        self.next_count = self.count_every.map_or(self.next_count, |every| after(at, every));
        if is_over {
            actions.extend(self.drain(EndReason::Completed));
        }
        actions
    }
}

/// The first moment of the sampling grid after `at`: samples that were missed are not caught up.
fn after(at: SinceStart, every: Duration) -> SinceStart {
    let every = every.as_nanos().max(1);
    let intervals = at.elapsed().as_nanos() / every + 1;
    let nanos = u64::try_from(intervals * every).unwrap_or(u64::MAX);
    SinceStart::new(Duration::from_nanos(nanos))
}

fn disturbance(at: SinceStart, kind: DisturbanceKind, lasted: Duration) -> Action {
    Action::Disturb(Disturbance { t_s: at, kind, seconds: lasted.as_secs_f64() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Phase, Role, Shape};
    use steep_judge::units::Rps;

    const AWAKE: Event = Event::Woke { slept: Duration::ZERO };

    fn soak() -> Soak {
        let rate = Rps::new(1.0);
        let phase =
            |name, seconds| Phase::new(name, Role::Steady, Shape::Constant { rate }, Duration::from_secs(seconds));
        Soak::new(PhaseSpan::chain(&[phase("one", 2), phase("two", 3)]), Duration::from_secs(1))
    }

    fn at(seconds: f64) -> SinceStart {
        SinceStart::from_secs_f64(seconds)
    }

    #[test]
    fn a_soak_samples_on_its_grid_enters_its_phases_and_ends_once_drained() {
        let mut soak = soak();
        let mut done = Vec::new();
        while let Some(due) = soak.due() {
            done.extend(soak.handle(due, AWAKE).into_iter().map(|action| (due.as_secs_f64(), action)));
        }
        let entered: Vec<_> = done.iter().filter(|(_, action)| matches!(action, Action::EnterPhase(_))).collect();
        assert_eq!(entered, [&(0.0, Action::EnterPhase(0)), &(2.0, Action::EnterPhase(1))]);
        let sampled: Vec<f64> =
            done.iter().filter(|(_, action)| *action == Action::Sample).map(|(at, _)| *at).collect();
        assert_eq!(sampled, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(done.last(), Some(&(5.0, Action::StopLoad)));
        let ended = soak.handle(at(5.2), Event::Drained);
        assert_eq!(ended, [Action::StopService, Action::End(EndReason::Completed)]);
    }

    #[test]
    fn between_samples_live_bytes_are_counted_where_that_is_wanted() {
        let mut soak = soak().with_counts(Some(Duration::from_millis(250)));
        let (mut sampled, mut counted) = (Vec::new(), Vec::new());
        while let Some(due) = soak.due() {
            for action in soak.handle(due, AWAKE) {
                match action {
                    Action::Sample => sampled.push(due.as_secs_f64()),
                    Action::Count => counted.push(due.as_secs_f64()),
                    _ => {}
                }
            }
        }
        assert_eq!(sampled, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((counted.len(), &counted[..4]), (15, &[0.25, 0.5, 0.75, 1.25][..]));
    }

    #[test]
    fn a_driver_that_is_done_before_the_last_phase_is_not_waited_for() {
        let mut soak = soak();
        soak.handle(at(0.0), AWAKE);
        assert_eq!(soak.handle(at(4.999), Event::Drained), []);
        let actions = soak.handle(at(5.0), AWAKE);
        assert_eq!(actions.last(), Some(&Action::End(EndReason::Completed)));
        assert!(actions.contains(&Action::StopLoad) && actions.contains(&Action::StopService));
    }

    #[test]
    fn samples_that_were_missed_are_reported_and_not_caught_up() {
        let mut soak = Soak::new(
            PhaseSpan::chain(&[Phase::new("long", Role::Steady, Shape::Pause, Duration::from_mins(1))]),
            Duration::from_secs(1),
        );
        soak.handle(at(0.0), AWAKE);
        let actions = soak.handle(at(6.5), AWAKE);
        assert!(matches!(
            actions.as_slice(),
            [Action::Disturb(Disturbance { kind: DisturbanceKind::SamplingGap, .. }), Action::Sample]
        ));
        assert_eq!(soak.due(), Some(at(7.0)));
    }

    #[test]
    fn a_crash_ends_the_load_and_the_soak() {
        let mut soak = soak();
        soak.handle(at(0.0), AWAKE);
        assert_eq!(soak.handle(at(0.5), Event::Exited), [Action::StopLoad, Action::End(EndReason::Crashed)]);
        assert_eq!(soak.due(), None);
        assert_eq!(soak.handle(at(0.6), Event::Drained), []);
    }

    #[test]
    fn the_first_interrupt_drains_and_the_second_does_not_wait() {
        let mut soak = soak();
        soak.handle(at(0.0), AWAKE);
        assert_eq!(soak.handle(at(1.5), Event::Interrupted), [Action::Sample, Action::StopLoad]);
        let ended = soak.handle(at(1.6), Event::Interrupted);
        assert_eq!(ended, [Action::StopService, Action::End(EndReason::Interrupted)]);
    }

    #[test]
    fn a_soak_that_is_decided_drains_and_ends_early() {
        let mut soak = soak();
        soak.handle(at(0.0), AWAKE);
        assert_eq!(soak.handle(at(1.0), Event::Decided), [Action::StopLoad]);
        let ended = soak.handle(at(1.1), Event::Drained);
        assert_eq!(ended, [Action::StopService, Action::End(EndReason::StoppedEarly)]);
    }

    #[test]
    fn a_broken_threshold_drains_and_a_load_that_ended_does_not_wait() {
        let mut broken = soak();
        broken.handle(at(0.0), AWAKE);
        assert_eq!(broken.handle(at(1.0), Event::Broken), [Action::StopLoad]);
        assert_eq!(broken.handle(at(1.1), Event::Broken), []);
        let ended = broken.handle(at(1.2), Event::Drained);
        assert_eq!(ended, [Action::StopService, Action::End(EndReason::ThresholdBroken)]);
        let mut done = soak();
        done.handle(at(0.0), AWAKE);
        let ended = done.handle(at(1.0), Event::LoadEnded);
        assert_eq!(ended, [Action::StopService, Action::End(EndReason::LoadEnded)]);
    }

    #[test]
    fn a_host_that_slept_is_a_disturbance() {
        let mut soak = soak();
        soak.handle(at(0.0), AWAKE);
        let actions = soak.handle(at(1.0), Event::Woke { slept: Duration::from_mins(10) });
        assert!(matches!(
            actions.first(),
            Some(Action::Disturb(Disturbance { kind: DisturbanceKind::HostSlept, seconds, .. })) if *seconds > 599.0
        ));
    }
}
