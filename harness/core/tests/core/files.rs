//! Reports for machines: each is read back by a parser, or held against a schema, that is not ours.

use serde_json::Value;
use steep_core::outcome::Outcome;
use steep_core::report::{Format, Layout, Missing, Report, Results, schema};
use steep_core::scenario::Scenario;
use steep_core::sim::SimService;
use steep_core::testing::{decoded, sound};
use steep_judge::ids::{CellId, FlagSet};

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

/// A leak, its flag, an innocent flag, and a cell of which nothing is known.
pub fn report() -> Report {
    Report::new(Results {
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
    })
}

fn rendered(report: &Report, format: Format) -> String {
    format.render(report, Layout::default()).expect("a text")
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
