//! A cell under load: the loop that hears the soak's clock, the driver, the service and the user, and writes the trace.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use super::early_stop::EarlyStopChecks;
use super::observed::Observed;
use super::source::{Source, SourceEvent};
use super::{CellError, Prepared, Soaking};
use crate::shell::clock::{Moment, wall_clock};
use crate::shell::driver::{DriverEnd, DriverEvent};
use crate::shell::external::{self, LoadEnd};
use crate::shell::latency_log::LatencyLog;
use crate::shell::listener::Stranger;
use crate::shell::live::{self, Arranged, Counting, HeapLooks, Kept, ProfileLog, write_profiles};
use crate::shell::progress::Progress;
use crate::shell::sampler::Sampler;
use crate::shell::service::failure::Who;
use crate::shell::service::{Ended, RunningService};
use crate::shell::store::{STACKS_AT_LIMIT_FILE, StoreError, TraceWriter, write_stacks};
use steep_core::following::Following;
use steep_core::outcome::materiality;
use steep_core::scenario::Role;
use steep_core::soak::{Action, Event, Soak};
use steep_core::threshold::Watch;
use steep_core::trace::{CountFell, End, EndReason, Exit, Header, LoadStart, PhaseChange, PhaseSpan, Record, Sample};
use steep_judge::units::SinceStart;

/// How long the driver is waited for when the service is gone or the user is in a hurry: what it still tells are the
/// last counts.
const LAST_COUNTS_TIMEOUT: Duration = Duration::from_secs(2);
/// Signals to several processes at once arrive within this time of each other.
const SAME_MOMENT: Duration = Duration::from_millis(200);
/// Live bytes and counters that come later than this belong to another moment than the sample.
const LIVE_TIMEOUT: Duration = Duration::from_millis(300);
/// The kernel's counts of out-of-memory kills are noted anew every this many samples.
const SAMPLES_PER_OOM_BASELINE: u64 = 30;

/// A cell under load.
pub(super) struct CellUnderLoad<'r> {
    soaking: &'r Soaking<'r>,
    service: RunningService,
    counting: Option<Counting>,
    profiles: Option<ProfileLog>,
    heap: HeapLooks,
    observed: Observed,
    source: Source,
    sampler: Sampler,
    writer: TraceWriter,
    latency_log: LatencyLog,
    soak: Soak,
    watch: Watch,
    looks: Option<EarlyStopChecks>,
    following: Following,
    origin: Instant,
    clock: Moment,
    phase: &'r str,
    samples: u64,
    driver_end: Option<Box<DriverEnd>>,
    /// The source of the load tells nothing any more.
    is_source_done: bool,
    exit: Option<Exit>,
    killed_after_grace: bool,
    something_left: bool,
    /// What the reason of the end does not say.
    message: String,
}

/// What woke the loop.
enum Woken {
    Soak(Event),
    Source(SourceEvent),
    Broken(String),
    Ended(Ended),
}

impl<'r> CellUnderLoad<'r> {
    /// Begins the load.
    pub(super) fn begin(
        soaking: &'r Soaking<'r>,
        Prepared { service, source, arranged }: Prepared,
        mut writer: TraceWriter,
        header: &Header,
    ) -> Result<Self, CellError> {
        let scenario = soaking.scenario;
        let sampler = Sampler::begin(service.process.supervisor_pid(), &service.dependency_supervisors());
        let cell_folder = soaking.folder.cell(&soaking.cell.id);
        let sampler = sampler.with_folder(&cell_folder.canonicalize().unwrap_or_else(|_| cell_folder.clone()));
        let sampler = sampler.with_cpus(&scenario.service.cpus, &scenario.load.cpus);
        let soak = Soak::new(PhaseSpan::chain(&scenario.phases), scenario.sampling.every)
            .with_counts(scenario.count_every().filter(|_| arranged.preloaded.is_some()));
        let phases = PhaseSpan::chain(&scenario.phases);
        let names: Vec<String> = scenario.requests.iter().map(|request| request.name.clone()).collect();
        let latency_log = LatencyLog::begin(&cell_folder, &names, SystemTime::now())
            .map_err(|source| StoreError::File { path: cell_folder, source })?;
        let following = Following::new(&phases, materiality(&scenario.judge), scenario.soak_duration());
        let looks = EarlyStopChecks::new(&scenario.judge, phases, scenario.soak_duration());
        writer.write(&Record::Start(load_start(&sampler, &service, &arranged)))?;
        let (origin, clock) = (Instant::now(), Moment::now());
        source.begin(origin);
        let observed = Observed::begin(&service, scenario, origin);
        Ok(Self {
            soaking,
            service,
            counting: arranged
                .preloaded
                .map(|library| Counting::new(library, scenario.service.memory_limit_bytes, clock)),
            profiles: arranged.profiles.map(|profiles| ProfileLog::new(profiles, clock)),
            heap: HeapLooks::default(),
            observed,
            source,
            sampler,
            writer,
            latency_log,
            soak,
            watch: Watch::new(header),
            looks,
            origin,
            clock,
            phase: "",
            samples: 0,
            following,
            driver_end: None,
            is_source_done: false,
            exit: None,
            killed_after_grace: false,
            something_left: false,
            message: String::new(),
        })
    }

    /// Writes a line of the trace, which is seen by all that judge it while it is written.
    fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        match record {
            Record::Sample(sample) => self.watch.see_sample(sample),
            Record::Traffic(traffic) => self.watch.see_traffic(traffic),
            _ => {}
        }
        self.following.see(record);
        match (&mut self.looks, record) {
            // Whether counts of a preloaded library may decide is known at the end.
            (Some(looks), Record::Sample(sample)) if self.counting.is_some() => {
                looks.see(&Record::Sample(Sample { live: None, ..sample.clone() }));
            }
            (Some(looks), record) => looks.see(record),
            (None, _) => {}
        }
        self.writer.write(record)
    }

    fn now(&self) -> SinceStart {
        SinceStart::new(self.origin.elapsed())
    }

    /// Drives and samples to the end, and writes what happened.
    pub(super) async fn run(
        mut self,
        progress: &mut Progress,
        mut interrupted: watch::Receiver<u32>,
    ) -> Result<(), CellError> {
        // An interrupt that came before is seen as well.
        interrupted.mark_changed();
        let mut heard = 0;
        loop {
            let event = match self.wake(&mut interrupted, &mut heard).await {
                Woken::Soak(event) => event,
                Woken::Source(described) => match self.hear(described)? {
                    Some(event) => event,
                    None => continue,
                },
                Woken::Broken(why) => {
                    self.message = why;
                    Event::Broken
                }
                Woken::Ended(Ended { who, exit, .. }) if is_raised_soon(&mut interrupted).await => {
                    // Whoever stops a whole group of processes stops the service as well: that is not a crash.
                    self.exit = (who == Who::Service).then_some(exit);
                    self.soak.handle(self.now(), Event::Failed);
                    return self.finish(EndReason::Interrupted).await;
                }
                Woken::Ended(Ended { who, was_asked: true, .. }) => {
                    self.message = format!("the supervisor of {who} was asked to end by a signal, and ended it");
                    Event::Failed
                }
                Woken::Ended(Ended { who, exit: Exit { code: None, signal: None, .. }, .. }) => {
                    self.message = format!("the supervisor of {who} was killed");
                    Event::Failed
                }
                Woken::Ended(Ended { who: Who::Service, exit, .. }) => {
                    self.exit = Some(exit);
                    Event::Exited
                }
                Woken::Ended(Ended { who, exit, .. }) => {
                    self.message = format!("{who} ended by itself: {exit}");
                    Event::Failed
                }
            };
            let now = self.now();
            let mut actions = self.soak.handle(now, event);
            if let Some(why) = self.looks.as_mut().and_then(|looks| looks.look(now)) {
                self.message = why;
                actions.extend(self.soak.handle(now, Event::Decided));
            }
            if let Some(stranger) = self.stranger(&actions) {
                self.message = stranger.to_string();
                return self.finish(EndReason::Failed).await;
            }
            for action in actions {
                if let Some(reason) = self.act(now, action, progress, &mut interrupted).await? {
                    return self.finish(reason).await;
                }
            }
        }
    }

    /// Another program that answers in the service's place: looked for with samples, and before the load is said to be
    /// over. What others answer is no load of the service's. Of a service that has ended the end is reported, see
    /// [`RunningService::why_no_crash`].
    fn stranger(&mut self, actions: &[Action]) -> Option<Stranger> {
        let given_up = |action: &Action| matches!(action, Action::End(EndReason::Crashed | EndReason::Failed));
        if actions.iter().any(given_up) {
            None
        } else if actions.iter().any(|action| matches!(action, Action::StopLoad | Action::End(_))) {
            self.service.stranger()
        } else if actions.contains(&Action::Sample) {
            self.service.stranger_if_due()
        } else {
            None
        }
    }

    /// Records what the source of the load tells; gives what it means to the soak, if anything.
    fn hear(&mut self, described: SourceEvent) -> Result<Option<Event>, CellError> {
        let event = match described {
            SourceEvent::Driver(event) => event,
            SourceEvent::Ended(end) => {
                self.is_source_done = true;
                return Ok(Some(self.load_ended(end)));
            }
        };
        match event {
            Some(DriverEvent::Finished(end)) => {
                self.is_source_done = true;
                self.latency_log.push(end.interval.clone());
                self.driver_end = Some(end);
                return Ok(Some(Event::Drained));
            }
            Some(DriverEvent::Traffic(traffic)) => {
                self.record(&Record::Traffic(*traffic))?;
            }
            Some(DriverEvent::Interval(interval)) => self.latency_log.push(*interval),
            Some(DriverEvent::Starved(starved)) => self.record(&Record::Disturbance(starved))?,
            None => {
                "the driver's thread ended unexpectedly".clone_into(&mut self.message);
                return Ok(Some(Event::Failed));
            }
        }
        Ok(None)
    }

    /// The program that makes the load has ended.
    fn load_ended(&mut self, end: LoadEnd) -> Event {
        match end {
            LoadEnd::Asked => Event::Drained,
            LoadEnd::Done => {
                self.message = format!("the program that makes the load was done after {}", self.now());
                Event::LoadEnded
            }
            LoadEnd::Failed(message) => {
                self.message = message;
                Event::Failed
            }
        }
    }

    async fn wake(&mut self, interrupted: &mut watch::Receiver<u32>, heard: &mut u32) -> Woken {
        let is_loading = self.soak.due().is_some();
        if let Some(why) = is_loading.then(|| self.watch.why_abort()).flatten() {
            return Woken::Broken(why);
        }
        let due = self.soak.due().map(|due| tokio::time::Instant::from_std(self.origin + due.elapsed()));
        loop {
            tokio::select! {
                biased;
                ended = self.service.ended() => return Woken::Ended(ended),
                // The sender lives as long as the run.
                Ok(()) = interrupted.changed() => {
                    let raised = *interrupted.borrow_and_update();
                    if raised > *heard {
                        *heard = raised;
                        return Woken::Soak(Event::Interrupted);
                    }
                }
                described = self.source.next(), if !self.is_source_done => return Woken::Source(described),
                () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => {
                    let clock = Moment::now();
                    let slept = clock.slept_since(&self.clock);
                    self.clock = clock;
                    return Woken::Soak(Event::Woke { slept });
                }
            }
        }
    }

    /// Does what the soak asks for; gives the reason once it is over.
    async fn act(
        &mut self,
        now: SinceStart,
        action: Action,
        progress: &mut Progress,
        interrupted: &mut watch::Receiver<u32>,
    ) -> Result<Option<EndReason>, CellError> {
        match action {
            Action::EnterPhase(index) => {
                let phase = &self.soaking.scenario.phases[index];
                self.phase = &phase.name;
                self.record(&Record::Phase(PhaseChange { t_s: now, phase: phase.name.clone() }))?;
            }
            Action::Disturb(disturbance) => self.record(&Record::Disturbance(disturbance))?,
            Action::Sample => self.sample(now, progress).await?,
            Action::Count => self.count().await?,
            Action::StopLoad => self.source.stop(),
            Action::StopService => self.stop_service(interrupted).await,
            Action::End(reason) => return Ok(Some(reason)),
        }
        Ok(None)
    }

    async fn sample(&mut self, now: SinceStart, progress: &mut Progress) -> Result<(), CellError> {
        // None: the service is gone, and its end is on the way.
        let Some(mut sample) = self.sampler.sample(now) else { return Ok(()) };
        sample.requests = self.source.completed(&self.service.client, LIVE_TIMEOUT).await;
        let read_at = self.now();
        let counted = self.counting.as_ref().map(|counting| counting.read(&sample.processes));
        let scenario = self.soaking.scenario;
        sample.heap = self.heap.tick(sample.t_s, &sample.processes).map(Box::new);
        let mut phases = scenario.phases.iter();
        let is_steady = phases.any(|phase| phase.name == self.phase && phase.role == Role::Steady);
        if let Some(profiles) = &mut self.profiles {
            profiles.tick(&sample, is_steady);
        }
        match self.counting.as_mut().zip(counted) {
            Some((counting, counted)) => counting.count(&mut sample, &counted, read_at, is_steady),
            None => live::count(&mut sample, scenario, &self.service.client, LIVE_TIMEOUT).await,
        }
        self.samples += 1;
        if self.samples.is_multiple_of(SAMPLES_PER_OOM_BASELINE) {
            self.service.process.refresh_oom_baseline();
        }
        self.record(&Record::Sample(sample))?;
        self.write_worker_ends(false)?;
        if let Some(found) = self.counting.as_mut().and_then(|counting| counting.grows_at(progress.is_followed())) {
            self.following.keeps_at(found.0.as_deref());
        }
        for record in self.observed.records(&self.service, self.now()).await {
            self.record(&record)?;
        }
        progress.update(&mut self.following);
        Ok(())
    }

    /// Live bytes between two samples.
    async fn count(&mut self) -> Result<(), CellError> {
        let requests = self.source.completed(&self.service.client, LIVE_TIMEOUT).await;
        let read_at = self.now();
        if let Some(count) = self.counting.as_mut().and_then(|counting| counting.between(read_at, requests)) {
            self.record(&Record::LiveCount(count))?;
        }
        Ok(())
    }

    fn write_worker_ends(&mut self, all: bool) -> Result<(), CellError> {
        let reaped = self.service.process.take_reaped();
        for end in self.sampler.worker_ends(&reaped, all) {
            self.record(&Record::WorkerEnd(end))?;
        }
        Ok(())
    }

    /// Asks the service to end; a user who does not want to wait for its grace has it killed.
    async fn stop_service(&mut self, interrupted: &mut watch::Receiver<u32>) {
        let stopped = tokio::select! {
            stopped = self.service.stop() => Some(stopped),
            Ok(()) = interrupted.changed() => None,
        };
        let stopped = match stopped {
            Some(stopped) => stopped,
            None => self.service.stop_at_once().await,
        };
        self.exit = Some(stopped.exit);
        self.killed_after_grace |= stopped.killed_after_grace;
        self.something_left |= stopped.something_left;
    }

    /// What the stacks kept, with their places in the source; what a crash left of it as well.
    /// Gives what was wrong with profiles of the service's own.
    async fn write_stacks(&mut self, crashed_at: Option<SinceStart>) -> Result<Option<String>, CellError> {
        let (counting, profiles) = (self.counting.take(), self.profiles.take());
        // Debug information takes seconds to read, on a thread that may be late.
        let kept = tokio::task::spawn_blocking(move || Kept::of(counting, profiles, crashed_at)).await;
        let kept = kept.unwrap_or_default();
        let (folder, id) = (self.soaking.folder, &self.soaking.cell.id);
        if let Some(series) = &kept.series {
            let own = folder.cell(id);
            write_stacks(&own, series)?;
            write_profiles(&own, series).map_err(|source| StoreError::File { path: own, source })?;
        }
        if let Some(series) = &kept.at_limit {
            folder.write_json(Path::new(id.as_str()).join(STACKS_AT_LIMIT_FILE), series)?;
        }
        Ok(kept.flaw)
    }

    /// Hears the driver out, ends what still runs, and writes the last line.
    async fn finish(mut self, mut reason: EndReason) -> Result<(), CellError> {
        let ended_at = self.now();
        self.write_worker_ends(true)?;
        self.source.stop();
        while !self.is_source_done {
            match timeout(LAST_COUNTS_TIMEOUT, self.source.next()).await {
                Ok(SourceEvent::Driver(Some(event))) => drop(self.hear(SourceEvent::Driver(Some(event)))?),
                Ok(_) | Err(_) => break,
            }
        }
        let stopped = self.service.stop().await;
        self.killed_after_grace |= stopped.killed_after_grace;
        self.something_left |= stopped.something_left;
        if let (EndReason::Crashed, Some(exit)) = (reason, self.exit)
            && let Some(why) = self.service.why_no_crash(exit)
        {
            reason = EndReason::Failed;
            self.message = why;
        }
        let flaw_of_profiles = self.write_stacks((reason == EndReason::Crashed).then_some(ended_at)).await?;
        for record in self.observed.last_records(&self.service, ended_at) {
            self.record(&record)?;
        }
        let latency_log = self.latency_log.finish();
        let first_unmet = self.driver_end.as_mut().and_then(|end| end.first_unmet.take());
        let first_unmet = first_unmet.map(|unmet| format!("the first answer not as expected: {unmet}"));
        let flaw = self.source.reported().and_then(external::ReportedRequests::flaw);
        for described in
            first_unmet.into_iter().chain(self.service.process.log_problem()).chain(latency_log).chain(flaw)
        {
            self.message = format!("{}{}{described}", self.message, if self.message.is_empty() { "" } else { "; " });
        }
        if reason == EndReason::Crashed && self.message.is_empty() {
            self.message = self.service.process.last_lines().join("\n");
        }
        let mut end = End {
            t_s: ended_at,
            reason,
            message: self.message,
            count_fell: self
                .source
                .reported()
                .and_then(external::ReportedRequests::fell)
                .map(|(from, to)| CountFell { from, to }),
            exit: self.exit,
            killed_after_grace: self.killed_after_grace,
            something_left: self.something_left,
            limits: self.sampler.limits().into_iter().map(str::to_owned).chain(flaw_of_profiles).collect(),
            ..End::default()
        };
        if let Some(driver) = self.driver_end {
            self.writer.write(&Record::Traffic(driver.traffic))?;
            end = End { latency: driver.latency, service_time: driver.service_time, lateness: driver.lateness, ..end };
        }
        self.writer.write(&Record::End(end))?;
        Ok(())
    }
}

/// Whether the user asks to stop, now or within a moment.
async fn is_raised_soon(interrupted: &mut watch::Receiver<u32>) -> bool {
    timeout(SAME_MOMENT, interrupted.wait_for(|raised| *raised > 0)).await.is_ok_and(|raised| raised.is_ok())
}

fn load_start(sampler: &Sampler, service: &RunningService, arranged: &Arranged) -> LoadStart {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    LoadStart {
        started: wall_clock(),
        started_unix_s: since_1970.as_secs_f64(),
        started_boot_s: Moment::now().since_boot.as_secs_f64(),
        limits: sampler
            .limits()
            .into_iter()
            .map(str::to_owned)
            .chain(service.unknown.iter().chain(&arranged.unprofiled).cloned())
            .collect(),
        not_counted: sampler.not_counted().into_iter().map(str::to_owned).collect(),
        cpus: sampler.cpus(),
        limit_enforced_by: service.process.limited_by(),
        live_refused: arranged.refused.clone(),
        own_heaps: arranged.own_heaps.clone(),
    }
}
