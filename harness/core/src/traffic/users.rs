//! The users of a closed load: each sends, waits for the answer, thinks, and sends again. Pure.
//!
//! They are alike, so that none needs a name: who has thought long enough sends the next request, whichever that is.
//! The n-th to think thinks as long in every cell.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::scenario::{Phase, Shape, ThinkTime};
use steep_judge::units::SinceStart;

use super::stream::{Stream, unit_exponential_of};

/// Users over the time of a cell.
#[derive(Debug, Clone)]
pub struct Users {
    /// How many there are to be, from when on; those to come.
    to_come: Vec<(SinceStart, u32)>,
    wanted: u32,
    /// Those that there are: they think, or wait for an answer. For a while there may be more than wanted.
    present: u32,
    /// When each one that thinks will send.
    thinking: BinaryHeap<Reverse<SinceStart>>,
    think_time: ThinkTime,
    stream: Box<Stream>,
}

impl Users {
    /// `vus` users in the phases that name no other number, and none in pauses and after the end.
    #[must_use]
    pub fn new(phases: &[Phase], vus: u32, think_time: ThinkTime, stream: Stream) -> Self {
        let mut start = SinceStart::ZERO;
        let mut to_come = Vec::with_capacity(phases.len() + 1);
        for phase in phases {
            let users = match phase.shape {
                Shape::Users { users } => users.unwrap_or(vus),
                _ => 0,
            };
            to_come.push((start, users));
            start = start + phase.duration;
        }
        to_come.push((start, 0));
        to_come.reverse();
        let stream = Box::new(stream);
        Self { to_come, wanted: 0, present: 0, thinking: BinaryHeap::new(), think_time, stream }
    }

    /// When the next one sends, or more of them come.
    #[must_use]
    pub fn next_at(&self) -> Option<SinceStart> {
        let comes = self.to_come.last().filter(|(_, users)| *users > 0).map(|(from, _)| *from);
        let sends = self.thinking.peek().map(|Reverse(at)| *at);
        comes.into_iter().chain(sends).min()
    }

    /// The moment at which a user was ready to send, if that was by `now`.
    pub fn take(&mut self, now: SinceStart) -> Option<SinceStart> {
        self.come_and_go(now);
        while self.thinking.peek().is_some_and(|Reverse(at)| *at <= now) {
            let Reverse(at) = self.thinking.pop()?;
            if self.present <= self.wanted {
                return Some(at);
            }
            self.present -= 1;
        }
        None
    }

    /// One was answered, or not: it thinks, or goes where there are too many.
    pub fn ended(&mut self, now: SinceStart) {
        self.come_and_go(now);
        let thinks = thought(self.think_time, || self.stream.share());
        if self.present > self.wanted {
            self.present -= 1;
        } else {
            self.thinking.push(Reverse(now + thinks));
        }
    }

    fn come_and_go(&mut self, now: SinceStart) {
        while let Some((from, users)) = self.to_come.pop_if(|(from, _)| *from <= now) {
            self.wanted = users;
            let coming = users.saturating_sub(self.present);
            self.present += coming;
            self.thinking.extend((0..coming).map(|_| Reverse(from)));
        }
    }
}

/// How long is thought; `share` gives a random number of `[0, 1)`.
pub fn thought(think_time: ThinkTime, share: impl FnOnce() -> f64) -> Duration {
    match think_time {
        ThinkTime::Constant { time } => time,
        ThinkTime::Uniform { min, max } => min + max.saturating_sub(min).mul_f64(share()),
        ThinkTime::Exponential { mean } => mean.mul_f64(unit_exponential_of(share())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Due;
    use super::super::dispatch::{Dispatch, Ended, Fate, Outcome};
    use super::*;
    use crate::scenario::{Arrival, Model};
    use crate::trace::Counts;
    use crate::traffic::testing::{pause, phase, shop};
    use steep_judge::units::Seed;

    const ANSWERED: Ended = Ended { outcome: Outcome::Ok, body_bytes_sent: 0, body_bytes_received: 13 };

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn users(phases: &[Phase], vus: u32, think_time: ThinkTime) -> Users {
        Users::new(phases, vus, think_time, Stream::new(Seed(1), "think time"))
    }

    fn of(users: Option<u32>, seconds: f64) -> Phase {
        phase(Shape::Users { users }, seconds)
    }

    /// Drives `users` with a service that takes `service` for each answer; gives when each request was sent.
    fn sent(users: &mut Users, service: Duration) -> Vec<SinceStart> {
        let mut in_flight = std::collections::VecDeque::new();
        let mut sent = Vec::new();
        loop {
            let answer = in_flight.front().copied();
            let now = match (users.next_at(), answer) {
                (Some(next), Some(answer)) => next.min(answer),
                (Some(moment), None) | (None, Some(moment)) => moment,
                (None, None) => return sent,
            };
            if in_flight.pop_front_if(|answer| *answer <= now).is_some() {
                users.ended(now);
            }
            while let Some(at) = users.take(now) {
                assert!(at <= now);
                sent.push(now);
                in_flight.push_back(now + service);
            }
        }
    }

    #[test]
    fn each_sends_again_when_it_was_answered_and_has_thought() {
        let think_time = ThinkTime::Constant { time: Duration::from_millis(60) };
        let mut users = users(&[of(None, 10.0)], 3, think_time);
        let sent = sent(&mut users, Duration::from_millis(40));
        // Ten a second each, for ten seconds.
        assert_eq!(sent.len(), 300);
        assert!(sent.iter().all(|at| *at < SinceStart::from_secs_f64(10.0)));
    }

    #[test]
    fn they_come_and_go_with_the_phases() {
        let phases = [of(Some(2), 1.0), pause(1.0), of(Some(4), 1.0), of(Some(1), 1.0)];
        let mut users = users(&phases, 4, ThinkTime::default());
        let sent = sent(&mut users, Duration::from_millis(100));
        let in_second = |second: u32| sent.iter().filter(|at| at.as_secs_f64().floor() as u32 == second).count();
        assert_eq!([in_second(0), in_second(1), in_second(2), in_second(3), in_second(4)], [20, 0, 40, 10, 0]);
    }

    #[test]
    fn thinking_has_the_mean_that_was_asked_for() {
        let mean = Duration::from_millis(100);
        for think_time in [ThinkTime::Exponential { mean }, ThinkTime::Uniform { min: Duration::ZERO, max: 2 * mean }] {
            let mut users = users(&[of(None, 1000.0)], 1, think_time);
            let sent = sent(&mut users, Duration::ZERO);
            // 10,000 expected; the standard deviation of an exponential renewal is 100.
            assert!((9_600..10_400).contains(&sent.len()), "{think_time:?}: {}", sent.len());
        }
    }

    /// Drives users for a while, answered after these times in turn by a driver that wakes after those; gives what came
    /// due.
    fn drive_users(vus: u32, answers_ms: &[u64], wakes_ms: &[u64]) -> Vec<Due> {
        let mut load = shop(vec![of(None, 5.0)], Arrival::Poisson);
        load.load.model = Model::Closed { vus, think_time: ThinkTime::Exponential { mean: ms(20) } };
        let schedule = load.schedule();
        let load_end = schedule.load_end();
        // One more would be dropped.
        let mut dispatch = Dispatch::new(schedule, vus as usize);
        let mut came = Vec::new();
        let mut in_flight: Vec<(SinceStart, Due)> = Vec::new();
        let (mut answers, mut now) = (answers_ms.iter().cycle(), SinceStart::ZERO);
        for wake in wakes_ms.iter().cycle() {
            for (_, due) in in_flight.extract_if(.., |(at, _)| *at <= now) {
                dispatch.ended(now, due, ANSWERED);
            }
            dispatch.wake(now);
            while let Some((due, fate)) = dispatch.take() {
                assert_eq!(fate, Fate::Send, "nothing is missed or dropped: {due:?}");
                let answer = answers.next().copied().unwrap_or_default();
                in_flight.push((now + ms(answer), due.clone()));
                came.push(due);
            }
            let mut total = Counts::default();
            dispatch.counts().iter().for_each(|counts| total.add(counts));
            assert_eq!((total.due, total.sent), (came.len() as u64, total.ok + in_flight.len() as u64));
            if now > load_end {
                break;
            }
            now = now + ms(*wake);
        }
        came
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn users_send_the_same_one_after_the_other_whatever_the_service_and_the_driver_do(
            vus in 1_u32..20,
            answers_ms in prop::collection::vec(prop_oneof![9 => 0_u64..10, 1 => 50_u64..2_000], 1..50),
            wakes_ms in prop::collection::vec(prop_oneof![9 => 1_u64..5, 1 => 50_u64..500], 1..50),
        ) {
            let came = drive_users(vus, &answers_ms, &wakes_ms);
            let of_another_cell = drive_users(vus, &[1], &[1]);
            prop_assert!(came.is_sorted_by_key(|due| due.at) && came.len() >= vus as usize);
            for (due, other) in came.iter().zip(&of_another_cell) {
                prop_assert_eq!((due.nth, due.request, &due.values), (other.nth, other.request, &other.values));
            }
        }
    }
}
