//! What is said of flags where the stacks of each cell were looked at.

use steep_core::outcome::Outcome;
use steep_core::report::{Layout, Report, Results, terminal};
use steep_judge::isolation::{CellStacks, ChainGrowth, Guilt, Shape};
use steep_judge::units::{BytesPerRequest, Estimate};

use super::{cell, said};

/// Standard error of the growth of any stack, in bytes per request.
const ERROR: f64 = 0.2;

fn estimate(value: f64, error: f64) -> Estimate<BytesPerRequest> {
    let half = 1.96 * error;
    Estimate { value, low: value - half, high: value + half }.map(BytesPerRequest::new)
}

/// A stack through these calls that keeps so much for each request.
fn chain(calls: &str, growth: f64, shape: Shape) -> ChainGrowth {
    let calls: Vec<String> = calls.split(" < ").map(str::to_owned).collect();
    let place = format!("{}:1", calls.last().expect("a call"));
    ChainGrowth { calls, place, growth: estimate(growth, ERROR.max(0.05 * growth)), shape, halves: None }
}

/// A cell in which these stacks keep so much, and all others nothing.
fn with(flags: &[&str], stacks: &[(&str, f64)]) -> Outcome {
    let growth: f64 = stacks.iter().map(|(_, growth)| growth).sum();
    let chains = stacks.iter().map(|(calls, growth)| chain(calls, *growth, Shape::Grows)).collect();
    let stacks = CellStacks { chains, others: estimate(0.1, ERROR), unseen: BytesPerRequest::new(ERROR) };
    // A sum that is known within a tenth: what is small beside it does not show in it.
    Outcome { stacks: Some(stacks), ..cell(flags, growth, (0.1 * growth).max(1.0)) }
}

const SESSIONS: (&str, f64) = ("text < sessions.rs", 3_000.0);
const ORDERS: (&str, f64) = ("text < orders.rs", 400.0);
const LABELS: (&str, f64) = ("labels.rs", 30.0);
const SERIES: (&str, f64) = ("metrics.rs", 60.0);

const FLAGS: [&str; 6] = ["cache", "labels", "metrics", "orders", "sessions", "tenants"];

/// Four leaks, one of which is a pair, in seven cells; the largest is a hundred times the smallest.
fn four_leaks() -> Vec<Outcome> {
    vec![
        with(&[], &[]),
        with(&FLAGS, &[SESSIONS, ORDERS, LABELS, SERIES]),
        with(&["sessions", "orders", "metrics"], &[SESSIONS, ORDERS]),
        with(&["sessions", "labels", "tenants"], &[SESSIONS, LABELS]),
        with(&["orders", "labels", "cache"], &[ORDERS, LABELS]),
        with(&["sessions", "metrics", "tenants"], &[SESSIONS, SERIES]),
        with(&["cache"], &[]),
    ]
}

#[test]
fn each_stack_names_its_flag_and_leaks_do_not_hide_each_other() {
    let isolation = said(&FLAGS, &four_leaks());
    let guilt = |flag: &str| {
        let found = isolation.flags.iter().find(|found| found.flag == flag).expect("a finding");
        (found.finding.guilt.clone(), found.finding.kept_by.first().map(|kept| kept.places[0].clone()))
    };
    let set = |flag: &str| [flag].into_iter().collect();
    for (flag, expected, place) in [
        ("sessions", Guilt::Leaks, Some("sessions.rs:1")),
        ("orders", Guilt::Leaks, Some("orders.rs:1")),
        ("labels", Guilt::Leaks, Some("labels.rs:1")),
        ("metrics", Guilt::LeaksWith(set("tenants")), Some("metrics.rs:1")),
        ("tenants", Guilt::LeaksWith(set("metrics")), Some("metrics.rs:1")),
        ("cache", Guilt::Innocent, None),
    ] {
        assert_eq!(guilt(flag), (expected, place.map(str::to_owned)), "{flag}: {}", isolation.sentence);
    }
    let labels = &isolation.flags[1].finding.kept_by[0];
    let (with, without) = (labels.with, labels.without.expect("cells without"));
    assert!((with.value.get() - 30.0).abs() < 1.0 && without.high.get() < 1.0, "{labels:?}");
    insta::assert_snapshot!(isolation.sentence);
}

/// The same cells by their sums alone: what 30 B of 3,000 are is not known.
#[test]
fn without_stacks_the_sum_decides_as_before() {
    let cells: Vec<Outcome> = four_leaks().into_iter().map(|cell| Outcome { stacks: None, ..cell }).collect();
    let isolation = said(&FLAGS, &cells);
    assert!(isolation.stacks.is_empty() && !isolation.are_stacks_seen);
    assert_eq!(isolation.flags[1].finding.guilt, Guilt::Undecided, "{}", isolation.sentence);
}

/// A flag that wraps handlers makes the same stack another one.
#[test]
fn a_stack_that_a_flag_wraps_is_the_same_stack() {
    let (bare, wrapped) = (("text < sessions.rs < main", 64.0), ("text < sessions.rs < wrapper < main", 64.0));
    let isolation = said(
        &["sessions", "wrapper"],
        &[
            with(&[], &[]),
            with(&["sessions"], &[bare]),
            with(&["wrapper"], &[]),
            with(&["sessions", "wrapper"], &[wrapped]),
        ],
    );
    let guilts = [0, 1].map(|flag: usize| isolation.flags[flag].finding.guilt.clone());
    assert_eq!(guilts, [Guilt::Leaks, Guilt::Innocent], "{}", isolation.sentence);
}

/// Two stacks of one leak, each of which keeps less than is worth finding.
#[test]
fn stacks_that_grow_in_the_same_cells_are_one_leak() {
    let parts = [("table < map.rs", 2.8), ("items < map.rs", 3.2)];
    let isolation = said(&["map", "other"], &[with(&[], &[]), with(&["map"], &parts), with(&["other"], &[])]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Leaks, "{}", isolation.sentence);
    assert_eq!(isolation.stacks.len(), 1);
    let kept = &isolation.flags[0].finding.kept_by[0];
    assert!(kept.places == ["map.rs:1"] && (kept.with.value.get() - 6.0).abs() < 0.1, "{kept:?}");
}

#[test]
fn a_stack_that_fills_and_one_that_comes_and_goes_accuse_nobody() {
    let with_shape = |flags: &[&str], growth: f64, shape| {
        let mut outcome = with(flags, &[]);
        outcome.stacks.as_mut().expect("stacks").chains.push(chain("views.rs", growth, shape));
        outcome
    };
    for (growth, shape) in [(40.0, Shape::Slows), (0.5, Shape::Flat)] {
        let isolation =
            said(&["views", "b"], &[with(&[], &[]), with_shape(&["views"], growth, shape), with(&["b"], &[])]);
        assert!(isolation.stacks.is_empty(), "{:?}", isolation.stacks);
        let views = &isolation.flags[0].finding;
        assert!(views.kept_by.is_empty() && matches!(views.guilt, Guilt::Innocent | Guilt::Undecided), "{views:?}");
    }
}

#[test]
fn a_flag_without_a_stack_and_a_stack_without_a_flag_are_both_said() {
    // Beside the stacks something grows with `mapped`.
    let mapped = || {
        let mut outcome = cell(&["mapped"], 64.0, 2.0);
        outcome.stacks = with(&["mapped"], &[]).stacks;
        outcome
    };
    let isolation = said(&["mapped", "b"], &[with(&[], &[]), mapped(), mapped(), with(&["b"], &[])]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Leaks);
    assert!(isolation.sentence.contains("no single stack shows what `mapped` keeps"), "{}", isolation.sentence);
    // Two flags that the same cells have.
    let isolation = said(&["a", "b", "c"], &[with(&[], &[]), with(&["a", "b"], &[LABELS]), with(&["c"], &[])]);
    assert!(!isolation.stacks[0].is_sure && isolation.stacks[0].causes.len() >= 2, "{:?}", isolation.stacks);
    insta::assert_snapshot!(isolation.sentence);
}

/// What people read, and what programs do.
fn reported(flags: &[&str], outcomes: Vec<Outcome>) -> (String, serde_json::Value) {
    let report = Report::new(Results {
        name: "shop".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        flags: flags.iter().map(ToString::to_string).collect(),
        fail_on: Vec::new(),
        known: Vec::new(),
        axes: Vec::new(),
        overnight: None,
        missing: Vec::new(),
        not_asked: Vec::new(),
        outcomes,
    });
    let text = terminal(&report, Layout::default());
    (text.split_whitespace().collect::<Vec<_>>().join(" "), serde_json::to_value(&report).expect("JSON"))
}

/// In the terminal and in JSON.
#[test]
fn both_formats_say_a_flag_without_a_stack_and_a_stack_without_a_flag() {
    let mapped = || {
        let mut outcome = cell(&["mapped"], 64.0, 2.0);
        outcome.stacks = with(&["mapped"], &[]).stacks;
        outcome
    };
    let cells = vec![with(&[], &[]), mapped(), mapped(), with(&["b"], &[])];
    let (text, report) = reported(&["mapped", "b"], cells);
    let said = "no single stack shows what `mapped` keeps";
    assert!(text.contains(said) && report["sentence"].as_str().is_some_and(|all| all.contains(said)), "{text}");
    assert_eq!((&report["flags"][0]["guilt"], report["flags"][0].get("kept_by")), (&"leaks".into(), None));

    let cells = vec![with(&[], &[]), with(&["a", "b"], &[LABELS]), with(&["c"], &[])];
    let (text, report) = reported(&["a", "b", "c"], cells);
    let said = "B per request) has no sure cause: it may be `a` or `b`";
    assert!(text.contains(said) && report["sentence"].as_str().is_some_and(|all| all.contains(said)), "{text}");
    let stack = &report["stacks"][0];
    assert_eq!((&stack["is_sure"], &stack["places"][0]), (&false.into(), &"labels.rs:1".into()), "{stack}");
    assert!(stack["causes"].as_array().is_some_and(|causes| causes.len() >= 2), "{stack}");
}

/// A cell in which a stack of `views` grows so in its halves, and the sum with it.
fn halved(flags: &[&str], halves: [f64; 2]) -> Outcome {
    let whole = f64::midpoint(halves[0], halves[1]);
    let grows = flags.contains(&"views");
    let kept = [("views.rs", whole)];
    let mut outcome = with(flags, if grows { &kept } else { &[] });
    for chain in &mut outcome.stacks.as_mut().expect("stacks").chains {
        chain.growth = estimate(chain.growth.value.get(), 1.0);
        chain.halves = Some(halves.map(|half| estimate(half, 1.4)));
    }
    outcome
}

#[test]
fn a_stack_whose_growth_slows_down_in_all_cells_together_accuses_nobody() {
    let views = |halves| {
        let cells = [&[][..], &["views"], &["views", "b"], &["b"], &["views"], &[]];
        said(&["views", "b"], &cells.map(|flags| halved(flags, halves)))
    };
    let kept = views([12.0, 12.0]);
    assert_eq!(kept.flags[0].finding.guilt, Guilt::Leaks, "{}", kept.sentence);
    assert!(kept.stacks[0].is_sure && kept.stacks[0].kept_posterior > 0.95, "{:?}", kept.stacks);
    let fills = views([16.0, 8.0]);
    let finding = &fills.flags[0].finding;
    assert!(matches!(finding.guilt, Guilt::Undecided | Guilt::Innocent), "{}", fills.sentence);
    assert!(!fills.stacks[0].is_sure && fills.stacks[0].kept_posterior < 0.3, "{:?}", fills.stacks);
    assert!(fills.sentence.contains("may be something that fills"), "{}", fills.sentence);
}
