//! The library inside of real processes.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use steep_live::{
    Counts, DEPTH_VARIABLE, FOLDER_VARIABLE, LIBRARY, LargeBlock, SAMPLE_EVERY_VARIABLE, Snapshot, TIMES_VARIABLE,
    file_name, layout,
};
use tempfile::TempDir;

/// A folder with the library in it.
fn laid() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let library = folder.path().join("libsteep_live.so");
    fs::write(&library, LIBRARY).expect("a file");
    (folder, library)
}

fn preloaded(program: impl AsRef<std::ffi::OsStr>, folder: &Path, library: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", library).env(FOLDER_VARIABLE, folder).env(SAMPLE_EVERY_VARIABLE, "4096");
    command.env(TIMES_VARIABLE, "1");
    command
}

fn keeps(arguments: &[&str], folder: &Path, library: &Path) -> Command {
    // Beside the folder that the test itself is in.
    let own = std::env::current_exe().expect("the test's own path");
    let program = own.parent().and_then(Path::parent).expect("target/debug").join("examples/keeps");
    let mut command = preloaded(program, folder, library);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Waits until the program has done what it was asked for.
fn done(command: &mut Command) -> Child {
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it speaks");
    assert_eq!(line, "done\n");
    child
}

fn ended(mut child: Child) {
    child.kill().expect("it still runs");
    child.wait().expect("it is ours");
}

fn snapshot(folder: &Path, pid: u32) -> Snapshot {
    Snapshot::read(&fs::read(folder.join(file_name(pid))).expect("its file")).expect("of the library")
}

#[test]
fn what_a_killed_process_kept_is_counted_to_the_object() {
    let (folder, library) = laid();
    let counted = |count: &str| {
        let child = done(&mut keeps(&[count, "1000"], folder.path(), &library));
        let pid = child.id();
        ended(child);
        snapshot(folder.path(), pid)
    };
    let (none, some) = (counted("0"), counted("30000"));
    // The blocks, and the vector that holds them.
    assert_eq!(some.counts.live_objects() - none.counts.live_objects(), 30_001);
    // glibc gives 1,000 bytes in blocks of 1,000; the vector that holds them has 24 for each.
    let grown = some.counts.live_bytes() - none.counts.live_bytes();
    assert!(grown.abs_diff(30_000 * (1_000 + 24)) < 30_000 * 10, "{grown}");
    assert_eq!((some.counts.lost_samples, some.counts.flags & layout::NO_UNWINDER), (0, 0));
}

#[test]
fn survivors_stand_for_what_is_alive_and_lead_to_who_allocated_it() {
    let (folder, library) = laid();
    let child = done(&mut keeps(&["30000", "1000"], folder.path(), &library));
    let pid = child.id();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its mappings");
    ended(child);
    let found = snapshot(folder.path(), pid);
    let stands_for: f64 = found.survivors.iter().map(|one| one.size as f64 * found.objects(one)).sum();
    // Some 7,000 samples: five standard errors are 6 %.
    let live = found.counts.live_bytes() as f64;
    assert!((stands_for / live - 1.0).abs() < 0.06, "{stands_for} of {live}");
    let alive = |stack: &steep_live::Stack| stack.allocated_bytes - stack.freed_bytes;
    let largest = found.stacks.iter().max_by_key(|stack| alive(stack)).expect("a stack");
    assert!(alive(largest) as f64 > 0.9 * live, "one stack keeps nearly all");
    // Some calls were timed, and stand for all.
    let timed = |stack: &steep_live::Stack| (1.0..1e5).contains(&(stack.allocator_ns / stack.allocated_objects));
    assert!(timed(largest), "{} ns for {} objects", largest.allocator_ns, largest.allocated_objects);
    // The freed blocks of the same size are another stack, which keeps nothing.
    assert!(found.stacks.iter().any(|stack| stack.allocated_bytes > 10_000_000 && alive(stack) < 1_000_000));
    let is_of_program = |address: &u64| {
        maps.lines().filter(|line| line.contains("examples/keeps")).any(|line| {
            let range = line.split_whitespace().next().and_then(|range| range.split_once('-')).expect("a range");
            let bound = |text| u64::from_str_radix(text, 16).expect("an address");
            (bound(range.0)..bound(range.1)).contains(address)
        })
    };
    assert!(largest.frames.len() > 3 && is_of_program(&largest.frames[0]), "{:x?}", largest.frames);
    let births: Vec<u32> = found.survivors.iter().map(|survivor| survivor.birth_ms).collect();
    assert!(births.iter().max() < Some(&600_000));
}

#[test]
fn large_blocks_lie_where_they_lay_without_the_library() {
    let (folder, library) = laid();
    // glibc maps a block of 128 KiB or more by itself, until one of such a size was freed.
    let child = done(&mut keeps(&["1", "1000000"], folder.path(), &library));
    let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).expect("its mappings");
    let pid = child.id();
    ended(child);
    let heap = maps.lines().find(|line| line.ends_with("[heap]")).expect("a heap");
    let (start, end) = heap.split_whitespace().next().and_then(|range| range.split_once('-')).expect("a range");
    let [start, end] = [start, end].map(|bound| u64::from_str_radix(bound, 16).expect("an address"));
    assert!(end - start < 900_000, "{heap}");
    // And are known to be such.
    let file = fs::read(folder.path().join(file_name(pid))).expect("its file");
    let blocks = LargeBlock::read(&file[LargeBlock::AT as usize..][..LargeBlock::TABLE_BYTES]);
    assert!(blocks.iter().any(|block| (1_000_000..1_010_000).contains(&block.bytes)), "{blocks:?}");
    assert!(blocks.iter().all(|block| block.address % 4096 == 16), "{blocks:?}");
}

#[test]
fn thousands_of_threads_leave_nothing_and_share_the_cells() {
    let (folder, library) = laid();
    let child = done(&mut keeps(&["threads", "2000"], folder.path(), &library));
    let found = snapshot(folder.path(), child.id());
    ended(child);
    assert!(found.counts.allocated_objects > 2_000, "{:?}", found.counts);
    // What the main thread and the standard library hold.
    assert!(found.counts.live_objects() < 200 && found.counts.live_bytes() < 200_000, "{:?}", found.counts);
}

/// What a shell and its children print, and how they end, with the library and without.
fn both(script: &str, folder: &Path, library: &Path) -> [Output; 2] {
    let mut with = preloaded("bash", folder, library);
    [&mut with, &mut Command::new("bash")].map(|command| command.args(["-c", script]).output().expect("bash"))
}

#[test]
fn programs_that_fork_and_exec_run_as_without_it_and_each_has_a_file() {
    let (folder, library) = laid();
    let script = "for i in 1 2 3; do echo $i | cat | tr 1-3 a-c; done; (exit 7)";
    let [with, without] = both(script, folder.path(), &library);
    assert_eq!((with.status, with.stdout, with.stderr), (without.status, without.stdout, without.stderr));
    let files = fs::read_dir(folder.path()).expect("the folder").flatten();
    let read: Vec<Counts> = files
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "live"))
        .map(|file| Counts::read(&fs::read(file.path()).expect("a file")).expect("of the library"))
        .collect();
    assert!(read.len() >= 10, "{}", read.len());
    assert!(read.iter().any(|counts| counts.flags & layout::FORKED != 0));
    // A child begins with what its parent held.
    let forked = read.iter().filter(|counts| counts.flags & layout::FORKED != 0);
    assert!(forked.into_iter().all(|counts| counts.live_objects() > 100));
}

#[test]
fn where_no_file_can_be_made_the_program_runs_and_nothing_is_counted() {
    let (folder, library) = laid();
    for place in ["/nowhere/at/all", "/dev/null", "/proc"] {
        let [with, without] = both("echo a | cat; exit 3", Path::new(place), &library);
        assert_eq!((with.status, with.stdout, with.stderr), (without.status, without.stdout, without.stderr));
    }
    // Without the variable it does nothing at all.
    let output = Command::new("bash").env("LD_PRELOAD", &library).args(["-c", "echo b"]).output().expect("bash");
    assert_eq!(output.stdout, b"b\n");
    let count = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(count, 1, "the library alone");
}

#[test]
fn a_process_that_may_not_write_large_files_is_not_ended() {
    let (folder, library) = laid();
    // Who tries nevertheless is ended by SIGXFSZ.
    let script = "ulimit -f 100; echo a | cat; exit 3";
    let [with, without] = both(script, folder.path(), &library);
    assert_eq!((with.status, with.stdout), (without.status, without.stdout));
}

#[test]
fn nothing_is_sampled_where_nothing_is_wanted_and_stacks_are_as_deep_as_asked() {
    let (folder, library) = laid();
    let child = done(keeps(&["1000", "1000"], folder.path(), &library).env(SAMPLE_EVERY_VARIABLE, "0"));
    let found = snapshot(folder.path(), child.id());
    ended(child);
    assert!(found.survivors.is_empty() && found.stacks.is_empty() && found.counts.live_objects() >= 1_000);
    let child = done(keeps(&["1000", "1000"], folder.path(), &library).env(DEPTH_VARIABLE, "3"));
    let found = snapshot(folder.path(), child.id());
    ended(child);
    assert!(!found.stacks.is_empty() && found.stacks.iter().all(|stack| stack.frames.len() <= 3));
}

#[test]
fn what_is_no_file_of_the_library_is_refused() {
    assert!(Counts::read(b"short").is_err_and(|error| error.to_string().starts_with("it has 5 bytes")));
    let mut empty = vec![0; layout::FILE_BYTES];
    assert!(Snapshot::read(&empty).is_err_and(|error| error.to_string().contains("does not begin")));
    empty[..8].copy_from_slice(&layout::MAGIC.to_le_bytes());
    empty[8] = 9;
    assert!(Snapshot::read(&empty).is_err_and(|error| error.to_string() == "its form is 9, and 2 is understood"));
    // Figures that cannot be are bounded: somebody else wrote to it.
    empty[8] = 2;
    empty[16..layout::FILE_BYTES].fill(255);
    let found = Snapshot::read(&empty).expect("a file");
    assert!(found.stacks.len() == layout::STACKS && found.survivors.is_empty());
}
