//! Who is to answer where a process of a cell is asked and loaded: the service, and what the scenario puts in front of
//! it.

use super::RunningDependency;
use super::failure::{LastWords, ServiceError, Who};
use super::ready::Answered;
use crate::shell::listener::{Answerer, Stranger, Watch, taken};
use crate::shell::loopback::Endpoint;

/// The parts that the processes of a cell have, before the service itself is started.
#[derive(Debug)]
pub(super) struct Cast {
    /// Supervisors of the dependencies that the scenario puts in front of the service: those whose port its address
    /// names, or that say to be ready on it.
    front: Vec<u32>,
    front_names: Vec<String>,
    /// The other dependencies, as they are named in messages.
    others: Vec<(String, u32)>,
    /// Whether each address that a name stands for must be the service's.
    all_addresses: bool,
}

/// Where the service is asked and loaded from now on.
pub(super) struct Settled {
    /// One address, where it is known to answer there.
    pub(super) endpoint: Endpoint,
    /// Looks there.
    pub(super) watch: Watch,
    /// What cannot be known, in words.
    pub(super) unknown: Vec<String>,
}

impl Cast {
    /// Of what answers at `endpoint`, and `dependencies` that run already.
    pub(super) fn of(endpoint: &Endpoint, dependencies: &[RunningDependency], all_addresses: bool) -> Self {
        let is_in_front = |dependency: &&RunningDependency| {
            let ready_at = dependency.ready_at.as_ref().map(Endpoint::port);
            dependency.port.number() == endpoint.port() || ready_at == Some(endpoint.port())
        };
        let (front, others): (Vec<_>, Vec<_>) = dependencies.iter().partition(is_in_front);
        let supervisor = |dependency: &RunningDependency| dependency.process.supervisor_pid();
        Self {
            front: front.iter().map(|dependency| supervisor(dependency)).collect(),
            front_names: front.iter().map(|dependency| dependency.name.clone()).collect(),
            others: others
                .iter()
                .map(|dependency| (Who::Dependency(dependency.name.clone()).to_string(), supervisor(dependency)))
                .collect(),
            all_addresses,
        }
    }

    /// Who has the port before the process is started that is to listen on it.
    pub(super) fn taken(&self, endpoint: &Endpoint) -> Option<Stranger> {
        let at = |address| taken(&[address], self.front.clone(), self.others.clone());
        let strangers: Vec<Option<Stranger>> = endpoint.addresses().iter().map(|&address| at(address)).collect();
        // One address of a name is enough to listen on.
        let is_free = strangers.iter().any(Option::is_none) && !self.all_addresses;
        if is_free { None } else { strangers.into_iter().flatten().next() }
    }

    /// Looks at `endpoint` for what is below `supervisor`, and what is in front of it.
    pub(super) fn watch(&self, endpoint: &Endpoint, supervisor: u32) -> Watch {
        let may_answer = self.front.iter().copied().chain([supervisor]).collect();
        Watch::new(endpoint.addresses(), may_answer, self.others.clone())
    }

    /// Looks who answers at the service's address once it is ready, and stays with the address at which it does.
    ///
    /// # Errors
    /// Another program answers.
    pub(super) fn settle(&self, endpoint: &Endpoint, supervisor: u32) -> Result<Settled, ServiceError> {
        let mut watch = self.watch(endpoint, supervisor);
        let mut settled = endpoint.clone();
        // A stranger whose process is not to be seen is one at the second look only.
        watch.look();
        let (answerer, address) = if self.all_addresses { (watch.look(), None) } else { watch.settle() };
        let mut unknown = Vec::new();
        match answerer {
            Answerer::Stranger(stranger) => {
                return Err(ServiceError::PortTaken {
                    who: Who::Service,
                    stranger: Box::new(stranger),
                    port: 0,
                    last: None,
                });
            }
            Answerer::Unknown(why) => unknown.push(why),
            // Ready on another address than it is loaded at: connecting will tell.
            Answerer::Own | Answerer::Nobody => {}
        }
        if let Some(address) = address {
            settled = endpoint.at(address);
            watch = self.watch(&settled, supervisor);
            watch.look();
        }
        if let Some(other) = watch.shared_with() {
            unknown.push(format!(
                "which process takes the connections on {endpoint} (process {}, `{}`, has the listening socket as well)",
                other.pid, other.command
            ));
        }
        unknown.extend(self.front_names.iter().map(|name| {
            format!("how much of the load reaches the service (dependency `{name}` answers in front of it)")
        }));
        Ok(Settled { endpoint: settled, watch, unknown })
    }
}

impl ServiceError {
    /// The same, with what the process said that was started on `port`.
    pub(super) fn with_last_words(self, port: u16, last: LastWords) -> Self {
        match self {
            Self::PortTaken { who, stranger, .. } => Self::PortTaken { who, stranger, port, last: Some(last) },
            other => other,
        }
    }
}

/// What cannot be known of a dependency because of who answered for it.
pub(super) fn of_dependency(who: &Who, answered: Answered) -> Option<String> {
    let Answered { elsewhere, unknown, endpoint } = answered;
    let elsewhere = elsewhere.map(|stranger| {
        let named = stranger.process.map(|process| format!("process {}, `{}`", process.pid, process.command));
        let named = named.unwrap_or_else(|| format!("a process of user {}", stranger.user));
        format!("the memory of {who} ({named} listens on {endpoint}, and is not below the command that was started)")
    });
    elsewhere.or(unknown)
}
