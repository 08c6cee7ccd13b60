//! Scenarios in which two cells, or two values of an axis, would be the same service: said with both names, before
//! anything is soaked.

use std::collections::BTreeMap;

use steep_core::plan::plan;
use steep_core::problem::{Problem, Spans};
use steep_core::scenario::decode::decode;
use steep_core::scenario::package::{Features, PackageFacts, WorkspaceFacts, check_package};

/// `default` has `disk`, `fast` stands for `lru`, and nothing is behind `nothing`.
fn features() -> Features {
    let list: [(&str, &[&str]); 8] = [
        ("default", &["disk"]),
        ("disk", &[]),
        ("cache", &[]),
        ("lru", &["cache"]),
        ("fast", &["lru"]),
        ("nothing", &[]),
        ("jemalloc", &["dep:jemalloc"]),
        ("tuned", &["jemalloc"]),
    ];
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Features::new(list.into_iter().map(|(name, others)| (name.to_owned(), owned(others))).collect())
}

/// The problems of a scenario with these keys of the service, and these tables.
fn problems(service: &str, more: &str) -> Vec<Problem> {
    let text = format!(
        "name = \"twins\"\n[service]\nurl = \"http://127.0.0.1:{{{{port}}}}\"\n{service}\n\
         [[phases]]\nname = \"steady\"\nrole = \"steady\"\nshape = \"constant\"\nrate = 100\nduration = \"5m\"\n\
         [[requests]]\nname = \"get\"\npath = \"/\"\n{more}\n"
    );
    let decoded = decode(&text);
    let Some(scenario) = decoded.scenario else { return decoded.problems };
    let binaries = vec!["shop".to_owned()];
    let facts = PackageFacts { features: features(), binaries, required: BTreeMap::new() };
    let workspace = WorkspaceFacts { packages: [("shop".to_owned(), facts)].into() };
    let mut problems = check_package(&scenario, &Spans::default(), &workspace);
    problems.extend(plan(&scenario, &features(), &Spans::default()).err());
    problems
}

fn said(service: &str, more: &str) -> String {
    problems(service, more).into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("\n")
}

const PACKAGE: &str = "package = \"shop\"";
const COMMAND: &str = "command = [\"shop\"]";

fn flag(name: &str, rest: &str) -> String {
    format!("[[flags]]\nname = \"{name}\"\n{rest}\n")
}

fn feature(name: &str) -> String {
    flag(name, &format!("kind = \"cargo-feature\"\nfeature = \"{name}\""))
}

fn axis(kind: &str, values: &str) -> String {
    format!("[[axes]]\nname = \"axis\"\nkind = \"{kind}\"\nvalues = {values}\n")
}

#[test]
fn allocators_that_come_to_the_same_are_reported() {
    let same = |one: &str, other: &str| {
        format!("\"{one}\" and \"{other}\" of the axis \"axis\" would be the same build, started the same way")
    };
    let bare = axis("allocator", "[\"system\", \"bare\"]") + "[allocators.bare]\n";
    assert_eq!(said(COMMAND, &bare), same("system", "bare"));
    let set =
        axis("allocator", "[\"system\", \"arenas\"]") + "[allocators.arenas]\nenv = { MALLOC_ARENA_MAX = \"2\" }\n";
    assert_eq!(said(&format!("{COMMAND}\nenv = {{ MALLOC_ARENA_MAX = \"2\" }}"), &set), same("system", "arenas"));
    assert_eq!(said(&format!("{COMMAND}\nenv = {{ MALLOC_ARENA_MAX = \"4\" }}"), &set), "");
    let library = |name: &str| format!("[allocators.{name}]\npreload = \"libjemalloc.so.2\"\n");
    let libraries = axis("allocator", "[\"one\", \"two\"]") + &library("one") + &library("two");
    assert_eq!(said(COMMAND, &libraries), same("one", "two"));
    let built = |features: &str| {
        let two = format!("[allocators.two]\nfeatures = {features}\n");
        axis("allocator", "[\"one\", \"two\"]") + "[allocators.one]\nfeatures = [\"tuned\"]\n" + &two
    };
    assert_eq!(said(PACKAGE, &built("[\"jemalloc\", \"tuned\"]")), same("one", "two"));
    // Another feature may be asked for, though it turns on nothing else.
    assert_eq!(said(PACKAGE, &built("[\"jemalloc\"]")), "");
}

#[test]
fn features_that_every_build_has_are_reported_wherever_they_come_from() {
    let always = |by: &str| format!("\"cache\" cannot be switched off: {by} \"cache\" on in every build");
    let pinned = |pin: &str| {
        feature("cache") + &feature("fast") + &feature("nothing") + &format!("[constraints]\npinned = {{ {pin} }}\n")
    };
    assert_eq!(said(PACKAGE, &pinned("fast = true")), always("\"fast\", which is pinned, turns"));
    assert_eq!(said(PACKAGE, &pinned("fast = true, cache = true")), "");
    assert_eq!(said(PACKAGE, &pinned("fast = false")), "");
    let by_axis = |values: &str| feature("cache") + &axis("cargo-feature", values);
    assert_eq!(said(PACKAGE, &by_axis("[\"lru\", \"fast\"]")), always("every value of the axis \"axis\" turns"));
    assert_eq!(said(PACKAGE, &by_axis("[\"none\", \"fast\"]")), "");
}

#[test]
fn flags_that_change_nothing_are_reported() {
    let nothing = |name: &str| {
        format!("\"{name}\" changes nothing: the service is built and started the same with it on and off")
    };
    let cfg = flag("unstable", "kind = \"cfg\"\ncfg = \"tokio_unstable\"");
    for given in ["[\"--cfg\", \"tokio_unstable\"]", "[\"--cfg=tokio_unstable\"]"] {
        assert_eq!(said(&format!("{PACKAGE}\nrustflags = {given}"), &cfg), nothing("unstable"));
    }
    assert_eq!(said(PACKAGE, &cfg), "");
    let same = flag("mode", "kind = \"env\"\nvar = \"MODE\"\non = \"1\"\noff = \"1\"");
    assert_eq!(said(COMMAND, &same), "\"on\" and \"off\" are the same: the flag would switch nothing");
    // Unset where it is off, so that it differs from what the service has.
    let set = flag("mode", "kind = \"env\"\nvar = \"MODE\"\non = \"1\"");
    assert_eq!(said(&format!("{COMMAND}\nenv = {{ MODE = \"1\" }}"), &set), "");
}

#[test]
fn replicates_are_meant_to_be_the_same_and_features_that_imply_others_are_not_two_cells() {
    let more = feature("cache") + &feature("fast") + "[plan]\nstrategy = \"full\"\nreplicates = 3\n";
    assert_eq!(said(PACKAGE, &more), "");
    let axis_too = axis("cargo-feature", "[\"none\", \"nothing\"]") + &feature("cache") + &feature("lru");
    assert_eq!(said(PACKAGE, &(axis_too + "[plan]\nreplicates = 2\n")), "");
}
