//! From the text of a scenario file to a [`Scenario`], table by table, with every problem of every table.
//!
//! What is missing or wrong is a problem already when a neutral value takes its place here, so that the checks that
//! span several keys find the other problems in the same pass. A scenario with any error is not given away.

use toml::de::DeTable;

use super::Scenario;
use super::allocators::decode::allocator;
use super::axes::decode::axis;
use super::check::Check;
use super::constraints::decode::{constraints, rule};
use super::dependencies::dependency;
use super::flags::decode::flag;
use super::flows::decode::flow;
use super::http::decode::http;
use super::judge::decode::judge;
use super::keys::schema;
use super::known::decode::known;
use super::load::decode::load;
use super::load::external::external;
use super::load::tolerate::tolerate;
use super::params::decode::param;
use super::phases::decode::phase;
use super::plan::decode::plan;
use super::read::{Reader, Section};
use super::report::report;
use super::requests::decode::request;
use super::sampling::sampling;
use super::service::decode::service;
use super::thresholds::decode::threshold;
use crate::problem::{Problem, Severity, Spans, any_error};
use steep_judge::units::Seed;

/// What decoding a file gives: a scenario unless some problem is an error, and where everything stands.
#[derive(Debug)]
pub struct Decoded {
    /// The scenario, if it can be run.
    pub scenario: Option<Scenario>,
    /// The same with neutral values for what is wrong, for checks that need more than the text; none where the TOML is
    /// broken.
    pub draft: Option<Scenario>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
    /// Where each value stands.
    pub spans: Spans,
}

/// Decodes and checks the `text` of a scenario file.
#[must_use]
pub fn decode(text: &str) -> Decoded {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(schema());
    for error in syntax {
        reader.problems.push(Problem::error(error.message().to_owned(), error.span()).label("here the TOML is broken"));
    }
    if any_error(&reader.problems) {
        // What is left of a broken document misleads: only the syntax is reported.
        return Decoded { scenario: None, draft: None, problems: reader.problems, spans: reader.spans };
    }
    let top = reader.enter("", String::new(), None, document.get_ref());
    let scenario = scenario(&mut reader, &top);
    let Reader { mut problems, spans, .. } = reader;
    let mut found = check(&scenario, &spans);
    if any_error(&problems) {
        // A warning may be about a neutral stand-in.
        found.retain(|problem| problem.severity == Severity::Error);
    }
    problems.extend(found);
    let sound = (!any_error(&problems)).then(|| scenario.clone());
    Decoded { scenario: sound, draft: Some(scenario), problems, spans }
}

fn scenario(reader: &mut Reader, top: &Section<'_>) -> Scenario {
    // Before the requests, which are not sent by themselves where they are steps.
    let flows = reader.list(top, "flows", flow);
    Scenario {
        name: reader.text(top, "name").unwrap_or_else(|| "unnamed".to_owned()),
        seed: Seed(reader.integer(top, "seed").unwrap_or_default()),
        service: service(reader, top),
        dependencies: reader.list(top, "dependencies", dependency),
        http: http(reader, top),
        load: load(reader, top),
        tolerate: tolerate(reader, top),
        phases: reader.list(top, "phases", phase),
        requests: reader.list(top, "requests", |reader, section| {
            request(reader, section, |name| flows.iter().any(|flow| flow.steps.iter().any(|step| step == name)))
        }),
        flows,
        params: reader.named(top, "params", param),
        // After all that it excludes, whose places are known then.
        external: external(reader, top),
        flags: reader.list(top, "flags", flag),
        axes: reader.list(top, "axes", axis),
        allocators: reader.named(top, "allocators", allocator),
        constraints: constraints(reader, top),
        rules: reader.list(top, "rules", rule),
        plan: plan(reader, top),
        sampling: sampling(reader, top),
        judge: judge(reader, top),
        known: reader.list(top, "known", known),
        thresholds: reader.list(top, "thresholds", threshold),
        report: report(reader, top),
    }
}

/// All problems of `scenario` that span several keys, each at its place.
fn check(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let mut check = Check { spans, problems: Vec::new() };
    check.file_name("name", &scenario.name);
    check.service(scenario);
    check.dependencies(scenario);
    check.http(scenario);
    check.load(scenario);
    check.coded(scenario);
    check.phases(scenario);
    check.requests(scenario);
    check.flows(scenario);
    check.params(scenario);
    check.tolerate(scenario);
    check.external(scenario);
    check.thresholds(scenario);
    check.flags(scenario);
    check.switches(scenario);
    check.groups(scenario);
    check.axes(scenario);
    check.allocators(scenario);
    check.constraints(scenario);
    check.rules(scenario);
    check.plan(scenario);
    check.sampling(scenario);
    check.judge(scenario);
    check.no_load(scenario);
    check.decides(scenario);
    check.known(scenario);
    check.report(scenario);
    check.problems
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scenario::keys::{Key, Kind, keys};

    /// A scenario with this key only, and what it has a meaning under.
    fn with(key: &Key, value: &str) -> String {
        let mut parts: Vec<&str> = key.path.split('.').collect();
        let name = parts.pop().expect("a name");
        // Not decoded where it has no meaning.
        let (above, list, beside) = match key.path {
            path if path.starts_with("load.think_time.") => ("[load]\nmodel = \"closed\"\nvus = 1\n", "", ""),
            "requests[].abort_with" => ("", "", "abort_after = \"1s\"\n"),
            "load.requests_from" => ("", "", "command = [\"load\"]\n"),
            path if path.starts_with("flags[].") && path.ends_with("request.method") => ("", "kind = \"http\"\n", ""),
            _ => ("", "", ""),
        };
        let mut text = above.to_owned();
        let mut place = Vec::new();
        for (nth, part) in parts.iter().enumerate() {
            place.push(if *part == "*" { "any" } else { part.trim_end_matches("[]") });
            if part.ends_with("[]") {
                text += &format!("[[{}]]\n{list}", place.join("."));
            } else if nth + 1 == parts.len() {
                text += &format!("[{}]\n", place.join("."));
            }
        }
        if let Some((neighbour, [first, ..])) = key.only {
            text += &format!("{neighbour} = \"{first}\"\n");
        }
        text + beside + &format!("{name} = \"{value}\"\n")
    }

    /// A choice that the decoder forgot would be another one in silence.
    #[test]
    fn every_choice_of_every_key_decodes_to_a_value_of_its_own() {
        let mut tried = 0;
        for key in keys() {
            let Kind::Choice(values, _) = key.kind else { continue };
            let mut seen: BTreeMap<String, &str> = BTreeMap::new();
            for value in values {
                let text = with(key, value);
                let draft = decode(&text).draft.unwrap_or_else(|| panic!("no draft of\n{text}"));
                let other = seen.insert(format!("{draft:?}"), value);
                assert!(other.is_none(), "{}: \"{value}\" is the same as {other:?}:\n{text}", key.path);
                tried += 1;
            }
        }
        assert!(tried > 80, "{tried}");
    }
}
