use super::*;
use crate::growth::{Growth, Layer, Materiality, Series, fit};
use crate::stats::cholesky::Triangle;
use crate::stats::noise::Noise;
use crate::units::BytesPerRequest;
use crate::verdict::{Verdict, judge};

/// 120 s at 500 requests/s, ten readings a second, `live(t, requests)` bytes above 10 MB.
fn series(live: impl Fn(f64, f64) -> f64) -> Series {
    let t_s: Vec<f64> = (0..=1200).map(|tenth| f64::from(tenth) / 10.0).collect();
    let requests: Vec<f64> = t_s.iter().map(|t| 500.0 * t).collect();
    let live_bytes = t_s.iter().zip(&requests).map(|(t, requests)| 10e6 + live(*t, *requests)).collect();
    let memory_bytes = vec![20e6; t_s.len()];
    Series { t_s, memory_bytes, live_bytes, requests, disturbances_s: Some(Vec::new()), ..Series::default() }
}

fn worth(bytes: f64) -> Materiality {
    Materiality { per_request: BytesPerRequest::new(bytes), ..Materiality::default() }
}

fn growth(series: &Series, bytes: f64) -> Growth {
    fit(series, Layer::Live, &worth(bytes)).expect("growth")
}

/// What wanders by some hundred bytes, as a service that has filled was seen to do.
fn flicker(t: f64) -> f64 {
    300.0 * f64::from(u8::from((7.0 * t).sin() > 0.8))
}

/// Room for all elements of 8 bytes so far, and for `before` that were there already.
fn doubling(requests: f64, before: f64, bytes: f64) -> f64 {
    bytes * (requests + before).max(4.0).log2().ceil().exp2()
}

#[test]
fn a_service_that_has_filled_is_cleared_within_two_minutes() {
    let filled = series(|t, requests| 400e3 * (1.0 - (-requests / 4000.0).exp()) + flicker(t));
    for bytes in [4.0, 16.0] {
        let judgement = judge(&filled, &worth(bytes));
        assert!(judgement.verdict.is_clear(), "{judgement:?}");
        let at_most = growth(&filled, bytes).excluded().expect("excluded").get_per_second() / 500.0;
        assert!(at_most < 0.5 * bytes, "{at_most}");
    }
}

/// The trap: its last jump is as far back as it can be. Not cleared at any phase of it, nor with elements before.
#[test]
fn a_container_that_doubles_is_not_cleared_while_it_is_flat() {
    for before in [0.0, 3e3, 9e3, 14e3, 20e3] {
        for scale in [1.0, 1.19, 1.41, 1.68] {
            let container = series(|t, requests| doubling(scale * requests, before, 4.0 / 1.44 / scale) + flicker(t));
            let judgement = judge(&container, &worth(4.0));
            assert!(!judgement.verdict.is_clear(), "{before} {scale}: {judgement:?}");
        }
    }
}

#[test]
fn a_slow_leak_of_just_what_is_worth_finding_is_not_excluded() {
    for bytes in [4.0, 16.0] {
        let leaking = series(|t, requests| bytes * requests + flicker(t));
        let growth = growth(&leaking, bytes);
        assert_eq!(growth.excluded(), None, "{growth:?}");
        assert_eq!(judge(&leaking, &worth(bytes)).verdict, Verdict::Leak);
    }
}

/// Once in as many requests as have come since, it may come again: one rare jump of a megabyte.
#[test]
fn a_jump_that_may_be_rare_is_not_cleared_and_one_of_the_start_is() {
    let jump = |after: f64| series(move |t, _| if t > after { 1e6 } else { 0.0 } + flicker(t));
    assert!(growth(&jump(40.0), 16.0).excluded().is_none());
    assert!(growth(&jump(5.0), 16.0).excluded().is_some());
    // A batch gives back what it took.
    let batch = series(|t, _| if (40.0..48.0).contains(&t) { 1e6 } else { 0.0 } + flicker(t));
    assert!(growth(&batch, 16.0).excluded().is_some());
}

/// The same as by the dense covariance: its Cholesky factor, residuals of the regression on the constant.
#[test]
fn the_score_is_that_of_generalised_least_squares() {
    let levels: Vec<f64> = (0..40).map(|i| 1e4 * (f64::from(i * i % 17) + 0.3 * f64::from(i))).collect();
    let progress: Vec<f64> = (0..40).map(|i| 0.4 + 0.6 * (f64::from(i) + 0.5) / 40.0).collect();
    let cut = Blocks { at: (0..40).map(f64::from).collect(), level: levels.clone(), ..Blocks::default() };
    let end = end(&cut, &progress, 0);
    let bytes = 3e5;
    let scores: Vec<f64> = Noise::family()
        .map(|noise| {
            let factor = Triangle::factor(40, |i, j| {
                let correlated = if noise.correlation >= 1.0 {
                    i.min(j) as f64 + 1.0
                } else {
                    noise.correlation.powf(i.abs_diff(j) as f64)
                };
                correlated + if i == j { noise.white + 1e-8 } else { 0.0 }
            });
            let factor = factor.expect("positive definite");
            let mut rows: Vec<f64> =
                (0..40).flat_map(|i| [1.0, levels[i] - bytes * (progress[i] - progress[0])]).collect();
            factor.solve_rows(&mut rows, 2);
            let dot = |a: usize, b: usize| rows.chunks(2).map(|row| row[a] * row[b]).sum::<f64>();
            let left = dot(1, 1) - dot(0, 1).powi(2) / dot(0, 0);
            let half_log_determinant: f64 = (0..40).map(|i| factor.row(i)[i].ln()).sum();
            -20.0 * (left / 40.0 + FINEST.powi(2)).ln() - half_log_determinant
        })
        .collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let expected = best + scores.iter().map(|score| (score - best).exp()).sum::<f64>().ln();
    assert!((end.score(0, bytes) - expected).abs() < 1e-5, "{} {expected}", end.score(0, bytes));
}
