//! `OpenMetrics` text with the time of the run at each value, so that Prometheus can be filled from reports of the
//! past.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use super::super::Report;
use super::case::{Case, cases};
use crate::visible::visible;

/// A family: what it is, and its samples, each once.
#[derive(Default)]
struct Family {
    help: String,
    samples: BTreeMap<String, f64>,
}

type Families = BTreeMap<String, Family>;

/// All figures as gauges: `steep_NAME` with the labels `scenario`, `kind` and `name`, and the ends of an interval as
/// `steep_NAME_low` and `steep_NAME_high`.
pub(in crate::report) fn openmetrics(report: &Report) -> String {
    let mut families = Families::new();
    for case in cases(report) {
        add_case(&mut families, &report.name, &case);
    }
    let scenario = format!("{{scenario=\"{}\"}}", escaped(&report.name));
    add(
        &mut families,
        "exit_status",
        "The number that the run exits with: 0 clean, 1 finding, 3 undecided, 4 not done.",
        scenario,
        f64::from(report.exit_status),
    );
    let mut text = String::new();
    let at = moment(&report.started).map_or_else(String::new, |at| format!(" {at}"));
    for (name, family) in families {
        text.push_str(&format!("# TYPE {name} gauge\n# HELP {name} {}\n", family.help));
        for (labels, value) in family.samples {
            text.push_str(&format!("{name}{labels} {value}{at}\n"));
        }
    }
    text + "# EOF\n"
}

fn add_case(families: &mut Families, scenario: &str, case: &Case) {
    let labels = |more: &str| {
        format!(
            "{{scenario=\"{}\",kind=\"{}\",name=\"{}\"{more}}}",
            escaped(scenario),
            case.kind.name(),
            escaped(&case.name)
        )
    };
    let said = labels(&format!(",verdict=\"{}\"", escaped(case.word)));
    add(families, "verdict", "1 for the verdict on each cell, flag and value of an axis.", said, 1.0);
    for figure in &case.figures {
        add(families, figure.name, figure.help, labels(""), figure.value);
        if let Some((low, high)) = figure.bounds {
            let lower = format!("{} Lower end of the 95 % interval.", figure.help);
            add(families, &format!("{}_low", figure.name), &lower, labels(""), low);
            let upper = format!("{} Upper end of the 95 % interval.", figure.help);
            add(families, &format!("{}_high", figure.name), &upper, labels(""), high);
        }
    }
}

fn add(families: &mut Families, name: &str, help: &str, labels: String, value: f64) {
    let family =
        families.entry(format!("steep_{name}")).or_insert_with(|| Family { help: escaped(help), ..Family::default() });
    family.samples.entry(labels).or_insert(value);
}

/// Seconds since 1970 at which a run began; none where nobody knows.
fn moment(started: &str) -> Option<u64> {
    let moment = humantime::parse_rfc3339_weak(started).ok()?;
    moment.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// As the value of a label, or a help, is written.
fn escaped(text: &str) -> String {
    let text = visible(text).replace('\r', "\\r");
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
