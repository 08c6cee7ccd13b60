//! What a judgement takes: half an hour and an hour at one reading a second, and series of 10⁵ and 10⁷ readings.
//!
//! `cargo bench --bench judge`. Limits on one core: 5 ms, 15 ms, 2 s. A look at a soak under way, of a day at one
//! reading a second, may take 20 ms.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use steep_judge::growth::{Materiality, Reading, RunningSeries, Series};
use steep_judge::simulator::{Family, Recipe, simulate};
use steep_judge::verdict::judge;

/// Bytes that each request keeps: none of the cases is decided by its first glance.
const LEAK: f64 = 4.0;

/// Requests a second.
const RPS: f64 = 2000.0;

/// A series of a leaking family; without knowledge of its disturbances they are guessed, which takes longer.
fn series(family: Family, seconds: usize, known: bool) -> Series {
    simulate(&Recipe { family, seconds, leak: LEAK, rps: Some(RPS), known, seed: 7, index: 0 }).series
}

fn judgements(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge");
    for (name, family, seconds, known) in [
        ("30 min, steady", Family::LeakLinear, 1800, true),
        ("30 min, varying", Family::LeakDiurnal, 1800, true),
        ("30 min, varying and disturbed", Family::LeakSpikes, 1800, false),
        ("60 min, steady", Family::LeakLinear, 3600, true),
        ("10^5 readings, steady", Family::LeakLinear, 100_000, true),
        ("10^5 readings, varying", Family::LeakDiurnal, 100_000, true),
        ("10^7 readings, steady", Family::LeakLinear, 10_000_000, true),
        ("10^7 readings, varying", Family::LeakDiurnal, 10_000_000, true),
    ] {
        let series = series(family, seconds, known);
        // The least that criterion takes: ten samples of the longest take some twenty seconds.
        group.sample_size(if seconds > 1_000_000 { 10 } else { 50 });
        group.measurement_time(Duration::from_secs(5));
        group.bench_function(name, |bench| {
            bench.iter(|| judge(black_box(&series), &Materiality::default()));
        });
    }
    group.finish();
}

/// The series as far as it was read after `seconds`.
fn running(series: &Series, seconds: usize) -> RunningSeries {
    let mut running = RunningSeries::default();
    for index in 0..seconds {
        running.push(Reading {
            t_s: series.t_s[index],
            memory_bytes: series.memory_bytes[index],
            live_bytes: f64::NAN,
            requests: series.requests[index],
        });
    }
    series.disturbances_s.iter().flatten().for_each(|moment| running.disturbed(*moment));
    running
}

fn looks(criterion: &mut Criterion) {
    const DAY: usize = 86_400;
    /// The most readings that are kept: what a look costs at the most.
    const MOST: usize = 14_400;
    let mut group = criterion.benchmark_group("look");
    for (name, family, seconds) in [
        ("4 h, steady", Family::LeakLinear, MOST),
        ("4 h, varying", Family::LeakDiurnal, MOST),
        ("4 h, peaks", Family::LeakSpikes, MOST),
        ("24 h, steady", Family::LeakLinear, DAY),
        ("24 h, varying", Family::LeakDiurnal, DAY),
        ("24 h, peaks", Family::LeakSpikes, DAY),
    ] {
        let running = running(&series(family, seconds, true), seconds);
        group.sample_size(50);
        group.bench_function(name, |bench| {
            bench.iter(|| black_box(&running).growth(&Materiality::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, judgements, looks);
criterion_main!(benches);
