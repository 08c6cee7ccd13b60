//! A leaking cell whose allocator the library does not see, and the same features with the system's.

use super::*;
use steep_core::sim::{SimService, soak};
use steep_core::trace::{Header, LoadStart, Record};

/// A place whose service keeps what it is asked, under an allocator that nothing is loaded beside, and no other.
fn place(more: &str) -> Place {
    let axis = "[[axes]]\nname = \"allocator\"\nkind = \"allocator\"\nvalues = [\"other\"]\n";
    let place = Place::new("keeps", 8, &format!("{axis}[allocators.other]\nenv = {{ OTHER = \"1\" }}\n{more}{ONCE}"));
    let stage = stage().display().to_string();
    let script = "test -z \"$OTHER\" || unset LD_PRELOAD; exec \"$0\" moody";
    place.change(
        &format!("command = [\"{stage}\", \"moody\"]"),
        &format!("command = [\"sh\", \"-c\", '{script}', \"{stage}\"]"),
    );
    place
}

/// A trace of the cell with this header that leaks, and that nobody counts in.
fn leaking(header: &str) -> String {
    let scenario = steep_core::testing::decoded(&steep_core::testing::sound("40m", ""));
    let service = SimService { leak_per_request: 20_000.0, ..SimService::default() };
    let trace = soak(&scenario, &service, &[]).unwrap();
    let Ok(Record::Header(own)) = serde_json::from_str(header) else { panic!("no header: {header}") };
    let header = Header { phases: trace.header.phases.clone(), ..*own };
    let refused = Some("nothing can be loaded into it".to_owned());
    let start = LoadStart { live_refused: refused, ..trace.start.unwrap_or_default() };
    let records = [Record::Header(Box::new(header)), Record::Start(start)].into_iter();
    let records = records.chain(trace.samples.into_iter().map(Record::Sample));
    let records = records.chain(trace.traffic.into_iter().map(Record::Traffic)).chain(trace.end.map(Record::End));
    records.map(|record| serde_json::to_string(&record).unwrap() + "\n").collect()
}

/// Runs it, makes a leak of its only cell, and goes on.
fn resumed(place: &Place) -> Ran {
    let ran = place.run();
    assert!(ran.report["cells"][0]["rerun"].is_null(), "it is too short to leak: {}", ran.report);
    let file = place.path("out/baseline/trace.jsonl");
    let soaked = fs::read_to_string(&file).unwrap();
    fs::write(&file, leaking(soaked.lines().next().unwrap())).unwrap();
    again(place)
}

fn again(place: &Place) -> Ran {
    Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap())
}

#[test]
fn a_leak_under_another_allocator_is_soaked_once_more_with_the_system_s_and_has_a_line() {
    let place = place("");
    let ran = resumed(&place);
    assert_eq!((ran.status, ran.verdict()), (1, "leak"), "{} {}", ran.report, ran.stderr);
    assert!(ran.stderr.contains("soaked once more with the system's allocator, as baseline@system"), "{}", ran.stderr);
    let cell = &ran.report["cells"][0];
    let rerun = &cell["rerun"];
    assert_eq!((&rerun["cell"], &rerun["in_place_of"]), (&Value::from("baseline@system"), &Value::from("other")));
    let frame = &rerun["kept_by"][0]["frame"]["function"];
    assert!(frame.as_str().is_some_and(|name| name.ends_with("keep_for_ever")), "{rerun}");
    assert_eq!(ran.report["cells"].as_array().map(Vec::len), Some(1), "it is not a cell of the plan");
    assert!(cell["kept_by"].is_null(), "{cell}");
    let verdict: Value = serde_json::from_slice(&fs::read(place.path("out/baseline/verdict.json")).unwrap()).unwrap();
    assert_eq!(&verdict["rerun"], rerun);
    assert!(!again(&place).stderr.contains("(judge.rerun)"), "it is not soaked a third time");
    let described = String::from_utf8(place.steep(&["report", "out"]).output().unwrap().stdout).unwrap();
    let described = described.split_whitespace().collect::<Vec<_>>().join(" ");
    let note = "with the system allocator in place of other (soaked once more, as baseline@system) the same features";
    assert!(described.contains(note) && described.contains("keep_for_ever"), "{described}");
}

#[test]
fn a_scenario_may_leave_it_out() {
    let place = place("[judge]\nrerun = \"nothing\"\n");
    let ran = resumed(&place);
    assert_eq!(ran.verdict(), "leak", "{} {}", ran.report, ran.stderr);
    assert!(ran.report["cells"][0]["rerun"].is_null() && !place.path("out/reruns").exists(), "{}", ran.report);
}
