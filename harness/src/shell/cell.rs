//! One cell in the real world: starts the service, drives and samples it as [`Soak`] says, writes the trace, leaves nothing behind.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use crate::plan::{Cell, Plan, settings};
use crate::scenario::{Program, Scenario};
use crate::shell::build::Built;
use crate::shell::clock::{Moment, wall_clock};
use crate::shell::driver::{Driver, DriverEnd, DriverEvent, DriverSpec};
use crate::shell::probe;
use crate::shell::process::own_program;
use crate::shell::progress::{self, Progress};
use crate::shell::provenance::of_cell;
use crate::shell::sampler::Sampler;
use crate::shell::service::failure::Who;
use crate::shell::service::{CellPlace, RunningService, start};
use crate::shell::store::{RunFolder, StoreError, TraceWriter, read_trace};
use crate::soak::{Action, Event, Soak};
use crate::trace::{End, EndReason, Exit, FORMAT, Header, Live, PhaseChange, PhaseSpan, Provenance, Record, Trace};
use crate::traffic::hash::schedule_hash;
use crate::traffic::{Schedule, Workload};
use crate::units::{Bytes, SinceStart};

/// How long the driver is waited for when the service is gone or the user is in a hurry: what it still tells are the last counts.
const LAST_COUNTS_TIMEOUT: Duration = Duration::from_secs(2);
/// Live bytes that come later than this belong to another moment than the sample.
const LIVE_TIMEOUT: Duration = Duration::from_millis(300);
/// The kernel's counts of out-of-memory kills are noted anew every so many samples.
const SAMPLES_PER_OOM_BASELINE: u64 = 30;

/// A cell that is to be soaked.
#[derive(Debug, Clone, Copy)]
pub struct Soaking<'r> {
    /// The scenario.
    pub scenario: &'r Scenario,
    /// The plan that the cell is of.
    pub plan: &'r Plan,
    /// The cell.
    pub cell: &'r Cell,
    /// What the scenario's paths are relative to.
    pub scenario_folder: &'r Path,
    /// What is known of the service's origin and the host.
    pub provenance: &'r Provenance,
    /// What is started.
    pub binary: Binary<'r>,
    /// Where the trace goes.
    pub folder: &'r RunFolder,
}

/// What is started as the service of a cell.
#[derive(Debug, Clone, Copy)]
pub enum Binary<'r> {
    /// The command of the scenario.
    Command,
    /// What was built.
    Built(&'r Built),
    /// Nothing: the build failed, with this message.
    Failed(&'r str),
}

/// Why no trace could be written. What is wrong with the service is in the trace, and no error.
#[derive(Debug, Error)]
pub enum CellError {
    /// The results cannot be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// steep does not know where it is itself.
    #[error("steep's own program cannot be found: {0}")]
    OwnProgram(std::io::Error),
}

/// Why a cell did not come to be loaded.
struct NotLoaded {
    reason: EndReason,
    message: String,
}

impl NotLoaded {
    fn new(reason: EndReason, message: &(impl ToString + ?Sized)) -> Self {
        Self { reason, message: message.to_string() }
    }
}

/// Soaks a cell and gives its trace.
///
/// # Errors
/// Only where the trace cannot be written; everything else is told in the trace.
pub async fn soak(
    soaking: &Soaking<'_>,
    progress: &mut Progress,
    mut interrupted: watch::Receiver<u32>,
) -> Result<Trace, CellError> {
    let attempt = soaking.folder.begin_attempt(&soaking.cell.id)?;
    let cell_folder = soaking.folder.cell(&soaking.cell.id);
    let cell_folder = cell_folder.canonicalize().unwrap_or(cell_folder);
    let mut writer = TraceWriter::create(&cell_folder)?;
    let prepared = tokio::select! {
        prepared = prepare(soaking, &cell_folder) => prepared?,
        // Leaving drops whatever was started, and its supervisor ends it.
        _ = interrupted.wait_for(|raised| *raised > 0) => {
            Err(NotLoaded::new(EndReason::Interrupted, "interrupted while the service was started"))
        }
    };
    writer.write(&Record::Header(Box::new(header(soaking, attempt))))?;
    match prepared {
        Ok((service, driver)) => Loaded::begin(soaking, service, driver, writer).run(progress, interrupted).await?,
        Err(NotLoaded { reason, message }) => {
            writer.write(&Record::End(End { reason, message, ..End::default() }))?;
        }
    }
    Ok(read_trace(&cell_folder)?)
}

/// The service started and seen to be what the cell says, and the driver connected to it.
async fn prepare(
    soaking: &Soaking<'_>,
    cell_folder: &Path,
) -> Result<Result<(RunningService, Driver), NotLoaded>, CellError> {
    let steep = own_program().map_err(CellError::OwnProgram)?;
    let Soaking { scenario, cell, .. } = soaking;
    let settings = settings(scenario, cell);
    let binary = match soaking.binary {
        Binary::Command => None,
        Binary::Built(built) => Some(built.path.canonicalize().unwrap_or_else(|_| built.path.clone())),
        Binary::Failed(message) => return Ok(Err(NotLoaded::new(EndReason::BuildFailed, &message))),
    };
    let place = CellPlace {
        scenario_folder: soaking.scenario_folder,
        cell_folder,
        steep: &steep,
        binary: binary.as_deref(),
        env: &settings.env,
        args: &settings.args,
    };
    let mut service = match start(&scenario.service, &scenario.dependencies, &place).await {
        Ok(service) => service,
        Err(error) => return Ok(Err(NotLoaded::new(EndReason::NotReady, &error))),
    };
    let connected = match verified(soaking, &service).await {
        Ok(()) => connect(scenario, &service).await,
        Err(not_verified) => Err(not_verified),
    };
    Ok(match connected {
        Ok(driver) => Ok((service, driver)),
        Err(not_loaded) => {
            service.stop().await;
            Err(not_loaded)
        }
    })
}

/// Whether each flag took effect that says how to see it, and the probe answers where there is one.
async fn verified(soaking: &Soaking<'_>, service: &RunningService) -> Result<(), NotLoaded> {
    for flag in &soaking.scenario.flags {
        let Some(verify) = &flag.verify else { continue };
        let on = soaking.cell.flags.contains(&flag.name);
        let is_so = probe::verify(&service.client, &service.url, verify, on).await;
        match is_so {
            Ok(true) => {}
            Ok(false) => {
                let (wanted, contains) = if on { ("on", "does not contain") } else { ("off", "contains") };
                let message = format!(
                    "flag \"{}\" is to be {wanted}, and the answer to GET {} {contains} {:?}: it did not take effect, or its `verify` is wrong",
                    flag.name, verify.path, verify.contains
                );
                return Err(NotLoaded::new(EndReason::NotVerified, &message));
            }
            Err(error) => {
                return Err(NotLoaded::new(EndReason::NotVerified, &format!("flag \"{}\": {error}", flag.name)));
            }
        }
    }
    let Some(path) = &soaking.scenario.service.probe else { return Ok(()) };
    match probe::live_bytes(&service.client, &format!("{}{path}", service.url)).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            let message = "the probe does not count: install steep_probe::Counted as the global allocator, or take out service.probe";
            Err(NotLoaded::new(EndReason::NotVerified, &message))
        }
        Err(error) => Err(NotLoaded::new(EndReason::NotVerified, &error)),
    }
}

async fn connect(scenario: &Scenario, service: &RunningService) -> Result<Driver, NotLoaded> {
    let port = service.port.to_string();
    let schedule = Schedule::new(Workload::of(scenario), |name| (name == "port").then(|| port.clone()))
        .map_err(|error| NotLoaded::new(EndReason::Failed, &error))?;
    let spec = DriverSpec {
        url: service.url.clone(),
        http: scenario.http.clone(),
        load: scenario.load.clone(),
        requests: scenario.requests.clone(),
    };
    Driver::connect(spec, schedule).await.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        NotLoaded::new(
            EndReason::Failed,
            &format!("{error}{cause}; lower http.connections, or look why the service refuses them"),
        )
    })
}

fn header(soaking: &Soaking<'_>, attempt: u32) -> Header {
    let Soaking { scenario, plan, cell, .. } = soaking;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let settings = settings(scenario, cell);
    let (built, mut command) = match soaking.binary {
        Binary::Built(built) => (Some(built), vec![built.path.display().to_string()]),
        Binary::Command | Binary::Failed(_) => (None, Vec::new()),
    };
    if let Program::Command(words) = &scenario.service.program {
        command.extend(words.iter().map(ToString::to_string));
    }
    command.extend(scenario.service.args.iter().map(ToString::to_string).chain(settings.args.iter().cloned()));
    let names = |flag: &crate::scenario::Flag| flag.name.clone();
    Header {
        format: FORMAT.to_owned(),
        scenario: scenario.name.clone(),
        cell: cell.id.clone(),
        flags: cell.flags.clone(),
        known_flags: scenario.flags.iter().map(names).collect(),
        unverified_flags: scenario.flags.iter().filter(|flag| flag.verify.is_none()).map(names).collect(),
        axes: cell.axes.clone(),
        replicate: cell.replicate,
        attempt,
        seed: scenario.seed,
        plan_hash: plan.hash.clone(),
        schedule_hash: schedule_hash(Workload::of(scenario)).unwrap_or_default(),
        started: wall_clock(),
        started_unix_s: since_1970.as_secs_f64(),
        started_boot_s: Moment::now().since_boot.as_secs_f64(),
        phases: PhaseSpan::chain(&scenario.phases),
        sampling_every_s: scenario.sampling.every.as_secs_f64(),
        judge: scenario.judge.clone(),
        memory_limit_bytes: scenario.service.memory_limit_bytes,
        provenance: of_cell(soaking.provenance, plan, cell, built, command, &settings.env),
    }
}

/// A cell under load.
struct Loaded<'r> {
    soaking: &'r Soaking<'r>,
    service: RunningService,
    driver: Driver,
    sampler: Sampler,
    writer: TraceWriter,
    soak: Soak,
    origin: Instant,
    clock: Moment,
    phase: &'r str,
    samples: u64,
    memory_at_start: Option<Bytes>,
    driver_end: Option<Box<DriverEnd>>,
    exit: Option<Exit>,
    killed_after_grace: bool,
    /// What the reason of the end does not say.
    message: String,
}

/// What woke the loop.
enum Woken {
    Soak(Event),
    Driver(Option<DriverEvent>),
    Ended(crate::shell::service::Ended),
}

impl<'r> Loaded<'r> {
    fn begin(soaking: &'r Soaking<'r>, service: RunningService, driver: Driver, writer: TraceWriter) -> Self {
        let scenario = soaking.scenario;
        let sampler = Sampler::begin(service.process.supervisor_pid(), &service.dependency_supervisors());
        let soak = Soak::new(PhaseSpan::chain(&scenario.phases), scenario.sampling.every);
        let origin = Instant::now();
        driver.begin(origin);
        Self {
            soaking,
            service,
            driver,
            sampler,
            writer,
            soak,
            origin,
            clock: Moment::now(),
            phase: "",
            samples: 0,
            memory_at_start: None,
            driver_end: None,
            exit: None,
            killed_after_grace: false,
            message: String::new(),
        }
    }

    fn now(&self) -> SinceStart {
        SinceStart::new(self.origin.elapsed())
    }

    async fn run(mut self, progress: &mut Progress, mut interrupted: watch::Receiver<u32>) -> Result<(), CellError> {
        // An interrupt that came before is seen as well.
        interrupted.mark_changed();
        let mut heard = 0;
        loop {
            let event = match self.wake(&mut interrupted, &mut heard).await {
                Woken::Soak(event) => event,
                Woken::Driver(Some(DriverEvent::Finished(end))) => {
                    self.driver_end = Some(end);
                    Event::Drained
                }
                Woken::Driver(Some(DriverEvent::Traffic(traffic))) => {
                    self.writer.write(&Record::Traffic(traffic))?;
                    continue;
                }
                Woken::Driver(Some(DriverEvent::Starved(starved))) => {
                    self.writer.write(&Record::Disturbance(starved))?;
                    continue;
                }
                Woken::Driver(None) => {
                    "the driver's thread ended unexpectedly".clone_into(&mut self.message);
                    return self.finish(EndReason::Failed).await;
                }
                Woken::Ended(ended) => {
                    self.exit = Some(ended.exit);
                    if ended.who != Who::Service {
                        self.message = format!("{} ended by itself: {}", ended.who, ended.exit);
                    }
                    Event::Exited
                }
            };
            let now = self.now();
            for action in self.soak.handle(now, event) {
                if let Some(reason) = self.act(now, action, progress).await? {
                    // A dependency that ends is nobody's crash.
                    let reason = if reason == EndReason::Crashed && !self.message.is_empty() {
                        EndReason::Failed
                    } else {
                        reason
                    };
                    return self.finish(reason).await;
                }
            }
        }
    }

    async fn wake(&mut self, interrupted: &mut watch::Receiver<u32>, heard: &mut u32) -> Woken {
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
                event = self.driver.next_event(), if self.driver_end.is_none() => return Woken::Driver(event),
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
    ) -> Result<Option<EndReason>, CellError> {
        match action {
            Action::EnterPhase(index) => {
                let phase = &self.soaking.scenario.phases[index];
                self.phase = &phase.name;
                self.writer.write(&Record::Phase(PhaseChange { t_s: now, phase: phase.name.clone() }))?;
            }
            Action::Disturb(disturbance) => self.writer.write(&Record::Disturbance(disturbance))?,
            Action::Sample => self.sample(now, progress).await?,
            Action::StopLoad => self.driver.stop(),
            Action::StopService => {
                let stopped = self.service.stop().await;
                self.exit = Some(stopped.exit);
                self.killed_after_grace = stopped.killed_after_grace;
                if stopped.something_left {
                    progress.say("warning: some process of the service could not be killed");
                }
            }
            Action::End(reason) => return Ok(Some(reason)),
        }
        Ok(None)
    }

    async fn sample(&mut self, now: SinceStart, progress: &mut Progress) -> Result<(), CellError> {
        // None: the service is gone, and its end is on the way.
        let Some(mut sample) = self.sampler.sample(now) else { return Ok(()) };
        sample.requests = self.driver.completed().by_name();
        sample.live = self.live_bytes().await;
        self.samples += 1;
        if self.samples.is_multiple_of(SAMPLES_PER_OOM_BASELINE) {
            self.service.process.refresh_oom_baseline();
        }
        let memory = sample.live.map_or_else(|| sample.memory.judged(), |live| live.live_bytes);
        let moment = progress::Moment {
            at: now,
            total: self.soaking.plan.cell_duration,
            phase: self.phase,
            memory,
            memory_at_start: *self.memory_at_start.get_or_insert(memory),
            completed: sample.requests.values().sum(),
        };
        self.writer.write(&Record::Sample(sample))?;
        progress.update(&moment);
        Ok(())
    }

    async fn live_bytes(&self) -> Option<Live> {
        let path = self.soaking.scenario.service.probe.as_ref()?;
        let url = format!("{}{path}", self.service.url);
        timeout(LIVE_TIMEOUT, probe::live_bytes(&self.service.client, &url)).await.ok()?.ok()?
    }

    /// Hears the driver out, ends what still runs, and writes the last line.
    async fn finish(mut self, reason: EndReason) -> Result<(), CellError> {
        let ended_at = self.now();
        self.driver.stop();
        while self.driver_end.is_none() {
            match timeout(LAST_COUNTS_TIMEOUT, self.driver.next_event()).await {
                Ok(Some(DriverEvent::Finished(end))) => self.driver_end = Some(end),
                Ok(Some(DriverEvent::Traffic(traffic))) => self.writer.write(&Record::Traffic(traffic))?,
                Ok(Some(DriverEvent::Starved(starved))) => self.writer.write(&Record::Disturbance(starved))?,
                Ok(None) | Err(_) => break,
            }
        }
        self.service.stop().await;
        if let Some(problem) = self.service.process.log_problem() {
            self.message = format!("{}{}{problem}", self.message, if self.message.is_empty() { "" } else { "; " });
        }
        if reason == EndReason::Crashed && self.message.is_empty() {
            self.message = self.service.process.last_lines().join("\n");
        }
        let mut end = End {
            t_s: ended_at,
            reason,
            message: self.message,
            exit: self.exit,
            killed_after_grace: self.killed_after_grace,
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
