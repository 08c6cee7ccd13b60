//! Allocators side by side: what is compared, and when one is said to be best.

use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution as _, StandardNormal};
use steep_core::allocators::{Comparison, Figure, Measure, compare};
use steep_core::outcome::Outcome;
use steep_core::report::{Layout, Report, Results, terminal};
use steep_core::scenario::{Axis, AxisKind};
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_core::trace::Percentiles;
use steep_judge::ids::FlagSet;
use steep_judge::units::Bytes;
use steep_judge::verdict::Verdict;

use super::simulated;

const ALLOCATORS: [&str; 3] = ["system", "jemalloc", "mimalloc"];

fn axis() -> Axis {
    Axis { name: "allocator".to_owned(), kind: AxisKind::Allocator, values: ALLOCATORS.map(str::to_owned).to_vec() }
}

/// A cell with figures of its own.
fn cell(allocator: &str, replicate: u32) -> Outcome {
    static SOAKED: OnceLock<Outcome> = OnceLock::new();
    let soaked = SOAKED.get_or_init(|| {
        let scenario = decoded(&sound("10m", ""));
        let service = SimService { probe: true, ..SimService::default() };
        Outcome::of(&simulated::soaked(&scenario, &service))
    });
    let mut outcome = soaked.clone();
    outcome.axes.insert("allocator".to_owned(), allocator.to_owned());
    outcome.replicate = replicate;
    outcome
}

/// What the real figures are, and how far chance moves each from soak to soak.
struct World {
    peak_mib: [f64; 3],
    p99_ms: [f64; 3],
    chance: f64,
    /// What a soak of the second replicate has more of all than one of the first, and so on.
    drift: f64,
}

/// No two allocators differ.
const ALIKE: World = World { peak_mib: [64.0; 3], p99_ms: [2.0; 3], chance: 0.02, drift: 0.1 };

fn soaked(world: &World, replicates: u32, seed: u64) -> Vec<Outcome> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut cells = Vec::new();
    for replicate in 1..=replicates {
        let drift = 1.0 + world.drift * f64::from(replicate);
        for (place, allocator) in ALLOCATORS.into_iter().enumerate() {
            let mut moved = |value: f64| {
                let chance: f64 = StandardNormal.sample(&mut random);
                value * drift * (1.0 + world.chance * chance)
            };
            let mut cell = cell(allocator, replicate);
            let (peak, p99) = (moved(world.peak_mib[place]), moved(world.p99_ms[place]));
            cell.peak_bytes = Some(Bytes::new((peak * 1_048_576.0) as u64));
            let times =
                Percentiles { p50_us: moved(900.0) as u64, p99_us: (p99 * 1000.0) as u64, ..Percentiles::default() };
            cell.latency.insert("get".to_owned(), times);
            let growth = cell.judgement.growth.as_mut().expect("growth");
            growth.per_hour =
                growth.per_hour.map(|growth| steep_judge::units::BytesPerHour::new(moved(1e5) + growth.get()));
            let figures = cell.figures.as_mut().expect("figures");
            figures.settled_anon_bytes = Bytes::new(moved(5e7) as u64);
            figures.resident_over_live = Some(moved(1.5));
            figures.cpu_us_per_request = Some(moved(80.0));
            figures.requests_per_s = Some(moved(100.0));
            cells.push(cell);
        }
    }
    cells
}

fn only(cells: &[Outcome]) -> Comparison {
    let mut comparisons = compare(&axis(), cells);
    assert_eq!(comparisons.len(), 1);
    comparisons.remove(0)
}

fn best(comparison: &Comparison, measure: Measure) -> Option<&str> {
    let best = comparison.allocators.iter().find(|row| row.figures.get(&measure).is_some_and(|figure| figure.best));
    best.map(|row| row.allocator.as_str())
}

/// The part of the report that is about allocators.
fn report(outcomes: Vec<Outcome>, axis: Axis) -> String {
    let report = Report::new(Results {
        name: "shop".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        flags: Vec::new(),
        fail_on: Vec::new(),
        known: Vec::new(),
        axes: vec![axis],
        overnight: None,
        missing: Vec::new(),
        not_asked: Vec::new(),
        outcomes,
    });
    let text = terminal(&report, Layout::default());
    let lines = text.lines().skip_while(|line| !line.starts_with("allocators") && !line.contains("cannot be"));
    lines.take_while(|line| !line.starts_with("Growth worth")).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn figures_are_of_the_second_half_of_a_soak() {
    let scenario = decoded(&sound("10m", ""));
    let mut trace = simulated::soaked(&scenario, &SimService { probe: true, ..SimService::default() });
    let middle = trace.last_moment().as_secs_f64() / 2.0;
    for sample in &mut trace.samples {
        let is_late = sample.t_s.as_secs_f64() >= middle;
        sample.memory.anon_bytes = Bytes::new(if is_late { 3000 } else { 9000 });
        sample.memory.shmem_bytes = Bytes::ZERO;
        sample.live.as_mut().expect("live bytes").live_bytes = Bytes::new(2000);
        // 80 µs for each request, and much more at the start.
        sample.activity.cpu_s = 5.0 + sample.completed() as f64 * 80e-6;
    }
    trace.samples[0].activity.cpu_s = 0.0;
    let figures = Outcome::of(&trace).figures.expect("figures");
    assert_eq!((figures.settled_anon_bytes, figures.resident_over_live), (Bytes::new(3000), Some(1.5)));
    assert!((figures.cpu_us_per_request.expect("CPU") - 80.0).abs() < 1e-6, "{figures:?}");
    assert!((figures.requests_per_s.expect("requests") - 100.0).abs() < 5.0, "{figures:?}");
    // The CPU time of a process that is gone is lost.
    trace.samples.last_mut().expect("samples").processes[0].pid += 1;
    assert_eq!(Outcome::of(&trace).figures.and_then(|figures| figures.cpu_us_per_request), None);
}

#[test]
fn more_allocators_than_fit_stand_below_each_other() {
    let mut cells = soaked(&ALIKE, 2, 7);
    for (allocator, other) in [("system", "snmalloc"), ("jemalloc", "tcmalloc")] {
        let like = cells.iter().filter(|cell| cell.axes["allocator"] == allocator).cloned();
        let renamed: Vec<Outcome> = like
            .map(|mut cell| {
                cell.axes.insert("allocator".to_owned(), other.to_owned());
                cell
            })
            .collect();
        cells.extend(renamed);
    }
    let mut axis = axis();
    axis.values.extend(["snmalloc".to_owned(), "tcmalloc".to_owned()]);
    let text = report(cells, axis);
    assert!(text.lines().all(|line| line.chars().count() <= 80) && !text.contains('…'), "{text}");
    // Two, two and one.
    assert_eq!(text.matches("allocators  ").count(), 3, "{text}");
}

#[test]
fn where_nothing_differs_a_table_has_a_best_one_in_no_more_than_one_of_twenty() {
    const TABLES: u64 = 1000;
    let marked = (0..TABLES).filter(|&seed| {
        let comparison = only(&soaked(&ALIKE, 3, seed));
        Measure::ALL.into_iter().any(|measure| best(&comparison, measure).is_some())
    });
    let marked = marked.count();
    assert!(marked <= 50, "{marked} of {TABLES}");
}

#[test]
fn two_that_are_alike_are_told_apart_no_more_often_by_a_third_that_is_worse() {
    const TABLES: u64 = 1000;
    let world = World { peak_mib: [64.0, 64.0, 128.0], p99_ms: [2.0, 2.0, 9.0], ..ALIKE };
    let marked = (0..TABLES).filter(|&seed| {
        let comparison = only(&soaked(&world, 3, seed));
        [Measure::PeakBytes, Measure::P99Us].into_iter().any(|measure| best(&comparison, measure).is_some())
    });
    let marked = marked.count();
    assert!(marked <= 13, "{marked} of {TABLES}: two figures of eight, 50 for all");
}

#[test]
fn what_differs_is_marked_however_the_host_drifts() {
    let world = World { peak_mib: [96.0, 64.0, 80.0], p99_ms: [2.0, 2.0, 6.0], chance: 0.01, drift: 0.2 };
    let comparison = only(&soaked(&world, 5, 1));
    assert_eq!(comparison.replicates, 5);
    assert_eq!(best(&comparison, Measure::PeakBytes), Some("jemalloc"));
    // Two are better than the third, and neither is better than the other.
    assert_eq!(best(&comparison, Measure::P99Us), None);
    assert_eq!(best(&comparison, Measure::RequestsPerS), None);
}

#[test]
fn most_throughput_is_best() {
    let mut cells = soaked(&World { chance: 0.001, drift: 0.0, ..ALIKE }, 4, 2);
    for cell in cells.iter_mut().filter(|cell| cell.axes["allocator"] == "mimalloc") {
        let figures = cell.figures.as_mut().expect("figures");
        figures.requests_per_s = figures.requests_per_s.map(|rate| 2.0 * rate);
    }
    assert_eq!(best(&only(&cells), Measure::RequestsPerS), Some("mimalloc"));
}

#[test]
fn a_figure_is_the_mean_over_replicates_with_students_interval() {
    let mut cells: Vec<Outcome> =
        [1, 2, 3].iter().flat_map(|&n| ["system", "jemalloc"].map(|name| cell(name, n))).collect();
    for (cell, peak) in cells.iter_mut().zip([10, 50, 12, 50, 14, 50]) {
        cell.peak_bytes = Some(Bytes::new(peak));
    }
    let comparison = only(&cells);
    let Figure { estimate, best } = comparison.allocators[0].figures[&Measure::PeakBytes];
    // scipy.stats.t.interval(0.95, 2, 12, 2 / 3 ** 0.5)
    assert!((estimate.value - 12.0).abs() < 1e-9 && (estimate.low - 7.031_724).abs() < 1e-5, "{estimate:?}");
    assert!((estimate.high - 16.968_276).abs() < 1e-5 && best, "{estimate:?}");
}

#[test]
fn replicates_that_were_not_soaked_to_the_end_under_every_allocator_do_not_count() {
    let mut cells = soaked(&ALIKE, 3, 3);
    cells[0].judgement.verdict = Verdict::Invalid;
    assert_eq!(only(&cells).replicates, 2);
    cells[3].cut_short = Some("interrupted".to_owned());
    let comparison = only(&cells);
    assert_eq!(comparison.replicates, 1);
    assert!(comparison.allocators.iter().all(|row| row.figures.is_empty()));
}

#[test]
fn what_is_not_known_of_every_cell_is_left_out() {
    let mut cells = soaked(&ALIKE, 3, 4);
    cells[4].figures.as_mut().expect("figures").resident_over_live = None;
    let figures = &only(&cells).allocators[0].figures;
    assert!(!figures.contains_key(&Measure::ResidentOverLive) && figures.contains_key(&Measure::PeakBytes));
}

#[test]
fn each_flag_set_has_a_table_of_its_own() {
    let mut cells = soaked(&ALIKE, 2, 5);
    let mut others = soaked(&ALIKE, 2, 6);
    for cell in &mut others {
        cell.flags = ["cache"].into_iter().collect::<FlagSet>();
    }
    cells.extend(others);
    let comparisons = compare(&axis(), &cells);
    assert_eq!(comparisons.len(), 2);
    let one: Vec<Outcome> = cells.into_iter().filter(|cell| cell.axes["allocator"] == "system").collect();
    assert_eq!(compare(&axis(), &one), []);
}

#[test]
fn the_table_says_what_is_best_and_what_stands_behind_it() {
    let world = World { peak_mib: [96.0, 64.0, 80.0], p99_ms: [2.0, 2.0, 6.0], chance: 0.01, drift: 0.0 };
    insta::assert_snapshot!(report(soaked(&world, 5, 1), axis()));
    insta::assert_snapshot!(report(soaked(&world, 1, 1), axis()));
}
