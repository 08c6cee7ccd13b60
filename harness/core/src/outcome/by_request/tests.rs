use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, Normal};

use super::*;
use crate::sim::{SimService, soak};
use crate::testing::{decoded, sound};
use crate::trace::LiveCount;
use steep_judge::units::Bytes;

/// A soak of four minutes with two names, of which the second keeps `leak` bytes, and `per_second` by itself.
fn trace(leak: f64, per_second: f64) -> Trace {
    let more = "\n[[requests]]\nname = \"login\"\npath = \"/login\"\n";
    let scenario = decoded(&sound("4m", more));
    let service = SimService { probe: true, ..SimService::default() };
    let mut trace = soak(&scenario, &service, &[]).expect("a trace");
    for (index, sample) in trace.samples.iter_mut().enumerate() {
        let logins = sample.requests.get("login").copied().unwrap_or(0) as f64;
        // What is in flight, as if by chance.
        let in_flight = f64::from(u32::try_from(index * 7_919 % 101).expect("a number")) * 200.0;
        let bytes = 8e6 + leak * logins + per_second * sample.t_s.as_secs_f64() + in_flight;
        if let Some(live) = &mut sample.live {
            live.live_bytes = Bytes::new(bytes as u64);
        }
    }
    trace
}

#[test]
fn the_request_that_keeps_is_named_and_the_other_is_not() {
    let found = by_request(&trace(1_024.0, 0.0)).expect("two names");
    assert_eq!((found.requests[0].name.as_str(), found.requests[0].is_sure), ("login", true));
    let part = found.requests[0].bytes_per_request;
    assert!(part.low.get() < 1_024.0 && part.high.get() > 1_024.0 && part.low.get() > 512.0, "{part:?}");
    assert!(!found.requests[1].is_sure && !found.time_is_sure, "{found:?}");
    let mut of_flow = trace(1_024.0, 0.0);
    of_flow.header.flow_of_steps.insert("login".to_owned(), "buy".to_owned());
    let found_of_flow = by_request(&of_flow).and_then(|found| found.note()).expect("it is sure");
    assert!(found_of_flow.contains("for each `login`, a step of `buy`; no other"), "{found_of_flow}");
    let flows = BTreeMap::from(["login", "pay"].map(|step| (step.to_owned(), "buy".to_owned())));
    let of = |name: &str| flow_of(&flows, name).map(|flow| named(name, Some(&flow)));
    assert_eq!(of("login + pay").as_deref(), Some("`login + pay`, steps of `buy`"));
    assert_eq!((of("login + get"), of("get")), (None, None));
    let note = found.note().expect("it is sure");
    assert!(note.contains("KiB for each `login`; no other request keeps anything for sure"), "{note}");
}

#[test]
fn what_grows_with_time_is_not_laid_on_a_request() {
    let found = by_request(&trace(0.0, 200_000.0)).expect("two names");
    assert!(found.time_is_sure && found.requests.iter().all(|part| !part.is_sure), "{found:?}");
    let note = found.note().expect("it is sure");
    assert!(note.starts_with("by request it keeps ") && note.contains("per hour whatever is asked"), "{note}");
    let calm = by_request(&trace(0.0, 0.0)).expect("two names");
    assert_eq!(calm.note(), None);
}

#[test]
fn without_live_bytes_or_with_one_name_nothing_is_said() {
    let mut blind = trace(1_024.0, 0.0);
    blind.samples[100].live = None;
    assert_eq!(by_request(&blind), None);
    // The soak ended before its steady phase.
    blind.samples.clear();
    assert_eq!(by_request(&blind), None);
    let mut uneven = trace(1_024.0, 0.0);
    uneven.samples.drain(100..110);
    assert_eq!(by_request(&uneven), None);
    let mut single = trace(1_024.0, 0.0);
    for sample in &mut single.samples {
        sample.requests.remove("get");
    }
    assert_eq!(by_request(&single).map(|found| found.requests.len()), None);
}

/// What wanders in the live bytes of a service that keeps nothing.
#[derive(Clone, Copy, Debug)]
struct Wander {
    /// Deviation of what is in flight by chance, all in bytes.
    white: f64,
    /// Deviation of the steps of what wanders.
    walk: f64,
    /// What each request holds while it is under way.
    held: f64,
    /// A batch, every 20 seconds.
    batch: f64,
}

const QUIET: Wander = Wander { white: 20_000.0, walk: 500.0, held: 200.0, batch: 0.0 };
const BUSY: Wander = Wander { white: 30_000.0, walk: 3_000.0, held: 1_000.0, batch: 300_000.0 };

/// A soak of this length at 200 requests/s with as many names, of equal weights.
fn traffic(lasts: &str, names: usize, coded: bool, seed: u64) -> Trace {
    read_every("1s", lasts, names, coded, seed)
}

/// The same, read every so often.
fn read_every(every: &str, lasts: &str, names: usize, coded: bool, seed: u64) -> Trace {
    let name = |nth: usize| format!("\n[[requests]]\nname = \"r{nth}\"\npath = \"/{nth}\"\n");
    let more: String = (1..names).map(name).collect();
    let more = format!("{more}\n[load]\ncoded = {coded}\n[sampling]\nevery = \"{every}\"\n");
    let text = sound(lasts, &more).replace("rate = 100", "rate = 200");
    let scenario = decoded(&text.replace("name = \"shop\"", &format!("name = \"shop\"\nseed = {seed}")));
    soak(&scenario, &SimService { probe: true, ..SimService::default() }, &[]).expect("a trace")
}

/// Gives `trace` live bytes: `wander`, and what `leaks` keeps for the requests of each name.
fn fill(trace: &mut Trace, wander: Wander, seed: u64, leaks: impl Fn(&str) -> f64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let normal = Normal::new(0.0, 1.0).expect("a deviation");
    let (mut walk, mut before) = (0.0, 0);
    let step_s = trace.header.sampling_every_s;
    for sample in &mut trace.samples {
        walk += wander.walk * step_s.sqrt() * normal.sample(&mut random);
        let kept: f64 = sample.requests.iter().map(|(name, count)| leaks(name) * *count as f64).sum();
        let under_way = (sample.completed() - before) as f64 / step_s * wander.held;
        before = sample.completed();
        let batch = if sample.t_s.as_secs_f64() % 20.0 < 3.0 { wander.batch } else { 0.0 };
        let chance = wander.white * normal.sample(&mut random);
        if let Some(live) = &mut sample.live {
            live.live_bytes = Bytes::new((2e7 + kept + under_way + batch + chance + walk) as u64);
        }
    }
}

/// `trace`, of which samples are those of each second only, and the others counts of live bytes.
fn with_counts_between(trace: &Trace) -> Trace {
    let mut trace = trace.clone();
    let nth = (1.0 / trace.header.sampling_every_s).round() as usize;
    let samples = std::mem::take(&mut trace.samples);
    for (at, sample) in samples.into_iter().enumerate() {
        match sample.live {
            Some(live) if at % nth > 0 => {
                trace.live_counts.push(LiveCount { t_s: sample.t_s, live, requests: sample.requests });
            }
            _ => trace.samples.push(sample),
        }
    }
    trace
}

/// How often of `runs` exactly `r1` is sure, and how often anything else is.
fn right_and_wrong(traces: &mut [Trace], runs: u64, wander: Wander, leak: f64) -> (u64, u64) {
    let (mut right, mut wrong) = (0, 0);
    for run in 0..runs {
        let trace = &mut traces[run as usize % traces.len()];
        fill(trace, wander, run, |name| if name == "r1" { leak } else { 0.0 });
        let found = by_request(&with_counts_between(trace)).expect("several names");
        let sure: Vec<&str> =
            found.requests.iter().filter(|part| part.is_sure).map(|part| part.name.as_str()).collect();
        right += u64::from(sure == ["r1"]);
        wrong += u64::from(sure.iter().any(|name| *name != "r1") || (leak == 0.0 && !sure.is_empty()));
    }
    (right, wrong)
}

/// Two soaks of two minutes, of different seeds.
fn two_minutes(coded: bool) -> Vec<Trace> {
    (1..=2).map(|seed| traffic("2m", 4, coded, seed)).collect()
}

#[test]
fn under_coded_traffic_two_minutes_name_a_leak_of_256_bytes_and_nobody_else() {
    // Of 200 each: 200 right and none wrong; 157 and none beside a batch of 300 KB and much in flight.
    let (right, wrong) = right_and_wrong(&mut two_minutes(true), 40, QUIET, 256.0);
    assert!(right >= 38 && wrong == 0, "{right} right, {wrong} wrong");
    let (right, wrong) = right_and_wrong(&mut two_minutes(true), 40, BUSY, 256.0);
    assert!(right >= 30 && wrong == 0, "{right} right, {wrong} wrong");
}

#[test]
fn counted_ten_times_a_second_sixteen_bytes_are_named_among_eight_in_ten_minutes() {
    // Of 60 each: 60 right and none wrong, where 34 are right at one a second.
    let mut traces = [read_every("100ms", "10m", 8, true, 1)];
    let (right, wrong) = right_and_wrong(&mut traces, 10, QUIET, 16.0);
    assert!(right >= 9 && wrong == 0, "{right} right, {wrong} wrong");
    let (_, wrong) = right_and_wrong(&mut traces, 5, QUIET, 0.0);
    assert_eq!(wrong, 0);
}

#[test]
fn counted_ten_times_a_second_a_batch_hides_nothing() {
    // Of 200 each: 200 right and none wrong, where 157 are right at one a second.
    let mut traces = [read_every("100ms", "2m", 4, true, 1)];
    let (right, wrong) = right_and_wrong(&mut traces, 20, BUSY, 256.0);
    assert!(right >= 19 && wrong == 0, "{right} right, {wrong} wrong");
    let (_, wrong) = right_and_wrong(&mut traces, 20, BUSY, 0.0);
    assert_eq!(wrong, 0);
}

#[test]
fn without_a_leak_nobody_is_named() {
    for (coded, wander) in [(true, QUIET), (true, BUSY), (false, QUIET), (false, BUSY)] {
        let (_, wrong) = right_and_wrong(&mut two_minutes(coded), 40, wander, 0.0);
        assert_eq!(wrong, 0, "coded: {coded}, {wander:?}");
    }
}

#[test]
fn what_every_request_keeps_is_not_laid_on_time() {
    let mut trace = traffic("3m", 4, true, 1);
    fill(&mut trace, QUIET, 1, |_| 120.0);
    let found = by_request(&trace).expect("several names");
    let sure = found.requests.iter().filter(|part| part.is_sure).count();
    assert!(sure == 4 || found.every_request.is_some(), "{found:?}");
    assert!(!found.time_is_sure, "{found:?}");
}

#[test]
fn a_cache_that_fills_fades() {
    let mut trace = traffic("10m", 4, true, 1);
    fill(&mut trace, QUIET, 1, |_| 0.0);
    for sample in &mut trace.samples {
        // Fills to 20 MB, each request less than the one before.
        let asked = sample.requests.get("r1").copied().unwrap_or(0) as f64;
        if let Some(live) = &mut sample.live {
            live.live_bytes = live.live_bytes + Bytes::new((2e7 * (1.0 - (-asked / 8_000.0).exp())) as u64);
        }
    }
    let found = by_request(&trace).expect("several names");
    assert!(found.requests[0].name == "r1" && found.requests[0].fades, "{:?}", found.requests);
    let note = found.note().expect("it is sure");
    assert!(note.contains("less and less, as a cache does that still fills"), "{note}");
}

#[test]
fn connections_are_counted_by_those_that_were_opened() {
    let mut trace = traffic("3m", 2, false, 1);
    fill(&mut trace, QUIET, 1, |_| 0.0);
    let opened = |at: f64| (at * 2.0 + 40.0 * (at / 9.0).sin()) as u64;
    for traffic in &mut trace.traffic {
        traffic.connections.opened = opened(traffic.t_s.as_secs_f64());
    }
    for sample in &mut trace.samples {
        let opened = opened(sample.t_s.as_secs_f64());
        if let Some(live) = &mut sample.live {
            live.live_bytes = live.live_bytes + Bytes::new(20_000 * opened);
        }
    }
    let found = by_request(&trace).expect("several names");
    let connections = found.connections.as_ref().expect("many were opened");
    assert!(connections.is_sure && (connections.bytes_per_request.value.get() - 20_000.0).abs() < 2_000.0, "{found:?}");
    let note = found.note().expect("it is sure");
    assert!(note.contains("for each new connection"), "{note}");
}
