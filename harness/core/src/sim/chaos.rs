//! Random faults over hours: whatever goes wrong, the accounts balance, the soak ends, and its trace can be read.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::outcome::Outcome;
use crate::scenario::decode::decode;
use crate::trace::{Counts, EndReason};
use steep_judge::units::{Bytes, SinceStart};

/// How requests are made: an open load, users who wait, or flows of two steps.
#[derive(Debug, Clone, Copy)]
enum Made {
    Open,
    Closed,
    Flows,
}

/// A soak of `minutes` with a request each second or two, sampled every 20 s, with a pause in it and one after it.
fn scenario(made: Made, minutes: u64) -> Scenario {
    let (load, busy) = match made {
        Made::Open | Made::Flows => ("max_in_flight = 4", "shape = \"constant\"\nrate = 1"),
        Made::Closed => (
            "model = \"closed\"\nvus = 3\nthink_time = { dist = \"exponential\", mean = \"4s\" }\nmax_in_flight = 4",
            "shape = \"users\"",
        ),
    };
    let flows = match made {
        Made::Open | Made::Closed => "",
        Made::Flows => {
            "[[requests]]\nname = \"buy\"\npath = \"/buy?{{token}}\"\nweight = 0\n[[flows]]\nname = \"shopping\"\n\
             steps = [\"get\", \"buy\"]\nthink_time = { dist = \"exponential\", mean = \"5s\" }\n"
        }
    };
    let capture = if flows.is_empty() { "" } else { "capture = { token = { json = \"token\" } }\n" };
    let phase = |name: &str, role: &str, shape: &str, minutes: u64| {
        format!("[[phases]]\nname = \"{name}\"\nrole = \"{role}\"\n{shape}\nduration = \"{minutes}m\"\n")
    };
    let text = format!(
        "name = \"chaos\"\nsampling = {{ every = \"20s\" }}\n[service]\ncommand = [\"shop\"]\n\
         url = \"http://127.0.0.1:{{{{port}}}}\"\n[load]\n{load}\n[http]\nconnections = 4\nrequest_timeout = \"5s\"\n{}{}{}{}\
         [[requests]]\nname = \"get\"\npath = \"/\"\n{capture}{flows}",
        phase("busy", "steady", busy, minutes),
        phase("rest", "idle", "shape = \"pause\"", 5),
        phase("again", "steady", busy, minutes),
        phase("after", "idle", "shape = \"pause\"", 5),
    );
    let decoded = decode(&text);
    decoded.scenario.unwrap_or_else(|| panic!("{:?}\n{text}", decoded.problems))
}

/// Moments of five hours, beyond the end of most soaks.
fn moment() -> impl Strategy<Value = SinceStart> {
    (0..18_000_000_u64).prop_map(|ms| SinceStart::new(Duration::from_millis(ms)))
}

fn spell() -> impl Strategy<Value = Spell> {
    // Most are short: a stall below 100 ms is none, and one of minutes is many sampling intervals.
    let lasted = prop_oneof![1..300_u64, 300..5_000_u64, 5_000..900_000_u64];
    (moment(), lasted).prop_map(|(from, ms)| (from, from + Duration::from_millis(ms)))
}

fn answers() -> impl Strategy<Value = Answers> {
    let late = (1..20_000_u64).prop_map(|ms| Answers::After(Duration::from_millis(ms)));
    prop_oneof![3 => late, 1 => Just(Answers::Failing), 1 => Just(Answers::Broken), 1 => Just(Answers::Unreachable)]
}

/// Whatever may go wrong; the disk has room for all in half of the worlds.
fn faults() -> impl Strategy<Value = Faults> {
    let sleep = (moment(), (0..36_000_u64).prop_map(Duration::from_secs));
    let disk = prop_oneof![Just(usize::MAX), 0..600_000_usize];
    (vec(spell(), 0..6), vec((spell(), answers()), 0..8), vec(moment(), 0..6), vec(sleep, 0..3), disk).prop_map(
        |(stalls, answers, closes, sleeps, disk)| Faults { stalls, answers, closes, sleeps, disk: Some(disk) },
    )
}

fn service() -> impl Strategy<Value = SimService> {
    let crash = prop_oneof![3 => Just(None), 1 => moment().prop_map(Some)];
    (any::<bool>(), 0..2_000_000_u32, crash).prop_map(|(probe, held, crashes_at)| SimService {
        probe,
        held_per_request: f64::from(held),
        crashes_at,
        ..SimService::default()
    })
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![Just(Made::Open), Just(Made::Closed), Just(Made::Flows)]
}

/// What ended of those that were sent.
fn ended(counts: &Counts) -> u64 {
    counts.ok + counts.failed() + counts.aborted
}

/// What of the accounts does not hold, first at which moment.
fn imbalance(trace: &Trace, max_in_flight: u64) -> Option<String> {
    let mut before = Counts::default();
    for traffic in &trace.traffic {
        let mut all = Counts::default();
        traffic.requests.values().for_each(|counts| all.add(counts));
        let is_balanced = traffic.requests.values().all(Counts::balance)
            && all.due == all.sent + all.missed + all.dropped
            && all.sent - ended(&all) <= max_in_flight
            && traffic.in_flight_peak <= max_in_flight
            && traffic.flows.values().all(|flow| flow.completed + flow.left <= flow.started);
        let only_grows = all.due >= before.due && all.sent >= before.sent && ended(&all) >= ended(&before);
        if !is_balanced || !only_grows {
            return Some(format!("at {}: {all:?} after {before:?}, {:?}", traffic.t_s, traffic.flows));
        }
        before = all;
    }
    None
}

/// Whether nothing is left in flight, of a soak that drained.
fn is_settled(trace: &Trace) -> bool {
    trace.traffic.last().is_none_or(|last| last.requests.values().all(|counts| counts.sent == ended(counts)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_goes_wrong_the_accounts_balance_the_soak_ends_and_its_trace_can_be_read(
        made in made(),
        minutes in 1..120_u64,
        service in service(),
        faults in faults(),
    ) {
        let scenario = scenario(made, minutes);
        let soaked = soak_through(&scenario, &service, &faults).expect("a schedule");
        let trace = &soaked.trace;
        prop_assert_eq!(imbalance(trace, scenario.load.max_in_flight as u64), None);

        // It ends: a due request has an event when it is sent and one when it ends, and each sample has one of its own.
        let due: u64 = trace.traffic.last().iter().flat_map(|last| last.requests.values()).map(|counts| counts.due).sum();
        let planned = scenario.soak_duration().as_secs() * 4 + 4 * due + 1000;
        prop_assert!(soaked.steps <= planned, "{} steps, {due} requests", soaked.steps);
        let reason = trace.end.as_ref().map(|end| end.reason);
        match reason {
            None => prop_assert!(soaked.is_disk_full),
            Some(EndReason::Completed) => prop_assert!(is_settled(trace)),
            Some(reason) => prop_assert_eq!(reason, EndReason::Crashed),
        }

        // What was missed shows: samples are in order, none is of a moment at which steep had no CPU.
        prop_assert!(trace.samples.windows(2).all(|pair| pair[0].t_s < pair[1].t_s));
        let in_stall = |at: SinceStart| faults.stalls.iter().any(|(from, to)| (*from..*to).contains(&at));
        prop_assert!(trace.samples.iter().all(|sample| !in_stall(sample.t_s)));

        // What is on the disk is what was recorded, but for the line that did not find room.
        match Trace::read(&soaked.text) {
            Ok(read) => {
                prop_assert_eq!(&Trace { broken_lines: 0, ..read.clone() }, trace);
                prop_assert!(read.broken_lines <= usize::from(soaked.is_disk_full));
            }
            Err(error) => prop_assert!(soaked.is_disk_full && trace.samples.is_empty(), "{}", error),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn faults_alone_are_no_growth(made in made(), minutes in 20..90_u64, faults in faults()) {
        let soaked = soak_through(&scenario(made, minutes), &SimService::default(), &faults).expect("a schedule");
        let outcome = Outcome::of(&soaked.trace);
        prop_assert!(!outcome.verdict().grows(), "{}: {}", outcome.verdict(), outcome.judgement.reason);
        prop_assert!(outcome.peak_bytes.is_none_or(|peak| peak == Bytes::mib(20)));
    }
}
