//! `steep run --until` with real processes. Services that end by themselves keep a night of hours short.

use std::fs;

use jiff::{ToSpan as _, Zoned};
use serde_json::Value;

use super::{Place, Ran, Signal, begun_with, signal};

/// Two flags that do nothing.
const FLAGS: &str = r#"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
[[flags]]
name = "sessions"
kind = "env"
var = "SESSIONS"
"#;

/// So many hours from now, as a user gives it.
fn hours_from_now(hours: i64) -> String {
    (&Zoned::now() + hours.hours()).strftime("%Y-%m-%dT%H:%M").to_string()
}

fn night(place: &Place, hours: i64, more: &[&str]) -> Ran {
    let until = hours_from_now(hours);
    let args = [&["run", "soak.toml", "--format", "json", "--until", &until], more].concat();
    Ran::of(place.steep(&args).output().unwrap())
}

/// How long the load of a cell was to last, as its trace says.
fn load_seconds(place: &Place, cell: &str) -> f64 {
    let trace = fs::read_to_string(place.path(&format!("out/{cell}/trace.jsonl"))).unwrap();
    let header: Value = serde_json::from_str(trace.lines().next().unwrap()).unwrap();
    header["phases"].as_array().unwrap().last().unwrap()["end_s"].as_f64().unwrap()
}

#[test]
fn a_night_begins_with_a_long_cell_goes_on_with_short_ones_and_says_what_it_does_not_know() {
    let place = Place::new("exits", 2, FLAGS);
    let ran = night(&place, 3, &["--out", "out"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("cache+sessions: its steady load goes on, for 1h"), "{}", ran.stderr);
    // Half of three hours, less what of the minute is over.
    let long = load_seconds(&place, "cache+sessions");
    assert!((5300.0..=5400.0).contains(&long), "{long}");
    assert_eq!((load_seconds(&place, "cache"), load_seconds(&place, "sessions")), (2.0, 2.0));
    let run: Value = serde_json::from_str(&fs::read_to_string(place.path("out/run.json")).unwrap()).unwrap();
    assert_eq!(run["plan"]["cells"][0]["duration_s"].as_f64(), Some(long));
    let open: Vec<&str> = ran.report["not_run"]["not_judged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|open| open["name"].as_str().unwrap())
        .collect();
    assert_eq!(open, ["cache", "sessions"]);

    // Another night goes on with it: cells that are over are not soaked again.
    let resumed = night(&place, 2, &["--resume", "out"]);
    assert_eq!(resumed.report["cells"], ran.report["cells"], "{}", resumed.stderr);
    assert_ne!(resumed.report["not_run"]["until"], ran.report["not_run"]["until"]);
    assert!(!place.path("out/cache/attempts").exists());

    let plain = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out"]).output().unwrap());
    assert_eq!(plain.status, 2);
    assert!(plain.stderr.contains("what `run --until` began `run --until`"), "{}", plain.stderr);
}

#[test]
fn a_long_cell_that_was_interrupted_is_as_long_as_the_next_night_allows() {
    let place = Place::new("fine", 600, FLAGS);
    for (hours, folder) in [(3, "--out"), (2, "--resume")] {
        let (steep, _stderr) = begun_with(&place, &[folder, "out", "--until", &hours_from_now(hours)]);
        signal(&steep, Signal::INT);
        let output = steep.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stdout));
        let long = load_seconds(&place, "cache+sessions");
        let most = 1800.0 * hours as f64;
        assert!((most - 100.0..=most).contains(&long), "{long} of {hours} h");
    }
    assert!(place.path("out/cache+sessions/attempts").exists());
    let run: Value = serde_json::from_str(&fs::read_to_string(place.path("out/run.json")).unwrap()).unwrap();
    assert_eq!(run["plan"]["cells"].as_array().unwrap().len(), 1, "{run}");
}

#[test]
fn a_night_without_room_for_a_cell_is_refused_with_the_time_that_would_do() {
    let place = Place::new("fine", 3 * 3600, FLAGS);
    let ran = night(&place, 1, &[]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("are left, and the first cell takes about 3h"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("give {}", &hours_from_now(3)[..11])), "{}", ran.stderr);
    assert!(!place.path("results").exists());
    assert_eq!(night(&place, 9, &["--cell", "cache"]).status, 2);
    assert_eq!(night(&place, 9, &["--max-hours", "1"]).status, 2);
    let over = Ran::of(place.steep(&["run", "soak.toml", "--until", "2026-01-01T07:00"]).output().unwrap());
    assert!(over.status == 2 && over.stderr.contains("is over: it is"), "{}", over.stderr);
}

#[test]
fn what_would_fit_is_shown_without_soaking() {
    let place = Place::new("fine", 1800, FLAGS);
    let until = hours_from_now(8);
    let output = place.steep(&["plan", "soak.toml", "--until", &until, "--format", "json"]).output().unwrap();
    let outline: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outline["long_cell"], "cache+sessions");
    assert!((13_000.0..=14_400.0).contains(&outline["long_cell_duration_s"].as_f64().unwrap()), "{outline}");
    assert_eq!((&outline["least_short_cells"], &outline["most_short_cells"]), (&7.into(), &7.into()));
    let described = place.steep(&["plan", "soak.toml", "--until", &until]).output().unwrap();
    let described = String::from_utf8(described.stdout).unwrap();
    assert!(described.contains("then 7 cells of 30m at most, each the one that tells most"), "{described}");
    assert!(!place.path("results").exists());
}
