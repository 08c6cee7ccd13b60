//! Turns the service and the dependencies of a scenario, and what a cell adds to them, into running processes that are ready.
//!
//! Dependencies are started in order, each ready and with its `before_cell` done before the next; then the service. They are stopped in
//! reverse. All run in the folder of the scenario; their output goes to `service.log`, `<name>.log` and `<name>.before_cell.log` of the cell.

pub mod failure;
pub mod launching;
pub mod names;
pub mod ready;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use reqwest::Client;
use tokio::time::timeout;

use crate::scenario::config::Patch;
use crate::scenario::{Dependency, Protocol, Ready, Service, Stop, StopSignal};
use crate::shell::access::Access;
use crate::shell::process::{Launch, Process, Stopped};
use crate::trace::Exit;
use failure::{LastWords, ServiceError, Who};
use launching::Preparation;
use names::{Names, free_ports};
use ready::{NotReady, Question, wait_until_ready};

/// How long `before_cell` may take: filling a database takes minutes, and a command that hangs must not take the night.
pub const BEFORE_CELL_TIMEOUT: Duration = Duration::from_mins(10);

/// How a `before_cell` that takes too long is ended.
const BEFORE_CELL_STOP: Stop = Stop { signal: StopSignal::Term, grace: Duration::from_secs(5) };

/// Where a cell runs and what it adds to the service of the scenario.
#[derive(Debug, Clone, Copy)]
pub struct CellPlace<'a> {
    /// The folder of the scenario file, absolute.
    pub scenario_folder: &'a Path,
    /// The cell's folder, absolute; `{{dir}}`.
    pub cell_folder: &'a Path,
    /// steep's own program, see [`crate::shell::process::own_program`].
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
    pub client: &'a Client,
}

/// A service that is ready, and all that it needs.
#[derive(Debug)]
pub struct RunningService {
    /// Its process.
    pub process: Process,
    /// What it needs, in the order that they were started in.
    pub dependencies: Vec<RunningDependency>,
    /// Its base address, without a slash at its end.
    pub url: String,
    /// Its port, `{{port}}`.
    pub port: u16,
    /// Ports of the dependencies, by name.
    pub dependency_ports: BTreeMap<String, u16>,
    /// For questions beside the load.
    pub client: Client,
    stop: Stop,
}

/// A dependency that is ready.
#[derive(Debug)]
pub struct RunningDependency {
    /// Its name.
    pub name: String,
    /// Its process.
    pub process: Process,
    stop: Stop,
}

/// Something ended that was to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Who.
    pub who: Who,
    /// How.
    pub exit: Exit,
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
    let client = Access::default().client(Protocol::Http1).map_err(ServiceError::Client)?;
    let mut running = Vec::new();
    let started = start_all(service, dependencies, place, &client, &mut running).await;
    match started {
        Ok((Started { process, port, url }, dependency_ports)) => {
            let stop = service.stop.clone();
            let client = place.client.clone();
            Ok(RunningService { process, dependencies: running, url, port, dependency_ports, client, stop })
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
    client: &Client,
    running: &mut Vec<RunningDependency>,
) -> Result<(Started, BTreeMap<String, u16>), ServiceError> {
    // All ports are picked first: a dependency may be told of one that comes after it.
    let ports = free_ports(dependencies.len()).map_err(ServiceError::Port)?;
    let by_name: BTreeMap<String, u16> =
        dependencies.iter().map(|dependency| dependency.name.clone()).zip(ports.iter().copied()).collect();
    for (dependency, &port) in dependencies.iter().zip(&ports) {
        let names = Names::new(port, place.cell_folder, &by_name);
        running.push(start_dependency(dependency, place, names, port, client).await?);
        before_cell(dependency, place, Names::new(port, place.cell_folder, &by_name)).await?;
    }
    let started = match start_service(service, place, &by_name).await {
        // Another program was faster to take the port between its picking and its use. Once: a service that listens on a
        // fixed port of its own fails on it each time.
        Err(error) if error.is_port_taken() => start_service(service, place, &by_name).await,
        started => started,
    };
    Ok((started?, by_name))
}

/// A service that is ready.
struct Started {
    process: Process,
    port: u16,
    url: String,
}

async fn start_service(
    service: &Service,
    place: &CellPlace<'_>,
    dependency_ports: &BTreeMap<String, u16>,
) -> Result<Started, ServiceError> {
    let port = free_ports(1).map_err(ServiceError::Port)?[0];
    let names = Names::new(port, place.cell_folder, dependency_ports);
    let preparation = Preparation { who: Who::Service, place, names };
    let url = preparation.fill("url", &service.url)?.trim_end_matches('/').to_owned();
    let question = preparation.question(&service.ready.check, &url)?;
    let launch = preparation.service(service)?;
    let asked = Asked { question, limit: service.ready.timeout, port, stop: &service.stop };
    let process = start_ready(Who::Service, &launch, place, place.client, Some(asked)).await?;
    Ok(Started { process, port, url })
}

async fn start_dependency(
    dependency: &Dependency,
    place: &CellPlace<'_>,
    names: Names,
    port: u16,
    client: &Client,
) -> Result<RunningDependency, ServiceError> {
    let who = Who::Dependency(dependency.name.clone());
    let preparation = Preparation { who: who.clone(), place, names };
    let base = format!("http://127.0.0.1:{port}");
    let asked = match &dependency.ready {
        Some(Ready { check, timeout }) => {
            let question = preparation.question(check, &base)?;
            Some(Asked { question, limit: *timeout, port, stop: &dependency.stop })
        }
        None => None,
    };
    let launch = preparation.dependency(dependency)?;
    let process = start_ready(who, &launch, place, client, asked).await?;
    Ok(RunningDependency { name: dependency.name.clone(), process, stop: dependency.stop.clone() })
}

/// How readiness is asked for, and what is done where it does not come.
struct Asked<'a> {
    question: Question,
    limit: Duration,
    port: u16,
    stop: &'a Stop,
}

async fn start_ready(
    who: Who,
    launch: &Launch,
    place: &CellPlace<'_>,
    client: &Client,
    asked: Option<Asked<'_>>,
) -> Result<Process, ServiceError> {
    let started = Process::start(launch, place.steep).await;
    let mut process = started.map_err(|source| ServiceError::Start { who: who.clone(), source })?;
    let Some(Asked { question, limit, port, stop }) = asked else { return Ok(process) };
    let Err(not_ready) = wait_until_ready(&mut process, client, &question, limit).await else {
        // A service may move itself to a cgroup of its own while it starts.
        process.refresh_oom_baseline();
        return Ok(process);
    };
    // Also where it has ended by itself: its children may run, and its last lines may not have been read.
    process.stop(stop).await;
    let last = last_words(&process, launch);
    Err(match not_ready {
        NotReady::Ended(exit) => ServiceError::Ended { who, exit, port, last },
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
            Ended { who, exit: process.wait().await }
        }
        let mut waiting: Vec<Waiting<'_>> = vec![Box::pin(end_of(Who::Service, &mut self.process))];
        for dependency in &mut self.dependencies {
            let who = Who::Dependency(dependency.name.clone());
            waiting.push(Box::pin(end_of(who, &mut dependency.process)));
        }
        poll_fn(|context| {
            waiting
                .iter_mut()
                .find_map(|each| match each.as_mut().poll(context) {
                    Poll::Ready(ended) => Some(Poll::Ready(ended)),
                    Poll::Pending => None,
                })
                .unwrap_or(Poll::Pending)
        })
        .await
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
