//! One cell in the real world: starts the service, drives and samples it as [`Soak`] says, writes the trace, leaves
//! nothing behind.

mod early_stop;
mod observed;
mod source;
mod under_load;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::sync::watch;

use self::source::Source;
use self::under_load::CellUnderLoad;
use crate::shell::access::{Access, placeholder};
use crate::shell::build::Built;
use crate::shell::clock::wall_clock;
use crate::shell::driver::{Driver, DriverError, DriverSpec};
use crate::shell::external::{Counted, External, ReportedRequests, Requests};
use crate::shell::live::{self, Arranged, LiveError};
use crate::shell::own_program::own_program;
use crate::shell::preload::{self, PreloadError};
use crate::shell::probe;
use crate::shell::progress::Progress;
use crate::shell::provenance::of_cell;
use crate::shell::service::failure::{ServiceError, Who};
use crate::shell::service::launching::Preparation;
use crate::shell::service::names::Names;
use crate::shell::service::{CellPlace, RunningService, start};
use crate::shell::store::{RunFolder, StoreError, TraceWriter, read_trace};
use crate::shell::verification::{Observation, ObservationError, look, look_for, uses};
use steep_core::outcome::Recorded;
use steep_core::plan::{Cell, CellSettings, Plan, allocator_of, history, settings};
use steep_core::scenario::variable_of;
use steep_core::scenario::{self, Flag, KnownAllocator, LiveFrom, Model, Program, Proof, SYSTEM, Scenario, Supplies};
use steep_core::threshold::latency_limits;
use steep_core::trace::{End, EndReason, ExternalLoad, FORMAT, Header, PhaseSpan, Provenance, Record, Repeated};
use steep_core::traffic::hash::schedule_hash;
use steep_core::traffic::{Schedule, Workload};
use steep_judge::ids::hex;

/// A cell that is to be soaked.
#[derive(Debug, Clone, Copy)]
pub struct Soaking<'r> {
    /// The scenario.
    pub scenario: &'r Scenario,
    /// The files that its traffic is made of.
    pub supplies: &'r Supplies,
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
    /// That the cell was soaked before, and why that does not count.
    pub repeated: Option<&'r Repeated>,
    /// Variables that are set beside the cell's own, to see what they change.
    pub added_env: &'r BTreeMap<String, String>,
    /// Mean bytes between two samples of stacks, where a preloaded library counts.
    pub sample_every: u64,
}

impl Soaking<'_> {
    /// The binary that was built.
    fn built(&self) -> Option<PathBuf> {
        let Binary::Built(built) = self.binary else { return None };
        Some(built.path.canonicalize().unwrap_or_else(|_| built.path.clone()))
    }
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
/// Only where the trace cannot be written; everything else is reported in the trace.
pub async fn soak(
    soaking: &Soaking<'_>,
    progress: &mut Progress,
    mut interrupted: watch::Receiver<u32>,
) -> Result<Recorded, CellError> {
    let attempt = soaking.folder.begin_attempt(&soaking.cell.id)?;
    let cell_folder = soaking.folder.cell(&soaking.cell.id);
    let cell_folder = cell_folder.canonicalize().unwrap_or(cell_folder);
    let mut writer = TraceWriter::create(&cell_folder)?;
    // Before anything is started: whenever steep is killed, the folder says which cell it was.
    let mut header = header(soaking, attempt);
    let counting = counting(soaking, &cell_folder);
    if counting.as_ref().is_ok_and(|counting| counting.arranged.preloaded.is_some()) {
        header.live_from = Some(LiveFrom::Preload);
    }
    writer.write(&Record::Header(Box::new(header.clone())))?;
    let prepared = tokio::select! {
        prepared = prepare(soaking, &cell_folder, counting) => prepared?,
        // Leaving drops whatever was started, and its supervisor ends it.
        _ = interrupted.wait_for(|raised| *raised > 0) => {
            Err(NotLoaded::new(EndReason::Interrupted, "interrupted while the service was started"))
        }
    };
    match prepared {
        Ok(prepared) => {
            let loaded = CellUnderLoad::begin(soaking, prepared, writer, &header)?;
            // What a soak holds is large, and whoever waits for it would have it on the stack.
            Box::pin(loaded.run(progress, interrupted)).await?;
        }
        Err(NotLoaded { reason, message }) => {
            writer.write(&Record::End(End { reason, message, ..End::default() }))?;
        }
    }
    Ok(read_trace(&cell_folder)?)
}

/// A cell that is ready for its load.
struct Prepared {
    service: RunningService,
    source: Source,
    /// What counts live bytes inside of it, where that is wanted.
    arranged: Arranged,
}

/// The service started and seen to be what the cell says, and the source of the load ready for it.
async fn prepare(
    soaking: &Soaking<'_>,
    cell_folder: &Path,
    counting: Result<WithCounting, NotLoaded>,
) -> Result<Result<Prepared, NotLoaded>, CellError> {
    let steep = own_program().map_err(CellError::OwnProgram)?;
    let scenario = soaking.scenario;
    let WithCounting { settings, env_without, mut arranged } = match counting {
        Ok(counting) => counting,
        Err(not_loaded) => return Ok(Err(not_loaded)),
    };
    let binary = match soaking.binary {
        Binary::Failed(message) => return Ok(Err(NotLoaded::new(EndReason::BuildFailed, &message))),
        Binary::Command | Binary::Built(_) => soaking.built(),
    };
    // Examined before the run; what went since then is reported in the cell.
    let access = match Access::of(scenario, soaking.scenario_folder) {
        Ok(access) => access,
        Err(error) => return Ok(Err(NotLoaded::new(EndReason::Failed, &error))),
    };
    let mut place = CellPlace {
        scenario_folder: soaking.scenario_folder,
        cell_folder,
        steep: &steep,
        binary: binary.as_deref(),
        env: &settings.env,
        args: &settings.args,
        patches: &settings.patches,
        access: &access,
        protocol: scenario.http.protocol,
        is_loaded_by_name: scenario.external.is_some(),
    };
    let mut started = start(&scenario.service, &scenario.dependencies, &place).await;
    // A program behind a wrapper may not bear it, as one with a sanitizer.
    if let (Err(ServiceError::Ended { who: Who::Service, .. }), true) = (&started, arranged.may_give_up()) {
        place.env = &env_without;
        started = start(&scenario.service, &scenario.dependencies, &place).await;
        arranged.give_up(started.is_ok());
    }
    let mut service = match started {
        Ok(service) => service,
        Err(error) => return Ok(Err(NotLoaded::new(EndReason::NotReady, &error))),
    };
    let connected = match switched(soaking, &settings, &service, &mut arranged).await {
        Ok(()) => match &scenario.external {
            None if scenario.load.model == Model::None => Ok(Source::nothing()),
            None => connect(soaking, access.clone(), &service).await.map(Source::Own),
            Some(external) => start_external(external, scenario, &service, &place).await,
        },
        Err(not_verified) => Err(not_verified),
    };
    Ok(match connected {
        Ok(source) => Ok(Prepared { service, source, arranged }),
        Err(not_loaded) => {
            service.stop().await;
            Err(not_loaded)
        }
    })
}

/// What the cell adds to the start of the service, with the file of what is preloaded in its environment.
fn settled(soaking: &Soaking<'_>) -> Result<CellSettings, PreloadError> {
    let mut settings = settings(soaking.scenario, soaking.cell);
    let added = soaking.added_env.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
    settings.env.extend(added);
    if let Some(library) = &settings.preload {
        let file = preload::find(library, soaking.scenario_folder)?;
        settings.env.insert(preload::VARIABLE.to_owned(), Some(file.display().to_string()));
    }
    Ok(settings)
}

/// The settings of a cell, and what counts live bytes in it.
struct WithCounting {
    settings: CellSettings,
    /// The variables among them as they are without the library.
    env_without: BTreeMap<String, Option<String>>,
    arranged: Arranged,
}

/// The same, and the library that counts live bytes, where the scenario wants it and the program takes it.
fn counting(soaking: &Soaking<'_>, cell_folder: &Path) -> Result<WithCounting, NotLoaded> {
    let not_verified = |message: &dyn ToString| NotLoaded::new(EndReason::NotVerified, &message.to_string());
    let mut settings = settled(soaking).map_err(|error| not_verified(&error))?;
    let mut env_without = settings.env.clone();
    let folders = (soaking.scenario_folder, cell_folder);
    let (scenario, built, every) = (soaking.scenario, soaking.built(), soaking.sample_every);
    let arranged = Arranged::before_start(scenario, folders, built.as_deref(), every, &mut settings)
        .map_err(|error| not_verified(&asked_for(&error)))?;
    let arranged = arranged.with_profiles(scenario, cell_folder, every, &whole_env(scenario, &settings));
    if let Some(profiles) = &arranged.profiles {
        profiles.add_to(&mut settings.env);
        profiles.add_to(&mut env_without);
    }
    Ok(WithCounting { settings, env_without, arranged })
}

fn asked_for(error: &LiveError) -> String {
    format!("service.live = \"preload\": {error}")
}

/// Sends what switches flags, and looks whether all took effect.
async fn switched(
    soaking: &Soaking<'_>,
    settings: &CellSettings,
    service: &RunningService,
    arranged: &mut Arranged,
) -> Result<(), NotLoaded> {
    for (flag, request) in &settings.requests {
        probe::switch(&service.client, request).await.map_err(|error| {
            NotLoaded::new(EndReason::NotVerified, &format!("flag \"{flag}\" could not be switched: {error}"))
        })?;
    }
    arranged
        .after_start(service.process.supervisor_pid())
        .await
        .map_err(|error| NotLoaded::new(EndReason::NotVerified, &asked_for(&error)))?;
    verified(soaking, service).await
}

/// Whether each flag took effect that says how to see it, the allocator is in use, and the probe answers where there is
/// one.
async fn verified(soaking: &Soaking<'_>, service: &RunningService) -> Result<(), NotLoaded> {
    let log = soaking.folder.cell(&soaking.cell.id).join(Who::Service.log_name());
    for flag in &soaking.scenario.flags {
        let Some(verify) = &flag.verify else { continue };
        let who = format!("flag \"{}\"", flag.name);
        if let Some(value) = flag.value_in(&soaking.cell.flags) {
            is_seen(&who, value, look(&verify.with_value(value), service, &log, true).await, true)?;
        } else {
            let on = soaking.cell.flags.contains(&flag.name);
            is_seen(&who, if on { "on" } else { "off" }, look(verify, service, &log, on).await, on)?;
        }
    }
    if let Some((name, allocator)) = allocator_of(soaking.scenario, &soaking.cell.axes) {
        let who = format!("allocator \"{name}\"");
        match allocator.proof(name) {
            Some(Proof::Said(verify)) => is_seen(&who, "in use", look(verify, service, &log, true).await, true)?,
            Some(Proof::Known(known)) => is_seen(&who, "in use", look_for(known, service), true)?,
            Some(Proof::Mapped(_)) | None => {}
        }
        // Also where something else is said of it: a library that was not loaded is in no doubt.
        if let Some(library) = &allocator.preload {
            preload::find(library, soaking.scenario_folder)
                .and_then(|file| preload::ensure_mapped_everywhere(&file, service.process.supervisor_pid()))
                .map_err(|error| NotLoaded::new(EndReason::NotVerified, &format!("{who}: {error}")))?;
        }
    }
    has_no_other(soaking, service)?;
    let counted = live::ensure_counted(soaking.scenario, &service.client).await;
    counted.map_err(|message| NotLoaded::new(EndReason::NotVerified, &message))
}

/// Where the system's allocator is to be in use, that none of the others is that the scenario compares it with: a
/// default feature, or a library of the base image, may have brought it.
fn has_no_other(soaking: &Soaking<'_>, service: &RunningService) -> Result<(), NotLoaded> {
    let Soaking { scenario, cell, .. } = soaking;
    let is_system = scenario.has_allocator(SYSTEM) && allocator_of(scenario, &cell.axes).is_none();
    let others = scenario.allocators.iter().filter(|(name, _)| is_system && scenario.has_allocator(name));
    for (name, allocator) in others {
        if let Some(known) = KnownAllocator::of(name) {
            let who = format!("allocator \"{SYSTEM}\"");
            let (place, is_there) = uses(known, service)
                .map_err(|error| NotLoaded::new(EndReason::NotVerified, &format!("{who}: {error}")))?;
            // Tuned by its environment alone, the other may be the service's own in every cell: then nothing is
            // compared with the system's.
            if is_there {
                let help = if allocator.features.is_empty() && allocator.preload.is_none() {
                    "take \"system\" out of the axis: what the environment tunes is in every cell"
                } else {
                    "take what brings it out of the service: a default feature, a dependency, LD_PRELOAD"
                };
                let message = format!("{who} is to be in use, and {place} has {}; {help}", known.name);
                return Err(NotLoaded::new(EndReason::NotVerified, &message));
            }
        }
    }
    Ok(())
}

/// Whether `flag` is a cargo feature, and what steep built for this cell has it exactly if the flag is on, as cargo
/// tells.
fn is_built_so(soaking: &Soaking<'_>, flag: &Flag) -> bool {
    match (flag.switch.feature(), soaking.binary) {
        (Some(feature), Binary::Built(built)) => {
            built.features.contains(feature) == soaking.cell.flags.contains(&flag.name)
        }
        _ => false,
    }
}

/// Whether what was looked for is there exactly when it is to be.
fn is_seen(
    who: &str,
    wanted_state: &str,
    sight: Result<Observation, ObservationError>,
    on: bool,
) -> Result<(), NotLoaded> {
    match sight {
        Ok(sight) if sight.is_there == on => Ok(()),
        Ok(Observation { place, wanted, .. }) => {
            let shows = if on { "does not show" } else { "shows" };
            let message = format!(
                "{who} is to be {wanted_state}, and {place} {shows} {wanted}: it did not take effect, or its `verify` is wrong"
            );
            Err(NotLoaded::new(EndReason::NotVerified, &message))
        }
        Err(error) => Err(NotLoaded::new(EndReason::NotVerified, &format!("{who}: {error}"))),
    }
}

/// The program that makes the load, started; the count of requests is read before.
async fn start_external(
    external: &scenario::External,
    scenario: &Scenario,
    service: &RunningService,
    place: &CellPlace<'_>,
) -> Result<Source, NotLoaded> {
    let counted = match &external.counter {
        Some(counter) => {
            let begun = Counted::begin(counter, &service.client).await;
            Requests::Service(begun.map_err(|error| NotLoaded::new(EndReason::NotVerified, &error))?)
        }
        None => Requests::Uncounted,
    };
    let names = Names::new(service.port.number(), place.cell_folder, &service.dependency_ports)
        .with_url(service.endpoint.text());
    let failed = |error: ServiceError| NotLoaded::new(EndReason::Failed, &error);
    let launch = Preparation { who: Who::Load, place, names }.load(&external.command, &scenario.load.cpus);
    let program = External::start(launch.map_err(failed)?, place.steep).await.map_err(failed)?;
    let requests = match &external.reported {
        Some(reported) => Requests::Program(ReportedRequests::begin(reported, &program, place.cell_folder)),
        None => counted,
    };
    Ok(Source::External(Box::new(program), Box::new(requests)))
}

async fn connect(soaking: &Soaking<'_>, access: Access, service: &RunningService) -> Result<Driver, NotLoaded> {
    let Soaking { scenario, supplies, .. } = soaking;
    let port = service.port.number().to_string();
    // A secret is filled in where a header is built: the schedule never has it.
    let cell_value = |name: &str| match variable_of(name) {
        Some(variable) => Some(placeholder(variable)),
        None => (name == "port").then(|| port.clone()),
    };
    let schedule = Schedule::new(Workload::of(scenario, supplies), cell_value)
        .map_err(|error| NotLoaded::new(EndReason::Failed, &error))?;
    let spec = DriverSpec {
        endpoint: service.endpoint.clone(),
        http: scenario.http.clone(),
        load: scenario.load.clone(),
        phases: scenario.phases.clone(),
        requests: scenario.requests.clone(),
        limits: latency_limits(&scenario.thresholds, &scenario.requests),
        access,
        seed: scenario.seed,
    };
    Driver::connect(spec, schedule).await.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        let help = match error {
            DriverError::Connect { .. } => "; lower http.connections, or look why the service refuses them",
            _ => "",
        };
        NotLoaded::new(EndReason::Failed, &format!("{error}{cause}{help}"))
    })
}

/// The variables of the service and those that the cell adds or takes out.
fn whole_env(scenario: &Scenario, settings: &CellSettings) -> BTreeMap<String, Option<String>> {
    let mut env: BTreeMap<String, Option<String>> =
        scenario.service.env.iter().map(|(name, value)| (name.clone(), Some(value.to_string()))).collect();
    env.extend(settings.env.clone());
    env
}

fn header(soaking: &Soaking<'_>, attempt: u32) -> Header {
    let Soaking { scenario, plan, cell, .. } = soaking;
    // A library that is not there is reported where the service is started.
    let settings = settled(soaking).unwrap_or_else(|_| settings(scenario, cell));
    let unproven = allocator_of(scenario, &cell.axes).filter(|(name, allocator)| allocator.proof(name).is_none());
    let (built, mut command) = match soaking.binary {
        Binary::Built(built) => (Some(built), vec![built.path.display().to_string()]),
        Binary::Command | Binary::Failed(_) => (None, Vec::new()),
    };
    if let Program::Command(words) = &scenario.service.program {
        command.extend(words.iter().map(ToString::to_string));
    }
    command.extend(scenario.service.args.iter().map(ToString::to_string).chain(settings.args.iter().cloned()));
    Header {
        format: FORMAT.to_owned(),
        scenario: scenario.name.clone(),
        cell: cell.id.clone(),
        flags: cell.flags.clone(),
        known_flags: scenario.flags.iter().flat_map(Flag::members).collect(),
        unverified_flags: scenario
            .flags
            .iter()
            .filter(|flag| flag.verify.is_none() && !is_built_so(soaking, flag))
            .flat_map(Flag::members)
            .collect(),
        unverified_allocator: unproven.map(|(name, _)| name.to_owned()),
        certificate_unchecked: scenario.http.tls.as_ref().is_some_and(|tls| tls.insecure),
        axes: cell.axes.clone(),
        history: history(scenario, &cell.axes),
        settings_sha256: hex(&Sha256::digest(settings.shown().as_bytes())),
        added_env: soaking.added_env.clone(),
        replicate: cell.replicate,
        attempt,
        repeated: soaking.repeated.cloned(),
        seed: scenario.seed,
        plan_hash: plan.hash.clone(),
        // Of a load that another program makes nothing is known.
        schedule_hash: schedule_hash(Workload::of(scenario, soaking.supplies)).unwrap_or_default(),
        begun: wall_clock(),
        phases: PhaseSpan::chain(&scenario.phases),
        sampling_every_s: scenario.sampling.every.as_secs_f64(),
        judge: scenario.judge.clone(),
        without_load: scenario.load.model == Model::None,
        users: scenario.load.model.users(),
        thresholds: scenario.thresholds.clone(),
        tolerate: scenario.tolerate.clone(),
        coded: scenario.code(),
        flow_of_steps: scenario.flow_of_steps(),
        connections: Header::kept_connections(scenario),
        external: ExternalLoad::of(scenario),
        memory_limit_bytes: scenario.service.memory_limit_bytes,
        probe: scenario.service.asked_probe().is_some(),
        live_from: scenario.service.live_from(),
        log_events: scenario.service.log_events.clone(),
        metrics: scenario.service.metrics.clone(),
        provenance: of_cell(soaking.provenance, plan, cell, built, command, &whole_env(scenario, &settings)),
    }
}
