use super::*;
use crate::growth::MemorySource;
use crate::growth::planted::{Planted, in_chunks};
use crate::simulator::{Family, Recipe, simulate};
use crate::units::{BytesPerHour, BytesPerRequest};

/// What the quickstart asks for: a minute can clear a service of 512 B/request.
const COARSE: Materiality =
    Materiality { per_request: BytesPerRequest::new(512.0), per_hour: BytesPerHour::new(1_048_576.0), bar: 3.0 };

/// 4 KiB a request for a minute.
const STEEP: Planted = Planted { leak: 4096.0, ..Planted::CALM };

fn live(mut series: Series, live: impl Fn(f64, f64) -> f64) -> Series {
    series.live_bytes = series.t_s.iter().zip(&series.requests).map(|(&t, &requests)| live(t, requests)).collect();
    series
}

#[test]
fn a_steep_line_of_a_minute_is_a_leak_and_no_step_however_memory_is_taken() {
    for chunk in [1.0, 4096.0, 262_144.0, 1_048_576.0, 2_097_152.0] {
        for materiality in [Materiality::default(), COARSE] {
            let judgement = judge(&in_chunks(STEEP.series(), chunk), &materiality);
            assert_eq!(judgement.verdict, Verdict::Leak, "chunks of {chunk}: {}", judgement.reason);
            let growth = judgement.growth.expect("fitted").per_request.expect("requests are known");
            assert!((growth.value.get() / 4096.0 - 1.0).abs() < 0.03, "chunks of {chunk}: {growth}");
        }
    }
}

#[test]
fn a_flat_noisy_minute_is_stable_for_a_coarse_question_and_open_for_a_fine_one() {
    for seed in 0..5 {
        let series = Planted { seed, noise: 100e3, ..Planted::CALM }.series();
        assert_eq!(judge(&series, &COARSE).verdict, Verdict::Stable);
        let fine = judge(&series, &Materiality::default());
        assert_eq!(fine.verdict, Verdict::Inconclusive, "{}", fine.reason);
        assert!(fine.need.is_some_and(|need| need > Duration::from_mins(1)));
    }
}

#[test]
fn a_cache_that_fills_within_twenty_seconds_is_a_plateau() {
    let straight = Planted::CALM.with(|t, _| 30e6 * (t / 20.0).min(1.0));
    let random_keys = Planted::CALM.with(|t, _| 30e6 * (1.0 - (-t / 6.0).exp()));
    for series in [straight, random_keys] {
        for chunk in [4096.0, 1_048_576.0] {
            let judgement = judge(&in_chunks(series.clone(), chunk), &COARSE);
            assert_eq!(judgement.verdict, Verdict::Plateau, "{}", judgement.reason);
        }
    }
}

#[test]
fn what_allocators_take_by_themselves_is_not_a_leak_after_a_minute_unless_live_bytes_show_it() {
    // 500 B/request over 18,000 requests: 9 MB, less than eight workers made glibc take.
    let series = Planted { leak: 500.0, ..Planted::CALM }.series();
    let blind = judge(&series, &Materiality::default());
    assert_eq!(blind.verdict, Verdict::Inconclusive);
    assert!(blind.reason.contains("allocators"), "{}", blind.reason);
    assert!(blind.need.is_some_and(|need| need >= Duration::from_mins(5)));
    let seeing = live(series.clone(), |t, requests| 5e6 + 500.0 * requests + 1000.0 * (t * 1.7).sin());
    let judgement = judge(&seeing, &Materiality::default());
    assert_eq!(judgement.verdict, Verdict::Leak, "{}", judgement.reason);
    assert!(judgement.anonymous.is_some());
}

#[test]
fn resident_memory_that_grows_over_flat_live_bytes_is_retention() {
    let calm = |t: f64, _: f64| 5e6 + 3000.0 * (t * 1.7).sin();
    let judgement = judge(&live(STEEP.series(), calm), &COARSE);
    assert_eq!(judgement.verdict, Verdict::Retention, "{}", judgement.reason);
    assert_eq!(judgement.growth.map(|growth| growth.source), Some(MemorySource::Live));
    assert!(judgement.anonymous.expect("both are fitted").per_request.is_some_and(|growth| growth.low.get() > 4000.0));
}

#[test]
fn live_bytes_decide_only_if_nine_tenths_of_the_readings_have_them() {
    let mut series = live(STEEP.series(), |_, _| 5e6);
    series.live_bytes[..5].fill(f64::NAN);
    assert_eq!(judge(&series, &COARSE).verdict, Verdict::Retention);
    series.live_bytes[..20].fill(f64::NAN);
    assert_eq!(judge(&series, &COARSE).verdict, Verdict::Leak);
}

#[test]
fn a_doubling_container_is_a_step_and_a_steady_leak_is_not() {
    let long = Planted { seconds: 1800, ..Planted::CALM };
    let doubling = long.with(|_, requests| 24.0 * (requests.max(1024.0) as u64).next_power_of_two() as f64);
    assert_eq!(judge(&doubling, &Materiality::default()).verdict, Verdict::Step);
    assert_eq!(judge(&Planted { leak: 16.0, ..long }.series(), &Materiality::default()).verdict, Verdict::Leak);
}

#[test]
fn what_a_load_peak_left_clears_nothing_until_a_leak_would_have_passed_it() {
    let long = Planted { seconds: 1800, ..Planted::CALM };
    let judged = |extra: &dyn Fn(f64) -> f64| {
        let mut series = long.with(|t, _| extra(t));
        for (t, requests) in series.t_s.iter().zip(&mut series.requests) {
            *requests += 1200.0 * (t - 600.0).clamp(0.0, 60.0);
        }
        judge(&series, &Materiality::default())
    };
    let left = judged(&|t| if t < 620.0 { 0.0 } else { 20e6 });
    assert_eq!(left.verdict, Verdict::Inconclusive, "{}", left.reason);
    assert!(left.reason.contains("load peak"), "{}", left.reason);
    assert!(left.need.is_some_and(|need| need > Duration::from_hours(3)), "{:?}", left.need);
    let given_back = judged(&|t| if t < 600.0 { 0.0 } else { 20e6 * (-(t - 660.0).max(0.0) / 60.0).exp() });
    assert!(given_back.verdict.is_clear(), "{}", given_back.reason);
}

/// Half an hour of `extra` memory at 2000 requests/s.
fn half_an_hour(extra: impl Fn(f64) -> f64) -> Judgement {
    let recipe = Planted { seconds: 1800, rps: 2000.0, base: 50e6, noise: 300e3, correlation: 0.9, ..Planted::CALM };
    judge(&recipe.with(|t, _| extra(t)), &Materiality::default())
}

#[test]
fn a_tooth_that_lasts_half_the_run_is_not_a_leak_and_a_leak_that_was_purged_once_is() {
    for (period, phase) in [(900.0, 0.0), (1200.0, 0.0), (1200.0, 0.5), (700.0, 0.25)] {
        let tooth = half_an_hour(|t| 40e6 * ((t / period + phase) % 1.0));
        assert_eq!(tooth.verdict, Verdict::Inconclusive, "{period} s from {phase}: {}", tooth.reason);
    }
    let tooth = half_an_hour(|t| 40e6 * ((t / 1200.0) % 1.0));
    assert!(tooth.reason.contains("fell back by") && tooth.need > Some(Duration::from_mins(30)), "{}", tooth.reason);
    // 16 B/request; the purge takes 20 MB back, and memory passes that height again.
    let purged = half_an_hour(|t| 32e3 * t - if t > 900.0 { 20e6 } else { 0.0 });
    assert_eq!(purged.verdict, Verdict::Leak, "{}", purged.reason);
    // A tooth of a minute on top of a leak: each is given back, and the troughs rise.
    let toothed = half_an_hour(|t| 32e3 * t + 10e6 * ((t / 450.0) % 1.0));
    assert_eq!(toothed.verdict, Verdict::Leak, "{}", toothed.reason);
}

#[test]
fn a_late_jump_clears_nothing_until_another_would_have_come() {
    let jump = |at: f64| half_an_hour(|t| if t > at { 40e6 } else { 0.0 });
    for at in [1200.0, 1600.0, 1750.0] {
        let late = jump(at);
        assert_eq!(late.verdict, Verdict::Inconclusive, "{at} s: {}", late.reason);
        assert!(late.need.is_some_and(|need| need.as_secs_f64() > 2.0 * at), "{:?}", late.need);
    }
    assert_eq!(jump(600.0).verdict, Verdict::Plateau);
    let small = half_an_hour(|t| if t > 1200.0 { 3e6 } else { 0.0 });
    assert!(small.verdict.is_clear(), "{}", small.reason);
}

#[test]
fn growth_that_is_sure_and_small_did_not_stop() {
    // 2 B/request of 4 that are worth finding.
    let slow = half_an_hour(|t| 800.0 * t);
    assert_eq!(slow.verdict, Verdict::Stable, "{}", slow.reason);
    assert!(
        slow.reason.starts_with("grows by 0.") && slow.reason.ends_with("4 B/request is worth finding"),
        "{}",
        slow.reason
    );
}

#[test]
fn a_run_that_never_changes_is_stable() {
    let series = Planted { seconds: 600, noise: 0.0, ..Planted::CALM }.series();
    assert_eq!(judge(&series, &Materiality::default()).verdict, Verdict::Stable);
}

#[test]
fn broken_numbers_are_invalid_and_too_few_are_inconclusive() {
    let mut series = Planted::CALM.series();
    series.memory_bytes[5] = f64::NAN;
    assert_eq!(judge(&series, &COARSE).verdict, Verdict::Invalid);
    let short = judge(&Planted { seconds: 20, ..Planted::CALM }.series(), &COARSE);
    assert_eq!((short.verdict, short.need), (Verdict::Inconclusive, Some(Duration::from_mins(1))));
}

#[test]
fn a_run_disturbed_too_often_is_inconclusive() {
    let mut series = Planted { seconds: 600, leak: 200.0, ..Planted::CALM }.series();
    series.disturbances_s = Some((1..12).map(|i| 50.0 * f64::from(i)).collect());
    assert_eq!(judge(&series, &Materiality::default()).verdict, Verdict::Inconclusive);
}

#[test]
fn a_crash_overrules_the_verdict_and_keeps_the_numbers() {
    const CRASHED: Rule = Rule::new("crashed", Verdict::Crashed, "the service ended by itself");
    let judgement = judge(&STEEP.series(), &COARSE).overruled(CRASHED, "killed by signal 9");
    assert_eq!((judgement.verdict, judgement.reason.as_str()), (Verdict::Crashed, "killed by signal 9"));
    assert!(judgement.growth.is_some());
}

#[test]
fn a_judgement_is_written_with_units_in_its_names() {
    let json = serde_json::to_value(judge(&STEEP.series(), &COARSE)).expect("numbers only");
    assert_eq!(json["verdict"], "leak");
    assert!(json["need_seconds"].is_null());
    for name in ["growth_bytes_per_hour", "growth_bytes_per_request"] {
        assert!(json["growth"][name]["low"].is_number(), "{name}");
    }
    for name in ["seen_at_least_bytes_per_hour", "worth_finding_bytes_per_hour", "least_growth_bytes", "evidence"] {
        assert!(json["growth"][name].is_number(), "{name}");
    }
}

#[test]
fn a_soak_is_advised_to_last_so_long_that_it_is_mostly_decided() {
    let families = [Family::ShortMemory, Family::WarmUp, Family::LeakLinear, Family::LeakWarmUp, Family::LeakBursty];
    let (mut decided, mut advised) = (0, 0);
    for (family, index) in families.into_iter().flat_map(|family| (0..8).map(move |index| (family, index))) {
        let leak = if family.is_leaking() { 4.0 } else { 0.0 };
        let recipe = Recipe { family, seconds: 4800, leak, rps: Some(2000.0), known: true, seed: 77, index };
        let simulated = simulate(&recipe);
        let at = |seconds: f64| judge(&simulated.clone().look(seconds).series, &Materiality::default());
        let Some(need) = at(300.0).need.map(|need| need.as_secs_f64()).filter(|need| *need <= 4800.0) else { continue };
        advised += 1;
        decided += usize::from(at(need).verdict != Verdict::Inconclusive);
    }
    assert!(advised >= 10 && 5 * decided >= 4 * advised, "{decided} of {advised}");
}
