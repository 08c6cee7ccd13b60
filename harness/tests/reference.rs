//! The whole fit against the Python reference, on stored series.
//!
//! A file holds what the reference said as JSON, the first reading in pages, then one line per further reading:
//! milliseconds since the last (1000 if left out), change in pages (0 if left out), completed requests.

use std::path::Path;

use serde::Deserialize;
use steep::growth::{Growth, Materiality, MemorySource, Series, fit};
use steep::verdict::judge;

/// Bytes of a page.
const PAGE: f64 = 4096.0;

/// What the reference says; growth in bytes per second.
#[derive(Deserialize)]
struct Expected {
    slope: f64,
    lo: f64,
    hi: f64,
    llr: f64,
    verdict: String,
    period: f64,
}

fn read(path: &Path) -> (Expected, Series) {
    let text = std::fs::read_to_string(path).expect("a stored series");
    let mut lines = text.lines();
    let expected = serde_json::from_str(lines.next().expect("what the reference said")).expect("its numbers");
    let (mut milliseconds, mut requests) = (0.0, 0.0);
    let mut pages: f64 = lines.next().expect("the first reading").parse().expect("pages");
    let mut series =
        Series { t_s: vec![0.0], memory_bytes: vec![pages * PAGE], requests: vec![0.0], ..Series::default() };
    for line in lines {
        let mut fields = line.split(' ');
        let mut number = |absent: f64| match fields.next().expect("three fields") {
            "" => absent,
            text => text.parse().expect("a number"),
        };
        milliseconds += number(1000.0);
        pages += number(0.0);
        requests += number(0.0);
        series.t_s.push(milliseconds / 1000.0);
        series.memory_bytes.push(pages * PAGE);
        series.requests.push(requests);
    }
    (expected, series)
}

fn assert_as_expected(name: &str, growth: &Growth, expected: &Expected) {
    let close = |what: &str, got: f64, expected: f64, scale: f64| {
        assert!((got - expected).abs() <= 1e-6 * scale, "{name}: {what} is {got}, the reference says {expected}");
    };
    let scale = expected.lo.abs().max(expected.hi.abs());
    close("low", growth.per_hour.low.get_per_second(), expected.lo, scale);
    close("high", growth.per_hour.high.get_per_second(), expected.hi, scale);
    close("the period", growth.period_s.unwrap_or(0.0), expected.period, 1.0);
    // Where no leaking model rises at all, the reference compares an arbitrary calm one; steep says the least evidence.
    if growth.evidence > -100.0 {
        close("growth", growth.per_hour.value.get_per_second(), expected.slope, scale);
        close("evidence", growth.evidence, expected.llr, expected.llr.abs().max(1.0));
    }
}

#[test]
fn growth_evidence_and_verdict_are_those_of_the_python_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).expect("the stored series") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (expected, series) = read(&path);
        let materiality = Materiality::default();
        let growth = fit(&series, MemorySource::Anonymous, &materiality).expect("a fit");
        assert_as_expected(&name, &growth, &expected);
        assert_eq!(judge(&series, &materiality).verdict.name(), expected.verdict, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 23);
}
