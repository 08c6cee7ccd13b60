//! Lines of the service's log and its own series, from the service to the trace and the report.

use super::*;

const WANTED: &str = r#"
[service.metrics]
keep = ["moody_requests.*"]
[[service.log_events]]
name = "batch"
pattern = "batch (?<nth>[0-9]+) (?<what>started|finished)"
[[service.log_events]]
name = "request"
pattern = "^answered"
[[service.log_events]]
name = "reload"
pattern = "reloaded"
[http]
"#;

fn records(place: &Place, kind: &str) -> Vec<Value> {
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let records = trace.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record["record"] == kind).collect()
}

#[test]
fn what_a_service_logs_and_counts_is_in_the_trace_and_the_report() {
    let place = Place::new("chatty", 4, "");
    place.change("[http]\n", WANTED);
    let ran = place.run();
    let lines = records(&place, "log_event");
    let batches: Vec<&Value> = lines.iter().filter(|line| line["event"] == "batch").collect();
    assert!(!batches.is_empty(), "{}", ran.stderr);
    assert_eq!((&batches[0]["values"]["what"], &batches[0]["values"]["nth"]), (&"started".into(), &"0".into()));
    // A line for each request is a flood: ten at once, one a second, and the others are counted.
    let kept = lines.iter().filter(|line| line["event"] == "request").count() as u64;
    let counted: u64 = records(&place, "log_flood").iter().filter_map(|flood| flood["lines"].as_u64()).sum();
    assert!(kept < 20 && kept + counted >= ran.requests("ok"), "{kept} and {counted}");
    let scraped = records(&place, "metrics");
    assert!(scraped.iter().any(|line| line["values"]["moody_requests_total"].as_f64() > Some(0.0)), "{scraped:?}");
    let timeline = &ran.report["cells"][0]["timeline"];
    assert!(timeline["events"].as_array().is_some_and(|events| events.iter().any(|event| event["event"] == "batch")));
    assert_eq!(timeline["series"]["recorded"], 1);
    // Of a run that was killed there is no end.
    let path = place.path("out/baseline/trace.jsonl");
    let trace = fs::read_to_string(&path).unwrap();
    let without_end: String = trace.split_inclusive('\n').filter(|line| !line.contains("\"record\":\"end\"")).collect();
    fs::write(&path, without_end).unwrap();
    let described = place.steep(&["report", "out"]).output().unwrap();
    let described = String::from_utf8(described.stdout).unwrap();
    assert!(described.contains("event batch"), "{described}");
    assert!(described.contains("event reload: no line of the service's log was one"), "{described}");
}

#[test]
fn metrics_that_fail_are_said_and_fail_nothing() {
    let place = Place::new("fine", 4, "");
    place.change("[http]\n", "[service.metrics]\npath = \"/nothing\"\n[http]\n");
    let ran = place.run();
    assert!(ran.is_undecided(0), "{}", ran.stderr);
    let series = &ran.report["cells"][0]["timeline"]["series"];
    assert_eq!(series["recorded"], 0, "{series}");
    let place = Place::new("closes", 4, "");
    place.change("[http]\n", "[service.metrics]\npath = \"/nothing\"\n[http]\n");
    let ran = place.run();
    let series = &ran.report["cells"][0]["timeline"]["series"];
    assert!(series["failed"].as_u64() > Some(0), "{series}");
    assert!(series["problem"].as_str().is_some_and(|problem| problem.contains("/nothing")), "{series}");
}
