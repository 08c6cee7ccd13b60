//! Growth that is filed already: what it excuses, and what it never does.

use std::sync::LazyLock;

use proptest::prelude::*;
use steep_core::exit::Status;
use steep_core::known::State;
use steep_core::outcome::Outcome;
use steep_core::report::{Layout, Report, Results, terminal};
use steep_core::scenario::{Date, Known, Scenario};
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate};

use super::simulated::soaked;

const REQUESTS_PER_HOUR: f64 = 100.0 * 3600.0;
const FLAGS: [&str; 3] = ["labels", "sessions", "cache"];

fn scenario() -> Scenario {
    decoded(&sound("20m", "").replace("[service]\n", "[service]\nmemory_limit = \"512MiB\"\n"))
}

/// A cell in which `labels` leaks 512 B and `sessions` 256 B for each request, where they are said to.
fn outcome(flags: &[&str], leaking: &[&str]) -> Outcome {
    let leak = |flag: &str| match flag {
        "labels" => 512.0,
        _ => 256.0,
    };
    let on = |flag: &&&str| flags.contains(flag);
    let leak_per_request = leaking.iter().filter(on).map(|flag| leak(flag)).sum();
    let service = SimService { leak_per_request, probe: true, ..SimService::default() };
    let mut trace = soaked(&scenario(), &service);
    trace.header.flags = flags.iter().copied().collect::<FlagSet>();
    trace.header.cell = CellId::parse(&if flags.is_empty() { "baseline".to_owned() } else { flags.join("+") });
    Outcome::of(&trace)
}

fn cells(leaking: &[&str]) -> Vec<Outcome> {
    [&[][..], &["labels"], &["sessions"], &["cache"], &FLAGS].map(|flags| outcome(flags, leaking)).into()
}

static LABELS: LazyLock<Vec<Outcome>> = LazyLock::new(|| cells(&["labels"]));
static BOTH: LazyLock<Vec<Outcome>> = LazyLock::new(|| cells(&["labels", "sessions"]));

fn known(flags: &[&str], most: f64) -> Known {
    Known {
        flags: flags.iter().map(ToString::to_string).collect(),
        issue: "https://example.org/issues/12".to_owned(),
        max_growth_bytes_per_request: Some(BytesPerRequest::new(most)),
        max_growth_bytes_per_hour: None,
        expires: Date::parse("2027-03-01").expect("a day"),
    }
}

fn report_on(day: &str, outcomes: &[Outcome], known: &[Known]) -> Report {
    Report::new(Results {
        name: "shop".to_owned(),
        started: format!("{day}T02:00:00Z"),
        flags: FLAGS.map(str::to_owned).into(),
        fail_on: scenario().judge.fail_on,
        known: known.to_vec(),
        axes: Vec::new(),
        missing: Vec::new(),
        not_asked: Vec::new(),
        overnight: None,
        outcomes: outcomes.to_vec(),
    })
}

fn report(outcomes: &[Outcome], known: &[Known]) -> Report {
    report_on("2026-12-01", outcomes, known)
}

/// State of the only entry, and what the run comes to.
fn state(report: &Report) -> (State, Status) {
    (report.known[0].state, report.status)
}

#[test]
fn growth_within_what_is_filed_is_reported_and_does_not_fail() {
    let report = report(&LABELS, &[known(&["labels"], 600.0)]);
    assert_eq!(state(&report), (State::Seen, Status::Clean));
    assert_eq!(report.known[0].excused.len(), 2);
    insta::assert_snapshot!(terminal(&report, Layout::default()));
}

#[test]
fn growth_that_worsened_fails() {
    assert_eq!(state(&report(&LABELS, &[known(&["labels"], 300.0)])), (State::Worsened, Status::Finding));
}

#[test]
fn growth_that_may_have_worsened_is_undecided() {
    let mut cells = LABELS.clone();
    for growth in cells.iter_mut().filter_map(|cell| cell.judgement.growth.as_mut()) {
        let value = growth.per_request.expect("requests were counted").value.get();
        let per_request = Estimate { value, low: value - 100.0, high: value + 100.0 };
        growth.per_request = Some(per_request.map(BytesPerRequest::new));
        growth.per_hour = per_request.map(|growth| BytesPerHour::new(growth * REQUESTS_PER_HOUR));
    }
    assert_eq!(state(&report(&cells, &[known(&["labels"], 480.0)])), (State::MayHaveWorsened, Status::Undecided));
    assert_eq!(state(&report(&cells, &[known(&["labels"], 380.0)])), (State::Worsened, Status::Finding));
}

#[test]
fn another_leak_is_not_excused_not_even_in_the_same_cell() {
    let report = report(&BOTH, &[known(&["labels"], 5000.0)]);
    assert_eq!(state(&report), (State::Seen, Status::Finding));
    let excused: Vec<&str> = report.known[0].excused.iter().map(CellId::as_str).collect();
    assert_eq!(excused, ["labels"]);
}

#[test]
fn two_that_are_filed_excuse_a_cell_together() {
    let both = [known(&["labels"], 600.0), known(&["sessions"], 300.0)];
    assert_eq!(report(&BOTH, &both).status, Status::Clean);
    assert_eq!(report(&BOTH, &[known(&["labels"], 600.0), known(&["sessions"], 100.0)]).status, Status::Finding);
}

#[test]
fn what_expired_fails_from_that_day_on() {
    let entry = [known(&["labels"], 600.0)];
    assert_eq!(state(&report_on("2027-02-28", &LABELS, &entry)), (State::Seen, Status::Clean));
    assert_eq!(state(&report_on("2027-03-01", &LABELS, &entry)), (State::Expired, Status::Finding));
    assert_eq!(state(&report_on("some day", &LABELS, &entry)), (State::Expired, Status::Finding));
}

#[test]
fn what_is_gone_is_said_and_excuses_nothing() {
    let report = report(&LABELS, &[known(&["sessions"], 600.0)]);
    assert_eq!(state(&report), (State::NotSeen, Status::Finding));
    let described = terminal(&report, Layout::default());
    assert!(described.contains("its [[known]] can go"), "{described}");
}

#[test]
fn a_flag_that_leaks_alone_is_not_the_pair_that_is_filed() {
    let report = report(&LABELS, &[known(&["labels", "cache"], 600.0)]);
    assert_eq!(report.status, Status::Finding);
    assert!(report.known[0].excused.is_empty());
}

#[test]
fn a_limit_per_hour_counts_too() {
    let mut entry = known(&["labels"], 600.0);
    entry.max_growth_bytes_per_hour = Some(BytesPerHour::new(1024.0));
    assert_eq!(state(&report(&LABELS, &[entry.clone()])), (State::Worsened, Status::Finding));
    entry.max_growth_bytes_per_hour = Some(BytesPerHour::new(600.0 * REQUESTS_PER_HOUR));
    assert_eq!(state(&report(&LABELS, &[entry])), (State::Seen, Status::Clean));
}

#[test]
fn headroom_fails_whatever_is_filed() {
    let mut cells = LABELS.clone();
    for cell in &mut cells {
        cell.headroom_exceeded = true;
        cell.memory_limit_bytes = Some(Bytes::new(1 << 20));
    }
    let report = report(&cells, &[known(&["labels"], 600.0)]);
    assert_eq!(report.status, Status::Finding);
    assert!(report.known[0].excused.is_empty());
}

/// From the best to the worst.
fn rank(status: Status) -> usize {
    [Status::Clean, Status::Undecided, Status::Finding].iter().position(|one| *one == status).expect("one of these")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_larger_limit_never_makes_it_worse(most in 1.0..1200.0_f64, more in 0.0..600.0_f64, both in any::<bool>()) {
        let outcomes = if both { &*BOTH } else { &*LABELS };
        let less = report(outcomes, &[known(&["labels"], most)]);
        let more = report(outcomes, &[known(&["labels"], most + more)]);
        prop_assert!(rank(more.status) <= rank(less.status));
    }

    #[test]
    fn cells_without_the_flag_are_never_excused(most in 1.0..5000.0_f64, flag in 0..FLAGS.len(), both in any::<bool>()) {
        let outcomes = if both { &*BOTH } else { &*LABELS };
        let report = report(outcomes, &[known(&[FLAGS[flag]], most)]);
        for id in &report.known[0].excused {
            let cell = outcomes.iter().find(|outcome| outcome.cell == *id).expect("a cell of the run");
            prop_assert!(cell.flags.contains(FLAGS[flag]));
        }
    }
}
