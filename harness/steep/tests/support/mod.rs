//! Shared by the tests that use real processes.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod cells;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use steep::shell::process::{Launch, Process};
use steep::shell::process_tree;

/// The real program, as the supervisor.
pub fn steep() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_steep"))
}

/// A launch of `sh -c script` that logs into `folder`.
pub fn shell(folder: &Path, script: &str) -> Launch {
    Launch {
        program: PathBuf::from("sh"),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: BTreeMap::new(),
        folder: folder.to_owned(),
        cpus: Vec::new(),
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
