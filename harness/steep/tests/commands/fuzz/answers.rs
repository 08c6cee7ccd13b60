//! What a service answers: expectations and captures over any bytes, and counters out of Prometheus text.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use steep_core::exposition;
use steep_core::scenario::Supplies;
use steep_core::scenario::decode::decode;
use steep_core::traffic::draw::Values;
use steep_core::traffic::request::RequestText;
use steep_core::traffic::{Schedule, Workload};

use super::Target;
use super::make;

pub fn targets() -> Vec<Target> {
    vec![
        Target { name: "answer", seeds: bodies, tokens: words, make: make::answer, read: answer, cost: 1 },
        Target {
            name: "exposition",
            seeds: metrics,
            tokens: words_of_metrics,
            make: make::metrics,
            read: exposition,
            cost: 1,
        },
    ]
}

/// Requests with every kind of expectation and capture.
const REQUESTS: &str = r#"
[[requests]]
name = "all"
path = "/{{id}}"
expect = { status = [200], body_contains = "id {{id}}", header = { etag = "{{id}}" }, json = { "items[0].id" = "{{id}}", "total" = 3, "/a~1b" = true } }
[requests.capture]
token = { json = "items[0].token" }
etag = { header = "etag", regex = "\"(.*)\"" }
csrf = { regex = "name=\"csrf\" value=\"([^\"]*)\"" }

[[requests]]
name = "uses"
path = "/{{token}}/{{csrf}}"
headers = { if-none-match = "{{etag}}" }

[[flows]]
name = "flow"
steps = ["all", "uses"]

[params.id]
dist = "uniform"
min = 1
max = 9
"#;

static TEXTS: LazyLock<Arc<[RequestText]>> = LazyLock::new(|| {
    let (before, _) = make::SOUND.split_once("[[requests]]").expect("requests");
    let text = format!("{before}{REQUESTS}");
    let decoded = decode(&text);
    let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:#?}", decoded.problems));
    let supplies = Supplies::default();
    Schedule::new(Workload::of(&scenario, &supplies), |_| None).expect("traffic").texts().clone()
});

/// Headers up to an empty line, and the body.
fn answer(input: &[u8]) {
    let end = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((&[][..], input), |end| (&input[..end], &input[end + 2..]));
    let header = |name: &str| {
        let lines = head.split(|byte| *byte == b'\n');
        let mut values = lines.filter_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b": "));
        values.next()
    };
    let has =
        |name: &str, wanted: &str| header(name).is_some_and(|value| String::from_utf8_lossy(value).contains(wanted));
    let values = Values::default();
    for text in TEXTS.iter() {
        let (expect, captures) = (text.expect(), text.captures());
        for status in [0, 99, 200, 404, u16::MAX] {
            let _ = expect.allows(status);
        }
        let described = [
            expect.unmet_by_head(&values, has),
            expect.unmet_by_body(&values, Some(body)),
            expect.unmet_by_body(&values, None),
        ];
        for described in described.into_iter().flatten().chain(captures.find(header, Some(body)).err()) {
            assert!(described.len() < 4_096, "a message of {} bytes", described.len());
        }
        if let Ok(found) = captures.find(header, Some(body)) {
            super::taken();
            assert!(found.iter().all(|(_, value)| value.len() <= 64 << 10));
        }
    }
}

fn bodies() -> Vec<String> {
    vec![
        "etag: \"7\"\n\n{\"items\": [{\"id\": 7, \"token\": \"abc\"}], \"total\": 3, \"a/b\": true}".to_owned(),
        "etag: W/\"x\"\n\n<form><input name=\"csrf\" value=\"s3cret\"></form> id 7".to_owned(),
    ]
}

fn words() -> Vec<String> {
    ["\"items\": ", "\"token\": ", "name=\"csrf\" value=\"", "etag: ", "\n\n", "[[[[[[[[[["].map(str::to_owned).to_vec()
}

fn metrics() -> Vec<String> {
    vec![
        "# HELP http_requests_total All.\n# TYPE http_requests_total counter\n\
         http_requests_total{method=\"GET\",path=\"/a\\\"b\\\\c\\n\"} 1027 1395066363000\nhttp_requests_total{method=\"POST\"} 3\n"
            .to_owned(),
    ]
}

fn words_of_metrics() -> Vec<String> {
    ["http_requests_total", "{method=\"GET\"}", "{,}", "{method=", "\\\"", "NaN", "+Inf", "# EOF"]
        .map(str::to_owned)
        .to_vec()
}

fn exposition(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let labels = BTreeMap::from([("method".to_owned(), "GET".to_owned())]);
    let all = exposition::sum(&text, "http_requests", &BTreeMap::new());
    let some = exposition::sum(&text, "http_requests", &labels);
    if all.is_some() {
        super::taken();
    }
    assert!(some.is_none() || all.is_some(), "a part of a sum without the sum: {text}");
}
