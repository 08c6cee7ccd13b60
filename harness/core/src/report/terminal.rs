//! A report for people: what is said of each flag, a table of the cells, and what stands behind each verdict that is
//! not clear.

use super::allocators::allocators;
use super::known::known;
use super::levels::{beside_innocent, levels, told};
use super::settling::settled_by;
use super::table::{columns, shortened, wrapped};
use super::{NotRun, Report};
use crate::exit::Status;
use crate::outcome::{HeldMemory, OtherSeries, Outcome, PhaseJudgement, WorkerEnds};
use crate::threshold::ThresholdOutcome;
use crate::trace::{ExternalLoad, FlowCounts, Percentiles};
use std::collections::BTreeSet;
use std::time::Duration;
use steep_judge::growth::{Growth, MemorySource};
use steep_judge::ids::CellId;
use steep_judge::isolation::{Finding, FlagFinding, Guilt};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate, counted, duration_text};
use steep_judge::verdict::Verdict;

/// Names of cells and flags are shortened to this, so that a table fits.
const LONGEST_NAME: usize = 24;
/// Indent of what continues a line.
const INDENT: usize = 2;

/// The whole report.
#[must_use]
pub fn terminal(report: &Report) -> String {
    let mut text = String::new();
    text.push_str(&flags(report));
    text.push_str(&cells(&report.cells));
    text.push('\n');
    text.push_str(&loads(&report.cells));
    let costs = levels(&report.levels);
    if !costs.is_empty() {
        text.push('\n');
        text.push_str(&costs);
    }
    if !report.allocators.is_empty() {
        text.push('\n');
        text.push_str(allocators(&report.allocators).trim_end_matches('\n'));
        text.push('\n');
    }
    text.push_str(&notes(report));
    text.push_str(&report.not_run.as_ref().map_or_else(String::new, NotRun::told));
    text.push_str(&conclusion(report));
    text
}

fn flags(report: &Report) -> String {
    if report.flags.is_empty() && report.axes.is_empty() {
        return String::new();
    }
    let head = ["flag", "", "posterior", "adds per request", "adds per hour", "seen in"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let costs = |name: &str, finding: &Finding| beside_innocent(&report.levels, name, finding);
    let of_flags = report.flags.iter().map(|flag| (flag.flag.clone(), &flag.finding, flag.unverified));
    let of_axes = report.axes.iter().map(|axis| (axis.name(), &axis.finding, false));
    let all = of_flags.chain(of_axes);
    rows.extend(all.map(|(name, finding, unverified)| row(&name, finding, unverified, &costs(&name, finding))));
    columns(&rows) + "\n"
}

fn row(name: &str, finding: &Finding, unverified: bool, costs: &str) -> Vec<String> {
    let effect = finding.effect.as_ref();
    let per_request =
        effect.and_then(|effect| effect.per_request).map_or_else(|| "–".into(), |growth| growth.compact());
    let per_hour = effect.map_or_else(|| "–".into(), |effect| effect.per_hour.compact());
    let cells = effect.and_then(|effect| effect.with.as_ref().zip(effect.without.as_ref()));
    let seen_in = cells.map_or_else(|| finding.reason.clone(), |(with, without)| format!("{with} – {without}"));
    let posterior = finding.posterior.map_or_else(|| "–".into(), |posterior| format!("{posterior:.3}"));
    let mark = if unverified { "?" } else { "" };
    vec![
        shortened(name, LONGEST_NAME),
        format!("{}{mark}{costs}", guilt(finding)),
        posterior,
        per_request,
        per_hour,
        seen_in,
    ]
}

const fn guilt(finding: &Finding) -> &'static str {
    match finding.guilt {
        Guilt::Leaks => "LEAKS",
        Guilt::LeaksWith(_) => "LEAKS WITH",
        Guilt::LeaksWithout(_) => "LEAKS WITHOUT",
        Guilt::LeaksOff => "LEAKS OFF",
        Guilt::Retains => "RETAINS",
        Guilt::Crashes => "CRASHES",
        Guilt::Innocent => "innocent",
        Guilt::Undecided => "undecided",
    }
}

/// The table of cells.
#[must_use]
pub fn cells(outcomes: &[Outcome]) -> String {
    let head = ["cell", "verdict", "growth per request", "growth per hour", "peak", "requests"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for outcome in outcomes {
        let growth = outcome.growth();
        let per_request =
            growth.and_then(|growth| growth.per_request).map_or_else(|| "–".into(), |growth| growth.compact());
        let per_hour = growth.map_or_else(|| "–".into(), |growth| growth.per_hour.compact());
        let peak = outcome.peak_bytes.map_or_else(|| "–".into(), |peak| peak.to_string());
        let mark = if outcome.headroom_exceeded { "!" } else { "" };
        rows.push(vec![
            shortened(outcome.cell.as_str(), LONGEST_NAME),
            outcome.verdict().to_string(),
            per_request,
            per_hour,
            peak + mark,
            outcome.completed.map_or_else(|| "–".into(), |completed| completed.to_string()),
        ]);
    }
    columns(&rows)
}

/// The column of what the client left on purpose, in reports that have such.
const AFTER_FAILED: usize = 6;

/// How the load was delivered, how it was answered, and what steep itself held: due = sent + missed + dropped.
fn loads(outcomes: &[Outcome]) -> String {
    let head = ["load", "due", "sent", "missed", "dropped", "failed", "p50", "p99", "late p99", "steep's own memory"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let any_aborted = outcomes.iter().any(|outcome| outcome.requests.aborted > 0);
    if any_aborted {
        rows[0].insert(AFTER_FAILED, "aborted".to_owned());
    }
    for outcome in outcomes {
        let requests = &outcome.requests;
        // The slowest name's, which is said where there are several.
        let slowest = |percentile: fn(&Percentiles) -> u64| {
            let (name, micros) = outcome
                .latency
                .iter()
                .map(|(name, times)| (name, percentile(times)))
                .max_by_key(|(_, micros)| *micros)?;
            let of =
                if outcome.latency.len() > 1 { format!(" {}", shortened(name, LONGEST_NAME)) } else { String::new() };
            Some(milliseconds(micros) + &of)
        };
        let counts = [requests.due, requests.sent, requests.missed, requests.dropped, requests.failed()];
        let mut row = vec![shortened(outcome.cell.as_str(), LONGEST_NAME)];
        // What another program sent is not known.
        let known = |count: &u64| if outcome.external.is_none() { count.to_string() } else { "–".to_owned() };
        row.extend(counts.iter().map(known));
        row.push(slowest(|times| times.p50_us).unwrap_or_else(|| "–".into()));
        row.push(slowest(|times| times.p99_us).unwrap_or_else(|| "–".into()));
        row.push(if outcome.lateness.count > 0 { milliseconds(outcome.lateness.p99_us) } else { "–".into() });
        let sign = if outcome.steep_growth_bytes < 0 { '-' } else { '+' };
        if any_aborted {
            row.insert(AFTER_FAILED, requests.aborted.to_string());
        }
        let grown = Bytes::new(outcome.steep_growth_bytes.unsigned_abs());
        row.push(format!("{} ({sign}{grown})", outcome.steep.anon_bytes));
        rows.push(row);
    }
    columns(&rows)
}

fn flow_note(name: &str, counts: &FlowCounts) -> String {
    let FlowCounts { started, completed, ended_early, left } = counts;
    let left = if *left > 0 { format!(", {left} left at a pause or the end of the load") } else { String::new() };
    format!("flow \"{name}\": {started} sessions started, {completed} completed, {ended_early} ended early{left}")
}

fn milliseconds(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}

fn notes(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.flags {
        text.push_str(&flag_note(finding));
    }
    for axis in report.axes.iter().filter(|axis| axis.finding.guilt == Guilt::Undecided) {
        let note = format!("{} is undecided: {}", axis.name(), axis.finding.reason);
        text.push_str(&(wrapped(&note, INDENT) + &settled(&axis.finding)));
    }
    for outcome in &report.cells {
        for note in cell_notes(outcome) {
            text.push_str(&wrapped(&format!("{}: {note}", outcome.cell), INDENT));
        }
    }
    for alike in &report.alike {
        let note = "they are not compared; does anything in the source ask for it?";
        text.push_str(&wrapped(&format!("{}; {note}", alike.told()), INDENT));
    }
    let unverified: Vec<&str> =
        report.flags.iter().filter(|flag| flag.unverified).map(|flag| flag.flag.as_str()).collect();
    if !unverified.is_empty() {
        let note = format!(
            "? unverified: nothing showed that {} took effect; give the flag a `verify`",
            unverified.join(", ")
        );
        text.push_str(&wrapped(&note, INDENT));
    }
    let allocators: BTreeSet<&str> =
        report.cells.iter().filter_map(|outcome| outcome.unverified_allocator.as_deref()).collect();
    if !allocators.is_empty() {
        let names = allocators.into_iter().collect::<Vec<_>>().join(", ");
        let note = format!("unverified: nothing showed that the allocator {names} is in use; give it a `verify`");
        text.push_str(&wrapped(&note, INDENT));
    }
    if report.cells.iter().any(|outcome| outcome.users.is_some()) {
        let note = "closed load: a slow service was asked less, and the latencies leave out what an open load would have \
                    felt (coordinated omission)";
        text.push_str(&wrapped(note, INDENT));
    }
    let not_counted: BTreeSet<&str> =
        report.cells.iter().flat_map(|outcome| &outcome.not_counted).map(String::as_str).collect();
    if !not_counted.is_empty() {
        let list = not_counted.into_iter().collect::<Vec<_>>().join("; ");
        text.push_str(&wrapped(&format!("not counted as memory of the service: {list}"), INDENT));
    }
    if report.cells.iter().any(|outcome| outcome.without_load) {
        let note = "nothing was asked (load.model = \"none\"): growth is known per hour only";
        text.push_str(&wrapped(note, INDENT));
    }
    if !report.not_asked.is_empty() {
        let cells: Vec<&str> = report.not_asked.iter().map(CellId::as_str).collect();
        let note = format!(
            "not asked for, and nothing is known of: {} (steep run FILE --resume RUN soaks them)",
            cells.join(", ")
        );
        text.push_str(&wrapped(&note, INDENT));
    }
    for missing in &report.missing {
        text.push_str(&wrapped(&format!("{}: {}", missing.cell, missing.reason), INDENT));
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

fn flag_note(FlagFinding { flag, finding, .. }: &FlagFinding) -> String {
    let reason = &finding.reason;
    let note = match &finding.guilt {
        Guilt::LeaksWith(others) => format!("{flag} leaks only together with {others}: {reason}"),
        Guilt::LeaksWithout(others) => format!("{flag} leaks only where {others} is off: {reason}"),
        Guilt::Undecided => format!("{flag} is undecided: {reason}"),
        Guilt::Crashes => format!("with {flag} the service ends by itself: {reason}"),
        Guilt::Retains => format!("with {flag} the allocator holds more and more, live bytes do not grow: {reason}"),
        Guilt::Leaks | Guilt::LeaksOff | Guilt::Innocent => return String::new(),
    };
    wrapped(&note, INDENT) + &settled(finding)
}

/// A line of its own: it is there to be copied.
fn settled(finding: &Finding) -> String {
    settled_by(finding).map_or_else(String::new, |how| wrapped(&format!("to settle it: {how}"), INDENT))
}

fn cell_notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if !outcome.verdict().is_clear() {
        notes.push(format!("{} – {}; {}", outcome.verdict(), outcome.verdict().meaning(), outcome.judgement.reason));
    }
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
    if outcome.verdict() == Verdict::Crashed && !outcome.message.is_empty() {
        notes.push(format!("its last lines:\n{}", outcome.message));
    } else if !outcome.message.is_empty() && !outcome.judgement.reason.contains(&outcome.message) {
        notes.push(outcome.message.clone());
    }
    if outcome.probe && outcome.growth().is_some_and(|growth| growth.source == MemorySource::Anonymous) {
        notes.push("judged by anonymous memory: the probe answered in too few samples".to_owned());
    }
    let storms = &outcome.connections;
    if storms.storm_opened + storms.storm_refused > 0 {
        notes.push(format!(
            "storms opened {} connections beside the load, and could not open {}",
            storms.storm_opened, storms.storm_refused
        ));
    }
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

fn conclusion(report: &Report) -> String {
    let mut text = String::from("\n");
    if let Some(blindest) = blindest(&report.cells) {
        let rate = blindest.rate.get();
        let told = |growth: BytesPerHour| {
            let per_request = (rate > 0.0).then(|| BytesPerRequest::new(growth.get_per_second() / rate));
            per_request.map_or_else(|| growth.to_string(), |per_request| format!("{per_request} ({growth})"))
        };
        let all_decided = report.missing.is_empty()
            && report.cells.iter().all(|cell| cell.verdict().is_decided() && cell.cut_short.is_none());
        let where_seen = if all_decided { "in every cell" } else { "in the cells that were decided" };
        let note = format!(
            "Growth worth finding: {}. Any of {} or more that went on through the whole soak would have been seen {where_seen}.",
            told(blindest.worth_finding),
            told(blindest.seen_at_least)
        );
        text.push_str(&wrapped(&note, INDENT));
    }
    text.push_str(&known(&report.known, INDENT));
    text.push_str(&wrapped(&sentence(report), INDENT));
    text
}

/// The run in one sentence.
fn sentence(report: &Report) -> String {
    let said = &report.sentence;
    let flags = if said.is_empty() { String::new() } else { format!(" {said}.") };
    let status = match report.status {
        Status::Finding => "FINDING",
        Status::NotDone => "NOT DONE",
        Status::Undecided => "UNDECIDED",
        Status::Clean => "CLEAN",
        Status::Usage => "WRONG",
    };
    let counts: Vec<String> = [
        Verdict::Leak,
        Verdict::Step,
        Verdict::Retention,
        Verdict::Crashed,
        Verdict::Invalid,
        Verdict::Inconclusive,
        Verdict::Plateau,
        Verdict::Stable,
    ]
    .iter()
    .filter_map(|verdict| report.verdicts.get(verdict.name()).map(|count| format!("{count} {verdict}")))
    .collect();
    let counts = if counts.is_empty() { "no cell was soaked".to_owned() } else { counts.join(", ") };
    let excused: BTreeSet<&CellId> = report.known.iter().flat_map(|known| &known.excused).collect();
    let excused =
        if excused.is_empty() { String::new() } else { format!(", of which growth is known in {}", excused.len()) };
    let broken = report.cells.iter().flat_map(|cell| &cell.thresholds).filter(|kept| kept.broken).count();
    let broken = if broken == 0 { String::new() } else { format!(", {}", counted(broken, "broken threshold")) };
    let costs = told(&report.levels, &report.flags, &report.axes);
    let not_asked = match report.not_asked.len() {
        0 => String::new(),
        count => format!(", {} not asked for", counted(count, "cell")),
    };
    format!("{status}: {counts}{excused}{broken}{not_asked} (exit status {}).{flags}{costs}", report.exit_status)
}

/// The growth of the decided cell that could have hidden most.
fn blindest(cells: &[Outcome]) -> Option<&Growth> {
    let decided = cells.iter().filter(|cell| cell.verdict().is_decided()).filter_map(Outcome::growth);
    decided.max_by(|a, b| a.seen_at_least.get().total_cmp(&b.seen_at_least.get()))
}
