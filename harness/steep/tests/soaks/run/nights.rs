//! What a run leaves for the nights after it: a line of the history, and a trace that may be compressed.

use steep::shell::store::packed::{PACKED_TRACE_FILE, pack};

use super::*;

fn json(place: &Place, args: &[&str]) -> Value {
    let output = place.steep(&[args, &["--format", "json"]].concat()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_run_adds_its_night_and_is_resumed_and_compared_with_its_trace_compressed() {
    let place = Place::new("fine", 3, ONCE);
    place.run();
    let history = || json(&place, &["history", "moody", "--results", "."]);
    let night = &history()["cells"][0]["nights"][0];
    assert_eq!(night["run"], "out", "{night}");
    // A machine that was too busy makes it invalid, and that is soaked again.
    let is_over = night["verdict"] == "inconclusive";
    assert!(fs::metadata(place.path("history.jsonl")).unwrap().len() <= 1024);

    assert!(pack(&place.path("out/baseline"), 0).unwrap() > 0);
    // It is over: nothing is soaked again, and its night is still one.
    let resumed = Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap());
    assert!(resumed.is_undecided(0), "{}", resumed.stderr);
    assert_eq!(place.path("out/baseline/attempts").exists(), !is_over);
    assert_eq!(place.path("out/baseline").join(PACKED_TRACE_FILE).is_file(), is_over);
    assert_eq!((history()["nights"].as_u64(), history()["broken_lines"].as_u64()), (Some(1), Some(0)));
    let compared = json(&place, &["compare", "out", "out"]);
    assert_eq!(compared["cells"][0]["becomes"], "unknown");
}
