//! Turns the service and the dependencies of a scenario, and what a cell adds to them, into running processes that are
//! ready.
//!
//! Dependencies are started in order, each ready and with its `before_cell` done before the next; then the service.
//! They are stopped in reverse. All run in the folder of the scenario; their output goes to `service.log`, `<name>.log`
//! and `<name>.before_cell.log` of the cell.

mod answering;
pub mod failure;
pub mod launching;
pub mod names;
pub mod ready;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::time::timeout;

use crate::shell::access::Access;
use crate::shell::listener::{Answerer, Stranger, Watch};
use crate::shell::loopback::{Client, Endpoint};
use crate::shell::ports::Port;
use crate::shell::process::{Launch, Process, Stopped};
use answering::Cast;
use failure::{LastWords, ServiceError, Who};
use launching::Preparation;
use names::{Names, end_with_port_taken, say_port_taken};
use ready::{Answered, Asking, NotReady, Question, wait_until_ready};
use steep_core::scenario::config::Patch;
use steep_core::scenario::{Dependency, Protocol, Ready, Service, Stop, StopSignal};
use steep_core::trace::Exit;

/// How long `before_cell` may take: filling a database takes minutes, and a command that hangs must not take the night.
const BEFORE_CELL_TIMEOUT: Duration = Duration::from_mins(10);

/// How a `before_cell` that takes too long is ended.
const BEFORE_CELL_STOP: Stop = Stop { signal: StopSignal::Term, grace: Duration::from_secs(5) };

/// Where a cell runs and what it adds to the service of the scenario.
#[derive(Debug, Clone, Copy)]
pub struct CellPlace<'a> {
    /// The folder of the scenario file, absolute.
    pub scenario_folder: &'a Path,
    /// The cell's folder, absolute; `{{dir}}`.
    pub cell_folder: &'a Path,
    /// steep's own program, see [`crate::shell::own_program::own_program`].
    pub steep: &'a Path,
    /// The binary that was built for the cell, where the service is a cargo package.
    pub binary: Option<&'a Path>,
    /// Variables that the cell sets (`Some`) or takes out (`None`), over those of the scenario.
    pub env: &'a BTreeMap<String, Option<String>>,
    /// Arguments that the cell adds.
    pub args: &'a [String],
    /// Values that the cell writes into files of the service.
    pub patches: &'a [Patch],
    /// For questions to the service: trusts it and is let in. Dependencies are asked without secrets.
    pub access: &'a Access,
    /// What the service speaks.
    pub protocol: Protocol,
    /// Whether a program that looks up the service's name by itself makes the load: then each of its addresses must be
    /// the service's.
    pub is_loaded_by_name: bool,
}

/// A service that is ready, and all that it needs.
#[derive(Debug)]
pub struct RunningService {
    /// Its process.
    pub process: Process,
    /// What it needs, in the order that they were started in.
    pub dependencies: Vec<RunningDependency>,
    /// Its base address, as it was found to be answered by it; where the scenario names none, nothing is asked there.
    pub endpoint: Endpoint,
    /// Its port, `{{port}}`; claimed until it is gone.
    pub port: Port,
    /// Ports of the dependencies, by name.
    pub dependency_ports: BTreeMap<String, u16>,
    /// For questions beside the load.
    pub client: Client,
    /// What cannot be known of who answers, in words.
    pub unknown: Vec<String>,
    /// None: nothing is asked of it.
    watch: Option<Watch>,
    /// Whether it said that an address was in use, and became ready all the same.
    did_without_address: bool,
    stop: Stop,
}

/// A dependency that is ready.
#[derive(Debug)]
pub struct RunningDependency {
    /// Its name.
    pub name: String,
    /// Its process.
    pub process: Process,
    /// Its port; claimed until it is gone.
    pub port: Port,
    /// Where it said to be ready.
    ready_at: Option<Endpoint>,
    /// What cannot be known of it, in words.
    unknown: Option<String>,
    stop: Stop,
}

/// Something ended that was to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Who.
    pub who: Who,
    /// How.
    pub exit: Exit,
    /// Whether somebody had its supervisor end it, so that it is not its own doing.
    pub was_asked: bool,
}

/// Starts the dependencies and the service, and waits until all are ready.
///
/// # Errors
/// What keeps one of them from running; whatever was started is stopped again then.
pub async fn start(
    service: &Service,
    dependencies: &[Dependency],
    place: &CellPlace<'_>,
) -> Result<RunningService, ServiceError> {
    let mut running = Vec::new();
    let started = start_all(service, dependencies, place, &mut running).await;
    match started {
        Ok((started, dependency_ports)) => {
            let Started { process, port, endpoint, client, watch, unknown } = started;
            let stop = service.stop.clone();
            let did_without_address = say_port_taken(&process.last_lines());
            let mut all_unknown: Vec<String> = running.iter().filter_map(|running| running.unknown.clone()).collect();
            all_unknown.extend(unknown);
            let unknown = all_unknown;
            Ok(RunningService {
                process,
                dependencies: running,
                endpoint,
                port,
                dependency_ports,
                client,
                unknown,
                watch,
                did_without_address,
                stop,
            })
        }
        Err(error) => {
            stop_dependencies(&mut running).await;
            Err(error)
        }
    }
}

async fn start_all(
    service: &Service,
    dependencies: &[Dependency],
    place: &CellPlace<'_>,
    running: &mut Vec<RunningDependency>,
) -> Result<(Started, BTreeMap<String, u16>), ServiceError> {
    // All ports are picked first: a dependency may be given one that comes after it.
    let ports: io::Result<Vec<Port>> = dependencies.iter().map(|_| Port::pick()).collect();
    let ports = ports.map_err(ServiceError::Port)?;
    let by_name: BTreeMap<String, u16> =
        dependencies.iter().map(|dependency| dependency.name.clone()).zip(ports.iter().map(Port::number)).collect();
    for (dependency, port) in dependencies.iter().zip(ports) {
        let names = Names::new(port.number(), place.cell_folder, &by_name);
        running.push(start_dependency(dependency, place, names.clone(), port, running).await?);
        before_cell(dependency, place, names).await?;
    }
    let started = match start_service(service, place, &by_name, running).await {
        // Another program was faster to take the port between its release and its use. Once: a service that listens on
        // a fixed port of its own fails on it each time.
        Err(error) if error.is_port_taken() => start_service(service, place, &by_name, running).await,
        started => started,
    };
    Ok((started?, by_name))
}

/// A service that is ready.
struct Started {
    process: Process,
    port: Port,
    endpoint: Endpoint,
    client: Client,
    watch: Option<Watch>,
    unknown: Vec<String>,
}

async fn start_service(
    service: &Service,
    place: &CellPlace<'_>,
    dependency_ports: &BTreeMap<String, u16>,
    dependencies: &[RunningDependency],
) -> Result<Started, ServiceError> {
    let who = Who::Service;
    let mut port = Port::pick().map_err(ServiceError::Port)?;
    let names = Names::new(port.number(), place.cell_folder, dependency_ports);
    let preparation = Preparation { who: who.clone(), place, names };
    let url = match &service.url {
        Some(url) => preparation.fill("url", url)?,
        None => format!("http://127.0.0.1:{}", port.number()),
    };
    let endpoint = preparation.endpoint(&url).await?;
    let question = match &service.ready {
        Some(Ready { check, timeout }) => Some((preparation.question(check, &endpoint).await?, *timeout)),
        None => None,
    };
    let cast = Cast::of(&endpoint, dependencies, place.is_loaded_by_name);
    let asked_at = question.as_ref().map(|(question, _)| &question.endpoint);
    for endpoint in service.url.iter().map(|_| &endpoint).chain(asked_at) {
        if let Some(stranger) = cast.taken(endpoint) {
            let stranger = Box::new(stranger);
            return Err(ServiceError::PortTaken { who, stranger, port: port.number(), last: None });
        }
    }
    let launch = preparation.service(service)?;
    let asked = question.map(|(question, limit)| Asked {
        question,
        limit,
        stop: &service.stop,
        cast: &cast,
        may_be_elsewhere: false,
        access: place.access,
        protocol: place.protocol,
    });
    let (mut process, answered) = start_ready(&who, &launch, place, &mut port, asked).await?;
    let mut unknown: Vec<String> = answered.and_then(|answered| answered.unknown).into_iter().collect();
    let client = |endpoint: &Endpoint| place.access.client(place.protocol, endpoint).map_err(ServiceError::Client);
    if service.url.is_none() {
        return Ok(Started { process, port, client: client(&endpoint)?, endpoint, watch: None, unknown });
    }
    let settled = cast.settle(&endpoint, process.supervisor_pid());
    match settled.and_then(|settled| Ok((client(&settled.endpoint)?, settled))) {
        Ok((client, settled)) => {
            unknown.extend(settled.unknown);
            unknown.dedup();
            Ok(Started { process, port, endpoint: settled.endpoint, client, watch: Some(settled.watch), unknown })
        }
        Err(error) => {
            process.stop(&service.stop).await;
            Err(error.with_last_words(port.number(), last_words(&process, &launch)))
        }
    }
}

async fn start_dependency(
    dependency: &Dependency,
    place: &CellPlace<'_>,
    names: Names,
    mut port: Port,
    before: &[RunningDependency],
) -> Result<RunningDependency, ServiceError> {
    let who = Who::Dependency(dependency.name.clone());
    let preparation = Preparation { who: who.clone(), place, names };
    let base = preparation.endpoint(&format!("http://127.0.0.1:{}", port.number())).await?;
    let question = match &dependency.ready {
        Some(Ready { check, timeout }) => Some((preparation.question(check, &base).await?, *timeout)),
        None => None,
    };
    let cast = Cast::of(&base, before, false);
    let ready_at = question.as_ref().map(|(question, _)| question.endpoint.clone());
    if let Some(stranger) = ready_at.as_ref().and_then(|endpoint| cast.taken(endpoint)) {
        let stranger = Box::new(stranger);
        return Err(ServiceError::PortTaken { who, stranger, port: port.number(), last: None });
    }
    let access = Access::default();
    let asked = question.map(|(question, limit)| Asked {
        question,
        limit,
        stop: &dependency.stop,
        cast: &cast,
        // One that listens where nobody did before may run in a container that the command asks for.
        may_be_elsewhere: true,
        access: &access,
        protocol: Protocol::Http1,
    });
    let launch = preparation.dependency(dependency)?;
    let (process, answered) = start_ready(&who, &launch, place, &mut port, asked).await?;
    let unknown = answered.and_then(|answered| answering::of_dependency(&who, answered));
    Ok(RunningDependency {
        name: dependency.name.clone(),
        process,
        port,
        ready_at,
        unknown,
        stop: dependency.stop.clone(),
    })
}

/// How readiness is asked for, and what is done where it does not come.
struct Asked<'a> {
    question: Question,
    limit: Duration,
    stop: &'a Stop,
    cast: &'a Cast,
    may_be_elsewhere: bool,
    access: &'a Access,
    protocol: Protocol,
}

async fn start_ready(
    who: &Who,
    launch: &Launch,
    place: &CellPlace<'_>,
    port: &mut Port,
    asked: Option<Asked<'_>>,
) -> Result<(Process, Option<Answered>), ServiceError> {
    let started = Process::start_after(launch, place.steep, || port.release()).await;
    let mut process = started.map_err(|source| ServiceError::Start { who: who.clone(), source })?;
    let Some(Asked { question, limit, stop, cast, may_be_elsewhere, access, protocol }) = asked else {
        return Ok((process, None));
    };
    let watch = cast.watch(&question.endpoint, process.supervisor_pid());
    let last_watch = watch.clone();
    let asking = Asking { question: &question, limit, watch, may_be_elsewhere, access, protocol };
    let not_ready = match wait_until_ready(&mut process, asking).await {
        Ok(answered) => {
            // A service may move itself to a cgroup of its own while it starts.
            process.refresh_oom_baseline();
            return Ok((process, Some(answered)));
        }
        Err(not_ready) => not_ready,
    };
    // Also where it has ended by itself: its children may run, and its last lines may not have been read.
    process.stop(stop).await;
    let last = last_words(&process, launch);
    let (who, port) = (who.clone(), port.number());
    Err(match not_ready {
        NotReady::Ended(exit) => match last_watch.look_twice() {
            // It need not say so itself.
            Answerer::Stranger(stranger) => {
                ServiceError::PortTaken { who, stranger: Box::new(stranger), port, last: Some(last) }
            }
            _ => ServiceError::Ended { who, exit, port, last },
        },
        NotReady::Stranger(stranger) => {
            ServiceError::PortTaken { who, stranger: Box::new(stranger), port, last: Some(last) }
        }
        NotReady::Unseen(address) => ServiceError::Unseen { address },
        NotReady::Client(error) => ServiceError::Client(error),
        NotReady::Refused(answer) => ServiceError::Refused { who, answer: format!("{question} {answer}"), last },
        NotReady::TimedOut(answer) => {
            ServiceError::NotReady { who, limit, answer: format!("{question} {answer}"), last }
        }
    })
}

async fn before_cell(dependency: &Dependency, place: &CellPlace<'_>, names: Names) -> Result<(), ServiceError> {
    if dependency.before_cell.is_empty() {
        return Ok(());
    }
    let who = Who::BeforeCell(dependency.name.clone());
    let preparation = Preparation { who: who.clone(), place, names };
    let launch = preparation.before_cell(dependency)?;
    let started = Process::start(&launch, place.steep).await;
    let mut process = started.map_err(|source| ServiceError::Start { who: who.clone(), source })?;
    let ended = timeout(BEFORE_CELL_TIMEOUT, process.wait_until_gone()).await;
    match ended {
        Ok(Exit { code: Some(0), .. }) => Ok(()),
        Ok(exit) => Err(ServiceError::Failed { who, exit, last: last_words(&process, &launch) }),
        Err(_) => {
            process.stop(&BEFORE_CELL_STOP).await;
            Err(ServiceError::TooLong { who, limit: BEFORE_CELL_TIMEOUT, last: last_words(&process, &launch) })
        }
    }
}

fn last_words(process: &Process, launch: &Launch) -> LastWords {
    LastWords { lines: process.last_lines(), log: launch.log.clone() }
}

impl RunningService {
    /// Waits until the service or a dependency ends. May be dropped and called again at any time.
    pub async fn ended(&mut self) -> Ended {
        type Waiting<'a> = Pin<Box<dyn Future<Output = Ended> + 'a>>;
        async fn end_of(who: Who, process: &mut Process) -> Ended {
            let exit = process.wait().await;
            Ended { who, exit, was_asked: process.was_asked_to_end() }
        }
        let mut waiting: Vec<Waiting<'_>> = vec![Box::pin(end_of(Who::Service, &mut self.process))];
        for dependency in &mut self.dependencies {
            let who = Who::Dependency(dependency.name.clone());
            waiting.push(Box::pin(end_of(who, &mut dependency.process)));
        }
        select_all(waiting).await.0
    }

    /// Another program that answers in the service's place, now.
    pub fn stranger(&mut self) -> Option<Stranger> {
        match self.watch.as_mut()?.look() {
            Answerer::Stranger(stranger) => Some(stranger),
            Answerer::Nobody | Answerer::Own | Answerer::Unknown(_) => None,
        }
    }

    /// As [`RunningService::stranger`], unless that was looked for a moment ago.
    pub fn stranger_if_due(&mut self) -> Option<Stranger> {
        if self.watch.as_ref()?.is_due() { self.stranger() } else { None }
    }

    /// Why a service that `exit`ed by itself did not crash, in words: it did not get an address. Once it has been
    /// stopped, so that its last lines are read.
    pub fn why_no_crash(&mut self, exit: Exit) -> Option<String> {
        const SIGABRT: i32 = 6;
        // Programs say that an address is in use, and end; no signal but that of a failed assertion comes from it.
        if exit.oom_kill || exit.signal.is_some_and(|signal| signal != SIGABRT) {
            return None;
        }
        let ended = format!("the service ended by itself ({exit})");
        if let Some(stranger) = self.stranger() {
            return Some(format!("{stranger}; {ended}"));
        }
        let lines = self.process.last_lines();
        (!self.did_without_address && end_with_port_taken(&lines)).then(|| {
            format!(
                "{ended} because an address that it wanted was in use, which is not a crash of its own: {}",
                lines.join("\n")
            )
        })
    }

    /// Names and supervisors of the dependencies, as the sampler takes them.
    #[must_use]
    pub fn dependency_supervisors(&self) -> Vec<(String, u32)> {
        self.dependencies
            .iter()
            .map(|dependency| (dependency.name.clone(), dependency.process.supervisor_pid()))
            .collect()
    }

    /// As [`RunningService::stop`], without any grace.
    pub async fn stop_at_once(&mut self) -> Stopped {
        self.stop.grace = Duration::ZERO;
        for dependency in &mut self.dependencies {
            dependency.stop.grace = Duration::ZERO;
        }
        self.stop().await
    }

    /// Stops the service and then the dependencies, the last first. Says how the service ended, and whether anything of
    /// any of them is left.
    pub async fn stop(&mut self) -> Stopped {
        let stopped = self.process.stop(&self.stop).await;
        let dependencies_left = stop_dependencies(&mut self.dependencies).await;
        Stopped { something_left: stopped.something_left || dependencies_left, ..stopped }
    }
}

/// The last first; says whether anything of them is left.
async fn stop_dependencies(dependencies: &mut [RunningDependency]) -> bool {
    let mut left = false;
    for dependency in dependencies.iter_mut().rev() {
        left |= dependency.process.stop(&dependency.stop).await.something_left;
    }
    left
}
