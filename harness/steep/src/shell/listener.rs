//! Who listens where the load goes: the processes that are sampled, or another program. Load, readiness and memory must
//! belong to the same processes, or a stranger's answers would clear a service that never listened.
//!
//! The kernel tells each listening socket with its number (`/proc/net/tcp`), and each process's open files have those
//! numbers. A look reads the listeners and one link for each that counts. The kernel goes through its tables for it,
//! empty or not: 2.4 ms of CPU where they have 262,144 places, 5.7 ms with 16,000 connections in them (measured on
//! Linux 6.18), so that looks under load rest in between. Only where a socket was not seen before, or is not where it
//! was, are all open files of the processes read.

mod holders;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use self::holders::{Holder, descends_from, name_of, processes_below, search};
use super::loopback::is_reached;
use super::process_tree;
use super::procfs::sockets::{Candidates, Line, Listener, candidates, line};

/// No host has more text of listeners: 100,000 of them.
const LISTENERS_MAX_BYTES: u64 = 16 << 20;

/// A look waits for this many times what the last one took, so that looking takes 1 % of the time at most.
const LOOK_REST: u32 = 100;

/// Who answers on an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answerer {
    /// Nobody listens that can be seen.
    Nobody,
    /// One of the processes that may.
    Own,
    /// Another program.
    Stranger(Stranger),
    /// It cannot be known, in words.
    Unknown(String),
}

/// Another program on the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Where it answers.
    pub address: SocketAddr,
    /// Its process, as far as this user may see it.
    pub process: Option<Named>,
    /// Who made its socket.
    pub user: u32,
    /// Whether a process that may answer listens there as well.
    pub is_shared: bool,
    /// What it is to the cell, if anything: "dependency `db`".
    pub kin: Option<String>,
}

/// A process by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its number.
    pub pid: u32,
    /// Its program, and the first words of its command line.
    pub command: String,
}

impl Named {
    /// Whether it is one of the programs that listen for a container on this host.
    fn forwards_to_containers(&self) -> bool {
        let program = self.command.split(' ').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        ["docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "conmon", "podman"].contains(&program)
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, process, user, is_shared, kin } = self;
        write!(f, "another program answers on the port: {address} is in use by ")?;
        match process {
            Some(Named { pid, command }) => write!(f, "process {pid} (`{command}`)")?,
            None => write!(f, "a process of user {user} that cannot be seen from here")?,
        }
        match kin {
            Some(kin) => write!(f, ", which is {kin}")?,
            None => f.write_str(", which is not one that steep started here")?,
        }
        if *is_shared {
            f.write_str(", and shares it with the service (SO_REUSEPORT)")?;
        }
        let is_of_containers = process.as_ref().is_some_and(Named::forwards_to_containers);
        if kin.is_some() {
            f.write_str(
                "; where it stands in front of the service, name its port in service.url: \
                 \"http://127.0.0.1:{{<dependency>.port}}\"",
            )
        } else if is_of_containers {
            f.write_str(
                "; what runs in a container is not a child of the command that asks for it, and its memory would not be seen: \
                 start the program itself",
            )
        } else {
            f.write_str(
                "; end that program, or give the service another port: {{port}} in its arguments and in service.url is one \
                 that steep picks and holds; a proxy in front of it is one of [[dependencies]], whose port service.url names",
            )
        }
    }
}

/// Looks at some addresses for the sake of some processes.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    addresses: Vec<SocketAddr>,
    /// Supervisors of those who may answer.
    may_answer: Vec<u32>,
    /// Supervisors of what else steep has started, by name.
    others: Vec<(String, u32)>,
    /// Where each socket of those who may answer was found last.
    known: BTreeMap<u64, Holder>,
    /// Sockets of which it cannot be known, with the process that hides its open files.
    hidden: BTreeMap<u64, u32>,
    /// Sockets of IPv6 that do not hear IPv4.
    deaf: BTreeSet<u64>,
    /// Sockets that nobody was seen to have at the last look: one may be on its way from one process to another.
    unseen: BTreeSet<u64>,
    /// The end of the last look, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl Watch {
    /// Looks at `addresses`, where what is below the supervisors `may_answer` is to answer.
    #[must_use]
    pub fn new(addresses: &[SocketAddr], may_answer: Vec<u32>, others: Vec<(String, u32)>) -> Self {
        Self { addresses: addresses.to_vec(), may_answer, others, ..Self::default() }
    }

    /// Who answers, at all addresses together: a stranger at one of them is a stranger.
    pub fn look(&mut self) -> Answerer {
        let begun = Instant::now();
        let answerer = self.look_at_all();
        self.last = Some((Instant::now(), begun.elapsed()));
        answerer
    }

    /// Whether the last look is long enough ago.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.last.is_none_or(|(ended, took)| ended.elapsed() >= took * LOOK_REST)
    }

    fn look_at_all(&mut self) -> Answerer {
        let addresses = self.addresses.clone();
        let listeners = match self.listeners() {
            Ok(listeners) => listeners,
            Err(unknown) => return unknown,
        };
        let answerers = addresses.into_iter().map(|address| self.look_at(address, &listeners));
        answerers.max_by_key(Answerer::weight).unwrap_or(Answerer::Nobody)
    }

    /// As [`Watch::look`], for good: what nobody was seen to have at the first look is looked for once more.
    #[must_use]
    pub fn look_twice(mut self) -> Answerer {
        self.look();
        self.look()
    }

    /// The first address at which one of those who may answers: whoever answers at the others is not asked. Where there
    /// is none, who answers instead.
    pub fn settle(&mut self) -> (Answerer, Option<SocketAddr>) {
        let addresses = self.addresses.clone();
        let listeners = match self.listeners() {
            Ok(listeners) => listeners,
            Err(unknown) => return (unknown, None),
        };
        let mut said = Answerer::Nobody;
        for address in addresses {
            match self.look_at(address, &listeners) {
                own @ (Answerer::Own | Answerer::Unknown(_)) => return (own, Some(address)),
                stranger @ Answerer::Stranger(_) if said == Answerer::Nobody => said = stranger,
                Answerer::Stranger(_) | Answerer::Nobody => {}
            }
        }
        (said, None)
    }

    /// All listeners; what was known of those that are gone is forgotten.
    fn listeners(&mut self) -> Result<Vec<Listener>, Answerer> {
        let listeners = read_listeners().map_err(|error| {
            Answerer::Unknown(format!("which process answers the load (listening sockets cannot be read: {error})"))
        })?;
        let is_there = |inode: &u64| listeners.iter().any(|listener| listener.inode == *inode);
        self.known.retain(|inode, _| is_there(inode));
        self.hidden.retain(|inode, _| is_there(inode));
        self.deaf.retain(is_there);
        self.unseen.retain(is_there);
        Ok(listeners)
    }

    fn look_at(&mut self, address: SocketAddr, listeners: &[Listener]) -> Answerer {
        let (found, must_be_dual) = match candidates(listeners, address) {
            Candidates::Nobody => return Answerer::Nobody,
            Candidates::These(found) => (found, false),
            Candidates::IfDual(found) => (found, true),
        };
        self.know(&found);
        let of_others = |listener: &&Listener| !self.known.contains_key(&listener.inode);
        let of_others: Vec<Listener> = found.iter().filter(of_others).copied().collect();
        let is_shared = of_others.len() < found.len();
        let Some(first) = of_others.first() else { return Answerer::Own };
        if must_be_dual && !is_shared {
            if !self.deaf.contains(&first.inode) && !is_reached(address) {
                self.deaf.insert(first.inode);
            }
            if self.deaf.contains(&first.inode) || !still_alone(address) {
                return Answerer::Nobody;
            }
        }
        self.of_others(address, &of_others, is_shared)
    }

    /// Looks for those of `listeners` that are not where they were, among the processes that may answer.
    fn know(&mut self, listeners: &[Listener]) {
        self.known.retain(|inode, holder| holder.still_has(*inode));
        let is_lost = |inode: &u64| !self.known.contains_key(inode) && !self.hidden.contains_key(inode);
        let lost: BTreeSet<u64> = listeners.iter().map(|listener| listener.inode).filter(is_lost).collect();
        if lost.is_empty() {
            return;
        }
        let search = search(processes_below(&self.may_answer).iter().map(|process| process.pid), &lost);
        self.unseen.retain(|inode| !search.found.contains_key(inode));
        self.known.extend(search.found);
    }

    /// Who has these sockets, which none of the processes that may answer was seen to have.
    fn of_others(&mut self, address: SocketAddr, listeners: &[Listener], is_shared: bool) -> Answerer {
        let mut wanted: BTreeSet<u64> = listeners.iter().map(|listener| listener.inode).collect();
        if let Some(pid) = wanted.iter().find_map(|inode| self.hidden.get(inode)) {
            return cannot_be_known(address, *pid);
        }
        let own: Vec<u32> = processes_below(&self.may_answer).iter().map(|process| process.pid).collect();
        let all = process_tree::processes();
        let others = all.iter().map(|process| process.pid).filter(|pid| !own.contains(pid));
        for (inode, holder) in search(others, &wanted).found {
            // It may have been forked since the look at those who may.
            if self.may_answer.iter().any(|&supervisor| descends_from(holder.pid, supervisor)) {
                wanted.remove(&inode);
                self.known.insert(inode, holder);
                continue;
            }
            let kin = self.others.iter().find(|(_, supervisor)| descends_from(holder.pid, *supervisor));
            let kin = kin.map(|(name, _)| name.clone());
            let user = listeners.iter().find(|listener| listener.inode == inode).map_or(0, |listener| listener.user);
            let process = Some(Named { pid: holder.pid, command: name_of(holder.pid) });
            return Answerer::Stranger(Stranger { address, process, user, is_shared, kin });
        }
        let Some(lost) = listeners.iter().find(|listener| wanted.contains(&listener.inode)) else {
            return Answerer::Own;
        };
        if let Some(pid) = search(own.into_iter(), &wanted).hidden {
            self.hidden.extend(wanted.into_iter().map(|inode| (inode, pid)));
            return cannot_be_known(address, pid);
        }
        if !is_sighted() {
            return Answerer::Unknown(format!(
                "which process answers on {address} (this host does not show whose listening sockets are)"
            ));
        }
        // A process that ends, or hands a socket on, has none for a moment.
        if self.unseen.insert(lost.inode) {
            return Answerer::Nobody;
        }
        Answerer::Stranger(Stranger { address, process: None, user: lost.user, is_shared, kin: None })
    }

    /// Whether one of the processes that may answer is in another network namespace, where its listeners are not seen.
    #[must_use]
    pub fn lives_elsewhere(&self) -> bool {
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = namespace("self");
        // One that does not let itself be looked at may be.
        processes_below(&self.may_answer).iter().any(|process| namespace(&process.pid.to_string()) != own)
    }

    /// A process outside of those who may answer that has one of their listening sockets as well, as one that handed it
    /// down: who of them takes a connection cannot be seen. Reads the open files of all processes.
    #[must_use]
    pub fn shared_with(&self) -> Option<Named> {
        let own: Vec<u32> = processes_below(&self.may_answer).iter().map(|process| process.pid).collect();
        let all = process_tree::processes();
        let others = all.iter().map(|process| process.pid).filter(|pid| !own.contains(pid));
        // steep and the supervisors only hand down, and take no connections.
        let others = others.filter(|&pid| pid != std::process::id() && !self.may_answer.contains(&pid));
        let others = others.filter(|&pid| !self.may_answer.iter().any(|&supervisor| descends_from(pid, supervisor)));
        let pid = search(others, &self.known.keys().copied().collect()).found.into_values().next()?.pid;
        Some(Named { pid, command: name_of(pid) })
    }
}

impl Answerer {
    /// What is said of several addresses is what weighs most.
    fn weight(&self) -> u8 {
        match self {
            Self::Nobody => 0,
            Self::Own => 1,
            Self::Unknown(_) => 2,
            Self::Stranger(_) => 3,
        }
    }
}

fn cannot_be_known(address: SocketAddr, pid: u32) -> Answerer {
    let name = name_of(pid);
    Answerer::Unknown(format!(
        "whether the service itself answers on {address} (process {pid}, `{name}`, does not let this user see its open files)"
    ))
}

/// Who listens on one of `addresses` before anything was started that may: it would answer in the service's place. A
/// process that steep descends from is none of them: it may hand its socket down.
#[must_use]
pub fn taken(addresses: &[SocketAddr], may_answer: Vec<u32>, others: Vec<(String, u32)>) -> Option<Stranger> {
    let own = std::process::id();
    match Watch::new(addresses, may_answer, others).look_twice() {
        Answerer::Stranger(stranger) => {
            let hands_down = |process: &Named| process.pid == own || descends_from(own, process.pid);
            Some(stranger).filter(|stranger| !stranger.process.as_ref().is_some_and(hands_down))
        }
        _ => None,
    }
}

/// Whether this host shows listening sockets and whose they are: looked up for one of steep's own. Some that only
/// resemble Linux do not.
#[must_use]
pub fn is_sighted() -> bool {
    let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) else { return false };
    let (Ok(address), Ok(all)) = (listener.local_addr(), read_listeners()) else { return false };
    let Candidates::These(own) = candidates(&all, address) else { return false };
    let wanted = own.iter().map(|listener| listener.inode).collect();
    !search([std::process::id()].into_iter(), &wanted).found.is_empty()
}

/// Whether nothing listens on `address` itself yet. What was reached there may be a service that began to listen after
/// the listeners were read; the next look sees whose it is.
fn still_alone(address: SocketAddr) -> bool {
    read_listeners().is_ok_and(|listeners| matches!(candidates(&listeners, address), Candidates::IfDual(_)))
}

/// All listening sockets of this network namespace.
fn read_listeners() -> io::Result<Vec<Listener>> {
    let mut all = read_from("/proc/net/tcp")?;
    match read_from("/proc/net/tcp6") {
        Ok(more) => all.extend(more),
        // A host without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(all)
}

fn read_from(path: &str) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    // Connections come after all listeners, and there may be very many.
    for text in BufReader::new(File::open(path)?.take(LISTENERS_MAX_BYTES)).lines() {
        match line(&text?) {
            Line::Listening(listener) => listeners.push(listener),
            Line::Passed => {}
            Line::Connection => break,
        }
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests;
