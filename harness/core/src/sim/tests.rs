use std::time::Duration;

use super::*;
use crate::outcome;
use crate::scenario::decode::decode;
use crate::trace::{Counts, DisturbanceKind, EndReason};
use steep_judge::units::{Bytes, SinceStart};
use steep_judge::verdict::Verdict;

/// Two hours at 100 requests/s after a warm-up, then a pause.
const SCENARIO: &str = r#"
    name = "simulated"
    [service]
    command = ["shop"]
    url = "http://127.0.0.1:{{port}}"
    memory_limit = "512MiB"
    [[phases]]
    name = "warmup"
    role = "warmup"
    shape = "ramp"
    start_rate = 0
    target_rate = 100
    duration = "5m"
    [[phases]]
    name = "steady"
    role = "steady"
    shape = "constant"
    rate = 100
    duration = "1h 55m"
    [[phases]]
    name = "after"
    role = "idle"
    shape = "pause"
    duration = "5m"
    [[requests]]
    name = "get"
    path = "/"
"#;

fn scenario() -> Scenario {
    let decoded = decode(SCENARIO);
    decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems))
}

fn at(seconds: f64) -> SinceStart {
    SinceStart::from_secs_f64(seconds)
}

#[test]
fn two_hours_of_a_leak_are_named_with_their_rate() {
    let service = SimService { leak_per_request: 64.0, ..SimService::default() };
    let trace = soak(&scenario(), &service, &[]).expect("a trace");
    let outcome = outcome::Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", outcome.judgement.reason);
    let growth = outcome.growth().and_then(|growth| growth.per_request).expect("growth per request");
    assert!(growth.low.get() < 64.0 && 64.0 < growth.high.get(), "{growth}");
    assert!(outcome.seconds_to_limit.is_some());
}

#[test]
fn a_cache_that_fills_is_a_plateau_and_nothing_is_stable() {
    let cache = SimService { cache: Bytes::mib(64), cache_per_request: 700.0, ..SimService::default() };
    let trace = soak(&scenario(), &cache, &[]).expect("a trace");
    let outcome = outcome::Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Plateau, "{:#?}", outcome.judgement);
    let trace = soak(&scenario(), &SimService::default(), &[]).expect("a trace");
    assert_eq!(outcome::Outcome::of(&trace).verdict(), Verdict::Stable);
}

#[test]
fn a_pause_at_the_end_is_not_fitted_and_reported_apart() {
    let trace = soak(&scenario(), &SimService::default(), &[]).expect("a trace");
    let series = outcome::series(&trace);
    assert_eq!(series.t_s.last(), Some(&7200.0));
    assert_eq!(outcome::Outcome::of(&trace).idle.len(), 1);
}

/// Two hours in which nothing is asked, of a service without an address.
fn without_traffic(service: &SimService) -> outcome::Outcome {
    let text = r#"
        name = "quiet"
        service = { command = ["consumer"] }
        load = { model = "none" }
        phases = [{ name = "quiet", role = "steady", shape = "pause", duration = "2h" }]
    "#;
    let decoded = decode(text);
    assert!(decoded.problems.is_empty(), "{:?}", decoded.problems);
    let trace = soak(&decoded.scenario.expect("a scenario"), service, &[]).expect("a trace");
    outcome::Outcome::of(&trace)
}

#[test]
fn a_soak_without_traffic_is_judged_per_hour() {
    let calm = without_traffic(&SimService::default());
    assert_eq!(calm.verdict(), Verdict::Stable, "{}", calm.judgement.reason);
    assert!(calm.judgement.reason.contains("no leak of 1.00 MiB/h or more"), "{}", calm.judgement.reason);
    let timer = without_traffic(&SimService { leak_per_second: 2000.0, ..SimService::default() });
    assert_eq!(timer.verdict(), Verdict::Leak, "{}", timer.judgement.reason);
    let said = &timer.judgement.reason;
    assert!(said.contains("grows by 6.87") && said.contains("per hour") && !said.contains("request"), "{said}");
    assert_eq!((timer.requests.due, timer.growth().and_then(|growth| growth.per_request)), (0, None));
    assert!(timer.without_load && timer.figures.is_some_and(|figures| figures.cpu_us_per_request.is_none()));
}

#[test]
fn a_stall_is_missed_and_not_caught_up() {
    let trace = soak(&scenario(), &SimService::default(), &[(at(600.0), at(620.0))]).expect("a trace");
    let counts = trace.traffic.last().expect("traffic").requests["get"];
    assert_eq!(counts.due, counts.sent + counts.missed + counts.dropped);
    assert!((1900..=2100).contains(&counts.missed), "{counts:?}");
    let kinds: Vec<_> = trace.disturbances.iter().map(|disturbance| disturbance.kind).collect();
    assert_eq!(kinds, [DisturbanceKind::DriverStarved, DisturbanceKind::SamplingGap]);
}

#[test]
fn a_load_that_was_not_delivered_makes_the_cell_invalid() {
    let trace = soak(&scenario(), &SimService::default(), &[(at(600.0), at(900.0))]).expect("a trace");
    assert_eq!(outcome::Outcome::of(&trace).verdict(), Verdict::Invalid);
}

#[test]
fn a_crash_keeps_what_was_recorded_before() {
    let service = SimService { crashes_at: Some(at(4000.5)), leak_per_request: 64.0, ..SimService::default() };
    let trace = soak(&scenario(), &service, &[]).expect("a trace");
    assert_eq!(trace.end.as_ref().map(|end| end.reason), Some(EndReason::Crashed));
    let outcome = outcome::Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Crashed);
    assert!(outcome.growth().is_some_and(|growth| growth.samples > 3900));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let (first, second) =
        (soak(&scenario(), &SimService::default(), &[]), soak(&scenario(), &SimService::default(), &[]));
    assert_eq!(first.expect("a trace"), second.expect("a trace"));
}

#[test]
fn flows_are_followed_and_their_steps_are_work() {
    let flow = r#"
    [[requests]]
    name = "login"
    path = "/login"
    capture = { token = { json = "token" } }
    [[requests]]
    name = "buy"
    path = "/buy?{{token}}"
    [[flows]]
    name = "shopping"
    steps = ["login", "buy"]
    think_time = { dist = "exponential", mean = "10s" }
    "#;
    let decoded = decode(&format!("{SCENARIO}{flow}"));
    let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems));
    let leaky = SimService { leak_per_request: 64.0, ..SimService::default() };
    let trace = soak(&scenario, &leaky, &[]).expect("a trace");
    let outcome = outcome::Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", outcome.judgement.reason);
    let (flows, requests) = (outcome.flows["shopping"], &trace.traffic.last().expect("traffic").requests);
    assert_eq!(flows.started, flows.completed + flows.left);
    assert_eq!((requests["login"].ok, requests["buy"].ok), (flows.started, flows.completed));
    // Half of the 705,000 arrivals, and 500 users think as the pause begins.
    assert!((345_000..360_000).contains(&flows.started) && (300..700).contains(&flows.left), "{flows:?}");
}

#[test]
fn a_closed_load_leaks_by_the_request_as_an_open_one_does() {
    let closed = SCENARIO.replace(
        "[service]",
        "[load]\nmodel = \"closed\"\nvus = 4\nthink_time = { dist = \"exponential\", mean = \"40ms\" }\n[service]",
    );
    let phases = closed.find("[[phases]]").expect("phases");
    let requests = closed.find("[[requests]]").expect("requests");
    let text = format!(
        "{}[[phases]]\nname = \"users\"\nrole = \"steady\"\nshape = \"users\"\nduration = \"1h\"\n{}",
        &closed[..phases],
        &closed[requests..]
    );
    let decoded = decode(&text);
    let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems));
    let leaky = SimService { leak_per_request: 64.0, ..SimService::default() };
    let trace = soak(&scenario, &leaky, &[]).expect("a schedule");
    let outcome = outcome::Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", outcome.judgement.reason);
    // Four users, an answer each 41 ms: 98 a second.
    let due = outcome.requests.due;
    assert!((345_000..357_000).contains(&due), "{due}");
    assert_eq!((outcome.requests.ok, outcome.users), (due, Some(4)));
    let growth = outcome.growth().and_then(|growth| growth.per_request).expect("growth per request");
    assert!(growth.low.get() < 64.0 && growth.high.get() > 64.0, "{growth:?}");
}

/// Twenty minutes at 20 requests/s.
fn short() -> Scenario {
    let text = r#"
        name = "short"
        [service]
        command = ["shop"]
        url = "http://127.0.0.1:{{port}}"
        [load]
        max_in_flight = 100
        [[phases]]
        name = "steady"
        role = "steady"
        shape = "constant"
        rate = 20
        duration = "20m"
        [[requests]]
        name = "get"
        path = "/"
    "#;
    decode(text).scenario.expect("a scenario")
}

/// That, by a service in a world of `faults`.
fn short_soak(service: &SimService, faults: &Faults) -> Trace {
    soak_through(&short(), service, faults).expect("a trace").trace
}

/// That, where the requests that are sent in five minutes are answered so.
fn with_answers(answers: Answers) -> Trace {
    let faults = Faults { answers: vec![((at(300.0), at(600.0)), answers)], ..Faults::default() };
    short_soak(&SimService::default(), &faults)
}

fn last_counts(trace: &Trace) -> Counts {
    trace.traffic.last().expect("traffic").requests["get"]
}

#[test]
fn late_answers_are_in_flight_meanwhile_and_too_late_ones_fail() {
    let late = with_answers(Answers::After(Duration::from_secs(2)));
    let peak = late.traffic.iter().map(|traffic| traffic.in_flight_peak).max();
    // 40 on average.
    assert!(peak.is_some_and(|peak| (40..80).contains(&peak)), "{peak:?}");
    let counts = last_counts(&late);
    assert_eq!((counts.ok, counts.dropped), (counts.due, 0), "{counts:?}");

    // What comes in the ten seconds that are waited for is twice what may be in flight: half of it is dropped.
    let too_late = last_counts(&with_answers(Answers::After(Duration::from_mins(1))));
    assert!(too_late.failed_timeout > 2_800 && too_late.dropped > 2_500 && too_late.balance(), "{too_late:?}");
}

#[test]
fn failing_broken_and_missing_answers_are_counted_as_what_they_are() {
    let failing = last_counts(&with_answers(Answers::Failing));
    assert!((5_700..6_300).contains(&failing.failed_status), "{failing:?}");
    let broken = last_counts(&with_answers(Answers::Broken));
    assert_eq!((broken.failed_body, broken.completed()), (failing.failed_status, broken.due - broken.failed_body));
    let unreachable = with_answers(Answers::Unreachable);
    let counts = last_counts(&unreachable);
    assert_eq!((counts.failed_connect, counts.dropped), (failing.failed_status, 0), "{counts:?}");
    assert_eq!(unreachable.traffic.last().map(|last| last.connections.refused), Some(counts.failed_connect));
}

#[test]
fn closed_connections_cost_what_is_in_flight_and_are_opened_again() {
    let answers = vec![((at(0.0), at(1200.0)), Answers::After(Duration::from_secs(1)))];
    let faults = Faults { answers, closes: vec![at(300.0), at(900.0)], ..Faults::default() };
    let trace = short_soak(&SimService::default(), &faults);
    let counts = last_counts(&trace);
    assert!((20..80).contains(&counts.failed_body), "{counts:?}");
    let (connections, planned) = (trace.traffic.last().expect("traffic").connections, trace.header.connections);
    assert_eq!((Some(connections.closed / 2), Some(connections.opened / 3)), (planned, planned));
    assert!(outcome::Outcome::of(&trace).connections_note.is_some());
}

#[test]
fn memory_follows_the_requests_in_flight_and_comes_back() {
    let service = SimService { held_per_request: 65_536.0, ..SimService::default() };
    let answers = vec![((at(300.0), at(600.0)), Answers::After(Duration::from_secs(2)))];
    let trace = short_soak(&service, &Faults { answers, ..Faults::default() });
    let memory = |from: f64, to: f64| {
        let within = trace.samples.iter().filter(|sample| (at(from)..at(to)).contains(&sample.t_s));
        within.map(|sample| sample.memory.anon_bytes).max()
    };
    let calm = Some(service.base + Bytes::mib(1));
    assert!(memory(0.0, 299.0) < calm && memory(603.0, 1200.0) < calm);
    assert!(memory(303.0, 600.0) > Some(service.base + Bytes::mib(2)));
    assert_eq!(trace.samples.last().map(|sample| sample.memory.peak_bytes), memory(0.0, 1200.0));
}

#[test]
fn a_host_that_slept_is_recorded_and_the_clock_of_the_soak_stood_still() {
    let faults = Faults { sleeps: vec![(at(600.5), Duration::from_hours(8))], ..Faults::default() };
    let trace = short_soak(&SimService::default(), &faults);
    let slept: Vec<_> = trace.disturbances.iter().map(|d| (d.kind, d.t_s, d.seconds)).collect();
    assert_eq!(slept, [(DisturbanceKind::HostSlept, at(601.0), 28_800.0)]);
    assert_eq!(trace.samples.len(), 1201);
}

#[test]
fn a_full_disk_ends_the_soak_in_the_middle_of_a_line_and_the_rest_is_judged() {
    let faults = Faults { disk: Some(200_000), ..Faults::default() };
    let soaked = soak_through(&short(), &SimService::default(), &faults).expect("a trace");
    assert!(soaked.is_disk_full && soaked.text.len() == 200_000 && !soaked.text.ends_with('\n'));
    let read = Trace::read(&soaked.text).expect("a trace");
    assert_eq!((read.broken_lines, read.end.is_none()), (1, true));
    assert_eq!(Trace { broken_lines: 0, ..read }, soaked.trace);
    let cut_short = outcome::Outcome::of(&soaked.trace).cut_short;
    assert!(cut_short.as_ref().is_some_and(|why| why.starts_with("steep was stopped after ")), "{cut_short:?}");
}
