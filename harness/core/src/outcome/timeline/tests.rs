use std::collections::BTreeMap;

use super::events::Effect;
use super::*;
use crate::outcome::Outcome;
use crate::scenario::Metrics;
use crate::sim::{SimService, soak};
use crate::testing::{decoded, sound};
use crate::trace::{LogFlood, LogLine, Scrape};
use steep_judge::units::{Bytes, SinceStart};

const EVENTS: &str = r#"
[[service.log_events]]
name = "batch"
pattern = 'batch job (?<what>started|finished)'
[[service.log_events]]
name = "reload"
pattern = "reloaded"
"#;

fn at(seconds: f64) -> SinceStart {
    SinceStart::from_secs_f64(seconds)
}

/// Ten minutes with a batch each half minute that takes 38 MiB for 8 s, and then all but `kept` back.
fn soaked(kept: Bytes) -> Trace {
    let service = SimService { probe: true, leak_per_request: 40.0, ..SimService::default() };
    let mut trace = soak(&decoded(&sound("10m", EVENTS)), &service, &[]).expect("a trace");
    for nth in 1..19_u32 {
        let starts = 30.0 * f64::from(nth) + 0.37;
        for (what, t_s) in [("started", starts), ("finished", starts + 8.0)] {
            let values = BTreeMap::from([("what".to_owned(), what.to_owned())]);
            trace.log_events.push(LogLine { t_s: at(t_s), event: "batch".to_owned(), values });
        }
        for sample in &mut trace.samples {
            let Some(live) = &mut sample.live else { continue };
            let t_s = sample.t_s.as_secs_f64();
            let held = if (starts..starts + 8.0).contains(&t_s) { Bytes::mib(38) } else { Bytes::ZERO };
            live.live_bytes = live.live_bytes + held + if t_s >= starts { kept } else { Bytes::ZERO };
        }
    }
    trace
}

fn effects(trace: &Trace) -> Vec<(String, Effect)> {
    let timeline = timeline(trace).expect("events were asked for");
    timeline.events.iter().map(|event| (event.to_string(), event.effect)).collect()
}

#[test]
fn a_batch_comes_back_and_what_it_frees_at_its_end_is_told_apart() {
    let trace = soaked(Bytes::ZERO);
    let timeline = timeline(&trace).expect("events were asked for");
    insta::assert_snapshot!(timeline.notes().join("\n"));
    assert_eq!(
        effects(&trace),
        [
            ("batch what=finished".to_owned(), Effect::Frees),
            ("batch what=started".to_owned(), Effect::ComesBack),
            ("reload".to_owned(), Effect::TooFew)
        ]
    );
    let outcome = Outcome::of(&trace);
    assert_eq!(outcome.timeline.as_deref(), Some(&timeline));
}

#[test]
fn a_batch_that_keeps_some_of_it_is_said_to() {
    let trace = soaked(Bytes::kib(512));
    assert!(effects(&trace).contains(&("batch what=started".to_owned(), Effect::Keeps)), "{:?}", effects(&trace));
    let started = timeline(&trace).expect("events").events.swap_remove(1);
    let kept = started.kept_bytes.expect("there is time between them");
    assert!(kept.low < 524_288.0 && 524_288.0 < kept.high + 30_000.0, "{kept:?}");
    assert!(started.note(MemorySource::Live).contains("it keeps memory"), "{}", started.note(MemorySource::Live));
}

#[test]
fn the_trace_of_a_soak_that_was_killed_tells_as_much_as_there_is() {
    let mut trace = soaked(Bytes::ZERO);
    trace.end = None;
    trace.samples.truncate(200);
    trace.log_events.retain(|line| line.t_s < at(200.0));
    assert!(effects(&trace).contains(&("batch what=started".to_owned(), Effect::ComesBack)), "{:?}", effects(&trace));
}

#[test]
fn values_that_are_always_others_tell_nothing_apart_and_floods_are_said() {
    let mut trace = soaked(Bytes::ZERO);
    for (nth, line) in trace.log_events.iter_mut().enumerate() {
        line.values = BTreeMap::from([("ms".to_owned(), nth.to_string())]);
    }
    trace.log_floods = vec![LogFlood { t_s: at(9.0), event: "batch".to_owned(), lines: 700 }];
    let timeline = timeline(&trace).expect("events were asked for");
    assert_eq!(timeline.events.len(), 2);
    assert!(timeline.notes()[0].starts_with("event batch, 36 times and 700 lines more"), "{}", timeline.notes()[0]);
}

#[test]
fn without_events_there_is_no_timeline() {
    let trace = soak(&decoded(&sound("2m", "")), &SimService::default(), &[]).expect("a trace");
    assert_eq!(timeline(&trace), None);
}

/// A cache whose entries the service counts, below batches that hide it.
#[test]
fn a_series_that_drives_memory_is_named_below_the_excursions_of_events() {
    let mut trace = soaked(Bytes::ZERO);
    let keep = vec!["cache_entries".to_owned()];
    let every = std::time::Duration::from_secs(1);
    trace.header.metrics = Some(Metrics { path: "/metrics".to_owned(), keep, every });
    let (mut entries, mut seed) = (0_u64, 7_u64);
    for sample in &mut trace.samples {
        // Steps of its own, as misses come: from 0 to 126 until it is full, in the first half.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = (seed >> 40) % 1_000;
        entries = (entries + (seed >> 57)).min(18_000);
        if let Some(live) = &mut sample.live {
            live.live_bytes = live.live_bytes + Bytes::kib(entries);
        }
        let t_s = at(sample.t_s.as_secs_f64() + 0.01);
        let values = [("cache_entries", entries), ("other", other), ("total", sample.completed())];
        let values = values.map(|(name, value)| (name.to_owned(), value as f64)).into();
        trace.scraped.push(Scrape { t_s, values, ..Scrape::default() });
    }
    let timeline = timeline(&trace).expect("events were asked for");
    let series = timeline.series.as_ref().expect("series were asked for");
    let named: Vec<&str> = series.series.iter().filter(|share| share.named).map(|share| share.name.as_str()).collect();
    assert_eq!(named, ["cache_entries"], "{series:?}");
    let cache = &series.series[0];
    assert!(cache.share.value > 0.9 && (cache.bytes_per_unit - 1024.0).abs() < 50.0, "{cache:?}");
    assert!(cache.stopped_s.is_some_and(|at| (200.0..400.0).contains(&at.as_secs_f64())), "{cache:?}");
    let note = timeline.notes().into_iter().find(|note| note.starts_with("cache_entries explains"));
    assert!(note.as_deref().is_some_and(|note| note.contains("it stopped after")), "{:?}", timeline.notes());
}
