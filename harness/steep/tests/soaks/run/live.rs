//! A service that is not changed, and a library that counts inside of it.

use super::*;
use steep_core::kept::{Series, causes, growth};
use steep_core::scenario::LiveFrom;
use steep_core::sim::{SimService, soak};
use steep_core::trace::{Header, Heap, Places, Record};
use steep_judge::units::Bytes;

#[test]
fn what_an_unmodified_service_keeps_is_counted_and_the_function_is_named() {
    let place = Place::new("keeps", 8, ONCE);
    // It is what `auto` chooses.
    let ran = place.run();
    assert_eq!(ran.report["cells"][0]["live_from"], "preload", "{}", ran.report["cells"][0]);
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let records = trace.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let samples: Vec<Value> = records.filter(|record| record["record"] == "sample").collect();
    let live: Vec<u64> = samples.iter().filter_map(|sample| sample["live"]["live_bytes"].as_u64()).collect();
    assert_eq!(live.len(), samples.len(), "every sample has live bytes");
    // Every request keeps 64 KiB; the last sample may be some requests before the end.
    let kept = ran.requests("ok") * (64 << 10);
    let grown = live[live.len() - 1] - live[0];
    assert!(grown > kept / 2 && grown < kept + (1 << 20), "{grown} of {kept}");
    let stacks = fs::read_to_string(place.path("out/baseline/stacks.json")).unwrap();
    let series: Series = serde_json::from_str(&stacks).unwrap();
    let found = causes(&series, &growth(&series));
    assert!(found[0].frame.function.ends_with("keep_for_ever"), "{found:?}");
    assert!((found[0].per_request.value.get() / f64::from(64 << 10) - 1.0).abs() < 0.2, "{:?}", found[0].per_request);
    let layers = &ran.report["cells"][0]["layers"];
    let bytes = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("{layers}"));
    let of = |name: &str| {
        let all = layers["layers"].as_array().unwrap_or_else(|| panic!("no layers: {}", ran.report));
        all.iter().find(|layer| layer["layer"] == name).unwrap_or_else(|| panic!("no {name}: {layers}")).clone()
    };
    let sum: i64 = layers["layers"].as_array().unwrap().iter().map(|layer| bytes(&layer["end_bytes"])).sum();
    let resident = bytes(&layers["resident_bytes"]);
    // A look reads one after the other: what is kept in a second of it belongs to neither.
    let kept_in_a_second = 100 * (64 << 10);
    assert!((resident - sum).abs() < resident / 20 + kept_in_a_second, "they add up within 5 %: {layers}");
    let in_use = of("in_use");
    assert!(bytes(&in_use["end_bytes"]) > resident / 2 && in_use["grows"] == true, "{layers}");
    assert!(bytes(&of("stacks")["end_bytes"]) > 0 && bytes(&of("counting")["end_bytes"]) > 0, "{layers}");
    assert!(!place.path("out/baseline/live").exists(), "the library is gone");
    assert!(place.nothing_is_left());
}

#[test]
fn the_request_that_asks_for_what_is_kept_is_named_by_its_births() {
    let more = format!("[[requests]]\nname = \"calm\"\npath = \"/calm\"\n{ONCE}");
    let place = Place::new("keeps", 8, &more);
    place.run();
    let verdict: Value = serde_json::from_slice(&fs::read(place.path("out/baseline/verdict.json")).unwrap()).unwrap();
    let asked_by = &verdict["kept_by"][0]["asked_by"];
    assert_eq!(asked_by["survival"], "even", "{verdict}");
    let [asker] = asked_by["requests"].as_array().unwrap_or_else(|| panic!("{verdict}")).as_slice() else {
        panic!("{asked_by}")
    };
    let bytes = asker["bytes_per_request"]["value"].as_f64().unwrap();
    assert!(asker["name"] == "get" && (bytes / f64::from(64 << 10) - 1.0).abs() < 0.4, "{asker}");
    // Between samples live bytes were counted nine times a second.
    let trace = fs::read_to_string(place.path("out/baseline/trace.jsonl")).unwrap();
    let counts = |record: &str| trace.lines().filter(|line| line.contains(&format!("\"record\":\"{record}\""))).count();
    assert!(counts("live_count") > 3 * counts("sample"), "{} counts", counts("live_count"));
    assert!(place.nothing_is_left());
}

#[test]
fn a_profile_says_what_grows_what_is_allocated_and_how_old_it_is() {
    let place = Place::new("keeps", 12, ONCE);
    let output =
        place.steep(&["profile", "soak.toml", "--out", "out", "--sample", "16KiB", "--wide"]).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    for table in ["what grows", "allocates most", "lives long"] {
        let rows = page.split("\n\n").find(|rows| rows.starts_with(table));
        assert!(rows.is_some_and(|rows| rows.contains("keep_for_ever")), "{table}: {page}");
    }
    let verdict: Value = serde_json::from_slice(&fs::read(place.path("out/baseline/verdict.json")).unwrap()).unwrap();
    assert_eq!(verdict["kept_by"][0]["age"]["births"], "throughout", "{verdict}");
    assert_eq!(output.status.code(), Some(if verdict["verdict"] == "leak" { 1 } else { 3 }), "{page}");
    let hot = verdict["hot_spots"][0]["allocated_bytes_per_request"].as_f64().unwrap();
    assert!((hot / f64::from(64 << 10) - 1.0).abs() < 0.2, "{hot}");
    let share = verdict["allocator_cpu_share"].as_f64().unwrap_or_else(|| panic!("{verdict}"));
    assert!(share > 0.0 && share < 1.0 && verdict["hot_spots"][0]["allocator_cpu_share"].is_f64(), "{share}");
    let growth = fs::read_to_string(place.path("out/baseline/growth.folded")).unwrap();
    assert!(growth.lines().next().unwrap().contains("keep_for_ever"), "{growth}");
    // A gzip file, as what reads profiles wants it.
    assert_eq!(fs::read(place.path("out/baseline/heap.pb.gz")).unwrap()[..2], [0x1f, 0x8b]);
    let series: Series = serde_json::from_slice(&fs::read(place.path("out/baseline/stacks.json")).unwrap()).unwrap();
    assert_eq!((series.sample_every_bytes, series.lost_samples), (16 << 10, 0));
    assert!(series.calls.iter().any(|call| call.module.is_some()) && !series.modules.is_empty());
    assert!(place.nothing_is_left());
}

#[test]
fn a_profile_of_a_cell_that_cannot_be_is_refused() {
    let place = Place::new("keeps", 4, ONCE);
    let output = place.steep(&["profile", "soak.toml", "--cell", "nobody"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = place.steep(&["profile", "soak.toml", "--sample", "1"]).output().unwrap();
    let described = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && described.contains("a size from 1KiB to 64MiB"), "{described}");
}

#[test]
fn a_service_without_a_probe_cannot_be_counted_by_one() {
    let place = Place::new("keeps", 4, ONCE);
    place.change("[service]\n", "[service]\nlive = \"probe\"\n");
    let output = place.steep(&["check", "soak.toml"]).output().unwrap();
    let described = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        described.contains("add service.probe, such as") && described.contains("live = \"preload\""),
        "{described}"
    );
}

#[test]
fn a_service_that_leaks_into_its_enforced_limit_is_reported_with_the_function_that_held_its_memory() {
    let place = Place::new("keeps", 60, ONCE);
    place.change("[service]\n", "[service]\nlive = \"preload\"\nmemory_limit = \"64MiB\"\nenforce_limit = true\n");
    let ran = place.run();
    let cell = &ran.report["cells"][0];
    assert_eq!((ran.status, ran.verdict()), (1, "crashed"), "{}", ran.stderr);
    let by = cell["limit_enforced_by"].as_str().unwrap_or_else(|| panic!("{cell}"));
    assert!(matches!(by, "cgroup" | "data_limit"), "{by}");
    let holder = &cell["held_at_end"]["holders"][0];
    assert!(holder["frame"]["function"].as_str().is_some_and(|name| name.ends_with("keep_for_ever")), "{cell}");
    assert_eq!(holder["course"], "growth", "{holder}");
    let held = holder["held_bytes"].as_u64().unwrap();
    // Stacks and arenas of its threads count as well, by RLIMIT_DATA with all that is reserved for them.
    assert!(held > 16 << 20 && held < 80 << 20, "{held}");
    let described = place.steep(&["report", "out"]).output().unwrap();
    let described = String::from_utf8(described.stdout).unwrap();
    assert!(described.contains("memory_limit was enforced by") && described.contains("and grew to it"), "{described}");
    assert!(!place.path("out/baseline/live").exists(), "the library is gone");
    assert!(place.nothing_is_left());
}

/// A place whose service is started by a shell that runs `script`, `$0` being the program of the service.
fn behind_a_shell(script: &str) -> Place {
    let place = Place::new("sound", 2, ONCE);
    let stage = stage().display().to_string();
    place.change(
        &format!("command = [\"{stage}\", \"moody\"]"),
        &format!("command = [\"sh\", \"-c\", '{script}', \"{stage}\"]"),
    );
    place
}

#[test]
fn a_service_that_the_library_is_kept_from_is_judged_without_and_says_why() {
    let place = behind_a_shell("unset LD_PRELOAD; exec \"$0\" moody");
    let ran = place.run();
    assert!(ran.is_undecided(0), "{}", ran.report["cells"][0]);
    let cell = &ran.report["cells"][0];
    let why = cell["live_not_counted"].as_str().unwrap_or_default();
    assert!(why.contains("takes LD_PRELOAD out of its environment"), "{cell}");
    assert_eq!(cell["live_from"], Value::Null);
    // Who asks for the library is not given something else.
    place.change("[service]\n", "[service]\nlive = \"preload\"\n");
    let output = place.steep(&["run", "soak.toml", "--out", "asked", "--format", "json"]).output().unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.verdict(), "invalid", "{}", ran.stderr);
    assert!(ran.reason().contains("service.live = \"preload\""), "{}", ran.reason());
}

#[test]
fn a_service_that_does_not_bear_the_library_is_started_without() {
    let place = behind_a_shell("test -z \"$LD_PRELOAD\" || exit 1; exec \"$0\" moody");
    let ran = place.run();
    assert!(ran.is_undecided(0), "{}", ran.report["cells"][0]);
    let why = ran.report["cells"][0]["live_not_counted"].as_str().unwrap_or_default();
    assert!(why.ends_with("did not start with the library that counts them, and did without"), "{why}");
    assert!(place.nothing_is_left());
}

#[test]
fn a_limit_that_nobody_said_cannot_be_enforced() {
    let place = Place::new("keeps", 4, ONCE);
    place.change("[service]\n", "[service]\nenforce_limit = true\n");
    let output = place.steep(&["check", "soak.toml"]).output().unwrap();
    let described = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(described.contains("add memory_limit = \"512MiB\""), "{described}");
}

/// A trace of the cell with this header in which arenas grow and live bytes do not.
fn retaining(header: &str) -> String {
    let scenario = steep_core::testing::decoded(&steep_core::testing::sound("20m", ""));
    let service = SimService { probe: true, ..SimService::default() };
    let mut trace = soak(&scenario, &service, &[]).unwrap();
    let Ok(Record::Header(own)) = serde_json::from_str(header) else { panic!("no header: {header}") };
    trace.header = Header { phases: trace.header.phases.clone(), live_from: Some(LiveFrom::Preload), ..*own };
    let mut lines = vec![serde_json::to_string(&Record::Header(Box::new(trace.header))).unwrap()];
    for mut sample in trace.samples {
        let arenas_bytes = Bytes::mib(22) + Bytes::new((90_000.0 * sample.t_s.as_secs_f64()) as u64);
        sample.memory.anon_bytes = arenas_bytes;
        let own_mappings_bytes = Some(Bytes::ZERO);
        let places = Places { arenas_bytes, arenas: 6, own_mappings_bytes, ..Places::default() };
        sample.heap = Some(Box::new(Heap { places: Some(places), ..Heap::default() }));
        lines.push(serde_json::to_string(&Record::Sample(sample)).unwrap());
    }
    let end = trace.end.map(Record::End);
    lines.extend(
        trace.traffic.into_iter().map(Record::Traffic).chain(end).map(|record| serde_json::to_string(&record).unwrap()),
    );
    lines.join("\n") + "\n"
}

#[test]
fn a_cell_that_retains_is_soaked_once_more_with_what_may_help_if_the_scenario_says_so() {
    let place = Place::new("fine", 4, ONCE);
    place.change("[plan]\n", "[judge]\nconfirm = \"retention\"\n[plan]\n");
    assert!(place.run().report["cells"][0]["confirmed"].is_null(), "nothing is retained");
    let file = place.path("out/baseline/trace.jsonl");
    let soaked = fs::read_to_string(&file).unwrap();
    fs::write(&file, retaining(soaked.lines().next().unwrap())).unwrap();
    let again = || Ran::of(place.steep(&["run", "soak.toml", "--resume", "out", "--format", "json"]).output().unwrap());
    let ran = again();
    assert_eq!(ran.verdict(), "retention", "{} {}", ran.report, ran.stderr);
    let cell = &ran.report["cells"][0];
    assert_eq!((&cell["retained"]["by"], &cell["retained"]["arenas"]), (&Value::from("arenas"), &Value::from(6)));
    assert_eq!(cell["confirmed"]["env"]["MALLOC_ARENA_MAX"], "2", "{cell}");
    let header = fs::read_to_string(place.path("out/baseline/confirm/baseline/trace.jsonl")).unwrap();
    let header: Value = serde_json::from_str(header.lines().next().unwrap()).unwrap();
    assert_eq!(header["provenance"]["allocator_env"]["MALLOC_ARENA_MAX"], "2", "{header}");
    assert!(!again().stderr.contains("(judge.confirm)"), "it is not soaked a third time");
    let described = String::from_utf8(place.steep(&["report", "out"]).output().unwrap().stdout).unwrap();
    assert!(described.contains("in 6 heaps of 64 MiB") && described.contains("instead of"), "{described}");
}

#[test]
fn nobody_counts_where_the_scenario_says_so() {
    let place = Place::new("sound", 2, ONCE);
    place.change("[service]\n", "[service]\nlive = \"off\"\n");
    let ran = place.run();
    let cell = &ran.report["cells"][0];
    assert_eq!([&cell["live_from"], &cell["live_not_counted"], &cell["live_not_believed"]], [&Value::Null; 3]);
}
