//! Shared by the tests that use real processes, and by the programs that they start.
#![allow(dead_code, reason = "the tests use a part of it, and the programs of the stage another")]

// With its path, because the stage reads this file from elsewhere.
#[path = "support/cells.rs"]
pub mod cells;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
use steep::shell::process::{Launch, Process};
use steep::shell::process_tree;
use steep_judge::units::Bytes;

/// The real program, as the supervisor. Cargo names it to the tests; a program of the stage stands beside it.
pub fn steep() -> &'static Path {
    static STEEP: LazyLock<PathBuf> = LazyLock::new(|| {
        let beside = || std::env::current_exe().expect("this program").with_file_name("steep");
        option_env!("CARGO_BIN_EXE_steep").map_or_else(beside, PathBuf::from)
    });
    &STEEP
}

/// The programs that the tests start, which are one: cargo names it to the tests, and to the stage it is itself.
pub fn stage() -> &'static Path {
    static STAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        let itself = || std::env::current_exe().expect("this program");
        option_env!("CARGO_BIN_EXE_steep-stage").map_or_else(itself, PathBuf::from)
    });
    &STAGE
}

/// What the stage's `holder` holds.
pub const HELD: Bytes = Bytes::mib(8);

/// A child, one in a session of its own, one that is orphaned in a session of its own and hears no hang-up.
pub const FAMILY: &str = "sleep 300 & setsid sleep 300 & (setsid nohup sleep 300 >/dev/null 2>&1 &) ; wait; sleep 300";

/// The shell and its three.
const FAMILY_SIZE: usize = 4;

/// The processes of a [`FAMILY`] that was started below `ancestor`, as soon as all of it runs.
pub async fn family_below(ancestor: u32) -> Vec<(u32, u64)> {
    let sleepers = || alive_below(ancestor).into_iter().filter(|&(pid, _)| is_sleep(pid)).count();
    eventually_async("the whole family runs", || sleepers() + 1 >= FAMILY_SIZE).await;
    alive_below(ancestor)
}

/// Says that the test of this thread could not be run here, and why: not by a macro, whose output nobody sees when a
/// test has passed.
pub fn not_run(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    io::Write::write_all(&mut io::stderr(), format!("\nNOT RUN: {test}: {why}\n").as_bytes()).expect("stderr");
}

/// The kernel counts its kills for lack of memory by host and cgroup: a test that causes one and one that kills
/// otherwise at the same moment cannot be told apart.
pub static KILLS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A listener of this process that shares its port with whoever wants to, and hears IPv4 as well where it is of IPv6
/// and `is_dual`.
pub fn sharing(address: SocketAddr, is_dual: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket(family, SocketType::STREAM, None)?;
    // Or what another test starts meanwhile has it too.
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    sockopt::set_socket_reuseport(&fd, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, !is_dual)?;
    }
    bind(&fd, &address)?;
    listen(&fd, 8)?;
    Ok(fd)
}

/// A launch of `sh -c script` that logs into `folder`.
pub fn shell(folder: &Path, script: &str) -> Launch {
    Launch {
        program: PathBuf::from("sh"),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: BTreeMap::new(),
        folder: folder.to_owned(),
        cpus: Vec::new(),
        memory_limit: None,
        log: folder.join("service.log"),
    }
}

/// Starts `sh -c script`.
pub async fn start(folder: &Path, script: &str) -> Process {
    Process::start(&shell(folder, script), steep()).await.expect("a shell")
}

/// Looks again and again until `is_so`; a minute is enough for anything on a crowded machine.
pub async fn eventually_async(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_so() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The processes below `ancestor` that have not ended, with their starts.
pub fn alive_below(ancestor: u32) -> Vec<(u32, u64)> {
    let below = process_tree::descendants(&process_tree::processes(), ancestor);
    below.iter().filter(|process| !process.ended).map(|process| (process.pid, process.start_ticks)).collect()
}

/// Whether none of `processes` runs any more.
pub fn all_gone(processes: &[(u32, u64)]) -> bool {
    processes.iter().all(|&(pid, start)| {
        process_tree::stat_of(pid).is_none_or(|process| process.start_ticks != start || process.ended)
    })
}

/// Whether process `pid` has become `sleep`.
pub fn is_sleep(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
}
