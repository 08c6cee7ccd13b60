//! A service that is not changed, and a library that counts inside of it.

use super::*;
use steep_core::kept::{Series, causes, growth};

#[test]
fn what_an_unmodified_service_keeps_is_counted_and_the_function_is_named() {
    let place = Place::new("keeps", 8, ONCE);
    place.change("[service]\n", "[service]\nlive = \"preload\"\n");
    let ran = place.run();
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
    assert!((resident - sum).abs() * 20 < resident, "they add up within 5 %: {layers}");
    let in_use = of("in_use");
    assert!(bytes(&in_use["end_bytes"]) > resident / 2 && in_use["grows"] == true, "{layers}");
    assert!(bytes(&of("stacks")["end_bytes"]) > 0 && of("files")["grows"] == false, "{layers}");
    assert!(!place.path("out/baseline/live").exists(), "the library is gone");
    assert!(place.nothing_is_left());
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
