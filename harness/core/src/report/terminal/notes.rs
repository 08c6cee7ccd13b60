//! What stands behind each verdict that is not clear, and what else is to be known of a run.

use std::time::Duration;

use super::super::settling::settled_by;
use super::super::{Layout, Report};
use super::kept::{kept_notes, place_notes, rerun_notes};
use super::prose::{command, wrapped};
use super::run_notes::run_notes;
use crate::kept::{Ending, Frame, Holder};
use crate::outcome::{
    ByRequest, Confirmed, HeldMemory, OtherSeries, Outcome, PhaseJudgement, Retained, Timeline, WorkerEnds,
};
use crate::scenario::Code;
use crate::threshold::ThresholdOutcome;
use crate::trace::{ExternalLoad, FlowCounts};
use steep_judge::growth::Layer;
use steep_judge::isolation::{Finding, FlagFinding, Guilt, KeptBy};
use steep_judge::units::{Estimate, duration_text};
use steep_judge::verdict::Verdict;

pub(super) fn notes(report: &Report, layout: Layout) -> String {
    let mut text = String::new();
    for finding in &report.flags {
        text.push_str(&flag_note(finding, layout));
    }
    for axis in report.axes.iter().filter(|axis| axis.finding.guilt == Guilt::Undecided) {
        let note = format!("{} is undecided: {}", axis.name(), axis.finding.reason);
        text.push_str(&(wrapped(&note, layout) + &settled(&axis.finding, layout)));
    }
    for outcome in &report.cells {
        for note in cell_notes(outcome) {
            text.push_str(&wrapped(&format!("{}: {note}", outcome.cell), layout));
        }
    }
    for note in super::live::notes(&report.cells) {
        text.push_str(&wrapped(&note, layout));
    }
    // Of what is the same in most cells one says it; verdict.json has it for each.
    if let Some(outcome) = report.cells.iter().find(|outcome| !outcome.hot_spots.is_empty()) {
        for note in place_notes(outcome) {
            text.push_str(&wrapped(&format!("{}: {note}", outcome.cell), layout));
        }
    }
    for note in run_notes(report) {
        text.push_str(&wrapped(&note, layout));
    }
    for missing in &report.missing {
        text.push_str(&wrapped(&format!("{}: {}", missing.cell, missing.reason), layout));
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

fn flag_note(FlagFinding { flag, finding, .. }: &FlagFinding, layout: Layout) -> String {
    let reason = &finding.reason;
    let note = match &finding.guilt {
        Guilt::LeaksWith(others) => format!("{flag} leaks only together with {others}: {reason}"),
        Guilt::LeaksWithout(others) => format!("{flag} leaks only where {others} is off: {reason}"),
        Guilt::Undecided => format!("{flag} is undecided: {reason}"),
        Guilt::Crashes => format!("with {flag} the service ends by itself: {reason}"),
        Guilt::Retains => format!("with {flag} the allocator holds more and more, live bytes do not grow: {reason}"),
        Guilt::Leaks | Guilt::LeaksOff | Guilt::Innocent => String::new(),
    };
    let note = if note.is_empty() { note } else { wrapped(&note, layout) };
    let kept: Vec<String> = finding.kept_by.iter().map(|kept| wrapped(&kept_by_note(flag, kept), layout)).collect();
    note + &kept.concat() + &settled(finding, layout)
}

/// Calls of a stack that are shown, beside those of the line that is named.
const INNER_CALLS_SHOWN: usize = 3;

/// `sessions – kept by src/sessions.rs:118: 607 (580 to 634) B per request in the cells with it, 0 (−2 to 2) B in those
/// without; src/prose.rs of_length < src/sessions.rs open < …`
fn kept_by_note(flag: &str, kept: &KeptBy) -> String {
    let KeptBy { places, calls, with, without } = kept;
    let others = if places.len() > 1 { format!(" (and {})", places[1..].join(", ")) } else { String::new() };
    let place = places.first().map_or("an unknown place", String::as_str);
    let without = without.map_or_else(String::new, |without| format!(", {} in those without", without.compact()));
    let mut shown: Vec<&str> = calls.iter().take(INNER_CALLS_SHOWN).map(String::as_str).collect();
    if calls.len() > INNER_CALLS_SHOWN {
        shown.push("…");
    }
    format!(
        "{flag} – kept by {place}{others}: {} per request in the cells with it{without}; {}",
        with.compact(),
        shown.join(" < ")
    )
}

/// A line of its own: it is there to be copied.
fn settled(finding: &Finding, layout: Layout) -> String {
    let before = "to settle it: ";
    match settled_by(finding) {
        Some(how) if how.starts_with("steep ") => command(before, &how, layout),
        Some(how) => wrapped(&format!("{before}{how}"), layout),
        None => String::new(),
    }
}

/// Calls of a chain that are shown.
const CALLS_SHOWN: usize = 4;

/// Holders that are shown of what was held at one moment.
const HOLDERS_SHOWN: usize = 3;

/// `when the limit was close, after 24s: keep at src/main.rs:7 held 41.0 MiB, 96 %`
fn at_limit_note(moment: &Ending) -> Option<String> {
    let holder = moment.holders.first()?;
    let Holder { frame, held_bytes, share, .. } = holder;
    let place = frame.place();
    Some(format!(
        "when the limit was close, after {}: {place} held {held_bytes}, {:.0} % of what was alive",
        moment.t_s,
        share * 100.0
    ))
}

fn ending_notes(ending: &Ending) -> Vec<String> {
    let said = |holder: &Holder| {
        let calls: Vec<String> = holder.chain.iter().take(CALLS_SHOWN).map(Frame::place).collect();
        let calls = if calls.len() > 1 { format!("; called by: {}", calls.join(" < ")) } else { String::new() };
        format!("at the end, after {}, {}{calls}", ending.t_s, holder.note())
    };
    ending.holders.iter().take(HOLDERS_SHOWN).map(said).collect()
}

/// All that is to be said of one cell beside its figures.
pub(in crate::report) fn cell_notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if !outcome.verdict().is_clear() {
        notes.push(format!("{} – {}; {}", outcome.verdict(), outcome.verdict().meaning(), outcome.judgement.reason));
    }
    notes.extend(outcome.by_request.as_ref().and_then(ByRequest::note));
    notes.extend(kept_notes(outcome));
    notes.extend(outcome.retained.as_deref().map(Retained::note));
    notes.extend(outcome.confirmed.as_deref().map(Confirmed::note));
    notes.extend(outcome.rerun.as_deref().map(rerun_notes).unwrap_or_default());
    notes.extend(outcome.held_at_limit.iter().filter_map(at_limit_note));
    notes.extend(outcome.held_at_end.iter().flat_map(|ending| ending_notes(ending)));
    if let Some(repeated) = &outcome.repeated {
        let times = if repeated.times == 1 { "once".to_owned() } else { format!("{} times", repeated.times) };
        notes.push(format!("soaked {times} more, after an attempt that does not count: {}", repeated.why));
    }
    notes.extend(outcome.thresholds.iter().map(ThresholdOutcome::note));
    if outcome.verdict() != Verdict::Invalid {
        notes.extend(outcome.failures.clone());
    }
    notes.extend(outcome.connections_note.clone());
    notes.extend(outcome.flows.iter().map(|(name, counts)| flow_note(name, counts)));
    if let Some(external) = &outcome.external {
        notes.push(external_note(external));
        notes.extend(outcome.standstill_note.clone());
    }
    if let (Some(seconds), Some(limit)) = (&outcome.seconds_to_limit, outcome.memory_limit_bytes) {
        notes.push(format!("reaches the memory limit of {limit} in {}", limit_in_words(seconds)));
    }
    if let (true, Some(peak), Some(limit)) = (outcome.headroom_exceeded, outcome.peak_bytes, outcome.memory_limit_bytes)
    {
        notes.push(format!("headroom: the peak of {peak} is above 90 % of the limit of {limit}"));
    }
    notes.extend(outcome.limit_enforced_by.map(|by| format!("memory_limit was enforced by {by}")));
    if outcome.verdict() == Verdict::Crashed && !outcome.message.is_empty() {
        notes.push(format!("its last lines:\n{}", outcome.message));
    } else if !outcome.message.is_empty() && !outcome.judgement.reason.contains(&outcome.message) {
        notes.push(outcome.message.clone());
    }
    let judged_by = outcome.growth().map(|growth| growth.source).filter(|source| source.layer() == Layer::Resident);
    if let Some(source) = judged_by.filter(|_| outcome.probe) {
        notes.push(format!("judged by {}: the probe answered in too few samples", source.in_words()));
    }
    let storms = &outcome.connections;
    if storms.storm_opened + storms.storm_refused > 0 {
        notes.push(format!(
            "storms opened {} connections beside the load, and could not open {}",
            storms.storm_opened, storms.storm_refused
        ));
    }
    notes.extend(outcome.coded.as_ref().and_then(Code::note));
    if outcome.certificate_unchecked {
        notes.push("the certificate of the service was not checked (http.tls.insecure)".to_owned());
    }
    if outcome.something_left {
        notes.push("some process could not be ended".to_owned());
    }
    notes.extend(outcome.limits.iter().map(|limit| format!("not seen on this host: {limit}")));
    if let Some(reason) = &outcome.cut_short {
        notes.push(format!("{reason}; judged on what there is"));
    }
    notes.extend(outcome.held.as_ref().and_then(HeldMemory::note));
    notes.extend(outcome.worker_ends.iter().map(WorkerEnds::note));
    notes.extend(outcome.timeline.as_deref().map(Timeline::notes).unwrap_or_default());
    notes.extend(outcome.other_series.iter().filter_map(OtherSeries::note));
    for (kind, count) in &outcome.disturbances {
        notes.push(if *count == 1 { format!("{kind} (once)") } else { format!("{kind} ({count} times)") });
    }
    for idle in &outcome.idle {
        notes.push(format!(
            "phase {}: {} at its beginning, {} at its end",
            idle.phase, idle.start_bytes, idle.end_bytes
        ));
    }
    notes.extend(outcome.phases.iter().filter_map(PhaseJudgement::hidden));
    notes.extend(outcome.judgement.advice.as_ref().map(|advice| format!("to decide it: {advice}")));
    notes
}

fn flow_note(name: &str, counts: &FlowCounts) -> String {
    let FlowCounts { started, completed, ended_early, left } = counts;
    let left = if *left > 0 { format!(", {left} left at a pause or the end of the load") } else { String::new() };
    format!("flow \"{name}\": {started} sessions started, {completed} completed, {ended_early} ended early{left}")
}

fn external_note(external: &ExternalLoad) -> String {
    let program = external.command.first().map_or("", String::as_str);
    let requests = match (&external.counter, &external.reported) {
        (Some(counter), _) => format!("requests are those that the service counts in {}", counter.metric),
        (None, Some(place)) => format!("requests are those that it counts itself in {place}"),
        (None, None) => {
            "growth is known per hour only: load.counter (of the service) or load.requests_from (of the program) \
                         would tell it per request"
                .to_owned()
        }
    };
    format!("{program} made the load, and no due request is accounted for; {requests}")
}

/// `2h 5m (1h 50m to 2h 20m)`; an end that growth may never reach is said so.
fn limit_in_words(seconds: &Estimate<f64>) -> String {
    let said = |seconds: f64| match Duration::try_from_secs_f64(seconds) {
        // The low end of the growth may be zero.
        Ok(duration) if duration < Duration::from_hours(24 * 3650) => duration_text(duration),
        _ => "never".to_owned(),
    };
    format!("{} ({} to {})", said(seconds.value), said(seconds.low), said(seconds.high))
}
