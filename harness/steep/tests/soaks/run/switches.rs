//! What a cell switches, and the proof that it did: requests, metrics, the log, symbols, mapped libraries and preloaded
//! ones.

use std::fs;

use serde_json::Value;

use super::{Place, Ran, is_undecided};

/// The end of a scenario with one flag, in the cell where it is on.
fn on(flag: &str) -> String {
    format!("[[flags]]\nname = \"cache\"\n{flag}\n[plan]\nstrategy = \"all\"\n")
}

/// The end of a scenario with one allocator beside the system's.
fn allocator(keys: &str) -> String {
    let axis = "[[axes]]\nname = \"allocator\"\nkind = \"allocator\"\nvalues = [\"other\"]\n";
    format!("{axis}[allocators.other]\n{keys}\n")
}

fn ran(more: &str) -> Ran {
    Place::new("fine", 2, more).run()
}

fn assert_refused_with(more: &str, words: &[&str]) {
    let ran = ran(more);
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"), "{}", ran.stderr);
    for word in words {
        assert!(ran.reason().contains(word), "{word:?} is not in: {}", ran.reason());
    }
}

#[test]
fn a_flag_that_is_switched_by_a_request_is_on_when_the_load_begins() {
    let flag = "kind = \"http\"\nrequest = { method = \"PUT\", path = \"/switch\", headers = { x-why = \"soak\" } }\n";
    let verify = "verify = { metric = \"moody_switched\", value = 1 }";
    let ran = ran(&on(&format!("{flag}{verify}")));
    assert!(ran.is_undecided(0), "{}", ran.report);
    assert_eq!(ran.report["flags"][0]["unverified"], false);
}

#[test]
fn flags_are_written_into_files_in_the_type_that_stands_there() {
    let flags = r#"
[[flags]]
name = "fast"
kind = "config"
file = "app.toml.in"
key = "cache.fast"
verify = { path = "/config", contains = "fast = true # quick" }

[[flags]]
name = "policy"
kind = "config"
file = "app.json.in"
key = "cache.tiers.0.policy"
values = ["off", "lru", "arc"]
verify = { path = "/config", contains = '"policy": "{{value}}"' }

[[flags]]
name = "size"
kind = "config"
file = "app.yaml.in"
key = "cache.size"
on = 64
default = true
off = 16
verify = { path = "/config", contains = "size: 64 # MiB" }

[plan]
strategy = "off"
include = [{ flags = ["fast", "policy=arc", "size"] }]
"#;
    let place = Place::new("fine", 2, flags);
    let files = ["toml", "json", "yaml"]
        .map(|end| format!("{{ from = \"app.{end}.in\", to = \"{{{{dir}}}}/app.{end}\" }}"))
        .join(", ");
    place.change("env = { ", &format!("files = [{files}]\nenv = {{ CONFIG = \"{{{{dir}}}}\", "));
    fs::write(place.path("app.toml.in"), "# {{port}}\n[cache]\nfast = false # quick\n").unwrap();
    let json = "{\"port\": {{port}}, \"cache\": {\"tiers\": [{\"policy\": \"none\"}]}}\n";
    fs::write(place.path("app.json.in"), json).unwrap();
    fs::write(place.path("app.yaml.in"), "cache:\n  size: 32 # MiB\n").unwrap();
    let ran = place.run();
    for cell in ran.report["cells"].as_array().unwrap() {
        assert!(is_undecided(cell), "{cell}");
    }
    let read = |file: &str| fs::read_to_string(place.path("out").join(file)).unwrap();
    assert!(read("fast+policy=arc/app.json").contains("\"policy\": \"arc\""));
    assert!(read("fast+policy=arc/app.toml").contains("fast = true # quick"));
    assert!(read("not-size/app.json").contains("\"policy\": \"off\""));
    assert_eq!(read("not-size/app.yaml"), "cache:\n  size: 16 # MiB\n");
}

#[test]
fn a_request_that_fails_is_reported_with_the_answer() {
    let flag = "kind = \"http\"\nrequest = { method = \"DELETE\", path = \"/switch\" }";
    assert_refused_with(&on(flag), &["\"cache\" could not be switched", "DELETE /switch", "405", "only PUT"]);
}

#[test]
fn what_is_looked_for_and_where_is_reported() {
    let with = |verify: &str| on(&format!("kind = \"env\"\nvar = \"CACHE\"\nverify = {{ {verify} }}"));
    assert_refused_with(
        &with("metric = \"moody_switched\", value = 1"),
        &["GET /metrics", "moody_switched at 1", "(which has it at 0)"],
    );
    assert_refused_with(&with("metric = \"no_such\""), &["the metric no_such"]);
    assert_refused_with(&with("log = \"cache is on\""), &["service.log does not show \"cache is on\""]);
    assert_refused_with(&with("symbol = \"no_such_symbol\""), &["the symbol table of", "\"no_such_symbol\""]);
    assert_refused_with(&with("library = \"libno_such\""), &["mapped into process", "\"libno_such\""]);
}

#[test]
fn a_preloaded_library_is_seen_in_the_process() {
    // A library of glibc that nothing maps by itself, so that it is on every machine that the tests run on.
    let ran = ran(&allocator("preload = \"libc_malloc_debug.so.0\""));
    assert!(ran.is_undecided(0), "{}", ran.report);
    assert!(ran.report["cells"][0].get("unverified_allocator").is_none());
}

#[test]
fn a_library_that_is_nowhere_is_reported_with_the_places() {
    let ran = ran(&allocator("preload = \"libno_such.so.7\""));
    assert_eq!((ran.status, &ran.report), (2, &Value::Null), "{}", ran.stderr);
    for word in ["libno_such.so.7 is in none of", "/usr/lib", "preload = "] {
        assert!(ran.stderr.contains(word), "{word:?} is not in: {}", ran.stderr);
    }
}

#[test]
fn a_service_that_drops_the_variable_runs_without_the_library_and_is_reported() {
    let place = Place::new("fine", 2, &allocator("preload = \"libc_malloc_debug.so.0\""));
    place.change("command = [", "command = [\"env\", \"-u\", \"LD_PRELOAD\", ");
    let ran = place.run();
    assert_eq!((ran.status, ran.verdict()), (4, "invalid"), "{}", ran.stderr);
    assert!(ran.reason().contains("is not among the files that are mapped into process"), "{}", ran.reason());
    assert!(ran.reason().contains("without the variable"), "{}", ran.reason());
}

#[test]
fn an_allocator_that_nothing_proves_is_marked() {
    let ran = ran(&allocator("env = { MALLOC_ARENA_MAX = \"1\" }"));
    assert!(ran.is_undecided(0), "{}", ran.report);
    assert_eq!(ran.report["cells"][0]["unverified_allocator"], "other");
}

#[test]
fn the_system_s_allocator_is_not_compared_where_another_is_in_use() {
    let axis = "[[axes]]\nname = \"allocator\"\nkind = \"allocator\"\nvalues = [\"system\", \"mimalloc\"]\n";
    let tuned = "[allocators.mimalloc]\nenv = { MIMALLOC_PURGE_DELAY = \"0\" }\n";
    let place = Place::new("fine", 2, &format!("{axis}{tuned}"));
    // Any library will do: a base image has it in the environment of all programs.
    let library = steep::shell::preload::find("libc_malloc_debug.so.0", &place.path(".")).unwrap();
    fs::copy(library, place.path("libmimalloc.so.2")).unwrap();
    let path = place.path("libmimalloc.so.2").canonicalize().unwrap();
    place.change("env = { ", &format!("env = {{ LD_PRELOAD = {path:?}, "));
    let ran = place.run();
    let cell = |id: &str| ran.report["cells"].as_array().unwrap().iter().find(|cell| cell["cell"] == id).unwrap();
    let (system, other) = (cell("baseline"), cell("baseline@mimalloc"));
    assert_eq!((ran.status, &system["verdict"]), (4, &"invalid".into()), "{}", ran.stderr);
    let reason = system["reason"].as_str().unwrap();
    assert!(reason.starts_with("allocator \"system\" is to be in use") && reason.contains("has mimalloc"), "{reason}");
    assert!(reason.contains("take \"system\" out of the axis"), "{reason}");
    assert!(is_undecided(other), "{other}");
}
