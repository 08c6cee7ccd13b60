//! Samples of real process trees.

use std::time::Duration;

use steep::shell::process::Process;
use steep::shell::sampler::Sampler;
use steep::shell::sampler::elsewhere::Elsewhere;
use steep_core::scenario::{Stop, StopSignal};
use steep_core::trace::Sample;
use steep_judge::units::{Bytes, SinceStart};

use crate::support::{alive_below, eventually_async, is_sleep, start};

/// A shell that holds some 20 MB in a variable, and says `up`.
const HOLDER: &str = "x=$(head -c 20000000 /dev/zero | tr '\\0' x); echo up;";

async fn started(folder: &tempfile::TempDir, script: &str) -> Process {
    let process = start(folder.path(), script).await;
    eventually_async("it is up", || process.last_lines().last().is_some_and(|line| line == "up")).await;
    process
}

async fn stop(mut process: Process) {
    process.stop(&Stop { signal: StopSignal::Term, grace: Duration::from_mins(1) }).await;
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn sample(sampler: &mut Sampler, second: u64) -> Sample {
    sampler.sample(SinceStart::new(Duration::from_secs(second))).expect("it runs")
}

#[tokio::test]
async fn a_process_alone_is_read_with_all_the_kernel_tells() {
    let folder = folder();
    let process = started(&folder, &format!("{HOLDER} while :; do sleep 300; done")).await;
    let mut sampler = Sampler::begin(process.supervisor_pid(), &[("db".to_owned(), process.supervisor_pid())]);
    let sample = sample(&mut sampler, 1);
    assert!(sample.memory.anon_bytes > Bytes::new(20_000_000), "{sample:?}");
    assert!(sample.memory.peak_bytes >= sample.memory.anon_bytes);
    assert!(sample.activity.fds >= 3 && sample.activity.threads >= 1 && sample.activity.minor_faults > 0);
    assert!(sample.processes.iter().any(|id| id.pid == process.pid() && id.start_ticks > 0));
    assert!(sample.processes.iter().all(|id| id.pid != process.supervisor_pid()), "the supervisor is left out");
    assert!(sample.steep.anon_bytes > Bytes::ZERO && sample.steep.cpu_s > 0.0);
    assert!(sample.dependencies.contains_key("db"));
    assert!(sampler.limits().is_empty());
    stop(process).await;
}

#[tokio::test]
async fn pages_that_a_fork_shares_are_counted_once() {
    let folder = folder();
    let process = started(&folder, &format!("{HOLDER} (sleep 300; : $x) & (sleep 300; : $x) & wait")).await;
    let supervisor = process.supervisor_pid();
    // A fork of the shell shares its pages until it has become `sleep`.
    let sleepers = || alive_below(supervisor).into_iter().filter(|&(pid, _)| is_sleep(pid)).count();
    eventually_async("both sleep", || sleepers() == 2).await;
    let mut sampler = Sampler::begin(supervisor, &[]);
    let sample = sample(&mut sampler, 1);
    assert_eq!(sample.processes.len(), 5);
    // What the first shell shows is counted, the same pages in its two forks are not.
    let of_shell = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("it runs");
    let of_shell = steep::shell::procfs::status(&of_shell).memory.anon_bytes;
    assert!(sample.memory.anon_bytes < of_shell + Bytes::mib(4), "{} and {of_shell} alone", sample.memory.anon_bytes);
    assert!(sample.memory.anon_bytes > Bytes::new(20_000_000));
    stop(process).await;
}

#[tokio::test]
async fn a_newcomer_is_found_measured_and_let_go() {
    let folder = folder();
    let fifo = folder.path().join("go");
    let script = "mkfifo go; echo up; read line < go; \
                  sh -c \"x=\\$(head -c 20000000 /dev/zero | tr '\\\\0' x); read line < go\"; while :; do sleep 300; done";
    let process = started(&folder, script).await;
    let mut sampler = Sampler::begin(process.supervisor_pid(), &[]);
    let before = sample(&mut sampler, 1);
    assert!(before.memory.anon_bytes < Bytes::mib(10), "{before:?}");
    std::fs::write(&fifo, "go\n").expect("a reader");
    let mut second = 1;
    let mut next = |sampler: &mut Sampler| {
        second += 1;
        sample(sampler, second)
    };
    let mut with_survey = false;
    eventually_async("the newcomer is counted", || {
        let sample = next(&mut sampler);
        with_survey |= sample.rollup.is_some();
        sample.memory.anon_bytes > Bytes::new(20_000_000)
    })
    .await;
    assert!(with_survey, "a change of the tree brings on a survey");
    std::fs::write(&fifo, "go\n").expect("a reader");
    eventually_async("the newcomer is let go", || next(&mut sampler).memory.anon_bytes < Bytes::mib(10)).await;
    stop(process).await;
}

#[tokio::test]
async fn an_ended_service_gives_no_sample_of_zero() {
    let folder = folder();
    let mut process = started(&folder, "mkfifo go; echo up; read line < go").await;
    let mut sampler = Sampler::begin(process.supervisor_pid(), &[]);
    assert!(sampler.sample(SinceStart::ZERO).is_some());
    std::fs::write(folder.path().join("go"), "go\n").expect("a reader");
    process.wait_until_gone().await;
    assert_eq!(sampler.sample(SinceStart::ZERO), None);
}

#[tokio::test]
async fn without_proc_the_tree_is_found_all_the_same() {
    let folder = folder();
    let process = started(&folder, &format!("{HOLDER} sleep 300; : $x")).await;
    let supervisor = process.supervisor_pid();
    eventually_async("both run", || alive_below(supervisor).len() == 2).await;
    let mut elsewhere = Elsewhere::new().expect("sysinfo knows this system");
    elsewhere.refresh();
    let total = elsewhere.below(supervisor);
    assert_eq!(total.processes.len(), 2);
    assert!(total.memory.anon_bytes > Bytes::new(20_000_000), "{total:?}");
    stop(process).await;
}
