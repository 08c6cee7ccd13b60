use super::*;
use crate::growth::{Layer, Materiality, Series};
use crate::units::Rps;

/// 120 s at 500 requests/s, `live(requests)` bytes, `hz` readings a second.
fn readings(hz: f64, live: impl Fn(f64) -> f64) -> Readings {
    let t_s: Vec<f64> = (0..=(120.0 * hz) as usize).map(|i| i as f64 / hz).collect();
    let requests: Vec<f64> = t_s.iter().map(|t| (500.0 * t).floor()).collect();
    let live_bytes: Vec<f64> = requests.iter().map(|requests| 10e6 + live(*requests)).collect();
    let series = Series { memory_bytes: live_bytes.clone(), live_bytes, t_s, requests, ..Series::default() };
    Readings::checked(&series, Layer::Live).expect("readings")
}

fn found(hz: f64, live: impl Fn(f64) -> f64) -> Option<Chain> {
    chain(&readings(hz, live), Materiality::default().worth_finding(Rps::new(500.0)))
}

/// A table of `bytes` an entry, at most 7/8 full.
fn table(entries: f64, bytes: f64) -> f64 {
    bytes * (entries.max(4.0) * 8.0 / 7.0).log2().ceil().exp2()
}

#[test]
fn a_table_that_doubles_for_ever_is_found_at_ten_readings_a_second_and_at_one() {
    for hz in [1.0, 10.0] {
        for (scale, before) in [(1.0, 0.0), (1.3, 0.0), (1.0, 900.0), (1.7, 300.0)] {
            let chain = found(hz, |requests| table(scale * requests + before, 16.0)).expect("a chain");
            assert!(chain.count >= 3 && chain.last_at > 0.4, "{chain:?}");
        }
    }
}

/// The table of a cache of 6,000 random keys doubles until it holds them, and is then overdue; that of 60,000 fills for
/// as long as the run.
#[test]
fn a_table_that_fills_and_stops_is_not() {
    for keys in [2e3, 6e3, 12e3] {
        let filled = |requests: f64| table(keys * (1.0 - (-requests / keys).exp()), 48.0);
        assert_eq!(found(10.0, filled), None, "{keys}");
    }
}

#[test]
fn jumps_of_one_height_a_line_and_nothing_are_not() {
    assert_eq!(found(10.0, |requests| 1e6 * (requests / 15e3).floor()), None);
    assert_eq!(found(10.0, |requests| 16.0 * requests), None);
    assert_eq!(found(10.0, |_| 0.0), None);
}

#[test]
fn what_keeps_less_than_matters_is_not() {
    assert_eq!(found(10.0, |requests| table(requests, 0.5)), None);
}

/// A buffer of a megabyte that is made when it is first wanted is higher than all doublings, and none of them.
#[test]
fn a_buffer_that_is_made_once_does_not_hide_the_doublings() {
    let live = |requests: f64| table(requests, 8.0) + if requests > 5e3 { 1e6 } else { 0.0 };
    assert!(found(10.0, live).is_some());
}
