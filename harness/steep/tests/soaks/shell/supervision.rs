//! No process is left behind, however the service, its supervisor or steep itself ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use steep::shell::process::{Launch, Process, StartError};
use steep::shell::{process_tree, procfs};
use steep_core::scenario::{Stop, StopSignal};
use steep_core::trace::Exit;

use crate::support::{
    FAMILY, KILLS, all_gone, eventually_async, family_below, not_run, shell, stage, start, steep as program,
};

fn stop_with(signal: StopSignal, grace: Duration) -> Stop {
    Stop { signal, grace }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn stopping_leaves_no_grandchild() {
    let folder = folder();
    let mut process = start(folder.path(), FAMILY).await;
    let family = family_below(process.supervisor_pid()).await;
    assert!(family.iter().any(|&(pid, _)| pid == process.pid()));
    let stopped = process.stop(&stop_with(StopSignal::Term, Duration::from_mins(1))).await;
    assert_eq!(stopped.exit.signal, Some(15));
    assert!(!stopped.killed_after_grace && !stopped.something_left, "{stopped:?}");
    assert!(all_gone(&family));
    assert!(process_tree::stat_of(process.supervisor_pid()).is_none(), "the supervisor is reaped");
}

#[tokio::test]
async fn a_service_that_ignores_the_signal_is_killed_after_its_grace() {
    let _alone = KILLS.lock().await;
    let folder = folder();
    let mut process = start(folder.path(), "trap '' TERM; echo deaf; while :; do sleep 300; done").await;
    eventually_async("the trap is set", || process.last_lines() == ["deaf"]).await;
    let stopped = process.stop(&stop_with(StopSignal::Term, Duration::from_millis(50))).await;
    assert!(stopped.killed_after_grace, "{stopped:?}");
    assert_eq!(stopped.exit, Exit { code: None, signal: Some(9), oom_kill: false });
    assert!(!stopped.something_left);
}

#[tokio::test]
async fn a_service_may_end_in_its_own_way_when_asked() {
    let folder = folder();
    let script = "trap 'echo bye; exit 7' INT; echo up; while :; do sleep 0.01; done";
    let mut process = start(folder.path(), script).await;
    eventually_async("the trap is set", || process.last_lines() == ["up"]).await;
    let stopped = process.stop(&stop_with(StopSignal::Int, Duration::from_mins(1))).await;
    assert_eq!(stopped.exit, Exit { code: Some(7), signal: None, oom_kill: false });
    assert!(!stopped.killed_after_grace);
    assert_eq!(process.last_lines(), ["up", "bye"]);
}

#[tokio::test]
async fn a_service_that_ends_by_itself_is_reported_with_its_status_and_last_words_and_its_children_go() {
    let folder = folder();
    let script = "setsid sleep 300 & echo $!; echo no config >&2; exit 3";
    let mut process = start(folder.path(), script).await;
    let exit = process.wait_until_gone().await;
    assert_eq!(exit.to_string(), "exit status 3");
    let lines = process.last_lines();
    assert_eq!(lines[1], "no config");
    let orphan = lines[0].parse().expect("a number");
    assert!(process_tree::stat_of(orphan).is_none_or(|process| process.ended));
    // Once more is the same again.
    assert_eq!(process.wait().await, exit);
    assert_eq!(process.stop(&stop_with(StopSignal::Term, Duration::ZERO)).await.exit, exit);
    assert_eq!(fs::read_to_string(folder.path().join("service.log")).expect("a log"), lines.join("\n") + "\n");
}

#[tokio::test]
async fn a_signal_that_kills_the_service_is_reported() {
    let _alone = KILLS.lock().await;
    let folder = folder();
    let mut process = start(folder.path(), "kill -SEGV $$").await;
    assert_eq!(process.wait().await, Exit { code: None, signal: Some(11), oom_kill: false });
    let mut process = start(folder.path(), "kill -9 $$").await;
    assert_eq!(process.wait().await.to_string(), "killed by signal 9 (SIGKILL)");
}

#[tokio::test]
async fn waiting_can_be_given_up_and_taken_up_again() {
    let folder = folder();
    let mut process = start(folder.path(), "mkfifo go; echo made; read line < go; exit 4").await;
    eventually_async("the pipe is made", || process.last_lines() == ["made"]).await;
    for _ in 0..20 {
        let given_up = tokio::time::timeout(Duration::from_millis(1), process.wait()).await;
        assert!(given_up.is_err(), "it waits for a line");
    }
    fs::write(folder.path().join("go"), "go\n").expect("a reader");
    assert_eq!(process.wait().await.code, Some(4));
}

#[test]
fn ignored_signals_are_not_passed_on() {
    // What a script does that starts steep with `&` under nohup; the orders stay open until the end.
    let parent = format!(
        "trap '' INT HUP QUIT TERM USR1 USR2; exec {} supervise grep SigIgn /proc/self/status >&2",
        program().display()
    );
    let mut parent =
        Command::new("sh").args(["-c", &parent]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
    let orders = parent.stdin.take();
    let described = BufReader::new(parent.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let masks: Vec<String> = described.filter(|line| line.starts_with("SigIgn")).collect();
    drop(orders);
    parent.wait().expect("it ended");
    let mask = masks[0].split_ascii_whitespace().nth(1).and_then(|mask| u64::from_str_radix(mask, 16).ok());
    let named = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];
    let bits = named.iter().fold(0, |bits, signal| bits | 1_u64 << (signal.as_raw_nonzero().get() - 1));
    assert_eq!(mask.expect("a number") & bits, 0, "{masks:?}");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let folder = folder();
    let refused = |launch: Launch| async move {
        match Process::start(&launch, program()).await {
            Err(error) => error.to_string(),
            Ok(process) => panic!("started {}", process.pid()),
        }
    };
    let nothing = Launch { program: PathBuf::from("no-such-program"), ..shell(folder.path(), "") };
    assert_eq!(refused(nothing).await, "cannot start `no-such-program`: No such file or directory (os error 2)");

    fs::write(folder.path().join("data"), "x").expect("a file");
    let no_program = Launch { program: folder.path().join("data"), ..shell(folder.path(), "") };
    assert!(refused(no_program).await.ends_with("Permission denied (os error 13)"));

    let beyond = Launch { cpus: vec![999], ..shell(folder.path(), "exit") };
    assert!(refused(beyond).await.contains("cannot pin to CPUs 999 of this host"));

    let no_folder = Launch { folder: folder.path().join("none"), ..shell(folder.path(), "") };
    assert!(matches!(Process::start(&no_folder, program()).await, Err(StartError::Supervisor { .. })));

    let no_log = Launch { log: folder.path().join("none/log"), ..shell(folder.path(), "") };
    assert!(refused(no_log).await.starts_with("cannot write the log "));
}

#[tokio::test]
async fn environment_folder_and_cpus_reach_the_service() {
    let folder = folder();
    let mut launch = shell(folder.path(), "echo $A; echo ${PATH-none}; pwd; grep Cpus_allowed_list /proc/self/status");
    launch.program = PathBuf::from("/bin/sh");
    launch.args[1] = launch.args[1].replace("grep", "/bin/grep");
    launch.env =
        [("A", Some("b")), ("PATH", None)].map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into();
    launch.cpus = vec![0];
    let mut process = Process::start(&launch, program()).await.expect("a shell");
    process.wait_until_gone().await;
    let here = folder.path().canonicalize().expect("a folder").display().to_string();
    let lines = process.last_lines();
    assert_eq!([&lines[0], &lines[2], &lines[3]], ["b", &here, "Cpus_allowed_list:\t0"]);
}

#[tokio::test]
async fn dropping_the_handle_ends_all() {
    let folder = folder();
    let process = start(folder.path(), FAMILY).await;
    let family = family_below(process.supervisor_pid()).await;
    drop(process);
    eventually_async("the family is gone", || all_gone(&family)).await;
}

#[tokio::test]
async fn killing_steep_leaves_no_process() {
    let folder = folder();
    let parent = Command::new(stage()).arg("family").arg(folder.path()).stdout(Stdio::piped()).spawn();
    let mut parent = parent.expect("a parent");
    let lines = BufReader::new(parent.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let supervisor: u32 = lines
        .filter_map(|line| line.strip_prefix("supervisor ").map(str::to_owned))
        .find_map(|pid| pid.parse().ok())
        .expect("the number of the supervisor");
    let mut all = family_below(supervisor).await;
    all.push((supervisor, process_tree::stat_of(supervisor).expect("it runs").start_ticks));
    parent.kill().expect("kill -9");
    parent.wait().expect("it ended");
    eventually_async("all are gone", || all_gone(&all)).await;
}

#[test]
fn killing_the_supervisor_leaves_no_process() {
    let folder = folder();
    // A program of its own: it is a subreaper.
    let output = Command::new(stage()).arg("orphaned-family").arg(folder.path()).output().expect("a program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_supervisor_that_is_asked_to_end_takes_all_with_it() {
    let folder = folder();
    let mut process = start(folder.path(), FAMILY).await;
    let family = family_below(process.supervisor_pid()).await;
    process_tree::send(process.supervisor_pid(), Signal::TERM).expect("a child of this process");
    assert_eq!(process.wait_until_gone().await.signal, Some(9));
    assert!(all_gone(&family));
}

#[tokio::test]
async fn a_service_that_writes_without_end_is_not_held_up_and_its_log_is_bounded() {
    let folder = folder();
    // 40 MB: more than two log files and than any pipe.
    let script =
        "i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done; echo end";
    let mut process = start(folder.path(), script).await;
    assert_eq!(process.wait_until_gone().await.code, Some(0));
    assert_eq!(process.last_lines().last().map(String::as_str), Some("end"));
    let sizes: Vec<u64> = ["service.log", "service.log.1"]
        .iter()
        .map(|name| fs::metadata(folder.path().join(name)).expect("a log").len())
        .collect();
    assert!(sizes.iter().all(|&size| size <= 16 << 20), "{sizes:?}");
    assert_eq!(process.log_problem(), None);
}

/// The folder of this process's cgroup in the memory controller of version 1 or 2.
fn memory_cgroup() -> Option<PathBuf> {
    let cgroups = procfs::cgroups(&fs::read_to_string("/proc/self/cgroup").ok()?);
    let below = |root: &str, path: String| PathBuf::from(format!("{root}{path}"));
    let v1 = cgroups.memory_v1.map(|path| below("/sys/fs/cgroup/memory", path));
    v1.or_else(|| cgroups.unified.map(|path| below("/sys/fs/cgroup", path))).filter(|folder| folder.exists())
}

#[tokio::test]
async fn a_kill_for_lack_of_memory_is_distinguished_from_other_kills() {
    let _alone = KILLS.lock().await;
    // Only where this user may make a cgroup with a limit can the kernel be brought to it.
    let parent = memory_cgroup();
    let Some(cgroup) = parent.map(|parent| parent.join(format!("steep-test-{}", std::process::id()))) else {
        return not_run("there is no cgroup with a memory controller");
    };
    if let Err(error) = fs::create_dir(&cgroup) {
        return not_run(&format!("make {}: {error}", cgroup.display()));
    }
    let limit = ["memory.limit_in_bytes", "memory.max"].map(|file| cgroup.join(file));
    let limit = limit.iter().find(|file| file.exists());
    if limit.is_none_or(|limit| fs::write(limit, "33554432").is_err()) {
        fs::remove_dir(&cgroup).expect("nothing is in it");
        return not_run(&format!("{} takes no limit", cgroup.display()));
    }
    let folder = folder();
    let script = "mkfifo go; echo $$ > $CGROUP/cgroup.procs; echo in; read line < go; \
                  x=$(head -c 300000000 /dev/zero | tr '\\0' x)";
    let mut launch = shell(folder.path(), script);
    launch.env.insert("CGROUP".to_owned(), cgroup.to_str().map(str::to_owned));
    let mut process = Process::start(&launch, program()).await.expect("a shell");
    eventually_async("it has moved", || process.last_lines() == ["in"]).await;
    process.refresh_oom_baseline();
    fs::write(folder.path().join("go"), "go\n").expect("a reader");
    let exit = process.wait_until_gone().await;
    assert_eq!(exit.to_string(), "killed by the kernel, out of memory (signal 9)", "{:?}", process.last_lines());
    fs::remove_dir(&cgroup).expect("nothing is in it any more");
}
