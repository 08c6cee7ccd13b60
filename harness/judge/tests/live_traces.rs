//! Live bytes of real programs under the preloaded library, two minutes each, ten readings a second: what is said of
//! them, at that rate and at one reading a second.
//!
//! A file holds the first reading in bytes, then one line per further reading: milliseconds since the last (100 if left
//! out), change in bytes (0 if left out), completed requests.
#![allow(clippy::expect_used, reason = "a test may fail")]
#![expect(clippy::disallowed_methods, reason = "the judge has no files, its stored series are some")]

use std::path::Path;

use steep_judge::growth::{Materiality, Series};
use steep_judge::units::BytesPerRequest;
use steep_judge::verdict::{Judgement, Verdict, judge};

/// A stored series, one of `every` readings of it.
fn read(name: &str, every: usize) -> Series {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live").join(name).with_extension("txt");
    let text = std::fs::read_to_string(path).expect("a stored series");
    let mut lines = text.lines();
    let (mut milliseconds, mut requests) = (0.0, 0.0);
    let mut live: f64 = lines.next().expect("the first reading").parse().expect("bytes");
    let mut readings = vec![(0.0, live, 0.0)];
    for line in lines {
        let mut fields = line.split(' ');
        let mut number = |absent: f64| match fields.next().expect("three fields") {
            "" => absent,
            text => text.parse().expect("a number"),
        };
        milliseconds += number(100.0);
        live += number(0.0);
        requests += number(0.0);
        readings.push((milliseconds / 1000.0, live, requests));
    }
    let mut series = Series { disturbances_s: Some(Vec::new()), ..Series::default() };
    for (t_s, live, requests) in readings.into_iter().step_by(every) {
        series.t_s.push(t_s);
        series.live_bytes.push(live);
        series.requests.push(requests);
        series.memory_bytes.push(64e6);
    }
    series
}

fn said(name: &str, every: usize, worth: f64) -> Judgement {
    let materiality = Materiality { per_request: BytesPerRequest::new(worth), ..Materiality::default() };
    judge(&read(name, every), &materiality)
}

#[test]
fn a_shop_in_rust_and_nginx_are_cleared_of_4_bytes_a_request() {
    for name in ["shop", "nginx"] {
        for every in [1, 10] {
            for worth in [4.0, 16.0] {
                let judgement = said(name, every, worth);
                assert!(judgement.verdict.is_clear(), "{name}, {every}, {worth}: {judgement:?}");
            }
        }
    }
}

/// A dictionary of a program in Python that keeps each request: 150 KB at 35 s, 290 KB at 73 s, and flat between.
#[test]
fn a_dictionary_that_doubles_is_not_cleared() {
    for every in [1, 10] {
        for worth in [4.0, 16.0] {
            let judgement = said("dictionary", every, worth);
            assert!(!judgement.verdict.is_clear(), "{every}, {worth}: {judgement:?}");
        }
    }
}

/// 640 bytes and a place in a list for each request.
#[test]
fn a_list_that_keeps_each_request_is_a_leak_of_its_size() {
    for every in [1, 10] {
        let judgement = said("list", every, 16.0);
        assert_eq!(judgement.verdict, Verdict::Leak, "{every}: {judgement:?}");
        let growth = judgement.growth.and_then(|growth| growth.per_request).expect("growth per request");
        assert!((growth.value.get() / 655.0 - 1.0).abs() < 0.05, "{every}: {growth:?}");
    }
}

/// A cache of 1,000 pages fills within half a minute; what threads take and give back is some 10 KB.
#[test]
fn a_cache_that_has_filled_is_cleared_of_16_bytes_a_request() {
    for every in [1, 10] {
        let judgement = said("cache", every, 16.0);
        assert!(judgement.verdict.is_clear(), "{every}: {judgement:?}");
    }
}
