use std::time::Duration;

use super::*;
use crate::outcome::Outcome;
use crate::scenario::Scenario;
use crate::scenario::decode::decode;
use crate::sim::{SimService, soak};
use crate::trace::{CpuTime, Disturbance, EndReason, LoadStart, Pressure, ThreadTime};
use steep_judge::units::{Bytes, SinceStart};
use steep_judge::verdict::Verdict;

const SCENARIO: &str = r#"
    name = "shop"
    service = { command = ["shop"], url = "http://127.0.0.1:{{port}}" }
    http = { connections = 32 }
    phases = [{ name = "steady", role = "steady", shape = "constant", rate = 100, duration = "20m" }]
    requests = [{ name = "get", path = "/" }]
"#;

fn scenario() -> Scenario {
    decode(SCENARIO).scenario.expect("a scenario")
}

/// What a host did in each second of the shortage, and 0.3 of its CPUs before and after.
#[derive(Clone, Copy)]
struct Host {
    cpus: u32,
    busy: f64,
    stolen: f64,
    service: f64,
    steep: f64,
    driver: ThreadTime,
    pressure: Pressure,
    throttled: Option<f64>,
    /// The driver's CPU is another than those of the service: so busy.
    apart: Option<f64>,
    missed: u64,
    dropped: u64,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            cpus: 2,
            busy: 0.3,
            stolen: 0.0,
            service: 0.1,
            steep: 0.1,
            driver: ThreadTime { ran_s: 0.05, waited_s: 0.01 },
            pressure: Pressure::default(),
            throttled: None,
            apart: None,
            missed: 0,
            dropped: 0,
        }
    }
}

/// Twenty minutes of calm, of which the tenth was as `host` says.
fn trace(host: Host) -> Trace {
    let mut trace = soak(&scenario(), &SimService::default(), &[]).expect("a trace");
    let quota = host.throttled.map(|_| 1.5);
    let driver = if host.apart.is_some() { 1 } else { host.cpus };
    let cpus = Some(Cpus { service: host.cpus, driver, quota });
    trace.start = Some(LoadStart { cpus, ..LoadStart::default() });
    let is_short = |at: SinceStart| (600.0..=660.0).contains(&at.as_secs_f64());
    let calm = Host {
        cpus: host.cpus,
        throttled: host.throttled.map(|_| 0.0),
        apart: host.apart.map(|_| 0.1),
        ..Host::default()
    };
    let mut sum = HostCpu::default();
    let (mut service, mut steep) = (0.0, 0.0);
    for sample in &mut trace.samples {
        let now = if is_short(sample.t_s) { host } else { calm };
        (service, steep) = (service + now.service, steep + now.steep);
        let waited = sum.pressure.unwrap_or_default();
        sum = HostCpu {
            service: CpuTime { busy_s: sum.service.busy_s + now.busy, steal_s: sum.service.steal_s + now.stolen },
            driver: now
                .apart
                .map(|busy| CpuTime { busy_s: sum.driver.map_or(0.0, |driver| driver.busy_s) + busy, steal_s: 0.0 }),
            pressure: Some(Pressure {
                cpu_s: waited.cpu_s + now.pressure.cpu_s,
                memory_s: waited.memory_s + now.pressure.memory_s,
                io_s: waited.io_s + now.pressure.io_s,
            }),
            throttled_s: now.throttled.map(|more| sum.throttled_s.unwrap_or_default() + more),
        };
        sample.host = Some(sum);
        sample.activity.cpu_s = service;
        sample.steep.cpu_s = steep;
    }
    let (mut thread, mut missed, mut dropped) = (ThreadTime::default(), 0, 0);
    for traffic in &mut trace.traffic {
        let now = if is_short(traffic.t_s) { host } else { calm };
        thread.ran_s += now.driver.ran_s;
        thread.waited_s += now.driver.waited_s;
        traffic.driver = Some(thread);
        (missed, dropped) = (missed + now.missed, dropped + now.dropped);
        let counts = traffic.requests.get_mut("get").expect("its counts");
        (counts.missed, counts.dropped, counts.due) = (missed, dropped, counts.due + missed + dropped);
    }
    trace
}

fn said(host: Host) -> (Vec<Short>, String) {
    let outcome = Outcome::of(&trace(host));
    assert_eq!(outcome.verdict(), Verdict::Invalid, "{}", outcome.judgement.reason);
    assert!(outcome.worth_repeating);
    (outcome.shortage.expect("a shortage").who, outcome.judgement.reason)
}

#[test]
fn a_host_that_others_use_was_short_whatever_the_rest_of_the_night_was_like() {
    let pressure = Pressure { cpu_s: 0.92, ..Pressure::default() };
    let (who, reason) = said(Host { busy: 2.0, service: 0.4, pressure, dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Host]);
    insta::assert_snapshot!(reason, @"the load was not delivered: of 122958 due requests 0 were missed (steep had no CPU) and 3050 dropped (too many in flight). Who was short while load was missing: the host: other programs used 1.4 of 2 CPUs, the service 0.4, steep 0.1; tasks waited for a CPU 85 % of the time (PSI). What to change: run less beside it, or on another machine; or lower the rates in [[phases]]");
}

#[test]
fn a_service_that_asked_for_little_beside_busy_others_may_have_waited_for_something_else() {
    let (who, reason) = said(Host { busy: 2.0, dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Host, Short::Answers]);
    assert!(reason.contains("on the same CPUs steep was on time, and the service used 0.1"), "{reason}");
}

#[test]
fn a_driver_that_waited_for_a_cpu_is_reported_beside_the_host_that_kept_it_from_it() {
    let driver = ThreadTime { ran_s: 0.05, waited_s: 0.37 };
    let (who, reason) = said(Host { busy: 2.0, driver, missed: 50, ..Host::default() });
    assert_eq!(who, [Short::Host, Short::Driver]);
    assert!(reason.contains("waited for a CPU 34 % of the time"), "{reason}");
    assert!(reason.contains("load.cpus") && reason.contains("service.cpus"), "{reason}");
}

#[test]
fn cpus_that_another_machine_gets_are_the_hosts() {
    let (who, reason) = said(Host { busy: 1.0, stolen: 0.8, dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Host]);
    assert!(reason.contains("to other machines (steal)"), "{reason}");
}

#[test]
fn a_host_that_swaps_is_short_without_a_busy_cpu() {
    let pressure = Pressure { memory_s: 0.5, io_s: 0.4, cpu_s: 0.0 };
    let (who, reason) = said(Host { pressure, dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Host]);
    assert!(reason.contains("for memory 46 % of the time, for a disk 37 %"), "{reason}");
}

#[test]
fn a_service_that_uses_all_cpus_or_the_one_that_its_thread_can_use_is_short_itself() {
    let (who, reason) = said(Host { busy: 2.0, service: 1.8, dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Service]);
    assert!(reason.contains("the service, of CPU: it used 1.7 of 2"), "{reason}");
    let (who, reason) = said(Host { cpus: 8, busy: 1.3, service: 1.02, dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Service]);
    assert!(reason.contains("of 8 CPUs, as much as one busy thread can use"), "{reason}");
}

#[test]
fn a_driver_that_never_rests_is_short_itself() {
    let driver = ThreadTime { ran_s: 0.99, waited_s: 0.0 };
    let (who, reason) = said(Host { cpus: 8, busy: 1.5, steep: 1.0, driver, missed: 50, ..Host::default() });
    assert_eq!(who, [Short::Driver]);
    assert!(reason.contains("and ran 92 %"), "{reason}");
}

#[test]
fn a_driver_whose_own_cpu_others_use_makes_the_host_short() {
    let driver = ThreadTime { ran_s: 0.1, waited_s: 0.5 };
    let (who, reason) = said(Host { apart: Some(1.0), driver, missed: 50, ..Host::default() });
    assert_eq!(who, [Short::Host, Short::Driver]);
    assert!(reason.contains("used 0.8 of 1 CPU,"), "{reason}");
    assert!(!reason.contains("load.cpus"), "it is pinned already: {reason}");
}

#[test]
fn a_quota_that_holds_up_is_reported_with_its_size() {
    let (who, reason) = said(Host { throttled: Some(0.6), dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Quota]);
    assert!(reason.contains("which is 1.5 CPUs") && reason.contains("raise the quota"), "{reason}");
}

#[test]
fn a_service_that_answers_slowly_with_cpus_to_spare_waits_for_something_else() {
    let (who, reason) = said(Host { dropped: 50, ..Host::default() });
    assert_eq!(who, [Short::Answers]);
    insta::assert_snapshot!(reason, @"the load was not delivered: of 122958 due requests 0 were missed (steep had no CPU) and 3050 dropped (too many in flight). Who was short while load was missing: nobody of CPU (the service used 0.1 of 2 CPUs, steep 0.1): the service waits for something else, such as a lock, a disk, another service or a limit of its own, or the 32 connections are too few. What to change: look what the service waits for; or raise http.connections and load.max_in_flight, where production has as many; or lower the rates in [[phases]]");
}

#[test]
fn what_nothing_shows_is_said_not_to_be_known() {
    let (who, reason) = said(Host { missed: 50, ..Host::default() });
    assert_eq!(who, [Short::Unknown]);
    assert!(reason.contains("it cannot be known: 0.3 of 2 CPUs were busy"), "{reason}");
    // The CPU of processes that are gone is in no sample.
    let mut replaced = trace(Host { busy: 2.0, dropped: 50, ..Host::default() });
    for (number, sample) in (0..).zip(&mut replaced.samples) {
        sample.processes[0].pid = 2 + number;
    }
    let outcome = Outcome::of(&replaced);
    assert_eq!(outcome.shortage.expect("a shortage").who, [Short::Unknown]);
    assert!(outcome.judgement.reason.contains("lost with the processes"), "{}", outcome.judgement.reason);
}

#[test]
fn a_trace_of_an_older_steep_is_read_and_says_that_it_has_no_figures() {
    let mut old = trace(Host { busy: 2.0, dropped: 50, ..Host::default() });
    old.start = Some(LoadStart::default());
    old.samples.iter_mut().for_each(|sample| sample.host = None);
    old.traffic.iter_mut().for_each(|traffic| traffic.driver = None);
    let sample = serde_json::to_string(&old.samples[0]).expect("a line");
    assert!(!sample.contains("host") && serde_json::from_str::<Sample>(&sample).is_ok(), "{sample}");
    let outcome = Outcome::of(&old);
    assert_eq!(outcome.shortage.map(|shortage| (shortage.who, shortage.evidence)), Some((vec![Short::Unknown], None)));
    assert!(
        outcome.judgement.reason.contains("cannot be known: the trace has no figures"),
        "{}",
        outcome.judgement.reason
    );
}

#[test]
fn a_host_that_slept_was_asleep() {
    let mut slept = trace(Host { missed: 50, ..Host::default() });
    let t_s = SinceStart::new(Duration::from_secs(630));
    slept.disturbances.push(Disturbance { t_s, kind: DisturbanceKind::HostSlept, seconds: 60.0 });
    assert_eq!(Outcome::of(&slept).shortage.expect("a shortage").who, [Short::Asleep]);
}

/// Whether the trace that `change` makes of one that is short is soaked once more.
fn is_repeated(change: impl FnOnce(&mut Trace)) -> bool {
    let mut trace = trace(Host { busy: 2.0, dropped: 50, ..Host::default() });
    change(&mut trace);
    Outcome::of(&trace).worth_repeating
}

fn fail(trace: &mut Trace, class: fn(&mut crate::trace::Counts) -> &mut u64) {
    let counts = trace.traffic.last_mut().and_then(|last| last.requests.get_mut("get")).expect("its counts");
    counts.ok -= 20_000;
    *class(counts) += 20_000;
}

#[test]
fn only_want_of_load_is_worth_a_second_soak() {
    let end = |reason| move |trace: &mut Trace| trace.end.as_mut().expect("an end").reason = reason;
    assert!(is_repeated(|_| ()) && is_repeated(end(EndReason::StoppedEarly)));
    assert!(
        is_repeated(|trace| fail(trace, |counts| &mut counts.failed_timeout)),
        "slow answers are what it looks like"
    );
    assert!(!is_repeated(|trace| fail(trace, |counts| &mut counts.failed_status)), "wrong answers are the service's");
    for reason in [EndReason::Crashed, EndReason::BuildFailed, EndReason::Interrupted, EndReason::ThresholdBroken] {
        assert!(!is_repeated(end(reason)), "{reason:?}");
    }
    assert!(!is_repeated(|trace| trace.end = None), "a run that was killed is resumed");
    assert!(!is_repeated(|trace| trace.header.tolerate.undelivered = 0.5), "it had load enough");
    let broken = "[[thresholds]]\nmetric = \"undelivered\"\nmax = 0.01\n";
    let thresholds = decode(&format!("{SCENARIO}{broken}")).scenario.expect("a scenario").thresholds;
    assert!(!is_repeated(|trace| trace.header.thresholds = thresholds), "a finding stays one");
    assert!(!is_repeated(|trace| trace.header.memory_limit_bytes = Some(Bytes::mib(21))), "nor does a peak vanish");
    let dry = |trace: &mut Trace| {
        for traffic in &mut trace.traffic {
            let counts = traffic.requests.get_mut("get").expect("its counts");
            counts.dry = counts.dropped;
        }
    };
    assert!(!is_repeated(dry), "rows that are used up are not there the second time");
}
