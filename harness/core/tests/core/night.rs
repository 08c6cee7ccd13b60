//! Nights over simulated services: hours of soak in a second, judged and reported as a run does.

use std::sync::OnceLock;
use std::time::Duration;

use proptest::prelude::*;
use steep_core::exit::Status;
use steep_core::night::{Doubts, Night, Turn, past, stretched};
use steep_core::outcome::Outcome;
use steep_core::plan::{Allowed, Overnight, Plan, plan};
use steep_core::problem::Spans;
use steep_core::report::{Layout, Report, Results, terminal};
use steep_core::scenario::package::Features;
use steep_core::scenario::{Flag, Scenario, Supplies};
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::isolation::{CellStacks, ChainGrowth, Guilt, Shape};
use steep_judge::units::{BytesPerRequest, Estimate};

use super::simulated;

/// Twenty minutes a cell; every set of three flags under two values of an axis is planned.
fn scenario() -> Scenario {
    let more = r#"
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
[[flags]]
name = "labels"
kind = "env"
var = "LABELS"
[[flags]]
name = "sessions"
kind = "env"
var = "SESSIONS"
[[axes]]
name = "arenas"
kind = "env"
var = "MALLOC_ARENA_MAX"
values = ["8", "2"]
[plan]
strategy = "full"
"#;
    decoded(&sound("20m", more).replace("rate = 100", "rate = 20"))
}

/// A cell of this night.
fn soaked(scenario: &Scenario, id: &CellId, flags: &FlagSet, leak: &str) -> Outcome {
    let leak_per_request = if flags.contains(leak) { 512.0 } else { 0.0 };
    let service = SimService { leak_per_request, probe: true, ..SimService::default() };
    let mut trace = simulated::soaked(scenario, &service);
    (trace.header.cell, trace.header.flags) = (id.clone(), flags.clone());
    Outcome::of(&trace)
}

/// The report on a night of so long, in which the flag called `leak` does.
fn night(left: Duration, leak: &str) -> Report {
    night_of(left, leak, |outcome| outcome)
}

/// The same with what else is known of each cell.
fn night_of(mut left: Duration, leak: &str, known: impl Fn(Outcome) -> Outcome) -> Report {
    let (scenario, features) = (scenario(), Features::default());
    let planned = plan(&scenario, &features, &Spans::default()).expect("a plan");
    let allowed = Allowed::of(&scenario, &features);
    let night = Night::new(&scenario, &allowed, &planned.cells);
    let mut plan = Plan::of_night(&scenario, &planned, "2026-11-24T07:00+00:00".to_owned());
    let mut outcomes: Vec<Outcome> = Vec::new();
    loop {
        let so_far = past(&allowed.switches(), &plan.cells, &outcomes);
        let doubts = Doubts::of(&scenario, &outcomes);
        let Turn::Soak(wanted) = night.next(&so_far, &doubts, left, |_, _| false) else { break };
        let length = night.length(so_far.is_empty(), left).expect("it fits");
        let longer = stretched(&scenario, &Supplies::default(), length);
        let soaking = longer.as_ref().unwrap_or(&scenario);
        left = left.checked_sub(soaking.soak_duration()).expect("it is over in time");
        let cell = plan.append(&scenario, &features, &wanted.flags, &wanted.axes);
        let mut outcome = soaked(soaking, &cell.id, &cell.flags, leak);
        outcome.axes = cell.axes;
        outcomes.push(known(outcome));
    }
    report(&scenario, plan.overnight, outcomes)
}

fn report(scenario: &Scenario, overnight: Option<Overnight>, outcomes: Vec<Outcome>) -> Report {
    Report::new(Results {
        name: "shop".to_owned(),
        started: "2026-11-23T22:00:00Z".to_owned(),
        flags: scenario.flags.iter().flat_map(Flag::members).collect(),
        fail_on: scenario.judge.fail_on.clone(),
        known: Vec::new(),
        axes: Vec::new(),
        overnight,
        missing: Vec::new(),
        not_asked: Vec::new(),
        outcomes,
    })
}

fn guilt(report: &Report, flag: &str) -> Guilt {
    report.flags.iter().find(|finding| finding.flag == flag).expect("the flag").finding.guilt.clone()
}

#[test]
fn a_night_names_what_leaks_and_says_what_it_left_out() {
    let report = night(Duration::from_hours(8), "labels");
    assert_eq!((report.status, guilt(&report, "labels")), (Status::Finding, Guilt::Leaks));
    let not_run = report.not_run.as_ref().expect("a night");
    assert!(not_run.not_judged.is_empty(), "{not_run:?}");
    assert_eq!((not_run.planned_cells, not_run.left_out.len() + report.cells.len()), (16, 16), "{not_run:?}");
    let text = terminal(&report, Layout::default());
    insta::assert_snapshot!(text.split("\n\n").filter(|part| part.contains("left out until")).collect::<String>());
}

/// The stacks of a cell in which `labels` keeps 512 B for each request.
fn stacks(flags: &FlagSet) -> CellStacks {
    let estimate = |value: f64, error: f64| Estimate::normal(value, error).map(BytesPerRequest::new);
    let halves = Some([estimate(512.0, 20.0); 2]);
    let chain = ChainGrowth {
        calls: vec!["src/labels.rs shop::label".to_owned()],
        place: "src/labels.rs:39".to_owned(),
        growth: estimate(512.0, 14.0),
        shape: Shape::Grows,
        halves,
    };
    let chains = if flags.contains("labels") { vec![chain] } else { Vec::new() };
    CellStacks { chains, others: estimate(0.1, 1.0), unseen: BytesPerRequest::new(1.0) }
}

#[test]
fn a_night_with_stacks_names_the_line_and_needs_no_more_cells() {
    let plain = night(Duration::from_hours(8), "labels");
    let report = night_of(Duration::from_hours(8), "labels", |outcome| {
        let stacks = Some(stacks(&outcome.flags));
        Outcome { stacks, ..outcome }
    });
    assert_eq!((report.status, guilt(&report, "labels")), (Status::Finding, Guilt::Leaks));
    assert!(["cache", "sessions"].iter().all(|flag| guilt(&report, flag) == Guilt::Innocent), "{:?}", report.flags);
    let labels = report.flags.iter().find(|finding| finding.flag == "labels").expect("the flag");
    assert_eq!(labels.finding.kept_by[0].places, ["src/labels.rs:39"]);
    assert!(report.stacks.len() == 1 && report.stacks[0].is_sure, "{:?}", report.stacks);
    let text = terminal(&report, Layout::default());
    assert!(text.contains("src/labels.rs:39"), "{text}");
    assert!(report.cells.len() <= plain.cells.len(), "{} and {}", report.cells.len(), plain.cells.len());
}

#[test]
fn a_night_in_which_all_is_judged_is_clean_whatever_it_left_out() {
    let report = night(Duration::from_hours(4), "nothing");
    assert_eq!(report.status, Status::Clean, "{}", terminal(&report, Layout::default()));
    let not_run = report.not_run.expect("a night");
    assert_eq!((not_run.not_judged.len(), not_run.left_out.len()), (0, 13));
}

#[test]
fn what_a_night_had_no_time_for_is_not_clean() {
    let report = night(Duration::from_mins(42), "nothing");
    let not_run = report.not_run.as_ref().expect("a night");
    let open: Vec<&str> = not_run.not_judged.iter().map(|open| open.name.as_str()).collect();
    assert_eq!((report.status, open), (Status::Undecided, vec!["arenas=2"]));
    assert!(
        terminal(&report, Layout::default()).contains("not judged, and so not clean: arenas=2"),
        "{}",
        terminal(&report, Layout::default())
    );
}

/// A clean cell without any flag.
fn clean() -> &'static Outcome {
    static CLEAN: OnceLock<Outcome> = OnceLock::new();
    CLEAN.get_or_init(|| soaked(&scenario(), &CellId::parse("baseline"), &FlagSet::default(), "nothing"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whichever cells of the plan were soaked, and all of them clean.
    #[test]
    fn what_was_not_soaked_is_never_clean(which in prop::collection::vec(any::<bool>(), 16)) {
        let scenario = scenario();
        let planned = plan(&scenario, &Features::default(), &Spans::default()).expect("a plan");
        let overnight = Plan::of_night(&scenario, &planned, String::new()).overnight;
        let cells: Vec<_> = planned.cells.iter().zip(&which).filter(|(_, is_soaked)| **is_soaked).map(|(cell, _)| cell).collect();
        let outcome = |cell: &&steep_core::plan::Cell| Outcome {
            cell: cell.id.clone(), flags: cell.flags.clone(), axes: cell.axes.clone(), ..clean().clone()
        };
        let report = report(&scenario, overnight, cells.iter().map(outcome).collect());
        let not_run = report.not_run.as_ref().expect("a night");
        prop_assert_eq!(not_run.left_out.len(), 16 - cells.len());
        prop_assert!(not_run.left_out.iter().all(|id| report.cells.iter().all(|cell| &cell.cell != id)));
        let flags = ["cache", "labels", "sessions"];
        let unseen: Vec<&str> = flags.into_iter().filter(|flag| !cells.iter().any(|cell| cell.flags.contains(flag))).collect();
        prop_assert!(unseen.iter().all(|flag| guilt(&report, flag) == Guilt::Undecided), "{:?}", report.flags);
        let has = |value: &str| cells.iter().any(|cell| cell.axes["arenas"] == value);
        let is_all_seen = unseen.is_empty() && has("8") && has("2");
        prop_assert!(is_all_seen || report.status == Status::Undecided, "{:?}", report.status);
        let is_decided = not_run.not_judged.is_empty() && !cells.is_empty();
        prop_assert_eq!(report.status == Status::Clean, is_decided);
    }
}
