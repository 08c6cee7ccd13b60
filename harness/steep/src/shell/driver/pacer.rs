//! The driver's thread: opens the connections, wakes when requests come due, and tells each second what happened.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};

use crate::shell::trust::refusal;
use steep_core::scenario::{Http, Protocol};
use steep_core::trace::Disturbance;
use steep_core::traffic::Schedule;
use steep_core::traffic::recess::recesses;
use steep_judge::units::SinceStart;

use super::alarm::Alarm;
use super::aside::attend;
use super::connection::{Single, Wire, keep};
use super::message::Message;
use super::multiplexed::Multiplexed;
use super::storm::Storming;
use super::switchboard::Switchboard;
use super::target::Target;
use super::{Completed, Control, DriverError, DriverEvent, DriverSpec};

/// How long opening the connections may take before the load, all in all.
const OPENING_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two records of traffic.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How soon it is seen that a waiting request has waited too long, or that the last one in flight has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// All that the driver's thread does.
pub(super) fn run_thread(
    spec: &DriverSpec,
    schedule: Schedule,
    completed: Arc<Completed>,
    control: mpsc::UnboundedReceiver<Control>,
    events: mpsc::Sender<DriverEvent>,
    opened: oneshot::Sender<Result<(), DriverError>>,
) {
    let runtime = match pin_to(&spec.load.cpus).and_then(|()| local_runtime().map_err(DriverError::Start)) {
        Ok(runtime) => runtime,
        Err(error) => return tell(opened, Err(error)),
    };
    runtime.block_on(async {
        let load_end = schedule.load_end();
        let connected = match spec.http.protocol {
            Protocol::Http1 => connect::<Single>(spec, schedule, completed).await,
            Protocol::Http2 => connect::<Multiplexed>(spec, schedule, completed).await,
        };
        match connected {
            Ok((switchboard, target)) => {
                let alarm = match Alarm::new(spec.load.pacing) {
                    Ok(alarm) => alarm,
                    Err(error) => return tell(opened, Err(DriverError::Start(error))),
                };
                tell(opened, Ok(()));
                let recesses = recesses(&spec.phases).into_iter();
                let edges = recesses.flat_map(|recess| [Some((recess.from, true)), recess.to.map(|to| (to, false))]);
                let edges: VecDeque<_> = edges.flatten().collect();
                let connect_timeout = spec.http.connect_timeout;
                let storms = Storms { all: Storming::chain(&spec.phases), connect_timeout, target };
                let request_timeout = spec.http.request_timeout;
                Pacer { switchboard, control, alarm, edges, load_end, request_timeout, storms }.run(events).await;
            }
            Err(error) => tell(opened, Err(error)),
        }
    });
}

/// A runtime whose tasks stay on this thread: they need no set of their own to be polled by, as they would in another.
fn local_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

/// Nobody may be waiting any more: then the control channel is closed as well, and the driver ends.
fn tell(opened: oneshot::Sender<Result<(), DriverError>>, result: Result<(), DriverError>) {
    let _ = opened.send(result);
}

fn pin_to(cpus: &[usize]) -> Result<(), DriverError> {
    if cpus.is_empty() {
        return Ok(());
    }
    set_affinity(cpus).map_err(|source| DriverError::Pin { cpus: cpus.to_vec(), source })
}

#[cfg(target_os = "linux")]
fn set_affinity(cpus: &[usize]) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu >= CpuSet::MAX_CPU {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        set.set(cpu);
    }
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(not(target_os = "linux"))]
fn set_affinity(_: &[usize]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens all connections, one after the other, and gives each a task.
async fn connect<W: Wire + 'static>(
    spec: &DriverSpec,
    schedule: Schedule,
    completed: Arc<Completed>,
) -> Result<(Rc<Switchboard>, Rc<Target>), DriverError> {
    let http = &spec.http;
    let mut target = Target::new(&spec.endpoint, http.protocol, &spec.access)?;
    let messages = spec
        .requests
        .iter()
        .zip(schedule.texts().iter())
        .map(|(request, text)| Message::new(request, text, &target, &spec.access, spec.seed))
        .collect::<Result<_, _>>()?;
    let wires = open_all::<W>(&mut target, http).await?;
    let max_in_flight = spec.load.max_in_flight;
    let (limits, meter) = (spec.limits.clone(), Rc::clone(&target.meter));
    let switchboard = Switchboard::new(messages, completed, http.clone(), max_in_flight, limits, schedule, meter);
    let (switchboard, target) = (Rc::new(switchboard), Rc::new(target));
    for wire in wires {
        switchboard.opened();
        tokio::task::spawn_local(keep(wire, Rc::clone(&switchboard), Rc::clone(&target), http.clone()));
    }
    for line in switchboard.aside_lines() {
        tokio::task::spawn_local(attend(line, Rc::clone(&switchboard), Rc::clone(&target), http.clone()));
    }
    Ok((switchboard, target))
}

async fn open_all<W: Wire>(target: &mut Target, http: &Http) -> Result<Vec<W>, DriverError> {
    let give_up_at = Instant::now() + OPENING_TIMEOUT.max(http.connect_timeout);
    let mut wires = Vec::with_capacity(http.connections);
    while wires.len() < http.connections {
        let opening = W::open(target, http);
        let source = match tokio::time::timeout_at(give_up_at.into(), opening).await {
            Ok(Ok(wire)) => {
                wires.push(wire);
                continue;
            }
            // `localhost` may have two addresses, and the service listen on one.
            Ok(Err(_)) if wires.is_empty() && target.try_another_address() => continue,
            Ok(Err(error)) => error,
            Err(too_late) => too_late.into(),
        };
        let (address, opened) = (target.address(), wires.len());
        if let Some(reason) = refusal(&source) {
            return Err(DriverError::Tls { address, reason });
        }
        return Err(DriverError::Connect { address, opened, wanted: http.connections, source });
    }
    Ok(wires)
}

/// Turns the schedule into requests, in time.
struct Pacer {
    switchboard: Rc<Switchboard>,
    control: mpsc::UnboundedReceiver<Control>,
    alarm: Alarm,
    /// When connections are closed (true) and opened again.
    edges: VecDeque<(SinceStart, bool)>,
    load_end: SinceStart,
    request_timeout: Duration,
    storms: Storms,
}

/// What is opened beside the load.
struct Storms {
    all: Vec<Storming>,
    connect_timeout: Duration,
    target: Rc<Target>,
}

impl Storms {
    fn begin(&self, origin: Instant, switchboard: &Rc<Switchboard>) {
        for storm in &self.all {
            let (switchboard, target) = (Rc::clone(switchboard), Rc::clone(&self.target));
            tokio::task::spawn_local(storm.rage(origin, self.connect_timeout, switchboard, target));
        }
    }
}

impl Pacer {
    async fn run(mut self, events: mpsc::Sender<DriverEvent>) {
        // The last event has its place from the start: a receiver that lags cannot hold up the end.
        let Ok(last) = events.clone().reserve_owned().await else { return };
        let origin = match self.control.recv().await {
            Some(Control::Begin(origin)) => origin,
            Some(Control::Stop) => {
                self.switchboard.stop();
                self.load_end = SinceStart::ZERO;
                Instant::now()
            }
            None => return,
        };
        self.switchboard.begin(origin);
        self.storms.begin(origin, &self.switchboard);
        let mut teller = Teller { events, starved: None };
        if !self.soak(origin, &mut teller).await {
            return;
        }
        self.switchboard.fail_in_flight();
        let end = self.switchboard.finish(self.switchboard.now());
        teller.tell_starved();
        last.send(DriverEvent::Finished(Box::new(end)));
    }

    /// Sends the load and waits for what is in flight. False if nobody waits for the driver any more.
    async fn soak(&mut self, origin: Instant, teller: &mut Teller) -> bool {
        let mut next_report = SinceStart::ZERO + REPORT_EVERY;
        let mut load_end = self.load_end;
        loop {
            let now = self.switchboard.now();
            teller.starved(self.switchboard.dispatch(now));
            if now >= next_report {
                teller.tell_traffic(&self.switchboard, now);
                while next_report <= now {
                    next_report = next_report + REPORT_EVERY;
                }
            }
            while let Some((_, begins)) = self.edges.pop_front_if(|(at, _)| *at <= now) {
                self.switchboard.recess(begins);
            }
            let mut wake_at = self.edges.front().map_or(next_report, |(edge, _)| next_report.min(*edge));
            if self.switchboard.has_waiting() {
                self.switchboard.expire(now);
                wake_at = wake_at.min(now + LOOK_EVERY);
            }
            match self.switchboard.next_due_at() {
                Some(due) => wake_at = wake_at.min(due),
                None if now < load_end => wake_at = wake_at.min(load_end),
                None if self.switchboard.is_drained() || now >= load_end + self.request_timeout => return true,
                None => wake_at = wake_at.min(now + LOOK_EVERY),
            }
            // Without an alarm it could only look without pause.
            let Ok(()) = self.alarm.set(origin + wake_at.elapsed()) else { return false };
            match self.wait(wake_at).await {
                Woken::ToLook => {}
                Woken::ToStop => {
                    // What came due before is accounted for.
                    let now = self.switchboard.now();
                    teller.starved(self.switchboard.dispatch(now));
                    self.switchboard.stop();
                    load_end = load_end.min(now);
                }
                Woken::ByNobody => return false,
            }
        }
    }

    /// Waits for the alarm or a command, or until a request is due before `wake_at`.
    async fn wait(&mut self, wake_at: SinceStart) -> Woken {
        let mut is_first = true;
        poll_fn(|cx| match self.control.poll_recv(cx) {
            Poll::Ready(Some(Control::Stop)) => Poll::Ready(Woken::ToStop),
            Poll::Ready(None) => Poll::Ready(Woken::ByNobody),
            Poll::Pending if is_first && self.alarm.poll(cx).is_pending() => {
                is_first = false;
                self.switchboard.pacer_sleeps(wake_at, cx);
                Poll::Pending
            }
            // By the alarm, by an answer that made a request due, or for nothing: then it looks, and sleeps again.
            Poll::Pending | Poll::Ready(Some(Control::Begin(_))) => Poll::Ready(Woken::ToLook),
        })
        .await
    }
}

/// What ended a wait.
enum Woken {
    ToLook,
    ToStop,
    ByNobody,
}

/// Tells events to a receiver that may lag, and never waits for it.
struct Teller {
    events: mpsc::Sender<DriverEvent>,
    /// Not told yet.
    starved: Option<Disturbance>,
}

impl Teller {
    /// Tells of a disturbance, now or, together with those after it, when there is room.
    fn starved(&mut self, disturbance: Option<Disturbance>) {
        let Some(mut disturbance) = disturbance else { return };
        disturbance.seconds += self.starved.take().map_or(0.0, |earlier| earlier.seconds);
        self.starved = Some(disturbance);
        self.tell_starved();
    }

    fn tell_starved(&mut self) {
        if let Some(disturbance) = self.starved.take()
            && let Err(mpsc::error::TrySendError::Full(DriverEvent::Starved(untold))) =
                self.events.try_send(DriverEvent::Starved(disturbance))
        {
            self.starved = Some(untold);
        }
    }

    /// Tells what happened, unless there is no room: the next record then covers this interval too.
    fn tell_traffic(&mut self, switchboard: &Switchboard, now: SinceStart) {
        self.tell_starved();
        if let Ok(mut rooms) = self.events.try_reserve_many(2) {
            let (traffic, interval) = switchboard.traffic(now);
            let described = [DriverEvent::Traffic(Box::new(traffic)), DriverEvent::Interval(Box::new(interval))];
            rooms.by_ref().zip(described).for_each(|(room, event)| room.send(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steep_core::trace::DisturbanceKind;

    #[test]
    fn a_receiver_that_lags_is_told_of_all_time_lost_together() {
        let (events, mut receiver) = mpsc::channel(1);
        let mut teller = Teller { events, starved: None };
        for second in 1..=3 {
            let t_s = SinceStart::ZERO + Duration::from_secs(second);
            teller.starved(Some(Disturbance { t_s, kind: DisturbanceKind::DriverStarved, seconds: 0.5 }));
        }
        let Ok(DriverEvent::Starved(first)) = receiver.try_recv() else { panic!("the first had room") };
        teller.tell_starved();
        let Ok(DriverEvent::Starved(others)) = receiver.try_recv() else { panic!("there is room again") };
        assert_eq!((first.seconds.to_bits(), others.seconds.to_bits()), (0.5_f64.to_bits(), 1.0_f64.to_bits()));
        assert_eq!(others.t_s, SinceStart::ZERO + Duration::from_secs(3));
    }
}
