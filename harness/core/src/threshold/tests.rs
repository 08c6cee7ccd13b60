use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::scenario::Scenario;
use crate::scenario::decode::decode;
use crate::sim::{SimService, soak};
use crate::trace::{Activity, EndReason, Memory, ProcessId, Slower};

fn threshold(metric: Metric, bound: Bound, window: Option<u64>, abort_after: Option<u64>) -> Threshold {
    let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
    Threshold { metric, request: None, bound, window: seconds(window), abort_after: seconds(abort_after) }
}

fn scenario(more: &str) -> Scenario {
    let text = format!(
        r#"
name = "watched"
[service]
command = ["shop"]
url = "http://127.0.0.1:{{{{port}}}}"
[[phases]]
name = "warmup"
role = "warmup"
shape = "ramp"
start_rate = 0
target_rate = 100
duration = "2m"
[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 100
duration = "10m"
[[requests]]
name = "get"
path = "/"
{more}"#
    );
    let decoded = decode(&text);
    decoded.scenario.unwrap_or_else(|| panic!("{:#?}", decoded.problems))
}

/// The header of a soak of [`scenario`]: soaked once.
static HEADER: LazyLock<Header> =
    LazyLock::new(|| soak(&scenario(""), &SimService::default(), &[]).expect("a trace").header);

/// A watch over one threshold, in the phases of [`scenario`].
fn watch(threshold: Threshold) -> Watch {
    let mut header = HEADER.clone();
    header.thresholds = vec![threshold];
    Watch::new(&header)
}

fn finish(watch: Watch) -> ThresholdOutcome {
    watch.watched.into_iter().map(|watched| watched.finish(|_| None)).next().expect("a threshold")
}

fn second(second: u64) -> SinceStart {
    SinceStart::new(Duration::from_secs(second))
}

/// The driver until `at`: this many failed of 100 a second, and this many slower than each limit.
fn traffic(at: u64, failed: u64, slower: u64) -> Traffic {
    let (due, ok) = (100 * at, 100 * at - failed);
    let counts = Counts { due, sent: due, ok, failed_status: failed, ..Counts::default() };
    let requests = [("get".to_owned(), counts)].into_iter().collect();
    Traffic { t_s: second(at), requests, slower: vec![Slower { of: due, slower }], ..Traffic::default() }
}

#[test]
fn a_rate_is_judged_over_every_window_and_only_over_whole_ones() {
    let most = Bound::Max(0.1);
    let mut watch = watch(threshold(Metric::ErrorRate, most, Some(10), None));
    // All of seconds 3 to 5 fail, and no window is whole yet; then 20 of second 31, which is 2 % of one.
    for at in 1..=40 {
        let failed = 100 * at.min(5_u64).saturating_sub(2) + if at > 30 { 20 } else { 0 };
        watch.see_traffic(&traffic(at, failed, 0));
    }
    let kept = finish(watch);
    assert_eq!((kept.broken, kept.worst), (true, Some(0.3)));
    // Windows that end at 10 to 13 hold more than one bad second, and that at 14 one: 10 %, which is allowed.
    assert_eq!(kept.breach, Some(Breach { since_s: second(10), seconds: 3.0 }));
    assert_eq!(kept.note(), "THRESHOLD error_rate ≤ 10 % over 10s was broken after 10s, for 3s in all: at worst 30 %");
}

#[test]
fn a_percentile_is_the_share_of_requests_above_its_limit() {
    for (slower, broken) in [(10, false), (11, true)] {
        let mut watch = watch(threshold(Metric::P99, Bound::Max(0.05), None, None));
        watch.see_traffic(&traffic(5, 0, 2));
        watch.see_traffic(&traffic(10, 0, slower));
        let kept = finish(watch);
        assert_eq!((kept.broken, kept.worst), (broken, Some(slower as f64 / 1000.0)), "{kept:?}");
    }
}

#[test]
fn the_throughput_counts_in_steady_phases_only() {
    let least = Bound::Min(90.0);
    for window in [None, Some(10)] {
        let mut watch = watch(threshold(Metric::Throughput, least, window, None));
        // Nothing is answered before second 120, where the steady phase begins.
        for at in 1..=200_u64 {
            let ok = 100 * at.saturating_sub(120);
            let counts = Counts { ok, ..Counts::default() };
            let requests = [("get".to_owned(), counts)].into_iter().collect();
            watch.see_traffic(&Traffic { t_s: second(at), requests, ..Traffic::default() });
        }
        let kept = finish(watch);
        assert_eq!((kept.broken, kept.worst), (false, Some(100.0)), "{kept:?}");
    }
}

#[test]
fn what_is_sampled_breaks_a_threshold_for_as_long_as_it_lasts() {
    let mut watch = watch(threshold(Metric::OpenFiles, Bound::Max(100.0), None, Some(5)));
    let sample =
        |at, fds| Sample { t_s: second(at), activity: Activity { fds, ..Activity::default() }, ..Sample::default() };
    for at in 0..=30_u64 {
        // Three seconds too many, and then for good.
        let fds = if (10..13).contains(&at) || at >= 20 { 101 } else { 100 };
        watch.see_sample(&sample(at, fds));
        let why = watch.why_abort();
        assert_eq!(why.is_some(), at == 25, "after {at}: {why:?}");
        if let Some(why) = why {
            assert_eq!(why, "stopped after 25s: open_files ≤ 100 was broken for 5s without a break");
        }
    }
    assert_eq!(finish(watch).breach, Some(Breach { since_s: second(10), seconds: 12.0 }));
}

#[test]
fn a_peak_is_the_kernels_mark_of_one_process_and_what_is_resident_of_several() {
    let memory = Memory { anon_bytes: Bytes::mib(10), peak_bytes: Bytes::mib(99), ..Memory::default() };
    for (processes, broken) in [(1, true), (2, false)] {
        let mut watch = watch(threshold(Metric::PeakMemory, Bound::Max(Bytes::mib(50).as_f64()), None, None));
        let processes = (0..processes).map(|pid| ProcessId { pid, start_ticks: 1 }).collect();
        watch.see_sample(&Sample { memory, processes, ..Sample::default() });
        assert_eq!(finish(watch).broken, broken);
    }
}

#[test]
fn nothing_measured_is_nothing_broken_and_said_so() {
    let kept = finish(watch(threshold(Metric::P50, Bound::Max(0.05), Some(10), None)));
    assert_eq!((kept.broken, kept.worst), (false, None));
    assert_eq!(kept.note(), "threshold p50 ≤ 50 ms over 10s: nothing was measured");
}

#[test]
fn a_window_of_a_day_is_kept_in_few_steps() {
    let mut watched = Watched::new(threshold(Metric::Undelivered, Bound::Max(0.1), Some(86_400), None), None);
    (1..200_000).for_each(|at| watched.see_counts(&traffic(at, 0, 0)));
    assert!(watched.points.len() <= STEPS_PER_WINDOW as usize + 2, "{}", watched.points.len());
    assert_eq!(watched.worst, Some(0.0));
}

#[test]
fn a_soak_ends_when_a_threshold_is_broken_for_too_long_and_its_trace_says_the_same() {
    let more = "[[thresholds]]\nmetric = \"peak_memory\"\nmax = \"21MiB\"\nabort_after = \"30s\"\n";
    // 1 MiB above the 20 of the base after some 160 s.
    let service = SimService { leak_per_request: 100.0, ..SimService::default() };
    let trace = soak(&scenario(more), &service, &[]).expect("a trace");
    let end = trace.end.as_ref().expect("an end");
    assert_eq!(end.reason, EndReason::ThresholdBroken);
    let kept = Watch::over(&trace).finish(|_| None).remove(0);
    let breach = kept.breach.expect("a breach");
    assert!((breach.seconds - 30.0).abs() < 1.5, "{kept:?}");
    assert_eq!(end.t_s, breach.since_s + Duration::from_secs_f64(breach.seconds));
    assert!(end.t_s < second(300), "{end:?}");
}

proptest! {
    #[test]
    fn a_window_sees_what_counting_by_hand_sees(
        failed in prop::collection::vec(0_u64..=100, 1..120),
        window in 1_usize..30,
        most in 0.0..1.0,
    ) {
        let mut watch = watch(threshold(Metric::ErrorRate, Bound::Max(most), Some(window as u64), None));
        let mut sum = 0;
        for (at, count) in failed.iter().enumerate() {
            sum += count;
            watch.see_traffic(&traffic(at as u64 + 1, sum, 0));
        }
        let rates = failed.windows(window).map(|seconds| seconds.iter().sum::<u64>() as f64 / (100 * window) as f64);
        let worst = rates.fold(None, |worst: Option<f64>, rate| Some(worst.map_or(rate, |worst| worst.max(rate))));
        let kept = finish(watch);
        prop_assert_eq!(kept.worst, worst);
        prop_assert_eq!(kept.broken, worst.is_some_and(|worst| worst > most));
    }
}

#[test]
fn every_unit_is_shown() {
    let shown = [
        (Metric::ErrorRate, 0.012_34),
        (Metric::Throughput, 99.5),
        (Metric::P99, 0.0505),
        (Metric::GrowthPerHour, 1_048_576.0),
        (Metric::GrowthPerRequest, 64.0),
        (Metric::ThreadsPerHour, 1.25),
    ]
    .map(|(metric, value)| in_unit(metric, value));
    assert_eq!(shown, ["1.23 %", "99.5 requests/s", "50.5 ms", "1.00 MiB/h", "64 B/request", "1.2/h"]);
    assert_eq!(Metric::P999.unit(), Unit::Seconds);
}
