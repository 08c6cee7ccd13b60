use proptest::prelude::*;

use super::planted::Planted;
use super::*;

fn fitted(series: &Series) -> Growth {
    fit(series, Layer::Resident, &Materiality::default()).expect("a series that can be judged")
}

fn is_close(got: f64, expected: f64, scale: f64) -> bool {
    (got - expected).abs() <= 1e-6 * scale.abs().max(1e-9)
}

#[test]
fn a_planted_slope_lies_inside_the_interval_in_90_to_98_per_cent_of_seeds() {
    // Noise that forgets within two seconds and noise that lasts for ten, together: the interval does not know which it
    // is.
    let inside = [0.6, 0.9].into_iter().flat_map(|correlation| (0..16).map(move |seed| (correlation, seed)));
    let inside = inside
        .filter(|&(correlation, seed)| {
            let planted = Planted { leak: 4096.0, noise: 100e3, correlation, seed, ..Planted::CALM };
            let growth = fitted(&planted.series()).per_request.expect("requests are known");
            growth.low.get() <= 4096.0 && 4096.0 <= growth.high.get()
        })
        .count();
    assert!((29..=31).contains(&inside), "{inside} of 32");
}

#[test]
fn the_same_noise_made_larger_never_narrows_the_interval() {
    for seed in 0..5 {
        let width = |noise: f64| {
            let growth = fitted(&Planted { seconds: 300, leak: 100.0, noise, seed, ..Planted::CALM }.series());
            growth.per_hour.high.get() - growth.per_hour.low.get()
        };
        let widths = [1e4, 3e4, 1e5, 3e5].map(width);
        assert!(widths.is_sorted(), "{widths:?}");
    }
}

#[test]
fn a_constant_series_has_no_growth_and_says_what_it_could_have_shown() {
    let growth = fitted(&Planted { noise: 0.0, ..Planted::CALM }.series());
    assert_eq!(growth.per_hour, Estimate::default());
    let drift = growth.source.drift().expect("what allocators take");
    assert_eq!(growth.seen_at_least, BytesPerHour::per_second(drift.as_f64() / 60.0));
}

#[test]
fn without_requests_there_is_growth_per_hour_only() {
    let mut series = Planted { seconds: 600, leak: 100.0, ..Planted::CALM }.series();
    series.requests.fill(0.0);
    let growth = fitted(&series);
    assert_eq!(growth.per_request, None);
    assert!((growth.per_hour.value.get_per_second() - 30_000.0).abs() < 300.0, "{}", growth.per_hour);
    assert_eq!(growth.worth_finding, BytesPerHour::new(1_048_576.0));
}

#[test]
fn one_request_a_second_is_enough_for_growth_per_request() {
    let planted = Planted { seconds: 1800, rps: 1.0, leak: 10_000.0, ..Planted::CALM };
    let growth = fitted(&planted.series()).per_request.expect("requests are known");
    assert!(growth.low.get() < 10_000.0 && growth.high.get() > 10_000.0, "{growth}");
}

#[test]
fn a_load_that_alternates_tells_whether_growth_follows_requests_or_time() {
    let alternating = |per_request: f64, per_second: f64| {
        let mut series = Planted { seconds: 1800, noise: 40e3, ..Planted::CALM }.series();
        let mut requests = 0.0;
        for i in 0..series.t_s.len() {
            let t = series.t_s[i];
            requests += 2000.0 * if ((t / 225.0) as u32).is_multiple_of(2) { 1.75 } else { 0.25 };
            series.requests[i] = requests;
            series.memory_bytes[i] += per_request * requests + per_second * t;
        }
        fitted(&series).follows
    };
    assert_eq!(alternating(16.0, 0.0), Follows::Requests);
    assert_eq!(alternating(0.0, 32_000.0), Follows::Time);
    assert_eq!(fitted(&Planted { seconds: 600, leak: 100.0, ..Planted::CALM }.series()).follows, Follows::Undecided);
}

#[test]
fn a_container_that_doubles_has_doubling_jumps() {
    let planted = Planted { seconds: 1800, ..Planted::CALM };
    let series = planted.with(|_, requests| 24.0 * (requests.max(1024.0) as u64).next_power_of_two() as f64);
    let jumps = fitted(&series).jumps;
    assert!(jumps.dominant && jumps.doubling, "{jumps:?}");
}

/// Half an hour at 300 requests/s with five times as many from 600 to 660 s.
fn with_a_load_peak(extra: impl Fn(f64) -> f64) -> Series {
    let mut series = Planted { seconds: 1800, ..Planted::CALM }.with(|t, _| extra(t));
    for (t, requests) in series.t_s.iter().zip(&mut series.requests) {
        *requests += 1200.0 * (t - 600.0).clamp(0.0, 60.0);
    }
    series
}

#[test]
fn a_mark_that_a_load_peak_left_hides_what_is_worth_finding_below_it() {
    let left = fitted(&with_a_load_peak(|t| if t < 620.0 { 0.0 } else { 20e6 }));
    // 20 MB at 4 B × 340 requests/s take 4 h to grow to.
    assert!(
        left.hidden_by_peaks.is_some_and(|more| (12_000.0..15_000.0).contains(&more)),
        "{:?}",
        left.hidden_by_peaks
    );
    let given_back = fitted(&with_a_load_peak(|t| if (620.0..700.0).contains(&t) { 20e6 } else { 0.0 }));
    assert_eq!(given_back.hidden_by_peaks, None);
    assert_eq!(fitted(&Planted { seconds: 1800, ..Planted::CALM }.series()).hidden_by_peaks, None);
}

#[test]
fn growth_is_found_behind_a_load_peak_that_is_given_back_within_minutes() {
    let peak = |t: f64| if t < 600.0 { 0.0 } else { 40e6 * (-(t - 660.0).max(0.0) / 60.0).exp() };
    let growth = fitted(&with_a_load_peak(|t| peak(t) + 9600.0 * t)).per_hour;
    assert!((growth.value.get_per_second() / 9600.0 - 1.0).abs() < 0.1 && growth.low.get() > 0.0, "{growth}");
}

#[test]
fn known_disturbances_become_regressors_and_too_many_are_reported() {
    let mut series = Planted { seconds: 600, ..Planted::CALM }.series();
    series.disturbances_s = Some(vec![900.0, 200.0, 201.0, 400.0]);
    assert_eq!(fitted(&series).disturbances, 2);
    series.disturbances_s = Some((1..12).map(|i| 50.0 * f64::from(i)).collect());
    assert!(fitted(&series).environment_noisy);
}

#[test]
fn a_worker_that_is_replaced_has_an_intercept_of_its_own() {
    let mut series = Planted { seconds: 1800, leak: 16.0, noise: 100e3, ..Planted::CALM }.series();
    series.memory_bytes[1007..].iter_mut().for_each(|bytes| *bytes -= 11e6);
    series.replaced_s = vec![1007.0];
    let growth = fitted(&series).per_request.expect("requests are known");
    assert!((growth.value.get() / 16.0 - 1.0).abs() < 0.05 && growth.low.get() > 12.0, "{growth}");
}

#[test]
fn every_way_to_be_unjudgeable_has_its_reason() {
    let good = Planted { seconds: 600, ..Planted::CALM }.series();
    let spoilt = |spoil: &dyn Fn(&mut Series)| {
        let mut series = good.clone();
        spoil(&mut series);
        fit(&series, Layer::Resident, &Materiality::default()).expect_err("broken").to_string()
    };
    assert_eq!(spoilt(&|s| *s = Series::default()), "there are no readings");
    assert_eq!(spoilt(&|s| s.requests.truncate(9)), "the columns have different lengths");
    assert_eq!(spoilt(&|s| s.memory_bytes[7] = f64::NAN), "reading 8 is not a possible number");
    assert_eq!(spoilt(&|s| s.t_s[9] = 1e300), "reading 10 is not a possible number");
    assert_eq!(spoilt(&|s| s.t_s[9] = 1.0), "time goes backwards at reading 10");
    assert_eq!(spoilt(&|s| s.requests[300] = 0.0), "the request counter goes back at 300 s: something was restarted");
    assert_eq!(
        spoilt(&|s| s.t_s[301..].iter_mut().for_each(|t| *t += 3600.0)),
        "601 readings where about 4200 were due"
    );
    let shorten = |s: &mut Series, n: usize| {
        s.t_s.truncate(n);
        s.memory_bytes.truncate(n);
        s.requests.truncate(n);
    };
    assert_eq!(spoilt(&|s| shorten(s, 3)), "too short: 3 readings over 2s");
    assert_eq!(spoilt(&|s| shorten(s, 1)), "too short: 1 readings over 0s");
    let thin = |s: &mut Series| {
        for values in [&mut s.t_s, &mut s.memory_bytes, &mut s.requests] {
            *values = values.iter().copied().step_by(10).collect();
        }
    };
    let few = "too few readings: 61 over 10m, and 120 are needed: a reading every 5s would have been enough";
    assert_eq!(spoilt(&thin), few);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn growth_scales_with_memory_and_ignores_its_level(seed in 0_u64..1000, factor in 0.1_f64..10.0, shift in 0.0_f64..1e9) {
        let series = Planted { seconds: 120, leak: 300.0, noise: 200e3, seed, ..Planted::CALM }.series();
        let mut other = series.clone();
        other.memory_bytes.iter_mut().for_each(|bytes| *bytes = *bytes * factor + shift);
        let (one, two) = (fitted(&series), fitted(&other));
        let scale = factor * one.per_hour.high.get();
        prop_assert!(is_close(two.per_hour.value.get(), factor * one.per_hour.value.get(), scale));
        prop_assert!(is_close(two.per_hour.low.get(), factor * one.per_hour.low.get(), scale));
        prop_assert!(is_close(two.per_hour.high.get(), factor * one.per_hour.high.get(), scale));
        prop_assert!(is_close(two.evidence, one.evidence, 1.0));
    }

    #[test]
    fn growth_does_not_depend_on_when_the_clock_started(seed in 0_u64..1000, start in 0_u32..1_000_000) {
        let series = Planted { seconds: 90, leak: 300.0, seed, ..Planted::CALM }.series();
        let mut other = series.clone();
        other.t_s.iter_mut().for_each(|t| *t += f64::from(start));
        let (one, two) = (fitted(&series), fitted(&other));
        prop_assert!(is_close(two.per_hour.value.get(), one.per_hour.value.get(), one.per_hour.high.get()));
    }
}

proptest! {
    #[test]
    fn no_numbers_make_it_panic(
        times in proptest::collection::vec(prop_oneof![Just(1.0), 0.0_f64..5.0, Just(-1.0), Just(f64::NAN), Just(1e17)], 0..70),
        memory in prop_oneof![Just(0.0), -1e17_f64..1e17, Just(f64::INFINITY)],
        rise in -1e15_f64..1e15,
        hole in 0_usize..200,
    ) {
        let mut at = 0.0;
        let mut series = Series::default();
        for (i, step) in times.iter().enumerate() {
            // Most steps are plain, or nothing would ever be fitted.
            at += if hole == i { *step } else { 1.0 };
            series.t_s.push(at);
            series.memory_bytes.push(if hole == i + 7 { memory } else { 1e7 + rise * (i % 5) as f64 });
            series.live_bytes.push(if hole == i + 3 { memory } else { f64::NAN });
            series.requests.push(if hole == i + 9 { rise } else { at.max(0.0) });
        }
        let _judged = crate::verdict::judge(&series, &Materiality::default());
    }
}
