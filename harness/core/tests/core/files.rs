//! Reports for machines: each is read back by a parser, or held against a schema, that is not ours.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use quick_junit::TestCaseStatus;
use serde_json::{Value, json};
use steep_core::exit::Status;
use steep_core::kept::{Cause, Frame};
use steep_core::outcome::Outcome;
use steep_core::report::{Format, Layout, Missing, Report, Results, schema};
use steep_core::scenario::Scenario;
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::isolation::{Guilt, KeptBy};
use steep_judge::units::{BytesPerRequest, Estimate};

use super::simulated::soaked;

fn scenario() -> Scenario {
    decoded(&sound("20m", "").replace("[service]\n", "[service]\nmemory_limit = \"512MiB\"\n"))
}

fn cell(flags: &[&str], leak_per_request: f64) -> Outcome {
    let service = SimService { leak_per_request, probe: true, ..SimService::default() };
    let mut trace = soaked(&scenario(), &service);
    trace.header.flags = flags.iter().copied().collect::<FlagSet>();
    trace.header.cell = CellId::parse(&if flags.is_empty() { "baseline".to_owned() } else { flags.join("+") });
    Outcome::of(&trace)
}

/// A leak, its flag and line, an innocent flag, and a cell of which nothing is known.
fn report() -> Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(made).clone()
}

fn made() -> Report {
    let mut report = Report::new(Results {
        name: "shop".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        flags: ["sessions", "cache"].map(str::to_owned).to_vec(),
        fail_on: scenario().judge.fail_on,
        known: Vec::new(),
        axes: Vec::new(),
        overnight: None,
        missing: vec![Missing { cell: CellId::parse("cache+sessions"), reason: "not soaked".to_owned() }],
        not_asked: Vec::new(),
        outcomes: vec![cell(&["sessions"], 512.0), cell(&[], 0.0), cell(&["cache"], 0.0)],
    });
    let grown = Estimate { value: 512.0, low: 500.0, high: 520.0 }.map(BytesPerRequest::new);
    let finding = &mut report.flags[0].finding;
    assert_eq!(finding.guilt, Guilt::Leaks);
    let (places, calls) = (vec!["src/sessions.rs:118".to_owned()], vec!["open".to_owned()]);
    finding.kept_by.push(KeptBy { places, calls, with: grown, without: None });
    let leaking = report.cells.iter_mut().find(|cell| !cell.flags.is_empty() && cell.flags.contains("sessions"));
    let frame = Frame { function: "open".to_owned(), file: "src/sessions.rs".to_owned(), line: 118, is_own: true };
    leaking.expect("the leak").kept_by.push(Cause {
        chain: vec![frame.clone()],
        frame,
        per_request: grown,
        share: 1.0,
        share_of_function: 1.0,
        kept_in: Some("Vec<u8>".to_owned()),
        age: None,
        asked_by: None,
    });
    report
}

/// The same, with `text` wherever somebody else may write.
fn hostile(text: &str) -> Report {
    let mut report = report();
    text.clone_into(&mut report.name);
    text.clone_into(&mut report.started);
    text.clone_into(&mut report.sentence);
    text.clone_into(&mut report.missing[0].reason);
    for flag in &mut report.flags {
        flag.flag = format!("{}{text}", flag.flag);
        text.clone_into(&mut flag.finding.reason);
        for kept in &mut flag.finding.kept_by {
            kept.places = vec![format!("{text}.rs:7")];
        }
    }
    for cell in &mut report.cells {
        cell.flags = cell.flags.iter().map(|flag| format!("{flag}{text}")).collect();
        text.clone_into(&mut cell.judgement.reason);
        text.clone_into(&mut cell.message);
        cell.failures = Some(text.to_owned());
        for cause in &mut cell.kept_by {
            cause.frame = Frame { function: text.to_owned(), file: text.to_owned(), line: 7, is_own: true };
        }
    }
    report
}

/// What means something in one of the forms.
const HOSTILE: &str = "a|b`c``<d>&\"'\\\n\r\n::error::x%0A,:\u{1b}[31m\u{0}\u{fffe}]]>-->\t@team #1 {x=\"y\"}\n# EOF\n";

fn rendered(report: &Report, format: Format) -> String {
    format.render(report, Layout::default(), String::new).expect("a text")
}

/// The schema, and that nothing else stands in a report.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(strict);
            if fields.contains_key("properties") && !fields.contains_key("unevaluatedProperties") {
                fields.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

#[test]
fn a_report_is_what_its_schema_says_and_nothing_else() {
    let mut schema: Value = serde_json::from_str(&schema()).expect("JSON");
    let fields = schema["properties"].as_object().expect("fields").len();
    assert!(fields > 15, "{fields}");
    // The root only: parts of it are joined to other objects.
    schema["unevaluatedProperties"] = Value::Bool(false);
    let defined = schema["$defs"].as_object_mut().expect("definitions");
    defined.values_mut().for_each(strict);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let report: Value = serde_json::from_str(&rendered(&report(), Format::Json)).expect("JSON");
    let wrong: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(report["schema"], 1);
    for broken in [("schema", Value::from("1")), ("cells", Value::from(3)), ("other", Value::from(3))] {
        let mut report = report.clone();
        report[broken.0] = broken.1;
        assert!(!validator.is_valid(&report), "{}", broken.0);
    }
}

fn case<'a>(junit: &'a quick_junit::Report, name: &str) -> &'a TestCaseStatus {
    let mut cases = junit.test_suites.iter().flat_map(|suite| &suite.test_cases);
    &cases.find(|case| case.name.as_str() == name).expect(name).status
}

#[test]
fn what_is_not_finite_is_null_and_in_no_other_form() {
    let mut report = report();
    for cell in &mut report.cells {
        cell.seconds_to_limit = Some(Estimate { value: 60.0, low: 30.0, high: f64::INFINITY });
    }
    report.flags[0].finding.posterior = Some(f64::NAN);
    let schema: Value = serde_json::from_str(&schema()).expect("JSON");
    let read = valid(&schema, &rendered(&report, Format::Json));
    assert_eq!(read["cells"][0]["seconds_to_limit"], json!({"value": 60.0, "low": 30.0, "high": null}));
    for format in [Format::Junit, Format::Bencher, Format::Openmetrics] {
        let text = rendered(&report, format);
        assert!(!text.contains("inf\"") && !text.contains("NaN") && !text.contains("null"), "{text}");
    }
}

#[test]
fn junit_has_a_case_for_each_cell_and_flag_with_its_figures() {
    let text = rendered(&report(), Format::Junit);
    let junit = quick_junit::Report::deserialize_from_str(&text).expect("JUnit");
    let is = |name: &str, kind: &str| format!("{:?}", case(&junit, name)).contains(kind);
    assert!(is("flag sessions", "Failure") && is("sessions", "Failure") && is("cache+sessions", "Error"), "{text}");
    assert!(matches!(case(&junit, "flag cache"), TestCaseStatus::Success { .. }));
    assert!(matches!(case(&junit, "baseline"), TestCaseStatus::Success { .. }));
    assert_eq!((junit.tests, junit.failures, junit.errors), (6, 2, 1));
    let suite = junit.test_suites.iter().find(|suite| suite.name.as_str() == "shop.sessions").expect("a suite");
    let value = |name: &str| {
        let property = suite.properties.iter().find(|property| property.name.as_str() == name).expect(name);
        property.value.as_str().parse::<f64>().expect("a number")
    };
    assert!(value("growth_bytes_per_request.low") < 512.0 && value("growth_bytes_per_request.high") > 512.0);
    assert!(!text.lines().nth(1).expect("the root").contains("skipped"));
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn what_is_open_is_skipped_and_what_is_filed_fails_nobody() {
    let mut report = report();
    for status in report.cell_statuses.values_mut() {
        *status = Status::Clean;
    }
    report.flags[1].finding.guilt = Guilt::Undecided;
    let junit = quick_junit::Report::deserialize_from_str(&rendered(&report, Format::Junit)).expect("JUnit");
    assert!(matches!(case(&junit, "flag sessions"), TestCaseStatus::Success { .. }));
    assert!(matches!(case(&junit, "sessions"), TestCaseStatus::Success { .. }));
    let TestCaseStatus::Skipped { message, .. } = case(&junit, "flag cache") else { panic!("not skipped") };
    assert!(message.as_ref().is_some_and(|message| message.contains("cache is undecided")), "{message:?}");
    assert!(!rendered(&report, Format::Annotations).contains("sessions.rs"));
}

/// Rows of each table, by how many cells they have; and the text that is not in one.
fn tables(markdown: &str) -> (Vec<usize>, String) {
    let (mut rows, mut text) = (Vec::new(), String::new());
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableRow | Tag::TableHead) => rows.push(0),
            Event::Start(Tag::TableCell) => *rows.last_mut().expect("a row") += 1,
            Event::Text(part) => text.push_str(&part),
            Event::Html(part) | Event::InlineHtml(part) => assert!(is_ours(&part), "{part}"),
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strong) | Event::Code(_) => {
                panic!("somebody else's Markdown: {event:?}")
            }
            _ => {}
        }
    }
    (rows, text)
}

fn is_ours(html: &str) -> bool {
    let ours = ["<details>", "<summary>", "</summary>", "</details>", "<code>", "</code>", "<!--"];
    ours.iter().any(|tag| html.trim_start().starts_with(tag))
}

#[test]
fn markdown_has_the_sentence_the_flags_and_the_cells() {
    let text = rendered(&report(), Format::Markdown);
    let (rows, said) = tables(&text);
    assert_eq!(rows, [6; 8]);
    assert!(said.contains("FINDING: 1 leak"), "{said}");
    insta::assert_snapshot!(text);
}

#[test]
fn markdown_is_cut_by_whole_rows() {
    let mut report = report();
    let cell = report.cells[0].clone();
    for place in 0..20_000 {
        let mut cell = cell.clone();
        cell.cell = CellId::parse(&format!("{}{place}", "a".repeat(60)));
        report.cells.push(cell);
    }
    let text = rendered(&report, Format::Markdown);
    assert!((800_000..900_000).contains(&text.len()), "{}", text.len());
    let (rows, _) = tables(&text);
    assert!(rows.len() > 1000 && rows.iter().all(|cells| *cells == 6));
    assert!(text.ends_with("more lines are left out: report.json has all.\n"));
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

#[test]
fn annotations_stand_at_the_line_that_keeps_memory() {
    let text = rendered(&report(), Format::Annotations);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(
        lines[0].starts_with("::error file=src/sessions.rs,line=118,title=shop%3A flag sessions – leaks::"),
        "{text}"
    );
    assert!(lines[1].starts_with("::error title=shop%3A cell cache+sessions – missing::not soaked"), "{text}");
    assert!(lines[2].starts_with("::notice title=steep%3A shop::FINDING: "), "{text}");
}

#[test]
fn github_keeps_ten_errors_and_the_last_says_how_many_more_there_are() {
    let mut report = report();
    report.missing = vec![report.missing[0].clone(); 30];
    let text = rendered(&report, Format::Annotations);
    assert_eq!(text.matches("::error ").count(), 10);
    assert!(text.contains("::and 22 more: "), "{text}");
}

fn valid(schema: &Value, text: &str) -> Value {
    let read: Value = serde_json::from_str(text).expect("JSON");
    let wrong: Vec<String> = jsonschema::validator_for(schema)
        .expect("a schema")
        .iter_errors(&read)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    read
}

/// What GitLab says of a code quality report.
fn code_quality() -> Value {
    json!({"type": "array", "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string"},
            "check_name": {"type": "string"},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^[^./]"},
                    "lines": {"required": ["begin"], "properties": {"begin": {"type": "integer", "minimum": 1}}},
                },
            },
        },
    }})
}

/// What Bencher says of its metric format.
fn bencher() -> Value {
    json!({"type": "object", "additionalProperties": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9-]{1,64}$"},
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "additionalProperties": false,
            "properties": {
                "value": {"type": "number"},
                "lower_value": {"type": "number"},
                "upper_value": {"type": "number"},
            },
        },
    }})
}

#[test]
fn gitlab_gets_an_issue_for_each_finding_at_its_line() {
    let issues = valid(&code_quality(), &rendered(&report(), Format::CodeQuality));
    let issues = issues.as_array().expect("a list");
    assert_eq!(issues.len(), 2);
    assert_eq!(issues[0]["location"], json!({"path": "src/sessions.rs", "lines": {"begin": 118}}));
    assert_eq!((&issues[0]["severity"], &issues[0]["check_name"]), (&json!("critical"), &json!("steep/leaks")));
    let prints: BTreeSet<&str> = issues.iter().filter_map(|issue| issue["fingerprint"].as_str()).collect();
    assert_eq!(prints.len(), issues.len());
}

#[test]
fn bencher_gets_values_with_both_ends_of_their_intervals() {
    let read = valid(&bencher(), &rendered(&report(), Format::Bencher));
    let growth = &read["shop: sessions"]["growth-bytes-per-request"];
    let end = |name: &str| growth[name].as_f64().expect(name);
    assert!(end("lower_value") <= end("value") && end("value") <= end("upper_value") && end("lower_value") > 400.0);
    assert!(read["shop: flag sessions"]["posterior"]["value"].as_f64().expect("a number") > 0.95);
}

#[test]
fn openmetrics_have_the_time_of_the_run_and_an_end() {
    let text = rendered(&report(), Format::Openmetrics);
    assert!(text.ends_with("\n# EOF\n"));
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    assert!(samples.clone().count() > 30 && samples.clone().all(|line| line.ends_with(" 1767225600")), "{text}");
    assert!(text.contains("steep_exit_status{scenario=\"shop\"} 1 1767225600"));
    assert!(text.contains("steep_verdict{scenario=\"shop\",kind=\"cell\",name=\"sessions\",verdict=\"leak\"} 1 "));
    let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let distinct: BTreeSet<&&str> = families.iter().collect();
    assert_eq!(families.len(), distinct.len());
}

/// Each form of a report in which `text` stands wherever somebody else may write is what it was without.
fn is_read(text: &str) {
    let (report, plain) = (hostile(text), report());
    let junit = quick_junit::Report::deserialize_from_str(&rendered(&report, Format::Junit)).expect("JUnit");
    assert_eq!((junit.tests, junit.failures, junit.errors), (6, 2, 1));
    assert_eq!(tables(&rendered(&report, Format::Markdown)).0, tables(&rendered(&plain, Format::Markdown)).0);
    let annotations = rendered(&report, Format::Annotations);
    let command = |line: &str| ["::error ", "::notice "].iter().any(|command| line.starts_with(command));
    assert!(annotations.lines().count() == 3 && annotations.lines().all(command), "{annotations}");
    let list = json!({"type": "array", "minItems": 2, "maxItems": 2});
    valid(&list, &rendered(&report, Format::CodeQuality));
    valid(&bencher(), &rendered(&report, Format::Bencher));
    valid(&serde_json::from_str(&schema()).expect("a schema"), &rendered(&report, Format::Json));
    let lines = |report: &Report| rendered(report, Format::Openmetrics).lines().count();
    assert_eq!(lines(&report), lines(&plain));
}

#[test]
fn no_text_of_others_is_read_as_a_part_of_the_form() {
    is_read(HOSTILE);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_the_texts_all_forms_are_read(text in any::<String>(), ascii in "[ -~\n\r\t]{0,40}") {
        is_read(&text);
        is_read(&ascii);
    }
}
