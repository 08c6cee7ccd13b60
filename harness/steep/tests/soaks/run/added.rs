//! A cell that no strategy planned is added to a run by its name, and what is undecided ends with the command that does
//! so.

use std::fs;

use serde_json::Value;

use super::{ONCE, Place, Ran};

const FLAGS: &str = r#"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
[[flags]]
name = "labels"
kind = "env"
var = "LABELS"
[plan]
retries = 0
strategy = "off"
include = [{ flags = ["cache", "labels"] }]
"#;

#[test]
fn a_cell_that_would_settle_what_is_undecided_is_added_to_a_run() {
    let place = Place::new("fine", 2, FLAGS);
    let first = place.steep(&["run", "soak.toml", "--out", "out", "--format", "json"]).output().unwrap();
    let first = Ran::of(first);
    let cells = first.report["cells"].as_array().unwrap().len();
    let text = place.steep(&["report", "out"]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("to settle it: "), "{text}");
    let with = ["run", "soak.toml", "--resume", "out", "--cell", "labels", "--format", "json"];
    let added = Ran::of(place.steep(&with).output().unwrap());
    assert_eq!(added.report["cells"].as_array().unwrap().len(), cells + 1, "{}", added.stderr);
    assert!(place.path("out/labels/trace.jsonl").is_file());
    // It is of the run from now on.
    let again = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap());
    assert_eq!(again.report["cells"], added.report["cells"], "{}", again.stderr);
    let run = fs::read(place.path("out/run.json")).unwrap();
    let unknown = place.steep(&["run", "soak.toml", "--resume", "out", "--cell", "lables"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&unknown.stderr);
    assert!(stderr.contains("the plan has no cell \"lables\""), "{stderr}");
    assert_eq!(fs::read(place.path("out/run.json")).unwrap(), run);
}

#[test]
fn what_was_not_asked_for_is_said_and_is_not_missing() {
    let place = Place::new("fine", 2, FLAGS);
    let run = |args: &[&str]| {
        let args = [&["run", "soak.toml", "--format", "json"], args].concat();
        Ran::of(place.steep(&args).output().unwrap())
    };
    let asked = run(&["--out", "out", "--cell", "baseline"]);
    assert_eq!((asked.status, asked.verdict()), (3, "inconclusive"), "{}", asked.stderr);
    assert_eq!(asked.report["not_asked"], serde_json::json!(["cache+labels"]), "{}", asked.report);
    let text = String::from_utf8(place.steep(&["report", "out"]).output().unwrap().stdout).unwrap();
    assert!(text.contains("UNDECIDED: 1 inconclusive, 1 cell not asked for"), "{text}");
    // A run that goes on with all wants all.
    let all = run(&["--resume", "out"]);
    assert_eq!((all.status, all.report.get("not_asked")), (3, None), "{}", all.stderr);
    assert_eq!(all.report["cells"].as_array().unwrap().len(), 2);
}

#[test]
fn resume_soaks_an_invalid_cell_again() {
    let place = Place::new("fails", 2, ONCE);
    assert_eq!(place.run().verdict(), "invalid");
    let again = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap());
    assert_eq!((again.verdict(), again.status), ("invalid", 4), "{}", again.stderr);
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let header: Value = serde_json::from_str(trace.lines().next().unwrap()).unwrap();
    assert_eq!(header["attempt"], 2);
    assert!(place.path("out/baseline/attempts/1/trace.jsonl").is_file());
}
