//! Memory of no process, and workers that end, from the service to the report.

use super::*;

#[test]
fn what_a_service_keeps_in_a_deleted_file_on_tmpfs_is_in_its_memory_and_in_the_report() {
    let place = Place::new("spools", 4, "");
    let ran = place.run();
    let cell = &ran.report["cells"][0];
    let bytes = |key: &str| cell["held"][key].as_u64().unwrap_or_else(|| panic!("no {key}: {cell}"));
    // 400 requests of 64 KiB, unless the machine was too busy to send them all.
    let kept = ran.requests("ok") * (64 << 10);
    assert!(bytes("tmpfs_bytes") > kept / 2, "{kept} {cell}");
    assert!(bytes("unmapped_end_bytes") > kept / 2 && cell["peak_bytes"].as_u64() > Some(kept / 2), "{kept} {cell}");
    assert!(cell["not_counted"].as_array().is_some_and(|list| !list.is_empty()));
    let described = place.steep(&["report", "out"]).output().unwrap();
    let described = String::from_utf8(described.stdout).unwrap();
    assert!(described.contains("of memory that no process has mapped (tmpfs"), "{described}");
    assert!(described.contains("not counted as memory of the service: "), "{described}");
}

#[test]
fn a_worker_that_is_killed_is_an_event_in_the_trace_and_a_line_in_the_report() {
    let place = Place::new("loses-worker", 4, "");
    let ran = place.run();
    let ends = ran.report["cells"][0]["worker_ends"].as_array().unwrap_or_else(|| panic!("{}", ran.report));
    assert_eq!((ends.len(), ends[0]["name"].as_str(), ends[0]["is_failure"].as_bool()), (1, Some("sleep"), Some(true)));
    assert_eq!(ends[0]["cause"], "killed by signal 11 (SIGSEGV)");
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let events = trace.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert_eq!(events.filter(|record| record["record"] == "worker_end").count(), 1);
    assert!(place.nothing_is_left());
}
