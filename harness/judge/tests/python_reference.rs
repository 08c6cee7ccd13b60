//! The fit against the Python reference, on stored series: what both try must agree exactly.
//!
//! A file holds what the reference said as JSON, the first reading in pages, then one line per further reading:
//! milliseconds since the last (1000 if left out), change in pages (0 if left out), completed requests.
#![allow(clippy::expect_used, reason = "a test may fail")]
#![expect(clippy::disallowed_methods, reason = "the judge has no files, its stored series are some")]

use std::path::Path;

use serde::Deserialize;
use steep_judge::growth::{Growth, Layer, Materiality, Series, Shape, fit};
use steep_judge::stats::blocks::blocks;
use steep_judge::stats::competition::Competition;
use steep_judge::verdict::judge;

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

/// Whether the `nth` mean of a shape is one that the reference tries too: steep tries more shapes, and more of each.
fn is_the_references(shape: Shape, nth: usize) -> bool {
    match shape {
        Shape::FillAndCreep
        | Shape::FillCreepAndLine
        | Shape::CapAndLine
        | Shape::CapAndChurn
        | Shape::CapChurnAndLine
        | Shape::TwoFillsAndLine => false,
        Shape::FillThenLine => nth < 8,
        Shape::CreepThenLine => nth < 2,
        Shape::PowerThenLine | Shape::Constant | Shape::Line => nth < 1,
        Shape::StepAndLine => (2..17).contains(&nth) && nth.is_multiple_of(2),
        Shape::Fill | Shape::Cap => nth < 10,
        Shape::Creep => nth < 4,
        Shape::Power => nth < 3,
        Shape::Step => nth < 19,
        Shape::TwoFills => nth < 18,
        Shape::LateLine => nth < 9,
    }
}

/// Evidence by the models of the reference only, under a load that does not vary; `None` where no line rises.
fn evidence_of_the_references_models(series: &Series) -> Option<f64> {
    let length = series.t_s.last()? - series.t_s[0];
    // Both drop repeated moments.
    let kept = |i: &usize| *i == 0 || series.t_s[*i] > series.t_s[*i - 1];
    let column = |values: &[f64]| (0..values.len()).filter(kept).map(|i| values[i]).collect::<Vec<f64>>();
    let [t_s, memory, requests] = [&series.t_s, &series.memory_bytes, &series.requests].map(|values| column(values));
    let cut = blocks(&t_s, &memory, &requests, (length / 60.0).max(5.0));
    let u: Vec<f64> = cut.at.iter().map(|t| (t - series.t_s[0]) / length).collect();
    let competition = Competition::new(&u, &cut.level, None, &[]);
    let mut seen: Vec<Shape> = Vec::new();
    let admitted: Vec<bool> = competition
        .means
        .iter()
        .map(|mean| {
            let nth = seen.iter().filter(|shape| **shape == mean.shape).count();
            seen.push(mean.shape);
            is_the_references(mean.shape, nth)
        })
        .collect();
    let best = |leaking: bool| {
        let fits = competition.fits.iter().filter(|fit| {
            let is_leaking = competition.means[fit.mean].drift.is_some();
            admitted[fit.mean] && is_leaking == leaking && (!leaking || fit.slope > 0.0)
        });
        fits.map(|fit| fit.score).reduce(f64::max)
    };
    Some(best(true)? - best(false)?)
}

/// All stored series, by name.
fn stored() -> Vec<(String, Expected, Series)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the stored series") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (expected, series) = read(&path);
        all.push((name, expected, series));
    }
    assert_eq!(all.len(), 23);
    all
}

fn fitted(series: &Series) -> Growth {
    fit(series, Layer::Resident, &Materiality::default()).expect("a fit")
}

#[test]
fn evidence_by_the_models_of_the_python_reference_is_the_same() {
    let mut compared = 0;
    for (name, expected, series) in stored() {
        let growth = fitted(&series);
        // With covariates or a rolling minimum the reference fits something else than these blocks.
        if growth.adjusted || growth.period_s.is_some() {
            continue;
        }
        let Some(evidence) = evidence_of_the_references_models(&series) else { continue };
        let scale = expected.llr.abs().max(1.0);
        assert!((evidence - expected.llr).abs() <= 1e-6 * scale, "{name}: {evidence}, expected {}", expected.llr);
        compared += 1;
    }
    assert!(compared >= 12, "{compared}");
}

#[test]
fn the_period_is_that_of_the_python_reference() {
    for (name, expected, series) in stored() {
        let period = fitted(&series).period_s.unwrap_or(0.0);
        assert!((period - expected.period).abs() <= 1e-6, "{name}: {period}, expected {}", expected.period);
    }
}

#[test]
fn no_verdict_contradicts_the_python_reference_and_the_intervals_overlap() {
    for (name, expected, series) in stored() {
        let judgement = judge(&series, &Materiality::default());
        let group = |verdict: &str| match verdict {
            "leak" | "step" => 1,
            "plateau" | "stable" => -1,
            _ => 0,
        };
        let (ours, theirs) = (group(judgement.verdict.name()), group(&expected.verdict));
        assert!(ours * theirs >= 0, "{name}: {} and {}", judgement.verdict, expected.verdict);
        let growth = judgement.growth.expect("a fit").per_hour;
        let (low, high) = (growth.low.get_per_second(), growth.high.get_per_second());
        // The reference bounds calm series by lines that fall: steep does not (METHOD.md, interval).
        if theirs > 0 {
            assert!(low <= expected.hi && expected.lo <= high, "{name}: {low} to {high}");
            assert!((growth.value.get_per_second() / expected.slope - 1.0).abs() < 0.1, "{name}");
        }
    }
}
