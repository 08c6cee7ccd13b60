//! Whether a cell had the load that the scenario says, and what became of it: what was not delivered cannot be judged.

use std::time::Duration;

use crate::scenario::Tolerate;
use crate::trace::{Connections, Counts, EndReason, Trace};
use crate::units::in_words;
use crate::verdict::{Judgement, Verdict};

/// What became of the requests of all names.
pub(super) fn totals(trace: &Trace) -> Counts {
    let mut totals = Counts::default();
    if let Some(traffic) = trace.traffic.last() {
        traffic.requests.values().for_each(|counts| totals.add(counts));
    }
    totals
}

/// Answered requests, by whoever counted them.
pub(super) fn completed(trace: &Trace, requests: &Counts) -> Option<u64> {
    match &trace.header.external {
        None => Some(requests.completed()),
        Some(external) => {
            external.counter.as_ref()?;
            let (first, last) = (trace.samples.first()?, trace.samples.last()?);
            Some(last.completed().saturating_sub(first.completed()))
        }
    }
}

/// The judgement, unless the load was not what the scenario says. What the service did comes before what steep could not do: a
/// service that burns all CPU on its failures also starves the driver.
pub(super) fn delivered(judged: Judgement, trace: &Trace, requests: &Counts) -> Judgement {
    let reasons = if trace.header.external.is_some() { of_external(trace) } else { of_own(trace, requests) };
    if !reasons.is_empty() {
        return judged.overruled(Verdict::Invalid, reasons.join("; "));
    }
    if judged.verdict.is_clear() && requests.ok > 0 && requests.ok_refused == requests.ok {
        let reason = "all answers refused what was asked (status 400 and above): the service did no work that could have shown growth";
        return judged.overruled(Verdict::Invalid, reason);
    }
    judged
}

fn of_own(trace: &Trace, requests: &Counts) -> Vec<String> {
    let Tolerate { undelivered, failed, lateness } = trace.header.tolerate;
    let mut reasons = Vec::new();
    if requests.due == 0 && trace.end.as_ref().is_some_and(|end| end.reason == EndReason::Completed) {
        reasons.push("no request came due".to_owned());
    }
    if !requests.balance() {
        reasons.push("the accounts do not balance: the trace was changed, or steep has a mistake".to_owned());
    }
    let all_failed = requests.sent > 0 && requests.failed() == requests.sent;
    if all_failed || share(requests.failed(), requests.sent) > failed {
        reasons.extend(failures(requests));
    }
    if share(requests.missed.saturating_add(requests.dropped), requests.due) > undelivered {
        reasons.push(format!(
            "the load was not delivered: of {} due requests {} were missed (steep had no CPU) and {} dropped (too many in flight)",
            requests.due, requests.missed, requests.dropped
        ));
    }
    let late = trace.end.as_ref().map_or(Duration::ZERO, |end| Duration::from_micros(end.lateness.p99_us));
    if late > lateness {
        let (late, lateness) = (in_words(late), in_words(lateness));
        reasons.push(format!(
            "the load was not delivered in time: steep was late by {late} or more with 1 % of the requests, where {lateness} are tolerated; give it a core of its own"
        ));
    }
    reasons
}

fn of_external(trace: &Trace) -> Vec<String> {
    let Some(counter) = trace.header.external.as_ref().and_then(|external| external.counter.as_ref()) else {
        return Vec::new();
    };
    match trace.samples.as_slice() {
        [first, .., last] if first.completed() == last.completed() => {
            vec![format!("the counter {} did not move: no request reached the service", counter.metric)]
        }
        _ => Vec::new(),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// How many requests failed, and of what, the most frequent first: `1.2 % failed: 310 without an answer in time, …`.
pub(super) fn failures(requests: &Counts) -> Option<String> {
    let mut classes = [
        (requests.failed_status, "with another status than expected"),
        (requests.failed_timeout, "without an answer in time"),
        (requests.failed_connect, "without a connection"),
        (requests.failed_body, "with a broken answer (the connection ended in it, or it is no HTTP)"),
    ];
    classes.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let told: Vec<String> =
        classes.iter().filter(|(count, _)| *count > 0).map(|(count, class)| format!("{count} {class}")).collect();
    let percent = share(requests.failed(), requests.sent) * 100.0;
    // What rounds to nothing is not nothing.
    let percent = if percent < 0.01 { "less than 0.01".to_owned() } else { format!("{percent:.2}") };
    (!told.is_empty()).then(|| format!("{percent} % of {} requests failed: {}", requests.sent, told.join(", ")))
}

/// What is to be said of the connections, where they were not those that the scenario says.
pub(super) fn connections_note(trace: &Trace) -> Option<String> {
    let Connections { opened, closed, refused } = trace.traffic.last()?.connections;
    let planned = trace.header.connections?;
    if opened <= planned && refused == 0 {
        return None;
    }
    Some(format!(
        "connections: {opened} were opened where {planned} should have lasted; {closed} were closed early, and {refused} could not be opened"
    ))
}
