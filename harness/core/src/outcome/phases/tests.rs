use super::*;
use crate::outcome::Outcome;
use crate::scenario::decode::decode;
use crate::sim::{SimService, soak};
use crate::trace::ProcessId;
use steep_judge::growth::Follows;
use steep_judge::verdict::Verdict;

/// A phase: name, role, rate (0: a pause), seconds.
type Planned = (&'static str, &'static str, u32, u64);

const LOADED: Planned = ("steady", "steady", 100, 1800);
const AFTER: Planned = ("after", "idle", 0, 600);

/// A soak of `phases` by a service that holds `extra(t)` bytes more at the second `t`.
fn trace(phases: &[Planned], extra: impl Fn(f64) -> f64) -> Trace {
    let mut text = "name = \"shop\"\n[service]\ncommand = [\"shop\"]\nurl = \"http://127.0.0.1:{{port}}\"\n".to_owned();
    for (name, role, rate, seconds) in phases {
        let shape =
            if *rate == 0 { "shape = \"pause\"".to_owned() } else { format!("shape = \"constant\"\nrate = {rate}") };
        text += &format!("[[phases]]\nname = \"{name}\"\nrole = \"{role}\"\n{shape}\nduration = \"{seconds}s\"\n");
    }
    text += "[[requests]]\nname = \"get\"\npath = \"/\"\n";
    let decoded = decode(&text);
    let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems));
    let mut trace = soak(&scenario, &SimService::default(), &[]).expect("a trace");
    for sample in &mut trace.samples {
        let more = Bytes::new(extra(sample.t_s.as_secs_f64()).max(0.0) as u64);
        sample.memory.anon_bytes = sample.memory.anon_bytes + more;
    }
    trace
}

fn outcome(phases: &[Planned], extra: impl Fn(f64) -> f64) -> Outcome {
    Outcome::of(&trace(phases, extra))
}

/// So many MiB for each hour since `from`, until `to`.
fn timer(mib: f64, from: f64, to: f64) -> impl Fn(f64) -> f64 {
    move |t| (t.min(to) - from).max(0.0) / 3600.0 * mib * 1_048_576.0
}

fn reason(outcome: &Outcome) -> &str {
    &outcome.judgement.reason
}

#[test]
fn growth_that_begins_when_the_load_has_ended_is_a_leak_per_hour_of_that_phase() {
    let outcome = outcome(&[LOADED, ("cooldown", "cooldown", 0, 600)], timer(62.0, 1800.0, 2400.0));
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
    assert_eq!(outcome.grows_in, Some(vec!["cooldown".to_owned()]));
    assert_eq!(outcome.judgement.rule.name, "grows_beside");
    let json = serde_json::to_value(&outcome).expect("numbers only");
    assert_eq!((&json["rule"], &json["phases"][1]["rule"]), (&"grows_beside".into(), &"grows".into()));
    assert!(outcome.growth().is_some_and(|growth| growth.per_request.is_none()));
    let said = reason(&outcome);
    assert!(said.contains(" MiB per hour in phase `cooldown`, without requests, evidence "), "{said}");
    assert!(said.contains("under load: stable") && !said.contains("per request,"), "{said}");
    assert_eq!(outcome.phases.iter().filter(|phase| phase.fitted).count(), 1);
}

#[test]
fn an_idle_phase_at_the_beginning_or_in_the_middle_is_judged_too() {
    let start = [("before", "idle", 0, 600), LOADED];
    let outcome = outcome(&start, timer(62.0, 0.0, 600.0));
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
    assert_eq!(outcome.grows_in, Some(vec!["before".to_owned()]));
    let middle = [("one", "steady", 100, 900), ("break", "idle", 0, 600), LOADED];
    let outcome = self::outcome(&middle, timer(62.0, 900.0, 1500.0));
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
    assert_eq!(outcome.grows_in, Some(vec!["break".to_owned()]));
}

#[test]
fn growth_in_several_phases_is_one_finding_that_names_them_all() {
    let phases = [LOADED, AFTER, ("again", "cooldown", 100, 300), ("last", "idle", 0, 600)];
    let outcome = outcome(&phases, |t| timer(40.0, 1800.0, 2400.0)(t) + timer(80.0, 2700.0, 3300.0)(t));
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
    let said = reason(&outcome);
    assert!(said.starts_with("grows by 80") && said.contains("phase `last`, without requests"), "{said}");
    assert!(said.contains(", and by 40") && said.contains("in phase `after`, without requests"), "{said}");
}

#[test]
fn growth_that_goes_on_at_the_same_rate_without_requests_follows_time_and_is_one_finding() {
    let outcome = outcome(&[LOADED, AFTER], timer(62.0, 0.0, 2400.0));
    assert_eq!((outcome.verdict(), &outcome.grows_in), (Verdict::Leak, &None), "{}", reason(&outcome));
    assert_eq!(outcome.judgement.rule.name, "grows");
    let said = reason(&outcome);
    assert!(said.contains("follows time, not requests") && !said.contains("per request"), "{said}");
    assert_eq!(outcome.growth().map(|growth| growth.follows), Some(Follows::Time));
}

#[test]
fn growth_by_requests_with_a_slower_part_by_time_tells_both() {
    let outcome = outcome(&[LOADED, AFTER], |t| timer(600.0, 0.0, 1800.0)(t) + timer(40.0, 1800.0, 2400.0)(t));
    assert_eq!((outcome.verdict(), &outcome.grows_in), (Verdict::Leak, &None), "{}", reason(&outcome));
    let said = reason(&outcome);
    assert!(said.contains("it goes on by 40") && said.contains("per hour in phase `after`"), "{said}");
}

#[test]
fn memory_that_falls_once_the_load_is_gone_is_fine() {
    let trimmed = |t: f64| 60e6 * if t < 1800.0 { 1.0 } else { (-(t - 1800.0) / 60.0).exp() };
    let lazily = |t: f64| 60e6 - 10e6 * ((t - 1800.0) / 100.0).floor().clamp(0.0, 5.0);
    for falls in [&trimmed as &dyn Fn(f64) -> f64, &lazily] {
        let outcome = outcome(&[LOADED, AFTER], falls);
        assert!(outcome.verdict().is_clear(), "{}: {}", outcome.verdict(), reason(&outcome));
    }
}

#[test]
fn a_leak_beneath_memory_that_is_given_back_is_found() {
    let given_back = |t: f64| 60e6 * if t < 1800.0 { 1.0 } else { (-(t - 1800.0) / 40.0).exp() };
    let outcome = outcome(&[LOADED, ("after", "idle", 0, 1800)], |t| given_back(t) + timer(62.0, 1800.0, 3600.0)(t));
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
}

#[test]
fn a_short_idle_phase_leaves_a_clean_cell_clean_and_says_what_it_hides() {
    let short = outcome(&[LOADED, ("after", "idle", 0, 30)], |_| 0.0);
    assert_eq!(short.verdict(), Verdict::Stable);
    assert!(reason(&short).ends_with("phase `after`, without requests: 30s are too short to be judged"));
    let blind = outcome(&[LOADED, ("after", "idle", 0, 60)], |t| 4096.0 * ((t * 7.0) % 5.0).floor());
    assert!(blind.verdict().is_clear(), "{}", reason(&blind));
    assert!(reason(&blind).contains("growth below 960 MiB/h would not have been named in 60s"), "{}", reason(&blind));
}

#[test]
fn a_phase_that_plainly_grows_is_never_hidden_however_short() {
    for (seconds, mib) in [(30, 600.0), (60, 240.0), (120, 120.0), (240, 60.0)] {
        let phases = [LOADED, ("after", "idle", 0, seconds)];
        let outcome = outcome(&phases, timer(mib, 1800.0, 1800.0 + seconds as f64));
        assert!(!outcome.verdict().is_clear(), "{seconds}: {}", reason(&outcome));
        assert!(reason(&outcome).contains("phase `after`, without requests"), "{seconds}: {}", reason(&outcome));
        let rule = outcome.judgement.rule.name;
        assert!(["rose_beside", "grows_beside"].contains(&rule), "{seconds}: {rule}");
        assert!(seconds > 30 || rule == "rose_beside", "{rule}");
    }
}

#[test]
fn steady_phases_beside_the_longest_stretch_cannot_hide_growth() {
    let phases = [("one", "steady", 100, 900), ("break", "idle", 0, 60), LOADED];
    let outcome = outcome(&phases, timer(600.0, 0.0, 900.0));
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
    assert!(reason(&outcome).contains("per request in phase `one`"), "{}", reason(&outcome));
    assert_eq!(outcome.grows_in, Some(vec!["one".to_owned()]));
}

#[test]
fn a_warm_up_that_is_cut_off_by_a_pause_may_grow() {
    let phases = [("warmup", "warmup", 100, 600), ("break", "idle", 0, 60), LOADED];
    let outcome = outcome(&phases, timer(600.0, 0.0, 600.0));
    assert!(outcome.verdict().is_clear(), "{}", reason(&outcome));
}

#[test]
fn jumps_that_double_in_an_idle_phase_are_a_step() {
    let doubling = |t: f64| match t - 1800.0 {
        t if t < 200.0 => 0.0,
        t if t < 500.0 => 16e6,
        t if t < 1100.0 => 48e6,
        _ => 112e6,
    };
    let outcome = outcome(&[LOADED, ("after", "idle", 0, 1800)], doubling);
    assert_eq!(outcome.verdict(), Verdict::Step, "{}", reason(&outcome));
    assert!(reason(&outcome).contains("in phase `after`, without requests"), "{}", reason(&outcome));
}

#[test]
fn a_process_that_is_replaced_while_idle_is_no_growth() {
    let mut trace = trace(&[LOADED, AFTER], |t| if t > 2100.0 { 8e6 } else { 0.0 });
    for sample in trace.samples.iter_mut().filter(|sample| sample.t_s.as_secs_f64() > 2100.0) {
        sample.processes = vec![ProcessId { pid: 2, start_ticks: 9 }];
    }
    let outcome = Outcome::of(&trace);
    assert!(outcome.verdict().is_clear(), "{}", reason(&outcome));
}

#[test]
fn a_run_that_was_interrupted_in_the_phase_is_judged_on_what_there_is() {
    let mut trace = trace(&[LOADED, ("after", "idle", 0, 3600)], timer(62.0, 1800.0, 5400.0));
    trace.samples.retain(|sample| sample.t_s.as_secs_f64() < 2300.0);
    trace.traffic.retain(|traffic| traffic.t_s.as_secs_f64() < 2300.0);
    trace.end = None;
    let outcome = Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
    assert!(outcome.cut_short.is_some());
}

#[test]
fn requests_that_end_late_make_no_growth_per_request() {
    let mut trace = trace(&[LOADED, AFTER], timer(62.0, 1800.0, 2400.0));
    for sample in trace.samples.iter_mut().filter(|sample| sample.t_s.as_secs_f64() > 1810.0) {
        *sample.requests.entry("get".to_owned()).or_default() += 3;
    }
    let outcome = Outcome::of(&trace);
    assert!(outcome.growth().is_some_and(|growth| growth.per_request.is_none()), "{}", reason(&outcome));
}

#[test]
fn a_long_end_without_load_is_judged_per_hour_also_where_it_is_steady() {
    let outcome = outcome(&[("load", "steady", 100, 300), ("quiet", "steady", 0, 3600)], timer(62.0, 0.0, 3900.0));
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", reason(&outcome));
    assert!(!reason(&outcome).contains("per request"), "{}", reason(&outcome));
    assert!(outcome.growth().is_some_and(|growth| growth.per_request.is_none()));
}

#[test]
fn a_load_that_was_not_delivered_is_invalid_whatever_grows_in_idle() {
    let mut trace = trace(&[LOADED, AFTER], timer(62.0, 1800.0, 2400.0));
    let last = trace.traffic.last_mut().expect("traffic");
    let counts = last.requests.get_mut("get").expect("counts");
    (counts.ok, counts.failed_status) = (0, counts.ok);
    let outcome = Outcome::of(&trace);
    assert_eq!((outcome.verdict(), outcome.grows_in), (Verdict::Invalid, None));
}

#[test]
fn growth_that_comes_with_each_new_beginning_of_the_load_is_not_clean() {
    let phases = [
        ("one", "steady", 100, 600),
        ("break", "idle", 0, 60),
        ("two", "steady", 100, 600),
        ("pause", "idle", 0, 60),
        ("three", "steady", 100, 600),
    ];
    let climbing = |height: f64| move |t: f64| height * ((t / 660.0).floor());
    let outcome = outcome(&phases, climbing(40e6));
    assert_eq!(outcome.verdict(), Verdict::Inconclusive, "{}", reason(&outcome));
    assert!(reason(&outcome).starts_with("settles higher in each of 3 steady stretches"), "{}", reason(&outcome));
    assert_eq!(outcome.judgement.rule.name, "settles_higher");
    let little = self::outcome(&phases, climbing(2e6));
    assert!(little.verdict().is_clear(), "{}", reason(&little));
}
