//! What flags and axes cost by being on, beside growth: by which cells, how surely, and in which words.

use std::sync::OnceLock;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution as _, StandardNormal};
use steep_core::levels::{FactorLevels, Levels, MEASURES, levels, sentence};
use steep_core::outcome::{Measure, Outcome, Start};
use steep_core::report::{Layout, Report, Results, terminal};
use steep_core::scenario::{Axis, AxisKind};
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_core::trace::Percentiles;
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::units::{Bytes, BytesPerHour, Estimate};
use steep_judge::verdict::Verdict;

use super::simulated::soaked;

const MIB: f64 = 1_048_576.0;

/// What a cell costs.
#[derive(Clone, Copy)]
struct Costs {
    start_mib: f64,
    settled_mib: f64,
    peak_mib: f64,
    /// Standard deviation within the soak.
    moved_mib: f64,
    p99_ms: f64,
    cpu_us: f64,
}

const SMALL: Costs =
    Costs { start_mib: 2.0, settled_mib: 2.1, peak_mib: 4.0, moved_mib: 0.02, p99_ms: 2.0, cpu_us: 80.0 };

fn bytes(mib: f64) -> Bytes {
    Bytes::new((mib.max(0.0) * MIB) as u64)
}

fn cell(flags: &[&str], costs: Costs) -> Outcome {
    static SOAKED: OnceLock<Outcome> = OnceLock::new();
    let soaked = SOAKED.get_or_init(|| {
        let scenario = decoded(&sound("10m", ""));
        Outcome::of(&soaked(&scenario, &SimService { probe: true, ..SimService::default() }))
    });
    let mut outcome = soaked.clone();
    outcome.flags = flags.iter().copied().collect::<FlagSet>();
    outcome.cell = CellId::parse(&if flags.is_empty() { "baseline".to_owned() } else { flags.join("+") });
    outcome.peak_bytes = Some(bytes(costs.peak_mib));
    let times = Percentiles { p99_us: (costs.p99_ms * 1000.0) as u64, ..Percentiles::default() };
    outcome.latency.insert("get".to_owned(), times);
    let figures = outcome.figures.as_mut().expect("figures");
    figures.settled_anon_bytes = bytes(costs.settled_mib);
    figures.settled_anon_deviation_bytes = bytes(costs.moved_mib);
    let anon_deviation_bytes = bytes(costs.moved_mib);
    figures.start = Some(Start { anon_bytes: bytes(costs.start_mib), anon_deviation_bytes, after_s: 90.0 });
    figures.cpu_us_per_request = Some(costs.cpu_us);
    figures.cpu_error_us_per_request = Some(0.2);
    outcome
}

/// More memory of every kind.
fn with_memory(costs: Costs, mib: f64) -> Costs {
    let Costs { start_mib, settled_mib, peak_mib, .. } = costs;
    Costs { start_mib: start_mib + mib, settled_mib: settled_mib + mib, peak_mib: peak_mib + mib, ..costs }
}

/// The cell with this value of an axis.
fn under(axis: &str, value: &str, mut outcome: Outcome) -> Outcome {
    outcome.axes.insert(axis.to_owned(), value.to_owned());
    outcome.cell = CellId::parse(&format!("{}@{axis}={value}", outcome.cell));
    outcome
}

fn axis(name: &str, kind: AxisKind, values: &[&str]) -> Axis {
    Axis { name: name.to_owned(), kind, values: values.iter().map(ToString::to_string).collect() }
}

fn of(flags: &[&str], axes: &[Axis], cells: &[Outcome]) -> Levels {
    levels(&flags.iter().map(ToString::to_string).collect::<Vec<_>>(), axes, cells)
}

fn factor<'l>(levels: &'l Levels, name: &str) -> &'l FactorLevels {
    levels.factors.iter().find(|factor| factor.names.iter().any(|known| known == name)).expect(name)
}

fn estimate(levels: &Levels, name: &str, measure: Measure) -> Option<Estimate<f64>> {
    factor(levels, name).level(measure).map(|level| level.estimate)
}

fn is_said(levels: &Levels) -> bool {
    levels.factors.iter().any(FactorLevels::is_said)
}

fn report(flags: &[&str], axes: Vec<Axis>, outcomes: Vec<Outcome>) -> Report {
    Report::new(Results {
        name: "shop".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        flags: flags.iter().map(ToString::to_string).collect(),
        fail_on: Vec::new(),
        known: Vec::new(),
        axes,
        overnight: None,
        missing: Vec::new(),
        not_asked: Vec::new(),
        outcomes,
    })
}

#[test]
fn a_flag_that_takes_memory_once_is_reported_so_and_does_not_read_as_innocent_alone() {
    let cells = vec![cell(&[], SMALL), cell(&["dictionary"], with_memory(SMALL, 38.0)), cell(&["cache"], SMALL)];
    let report = report(&["dictionary", "cache"], Vec::new(), cells);
    let text = terminal(&report, Layout::default());
    insta::assert_snapshot!(text);
    let levels = text.lines().skip_while(|line| !line.starts_with("adds")).take_while(|line| !line.starts_with("What"));
    assert!(levels.clone().count() >= 6 && levels.clone().all(|line| line.chars().count() <= 80), "{text}");
    let json = serde_json::to_value(&report).expect("JSON");
    let level = &json["levels"]["factors"][0]["adds"]["settled_anon_bytes"];
    let number = |key: &str| level[key].as_f64().expect(key) / MIB;
    assert!((number("value") - 38.0).abs() < 0.01 && number("low") > 34.0 && number("high") < 42.0, "{level}");
    assert_eq!(level["is_said"], true);
    assert_eq!(json["levels"]["factors"][1]["adds"]["settled_anon_bytes"]["is_said"], false);
}

#[test]
fn less_memory_is_saved_and_what_grows_later_is_not_there_from_the_start() {
    let late = Costs { start_mib: SMALL.start_mib, ..with_memory(SMALL, 30.0) };
    let cells = [cell(&[], with_memory(SMALL, 60.0)), cell(&["lean"], SMALL), cell(&["late"], with_memory(late, 60.0))];
    let levels = of(&["late", "lean"], &[], &cells);
    let said = |name: &str| sentence(factor(&levels, name), "it does not grow").expect("a sentence");
    assert!(said("lean").starts_with("`lean` saves 60.0 ("), "{}", said("lean"));
    assert!(
        said("lean").ends_with("; it does not grow") && said("lean").contains("from the start"),
        "{}",
        said("lean")
    );
    assert!(said("late").contains("MiB of settled memory and"), "{}", said("late"));
}

#[test]
fn latency_and_cpu_are_reported_by_their_ratio_and_shown_in_their_unit() {
    let slow = Costs { p99_ms: 240.0, cpu_us: 320.0, ..SMALL };
    let levels = of(&["slow"], &[], &[cell(&[], SMALL), cell(&["slow"], slow)]);
    let Estimate { value, low, high } = estimate(&levels, "slow", Measure::P99Us).expect("p99");
    assert!((value - 238_000.0).abs() < 1.0 && low > 50_000.0 && high > 600_000.0, "{low} {high}");
    let said = sentence(factor(&levels, "slow"), "").expect("a sentence");
    assert!(said.contains("in the 99th percentile of latency and 240 ("), "{said}");
    // Three times the latency in one soak is what chance does where cores are shared.
    let chance = Costs { p99_ms: 6.0, ..SMALL };
    assert!(!is_said(&of(&["slow"], &[], &[cell(&[], SMALL), cell(&["slow"], chance)])));
}

#[test]
fn more_soaks_tell_smaller_levels() {
    let services = |replicates: u32, mib: f64| -> Vec<Outcome> {
        let pair = |replicate: u32| {
            let chance = 0.05 * f64::from(replicate % 3);
            let base = with_memory(SMALL, 60.0 + chance);
            [cell(&[], base), cell(&["index"], with_memory(base, mib))].map(|outcome| Outcome {
                replicate,
                cell: CellId::parse(&format!("{}#{replicate}", outcome.cell)),
                ..outcome
            })
        };
        (1..=replicates).flat_map(pair).collect()
    };
    let width = |replicates: u32| {
        let levels = of(&["index"], &[], &services(replicates, 6.0));
        let Estimate { low, high, .. } = estimate(&levels, "index", Measure::SettledAnonBytes).expect("settled");
        (is_said(&levels), high - low)
    };
    let (one, eight) = (width(1), width(8));
    assert!(!one.0 && eight.0 && eight.1 < one.1 / 3.0, "{one:?} {eight:?}");
}

#[test]
fn a_cell_that_grows_is_compared_as_it_was_at_the_start() {
    let mut leaking = cell(&["orders"], with_memory(SMALL, 38.0 + 3.0));
    leaking.judgement.verdict = Verdict::Leak;
    leaking.judgement.anonymous = None;
    let growth = leaking.judgement.growth.as_mut().expect("growth");
    // 3 MiB in the 90 s until the middle of the start.
    growth.per_hour = Estimate { value: 120.0, low: 118.0, high: 122.0 }.map(|mib| BytesPerHour::new(mib * MIB));
    let cells = vec![cell(&[], SMALL), leaking];
    let levels = of(&["orders"], &[], &cells);
    assert_eq!(estimate(&levels, "orders", Measure::SettledAnonBytes), None);
    assert_eq!(estimate(&levels, "orders", Measure::PeakBytes), None);
    let start = estimate(&levels, "orders", Measure::StartAnonBytes).expect("the start");
    assert!((start.value / MIB - 38.0).abs() < 0.01, "{start:?}");
    let described = terminal(&report(&["orders"], Vec::new(), cells), Layout::default());
    let described = described.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(described.contains("of memory at the start; that is beside its growth"), "{described}");
    assert!(described.contains("left out of settled memory and peak: orders: its memory grows"), "{described}");
}

#[test]
fn cells_that_were_not_soaked_as_planned_say_nothing() {
    let spoilt = |verdict: Verdict| {
        let mut outcome = cell(&["dictionary"], with_memory(SMALL, 38.0));
        outcome.judgement.verdict = verdict;
        outcome
    };
    for verdict in [Verdict::Invalid, Verdict::Crashed] {
        assert_eq!(of(&["dictionary"], &[], &[cell(&[], SMALL), spoilt(verdict)]), Levels::default());
    }
    let cut = Outcome { cut_short: Some("interrupted after 20s".to_owned()), ..spoilt(Verdict::Stable) };
    let levels = of(&["cache", "dictionary"], &[], &[cell(&[], SMALL), cut, cell(&["cache"], SMALL)]);
    assert_eq!(levels.left_out.len(), 1);
    assert_eq!(levels.left_out[0].reason, "interrupted after 20s");
    assert!(levels.factors.iter().all(|factor| factor.names == ["cache"]));
}

#[test]
fn flags_that_the_same_cells_have_are_reported_as_one() {
    let cells = [cell(&[], SMALL), cell(&["a", "b"], with_memory(SMALL, 38.0)), cell(&["c"], SMALL)];
    let levels = of(&["a", "b", "c"], &[], &cells);
    assert_eq!(levels.factors[0].names, ["a", "b"]);
    let said = sentence(&levels.factors[0], "").expect("a sentence");
    assert!(said.starts_with("one of `a` and `b`, which the same cells had, adds 38.0 ("), "{said}");
    // One of two in each cell: only what the one is beside the other is known.
    let cells = [cell(&["ring"], with_memory(SMALL, 9.0)), cell(&["aws-lc"], SMALL)];
    assert_eq!(of(&["ring", "aws-lc"], &[], &cells).factors[0].names, ["ring", "not-aws-lc"]);
    // a, b, and both at once in a third that has c as well: nothing is known of any by itself.
    let cells = [cell(&["a"], SMALL), cell(&["b"], SMALL), cell(&["a", "b", "c"], with_memory(SMALL, 38.0))];
    let levels = of(&["a", "b", "c"], &[], &cells);
    assert!(!is_said(&levels), "{levels:?}");
}

#[test]
fn values_of_an_axis_are_reported_against_the_first_and_revisions_against_the_one_before() {
    let allocators = axis("allocator", AxisKind::Allocator, &["system", "jemalloc", "mimalloc"]);
    let costs = [("system", 45.0), ("jemalloc", 45.0), ("mimalloc", 90.0)];
    let cells = costs.map(|(name, mib)| under("allocator", name, cell(&[], with_memory(SMALL, mib))));
    let levels = of(&[], &[allocators], &cells);
    let said = sentence(factor(&levels, "allocator=mimalloc"), "").expect("a sentence");
    assert!(said.starts_with("`allocator=mimalloc` adds 45.0 (") && said.ends_with(", against `system`"), "{said}");
    assert_eq!(sentence(factor(&levels, "allocator=jemalloc"), ""), None);

    let releases = axis("release", AxisKind::Revision, &["v1", "v2", "v3"]);
    let costs = [("v1", 24.0), ("v2", 24.5), ("v3", 45.0)];
    let cells = costs.map(|(name, mib)| under("release", name, cell(&[], with_memory(SMALL, mib))));
    let levels = of(&[], &[releases], &cells);
    let said = sentence(factor(&levels, "since v3"), "it does not grow").expect("a sentence");
    assert!(said.starts_with("`since v3` adds 20.5 (") && said.ends_with(", against `v2`; it does not grow"), "{said}");
    assert_eq!(sentence(factor(&levels, "since v2"), ""), None);
}

#[test]
fn what_costs_only_in_company_does_not_add_up_and_is_reported() {
    let both = with_memory(SMALL, 200.0);
    let cells = vec![cell(&[], SMALL), cell(&["a"], SMALL), cell(&["b"], SMALL), cell(&["a", "b"], both)];
    let levels = of(&["a", "b"], &[], &cells);
    assert_eq!(levels.not_additive.len(), 3, "{levels:?}");
    let described = terminal(&report(&["a", "b"], Vec::new(), cells), Layout::default());
    assert!(described.contains("does not add up"), "{described}");
}

/// How far figures move from soak to soak, as was measured of eight services (docs/levels.md): settled memory in MiB,
/// and how far it moves between soaks and within; the peak; latency in ms, in the logarithm; CPU in the same.
struct Service {
    settled: [f64; 3],
    start: f64,
    peak: [f64; 2],
    latency: [f64; 2],
    cpu: f64,
}

const MEASURED: [Service; 8] = [
    Service { settled: [0.25, 0.003, 0.0], start: 0.003, peak: [2.3, 0.12], latency: [13.0, 0.2], cpu: 0.1 },
    Service { settled: [12.2, 1.6, 5.0], start: 8.0, peak: [55.0, 4.7], latency: [130.0, 0.58], cpu: 0.07 },
    Service { settled: [14.9, 0.53, 1.66], start: 0.12, peak: [70.0, 2.5], latency: [12.0, 0.12], cpu: 0.08 },
    Service { settled: [11.2, 0.018, 0.023], start: 0.005, peak: [21.0, 0.06], latency: [17.0, 0.3], cpu: 0.07 },
    Service { settled: [147.0, 13.4, 20.9], start: 8.2, peak: [203.0, 7.7], latency: [16.0, 0.79], cpu: 0.06 },
    Service { settled: [45.3, 0.22, 0.2], start: 0.22, peak: [49.7, 0.16], latency: [5.2, 0.14], cpu: 0.05 },
    Service { settled: [41.0, 1.5, 0.5], start: 1.5, peak: [51.5, 0.6], latency: [4.8, 0.21], cpu: 0.03 },
    Service { settled: [57.2, 1.95, 0.5], start: 1.95, peak: [68.5, 1.7], latency: [7.1, 0.35], cpu: 0.075 },
];

/// One soak of a service in which no flag does anything.
fn idle_cell(service: &Service, flags: &[&str], random: &mut ChaCha8Rng) -> Outcome {
    let mut chance = || -> f64 { StandardNormal.sample(random) };
    let [settled, between, within] = service.settled;
    let settled_mib = settled + between * chance();
    let costs = Costs {
        settled_mib,
        start_mib: settled + service.start * chance(),
        peak_mib: service.peak[0] + service.peak[1] * chance(),
        moved_mib: within * (0.3 * chance()).exp(),
        p99_ms: service.latency[0] * (service.latency[1] * chance()).exp(),
        cpu_us: 300.0 * (service.cpu * chance()).exp(),
    };
    cell(flags, costs)
}

#[test]
fn where_nothing_differs_nothing_is_said() {
    const RUNS: usize = 1000;
    let mut random = ChaCha8Rng::seed_from_u64(31);
    let flags = ["a", "b", "c", "d"];
    let mut inside = [0, 0];
    let mut said = 0;
    for run in 0..RUNS {
        let service = &MEASURED[run % MEASURED.len()];
        // Two cells, each alone, each left out, and a half fraction.
        let sets: Vec<Vec<&str>> = match run / MEASURED.len() % 4 {
            0 => vec![vec![], vec!["a"]],
            1 => std::iter::once(vec![]).chain(flags.iter().map(|flag| vec![*flag])).collect(),
            2 => {
                let but =
                    |out: usize| flags.iter().enumerate().filter(move |(at, _)| *at != out).map(|(_, flag)| *flag);
                std::iter::once(flags.to_vec()).chain((0..4).map(|out| but(out).collect())).collect()
            }
            _ => {
                let drawn = |set: usize| {
                    let parity = (set.count_ones() % 2) as usize;
                    let on = move |at: usize| if at < 3 { set >> at & 1 == 1 } else { parity == 1 };
                    flags.iter().enumerate().filter(move |(at, _)| on(*at)).map(|(_, flag)| *flag).collect()
                };
                (0..8).map(drawn).collect()
            }
        };
        let mut cells: Vec<Outcome> = sets.iter().map(|set| idle_cell(service, set, &mut random)).collect();
        let turn = (random.next_u64() % cells.len() as u64) as usize;
        cells.rotate_left(turn);
        let levels = of(&flags, &[], &cells);
        said += usize::from(is_said(&levels));
        for estimate in levels.factors.iter().flat_map(|factor| MEASURES.map(|m| factor.level(m))).flatten() {
            inside[usize::from((estimate.estimate.low..=estimate.estimate.high).contains(&0.0))] += 1;
        }
    }
    let share = f64::from(inside[1]) / f64::from(inside[0] + inside[1]);
    assert!(said * 100 <= RUNS, "{said} of {RUNS}");
    assert!(share > 0.93, "{share}");
}

proptest! {
    #[test]
    fn the_order_of_cells_makes_no_difference(seed in 0u64..1000, turn in 0usize..5) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let sets: [&[&str]; 5] = [&[], &["a"], &["b"], &["a", "c"], &["a", "b", "c"]];
        let mut cells: Vec<Outcome> =
            sets.iter().map(|set| idle_cell(&MEASURED[seed as usize % 8], set, &mut random)).collect();
        let flags = ["a", "b", "c"];
        let before = of(&flags, &[], &cells);
        cells.rotate_left(turn);
        cells.swap(0, 4);
        prop_assert_eq!(before, of(&flags, &[], &cells));
    }
}
