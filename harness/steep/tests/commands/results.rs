//! Folders of results: `steep compare`, `steep history` and `steep clean`, on runs that were recorded.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use steep::shell::store::packed::{PACKED_TRACE_FILE, pack};
use steep::shell::store::{RunFolder, RunRecord, TRACE_FILE};
use steep_core::plan::plan;
use steep_core::problem::Spans;
use steep_core::scenario::package::Features;
use steep_core::scenario::{Scenario, Supplies};
use steep_core::sim::{SimService, soak};
use steep_core::testing::{decoded, sound};
use steep_core::trace::{Provenance, Record, Trace};
use tempfile::TempDir;

/// A flag, and a second request.
const MORE: &str = r#"
[[requests]]
name = "login"
path = "/login"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
"#;

/// A folder of results.
struct Results {
    folder: TempDir,
    scenario: Scenario,
}

impl Results {
    fn new() -> Self {
        let scenario = decoded(&sound("10m", MORE));
        Self { folder: tempfile::tempdir().unwrap(), scenario }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run of the night `day`, in which the flag keeps this many bytes for each request, built by this rustc.
    fn run(&self, day: u32, leak: f64, rustc: &str) -> PathBuf {
        let path = self.path(&format!("night-{day}"));
        let plan = plan(&self.scenario, &Features::default(), &Spans::default()).unwrap();
        let provenance =
            Provenance { rustc: rustc.to_owned(), git_commit: format!("{day:040}"), ..Provenance::default() };
        let supplies = Supplies::default();
        let mut run =
            RunRecord::new(self.scenario.clone(), &supplies, PathBuf::new(), plan.clone(), provenance.clone());
        run.started = format!("2026-11-{day:02}T22:00:00Z");
        let folder = RunFolder::create(Some(&path), &run, "").unwrap();
        for cell in &plan.cells {
            let leak_per_request = if cell.flags.contains("cache") { leak } else { 0.0 };
            let service = SimService { probe: true, leak_per_request, ..SimService::default() };
            let mut trace = soak(&self.scenario, &service, &[]).unwrap();
            (trace.header.cell, trace.header.flags) = (cell.id.clone(), cell.flags.clone());
            trace.header.provenance = Provenance { binary_sha256: format!("{day:064}"), ..provenance.clone() };
            fs::create_dir(folder.cell(&cell.id)).unwrap();
            fs::write(folder.cell(&cell.id).join(TRACE_FILE), lines(trace)).unwrap();
        }
        steep(&[
            "report",
            path.to_str().unwrap(),
            "--format",
            "json",
            "-o",
            path.join("report.json").to_str().unwrap(),
        ]);
        path
    }
}

fn lines(trace: Trace) -> String {
    let records = std::iter::once(Record::Header(Box::new(trace.header)))
        .chain(trace.start.map(Record::Start))
        .chain(trace.samples.into_iter().map(Record::Sample))
        .chain(trace.traffic.into_iter().map(Record::Traffic))
        .chain(trace.end.map(Record::End));
    records.map(|record| serde_json::to_string(&record).unwrap() + "\n").collect()
}

/// What is said on stdout and stderr, and the exit status.
fn steep(args: &[&str]) -> (String, String, i32) {
    let output = Command::cargo_bin("steep").unwrap().args(args).env("COLUMNS", "100").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

fn json(args: &[&str]) -> (Value, i32) {
    let (said, wrong, status) = steep(&[args, &["--format", "json"]].concat());
    (serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{wrong}")), status)
}

fn at(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_night_with_a_leak_is_worse_than_the_last_clean_one_and_names_flag_and_endpoint() {
    let results = Results::new();
    let [clean, other, leaks] = [(20, 0.0), (21, 412.0), (22, 412.0)].map(|(day, leak)| results.run(day, leak, "1.95"));
    let (said, status) = json(&["compare", at(&clean), at(&leaks)]);
    assert_eq!((&said["becomes"], &said["exit_status"], status), (&"worse".into(), &1.into(), 1));
    let worst = &said["cells"][0];
    assert_eq!((&worst["cell"], &worst["figures"][0]["figure"]), (&"cache".into(), &"growth_bytes_per_request".into()));
    assert!(worst["sentence"].as_str().unwrap().starts_with("new: grows by 4"), "{worst}");
    let mut new: Vec<(&str, &str)> = said["appeared"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            assert_eq!(one["is_new"], true);
            (one["kind"].as_str().unwrap(), one["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(new[0], ("flag", "cache"));
    new.sort_unstable();
    // Every request keeps as much.
    assert_eq!(new, [("endpoint", "get"), ("endpoint", "login"), ("flag", "cache")]);
    // The one in between is not clean.
    let (by_baseline, status) = json(&["compare", "--baseline", "latest-clean", at(&leaks)]);
    assert_eq!((&by_baseline["base"]["folder"], status), (&at(&clean).into(), 1));
    let (text, _, status) = steep(&["compare", at(&other), at(&leaks)]);
    assert!(status == 0 && text.contains("SAME: 2 same of 2 cells (exit status 0)"), "{text}");
    let (text, _, status) = steep(&["compare", at(&leaks), at(&clean)]);
    assert!(status == 0 && text.contains("fixed: at most") && text.contains("gone: flag cache"), "{text}");
    let (_, wrong, status) = steep(&["compare", "--baseline", "latest-clean", at(&clean)]);
    assert!(status == 4 && wrong.contains("no run of"), "{wrong}");
}

#[test]
fn runs_under_other_conditions_are_refused_and_say_what_differs_unless_they_are_compared_anyway() {
    let results = Results::new();
    let (one, two) = (results.run(20, 0.0, "rustc 1.95.0"), results.run(21, 0.0, "rustc 1.96.0"));
    let (said, wrong, status) = steep(&["compare", at(&one), at(&two)]);
    assert_eq!((said.as_str(), status), ("", 2));
    assert!(wrong.contains("toolchain: rustc was rustc 1.95.0, is rustc 1.96.0 (2 cells)"), "{wrong}");
    let (said, status) = json(&["compare", at(&one), at(&two), "--anyway"]);
    assert_eq!((&said["differences"][0]["subject"], status), (&"toolchain".into(), 0));
    for args in [&["compare", at(&one)][..], &["compare", at(&one), at(&two), "--baseline", "latest-clean"]] {
        assert_eq!(steep(args).2, 2, "{args:?}");
    }
    assert_eq!(steep(&["compare", at(&one), "/no/such/run"]).2, 4);
}

#[test]
fn a_compressed_trace_says_the_same_to_every_command() {
    let results = Results::new();
    let (one, two) = (results.run(20, 0.0, "1.95"), results.run(21, 412.0, "1.95"));
    let cell = one.join("baseline");
    let trace = cell.join(PACKED_TRACE_FILE);
    let all = |cell: &Path| {
        let analyzed = |path: &Path| {
            let (mut said, status) = json(&["analyze", at(path)]);
            said["source"] = Value::Null;
            (said, status)
        };
        let report = json(&["report", at(&one)]);
        (report, json(&["compare", at(&one), at(&two)]), analyzed(cell))
    };
    let before = all(&cell);
    assert!(pack(&cell, 0).unwrap() > 0 && trace.is_file() && !cell.join(TRACE_FILE).exists());
    assert_eq!(all(&cell), before);
    let (mut said, status) = json(&["analyze", at(&trace)]);
    said["source"] = Value::Null;
    assert_eq!((said, status), before.2);
}

#[test]
fn old_runs_are_deleted_after_they_were_named_and_nothing_else() {
    let results = Results::new();
    let runs: Vec<PathBuf> =
        [0.0, 412.0, 0.0, 0.0, 0.0].into_iter().zip(1..).map(|(leak, day)| results.run(day, leak, "1.95")).collect();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "").unwrap();
    symlink(outside.path(), runs[0].join("link")).unwrap();
    symlink(&runs[0], results.path("night-0")).unwrap();
    fs::create_dir(results.path("notes")).unwrap();
    fs::write(results.path("notes/run.json"), "{\"steep\":\"0.1.0\"}").unwrap();
    fs::write(results.path("history.jsonl"), "").unwrap();
    let clean = |more: &[&str]| {
        steep(&[&["clean", "--results", at(results.folder.path()), "--keep", "2", "--keep-findings"], more].concat())
    };
    let (said, _, status) = clean(&["--dry-run"]);
    assert_eq!(status, 0);
    for (number, word) in [(0, "delete"), (1, "keep  "), (2, "delete")] {
        assert!(said.contains(&format!("{word} {}", at(&runs[number]))), "{said}");
    }
    // Nobody is there who could be asked.
    let (_, wrong, status) = clean(&[]);
    assert!(status == 2 && wrong.contains("nothing was deleted"), "{wrong}");
    assert!(runs.iter().all(|run| run.is_dir()));
    let (said, wrong, status) = clean(&["--yes"]);
    assert!(status == 0 && said.contains("deleted 2 runs"), "{said}{wrong}");
    assert_eq!(runs.iter().map(|run| run.is_dir()).collect::<Vec<_>>(), [false, true, false, true, true]);
    assert!(outside.path().join("precious").is_file() && results.path("notes/run.json").is_file());
    assert!(results.path("history.jsonl").is_file() && results.path("night-0").is_symlink());
    // What is kept is compressed, and told as before.
    assert!(runs[4].join("baseline").join(PACKED_TRACE_FILE).is_file());
    assert_eq!(json(&["report", at(&runs[4])]).1, 0);
}

#[test]
fn the_last_clean_run_and_one_that_is_being_soaked_stay() {
    let results = Results::new();
    let runs = [0.0, 412.0, 412.0].into_iter().zip(1..).map(|(leak, day)| results.run(day, leak, "1.95"));
    let runs: Vec<PathBuf> = runs.collect();
    let (mut soaked, _) = RunFolder::open(&runs[1]).unwrap();
    soaked.lock().unwrap();
    let (said, wrong, status) = steep(&["clean", "--results", at(results.folder.path()), "--keep", "1", "--yes"]);
    assert!(status == 4 && wrong.contains("another steep is soaking into"), "{said}{wrong}");
    assert!(runs.iter().all(|run| run.is_dir()) && said.contains("the last clean one"), "{said}");
}

#[test]
fn a_history_without_nights_says_which_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let (_, wrong, status) = steep(&["history", "shop", "--results", at(folder.path())]);
    assert!(status == 4 && wrong.contains("there is no history"), "{wrong}");
    fs::write(folder.path().join("history.jsonl"), "{\"name\":\"till\"}\n").unwrap();
    let (_, wrong, status) = steep(&["history", "shop", "--results", at(folder.path())]);
    assert!(status == 4 && wrong.contains("has no night of \"shop\"; it has nights of till"), "{wrong}");
}
