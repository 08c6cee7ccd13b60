//! The heart of "never catch up": decides for each request, once it is due, whether it is sent, missed or dropped, and
//! counts what becomes of it. Pure: it is told the time, by the real driver and by a simulated world alike.

use std::time::Duration;

use crate::trace::{Counts, Disturbance, DisturbanceKind, FlowCounts};
use steep_judge::units::SinceStart;

use super::{Due, Schedule};

/// A driver that is later than this was starved, and what was due meanwhile is missed. A burst that makes up for it
/// would ratchet the service's memory and look like a leak: 2.6 to 8.5 MB and 10 to 157 MB were measured.
const STARVED_AFTER: Duration = Duration::from_millis(100);

/// What is done with a due request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Send it now; [`Dispatch::ended`] is to hear how that ended.
    Send,
    /// It is too late to send it.
    Missed,
    /// Too many are in flight, or there is nothing to send.
    Dropped,
}

/// How a request that was sent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered as expected.
    Ok,
    /// Answered as expected, with a status of 400 or above or a `grpc-status` other than OK.
    Refused,
    /// Answered with another status.
    FailedStatus,
    /// Answered with the expected status, but not with what else is expected.
    FailedExpect,
    /// A call of gRPC that ended with another status than expected, or without one.
    FailedGrpc,
    /// Its values fit no message of its type: it was not sent.
    FailedUnsent,
    /// No connection was available.
    FailedConnect,
    /// No whole answer in time.
    FailedTimeout,
    /// The connection ended or spoke no HTTP before the answer was whole, or the answer was too large.
    FailedBody,
    /// Left by the client, as the scenario wants it.
    Aborted,
}

impl Outcome {
    /// Whether the service answered, well or not.
    #[must_use]
    pub fn is_answered(self) -> bool {
        matches!(self, Self::Ok | Self::Refused | Self::FailedStatus | Self::FailedExpect | Self::FailedGrpc)
    }
}

/// How a request that was sent ended, and what went over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Bytes of its body.
    pub body_bytes_sent: u64,
    /// Bytes of the answer's body.
    pub body_bytes_received: u64,
}

/// Takes requests from a schedule as they come due, and keeps the accounts: `due = sent + missed + dropped`, and
/// `sent = ok + failed + aborted + in flight`, at every moment.
#[derive(Debug, Clone)]
pub struct Dispatch {
    schedule: Schedule,
    is_stopped: bool,
    now: SinceStart,
    starved: bool,
    counts: Vec<Counts>,
    in_flight: usize,
    in_flight_peak: usize,
    max_in_flight: usize,
}

impl Dispatch {
    /// Dispatches `schedule`.
    #[must_use]
    pub fn new(schedule: Schedule, max_in_flight: usize) -> Self {
        let counts = vec![Counts::default(); schedule.texts().len()];
        let now = SinceStart::ZERO;
        Self {
            schedule,
            is_stopped: false,
            now,
            starved: false,
            counts,
            in_flight: 0,
            in_flight_peak: 0,
            max_in_flight,
        }
    }

    /// When the next request is due, as far as is known now; none after the last.
    #[must_use]
    pub fn next_due_at(&self) -> Option<SinceStart> {
        if self.is_stopped { None } else { self.schedule.next_at() }
    }

    /// Whether answers make requests due.
    #[must_use]
    pub fn follows_answers(&self) -> bool {
        self.schedule.follows_answers()
    }

    /// Whether arrivals do not depend on answers.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.schedule.is_open()
    }

    /// The driver is awake at `now`: [`take`](Self::take) gives what is due by then. Tells if it was starved: it then
    /// misses all of that, however much of it is less late than the first. Users of a closed load miss nothing: they
    /// waited, and each has one request to send.
    pub fn wake(&mut self, now: SinceStart) -> Option<Disturbance> {
        self.now = self.now.max(now);
        let late = self.next_due_at().map_or(Duration::ZERO, |due| self.now.since(due));
        let is_late = late > STARVED_AFTER;
        self.starved = is_late && self.is_open();
        let disturbance =
            Disturbance { t_s: self.now, kind: DisturbanceKind::DriverStarved, seconds: late.as_secs_f64() };
        is_late.then_some(disturbance)
    }

    /// The next request that is due by the moment of waking, and what is to be done with it.
    pub fn take(&mut self) -> Option<(Due, Fate)> {
        if self.is_stopped {
            return None;
        }
        let mut due = self.schedule.due_by(self.now)?;
        let counts = &mut self.counts[due.request];
        counts.due += 1;
        let fate = if due.is_dry {
            // First, so that it is the same in every cell.
            counts.dropped += 1;
            counts.dry += 1;
            Fate::Dropped
        } else if self.starved {
            counts.missed += 1;
            Fate::Missed
        } else if due.is_crowded || self.in_flight >= self.max_in_flight {
            counts.dropped += 1;
            counts.crowded += u64::from(due.is_crowded);
            Fate::Dropped
        } else {
            counts.sent += 1;
            self.in_flight += 1;
            self.in_flight_peak = self.in_flight_peak.max(self.in_flight);
            Fate::Send
        };
        if due.session.is_some() {
            self.schedule.settle(&mut due, fate == Fate::Send);
        }
        Some((due, fate))
    }

    /// No request comes due any more; those that did are kept in the accounts.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.schedule.stop();
    }

    /// A request that was sent has ended at `now`. In a closed load, and in a session, another may be due at once.
    pub fn ended(&mut self, now: SinceStart, due: Due, ended: Ended) {
        self.in_flight -= 1;
        self.now = self.now.max(now);
        let counts = &mut self.counts[due.request];
        counts.body_bytes_sent += ended.body_bytes_sent;
        counts.body_bytes_received += ended.body_bytes_received;
        counts.ok_refused += u64::from(ended.outcome == Outcome::Refused);
        *match ended.outcome {
            Outcome::Ok | Outcome::Refused => &mut counts.ok,
            Outcome::FailedStatus => &mut counts.failed_status,
            Outcome::FailedExpect => &mut counts.failed_expect,
            Outcome::FailedGrpc => &mut counts.failed_grpc,
            Outcome::FailedUnsent => &mut counts.failed_unsent,
            Outcome::FailedConnect => &mut counts.failed_connect,
            Outcome::FailedTimeout => &mut counts.failed_timeout,
            Outcome::FailedBody => &mut counts.failed_body,
            Outcome::Aborted => &mut counts.aborted,
        } += 1;
        let is_well = matches!(ended.outcome, Outcome::Ok | Outcome::Refused | Outcome::Aborted);
        self.schedule.ended(self.now, due, is_well);
    }

    /// What became of the sessions of each flow, by its name.
    pub fn flows(&self) -> impl Iterator<Item = (&str, FlowCounts)> {
        self.schedule.flows()
    }

    /// What became of the requests, by kind.
    #[must_use]
    pub fn counts(&self) -> &[Counts] {
        &self.counts
    }

    /// Sent and not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The most there were since this was last asked.
    pub fn take_in_flight_peak(&mut self) -> usize {
        std::mem::replace(&mut self.in_flight_peak, self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::curve::tests::any_phases;
    use super::super::tests::{due as due_of, users};
    use super::*;
    use crate::scenario::{Arrival, Pick};
    use crate::traffic::testing::{constant, pause, ramp, shop};

    const ANSWERED: Ended = Ended { outcome: Outcome::Ok, body_bytes_sent: 0, body_bytes_received: 13 };

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// What is due at `now`, as (sent, missed, dropped).
    fn burst(dispatch: &mut Dispatch, now: Duration) -> (u64, u64, u64) {
        dispatch.wake(SinceStart::new(now));
        let mut fates = (0, 0, 0);
        while let Some((_, fate)) = dispatch.take() {
            match fate {
                Fate::Send => fates.0 += 1,
                Fate::Missed => fates.1 += 1,
                Fate::Dropped => fates.2 += 1,
            }
        }
        fates
    }

    /// Ends all that is in flight.
    fn answer_all(dispatch: &mut Dispatch, now: SinceStart) {
        for request in 0..dispatch.counts().len() {
            let counts = dispatch.counts()[request];
            for _ in 0..counts.sent - counts.ok {
                dispatch.ended(now, due_of(request), ANSWERED);
            }
        }
    }

    fn total(dispatch: &Dispatch) -> Counts {
        let mut total = Counts::default();
        dispatch.counts().iter().for_each(|counts| total.add(counts));
        total
    }

    #[test]
    fn a_driver_stopped_for_a_second_misses_what_was_due_and_sends_no_burst() {
        let schedule = shop(vec![constant(2000.0, 20.0)], Arrival::Constant).schedule();
        let mut dispatch = Dispatch::new(schedule, 512);
        let mut starved = Vec::new();
        for tick in (1..=20_000).filter(|tick| !(5_000..6_000).contains(tick)) {
            starved.extend(dispatch.wake(SinceStart::new(ms(tick))));
            let mut sent = 0;
            while let Some((_, fate)) = dispatch.take() {
                sent += u32::from(fate == Fate::Send);
            }
            assert!(sent <= 2, "{sent} sent at once");
            answer_all(&mut dispatch, SinceStart::new(ms(tick)));
        }
        let total = total(&dispatch);
        assert_eq!((total.due, total.missed, total.dropped), (40_000, 2_002, 0));
        assert_eq!(starved.len(), 1);
        assert!((starved[0].seconds - 1.0).abs() < 0.002, "{starved:?}");
    }

    #[test]
    fn a_driver_late_by_no_more_than_the_bound_sends_all() {
        let schedule = shop(vec![constant(1000.0, 1.0)], Arrival::Constant).schedule();
        let mut dispatch = Dispatch::new(schedule, 512);
        assert_eq!(burst(&mut dispatch, STARVED_AFTER), (100, 0, 0));
        // The first is due at 100.5 ms.
        assert_eq!(burst(&mut dispatch, ms(201)), (0, 101, 0));
    }

    #[test]
    fn beyond_the_cap_due_requests_are_dropped_until_one_ends() {
        let schedule = shop(vec![constant(1000.0, 1.0)], Arrival::Constant).schedule();
        let mut dispatch = Dispatch::new(schedule, 10);
        assert_eq!(burst(&mut dispatch, ms(50)), (10, 0, 40));
        assert_eq!((dispatch.in_flight(), dispatch.take_in_flight_peak()), (10, 10));
        answer_all(&mut dispatch, SinceStart::new(ms(50)));
        assert_eq!(burst(&mut dispatch, ms(51)), (1, 0, 0));
        assert_eq!(dispatch.take_in_flight_peak(), 10, "the peak since the last question, which was at ten in flight");
        dispatch.stop();
        assert_eq!((dispatch.next_due_at(), burst(&mut dispatch, ms(80))), (None, (0, 0, 0)));
    }

    #[test]
    fn what_has_nothing_to_send_is_dropped_and_told_apart() {
        let schedule = users(Pick::Queue, "name,token\nann,1\n").schedule();
        let dry = schedule.clone().filter(|due| due.is_dry).count() as u64;
        let mut dispatch = Dispatch::new(schedule, 512);
        burst(&mut dispatch, ms(100));
        let (_, missed, dropped) = burst(&mut dispatch, ms(10_000));
        assert!(missed > 0 && dropped > 0, "what is dry is dropped, also where a starved driver misses the rest");
        let total = total(&dispatch);
        assert_eq!((total.dropped, total.dry, total.balance()), (dry, dry, true));
    }

    #[test]
    fn six_hours_of_soak_are_dispatched_while_a_test_waits() {
        let phases = vec![ramp(0.0, 50.0, 3600.0), constant(50.0, 14_400.0), pause(1800.0), constant(50.0, 1800.0)];
        let mut dispatch = Dispatch::new(shop(phases, Arrival::Poisson).schedule(), 512);
        while let Some(due) = dispatch.next_due_at() {
            dispatch.wake(due);
            while let Some((due, fate)) = dispatch.take() {
                assert_eq!(fate, Fate::Send);
                dispatch.ended(due.at, due, ANSWERED);
            }
        }
        let total = total(&dispatch);
        // 900,000 expected, standard deviation 949.
        assert!((895_000..905_000).contains(&total.due) && total.due == total.ok, "{total:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn accounts_are_closed_and_traffic_is_the_same_whatever_stalls(
            phases in any_phases(),
            stalls_ms in prop::collection::vec(prop_oneof![9 => 1_u64..5, 1 => 50_u64..2_000], 1..200),
            answered in prop::collection::vec(any::<bool>(), 1..50),
            max_in_flight in 1_usize..50,
        ) {
            let schedule = shop(phases, Arrival::Poisson).schedule();
            let undisturbed: Vec<Due> = schedule.clone().collect();
            let end = schedule.load_end().elapsed();
            let mut dispatch = Dispatch::new(schedule, max_in_flight);
            let mut came = Vec::new();
            let mut now = Duration::ZERO;
            for (wait, answer) in stalls_ms.iter().cycle().zip(answered.iter().cycle()) {
                let first = dispatch.next_due_at();
                let starved = dispatch.wake(SinceStart::new(now));
                let late = first.map_or(Duration::ZERO, |due| SinceStart::new(now).since(due));
                prop_assert_eq!(starved.is_some(), late > STARVED_AFTER);
                while let Some((due, fate)) = dispatch.take() {
                    prop_assert_eq!(fate == Fate::Missed, starved.is_some());
                    came.push(due);
                }
                prop_assert!(dispatch.in_flight() <= max_in_flight);
                if *answer {
                    answer_all(&mut dispatch, SinceStart::new(now));
                }
                for counts in dispatch.counts() {
                    prop_assert_eq!(counts.due, counts.sent + counts.missed + counts.dropped);
                }
                let total = total(&dispatch);
                prop_assert_eq!(total.sent, total.ok + total.failed() + dispatch.in_flight() as u64);
                if now > end {
                    break;
                }
                now += ms(*wait);
            }
            prop_assert_eq!(came, undisturbed);
        }
    }
}
