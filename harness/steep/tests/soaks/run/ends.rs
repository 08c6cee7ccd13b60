//! How runs end, and what no end may take: signals, kills of any two of the processes that watch over a service,
//! folders that others prepared, damaged or removed, limits of the system, and texts that steer terminals.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use steep::shell::process_tree::{self, descendants, processes};

use super::{ONCE, Place, Ran, STEEP, begun, signal};
use crate::support::{all_gone, eventually_async, is_sleep, stage};

/// Looks again and again until `is_so`.
fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(eventually_async(what, is_so));
}

/// A shell that sets something up and then becomes steep.
fn steep_after(place: &Place, setup: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{setup}; exec \"$0\" \"$@\""), STEEP]).args(args);
    command.current_dir(place.folder.path()).stdin(Stdio::null());
    command
}

const RUN: [&str; 6] = ["run", "soak.toml", "--out", "out", "--format", "json"];

/// The records of the trace of the baseline.
fn trace(place: &Place) -> Vec<Value> {
    let text = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The service as it is, and beside it what `script` starts.
fn accompanied(place: &Place, script: &str) {
    let service = stage().display();
    let plain = format!("command = [\"{service}\", \"moody\"]");
    let shell = format!("{script} exec \\\"$0\\\" moody");
    place.change(&plain, &format!("command = [\"sh\", \"-c\", \"{shell}\", \"{service}\"]"));
}

/// Kills all of them in one moment: none does anything any more when the first of them dies.
fn kill(pids: &[u32]) {
    for signal in [Signal::STOP, Signal::KILL] {
        for pid in pids {
            kill_process(Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap(), signal).unwrap();
        }
    }
}

/// The number of the process and its start, by which it is known again.
fn known(pid: u32) -> (u32, u64) {
    (pid, process_tree::stat_of(pid).map_or(0, |process| process.start_ticks))
}

/// Guard, supervisor and all below of the only service of steep with this number.
fn watched(steep: u32) -> (u32, u32, Vec<(u32, u64)>) {
    let all = processes();
    let child = |parent: u32| all.iter().find(|process| process.parent == parent).unwrap().pid;
    let guard = child(steep);
    let supervisor = child(guard);
    let below = descendants(&all, supervisor).iter().map(|process| (process.pid, process.start_ticks)).collect();
    (guard, supervisor, below)
}

#[test]
fn a_hang_up_that_is_ignored_is_not_a_wish_to_stop() {
    let place = Place::new("fine", 3, "");
    let steep = steep_after(&place, "trap '' HUP", &RUN).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the load has begun", || !place.processes().is_empty());
    signal(&steep, Signal::HUP);
    let ran = Ran::of(steep.wait_with_output().unwrap());
    assert!(ran.is_undecided(0), "{}", ran.report);
    assert_eq!(trace(&place).last().unwrap()["reason"], "completed");
}

#[test]
fn a_terminal_that_was_closed_leaves_a_report() {
    let place = Place::new("fine", 600, "");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    // Who runs the tests may ignore a hang-up (`nohup`), and steep would inherit it.
    let mut steep = Command::new("env");
    steep.args(["--default-signal=HUP", STEEP]).args(RUN).current_dir(place.folder.path()).stdin(Stdio::null());
    let mut steep = steep.stdout(full.try_clone().unwrap()).stderr(full).spawn().unwrap();
    eventually("the load has begun", || !place.processes().is_empty());
    signal(&steep, Signal::HUP);
    assert_eq!(steep.wait().unwrap().code(), Some(4));
    let report: Value = serde_json::from_slice(&fs::read(place.path("out/report.json")).unwrap()).unwrap();
    assert!(report["cells"][0]["cut_short"].as_str().unwrap().contains("interrupted after"), "{report}");
}

#[test]
fn what_was_found_is_kept_and_told_by_the_status_where_stdout_is_full() {
    let place = Place::new("crashes", 20, "");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = place.steep(&RUN).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: write to stdout: No space left on device"), "{stderr}");
    let report: Value = serde_json::from_slice(&fs::read(place.path("out/report.json")).unwrap()).unwrap();
    assert_eq!(report["cells"][0]["verdict"], "crashed");
}

#[test]
fn a_supervisor_that_is_asked_to_end_is_not_a_crash_and_the_cell_is_soaked_again() {
    let place = Place::new("fine", 4, ONCE);
    let (steep, _stderr) = begun(&place);
    let (guard, ..) = watched(steep.id());
    process_tree::send(guard, Signal::TERM).unwrap();
    let output = steep.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stdout));
    let end = trace(&place).pop().unwrap();
    assert_eq!(end["reason"], "failed", "{end}");
    assert!(end["message"].as_str().unwrap().contains("the supervisor of the service was asked to end"), "{end}");
    assert!(place.nothing_is_left());
    let resumed = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap());
    assert!(resumed.is_undecided(0), "{}", resumed.stderr);
    assert_eq!(trace(&place)[0]["attempt"], 2);
}

#[test]
fn any_two_of_steep_guard_and_supervisor_may_be_killed_at_once_and_nothing_is_left() {
    for (first, second) in [(0, 1), (0, 2), (1, 2)] {
        let place = Place::new("fine", 600, "");
        // A child that lives on without its parent, in a session of its own.
        accompanied(&place, "setsid sleep 300 &");
        let (mut steep, _stderr) = begun(&place);
        let (guard, supervisor, mut all) = watched(steep.id());
        assert!(all.iter().any(|(pid, _)| is_sleep(*pid)), "{all:?}");
        all.extend([known(guard), known(supervisor)]);
        let watching = [steep.id(), guard, supervisor];
        kill(&[watching[first], watching[second]]);
        let status = steep.wait().unwrap();
        eventually("all are gone", || all_gone(&all));
        // Where steep is left it says what happened, and that the cell is not done.
        assert_eq!(status.code(), (first != 0).then_some(4));
    }
}

#[test]
fn what_is_left_when_all_three_are_killed_is_ended_by_the_next_run_there() {
    let place = Place::new("fine", 4, "");
    accompanied(&place, "setsid sleep 300 &");
    let (mut steep, _stderr) = begun(&place);
    let (guard, supervisor, all) = watched(steep.id());
    kill(&[steep.id(), guard, supervisor]);
    steep.wait().unwrap();
    assert!(!all_gone(&all));
    let resumed = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap());
    assert!(all_gone(&all));
    assert!(resumed.stderr.contains("that an earlier run here had left"), "{}", resumed.stderr);
    assert!(resumed.is_undecided(0), "{}", resumed.stderr);
}

#[test]
fn the_guard_alone_may_be_killed_and_the_soak_goes_on() {
    let place = Place::new("fine", 3, "");
    accompanied(&place, "setsid sleep 300 &");
    let (steep, _stderr) = begun(&place);
    let (guard, supervisor, mut all) = watched(steep.id());
    all.push(known(supervisor));
    kill(&[guard]);
    steep.wait_with_output().unwrap();
    assert_eq!(trace(&place).last().unwrap()["reason"], "completed");
    eventually("all are gone", || all_gone(&all));
}

#[test]
fn a_process_that_calls_itself_a_supervisor_is_none() {
    let place = Place::new("fine", 600, "");
    fs::write(place.path("supervise"), "sleep 300\n").unwrap();
    accompanied(&place, "setsid sh supervise &");
    let (steep, _stderr) = begun(&place);
    let (guard, supervisor, all) = watched(steep.id());
    let command_line = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(all.iter().any(|(pid, _)| command_line(*pid) == b"sh\0supervise\0"), "{all:?}");
    // Both, so that all of it comes to steep.
    kill(&[guard, supervisor]);
    assert_eq!(steep.wait_with_output().unwrap().status.code(), Some(4));
    assert!(all_gone(&all));
    let end = trace(&place).pop().unwrap();
    assert_eq!(
        (&end["reason"], &end["message"]),
        (&"failed".into(), &"the supervisor of the service was killed".into())
    );
}

#[test]
fn a_folder_that_is_removed_or_moved_ends_the_run_at_once() {
    for is_removed in [true, false] {
        let place = Place::new("fine", 600, "");
        let (steep, mut stderr) = begun(&place);
        let (.., all) = watched(steep.id());
        if is_removed {
            fs::remove_dir_all(place.path("out")).unwrap();
        } else {
            fs::rename(place.path("out"), place.path("elsewhere")).unwrap();
        }
        assert_eq!(steep.wait_with_output().unwrap().status.code(), Some(4));
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
        assert!(said.contains("trace.jsonl is not there any more: its folder was removed or moved"), "{said}");
        eventually("the service is gone", || all_gone(&all));
    }
}

#[test]
fn nothing_is_written_through_links_and_pipes_that_others_put_into_the_folder() {
    let victim = |place: &Place| fs::read_to_string(place.path("victim")).unwrap();
    for name in ["run.lock", "run.json", "run.json.new", "scenario.toml", "report.json", "baseline"] {
        let place = Place::new("fine", 1, "");
        fs::write(place.path("victim"), "precious").unwrap();
        fs::create_dir_all(place.path("out")).unwrap();
        symlink(place.path("victim"), place.path("out").join(name)).unwrap();
        let ran = place.run();
        assert_eq!(victim(&place), "precious", "{name}");
        assert!([2, 4].contains(&ran.status), "{name}: {}", ran.stderr);
        let is_told = ran.stderr.contains(name) || ran.stderr.contains("out has a run in it already");
        assert!(is_told, "{name}: {}", ran.stderr);
    }
    // What stands in the folder of a cell is put aside.
    for name in ["service.log", "trace.jsonl", "latency.hlog", "verdict.json"] {
        let place = Place::new("fine", 1, "");
        fs::write(place.path("victim"), "precious").unwrap();
        fs::create_dir_all(place.path("out/baseline")).unwrap();
        symlink(place.path("victim"), place.path("out/baseline").join(name)).unwrap();
        let ran = place.run();
        assert!(ran.is_undecided(0), "{name}: {}", ran.stderr);
        assert_eq!(victim(&place), "precious", "{name}");
        assert!(fs::symlink_metadata(place.path("out/baseline/attempts/1").join(name)).unwrap().is_symlink());
    }
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_in_the_place_of_a_file_holds_nobody_up() {
    let place = Place::new("fine", 1, "");
    fs::create_dir_all(place.path("out/baseline")).unwrap();
    fifo(&place.path("out/baseline/service.log"));
    let ran = place.run();
    assert!(ran.is_undecided(0), "{}", ran.stderr);
    assert!(fs::metadata(place.path("out/baseline/attempts/1/service.log")).unwrap().file_type().is_fifo());

    let place = Place::new("fine", 1, "");
    fs::create_dir_all(place.path("out")).unwrap();
    fifo(&place.path("out/run.lock"));
    let ran = place.run();
    assert_eq!(ran.status, 4);
    assert!(ran.stderr.contains("a named pipe (FIFO) is in its place, and steep did not make it"), "{}", ran.stderr);
}

#[test]
fn an_attempt_that_was_moved_by_half_is_moved_to_its_end() {
    let place = Place::new("fine", 1, ONCE);
    assert!(place.run().is_undecided(0));
    let (cell, first) = (place.path("out/baseline"), place.path("out/baseline/attempts/1"));
    fs::create_dir_all(&first).unwrap();
    fs::rename(cell.join("trace.jsonl"), first.join("trace.jsonl")).unwrap();
    let resumed = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap());
    assert!(resumed.is_undecided(0), "{}", resumed.stderr);
    for name in ["trace.jsonl", "latency.hlog", "service.log", "verdict.json"] {
        assert!(cell.join(name).is_file() && first.join(name).is_file(), "{name}");
    }
    assert!(!cell.join("attempts/2").exists());
    assert_eq!(trace(&place)[0]["attempt"], 2);
}

#[test]
fn ids_of_cells_in_a_folder_that_somebody_sent_are_not_paths() {
    let place = Place::new("fine", 1, "");
    place.run();
    let record = fs::read_to_string(place.path("out/run.json")).unwrap();
    assert!(record.contains("\"id\": \"baseline\""), "{record}");
    fs::write(place.path("out/run.json"), record.replace("\"id\": \"baseline\"", "\"id\": \"../elsewhere\"")).unwrap();
    for (args, status) in
        [(&["run", "soak.toml", "--resume", "out"][..], 2), (&["report", "out"], 4), (&["analyze", "out"], 4)]
    {
        let output = place.steep(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        // Lines are broken to the width of the terminal.
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains("\"../elsewhere\" is not the id of a cell"), "{said}");
        assert!(!place.path("elsewhere").exists());
    }
    // Nor is another cell soaked than the one that the scenario has.
    fs::write(place.path("out/run.json"), record.replace("\"id\": \"baseline\"", "\"id\": \"other\"")).unwrap();
    let output = place.steep(&["run", "soak.toml", "--resume", "out"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not what steep wrote"));
}

#[test]
fn few_descriptors_are_an_error_in_words() {
    let place = Place::new("fine", 1, "");
    for limit in [5, 6, 7, 8, 9, 12, 16, 24, 40] {
        let output = steep_after(&place, &format!("ulimit -n {limit}"), &RUN).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(2 | 4)), "ulimit -n {limit}: {:?} {said}", output.status);
        assert!(said.contains("error") && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_file_that_has_grown_to_its_limit_ends_the_run_with_a_sentence() {
    let place = Place::new("fine", 600, "");
    // In blocks of 512 bytes: enough for run.json, and not for a minute of the trace.
    let output = steep_after(&place, "ulimit -f 32", &RUN).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("out/baseline/trace.jsonl: File too large"), "{said}");
    // What there is can be read.
    assert!(place.path("out/report.json").is_file());
}

#[test]
fn a_git_that_hangs_is_reported_and_a_run_that_waits_for_it_can_be_interrupted() {
    let place = Place::new("fine", 1, "");
    fs::create_dir(place.path("bin")).unwrap();
    fs::write(place.path("bin/git"), "#!/bin/sh\nexec sleep 300\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(place.path("bin/git")).status().unwrap().success());
    let path = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap());
    let ran = Ran::of(place.steep(&RUN).env("PATH", &path).output().unwrap());
    assert!(ran.is_undecided(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("it did not end in 5s"), "{}", ran.stderr);

    // A cell that is to be soaked again, for which git is asked again.
    fs::remove_file(place.path("out/baseline/trace.jsonl")).unwrap();
    let resume = ["run", "soak.toml", "--resume", "out"];
    let steep = place.steep(&resume).env("PATH", &path).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let below = || descendants(&processes(), steep.id());
    eventually("git is asked", || below().iter().any(|process| is_sleep(process.pid)));
    let git: Vec<(u32, u64)> = below().iter().map(|process| (process.pid, process.start_ticks)).collect();
    signal(&steep, Signal::INT);
    let output = steep.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("interrupted while git was asked"), "{said}");
    assert!(all_gone(&git));
}

#[test]
fn what_a_service_prints_steers_no_terminal() {
    let place = Place::new("fine", 1, "");
    let said =
        "printf '\\\\033]52;c;cHduZWQ=\\\\007\\\\033[2J\\\\302\\\\2332J\\\\342\\\\200\\\\256dying\\\\n'; exit 5 #";
    accompanied(&place, said);
    let run = place.steep(&["run", "soak.toml", "--out", "out"]).output().unwrap();
    assert_eq!(run.status.code(), Some(4));
    let report = place.steep(&["report", "out"]).output().unwrap();
    let analyzed = place.steep(&["analyze", "out"]).output().unwrap();
    let written = place.steep(&["report", "out", "--output", "report.txt"]).output().unwrap();
    assert!(written.status.success());
    let texts = [run.stderr, run.stdout, report.stdout, analyzed.stdout, fs::read(place.path("report.txt")).unwrap()];
    for (index, text) in texts.into_iter().enumerate() {
        let text = String::from_utf8(text).unwrap();
        // While it goes on, a cell is reported in one line.
        let is_shown = text.contains("\\u001b]52;c;cHduZWQ=\\u0007\\u001b[2J\\u009b2J\\u202edying");
        assert!(is_shown || index == 0, "{text:?}");
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{text:?}");
    }
    // For programs the text is what it is.
    let json = place.steep(&["report", "out", "--format", "json"]).output().unwrap().stdout;
    for json in [json, fs::read(place.path("out/report.json")).unwrap()] {
        assert!(json.is_ascii() || !String::from_utf8_lossy(&json).contains(['\u{9b}', '\u{202e}']));
        let report: Value = serde_json::from_slice(&json).unwrap();
        assert!(report["cells"][0]["reason"].as_str().unwrap().contains("\u{1b}[2J\u{9b}2J\u{202e}dying"), "{report}");
    }
}
