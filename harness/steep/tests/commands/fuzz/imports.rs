//! Imports: whatever they read, what they write passes `check`.

use steep_core::import::access_log::AccessLog;
use steep_core::import::{openapi, scenario_text};
use steep_core::plan::plan;
use steep_core::problem::{Severity, render};
use steep_core::scenario::Supplies;
use steep_core::scenario::decode::decode;
use steep_core::scenario::package::Features;
use steep_core::traffic::supplied::problems;

use super::Target;
use super::make;

const URL: &str = "http://127.0.0.1:{{port}}";

pub fn targets() -> Vec<Target> {
    vec![
        Target {
            name: "access_log",
            seeds: logs,
            tokens: words_of_logs,
            make: make::access_log,
            read: access_log,
            cost: 5,
        },
        Target { name: "openapi", seeds: descriptions, tokens: words, make: make::openapi, read: openapi, cost: 1 },
    ]
}

fn logs() -> Vec<String> {
    let line = |nth: usize| {
        let (minute, second) = (nth / 60, nth % 60);
        format!(
            "203.0.113.7 - ann [10/Oct/2026:13:{minute:02}:{second:02} +0200] \"GET /items/{nth}?page={} HTTP/1.1\" 200 5 \"-\" \"x\"\n",
            nth % 7
        )
    };
    vec![(0..120).map(line).collect(), (0..30).map(line).collect(), (0..5).map(line).collect()]
}

fn words_of_logs() -> Vec<String> {
    let words = [
        "?q={{x}}",
        "&token=abc",
        " HTTP/1.1\" 404 -",
        "/a%7B%7B/",
        "\\x7b\\x7b",
        "[31/Dec/9999:23:59:59 -1400]",
        "+1400]",
    ];
    words.map(str::to_owned).to_vec()
}

fn words() -> Vec<String> {
    let words = [
        "\"allOf\": [{\"$ref\": \"#/components/schemas/A\"}], ",
        "\"enum\": [\"{{\", \"a\\nb\"], ",
        "\"minimum\": 1e300, ",
        "\"required\": true, ",
        "\"in\": \"header\", ",
        "\"in\": \"cookie\", ",
        "\"example\": {\"{{\": \"{{{\"}, ",
        "\"type\": [\"null\", \"integer\"], ",
        "application/{{+json",
    ];
    words.map(str::to_owned).to_vec()
}

fn descriptions() -> Vec<String> {
    let shop = include_str!("../../../../core/src/import/openapi/shop.yaml");
    let circles = include_str!("../../../../core/src/import/openapi/circles.yaml");
    vec![shop.to_owned(), circles.to_owned(), make::openapi(&mut super::mutate::Random::of("openapi seeds", 0))]
}

fn access_log(input: &[u8]) {
    for curve_path in [None, Some("x.rates.csv")] {
        let mut log = AccessLog::default();
        input.split_inclusive(|byte| *byte == b'\n').for_each(|line| log.read(line));
        let Ok(import) = log.finish("log".to_owned(), URL.to_owned(), curve_path) else { continue };
        let csv = import.curve.as_ref().map(steep_core::import::Curve::csv);
        passes_check(&scenario_text(&import.draft), csv);
    }
}

fn openapi(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(import) = openapi::import(text, "api", URL.to_owned()) {
        passes_check(&scenario_text(&import.draft), None);
    }
}

/// That `check` finds no error in `text`, with the rates beside it.
fn passes_check(text: &str, csv: Option<String>) {
    super::taken();
    let decoded = decode(text);
    let shown = render(&decoded.problems, "soak.toml", text, false);
    let mut scenario = decoded.scenario.unwrap_or_else(|| panic!("{shown}\n{text}"));
    let mut supplies = Supplies::default();
    if let Some(csv) = csv {
        supplies.insert("x.rates.csv".to_owned(), csv.into_bytes());
    }
    let flaws = scenario.supply(&supplies);
    assert!(flaws.is_empty(), "{flaws:?}\n{text}");
    let mut found = problems(&scenario, &decoded.spans, &supplies);
    found.retain(|problem| problem.severity == Severity::Error);
    assert!(found.is_empty(), "{}", render(&found, "soak.toml", text, false));
    assert!(plan(&scenario, &Features::default(), &decoded.spans).is_ok(), "{text}");
}
