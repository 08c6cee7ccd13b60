//! A service whose own allocator, Debian's jemalloc, writes heap profiles: its lines without anything of steep's in it.

use super::*;
use steep_core::kept::{SampledBy, Series, causes, growth};

/// A place whose service keeps what it is asked, under jemalloc with these settings, and nothing is loaded beside it.
fn place(settings: &str, seconds: u32) -> Place {
    let axis = "[[axes]]\nname = \"allocator\"\nkind = \"allocator\"\nvalues = [\"jemalloc\"]\n";
    let allocator = "[allocators.jemalloc]\npreload = \"libjemalloc.so.2\"\n";
    let more = format!("{axis}{allocator}env = {{ MALLOC_CONF = \"{settings}\" }}\n{ONCE}");
    let place = Place::new("keeps", seconds, &more);
    place.change("[service]\n", "[service]\nlive = \"off\"\n");
    place
}

#[test]
fn what_grows_is_named_by_the_heap_profiles_of_its_own_jemalloc() {
    let place = place("prof:true", 12);
    let ran = place.run();
    let cell = &ran.report["cells"][0];
    let (from, by) = (&cell["live_from"], &cell["stacks_sampled_by"]);
    assert!(from.is_null() && by == "jemalloc", "{cell} {}", ran.stderr);
    let series: Series = serde_json::from_slice(&fs::read(place.path("out/baseline/stacks.json")).unwrap()).unwrap();
    assert_eq!((series.sampled_by, series.sample_every_bytes), (SampledBy::Jemalloc, 64 << 10));
    assert!(series.snapshots.len() >= 6, "{} snapshots", series.snapshots.len());
    let found = causes(&series, &growth(&series));
    assert!(found[0].frame.function.ends_with("keep_for_ever"), "{found:?}");
    // Each request keeps 64 KiB. Profiles are up to a fraction of a second old, and samples stand for what they do.
    assert!((found[0].per_request.value.get() / f64::from(64 << 10) - 1.0).abs() < 0.2, "{:?}", found[0].per_request);
    let files = fs::read_dir(place.path("out/baseline/jeprof")).unwrap().count();
    assert!((1..=24).contains(&files), "{files} files are left");
    assert!(place.path("out/baseline/heap.pb.gz").exists(), "other tools have it too");
    let described = place.steep(&["report", "out"]).output().unwrap();
    let described = String::from_utf8(described.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(described.contains("lines come from the heap profiles of its jemalloc"), "{described}");
    assert!(described.contains("keep_for_ever"), "{described}");
    assert!(place.nothing_is_left());
}

#[test]
fn a_profile_of_it_is_sampled_more_finely_and_says_what_is_allocated_as_well() {
    let place = place("prof:true", 12);
    let output = place.steep(&["profile", "soak.toml", "--out", "out", "--wide"]).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    for table in ["what grows", "allocates most"] {
        let rows = page.split("\n\n").find(|rows| rows.starts_with(table));
        assert!(rows.is_some_and(|rows| rows.contains("keep_for_ever")), "{table}: {page}");
    }
    let series: Series = serde_json::from_slice(&fs::read(place.path("out/baseline/stacks.json")).unwrap()).unwrap();
    assert_eq!(series.sample_every_bytes, 16 << 10);
    assert!(place.nothing_is_left());
}

#[test]
fn a_jemalloc_that_writes_no_profile_is_said_to() {
    // One in a terabyte.
    let place = place("prof:true,lg_prof_interval:40", 4);
    let ran = place.run();
    let cell = &ran.report["cells"][0];
    let limits = cell["limits"].to_string();
    assert!(limits.contains("heap profiles of jemalloc: none was written"), "{cell} {}", ran.stderr);
    assert!(cell["stacks_sampled_by"].is_null() && !place.path("out/baseline/stacks.json").exists());
}
