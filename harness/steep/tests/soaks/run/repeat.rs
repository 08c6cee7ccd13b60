//! Cells that did not have their load: soaked once more, by themselves and after all others, and no more often than is
//! asked for.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use super::load::rest;
use super::{BUSY, Place, Ran, begun, signal};

/// A service that is slower than its load, and no place to wait: of a hundred requests a second some twenty are sent.
const SHORT: &str = "[load]\nmax_in_flight = 1\n";

fn header(place: &Place, cell: &str) -> Value {
    let trace = fs::read_to_string(place.path(&format!("out/{cell}/trace.jsonl"))).unwrap();
    serde_json::from_str(trace.lines().next().unwrap()).unwrap()
}

fn attempts(place: &Place, cell: &str) -> usize {
    fs::read_dir(place.path(&format!("out/{cell}/attempts"))).map_or(0, Iterator::count)
}

#[test]
fn a_cell_whose_driver_was_starved_is_soaked_once_more_and_the_first_soak_does_not_count() {
    let place = Place::new("fine", 4, "");
    place.change(BUSY, "");
    let (steep, _stderr) = begun(&place);
    rest(i32::try_from(steep.id()).unwrap());
    steep.wait_with_output().unwrap();
    let repeated = &header(&place, "baseline")["repeated"];
    assert_eq!((repeated["times"].as_u64(), attempts(&place, "baseline")), (Some(1), 1));
    assert!(repeated["why"].as_str().unwrap().contains("not delivered"), "{repeated}");
    let report = place.steep(&["report", "out"]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(report.contains("soaked once more, after an attempt that does not count"), "{report}");
}

#[test]
fn nothing_is_repeated_where_that_is_switched_off() {
    let place = Place::new("slow", 2, &format!("{SHORT}[plan]\nretries = 0\n"));
    let ran = place.run();
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"), "{}", ran.stderr);
    assert!(ran.reason().contains("was short"), "{}", ran.reason());
    assert!(ran.report["cells"][0]["shortage"]["evidence"]["steep_cpus"].is_f64(), "{}", ran.report["cells"][0]);
    assert_eq!(attempts(&place, "baseline"), 0);
}

#[test]
fn a_cell_that_stays_short_ends_the_repeating_and_a_later_run_goes_on_with_it() {
    let flag = "[[flags]]\nname = \"tea\"\nkind = \"env\"\nvar = \"TEA\"\n[plan]\nstrategy = \"each\"\n";
    let place = Place::new("slow", 1, &format!("{SHORT}{flag}"));
    let ran = place.run();
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("short of load again, and 1 more are not repeated"), "{}", ran.stderr);
    let both = || attempts(&place, "baseline") + attempts(&place, "tea");
    assert_eq!(both(), 1);
    let resume = |more: &[&str]| {
        Ran::of(place.steep(&[&["run", "soak.toml", "--resume", "out"], more].concat()).output().unwrap())
    };
    // Whoever resumes has mended what kept them from having their load: all that are invalid are soaked again.
    assert_eq!(resume(&[]).status, 4);
    assert_eq!(both(), 3);
    resume(&["--cell", "tea"]);
    assert_eq!((both(), attempts(&place, "tea")), (4, 2), "who names a cell gets only that one");
}

#[test]
fn a_repetition_that_is_interrupted_goes_on_as_one() {
    let place = Place::new("fine", 4, "");
    place.change(BUSY, "");
    let (steep, mut stderr) = begun(&place);
    rest(i32::try_from(steep.id()).unwrap());
    super::wait_for(&mut stderr, "soaked once more");
    super::wait_for(&mut stderr, "steady,");
    signal(&steep, Signal::INT);
    steep.wait_with_output().unwrap();
    assert_eq!((header(&place, "baseline")["repeated"]["times"].as_u64(), attempts(&place, "baseline")), (Some(1), 1));
    let resumed = place.steep(&["run", "soak.toml", "--resume", "out"]).output().unwrap();
    let stderr = String::from_utf8(resumed.stderr).unwrap();
    let header = header(&place, "baseline");
    assert_eq!((header["repeated"]["times"].as_u64(), attempts(&place, "baseline")), (Some(1), 2), "{stderr}");
}
