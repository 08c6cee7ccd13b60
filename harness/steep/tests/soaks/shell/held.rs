//! Memory of no process, and workers that end, seen in real process trees: each object counts once, and nothing of
//! another program's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use steep::shell::cgroups::{is_of_a_supervisor, memory_folder};
use steep::shell::process::{Launch, Process};
use steep::shell::sampler::Sampler;
use steep_core::scenario::{Stop, StopSignal};
use steep_core::trace::{Held, HeldSource, Sample, WorkerCause, WorkerEnd};
use steep_judge::units::{Bytes, SinceStart};

use crate::support::{self, KILLS, eventually_async, not_run, shell, stage, start, steep};

/// What each object has.
const SIZE: Bytes = support::HELD;

/// The cgroup's count is brought up to date every two seconds, in steps of 64 pages for each CPU.
const SLACK: Bytes = Bytes::mib(1);

const NO_TMPFS: &str = "there is no tmpfs at /dev/shm that this user may write to";
const NO_CGROUP: &str = "this user may not make a cgroup for a service";

/// A folder on tmpfs, where this host has one that can be written.
fn in_memory() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir_in("/dev/shm").ok()?;
    let is_tmpfs = rustix::fs::statfs(folder.path()).is_ok_and(|found| found.f_type == 0x0102_1994);
    is_tmpfs.then_some(folder)
}

async fn up(process: &Process, word: &str) {
    eventually_async("it says so", || process.last_lines().iter().any(|line| line == word)).await;
}

async fn started(folder: &Path, script: &str) -> Process {
    let process = start(folder, script).await;
    up(&process, "up").await;
    process
}

async fn stop(mut process: Process) {
    process.stop(&Stop { signal: StopSignal::Term, grace: Duration::from_mins(1) }).await;
}

fn sampler(process: &Process) -> Sampler {
    Sampler::begin(process.supervisor_pid(), &[])
}

/// A sampler that sees no cgroup of the service's own, because the service has left it.
fn sampler_without_cgroup(process: &Process) -> Sampler {
    for pid in support::alive_below(process.supervisor_pid()).iter().map(|(pid, _)| *pid) {
        let folder = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok().and_then(|text| memory_folder(&text));
        if let Some(folder) = folder.filter(|folder| is_of_a_supervisor(folder)) {
            let above = folder.parent().expect("a folder above").join("cgroup.procs");
            fs::write(above, pid.to_string()).expect("what let it in lets it out");
        }
    }
    sampler(process)
}

/// Samples each second of a clock that nobody waits for.
struct Ticks {
    sampler: Sampler,
    second: u64,
}

impl Ticks {
    fn of(sampler: Sampler) -> Self {
        Self { sampler, second: 0 }
    }

    fn next(&mut self) -> Sample {
        self.second += 1;
        self.sampler.sample(SinceStart::new(Duration::from_secs(self.second))).expect("it runs")
    }

    /// Samples until memory that no process has mapped is `bytes`, within what the cgroup's count lags behind.
    async fn until_unmapped(&mut self, what: &str, bytes: Bytes) -> Sample {
        let mut last = None;
        eventually_async(what, || {
            let sample = self.next();
            let unmapped = sample.memory.unmapped_bytes;
            last = Some(sample);
            unmapped + SLACK >= bytes && unmapped <= bytes + SLACK
        })
        .await;
        last.expect("a sample")
    }
}

fn held(sample: &Sample) -> Held {
    sample.held.expect("something is held")
}

async fn memfd_is_counted_once(without_cgroup: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("go"), rustix::fs::Mode::RWXU).expect("a pipe");
    let launch = Launch { program: stage().to_owned(), args: vec!["holder".to_owned()], ..shell(folder.path(), "") };
    let process = Process::start(&launch, steep()).await.expect("this program");
    up(&process, "up").await;
    let supervisor = process.supervisor_pid();
    eventually_async("it has an heir", || {
        support::alive_below(supervisor).iter().any(|&(pid, _)| support::is_sleep(pid))
    })
    .await;
    let sampler = if without_cgroup { sampler_without_cgroup(&process) } else { sampler(&process) };
    let mut ticks = Ticks::of(sampler);
    let sample = ticks.until_unmapped("both hold it, and it counts once", SIZE).await;
    assert_eq!(held(&sample).memfd_bytes, SIZE);
    assert!(sample.memory.judged() >= SIZE && sample.peak() >= SIZE, "{sample:?}");
    if without_cgroup {
        assert_eq!(held(&sample).source, HeldSource::Objects);
    }
    fs::write(folder.path().join("go"), "go\n").expect("a reader");
    up(&process, "gone").await;
    ticks.second += 10;
    let sample = ticks.until_unmapped("its heir holds it", SIZE).await;
    assert_eq!(held(&sample).memfd_bytes, SIZE);
    stop(process).await;
}

#[tokio::test]
async fn a_memfd_that_nobody_has_mapped_counts_once_however_many_hold_it() {
    memfd_is_counted_once(false).await;
}

#[tokio::test]
async fn a_memfd_counts_the_same_without_a_cgroup() {
    memfd_is_counted_once(true).await;
}

#[tokio::test]
async fn deleted_files_on_tmpfs_count_as_long_as_they_are_open() {
    let (folder, Some(memory)) = (tempfile::tempdir().expect("a folder"), in_memory()) else {
        return not_run(NO_TMPFS);
    };
    let script = format!(
        "mkfifo go; exec 5> {0}/a; head -c 8388608 /dev/zero >&5; rm {0}/a; echo up; read line < go; exec 5>&-; \
         echo gone; while :; do sleep 300; done",
        memory.path().display()
    );
    let process = started(folder.path(), &script).await;
    let mut ticks = Ticks::of(sampler_without_cgroup(&process));
    let sample = ticks.until_unmapped("the deleted file counts", SIZE).await;
    assert_eq!(held(&sample).tmpfs_bytes, SIZE);
    fs::write(folder.path().join("go"), "go\n").expect("a reader");
    up(&process, "gone").await;
    ticks.until_unmapped("it is let go", Bytes::ZERO).await;
    stop(process).await;
}

#[tokio::test]
async fn closed_files_in_the_folder_of_the_cell_count_and_what_steep_writes_there_does_not() {
    let Some(folder) = in_memory() else { return not_run(NO_TMPFS) };
    fs::write(folder.path().join("trace.jsonl"), vec![b'{'; 4 << 20]).expect("a file");
    let script = "mkdir -p spool; head -c 8388608 /dev/zero > spool/a; echo up; while :; do sleep 300; done";
    let process = started(folder.path(), script).await;
    let sampler = sampler_without_cgroup(&process).with_folder(&folder.path().canonicalize().expect("a folder"));
    let mut ticks = Ticks::of(sampler);
    let sample = ticks.until_unmapped("the closed file counts, and nothing else", SIZE).await;
    assert_eq!(held(&sample).tmpfs_bytes, SIZE);
    fs::remove_file(folder.path().join("spool/a")).expect("a file");
    ticks.second += 10;
    ticks.until_unmapped("it is gone", Bytes::ZERO).await;
    stop(process).await;
}

#[tokio::test]
async fn what_is_mapped_of_a_file_on_tmpfs_is_not_counted_twice() {
    let Some(folder) = in_memory() else { return not_run(NO_TMPFS) };
    // Its own program lies on tmpfs: its pages are mapped, and those of no process are the rest.
    let sleep = ["/bin/sleep", "/usr/bin/sleep"].iter().map(Path::new).find(|path| path.exists()).expect("sleep");
    let program = folder.path().join("sleep");
    fs::copy(sleep, &program).expect("a copy");
    let size = Bytes::new(fs::metadata(&program).expect("a file").len().div_ceil(4096) * 4096);
    let process = started(folder.path(), "echo up; ./sleep 300 & ./sleep 300; :").await;
    let supervisor = process.supervisor_pid();
    eventually_async("both sleep", || support::alive_below(supervisor).len() == 3).await;
    let sampler = sampler_without_cgroup(&process).with_folder(&folder.path().canonicalize().expect("a folder"));
    let mut ticks = Ticks::of(sampler);
    let page = Bytes::kib(16);
    eventually_async("each page counts once, in a process or beside all", || {
        let sample = ticks.next();
        let shared = sample.memory.shared();
        held(&sample).tmpfs_bytes == size
            && sample.memory.shmem_bytes > Bytes::ZERO
            && shared <= size + page
            && shared + page >= size
    })
    .await;
    stop(process).await;
}

/// Another program of the same user, and none of steep's.
fn bystander() -> Child {
    Command::new("sleep").arg("300").stdout(Stdio::null()).spawn().expect("sleep")
}

#[tokio::test]
async fn what_another_program_of_the_user_may_have_written_is_told_apart_and_not_counted() {
    let (folder, Some(memory)) = (tempfile::tempdir().expect("a folder"), in_memory()) else {
        return not_run(NO_TMPFS);
    };
    let mut bystander = bystander();
    let process = started(folder.path(), "echo up; while :; do sleep 300; done").await;
    let mut ticks = Ticks::of(sampler_without_cgroup(&process));
    assert!(ticks.next().memory.unmapped_bytes < SLACK);
    fs::write(memory.path().join("theirs"), vec![b'x'; SIZE.get() as usize]).expect("memory");
    eventually_async("it is seen", || ticks.next().held.is_some_and(|held| held.unascribed_bytes >= SIZE)).await;
    assert!(ticks.next().memory.unmapped_bytes < SLACK);
    stop(process).await;
    bystander.kill().expect("a child");
    bystander.wait().expect("a child");
}

#[tokio::test]
async fn a_segment_stays_the_services_when_its_maker_has_ended() {
    let has_perl = Command::new("perl").arg("-v").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !has_perl {
        return not_run("there is no perl");
    }
    let folder = tempfile::tempdir().expect("a folder");
    // 0 is IPC_PRIVATE and IPC_RMID, 512 is IPC_CREAT.
    let make = "$i = shmget(0, 8388608, 0600 | 512); shmwrite($i, 'x' x 8388608, 0, 8388608); $| = 1; print \"$i\\nup\\n\"; \
                open F, 'go'; <F>";
    let script = format!("mkfifo go; perl -e '{make}'; echo gone; while :; do sleep 300; done");
    let process = started(folder.path(), &script).await;
    let id: u64 = process.last_lines()[0].parse().expect("its number");
    let mut ticks = Ticks::of(sampler_without_cgroup(&process));
    let sample = ticks.until_unmapped("nobody is attached, and it counts", SIZE).await;
    assert_eq!(held(&sample).sysv_bytes, SIZE);
    fs::write(folder.path().join("go"), "go\n").expect("a reader");
    up(&process, "gone").await;
    let sample = ticks.until_unmapped("it is left behind, and counts", SIZE).await;
    assert_eq!(held(&sample).sysv_bytes, SIZE);
    let removed = Command::new("perl").args(["-e", &format!("shmctl({id}, 0, 0)")]).status().expect("perl");
    assert!(removed.success());
    ticks.until_unmapped("it is removed", Bytes::ZERO).await;
    stop(process).await;
}

/// The cgroup of the service, if this host lets steep make one.
fn own_cgroup(process: &Process) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", process.pid())).expect("it runs");
    memory_folder(&text).filter(|folder| is_of_a_supervisor(folder))
}

#[tokio::test]
async fn a_service_has_a_cgroup_of_its_own_that_knows_of_closed_files_and_is_gone_with_it() {
    let (folder, Some(memory)) = (tempfile::tempdir().expect("a folder"), in_memory()) else {
        return not_run(NO_TMPFS);
    };
    let script =
        format!("head -c 8388608 /dev/zero > {}/a; echo up; while :; do sleep 300; done", memory.path().display());
    let process = started(folder.path(), &script).await;
    let Some(cgroup) = own_cgroup(&process) else {
        not_run(NO_CGROUP);
        return stop(process).await;
    };
    assert!(
        !fs::read_to_string(cgroup.join("cgroup.procs"))
            .expect("a list")
            .contains(&process.supervisor_pid().to_string())
    );
    let mut ticks = Ticks::of(sampler(&process));
    // Nobody has it open, and the folder is nobody's.
    let sample = ticks.until_unmapped("the closed file counts", SIZE).await;
    assert_eq!(held(&sample).source, HeldSource::Cgroup);
    assert!(held(&sample).kernel_bytes.is_some());
    stop(process).await;
    assert!(!cgroup.exists());
}

/// All ends that are reported, without waiting for what may still come.
fn ends(ticks: &mut Ticks, process: &mut Process) -> Vec<WorkerEnd> {
    ticks.next();
    let reaped = process.take_reaped();
    ticks.sampler.worker_ends(&reaped, false)
}

#[tokio::test]
async fn a_worker_that_is_killed_while_the_service_lives_is_reported_with_its_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    // An orphan, whose end the supervisor learns.
    let script = "mkfifo go; (sleep 300 & echo $! > worker); echo up; read line < go; kill -SEGV $(cat worker); \
                  while :; do sleep 300; done";
    let mut process = started(folder.path(), script).await;
    let mut ticks = Ticks::of(sampler(&process));
    let worker: u32 =
        fs::read_to_string(folder.path().join("worker")).expect("a number").trim().parse().expect("a number");
    eventually_async("it sleeps", || support::is_sleep(worker)).await;
    ticks.next();
    fs::write(folder.path().join("go"), "go\n").expect("a reader");
    let mut described = Vec::new();
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while described.is_empty() {
        assert!(std::time::Instant::now() < deadline, "it is never told");
        // Its supervisor is heard meanwhile.
        assert!(tokio::time::timeout(Duration::from_millis(20), process.wait()).await.is_err());
        described = ends(&mut ticks, &mut process);
    }
    let WorkerEnd { process: id, name, cause, .. } = &described[0];
    assert_eq!((id.pid, name.as_str(), *cause), (worker, "sleep", WorkerCause::Signaled { signal: 11 }));
    stop(process).await;
}

#[tokio::test]
async fn a_worker_that_the_kernel_kills_for_lack_of_memory_is_reported_as_that() {
    let _alone = KILLS.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let script = "mkfifo go; sh -c 'read line < go; x=$(head -c 300000000 /dev/zero | tr \"\\\\0\" x); echo $x' & echo up; \
                  while :; do sleep 300; done";
    let process = started(folder.path(), script).await;
    let Some(cgroup) = own_cgroup(&process) else {
        not_run(NO_CGROUP);
        return stop(process).await;
    };
    let limit = ["memory.limit_in_bytes", "memory.max"].map(|name| cgroup.join(name));
    fs::write(limit.iter().find(|file| file.exists()).expect("a limit"), "33554432").expect("it can be lowered");
    let mut ticks = Ticks::of(sampler(&process));
    ticks.next();
    fs::write(folder.path().join("go"), "go\n").expect("a reader");
    let mut described = Vec::new();
    eventually_async("it is reported", || {
        ticks.next();
        described.extend(ticks.sampler.worker_ends(&[], false));
        !described.is_empty()
    })
    .await;
    assert_eq!(described[0].cause, WorkerCause::OutOfMemory, "{described:?}");
    stop(process).await;
}
