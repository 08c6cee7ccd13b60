//! `steep run` from end to end, with real processes: what is said, how it exits, and that nothing is left behind,
//! however the service behaves and however steep ends.

mod added;
mod alike;
mod bisect;
mod builds;
mod ends;
mod failed_builds;
mod held;
mod live;
mod live_view;
mod load;
mod night;
mod nights;
mod observed;
mod ports;
mod profiled;
mod repeat;
mod report_files;
mod rerun;
mod revisions;
mod secrets;
mod switches;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::stage;

/// steep as it was built for the tests.
const STEEP: &str = env!("CARGO_BIN_EXE_steep");

/// The machine of the tests may be busy: what is tested is another thing than whether its load came in time.
const BUSY: &str = "[load.tolerate]\nundelivered = 0.5\nlateness = \"5s\"";

/// A folder with a scenario in it.
struct Place {
    folder: TempDir,
}

impl Place {
    /// A scenario that soaks the service in this `mood` for `seconds`, with `more` at its end.
    fn new(mood: &str, seconds: u32, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scenario = format!(
            r#"
name = "moody"
[service]
command = ["{}", "moody"]
env = {{ MOOD = "{mood}", PORT = "{{{{port}}}}" }}
url = "http://127.0.0.1:{{{{port}}}}"
ready = {{ path = "/ready", timeout = "5s" }}
stop = {{ grace = "1s" }}
[http]
connections = 4
request_timeout = "500ms"
connect_timeout = "500ms"
{BUSY}
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 100
duration = "{seconds}s"
[[requests]]
name = "get"
path = "/"
{more}
"#,
            stage().display()
        );
        fs::write(folder.path().join("soak.toml"), scenario).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts `that` in place of `this` in the scenario.
    fn change(&self, this: &str, that: &str) {
        let scenario = fs::read_to_string(self.path("soak.toml")).unwrap();
        assert!(scenario.contains(this), "the scenario has no {this:?}");
        fs::write(self.path("soak.toml"), scenario.replace(this, that)).unwrap();
    }

    fn steep(&self, args: &[&str]) -> Command {
        let mut command = Command::new(STEEP);
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null());
        command
    }

    fn run(&self) -> Ran {
        Ran::of(self.steep(&["run", "soak.toml", "--out", "out", "--format", "json"]).output().unwrap())
    }

    /// The pids of all processes of the trace of the baseline.
    fn processes(&self) -> Vec<i32> {
        let trace = fs::read_to_string(self.path("out/baseline/trace.jsonl")).unwrap_or_default();
        let records = trace.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lists = records.filter_map(|record| record["processes"].as_array().cloned());
        let pids = lists.flatten().filter_map(|process| process["pid"].as_i64());
        pids.map(|pid| i32::try_from(pid).unwrap()).collect()
    }

    fn nothing_is_left(&self) -> bool {
        let pids = self.processes();
        !pids.is_empty() && pids.into_iter().all(|pid| test_kill_process(Pid::from_raw(pid).unwrap()).is_err())
    }
}

/// Where attempts are counted, none is added because the machine of the tests was busy.
const ONCE: &str = "[plan]\nretries = 0\n";

struct Ran {
    status: i32,
    report: Value,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let status = output.status.code().unwrap_or(-1);
        let report = serde_json::from_str(&stdout).unwrap_or(Value::Null);
        Self { status, report, stderr }
    }

    fn verdict(&self) -> &str {
        self.report["cells"][0]["verdict"].as_str().unwrap_or_else(|| panic!("no verdict: {}", self.stderr))
    }

    fn reason(&self) -> &str {
        self.report["cells"][0]["reason"].as_str().unwrap()
    }

    /// Whether this cell was soaked and is too short to judge.
    fn is_undecided(&self, cell: usize) -> bool {
        is_undecided(&self.report["cells"][cell])
    }

    fn requests(&self, key: &str) -> u64 {
        self.report["cells"][0]["requests"][key].as_u64().unwrap()
    }

    fn accounts_balance(&self) -> bool {
        let failed = [
            "failed_status",
            "failed_expect",
            "failed_grpc",
            "failed_unsent",
            "failed_connect",
            "failed_timeout",
            "failed_body",
        ];
        let ended = self.requests("ok")
            + self.requests("aborted")
            + failed.iter().map(|class| self.requests(class)).sum::<u64>();
        self.requests("due") == self.requests("sent") + self.requests("missed") + self.requests("dropped")
            && self.requests("sent") == ended
    }
}

/// Too short to judge; or, where the machine of the tests was so busy that the driver got no CPU for a moment, not
/// loaded as planned.
fn is_undecided(said: &Value) -> bool {
    said["verdict"] == "inconclusive"
        || said["verdict"] == "invalid"
            && said["reason"].as_str().is_some_and(|reason| reason.contains("not delivered"))
}

/// A soak with this mood is invalid, says why in these words, and leaves nothing.
fn assert_invalid(mood: &str, words: &str) {
    let place = Place::new(mood, 2, "");
    let ran = place.run();
    assert_eq!(ran.verdict(), "invalid", "{}", ran.stderr);
    assert!(ran.reason().contains(words), "{}", ran.reason());
    assert_eq!(ran.status, 4);
    assert!(ran.accounts_balance(), "{}", ran.report["cells"][0]["requests"]);
    assert!(place.nothing_is_left());
}

#[test]
fn a_quiet_run_says_its_report_and_nothing_of_progress() {
    let place = Place::new("fine", 2, "");
    let run = |out: &str, more: &[&str]| {
        let args = [&["run", "soak.toml", "--out", out], more].concat();
        let output = place.steep(&args).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (report, said) = run("quiet", &["--quiet"]);
    assert!(report.contains("baseline") && report.contains("UNDECIDED"), "{report}");
    // What is worth a warning is one for a quiet run too.
    assert!(
        said.starts_with("warning: ") && !said.contains("cell 1/1") && !said.contains("Everything is in"),
        "{said}"
    );
    let (_, said) = run("loud", &[]);
    assert!(said.contains("cell 1/1 baseline: steady, ") && said.contains("Everything is in"), "{said}");
}

#[test]
fn a_service_that_answers_500_to_everything_is_invalid_and_not_stable() {
    assert_invalid("fails", "with another status than expected");
}

#[test]
fn a_service_that_hangs_is_invalid_and_hangs_nobody() {
    assert_invalid("hangs", "without an answer in time");
}

#[test]
fn a_service_that_closes_connections_is_invalid() {
    assert_invalid("closes", "with a broken answer");
}

#[test]
fn a_service_that_speaks_no_http_is_invalid() {
    assert_invalid("garbage", "with a broken answer");
}

#[test]
fn a_service_that_streams_an_endless_body_is_invalid() {
    // Cut at the largest answer or at the time-out, whichever a busy machine comes to first.
    assert_invalid("endless", "requests failed: ");
}

#[test]
fn a_service_that_dies_at_once_is_reported_with_its_last_words() {
    let ran = Place::new("dies", 2, "").run();
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"));
    assert!(ran.reason().contains("exit status 3") && ran.reason().contains("no shelf 7"), "{}", ran.reason());
}

#[test]
fn a_service_that_is_never_ready_is_reported_with_what_it_answered() {
    let place = Place::new("never-ready", 2, "");
    let ran = place.run();
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"));
    assert!(ran.reason().contains("not ready") && ran.reason().contains("503"), "{}", ran.reason());
}

#[test]
fn a_port_that_is_taken_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let place = Place::new("fine", 2, "");
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    fs::write(place.path("soak.toml"), scenario.replace("{{port}}", &port.to_string())).unwrap();
    let ran = place.run();
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"));
    assert!(ran.reason().contains("in use"), "{}", ran.reason());
}

#[test]
fn a_program_that_does_not_exist_is_reported() {
    let place = Place::new("fine", 2, "");
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    fs::write(place.path("soak.toml"), scenario.replace("command = [\"", "command = [\"/no_such_folder")).unwrap();
    let ran = place.run();
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"));
    assert!(ran.reason().contains("/no_such_folder"), "{}", ran.reason());
}

#[test]
fn a_crash_is_a_finding_with_its_signal_and_the_trace_is_kept() {
    let place = Place::new("crashes", 20, "");
    let ran = place.run();
    assert_eq!((ran.status, ran.verdict()), (1, "crashed"), "{}", ran.stderr);
    assert!(ran.reason().contains("signal 6"), "{}", ran.reason());
    assert!(ran.requests("ok") >= 50);
    assert!(place.nothing_is_left());
}

#[test]
fn an_exit_during_the_soak_is_a_crash_with_its_status() {
    let ran = Place::new("exits", 20, "").run();
    assert_eq!((ran.status, ran.verdict()), (1, "crashed"), "{}", ran.stderr);
    assert!(ran.reason().contains("exit status 7"), "{}", ran.reason());
}

#[test]
fn a_flag_that_takes_no_effect_is_invalid() {
    let flag = r#"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
verify = { path = "/ready", contains = "cache=on" }
[plan]
strategy = "all"
"#;
    let ran = Place::new("fine", 2, flag).run();
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"));
    assert!(ran.reason().contains("\"cache\"") && ran.reason().contains("did not take effect"), "{}", ran.reason());
}

#[test]
fn a_short_soak_of_a_fine_service_is_undecided() {
    let place = Place::new("fine", 2, "");
    let ran = place.run();
    assert!(ran.is_undecided(0), "{}", ran.report);
    assert!(ran.accounts_balance());
    // A soak that needs no terminal tells its progress in lines.
    assert!(ran.stderr.contains("cell 1/1 baseline"), "{}", ran.stderr);
    assert!(place.path("out/baseline/verdict.json").is_file() && place.path("out/run.json").is_file());
}

/// Starts a long soak and waits until it has sampled.
fn begun(place: &Place) -> (Child, BufReader<std::process::ChildStderr>) {
    begun_with(place, &["--out", "out"])
}

fn begun_with(place: &Place, more: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut steep = place
        .steep(&[&["run", "soak.toml"], more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(steep.stderr.take().unwrap());
    // The first progress line comes with the first sample.
    wait_for(&mut stderr, "steady,");
    (steep, stderr)
}

/// Reads what steep says until a line has `words` in it.
fn wait_for(stderr: &mut impl BufRead, words: &str) {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "steep ended and did not say {words:?}");
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn a_stop_of_the_whole_group_is_an_interrupt_and_no_crash() {
    let place = Place::new("fine", 600, "");
    let (steep, _stderr) = begun(&place);
    // As a service manager or a cancelled job does it: everybody gets the signal.
    let service = Pid::from_raw(*place.processes().first().unwrap()).unwrap();
    kill_process(service, Signal::TERM).unwrap();
    signal(&steep, Signal::TERM);
    let output = steep.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stdout}");
    assert!(stdout.contains("interrupted after"), "{stdout}");
}

#[test]
fn two_runs_do_not_soak_into_one_folder() {
    let place = Place::new("fine", 600, "");
    let (mut steep, _stderr) = begun(&place);
    let other = place.steep(&["run", "soak.toml", "--resume", "out"]).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("another steep is soaking"));
    signal(&steep, Signal::INT);
    steep.wait().unwrap();
}

#[test]
fn an_interrupt_stops_load_and_service_and_judges_what_there_is() {
    let place = Place::new("fine", 600, "");
    let (steep, _stderr) = begun(&place);
    signal(&steep, Signal::INT);
    let output = steep.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stdout}");
    assert!(stdout.contains("interrupted after"), "{stdout}");
    assert!(place.nothing_is_left());
}

#[test]
fn after_kill_9_the_trace_is_readable_and_nothing_is_left() {
    let place = Place::new("fine", 600, "");
    let (mut steep, _stderr) = begun(&place);
    signal(&steep, Signal::KILL);
    steep.wait().unwrap();
    let pids = place.processes();
    assert!(!pids.is_empty());
    // The supervisor ends the service when it sees that steep is gone: a matter of milliseconds, and looked for so
    // often only.
    let looks = (0..1_000_000).find(|_| {
        std::thread::yield_now();
        place.nothing_is_left()
    });
    assert!(looks.is_some(), "the service is still there");
    let analyzed = place.steep(&["analyze", "out", "--format", "json"]).output().unwrap();
    let line: Value = serde_json::from_slice(&analyzed.stdout).unwrap();
    assert!(is_undecided(&line), "{line}");
    assert_eq!(analyzed.status.code(), Some(4));
}

#[test]
fn a_run_is_not_resumed_with_another_scenario_nor_begun_in_a_folder_that_has_one() {
    let place = Place::new("fine", 2, "");
    place.run();
    let again = place.steep(&["run", "soak.toml", "--out", "out"]).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("has a run in it already"));
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    fs::write(place.path("soak.toml"), scenario.replace("\"2s\"", "\"3s\"")).unwrap();
    let changed = place.steep(&["run", "soak.toml", "--resume", "out"]).output().unwrap();
    assert_eq!(changed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&changed.stderr).contains("has changed"));
}

#[test]
fn a_queue_that_runs_dry_and_answers_not_as_expected_are_reported_and_files_stay_as_they_were() {
    let more = r#"
headers = { x-user = "{{user}}" }
expect = { body_contains = "hello, {{user}}" }
[params.user]
dist = "csv"
path = "users.csv"
column = "name"
pick = "queue"
"#;
    let place = Place::new("fine", 2, more);
    let rows: String = (1..=20).map(|row| format!("secret-{row}\n")).collect();
    fs::write(place.path("users.csv"), format!("name\n{rows}")).unwrap();
    let ran = place.run();
    assert_eq!((ran.verdict(), ran.status), ("invalid", 4), "{}", ran.stderr);
    assert!(ran.accounts_balance());
    assert_eq!(ran.requests("dry") + ran.requests("missed") + ran.requests("sent"), ran.requests("due"));
    assert!(ran.reason().contains("with another answer than expected"), "{}", ran.reason());
    assert!(ran.reason().contains("a parameter with pick = \"queue\" had no row left"), "{}", ran.reason());
    let message = ran.report["cells"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("the first answer not as expected: request \"get\": the body does not contain"),
        "{message}"
    );

    let record = fs::read_to_string(place.path("out/run.json")).unwrap();
    assert!(record.contains("\"users.csv\": \"") && !record.contains("secret-"), "{record}");
    fs::write(place.path("users.csv"), "name\nann\n").unwrap();
    let resumed = place.steep(&["run", "soak.toml", "--resume", "out"]).output().unwrap();
    assert_eq!(resumed.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&resumed.stderr);
    assert!(stderr.contains("users.csv has changed since the run was begun"), "{stderr}");
}

#[test]
fn a_trace_that_cannot_be_read_takes_no_other_cell_with_it() {
    let flags = "[[flags]]\nname = \"cache\"\nkind = \"env\"\nvar = \"CACHE\"\n[plan]\nstrategy = \"each\"\n";
    let place = Place::new("fine", 2, flags);
    assert!(place.run().is_undecided(1));
    // steep was killed before the first line of one, and the disk lost the head of the other.
    for (text, reason) in [("", "not soaked"), ("\0\0\0\n", "not a header of a trace")] {
        fs::write(place.path("out/cache/trace.jsonl"), text).unwrap();
        let output = place.steep(&["report", "out", "--format", "json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["cells"][0]["cell"], "baseline");
        assert!(report["missing"][0]["reason"].as_str().unwrap().contains(reason), "{}", report["missing"]);
        assert_eq!(report["exit_status"], 4);
    }
}

#[test]
fn resume_soaks_what_was_not_finished_as_a_new_attempt() {
    let place = Place::new("fine", 2, ONCE);
    assert!(place.run().is_undecided(0));
    let trace = place.path("out/baseline/trace.jsonl");
    let text = fs::read_to_string(&trace).unwrap();
    let unfinished: Vec<&str> = text.lines().filter(|line| !line.contains("\"record\":\"end\"")).collect();
    fs::write(&trace, unfinished.join("\n")).unwrap();
    let output = place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap();
    assert!(Ran::of(output).is_undecided(0));
    assert!(place.path("out/baseline/attempts/1/trace.jsonl").is_file());
    let header: Value = serde_json::from_str(fs::read_to_string(&trace).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(header["attempt"], 2);
}
