//! What is said of flags and axes, from cells whose growth is known.

mod revisions;
mod stacks;

use std::sync::OnceLock;
use std::time::Duration;

use steep_core::outcome::{Outcome, judged_cells};
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_judge::growth::{Jumps, MemorySource};
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::isolation::{Guilt, Isolation, isolate};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, Estimate};
use steep_judge::verdict::Verdict;

use super::simulated::soaked;

/// Any cell that was judged by live bytes, at 100 requests/s: 4 B/request are worth finding.
fn judged() -> Outcome {
    static JUDGED: OnceLock<Outcome> = OnceLock::new();
    JUDGED
        .get_or_init(|| {
            let scenario = decoded(&sound("20m", ""));
            let service = SimService { probe: true, ..SimService::default() };
            Outcome::of(&soaked(&scenario, &service))
        })
        .clone()
}

/// A cell that grew by this many bytes per request, give or take `half`.
fn cell(flags: &[&str], growth: f64, half: f64) -> Outcome {
    let mut outcome = judged();
    outcome.flags = flags.iter().copied().collect::<FlagSet>();
    outcome.cell = CellId::parse(&if flags.is_empty() { "baseline".to_owned() } else { flags.join("+") });
    outcome.judgement.verdict = if growth - half > 0.0 { Verdict::Leak } else { Verdict::Stable };
    let fitted = outcome.judgement.growth.as_mut().expect("growth");
    assert_eq!(fitted.source, MemorySource::Live);
    let per_request = Estimate { value: growth, low: growth - half, high: growth + half }.map(BytesPerRequest::new);
    fitted.per_request = Some(per_request);
    fitted.per_hour = per_request.map(|growth| growth.at(fitted.rate));
    outcome
}

fn under(allocator: &str, mut outcome: Outcome) -> Outcome {
    outcome.axes = [("allocator".to_owned(), allocator.to_owned())].into();
    outcome.cell = CellId::parse(&format!("{}@{allocator}", outcome.cell));
    outcome
}

fn said(flags: &[&str], cells: &[Outcome]) -> Isolation {
    isolate(&flags.iter().map(ToString::to_string).collect::<Vec<_>>(), &judged_cells(cells))
}

#[test]
fn several_leaks_are_reported_in_one_sentence() {
    let flags = ["cache", "labels", "render", "sessions", "tenants"];
    let cells = vec![
        cell(&[], 0.1, 1.0),
        cell(&["sessions"], 3100.0, 60.0),
        cell(&["cache", "render"], -0.2, 1.0),
        cell(&["labels"], 0.3, 1.0),
        cell(&["tenants"], 0.0, 1.0),
        cell(&["labels", "tenants"], 64.0, 2.0),
        cell(&flags, 3170.0, 60.0),
    ];
    insta::assert_snapshot!(said(&flags, &cells).sentence);
}

#[test]
fn what_the_cells_cannot_tell_apart_is_reported_as_a_group() {
    let isolation =
        said(&["a", "b", "c"], &[cell(&[], 0.0, 1.0), cell(&["a", "b"], 64.0, 2.0), cell(&["c"], 0.0, 1.0)]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Undecided);
    let suspects = isolation.suspects.expect("suspects");
    assert_eq!(suspects.names, ["a", "b"]);
    assert!(suspects.inseparable && suspects.posterior > 0.95);
    insta::assert_snapshot!(isolation.sentence);
}

#[test]
fn growth_under_one_allocator_is_that_allocators_and_under_all_the_programs() {
    let cells = |jemalloc: f64| {
        [
            under("system", cell(&[], 32.0, 1.0)),
            under("system", cell(&["cache"], 32.0, 1.0)),
            under("jemalloc", cell(&[], jemalloc, 1.0)),
            under("jemalloc", cell(&["cache"], jemalloc, 1.0)),
        ]
    };
    let everywhere = said(&["cache"], &cells(32.0));
    assert!(everywhere.program.as_ref().is_some_and(|program| program.posterior > 0.95), "{everywhere:?}");
    assert!(everywhere.axes.iter().all(|axis| axis.finding.guilt == Guilt::Innocent), "{everywhere:?}");
    insta::assert_snapshot!(everywhere.sentence);
    let one = said(&["cache"], &cells(0.0));
    let guilt: Vec<&Guilt> = one.axes.iter().map(|axis| &axis.finding.guilt).collect();
    assert_eq!(guilt, [&Guilt::Innocent, &Guilt::Leaks], "{one:?}");
    insta::assert_snapshot!(one.sentence);
}

#[test]
fn a_flag_may_leak_under_one_allocator_only() {
    let cells = [
        under("system", cell(&[], 0.0, 1.0)),
        under("system", cell(&["cache"], 0.0, 1.0)),
        under("jemalloc", cell(&[], 0.0, 1.0)),
        under("jemalloc", cell(&["cache"], 64.0, 1.0)),
    ];
    let isolation = said(&["cache"], &cells);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::LeaksWith(["allocator=jemalloc"].into_iter().collect()));
    insta::assert_snapshot!(isolation.sentence);
}

#[test]
fn a_flag_that_no_judged_cell_had_on_is_not_cleared() {
    let mut crashed = cell(&["b"], 0.0, 1.0);
    crashed.judgement.verdict = Verdict::Invalid;
    let isolation = said(&["a", "b"], &[cell(&[], 0.0, 1.0), crashed]);
    for flag in &isolation.flags {
        assert_eq!((&flag.finding.guilt, flag.finding.posterior), (&Guilt::Undecided, None), "{flag:?}");
    }
    assert_eq!(isolation.flags[1].finding.reason, "no cell with it on was judged: b is invalid");
}

#[test]
fn a_wide_interval_neither_names_nor_clears() {
    let mut open = cell(&["a"], 6.0, 12.0);
    open.judgement.verdict = Verdict::Inconclusive;
    let isolation = said(&["a"], &[cell(&[], 0.0, 1.0), open]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Undecided, "{isolation:?}");
}

#[test]
fn where_one_cell_knows_no_requests_growth_is_reported_per_hour() {
    let mut cells = [cell(&[], 0.0, 1.0), cell(&["a"], 64.0, 1.0)];
    cells[0].judgement.growth.as_mut().expect("growth").per_request = None;
    let isolation = said(&["a"], &cells);
    let effect = isolation.flags[0].finding.effect.as_ref().expect("an effect");
    assert_eq!(effect.per_request, None);
    assert!((effect.per_hour.value.get() / BytesPerHour::per_second(6400.0).get() - 1.0).abs() < 0.05, "{effect:?}");
}

#[test]
fn a_cell_that_is_not_decided_clears_nothing_however_narrow_its_interval() {
    let mut open = cell(&["a"], 0.0, 0.1);
    open.judgement.verdict = Verdict::Inconclusive;
    let isolation = said(&["a"], &[cell(&[], 0.0, 0.1), open]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Undecided, "{isolation:?}");
}

/// The cells of the quick start in README.md, as they were measured: a minute each, 512 B/request worth finding.
#[test]
fn the_quick_start_is_reported_as_it_was() {
    let mut cells =
        [cell(&[], -0.26, 50.5), cell(&["sessions"], 3215.0, 1024.0), cell(&["cache", "render"], 0.0, 66.7)];
    for cell in &mut cells {
        let growth = cell.judgement.growth.as_mut().expect("growth");
        growth.source = MemorySource::Anonymous;
        growth.worth_finding = BytesPerRequest::new(512.0).at(growth.rate);
    }
    let isolation = said(&["sessions", "cache", "render"], &cells);
    let guilt: Vec<&Guilt> = isolation.flags.iter().map(|flag| &flag.finding.guilt).collect();
    assert_eq!(guilt, [&Guilt::Leaks, &Guilt::Innocent, &Guilt::Innocent]);
    insta::assert_snapshot!(isolation.sentence);
}

#[test]
fn what_no_flag_or_pair_explains_clears_none_of_its_flags() {
    let flags = ["a", "b", "c", "d"];
    let mut cells = vec![cell(&[], 0.1, 0.5), cell(&["a", "b", "c"], 16.0, 1.0), cell(&["d"], 0.0, 0.5)];
    cells.extend([["a", "b"], ["a", "c"], ["b", "c"]].map(|pair| cell(&pair, 0.2, 0.5)));
    let isolation = said(&flags, &cells);
    assert_eq!(isolation.unexplained, [CellId::parse("a+b+c")]);
    for (flag, guilt) in
        isolation.flags.iter().zip([Guilt::Undecided, Guilt::Undecided, Guilt::Undecided, Guilt::Innocent])
    {
        assert_eq!(flag.finding.guilt, guilt, "{}: {}", flag.flag, isolation.sentence);
    }
    insta::assert_snapshot!(isolation.sentence);
    // The same soaked again was calm: then the first was judged wrongly.
    let mut again = cell(&["a", "b", "c"], 0.1, 0.5);
    again.replicate = 2;
    cells.push(again);
    let isolation = said(&flags, &cells);
    assert!(isolation.unexplained.is_empty(), "{}", isolation.sentence);
    assert!(isolation.flags.iter().all(|flag| flag.finding.guilt == Guilt::Innocent), "{}", isolation.sentence);
}

#[test]
fn a_flag_that_keeps_memory_from_growing_is_named_and_no_other() {
    let flags = ["expiry", "cache", "labels"];
    let cells = vec![
        cell(&[], 16.0, 1.0),
        cell(&["expiry"], 0.1, 0.5),
        cell(&["cache"], 16.2, 1.0),
        cell(&["labels", "expiry"], 0.2, 0.5),
        cell(&["cache", "labels"], 15.9, 1.0),
        cell(&["cache", "expiry", "labels"], 0.1, 0.5),
    ];
    let isolation = said(&flags, &cells);
    let guilt: Vec<&Guilt> = isolation.flags.iter().map(|flag| &flag.finding.guilt).collect();
    assert_eq!(guilt, [&Guilt::LeaksOff, &Guilt::Innocent, &Guilt::Innocent], "{}", isolation.sentence);
    let effect = isolation.flags[0].finding.effect.as_ref().and_then(|effect| effect.per_request).expect("an effect");
    assert!(effect.low.get() < 16.0 && 16.0 < effect.high.get(), "{effect}");
    insta::assert_snapshot!(isolation.sentence);
}

/// `cache` leaks only where `evict` is off.
fn without_eviction(flags: &[&str]) -> Outcome {
    let growth = if flags.contains(&"cache") && !flags.contains(&"evict") { 400.0 } else { 0.0 };
    cell(flags, growth, 1.0)
}

#[test]
fn a_flag_that_leaks_only_where_another_is_off_is_named_with_it_and_nothing_else() {
    let flags = ["cache", "evict", "labels", "tenants"];
    let sets = (0..16).map(|bits| {
        let on = flags.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
        on.map(|(_, flag)| *flag).collect::<Vec<&str>>()
    });
    let cells: Vec<Outcome> = sets.map(|on| without_eviction(&on)).collect();
    let isolation = said(&flags, &cells);
    let guilt: Vec<&Guilt> = isolation.flags.iter().map(|flag| &flag.finding.guilt).collect();
    let without = Guilt::LeaksWithout(["evict"].into_iter().collect());
    assert_eq!(guilt, [&without, &Guilt::Innocent, &Guilt::Innocent, &Guilt::Innocent], "{}", isolation.sentence);
    insta::assert_snapshot!(isolation.sentence);
    // One at a time: any of those that are off beside it may be what cleans up where all are on.
    let cells: Vec<Outcome> = cells.into_iter().filter(|cell| [0, 1, 4].contains(&cell.flags.iter().count())).collect();
    insta::assert_snapshot!(said(&flags, &cells).sentence);
}

/// As a short cell without live bytes is judged: what the allocator may do by itself counts.
fn short(flags: &[&str], growth: f64, interval: (f64, f64), verdict: Verdict) -> Outcome {
    let mut outcome = cell(flags, growth, 1.0);
    outcome.judgement.verdict = verdict;
    let fitted = outcome.judgement.growth.as_mut().expect("growth");
    let per_request = Estimate { value: growth, low: interval.0, high: interval.1 }.map(BytesPerRequest::new);
    fitted.per_request = Some(per_request);
    fitted.per_hour = per_request.map(|growth| growth.at(fitted.rate));
    fitted.ceiling = fitted.per_hour.high;
    fitted.floor = fitted.per_hour.low;
    fitted.source = MemorySource::Anonymous;
    fitted.seconds = 120.0;
    fitted.least_growth = Bytes::mib(16);
    outcome
}

#[test]
fn a_leak_in_a_short_cell_names_its_flag_beside_one_that_is_clear_and_one_that_was_only_too_short() {
    // 16 MiB in two minutes are 1.4 KiB/request: that the verdict has weighed.
    let with = || short(&["a"], 2200.0, (2140.0, 2250.0), Verdict::Leak);
    for verdict in [Verdict::Stable, Verdict::Inconclusive] {
        let isolation = said(&["a"], &[short(&[], 0.0, (-2.5, 1.2), verdict), with()]);
        let finding = &isolation.flags[0].finding;
        assert_eq!(finding.guilt, Guilt::Leaks, "{verdict}: {}", isolation.sentence);
        let effect = finding.effect.as_ref().and_then(|effect| effect.per_request).expect("an effect");
        assert!(effect.low.get() > 1000.0 && effect.high.get() < 3400.0, "{effect}");
    }
    // A cell that could have hidden as much tells nothing.
    let blind = short(&[], 0.0, (-3000.0, 3000.0), Verdict::Inconclusive);
    assert_eq!(said(&["a"], &[blind, with()]).flags[0].finding.guilt, Guilt::Undecided);
}

#[test]
fn growth_that_is_not_decided_is_not_a_leak_of_its_flag() {
    // The allocator may have taken all of it.
    let cells =
        [short(&[], 0.0, (-2.5, 1.2), Verdict::Stable), short(&["a"], 220.0, (214.0, 225.0), Verdict::Inconclusive)];
    let finding = &said(&["a"], &cells).flags[0].finding;
    assert_eq!(finding.guilt, Guilt::Undecided, "{finding:?}");
    assert!(finding.posterior.is_some_and(|posterior| posterior > 0.05), "{finding:?}");
}

/// A cell that climbed this many bytes per request in jumps; a line through them reaches to zero.
fn staircase(flags: &[&str], climbed: f64) -> Outcome {
    let mut outcome = cell(flags, 0.6 * climbed, 1.4 * climbed);
    outcome.judgement.verdict = Verdict::Step;
    let fitted = outcome.judgement.growth.as_mut().expect("growth");
    let bytes = BytesPerRequest::new(climbed).at(fitted.rate).get_per_second() * fitted.seconds;
    fitted.jumps = Jumps {
        count: 4,
        total: Bytes::new(bytes as u64),
        last_at: 0.9,
        dominant: true,
        spread: true,
        ..Jumps::default()
    };
    outcome
}

#[test]
fn a_staircase_names_its_flag_and_clears_no_other_by_its_width() {
    let isolation = said(&["a"], &[cell(&[], 0.1, 1.0), staircase(&["a"], 64.0)]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Leaks, "{}", isolation.sentence);
    let effect = isolation.flags[0].finding.effect.as_ref().and_then(|effect| effect.per_request).expect("an effect");
    assert!(effect.low.get() > 32.0 && effect.low.get() < 64.0 && effect.high.get() > 64.0, "{effect}");
    // More such cells make it surer, and one that leaks steadily agrees with them.
    let cells =
        [cell(&[], 0.1, 1.0), staircase(&["a"], 64.0), staircase(&["a", "b"], 90.0), cell(&["a", "c"], 70.0, 3.0)];
    let isolation = said(&["a", "b", "c"], &cells);
    let guilt: Vec<&Guilt> = isolation.flags.iter().map(|flag| &flag.finding.guilt).collect();
    assert_eq!(guilt[0], &Guilt::Leaks, "{}", isolation.sentence);
    assert!(
        guilt[1..].iter().all(|guilt| matches!(guilt, Guilt::Innocent | Guilt::Undecided)),
        "{}",
        isolation.sentence
    );
}

#[test]
fn what_a_culprit_may_need_is_said_with_the_one_cell_that_would_tell_and_without_an_effect() {
    let flags = ["a", "x", "y", "z"];
    let cells = [cell(&[], 0.0, 1.0), cell(&flags, 220.0, 5.0), cell(&["x", "y", "z"], 0.5, 1.0)];
    let isolation = said(&flags, &cells);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Leaks);
    for flag in &isolation.flags[1..] {
        let finding = &flag.finding;
        assert_eq!((&finding.guilt, finding.effect.is_none()), (&Guilt::Undecided, true), "{flag:?}");
        assert_eq!(finding.needed_by.as_deref(), Some("a"), "{flag:?}");
        let settling = finding.settling.as_ref().expect("a cell");
        assert_eq!((&settling.flags, settling.replicate), (&["a"].into_iter().collect(), 1), "{flag:?}");
    }
    insta::assert_snapshot!(format!("{}\n{}", isolation.sentence, isolation.flags[1].finding.reason));
    let mut cells = cells.to_vec();
    cells.push(cell(&["a"], 221.0, 5.0));
    let isolation = said(&flags, &cells);
    assert!(isolation.flags[1..].iter().all(|flag| flag.finding.guilt == Guilt::Innocent), "{}", isolation.sentence);
}

#[test]
fn a_service_that_grew_until_it_ended_by_itself_has_leaked() {
    let mut killed = cell(&["a"], 512.0, 8.0);
    killed.judgement.verdict = Verdict::Crashed;
    let fitted = killed.judgement.growth.as_mut().expect("growth");
    (fitted.evidence, fitted.floor, fitted.second_half) = (60.0, fitted.per_hour.low, fitted.per_hour.value);
    let isolation = said(&["a"], &[cell(&[], 0.0, 1.0), killed.clone()]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Leaks, "{}", isolation.sentence);
    // One that did not grow says that it ends, and nothing of growth.
    killed.judgement.growth.as_mut().expect("growth").evidence = 0.5;
    let finding = said(&["a"], &[cell(&[], 0.0, 1.0), killed]).flags.remove(0).finding;
    assert_eq!((finding.guilt, finding.posterior), (Guilt::Crashes, None));
}

#[test]
fn memory_that_falls_without_a_flag_is_no_growth_with_it() {
    let mut falling = cell(&[], -400.0, 5.0);
    falling.judgement.verdict = Verdict::Stable;
    let isolation = said(&["a"], &[falling, cell(&["a"], 0.2, 1.0)]);
    assert_eq!(isolation.flags[0].finding.guilt, Guilt::Innocent, "{}", isolation.sentence);
}

#[test]
fn soaks_of_one_cell_that_disagree_are_reported_and_another_would_settle_it() {
    let mut again = cell(&["a"], 0.1, 1.0);
    (again.replicate, again.cell) = (2, CellId::parse("a#2"));
    let isolation = said(&["a"], &[cell(&[], 0.0, 1.0), cell(&["a"], 64.0, 2.0), again]);
    let finding = &isolation.flags[0].finding;
    assert_eq!(finding.guilt, Guilt::Undecided, "{}", isolation.sentence);
    assert!(finding.reason.contains("the same cell was leak as a and stable as a#2"), "{}", finding.reason);
    let settling = finding.settling.as_ref().expect("a cell");
    assert_eq!((&settling.flags, settling.replicate), (&["a"].into_iter().collect(), 3));
}

#[test]
fn each_flag_that_is_undecided_has_what_would_settle_it() {
    let mut open = cell(&["c"], 6.0, 12.0);
    open.judgement.verdict = Verdict::Inconclusive;
    open.judgement.need = Some(Duration::from_mins(45));
    let mut invalid = cell(&["d"], 0.0, 1.0);
    invalid.judgement.verdict = Verdict::Invalid;
    let cells = [cell(&[], 0.0, 1.0), cell(&["a", "b"], 64.0, 2.0), open, invalid];
    let isolation = said(&["a", "b", "c", "d", "e"], &cells);
    let settled: Vec<String> = isolation
        .flags
        .iter()
        .map(|flag| {
            let settling = flag.finding.settling.as_ref().expect(&flag.flag);
            let length =
                settling.length.map_or_else(String::new, |length| format!(" for {} min", length.as_secs() / 60));
            format!("{}: {}#{}{length}", flag.flag, settling.flags, settling.replicate)
        })
        .collect();
    assert_eq!(settled, ["a: b#1", "b: a#1", "c: c#1 for 45 min", "d: d#1", "e: e#1"]);
}

/// A cell whose fitted phases are clear, and which grew by this many MiB per hour once the load was gone.
fn after_load(flags: &[&str], mib_per_hour: f64) -> Outcome {
    let idle = "[[phases]]\nname = \"after\"\nrole = \"idle\"\nshape = \"pause\"\nduration = \"20m\"\n";
    let scenario = decoded(&sound("20m", idle));
    let mut trace = soaked(&scenario, &SimService::default());
    for sample in &mut trace.samples {
        let idle = (sample.t_s.as_secs_f64() - 1200.0).max(0.0);
        let grown = Bytes::new((idle / 3600.0 * mib_per_hour * 1_048_576.0) as u64);
        sample.memory.anon_bytes = sample.memory.anon_bytes + grown;
    }
    trace.header.flags = flags.iter().copied().collect::<FlagSet>();
    trace.header.cell = CellId::parse(&if flags.is_empty() { "baseline".to_owned() } else { flags.join("+") });
    Outcome::of(&trace)
}

#[test]
fn growth_in_an_idle_phase_only_is_isolated_per_hour() {
    let cells = [
        after_load(&[], 0.0),
        after_load(&["timer"], 20.0),
        after_load(&["cache"], 0.0),
        after_load(&["cache", "timer"], 20.0),
    ];
    assert_eq!(cells[1].grows_in, Some(vec!["after".to_owned()]), "{}", cells[1].judgement.reason);
    let isolation = said(&["cache", "timer"], &cells);
    let guilt: Vec<&Guilt> = isolation.flags.iter().map(|flag| &flag.finding.guilt).collect();
    assert_eq!(guilt, [&Guilt::Innocent, &Guilt::Leaks], "{isolation:?}");
    assert!(isolation.flags[1].finding.reason.starts_with("in `after`: "), "{isolation:?}");
    assert!(
        isolation.sentence.contains("`timer` leaks 20.0 ") && isolation.sentence.contains(" per hour"),
        "{isolation:?}"
    );
    let flags = ["cache".to_owned(), "timer".to_owned()];
    let measured = steep_judge::isolation::measured(&flags, &judged_cells(&cells));
    let growth: Vec<bool> = measured.iter().map(|cell| cell.growth > 10.0).collect();
    assert_eq!(growth, [false, true, false, true], "{measured:?}");
}

#[test]
fn a_leak_under_load_and_another_in_idle_are_both_named() {
    let with_growth = |flags: &[&str], growth: f64, idle: f64| {
        let mut outcome = after_load(flags, idle);
        let leaking = cell(flags, growth, 1.0);
        if growth > 4.0 {
            let fitted = outcome.phases.iter_mut().find(|phase| phase.fitted).expect("a fitted phase");
            fitted.judgement = leaking.judgement.clone();
            outcome.judgement = leaking.judgement;
            outcome.grows_in = None;
        }
        outcome
    };
    let cells = [with_growth(&[], 0.0, 0.0), with_growth(&["labels"], 64.0, 0.0), with_growth(&["timer"], 0.0, 20.0)];
    let isolation = said(&["labels", "timer"], &cells);
    let guilt: Vec<&Guilt> = isolation.flags.iter().map(|flag| &flag.finding.guilt).collect();
    assert_eq!(guilt, [&Guilt::Leaks, &Guilt::Leaks], "{isolation:?}");
    assert!(isolation.sentence.contains(" per request") && isolation.sentence.contains(" per hour"), "{isolation:?}");
}
