//! Every reason for which a cell is not judged says what to do about it.

use super::*;
use crate::outcome::Outcome;
use crate::scenario::decode::decode;
use crate::scenario::keys::find;
use crate::sim::{SimService, soak};
use crate::trace::{CountFell, End, ExternalLoad, Percentiles};
use std::time::Duration;
use steep_judge::growth::{AfterCap, Growth, Layer, Materiality, Series, Unjudgeable, fit};
use steep_judge::units::Bytes;
use steep_judge::verdict::advice::{of_open, of_unjudgeable};

fn trace() -> Trace {
    let text = r#"
name = "shop"
[service]
command = ["shop"]
url = "http://127.0.0.1:{{port}}"
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 20
duration = "10m"
[[requests]]
name = "get"
path = "/"
"#;
    let scenario = decode(text).scenario.expect("a scenario");
    soak(&scenario, &SimService::default(), &[]).expect("a trace")
}

/// What is said of a calm soak that `change` spoils.
fn changed(change: impl FnOnce(&mut Trace, &mut Counts)) -> Outcome {
    let mut trace = trace();
    let mut last = trace.traffic.pop().expect("traffic");
    let mut counts = last.requests["get"];
    change(&mut trace, &mut counts);
    last.requests.insert("get".to_owned(), counts);
    trace.traffic.push(last);
    Outcome::of(&trace)
}

fn assert_advice(outcome: &Outcome, verdict: Verdict) {
    let Judgement { reason, advice, .. } = &outcome.judgement;
    assert_eq!(outcome.verdict(), verdict, "{reason}");
    let advice = advice.as_deref().unwrap_or_default();
    assert!(is_to_be_done(advice), "{reason}: {advice:?}");
}

#[test]
fn an_end_without_a_soak_says_what_to_do() {
    for reason in [EndReason::BuildFailed, EndReason::NotReady, EndReason::NotVerified, EndReason::Failed] {
        let message = "it is broken".to_owned();
        let outcome = changed(|trace, _| trace.end = Some(End { reason, message, ..End::default() }));
        assert_advice(&outcome, Verdict::Invalid);
        assert_eq!(outcome.judgement.rule.name, "soak_failed");
    }
    let crashed = changed(|trace, _| trace.end.as_mut().expect("an end").reason = EndReason::Crashed);
    assert_eq!((crashed.verdict(), crashed.judgement.rule.name), (Verdict::Crashed, "crashed"));
}

#[test]
fn a_load_that_was_not_what_the_scenario_says_tells_what_to_change() {
    let spoilt: [fn(&mut Trace, &mut Counts); 9] = [
        |_, counts| *counts = Counts::default(),
        |_, counts| counts.due += 1,
        |_, counts| (counts.ok, counts.failed_status) = (0, counts.ok),
        |_, counts| {
            (counts.sent, counts.ok, counts.missed) = (counts.sent / 2, counts.ok / 2, counts.due - counts.sent / 2);
        },
        |_, counts| {
            (counts.sent, counts.ok, counts.dropped) = (counts.sent / 2, counts.ok / 2, counts.due - counts.sent / 2);
        },
        |_, counts| {
            let left = counts.due - counts.sent / 2;
            (counts.sent, counts.ok, counts.dropped, counts.dry) = (counts.sent / 2, counts.ok / 2, left, left);
        },
        |_, counts| {
            let left = counts.due - counts.sent / 2;
            (counts.sent, counts.ok, counts.dropped, counts.crowded) = (counts.sent / 2, counts.ok / 2, left, left);
        },
        |trace, _| {
            let end = trace.end.as_mut().expect("an end");
            end.lateness = Percentiles { count: 1, p99_us: 900_000, ..Percentiles::default() };
        },
        |_, counts| counts.ok_refused = counts.ok,
    ];
    for (place, spoil) in spoilt.into_iter().enumerate() {
        let outcome = changed(spoil);
        assert_advice(&outcome, Verdict::Invalid);
        let rule = if place < 8 { "load_not_as_planned" } else { "all_answers_refused" };
        assert_eq!(outcome.judgement.rule.name, rule, "{}", outcome.judgement.reason);
    }
}

#[test]
fn a_load_by_another_program_that_was_not_counted_tells_what_to_change() {
    use crate::scenario::Reported;
    let external = || ExternalLoad { command: vec!["k6".to_owned()], counter: None, reported: Some(Reported::Stdout) };
    let by = |change: fn(&mut Trace)| {
        changed(|trace, _| {
            trace.header.external = Some(external());
            change(trace);
        })
    };
    let words = [
        (by(|trace| trace.samples.iter_mut().for_each(|sample| sample.requests.clear())), "told no count of requests"),
        (
            by(|trace| trace.samples.iter_mut().for_each(|sample| *sample.requests.get_mut("get").expect("it") = 7)),
            "did not move",
        ),
        (
            by(|trace| trace.end.as_mut().expect("an end").count_fell = Some(CountFell { from: 500, to: 20 })),
            "the count of k6 in its output went back from 500 to 20",
        ),
        (
            by(|trace| {
                let half = trace.samples[280].requests.clone();
                trace.samples[280..].iter_mut().for_each(|sample| sample.requests.clone_from(&half));
            }),
            "stood still for 5m 20s of 10m",
        ),
    ];
    for (outcome, words) in &words {
        assert_advice(outcome, Verdict::Invalid);
        assert!(outcome.judgement.reason.contains(words), "{}", outcome.judgement.reason);
    }
    let paused = by(|trace| {
        let then = trace.samples[100].requests.clone();
        trace.samples[100..200].iter_mut().for_each(|sample| sample.requests.clone_from(&then));
    });
    assert_ne!(paused.verdict(), Verdict::Invalid, "{}", paused.judgement.reason);
    let note = paused.standstill_note.expect("a note");
    assert_eq!(note, "the count of k6 in its output stood still for 99s of 10m");
}

#[test]
fn what_is_open_says_what_would_decide_and_what_is_decided_says_nothing() {
    let open = changed(|trace, _| trace.samples.truncate(20));
    assert_advice(&open, Verdict::Inconclusive);
    assert_eq!(open.judgement.rule.name, "too_few_readings");
    assert_eq!(changed(|_, _| ()).judgement.advice, None);
}

/// Whether `text` names a command or a key that exists, and no key that does not.
fn is_to_be_done(text: &str) -> bool {
    /// Names of files that look like keys.
    const FILES: [&str; 2] = ["service.log", "driver.log"];
    let words =
        text.split(|c: char| c.is_whitespace() || ",;:()\"'`".contains(c)).map(|word| word.trim_end_matches('.'));
    let dotted: Vec<&str> = words.filter(|word| word.contains('.') && !FILES.contains(word)).collect();
    let is_command = ["steep run", "steep bisect", "steep analyze"].iter().any(|command| text.contains(command));
    dotted.iter().all(|key| find(key).is_some()) && (is_command || !dotted.is_empty())
}

#[test]
fn whatever_cannot_be_judged_says_what_to_do() {
    let minute = Duration::from_mins(1);
    let all = [
        Unjudgeable::Empty,
        Unjudgeable::Ragged,
        Unjudgeable::Impossible { index: 0 },
        Unjudgeable::TimeBackwards { index: 0 },
        Unjudgeable::TooShort { samples: 1, lasted: minute, need: minute },
        Unjudgeable::TooFew { samples: 1, lasted: minute, fewest: 40, every: minute, need: minute },
        Unjudgeable::CounterReset { at_s: 1.0 },
        Unjudgeable::TooManyMissing { samples: 1, expected: 9 },
        Unjudgeable::TooFewBlocks { blocks: 1, fewest: 2 },
        Unjudgeable::Singular,
    ];
    for unjudgeable in all {
        let advice = of_unjudgeable(&unjudgeable);
        assert!(is_to_be_done(&advice), "{unjudgeable}: {advice}");
    }
    assert!(!is_to_be_done("wait"), "the test can fail");
    assert!(!is_to_be_done("steep run FILE with load.counters"), "a key that is none");
}

#[test]
fn whatever_stays_open_says_what_to_do() {
    let t_s: Vec<f64> = (0..600).map(f64::from).collect();
    let memory_bytes = t_s.iter().map(|t| 2e7 + 1000.0 * t).collect();
    let series = Series { requests: vec![0.0; 600], t_s, memory_bytes, ..Series::default() };
    let plain = fit(&series, Layer::Resident, &Materiality::default()).expect("growth");
    let noisy = Growth { environment_noisy: true, ..plain.clone() };
    let full = AfterCap { full_s: 100.0, filled: Bytes::mib(90), crept: Bytes::mib(13) };
    let capped = Growth { after_cap: Some(full), ..plain.clone() };
    for growth in [plain, noisy, capped] {
        for need in [None, Some(Duration::from_mins(10))] {
            let advice = of_open(&growth, need);
            assert!(is_to_be_done(&advice), "{advice}");
        }
    }
}
