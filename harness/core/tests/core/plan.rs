//! Plans: which cells a scenario amounts to, by every strategy and under constraints.

use std::collections::BTreeSet;
use std::time::Duration;

use steep_core::plan::{Plan, plan, settings};
use steep_core::problem::{Problem, Spans};
use steep_core::report::{Layout, plan_table};
use steep_core::scenario::Scenario;
use steep_core::scenario::package::Features;
use steep_core::testing::{decoded, sound};
use steep_judge::ids::CellId;

/// A package with four flags; `cache` requires `storage`, and `legacy` conflicts with it.
fn scenario(plan: &str, more: &str) -> Scenario {
    let flags = r#"
[[flags]]
name = "storage"
kind = "cargo-feature"
feature = "storage"
[[flags]]
name = "cache"
kind = "cargo-feature"
feature = "cache"
requires = ["storage"]
[[flags]]
name = "legacy"
kind = "env"
var = "LEGACY"
on = "yes"
off = "no"
conflicts_with = ["cache"]
[[flags]]
name = "audit"
kind = "arg"
on = ["--audit"]
default = true
"#;
    let text = sound("5m", &format!("{flags}[plan]\n{plan}\n{more}\n"));
    decoded(&text.replace("command = [\"shop\"]", "package = \"shop\"\nfeatures = [\"probe\"]"))
}

fn planned(rules: &str, more: &str) -> Result<Plan, Problem> {
    plan(&scenario(rules, more), &Features::default(), &Spans::default())
}

/// The flags of each cell, in the order of their ids.
fn ids(rules: &str, more: &str) -> Vec<String> {
    let plan = planned(rules, more).expect("a plan");
    let mut ids: Vec<String> = plan.cells.iter().map(|cell| cell.id.to_string()).collect();
    ids.sort();
    ids
}

#[test]
fn every_strategy_has_its_cells() {
    assert_eq!(ids("strategy = \"off\"", ""), ["not-audit"]);
    assert_eq!(ids("strategy = \"default\"", ""), ["baseline"]);
    assert_eq!(
        ids("strategy = \"each\"", ""),
        ["baseline", "cache+not-audit+storage", "legacy+not-audit", "not-audit", "not-audit+storage"]
    );
    // All together clash; without `storage` goes what requires it.
    assert_eq!(ids("strategy = \"leave-one-out\"", ""), ["baseline", "cache+storage", "legacy", "legacy+storage"]);
    assert_eq!(ids("strategy = \"full\"", "").len(), 10);
}

#[test]
fn every_cell_keeps_every_constraint() {
    for strategy in ["off", "default", "each", "leave-one-out", "pairwise", "full", "auto"] {
        for cell in planned(&format!("strategy = \"{strategy}\""), "").expect("a plan").cells {
            assert!(!cell.flags.contains("cache") || cell.flags.contains("storage"), "{}", cell.id);
            assert!(!(cell.flags.contains("cache") && cell.flags.contains("legacy")), "{}", cell.id);
        }
    }
}

#[test]
fn what_is_dropped_is_reported_with_both_flags() {
    let plan = planned("strategy = \"leave-one-out\"", "").expect("a plan");
    let reasons: BTreeSet<&str> = plan.notes.dropped.iter().map(|dropped| dropped.reason.as_str()).collect();
    assert_eq!(reasons, BTreeSet::from(["\"legacy\" conflicts with \"cache\""]));
}

#[test]
fn a_plan_without_a_cell_names_the_flags_that_clash() {
    let problem = planned("strategy = \"all\"", "").expect_err("no plan");
    assert!(problem.help.contains("\"legacy\" conflicts with \"cache\""), "{}", problem.help);
}

#[test]
fn rows_are_added_and_taken_out() {
    let rules = r#"
strategy = "off"
include = [{ flags = ["storage", "audit"] }, { flags = ["cache", "storage"] }]
exclude = [{ flags = ["cache", "storage"] }]"#;
    assert_eq!(ids(rules, ""), ["not-audit", "storage"]);
}

#[test]
fn axes_are_crossed_and_an_include_may_fix_them() {
    let more = r#"
[[axes]]
name = "allocator"
kind = "allocator"
values = ["system", "jemalloc"]
[[axes]]
name = "arenas"
kind = "env"
var = "MALLOC_ARENA_MAX"
values = ["8", "2"]
[allocators.jemalloc]
features = ["jemalloc"]
env = { MALLOC_CONF = "narenas:2" }
"#;
    let rules = "strategy = \"default\"\ninclude = [{ flags = [], allocator = \"jemalloc\", arenas = \"2\" }]";
    assert_eq!(
        ids(rules, more),
        [
            "baseline",
            "baseline@arenas=2",
            "baseline@jemalloc",
            "baseline@jemalloc@arenas=2",
            "not-audit@jemalloc@arenas=2"
        ]
    );
    let plan = planned(rules, more).expect("a plan");
    let builds: Vec<String> = plan.builds.iter().map(steep_core::plan::Build::label).collect();
    assert_eq!(BTreeSet::from_iter(builds), BTreeSet::from(["probe".to_owned(), "jemalloc+probe".to_owned()]));
}

#[test]
fn what_a_cell_adds_to_the_service_follows_its_flags() {
    let scenario = scenario("strategy = \"each\"", "");
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    let of = |id: &str| settings(&scenario, plan.cells.iter().find(|cell| cell.id.as_str() == id).expect("a cell"));
    assert_eq!(of("legacy+not-audit").env.get("LEGACY"), Some(&Some("yes".to_owned())));
    assert_eq!(of("baseline").env.get("LEGACY"), Some(&Some("no".to_owned())));
    assert_eq!(of("baseline").args, ["--audit"]);
    assert_eq!(of("not-audit").args, [""; 0]);
}

#[test]
fn more_cells_than_allowed_are_an_error_with_their_number() {
    let problem = planned("strategy = \"full\"\nreplicates = 3\nmax_cells = 29", "").expect_err("no plan");
    assert!(problem.message.contains("30 cells"), "{}", problem.message);
}

#[test]
fn cells_that_would_have_one_id_are_an_error() {
    let more = "\n[[axes]]\nname = \"one\"\nkind = \"allocator\"\nvalues = [\"system\", \"same\"]\n\
        [[axes]]\nname = \"two\"\nkind = \"allocator\"\nvalues = [\"system\", \"same\"]\n[allocators.same]\nfeatures = []\n";
    let problem = planned("strategy = \"default\"", more).expect_err("no plan");
    assert!(problem.message.contains("baseline@same"), "{}", problem.message);
}

#[test]
fn a_variable_may_have_any_value_and_the_id_what_a_folder_can_have() {
    let conf = ["narenas:1,dirty_decay_ms:0", "narenas:4"];
    let more = format!("\n[[axes]]\nname = \"conf\"\nkind = \"env\"\nvar = \"MALLOC_CONF\"\nvalues = {conf:?}\n");
    let (scenario, plan) =
        (scenario("strategy = \"off\"", &more), planned("strategy = \"off\"", &more).expect("a plan"));
    let mut cells: Vec<(String, Option<String>)> = plan
        .cells
        .iter()
        .map(|cell| (cell.id.to_string(), settings(&scenario, cell).env["MALLOC_CONF"].clone()))
        .collect();
    cells.sort();
    let expected = [("not-audit", conf[0]), ("not-audit@conf=narenas-4", conf[1])];
    assert_eq!(cells, expected.map(|(id, value)| (id.to_owned(), Some(value.to_owned()))));
}

#[test]
fn the_same_seed_gives_the_same_order_and_another_another() {
    let order = |seed: u64| {
        let mut scenario = scenario("strategy = \"full\"\nreplicates = 2", "");
        scenario.seed.0 = seed;
        let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
        plan.cells.into_iter().map(|cell| cell.id).collect::<Vec<CellId>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn an_id_is_found_whatever_the_order_of_its_flags() {
    assert_eq!(CellId::parse("storage+cache@jemalloc#2").to_string(), "cache+storage@jemalloc#2");
}

#[test]
fn the_table_of_a_plan_says_what_a_run_takes() {
    insta::assert_snapshot!(plan_table(
        &planned("strategy = \"leave-one-out\"", "").expect("a plan"),
        Layout::default()
    ));
}

#[test]
fn flags_of_rustc_are_builds_and_requests_and_axes_are_settings() {
    let more = r#"
[[flags]]
name = "unstable"
kind = "cfg"
cfg = "tokio_unstable"
[[flags]]
name = "trace"
kind = "http"
request = { path = "/trace" }
[[axes]]
name = "workers"
kind = "arg"
arg = "--workers"
values = ["2", "4"]
[[axes]]
name = "level"
kind = "arg"
arg = "--level="
values = ["1"]
[[axes]]
name = "tls"
kind = "cargo-feature"
values = ["none", "rustls"]
[[axes]]
name = "allocator"
kind = "allocator"
values = ["jemalloc"]
[allocators.jemalloc]
preload = "libjemalloc.so.2"
"#;
    let scenario = scenario("strategy = \"each\"", more);
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    let cell = |id: &str| plan.cells.iter().find(|cell| cell.id.as_str() == id).unwrap_or_else(|| panic!("no {id}"));
    let build = |id: &str| &plan.builds[cell(id).build.expect("a build")];
    assert_eq!(build("not-audit+unstable@tls=rustls").label(), "probe+rustls --cfg tokio_unstable");
    // Off, and yet said: neither build takes flags from cargo's configuration.
    assert_eq!(build("not-audit").cfgs, Some(BTreeSet::new()));
    assert_eq!(build("not-audit").label(), "probe");
    let settings = settings(&scenario, cell("not-audit+trace@workers=4"));
    // In the order of the scenario's axes.
    assert_eq!(settings.args, ["--workers", "4", "--level=1"]);
    assert_eq!(settings.preload.as_deref(), Some("libjemalloc.so.2"));
    let sent: Vec<_> = settings.requests.iter().map(|(flag, request)| (flag.as_str(), request.path.as_str())).collect();
    assert_eq!(sent, [("trace", "/trace")]);
}

const ALLOCATORS: &str = r#"
[[axes]]
name = "allocator"
kind = "allocator"
values = ["system", "jemalloc"]
[[axes]]
name = "arenas"
kind = "env"
var = "MALLOC_ARENA_MAX"
values = ["8", "2"]
[allocators.jemalloc]
env = { MALLOC_CONF = "narenas:2" }
"#;

#[test]
fn rules_hold_between_axes_and_flags() {
    let rules = r#"
[[rules]]
when = { allocator = "jemalloc" }
then = { arenas = 8 }
[[rules]]
when = { allocator = "jemalloc", storage = true }
then = { audit = true }
"#;
    let more = format!("{ALLOCATORS}{rules}");
    let plan = planned("strategy = \"pairwise\"", &more).expect("a plan");
    for cell in &plan.cells {
        let is_jemalloc = cell.axes["allocator"] == "jemalloc";
        assert!(!is_jemalloc || cell.axes["arenas"] == "8", "{}", cell.id);
        assert!(!is_jemalloc || !cell.flags.contains("storage") || cell.flags.contains("audit"), "{}", cell.id);
    }
    let dropped = plan.notes.dropped.iter().find(|dropped| !dropped.axes.is_empty()).expect("an axis is dropped");
    assert_eq!(dropped.reason, "the rule: allocator = jemalloc → arenas = 8");
    assert!(
        plan.notes.impossible.iter().any(|one| one.together == ["storage", "not-audit"]),
        "{:?}",
        plan.notes.impossible
    );
}

#[test]
fn constraints_that_clash_are_reported_and_no_others() {
    let constraints = r#"
[constraints]
exactly_one_of = [["legacy", "storage"]]
at_least_one_of = [["audit", "storage"]]
pinned = { cache = true, legacy = true }
"#;
    let problem = planned("strategy = \"off\"", constraints).expect_err("no plan");
    assert_eq!(problem.message, "no flag set keeps all constraints");
    assert!(problem.help.contains("\"legacy\" conflicts with \"cache\""), "{}", problem.help);
    assert!(!problem.help.contains("audit"), "{}", problem.help);
}

#[test]
fn what_must_be_on_is_turned_on_and_what_is_pinned_stays() {
    let lists = "[constraints]\nexactly_one_of = [[\"legacy\", \"storage\"]]\npinned = { audit = true }";
    assert_eq!(
        ids("strategy = \"off\"", lists),
        ["storage"],
        "the first flag of them, because none is on in production"
    );
    let at_least = "[constraints]\nat_least_one_of = [[\"storage\", \"audit\"]]";
    assert_eq!(ids("strategy = \"off\"", at_least), ["baseline"], "`audit` is on in production");
}

/// Flags of which cargo turns on one with another.
fn implying() -> Features {
    let features =
        [("cache", vec!["storage"]), ("storage", vec![]), ("probe", vec![]), ("both", vec!["cache", "dep:x"])];
    let owned = |(name, others): (&str, Vec<&str>)| (name.to_owned(), others.into_iter().map(str::to_owned).collect());
    Features::new(features.into_iter().map(owned).collect())
}

#[test]
fn what_cargo_implies_counts_as_on_and_comes_to_one_build() {
    let both = "[[flags]]\nname = \"both\"\nkind = \"cargo-feature\"\nfeature = \"both\"";
    let rules = "strategy = \"off\"\ninclude = [{ flags = [\"both\"] }, { flags = [\"both\", \"cache\"] }]";
    let plan = plan(&scenario(rules, both), &implying(), &Spans::default()).expect("a plan");
    let ids: BTreeSet<&str> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["not-audit", "both+cache+not-audit+storage"]));
    assert_eq!(plan.builds.len(), 2);
}

#[test]
fn flags_of_a_group_are_switched_together() {
    let group = "[[flags]]\nname = \"one\"\nkind = \"env\"\nvar = \"ONE\"\ngroup = \"both\"\n\
        [[flags]]\nname = \"two\"\nkind = \"env\"\nvar = \"TWO\"\ngroup = \"both\"";
    let ids = ids("strategy = \"each\"", group);
    assert!(ids.contains(&"not-audit+one+two".to_owned()), "{ids:?}");
    assert!(ids.iter().all(|id| id.contains("one") == id.contains("two")), "{ids:?}");
}

#[test]
fn values_of_a_flag_exclude_each_other_and_reach_the_service() {
    let eviction = "[[flags]]\nname = \"evict\"\nkind = \"arg\"\non = [\"--evict\", \"{{value}}\"]\nvalues = [\"off\", \"lru\", \"arc\"]\n\
        [[flags]]\nname = \"log\"\nkind = \"env\"\nvar = \"LOG\"\nvalues = [\"warn\", \"debug\"]";
    let scenario = scenario("strategy = \"each\"", eviction);
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    let of = |id: &str| settings(&scenario, plan.cells.iter().find(|cell| cell.id.as_str() == id).expect("a cell"));
    assert_eq!(of("evict=arc+not-audit").args, ["--evict", "arc"]);
    assert_eq!(of("baseline").args, ["--audit", "--evict", "off"]);
    assert_eq!(of("log=debug+not-audit").env.get("LOG"), Some(&Some("debug".to_owned())));
    assert_eq!(of("baseline").env.get("LOG"), Some(&Some("warn".to_owned())));
    assert!(ids("strategy = \"full\"\nmax_cells = 99", eviction).iter().all(|id| id.matches("evict=").count() < 2));
    assert_eq!(CellId::parse("not-audit+evict=arc").to_string(), "evict=arc+not-audit");
}

#[test]
fn a_limit_of_hours_leaves_out_whole_replicates_and_says_so() {
    let plan = planned("strategy = \"each\"\nreplicates = 3", "").expect("a plan");
    let whole = plan.soaking() + plan.building();
    assert_eq!(plan.clone().within(whole).expect("it fits"), plan);
    let shortened = plan.clone().within(whole.saturating_sub(Duration::from_secs(1))).expect("two replicates fit");
    assert_eq!(shortened.cells, plan.cells[..10]);
    let left_out = shortened.left_out.expect("what was left out");
    assert_eq!(left_out.cells.len(), 5);
    assert_eq!(left_out.reason, "--max-hours allows 1h 17m: the first 2 of 3 replicates fit, and blocks are not cut");
    let refused = plan.within(Duration::from_mins(20)).expect_err("not even one fits");
    assert!(refused.to_string().contains("5 cells"), "{refused}");
}

#[test]
fn the_table_of_a_screening_says_what_it_cannot_tell_apart() {
    let flag = |name: &str| format!("[[flags]]\nname = \"{name}\"\nkind = \"env\"\nvar = \"{name}\"\n");
    let more: String = ["one", "two", "three"].iter().map(|name| flag(name)).collect();
    insta::assert_snapshot!(plan_table(
        &planned("strategy = \"screening\"", &more).expect("a plan"),
        Layout::default()
    ));
    let valued = format!("{more}values = [\"a\", \"b\", \"c\"]\n");
    let problem = planned("strategy = \"screening\"", &valued).expect_err("no plan");
    assert!(problem.message.contains("\"three\" has more than two values"), "{}", problem.message);
}

#[test]
fn each_revision_is_a_build_of_its_own() {
    let axis = "[[axes]]\nname = \"release\"\nkind = \"revision\"\nvalues = [\"v1\", \"v2\"]\n";
    let scenario = scenario("strategy = \"default\"\nreplicates = 2", axis);
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    let mut builds: Vec<String> = plan.builds.iter().map(steep_core::plan::Build::label).collect();
    builds.sort();
    assert_eq!(builds, ["probe at v1", "probe at v2"]);
    let mut cells: Vec<&str> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    cells.sort_unstable();
    assert_eq!(cells, ["baseline", "baseline#2", "baseline@release=v2", "baseline@release=v2#2"]);
}

/// Flag sets with the value of the axis `axis`, in order.
fn sets_under(scenario: &Scenario, features: &Features, axis: &str) -> BTreeSet<(String, String)> {
    let plan = plan(scenario, features, &Spans::default()).expect("a plan");
    plan.cells.iter().map(|cell| (cell.axes[axis].clone(), cell.flags.to_string())).collect()
}

#[test]
fn a_flag_whose_feature_an_axis_turns_on_is_on_there() {
    let features = Features::new(
        [("storage", vec![]), ("cache", vec![]), ("disk", vec!["storage".to_owned()])]
            .map(|(name, on)| (name.to_owned(), on))
            .into(),
    );
    let axis = "[[axes]]\nname = \"store\"\nkind = \"cargo-feature\"\nvalues = [\"none\", \"disk\"]";
    let sets = sets_under(&scenario("strategy = \"full\"", axis), &features, "store");
    assert!(sets.iter().any(|(store, flags)| store == "none" && !flags.contains("storage")), "{sets:?}");
    assert!(sets.iter().all(|(store, flags)| store == "none" || flags.contains("storage")), "{sets:?}");
}

#[test]
fn constraints_that_clash_under_one_value_of_an_axis_leave_out_that_value_only() {
    let more = "[constraints]\npinned = { legacy = false }\n\
                [[axes]]\nname = \"threads\"\nkind = \"env\"\nvar = \"THREADS\"\nvalues = [\"1\", \"2\"]\n\
                [[rules]]\nwhen = { threads = \"2\" }\nthen = { legacy = true }";
    let scenario = scenario("strategy = \"full\"", more);
    let plan = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
    assert!(plan.cells.iter().all(|cell| cell.axes["threads"] == "1"));
    let dropped: Vec<&str> = plan.notes.dropped.iter().map(|dropped| dropped.reason.as_str()).collect();
    assert!(dropped.iter().any(|reason| reason.starts_with("no flag set keeps all constraints there:")), "{dropped:?}");
}
