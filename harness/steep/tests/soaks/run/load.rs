//! What becomes of the load: closed accounts whatever stalls, thresholds that end a cell, a load that another program
//! makes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use super::{Place, begun};
use crate::support::stage;

fn shell(script: &str) {
    assert!(Command::new("sh").args(["-c", script]).status().unwrap().success());
}

/// Lets the process `pid` rest for a second.
pub(super) fn rest(pid: i32) {
    shell(&format!("kill -STOP {pid}; sleep 1; kill -CONT {pid}"));
}

/// The last record of this kind in the trace of the baseline.
fn last_record(place: &Place, kind: &str) -> Value {
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let mut records = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.rfind(|record| record["record"] == kind).unwrap_or_else(|| panic!("no {kind}: {trace}"))
}

/// The counts of the baseline's requests, which must balance in every line; whatever was sent has ended if the cell
/// has.
fn accounts(place: &Place) -> BTreeMap<String, u64> {
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let mut last = BTreeMap::new();
    for line in trace.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["record"] == "traffic" {
            let counts = &record["requests"]["get"];
            last = counts.as_object().unwrap().iter().map(|(key, n)| (key.clone(), n.as_u64().unwrap())).collect();
            assert_eq!(last["due"], last["sent"] + last["missed"] + last["dropped"], "{line}");
        }
    }
    let ended = ["ok", "failed_status", "failed_connect", "failed_timeout", "failed_body"];
    assert_eq!(last["sent"], ended.iter().map(|key| last[*key]).sum::<u64>(), "{last:?}");
    last
}

/// How many values the log holds, by tag.
fn logged(path: &Path) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for entry in IntervalLogIterator::new(&fs::read(path).unwrap()) {
        let LogEntry::Interval(line) = entry.unwrap() else { continue };
        let bytes = base64::engine::general_purpose::STANDARD.decode(line.encoded_histogram()).unwrap();
        let times: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        *sums.entry(line.tag().unwrap().as_str().to_owned()).or_default() += times.len();
    }
    sums
}

/// Soaks, and does `this` with the pids of steep and of the service meanwhile.
fn soak_with(place: &Place, this: impl FnOnce(i32, i32)) {
    let (steep, _stderr) = begun(place);
    this(i32::try_from(steep.id()).unwrap(), *place.processes().first().unwrap());
    steep.wait_with_output().unwrap();
    let counts = accounts(place);
    let end = last_record(place, "end");
    assert_eq!(end["latency"]["get"]["count"].as_u64(), Some(counts["due"]), "every due request has a latency");
    let logged = logged(&place.path("out/baseline/latency.hlog"));
    let of_end = |times: &str| end[times]["get"]["count"].as_u64().unwrap();
    assert_eq!((logged["get"], logged["get|service"]), (of_end("latency"), of_end("service_time")));
    assert_eq!(logged["|lateness"], end["lateness"]["count"].as_u64().unwrap());
}

#[test]
fn a_stalled_service_leaves_closed_accounts_and_a_percentile_that_says_so() {
    // Few in flight, so that most of what is due in the stall is dropped; with no time-out before its end.
    let place = Place::new("fine", 5, "[load]\nmax_in_flight = 8\n[plan]\nretries = 0\n");
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    fs::write(place.path("soak.toml"), scenario.replace("request_timeout = \"500ms\"", "request_timeout = \"5s\""))
        .unwrap();
    soak_with(&place, |_, service| rest(service));
    let counts = accounts(&place);
    assert!(counts["dropped"] > 20, "{counts:?}");
    let p99_us = last_record(&place, "end")["latency"]["get"]["p99_us"].as_u64().unwrap();
    assert!(p99_us > 500_000, "{p99_us}");
}

#[test]
fn a_starved_driver_misses_and_says_so() {
    let place = Place::new("fine", 4, "[plan]\nretries = 0\n");
    soak_with(&place, |steep, _| rest(steep));
    let counts = accounts(&place);
    assert!(counts["missed"] > 50, "{counts:?}");
    assert!(last_record(&place, "end")["latency"]["get"]["p99_us"].as_u64().unwrap() >= 500_000);
}

#[test]
fn a_killed_service_leaves_closed_accounts() {
    let place = Place::new("fine", 60, "");
    soak_with(&place, |_, service| shell(&format!("sleep 1; kill -KILL {service}")));
    assert_eq!(last_record(&place, "end")["reason"], "crashed");
}

#[test]
fn a_threshold_that_is_broken_for_too_long_ends_the_cell_and_is_a_finding() {
    let threshold = "[[thresholds]]\nmetric = \"error_rate\"\nmax = 0.5\nwindow = \"1s\"\nabort_after = \"1s\"\n";
    let place = Place::new("fails", 600, threshold);
    let ran = place.run();
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert_eq!(last_record(&place, "end")["reason"], "threshold_broken");
    let kept = &ran.report["cells"][0]["thresholds"][0];
    assert_eq!((&kept["broken"], &kept["worst"]), (&Value::Bool(true), &serde_json::json!(1.0)), "{kept}");
    assert!(kept["breach"]["seconds"].as_f64().unwrap() >= 1.0, "{kept}");
    // Read back, it is the same.
    let output = place.steep(&["report", "out", "--format", "json"]).output().unwrap();
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["cells"][0]["thresholds"], ran.report["cells"][0]["thresholds"]);
}

#[test]
fn a_threshold_of_a_latency_is_judged_by_what_was_counted() {
    let of = |limit: &str| format!("[[thresholds]]\nmetric = \"p50\"\nmax = \"{limit}\"\nrequest = \"get\"\n");
    let place = Place::new("fine", 2, &format!("{}{}", of("0ms"), of("10s")));
    let ran = place.run();
    let broken = |index: usize| ran.report["cells"][0]["thresholds"][index]["broken"].as_bool().unwrap();
    assert!(broken(0) && !broken(1), "{}", ran.report["cells"][0]["thresholds"]);
    assert_eq!(ran.status, 1);
}

/// A scenario whose load is made by the shell script `load`.
fn loaded_by(load: &str, counter: &str) -> Place {
    let place = Place::new("fine", 2, "");
    let scenario = fs::read_to_string(place.path("soak.toml")).unwrap();
    let (service, _) = scenario.split_once("[http]").unwrap();
    let load = load.replace("STAGE", &stage().display().to_string());
    let rest = format!(
        "[load]\ncommand = [\"sh\", \"-c\", '{load}']\n{counter}\n[[phases]]\nname = \"steady\"\nrole = \"steady\"\nshape = \"external\"\nduration = \"3s\"\n"
    );
    fs::write(place.path("soak.toml"), format!("{service}{rest}")).unwrap();
    place
}

const COUNTER: &str = "counter = { path = \"/metrics\", metric = \"moody_requests_total\" }";

#[test]
fn a_load_that_another_program_makes_is_counted_by_the_service_and_ended_with_the_phases() {
    // A grandchild, which must not outlive the cell either.
    let place = loaded_by("echo loading {{dir}}; LOAD_URL={{url}} STAGE load & wait", COUNTER);
    let ran = place.run();
    assert_eq!(ran.verdict(), "inconclusive", "{} {}", ran.report["cells"][0]["reason"], ran.stderr);
    assert!(ran.report["cells"][0]["completed"].as_u64().unwrap() > 100, "{}", ran.report["cells"][0]);
    assert_eq!(last_record(&place, "end")["reason"], "completed");
    let log = fs::read_to_string(place.path("out/baseline/driver.log")).unwrap();
    assert!(log.starts_with("loading /"), "{log}");
    assert!(place.nothing_is_left());
    let report = place.steep(&["report", "out"]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("moody_requests_total"), "{report}");
}

#[test]
fn a_load_that_fails_is_invalid_with_its_last_words_and_one_that_is_done_ends_the_soak() {
    let failed = loaded_by("echo no script >&2; exit 3", "").run();
    assert_eq!((failed.status, failed.verdict()), (4, "invalid"));
    assert!(failed.reason().contains("exit status 3") && failed.reason().contains("no script"), "{}", failed.reason());
    let place = loaded_by("exit 0", "");
    let done = place.run();
    assert_eq!(last_record(&place, "end")["reason"], "load_ended");
    assert!(done.report["cells"][0]["cut_short"].as_str().unwrap().contains("the load was over"), "{}", done.report);
}

#[test]
fn a_counter_that_is_not_there_or_does_not_move_is_invalid() {
    let missing = loaded_by("sleep 60", "counter = { path = \"/metrics\", metric = \"other_total\" }").run();
    assert!(missing.reason().contains("no counter other_total"), "{}", missing.reason());
    let still = loaded_by("sleep 60", COUNTER).run();
    assert_eq!(still.verdict(), "invalid");
    assert!(still.reason().contains("did not move"), "{}", still.reason());
}

#[test]
fn a_service_without_an_address_is_soaked_without_traffic() {
    let place = Place::new("fine", 2, "");
    let scenario = format!(
        r#"
name = "quiet"
[service]
command = ["{}", "moody"]
env = {{ MOOD = "fine", PORT = "{{{{port}}}}" }}
[load]
model = "none"
[[phases]]
name = "quiet"
role = "steady"
shape = "pause"
duration = "2s"
"#,
        stage().display()
    );
    fs::write(place.path("soak.toml"), scenario).unwrap();
    let ran = place.run();
    assert_eq!((ran.verdict(), ran.status), ("inconclusive", 3), "{}", ran.stderr);
    assert!(ran.reason().starts_with("too short"), "{}", ran.reason());
    assert_eq!((ran.requests("due"), &ran.report["cells"][0]["without_load"]), (0, &Value::Bool(true)));
    assert!(ran.stderr.contains("without requests"), "{}", ran.stderr);
    assert!(place.nothing_is_left());
}

/// The counts of requests in the samples of the baseline.
fn counted(place: &Place) -> Vec<u64> {
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let records = trace.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let samples = records.filter(|record| record["record"] == "sample");
    samples.map(|sample| sample["requests"]["requests"].as_u64().unwrap_or_default()).collect()
}

#[test]
fn a_program_that_makes_the_load_counts_its_requests_on_stdout() {
    let script = "LOAD_COUNTS=1 LOAD_URL={{url}} STAGE load & wait";
    let place = loaded_by(script, "requests_from = \"stdout\"");
    let ran = place.run();
    assert_eq!(ran.verdict(), "inconclusive", "{} {}", ran.report["cells"][0]["reason"], ran.stderr);
    let counts = counted(&place);
    assert!(counts.is_sorted() && counts.last().unwrap() - counts[0] > 100, "{counts:?}");
    assert_eq!(ran.report["cells"][0]["completed"].as_u64(), Some(counts.last().unwrap() - counts[0]));
    assert_eq!(ran.report["cells"][0]["external"]["reported"], "stdout");
    let report = place.steep(&["report", "out"]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    let words = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("those that it counts itself in its output"), "{report}");
    assert!(place.nothing_is_left());
}

#[test]
fn a_program_that_makes_the_load_counts_its_requests_in_a_file() {
    let script = "n=0; while :; do n=$((n + 7)); echo requests=$n >> {{dir}}/told; sleep 0.05; done";
    let place = loaded_by(script, "requests_from = \"file\"\nrequests_file = \"told\"");
    let ran = place.run();
    assert_eq!(ran.verdict(), "inconclusive", "{} {}", ran.report["cells"][0]["reason"], ran.stderr);
    let counts = counted(&place);
    assert!(counts.last().is_some_and(|last| *last > 7) && counts.iter().all(|count| count % 7 == 0), "{counts:?}");
}

#[test]
fn a_count_that_is_none_that_goes_back_or_stands_still_is_said() {
    let described = |script: &str, keys: &str| {
        let ran = loaded_by(script, keys).run();
        assert_eq!((ran.status, ran.verdict()), (4, "invalid"), "{}", ran.stderr);
        format!("{}; {}", ran.reason(), ran.report["cells"][0]["message"].as_str().unwrap())
    };
    let stdout = "requests_from = \"stdout\"";
    let none = described("echo requests 1.5; echo requests many; sleep 60", stdout);
    assert!(none.contains("told no count of requests") && none.contains("the first: requests 1.5"), "{none}");
    let back = described("echo 500; sleep 1; echo 20; echo 900; sleep 60", stdout);
    assert!(back.contains("went back from 500 to 20"), "{back}");
    assert!(described("echo 500; sleep 60", stdout).contains("did not move"));
    let pipe = described("mkfifo {{dir}}/told; sleep 60", "requests_from = \"file\"\nrequests_file = \"told\"");
    assert!(pipe.contains("it is a named pipe (FIFO) and no regular file"), "{pipe}");
}
