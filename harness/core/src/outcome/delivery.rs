//! Whether a cell had the load that the scenario says, and what became of it: what was not delivered cannot be judged.

use std::time::Duration;

use super::ruling::Said;
use super::shortage::{Shortage, shortage};
use super::shortfall::Shortfall;
use super::soak::Soak;
use super::stretches::fitted_samples;
use crate::scenario::Tolerate;
use crate::trace::{Connections, CountFell, Counts, EndReason, Header, Sample, Trace};
use crate::traffic::sessions::MAX_SESSIONS;
use steep_judge::units::duration_text;
use steep_judge::verdict::Judgement;

/// A load of which nothing was counted for this share of the soak is not the load of the scenario.
const STANDSTILL_OF_SOAK: f64 = 0.5;
/// From this share on it is said.
const STANDSTILL_TOLD: f64 = 0.1;
/// A shorter one is the cadence of who counts: k6 and wrk tell of 10 s.
const SHORTEST_STANDSTILL: Duration = Duration::from_secs(30);

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
            external.is_counted().then_some(())?;
            let (first, last) = (trace.samples.first()?, trace.samples.last()?);
            Some(last.completed().saturating_sub(first.completed()))
        }
    }
}

/// Why the load was not what the scenario says. What the service did comes before what steep could not do: a service
/// that burns all CPU on its failures also starves the driver.
pub(super) fn not_as_planned(soak: &Soak<'_>, _: &Judgement) -> Option<Said> {
    let Soak { trace, requests, shortage, .. } = soak;
    let reasons = if trace.header.external.is_some() { of_external(trace) } else { of_own(trace, requests) };
    let who = || shortage.map_or_else(String::new, |shortage| format!(". {shortage}"));
    (!reasons.is_empty()).then(|| Said::because(reasons.join("; ") + &who()))
}

/// Whether a service that is clear by its `memory` did no work, because it refused all that was asked.
pub(super) fn all_refused(soak: &Soak<'_>, memory: &Judgement) -> Option<Said> {
    let Counts { ok, ok_refused, .. } = *soak.requests;
    let reason = "all answers refused what was asked (status 400 and above, or a grpc-status other than OK): the service did no work that could have shown growth";
    (memory.verdict.is_clear() && ok > 0 && ok_refused == ok).then(|| Said::because(reason.to_owned()))
}

/// Who was short, where more load is missing than is tolerated, or came later; none where the load was delivered, or
/// was missing for want of rows and sessions alone.
pub(super) fn short(trace: &Trace, requests: &Counts) -> Option<Shortage> {
    let Header { tolerate, external, without_load, .. } = &trace.header;
    let is_short = is_undelivered(requests, tolerate) || late(trace, tolerate).is_some();
    if !is_short || *without_load || external.is_some() {
        return None;
    }
    let shortfall = Shortfall::of(trace, tolerate.lateness);
    (shortfall.is_late || shortfall.is_crowded || late(trace, tolerate).is_some()).then(|| shortage(trace, &shortfall))
}

/// Whether a soak that was `short` of load may turn out otherwise if it is repeated: it lasted to its end, and nothing
/// that the service did is among the reasons. Answers that did not come in time are what a shortage looks like.
pub(super) fn is_worth_repeating(trace: &Trace, requests: &Counts) -> bool {
    use EndReason::{Completed, StoppedEarly};
    let lasted = trace.end.as_ref().is_some_and(|end| matches!(end.reason, Completed | StoppedEarly));
    let answered = requests.failed().saturating_sub(requests.failed_timeout).saturating_sub(requests.failed_connect);
    lasted && requests.balance() && requests.ok > 0 && share(answered, requests.sent) <= trace.header.tolerate.failed
}

fn is_undelivered(requests: &Counts, tolerate: &Tolerate) -> bool {
    share(requests.missed.saturating_add(requests.dropped), requests.due) > tolerate.undelivered
}

/// By how much steep was late, where that is more than is tolerated.
fn late(trace: &Trace, tolerate: &Tolerate) -> Option<Duration> {
    let late = Duration::from_micros(trace.end.as_ref()?.lateness.p99_us);
    (late > tolerate.lateness).then_some(late)
}

fn of_own(trace: &Trace, requests: &Counts) -> Vec<String> {
    if trace.header.without_load {
        return Vec::new();
    }
    let tolerate = &trace.header.tolerate;
    let mut reasons = Vec::new();
    if requests.due == 0 && trace.end.as_ref().is_some_and(|end| end.reason == EndReason::Completed) {
        reasons.push("no request came due".to_owned());
    }
    if !requests.balance() {
        reasons.push("the accounts do not balance: the trace was changed, or steep has a mistake".to_owned());
    }
    let all_failed = requests.sent > 0 && requests.failed() == requests.sent;
    if all_failed || share(requests.failed(), requests.sent) > tolerate.failed {
        reasons.extend(failures(requests));
    }
    if is_undelivered(requests, tolerate) {
        reasons.push(format!(
            "the load was not delivered: of {} due requests {} were missed (steep had no CPU) and {} dropped ({})",
            requests.due,
            requests.missed,
            requests.dropped,
            why_dropped(requests)
        ));
    }
    if let Some(late) = late(trace, tolerate) {
        let (late, lateness) = (duration_text(late), duration_text(tolerate.lateness));
        reasons.push(format!(
            "the load was not delivered in time: steep was late by {late} or more with 1 % of the requests, where {lateness} are tolerated"
        ));
    }
    reasons
}

fn of_external(trace: &Trace) -> Vec<String> {
    let external = trace.header.external.as_ref();
    let Some((external, counted_by)) = external.and_then(|external| Some((external, external.counted_by()?))) else {
        return Vec::new();
    };
    let program = external.command.first().map_or("", String::as_str);
    if let Some(CountFell { from, to }) = trace.end.as_ref().and_then(|end| end.count_fell) {
        return vec![format!(
            "{counted_by} went back from {from} to {to}: it must be of all requests since the load began, and of one program; \
             else let the service count (load.counter)"
        )];
    }
    // A program that has told nothing yet has not told that nothing was done.
    let is_counted = |sample: &&Sample| external.reported.is_none() || !sample.requests.is_empty();
    let mut counted = trace.samples.iter().filter(is_counted);
    match (counted.next(), counted.next_back()) {
        (None, _) if !trace.samples.is_empty() => vec![format!(
            "{program} told no count of requests: let it print or write a line `requests 12345` where load.requests_from says, \
             each second"
        )],
        (Some(first), Some(last)) if first.completed() == last.completed() => {
            vec![format!(
                "{counted_by} did not move: no request reached the service; look into driver.log, and at load.command"
            )]
        }
        _ => stood_still(trace)
            .filter(|stood| stood.share >= STANDSTILL_OF_SOAK)
            .map(|stood| format!("{counted_by} {}: what memory did meanwhile says nothing of requests; let load.command run as long as the phases", stood.words))
            .into_iter()
            .collect(),
    }
}

/// How long nobody counted a request, though another program made load.
struct Standstill {
    /// Of the time that is fitted.
    share: f64,
    words: String,
}

/// The longest time without a request in the phases that are fitted, of a load that another program makes and somebody
/// counts. Of a soak that was stopped before, of what there is.
fn stood_still(trace: &Trace) -> Option<Standstill> {
    trace.header.external.as_ref().filter(|external| external.is_counted())?;
    let samples = fitted_samples(trace);
    let lasted = |samples: &[Sample]| match samples {
        [first, .., last] => last.t_s.elapsed().saturating_sub(first.t_s.elapsed()),
        _ => Duration::ZERO,
    };
    let (all, longest) = (lasted(samples), samples.chunk_by(|a, b| a.completed() == b.completed()).map(lasted).max()?);
    let words = format!("stood still for {} of {}", duration_text(longest), duration_text(all));
    (longest >= SHORTEST_STANDSTILL).then(|| Standstill { share: longest.as_secs_f64() / all.as_secs_f64(), words })
}

/// What is to be said of a count that stood still, though not for so long that the cell cannot be judged.
pub(super) fn standstill_note(trace: &Trace) -> Option<String> {
    let stood = stood_still(trace).filter(|stood| (STANDSTILL_TOLD..STANDSTILL_OF_SOAK).contains(&stood.share))?;
    let counted_by = trace.header.external.as_ref()?.counted_by()?;
    Some(format!("{counted_by} {}", stood.words))
}

fn why_dropped(requests: &Counts) -> String {
    let Counts { dropped, dry, crowded, .. } = *requests;
    let reasons = [
        (dropped.saturating_sub(dry).saturating_sub(crowded), "too many in flight".to_owned()),
        (crowded, format!("{MAX_SESSIONS} sessions of flows were under way, which are the most")),
        (dry, "a parameter with pick = \"queue\" had no row left".to_owned()),
    ];
    let reasons: Vec<_> = reasons.iter().filter(|(count, _)| *count > 0).collect();
    match reasons.as_slice() {
        [] => "too many in flight".to_owned(),
        [(_, reason)] => reason.clone(),
        several => several.iter().map(|(count, reason)| format!("{count}: {reason}")).collect::<Vec<_>>().join("; "),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// How many requests failed, and of what, the most frequent first: `1.2 % failed: 310 without an answer in time, …`.
pub(super) fn failures(requests: &Counts) -> Option<String> {
    let mut classes = [
        (requests.failed_status, "with another status than expected"),
        (requests.failed_expect, "with another answer than expected"),
        (requests.failed_grpc, "by their grpc-status, or for want of one"),
        (requests.failed_unsent, "before they were sent (a value did not fit the message)"),
        (requests.failed_timeout, "without an answer in time"),
        (requests.failed_connect, "without a connection"),
        (requests.failed_body, "with a broken answer (the connection ended in it, or it is not HTTP)"),
    ];
    classes.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let described: Vec<String> =
        classes.iter().filter(|(count, _)| *count > 0).map(|(count, class)| format!("{count} {class}")).collect();
    let percent = share(requests.failed(), requests.sent) * 100.0;
    // What rounds to nothing is not nothing.
    let percent = if percent < 0.01 { "less than 0.01".to_owned() } else { format!("{percent:.2}") };
    (!described.is_empty())
        .then(|| format!("{percent} % of {} requests failed: {}", requests.sent, described.join(", ")))
}

/// What is to be said of the connections, where they were not those that the scenario says.
pub(super) fn connections_note(trace: &Trace) -> Option<String> {
    let Connections { opened, closed, refused, .. } = trace.traffic.last()?.connections;
    let planned = trace.header.connections?;
    if opened <= planned && refused == 0 {
        return None;
    }
    Some(format!(
        "connections: {opened} were opened where {planned} should have lasted; {closed} were closed early, and {refused} could not be opened"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::outcome::Outcome;
    use crate::scenario::decode::decode;
    use crate::scenario::{Counter, Scenario};
    use crate::sim::{SimService, soak};
    use crate::trace::{ExternalLoad, Percentiles};
    use steep_judge::verdict::Verdict;

    fn scenario() -> Scenario {
        let text = r#"
name = "shop"
[service]
command = ["shop"]
url = "http://127.0.0.1:{{port}}"
[http]
connections = 8
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 100
duration = "20m"
[[requests]]
name = "get"
path = "/"
"#;
        decode(text).scenario.expect("a scenario")
    }

    /// Twenty minutes of calm, whose requests ended as `change` says.
    fn outcome(change: impl FnOnce(&mut Trace, &mut Counts)) -> Outcome {
        let mut trace = soak(&scenario(), &SimService::default(), &[]).expect("a trace");
        let mut last = trace.traffic.pop().expect("traffic");
        let mut counts = last.requests["get"];
        change(&mut trace, &mut counts);
        last.requests.insert("get".to_owned(), counts);
        last.connections = Connections { opened: 8, closed: 8, ..Connections::default() };
        trace.traffic.push(last);
        Outcome::of(&trace)
    }

    /// So many of the answers become failures of a class.
    fn fail(counts: &mut Counts, count: u64, class: fn(&mut Counts) -> &mut u64) {
        counts.ok -= count;
        *class(counts) += count;
    }

    #[test]
    fn failures_are_reported_by_class_the_most_frequent_first_and_below_the_bound_do_not_decide() {
        let outcome = outcome(|_, counts| {
            fail(counts, 4, |counts| &mut counts.failed_body);
            fail(counts, 1430, |counts| &mut counts.failed_timeout);
        });
        assert_eq!(outcome.verdict(), Verdict::Stable, "{}", outcome.judgement.reason);
        let described = outcome.failures.expect("failures");
        assert!(
            described.contains(" requests failed: 1430 without an answer in time, 4 with a broken answer"),
            "{described}"
        );
        assert!(described.starts_with("1.20 % of "), "{described}");
        assert_eq!(outcome.connections_note, None);
    }

    #[test]
    fn what_a_scenario_tolerates_is_judged_but_never_that_everything_failed() {
        let with = |tolerated: f64, share: f64| {
            outcome(|trace, counts| {
                trace.header.tolerate.failed = tolerated;
                let failed = (counts.ok as f64 * share) as u64;
                fail(counts, failed, |counts| &mut counts.failed_status);
            })
            .verdict()
        };
        assert_eq!(
            [with(0.05, 0.1), with(0.2, 0.1), with(1.0, 1.0)],
            [Verdict::Invalid, Verdict::Stable, Verdict::Invalid]
        );
    }

    #[test]
    fn refusals_that_are_expected_are_traffic_unless_there_is_nothing_else() {
        let refused = |of: fn(&Counts) -> u64| outcome(|_, counts| counts.ok_refused = of(counts));
        assert_eq!(refused(|counts| counts.ok - 1).verdict(), Verdict::Stable);
        let all = refused(|counts| counts.ok);
        assert_eq!(all.verdict(), Verdict::Invalid);
        assert!(all.judgement.reason.contains("did no work"), "{}", all.judgement.reason);
    }

    #[test]
    fn a_driver_that_is_late_delivers_no_load_unless_that_is_tolerated() {
        let with = |tolerated_ms| {
            outcome(|trace, _| {
                trace.header.tolerate.lateness = Duration::from_millis(tolerated_ms);
                let lateness = Percentiles { count: 1000, p99_us: 60_000, ..Percentiles::default() };
                trace.end.as_mut().expect("an end").lateness = lateness;
            })
        };
        assert_eq!(with(60).verdict(), Verdict::Stable);
        let late = with(50);
        assert_eq!(late.verdict(), Verdict::Invalid);
        assert!(late.judgement.reason.contains("late by 60 ms"), "{}", late.judgement.reason);
    }

    /// Twenty minutes of a leak over time, under a load that another program makes.
    fn under_external(counter: Option<&str>) -> Outcome {
        let metric = |name: &str| Counter { path: "/metrics".into(), metric: name.into(), labels: BTreeMap::new() };
        let counter = counter.map(metric);
        let external = ExternalLoad { command: vec!["k6".to_owned()], counter: counter.clone(), reported: None };
        let service = SimService { leak_per_second: 10_000.0, ..SimService::default() };
        let mut trace = soak(&scenario(), &service, &[]).expect("a trace");
        trace.header.external = Some(external);
        trace.traffic.clear();
        if counter.is_none() {
            trace.samples.iter_mut().for_each(|sample| sample.requests.clear());
        }
        Outcome::of(&trace)
    }

    #[test]
    fn growth_under_a_load_by_another_program_is_per_request_where_the_service_counts() {
        let counted = under_external(Some("requests_total"));
        assert_eq!(counted.verdict(), Verdict::Leak, "{}", counted.judgement.reason);
        assert!(counted.growth().is_some_and(|growth| growth.per_request.is_some()));
        assert!(counted.completed.is_some_and(|completed| completed > 119_000), "{:?}", counted.completed);
        let uncounted = under_external(None);
        assert_eq!(uncounted.verdict(), Verdict::Leak, "{}", uncounted.judgement.reason);
        assert!(uncounted.growth().is_some_and(|growth| growth.per_request.is_none()));
        assert_eq!(uncounted.completed, None);
    }

    #[test]
    fn connections_are_told_of_where_they_did_not_last() {
        let trace = |opened, refused, planned| {
            let mut described = None;
            outcome(|trace, _| {
                trace.header.connections = planned;
                let mut last = trace.traffic.last().expect("traffic").clone();
                last.connections = Connections { opened, closed: opened - 8, refused, ..Connections::default() };
                trace.traffic.push(last);
                described = connections_note(trace);
            });
            described
        };
        assert_eq!((trace(8, 0, Some(8)), trace(900, 0, None)), (None, None));
        let described = trace(12, 3, Some(8)).expect("a note");
        assert_eq!(
            described,
            "connections: 12 were opened where 8 should have lasted; 4 were closed early, and 3 could not be opened"
        );
    }
}
