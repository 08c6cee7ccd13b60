//! From traces of the simulated world to what is said of cells and flags.

use steep_core::exit::Status;
use steep_core::outcome::{Outcome, judged_cells};
use steep_core::report::{Layout, Report, Results, terminal};
use steep_core::scenario::Scenario;
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_core::trace::{End, EndReason, Exit, Heap, Places, Trace};
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::isolation::{Guilt, isolate};
use steep_judge::units::{Bytes, SinceStart};
use steep_judge::verdict::Verdict;

use super::simulated::soaked;

/// Twenty minutes at 100 requests/s with a probe: three flags that may leak.
fn scenario() -> Scenario {
    decoded(&sound("20m", "").replace("[service]\n", "[service]\nmemory_limit = \"512MiB\"\n"))
}

fn trace(flags: &[&str], service: &SimService) -> Trace {
    let mut trace = soaked(&scenario(), service);
    trace.header.flags = flags.iter().copied().collect::<FlagSet>();
    trace.header.cell = CellId::parse(&if flags.is_empty() { "baseline".to_owned() } else { flags.join("+") });
    trace
}

fn outcome(flags: &[&str], leak_per_request: f64) -> Outcome {
    Outcome::of(&trace(flags, &SimService { leak_per_request, probe: true, ..SimService::default() }))
}

fn report(outcomes: Vec<Outcome>, flags: &[&str]) -> Report {
    Report::new(Results {
        name: "shop".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        flags: flags.iter().map(ToString::to_string).collect(),
        fail_on: scenario().judge.fail_on,
        known: Vec::new(),
        axes: Vec::new(),
        overnight: None,
        missing: Vec::new(),
        not_asked: Vec::new(),
        outcomes,
    })
}

fn guilt(flag: &str, outcomes: &[Outcome]) -> Guilt {
    isolate(&[flag.to_owned()], &judged_cells(outcomes)).flags.remove(0).finding.guilt
}

#[test]
fn the_flag_that_leaks_is_named_and_the_others_are_innocent() {
    let cells = vec![outcome(&["sessions"], 512.0), outcome(&[], 0.0), outcome(&["cache"], 0.0)];
    let report = report(cells, &["sessions", "cache"]);
    assert_eq!(report.flags[0].finding.guilt, Guilt::Leaks);
    assert_eq!(report.flags[1].finding.guilt, Guilt::Innocent);
    assert_eq!((report.status, report.exit_status), (Status::Finding, 1));
    let effect = report.flags[0].finding.effect.as_ref().and_then(|effect| effect.per_request).expect("an effect");
    assert!(effect.low.get() < 512.0 && 512.0 < effect.high.get(), "{effect}");
    insta::assert_snapshot!(terminal(&report, Layout::default()));
}

#[test]
fn a_closed_load_is_reported_once() {
    let closed = Outcome { users: Some(4), ..outcome(&[], 0.0) };
    let other = Outcome { users: Some(4), ..outcome(&["cache"], 0.0) };
    let described = terminal(&report(vec![closed, other], &["cache"]), Layout::default());
    assert_eq!(described.matches("closed load").count(), 1, "{described}");
    assert!(!terminal(&report(vec![outcome(&[], 0.0)], &[]), Layout::default()).contains("closed load"));
}

#[test]
fn a_leak_that_needs_two_flags_is_reported_as_one() {
    let cells = [
        outcome(&[], 0.0),
        outcome(&["labels"], 0.0),
        outcome(&["tenants"], 0.0),
        outcome(&["labels", "tenants"], 64.0),
    ];
    assert_eq!(guilt("labels", &cells), Guilt::LeaksWith(["tenants"].into_iter().collect()));
    assert_eq!(guilt("tenants", &cells), Guilt::LeaksWith(["labels"].into_iter().collect()));
}

#[test]
fn growth_that_is_there_without_the_flag_is_not_the_flags() {
    let cells = [outcome(&[], 256.0), outcome(&["cache"], 256.0), outcome(&["sessions"], 512.0)];
    assert_ne!(guilt("cache", &cells), Guilt::Leaks);
    assert_eq!(guilt("sessions", &cells), Guilt::Leaks);
}

#[test]
fn a_clear_cell_clears_its_flags_and_a_leaking_one_alone_names_none() {
    assert_eq!(guilt("cache", &[outcome(&["cache", "sessions"], 0.0)]), Guilt::Innocent);
    assert_eq!(guilt("cache", &[outcome(&["cache", "sessions"], 64.0)]), Guilt::Undecided);
    assert_eq!(guilt("cache", &[outcome(&[], 0.0)]), Guilt::Undecided);
}

#[test]
fn flags_that_are_cleared_together_share_what_they_add_together() {
    let cells = [outcome(&[], 0.0), outcome(&["cache", "render"], 0.0)];
    let finding = isolate(&["render".to_owned()], &judged_cells(&cells)).flags.remove(0).finding;
    assert_eq!(finding.guilt, Guilt::Innocent);
    let effect = finding.effect.expect("an effect");
    let cells = [effect.with, effect.without].map(|cell| cell.map(|cell| cell.to_string()).unwrap_or_default());
    assert_eq!(cells, ["cache+render", "baseline"]);
}

#[test]
fn a_flag_under_which_the_allocator_keeps_memory_is_not_innocent() {
    let mut trace = trace(&["fragment"], &SimService { probe: true, ..SimService::default() });
    for (index, sample) in trace.samples.iter_mut().enumerate() {
        sample.memory.anon_bytes = Bytes::mib(20) + Bytes::kib(64 * index as u64);
    }
    let fragment = Outcome::of(&trace);
    assert_eq!(fragment.verdict(), Verdict::Retention);
    let cells = [outcome(&[], 0.0), fragment];
    let finding = isolate(&["fragment".to_owned()], &judged_cells(&cells)).flags.remove(0).finding;
    assert_eq!(finding.guilt, Guilt::Retains);
    assert!(finding.effect.is_some_and(|effect| effect.per_hour.low.get() > 0.0));
}

#[test]
fn a_flag_whose_cell_was_cut_short_is_not_cleared() {
    let mut trace = trace(&["cache"], &SimService { probe: true, ..SimService::default() });
    trace.end = Some(End { reason: EndReason::Interrupted, ..trace.end.unwrap_or_default() });
    assert_eq!(guilt("cache", &[outcome(&[], 0.0), Outcome::of(&trace)]), Guilt::Undecided);
}

#[test]
fn what_was_soaked_is_fitted_and_not_what_was_planned() {
    let service = SimService { leak_per_request: 4096.0, probe: true, ..SimService::default() };
    let mut trace = trace(&[], &service);
    // Five minutes, a pause, and then much longer phases of which only seconds were soaked.
    let mut phases = vec![trace.header.phases[0].clone(); 3];
    let moments = [0.0, 300.0, 310.0, 5000.0];
    for (phase, ends) in phases.iter_mut().zip(moments.windows(2)) {
        (phase.start_s, phase.end_s) = (SinceStart::from_secs_f64(ends[0]), SinceStart::from_secs_f64(ends[1]));
    }
    phases[1].role = steep_core::scenario::Role::Idle;
    trace.header.phases = phases;
    trace.samples.truncate(320);
    trace.traffic.truncate(320);
    trace.end = None;
    let outcome = Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Leak, "{}", outcome.judgement.reason);
    assert_eq!(outcome.status(&scenario().judge.fail_on), Status::Finding);
}

#[test]
fn a_flag_under_which_the_service_crashes_is_named() {
    let service = SimService { crashes_at: Some(SinceStart::from_secs_f64(600.0)), ..SimService::default() };
    let cells = [outcome(&[], 0.0), Outcome::of(&trace(&["cache"], &service))];
    assert_eq!(guilt("cache", &cells), Guilt::Crashes);
}

#[test]
fn a_peak_near_the_limit_is_a_finding_however_flat_the_slope() {
    let service = SimService { base: Bytes::mib(480), ..SimService::default() };
    let outcome = Outcome::of(&trace(&[], &service));
    assert!(outcome.headroom_exceeded && outcome.verdict().is_clear());
    assert_eq!(outcome.status(&scenario().judge.fail_on), Status::Finding);
}

#[test]
fn the_limit_is_reached_after_what_is_left_by_the_rate() {
    // 100 requests/s × 1 KiB: 492 MiB - 117 MiB grown are left after twenty minutes.
    let outcome = outcome(&[], 1024.0);
    let seconds = outcome.seconds_to_limit.expect("a time to the limit");
    assert!((seconds.value - 3838.0).abs() < 50.0, "{seconds:?}");
    assert!(seconds.low <= seconds.value && seconds.value <= seconds.high);
}

#[test]
fn an_out_of_memory_kill_is_distinguished_from_another() {
    let crashed = |oom_kill| {
        let service = SimService { crashes_at: Some(SinceStart::from_secs_f64(600.0)), ..SimService::default() };
        let mut trace = trace(&[], &service);
        let exit = Some(Exit { code: None, signal: Some(9), oom_kill });
        trace.end = Some(End { exit, ..trace.end.unwrap_or_default() });
        Outcome::of(&trace)
    };
    assert_eq!(crashed(true).verdict(), Verdict::Crashed);
    assert!(crashed(true).judgement.reason.contains("out of memory"));
    assert!(!crashed(false).judgement.reason.contains("out of memory"));
}

#[test]
fn a_build_that_failed_is_invalid_with_the_compilers_message() {
    let mut trace = trace(&["broken"], &SimService::default());
    let message = "error[E0308]: mismatched types".to_owned();
    trace.samples.clear();
    trace.end = Some(End { reason: EndReason::BuildFailed, message: message.clone(), ..End::default() });
    let report = report(vec![Outcome::of(&trace), outcome(&[], 0.0)], &["broken"]);
    assert_eq!(report.exit_status, 4);
    assert!(terminal(&report, Layout::default()).contains(&message));
}

#[test]
fn a_report_fits_eighty_columns_and_cuts_no_name() {
    let long = "a-flag-with-a-name-that-nobody-would-want-to-read-twice-in-a-terminal";
    let cells =
        vec![outcome(&[], 0.0), outcome(&[long], 512.0), outcome(&[long, "cache", "sessions", "orders"], 4096.0)];
    let report = report(cells, &[long, "cache"]);
    let text = terminal(&report, Layout::default());
    // The argument of a command is to be copied whole.
    let is_argument = |line: &&str| line.trim_start().starts_with('\'');
    let lines = text.lines().filter(|line| !is_argument(line));
    let widest = lines.max_by_key(|line| line.chars().count()).expect("a line");
    assert!(widest.chars().count() <= 80, "{widest}");
    let read: String = text.split_whitespace().collect();
    let name = report.cells[2].cell.as_str();
    // The row of each table, and what is said of the cell.
    assert!(read.matches(name).count() >= 3 && !text.contains('…'), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_wide_report_has_every_column_and_each_row_on_one_line() {
    let cells = vec![outcome(&[], 0.0), outcome(&["sessions"], 512.0)];
    let text = terminal(&report(cells, &["sessions"]), Layout::new(Some(80), true));
    let tables: Vec<&str> = text.split("\n\n").take(3).collect();
    insta::assert_snapshot!(tables.join("\n\n"));
}

#[test]
fn a_trace_that_was_cut_anywhere_is_read_or_refused_and_never_a_panic() {
    let trace = trace(&[], &SimService::default());
    let mut text =
        serde_json::to_string(&steep_core::trace::Record::Header(Box::new(trace.header.clone()))).expect("a line");
    text.push('\n');
    for sample in trace.samples.iter().take(3) {
        text.push_str(&serde_json::to_string(&steep_core::trace::Record::Sample(sample.clone())).expect("a line"));
        text.push('\n');
    }
    for cut in 0..text.len() {
        if let Ok(read) = Trace::read(&text[..cut]) {
            assert!(read.samples.len() <= 3);
            let _ = Outcome::of(&read);
        }
    }
    assert_eq!(Trace::read(&text).expect("a trace").samples, trace.samples[..3]);
}

/// Live bytes are flat, and the arenas of threads grow.
fn retaining(trace: &mut Trace) {
    for sample in &mut trace.samples {
        let arenas_bytes = Bytes::mib(22) + Bytes::new((50_000.0 * sample.t_s.as_secs_f64()) as u64);
        let stacks_bytes = Bytes::mib(1);
        sample.memory.anon_bytes = arenas_bytes + stacks_bytes + Bytes::kib(12);
        sample.memory.file_bytes = Bytes::mib(6);
        let own_mappings_bytes = sample.live.map(|_| Bytes::ZERO);
        let places = Places { arenas_bytes, stacks_bytes, arenas: 6, own_mappings_bytes, ..Places::default() };
        sample.heap = Some(Box::new(Heap { places: Some(places), ..Heap::default() }));
    }
}

#[test]
fn a_cell_that_retains_says_where_its_memory_lies_and_who_holds_it() {
    let service = SimService { probe: true, ..SimService::default() };
    let mut trace = trace(&["render"], &service);
    retaining(&mut trace);
    let outcome = Outcome::of(&trace);
    assert_eq!(outcome.verdict(), Verdict::Retention);
    let described = terminal(&report(vec![outcome, self::outcome(&[], 0.0)], &["render"]), Layout::default());
    let table: Vec<&str> = described.lines().skip_while(|line| !line.starts_with("memory of")).take(9).collect();
    insta::assert_snapshot!(table.join("\n"));
    let note: String = described.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(note.contains("in 6 heaps of 64 MiB that it made for its threads (arenas)"), "{described}");
    assert!(note.contains("MALLOC_ARENA_MAX=2 in service.env may give it back"), "{described}");
}

#[test]
fn where_nothing_grows_nobody_is_told_where_memory_lies() {
    let calm = || trace(&[], &SimService { probe: true, ..SimService::default() });
    let mut still = calm();
    retaining(&mut still);
    for sample in &mut still.samples {
        sample.memory.anon_bytes = calm().samples[0].memory.anon_bytes;
        if let Some(places) = sample.heap.as_mut().and_then(|heap| heap.places.as_mut()) {
            places.arenas_bytes = Bytes::mib(20);
        }
    }
    let outcome = Outcome::of(&still);
    assert!(outcome.layers.is_some() && outcome.verdict().is_clear(), "{:?}", outcome.judgement);
    assert!(!terminal(&report(vec![outcome], &[]), Layout::default()).contains("memory of baseline"));
}
