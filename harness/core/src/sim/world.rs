//! A clock that jumps from event to event, and what happens at each.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::faults::{ANSWER_TIME, Faults};
use super::recording::{DiskFull, Recording};
use super::service::SimService;
use crate::scenario::{Model, Scenario};
use crate::soak::{Action, Event, Soak};
use crate::threshold::Watch;
use crate::trace::{
    Activity, Connections, Counts, Disturbance, End, Live, Memory, Own, Percentiles, PhaseChange, PhaseSpan, ProcessId,
    Record, Sample, Traffic,
};
use crate::traffic::dispatch::{Dispatch, Ended, Fate, Outcome};
use crate::traffic::request::RequestText;
use crate::traffic::{Due, Schedule};
use steep_judge::units::{Bytes, SinceStart};

/// The size of a page: resident memory comes in whole ones.
const PAGE: u64 = 4096;

/// What is captured from every answer.
const CAPTURED: &str = "simulated";

/// Events after which a world is left where it is: it hangs. Ten days at 500 requests/s have fewer.
const MOST_STEPS: u64 = 1 << 30;

/// A soak under way in a world of faults.
pub(super) struct World<'w> {
    scenario: &'w Scenario,
    service: &'w SimService,
    faults: &'w Faults,
    texts: Arc<[RequestText]>,
    dispatch: Dispatch,
    /// By when they end, and the order in which they were sent. No more than `max_in_flight`.
    in_flight: BTreeMap<(SinceStart, u64), (Due, Outcome)>,
    /// How many were sent.
    sent: u64,
    soak: Soak,
    recording: Recording,
    watch: Watch,
    connections: Connections,
    /// When they were closed last.
    closed_at: Option<SinceStart>,
    /// When the soak was woken last.
    woken_at: Option<SinceStart>,
    peak: Bytes,
    steps: u64,
}

impl<'w> World<'w> {
    /// Before the first event.
    pub(super) fn new(
        scenario: &'w Scenario,
        service: &'w SimService,
        faults: &'w Faults,
        schedule: Schedule,
        recording: Recording,
    ) -> Self {
        let texts = schedule.texts().clone();
        let has_load = scenario.external.is_none() && scenario.load.model != Model::None;
        let opened = if has_load { scenario.http.connections as u64 } else { 0 };
        Self {
            scenario,
            service,
            faults,
            texts,
            dispatch: Dispatch::new(schedule, scenario.load.max_in_flight),
            in_flight: BTreeMap::new(),
            sent: 0,
            soak: Soak::new(PhaseSpan::chain(&scenario.phases), scenario.sampling.every),
            watch: Watch::new(&recording.trace.header),
            recording,
            connections: Connections { opened, ..Connections::default() },
            closed_at: None,
            woken_at: None,
            peak: Bytes::ZERO,
            steps: 0,
        }
    }

    /// What is left at the end, and how many events there were.
    pub(super) fn into_parts(self) -> (Recording, u64) {
        (self.recording, self.steps)
    }

    /// Lets all happen, to the end of the soak or of the disk.
    pub(super) fn run(&mut self) -> Result<(), DiskFull> {
        self.recording.write_header()?;
        while let Some(due) = self.soak.due().filter(|_| self.steps < MOST_STEPS) {
            self.steps += 1;
            if let Some(crash) = self.service.crashes_at.filter(|crash| *crash <= due) {
                self.drive_until(crash)?;
                return self.act(crash, Event::Exited);
            }
            let now = self.faults.awake_at(due);
            self.drive_until(now)?;
            let slept = self.faults.slept(self.woken_at.replace(now), now);
            self.act(now, Event::Woke { slept })?;
            if self.soak.due().is_some() && self.watch.why_abort().is_some() {
                self.act(now, Event::Broken)?;
                // What is in flight is not waited for, so that a test can say when the threshold was broken.
                return self.act(now, Event::Drained);
            }
        }
        self.drain(self.soak.load_ends() + 2 * ANSWER_TIME)
    }

    /// Waits for all that is in flight, at least until `end`.
    fn drain(&mut self, end: SinceStart) -> Result<(), DiskFull> {
        let before = self.counts();
        let last = self.in_flight.keys().next_back().map(|(at, _)| *at);
        let end = last.map_or(end, |last| end.max(last + ANSWER_TIME));
        if let Some(crash) = self.service.crashes_at.filter(|crash| *crash <= end) {
            self.drive_until(crash)?;
            return self.act(crash, Event::Exited);
        }
        self.drive_until(end)?;
        if self.counts() != before {
            self.tell_traffic(end)?;
        }
        self.act(end, Event::Drained)
    }

    fn counts(&self) -> Vec<Counts> {
        self.dispatch.counts().to_vec()
    }

    /// Lets all happen that does before `until`: requests come due, and end; connections are closed.
    fn drive_until(&mut self, until: SinceStart) -> Result<(), DiskFull> {
        while self.steps < MOST_STEPS {
            self.steps += 1;
            let due = self.dispatch.next_due_at().filter(|due| *due < until);
            let before = due.map_or(until, |due| self.faults.awake_at(due));
            let ends = self.in_flight.keys().next().map(|(at, _)| *at).filter(|at| *at < before);
            let closes = self.faults.closes_after(self.closed_at).filter(|at| *at < ends.unwrap_or(before));
            if let Some(at) = closes {
                self.close(at);
            } else if ends.is_some() {
                self.end_next();
            } else if let Some(due) = due {
                self.send(self.faults.awake_at(due))?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// What is due is sent, missed or dropped.
    fn send(&mut self, now: SinceStart) -> Result<(), DiskFull> {
        if let Some(starved) = self.dispatch.wake(now) {
            self.recording.write(Record::Disturbance(starved))?;
        }
        while let Some((due, fate)) = self.dispatch.take() {
            if fate == Fate::Send {
                let (waits, outcome) = self.faults.answers_at(now).end(&self.scenario.http);
                self.in_flight.insert((now + waits, self.sent), (due, outcome));
                self.sent += 1;
            }
        }
        Ok(())
    }

    /// The request that ends next does.
    fn end_next(&mut self) {
        if let Some(((at, _), (due, outcome))) = self.in_flight.pop_first() {
            self.connections.refused += u64::from(outcome == Outcome::FailedConnect);
            self.ended(at, due, outcome);
        }
    }

    fn ended(&mut self, at: SinceStart, mut due: Due, outcome: Outcome) {
        if outcome == Outcome::Ok {
            for variable in self.texts[due.request].captures().variables() {
                due.values.capture(variable, CAPTURED.to_owned());
            }
        }
        self.dispatch.ended(at, due, Ended { outcome, body_bytes_sent: 0, body_bytes_received: 0 });
    }

    /// All connections are closed, and opened again. What was in flight on them has no whole answer; what waits for a
    /// connection goes on waiting.
    fn close(&mut self, at: SinceStart) {
        self.closed_at = Some(at);
        self.connections.closed += self.scenario.http.connections as u64;
        self.connections.opened += self.scenario.http.connections as u64;
        let waits_for_one = |(_, outcome): &(Due, Outcome)| *outcome == Outcome::FailedConnect;
        let cut_off: Vec<_> = self.in_flight.extract_if(.., |_, request| !waits_for_one(request)).collect();
        for (_, (due, _)) in cut_off {
            self.ended(at, due, Outcome::FailedBody);
        }
    }

    fn act(&mut self, now: SinceStart, event: Event) -> Result<(), DiskFull> {
        for action in self.soak.handle(now, event) {
            match action {
                Action::EnterPhase(index) => {
                    let phase = self.scenario.phases[index].name.clone();
                    self.recording.write(Record::Phase(PhaseChange { t_s: now, phase }))?;
                }
                Action::Disturb(disturbance) => {
                    self.recording.write(Record::Disturbance(Disturbance { t_s: now, ..disturbance }))?;
                }
                Action::Sample => self.sample(now)?,
                Action::StopLoad => self.dispatch.stop(),
                // Live bytes of the simulated service come with its samples.
                Action::Count | Action::StopService => {}
                Action::End(reason) => {
                    self.recording.write(Record::End(End { t_s: now, reason, ..End::default() }))?;
                }
            }
        }
        Ok(())
    }

    fn sample(&mut self, now: SinceStart) -> Result<(), DiskFull> {
        let names = self.scenario.requests.iter().map(|request| request.name.clone());
        let counts = names.zip(self.dispatch.counts().iter());
        let requests: BTreeMap<String, u64> = counts.map(|(name, counts)| (name, counts.completed())).collect();
        let live = self.service.live(now, requests.values().sum(), self.dispatch.in_flight());
        let resident = Bytes::new(live.get().div_ceil(PAGE) * PAGE);
        self.peak = self.peak.max(resident);
        let memory = Memory { anon_bytes: resident, peak_bytes: self.peak, ..Memory::default() };
        let live = self.service.probe.then_some(Live { live_bytes: live, ..Live::default() });
        let sample = Sample {
            t_s: now,
            memory,
            live,
            requests,
            activity: Activity { threads: 1, ..Activity::default() },
            processes: vec![ProcessId { pid: 1, start_ticks: 1 }],
            steep: Own::default(),
            ..Sample::default()
        };
        self.watch.see_sample(&sample);
        self.recording.write(Record::Sample(sample))?;
        self.tell_traffic(now)
    }

    fn tell_traffic(&mut self, now: SinceStart) -> Result<(), DiskFull> {
        let names = self.scenario.requests.iter().map(|request| request.name.clone());
        let traffic = Traffic {
            t_s: now,
            requests: names.zip(self.dispatch.counts().iter().copied()).collect(),
            flows: self.dispatch.flows().map(|(name, counts)| (name.to_owned(), counts)).collect(),
            in_flight_peak: self.dispatch.take_in_flight_peak() as u64,
            connections: self.connections,
            lateness: Percentiles::default(),
            ..Traffic::default()
        };
        self.watch.see_traffic(&traffic);
        self.recording.write(Record::Traffic(traffic))
    }
}
