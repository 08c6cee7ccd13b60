//! What is sent: requests that HTTP can carry, parameters that are used.

use std::collections::BTreeSet;

use super::super::transport::variable_of;
use super::super::{Model, Param, Request, Scenario, variables};
use super::{Check, is_of_a_path};
use crate::problem::{Problem, Spans, listed, nearest};
use crate::template::Template;

/// Already at 10 the second value comes once in a thousand.
const STEEPEST_ZIPF: f64 = 10.0;

/// Longer paths are refused by most servers.
pub(crate) const LONGEST_PATH: usize = 8 << 10;

impl Check<'_> {
    pub(super) fn requests(&mut self, scenario: &Scenario) {
        if scenario.requests.is_empty() && (scenario.external.is_some() || scenario.load.model == Model::None) {
            return;
        }
        if scenario.requests.is_empty() {
            self.error("requests", "there is no request", "a soak needs at least one: [[requests]] with name and path");
            return;
        }
        self.distinct_names("requests", scenario.requests.iter().map(|request| request.name.as_str()));
        if scenario.weights().all(|(_, weight)| weight <= 0.0) {
            let (path, what) =
                if scenario.flows.is_empty() { ("requests[0].weight", "") } else { ("flows", " and flow") };
            self.error(
                path,
                format!("the weight of every request{what} is 0"),
                "nothing would be sent: give one a weight above 0",
            );
        }
        self.shares("requests", scenario.weights());
        let captured = variables(&scenario.requests);
        for (index, request) in scenario.requests.iter().enumerate() {
            let at = |key: &str| format!("requests[{index}].{key}");
            if request.name.is_empty() {
                self.error(&at("name"), "a request needs a name", "it is the label in every report");
            }
            if !request.path.to_string().starts_with('/') {
                self.error(&at("path"), "a path begins with \"/\"", "host and port come from service.url");
            }
            if !request.path.text_chars().all(is_of_a_path) || request.path.to_string().len() > LONGEST_PATH {
                let help = format!("write other characters as %XX (%20 for a blank); at most {LONGEST_PATH} bytes");
                self.error(&at("path"), "that cannot stand in a path", help);
            }
            for (name, value) in request.headers.iter().filter(|(_, value)| value.text_chars().any(char::is_control)) {
                let help = format!("a header is one line: {value:?}");
                self.error(&at("headers"), format!("the value of {name:?} has control characters"), help);
            }
            for (key, template) in request.templates() {
                self.names_in(&at(key), template, scenario, &captured, key == "headers");
            }
            self.body_and_expect(&at, request);
            self.call(index, request, scenario);
            self.conduct(index, request, scenario.http.request_timeout);
            for name in request.headers.keys() {
                if !is_header_name(name) {
                    self.error(&at("headers"), format!("{name:?} is not a header name"), "");
                } else if ["content-length", "transfer-encoding", "connection", "host"].contains(&name.as_str()) {
                    self.error(&at("headers"), format!("the driver writes {name:?} itself"), "take it out");
                }
            }
        }
    }

    fn body_and_expect(&mut self, at: &impl Fn(&str) -> String, request: &Request) {
        let expect = &request.expect;
        if request.body.is_some() && request.body_file.is_some() {
            self.error(&at("body_file"), "a request has a \"body\" or a \"body_file\", not both", "take one out");
        }
        if request.method == "HEAD" && (expect.body_contains.is_some() || !expect.json.is_empty()) {
            self.error(&at("expect"), "an answer to HEAD has no body", "expect a status or a header, or use GET");
        }
        for name in expect.headers.keys().filter(|name| !is_header_name(name)) {
            self.error(&at("expect.header"), format!("{name:?} is not a header name"), "");
        }
    }

    /// That each name in `template` is a parameter, a column of one that has columns, a captured value, or a secret
    /// where they may stand.
    fn names_in(
        &mut self,
        path: &str,
        template: &Template,
        scenario: &Scenario,
        captured: &BTreeSet<&str>,
        has_secrets: bool,
    ) {
        let has_value = |name: &str| Param::named(&scenario.params, name).is_some() || captured.contains(name);
        let is_known = |name: &str| has_value(name) || has_secrets && variable_of(name).is_some();
        for name in template.names().filter(|name| !is_known(name)) {
            let problem = unknown_name(name, scenario);
            self.problems.push(Problem { span: self.spans.of(path), ..problem });
        }
    }

    pub(super) fn params(&mut self, scenario: &Scenario) {
        for (name, param) in &scenario.params {
            let at = |key: &str| format!("params.{name}.{key}");
            if name == "env" || variable_of(name).is_some() {
                let help = "{{env.NAME}} is a secret from the environment: choose another";
                self.error(&format!("params.{name}"), format!("\"{name}\" cannot be a name of a parameter"), help);
            }
            match param {
                Param::Uniform { min, max } | Param::Sequential { min, max } | Param::Zipf { min, max, .. }
                    if min > max =>
                {
                    self.error(&at("max"), format!("\"max\" is below \"min\": {max} < {min}"), "");
                }
                Param::Zipf { exponent, .. } if *exponent > STEEPEST_ZIPF => {
                    let help = "1 is what visits to pages are like, 0 is uniform";
                    self.error(&at("exponent"), format!("an exponent above {STEEPEST_ZIPF} leaves only \"min\""), help);
                }
                Param::Choice { values, weights } => self.choice(&at, values, weights),
                _ => {}
            }
        }
        // What a file names is seen once it is read.
        if scenario.requests.iter().all(|request| request.body_file.is_none()) {
            self.problems.extend(unused_params(scenario, &[], self.spans));
        }
    }

    fn choice(&mut self, at: &impl Fn(&str) -> String, values: &[String], weights: &[f64]) {
        if values.is_empty() && self.spans.has(&at("values")) {
            self.error(&at("values"), "there is nothing to choose from", "give at least one value");
        }
        if values.iter().any(|value| value.contains("{{")) {
            let help = "write {{name}} in the request: values are taken as they are, so that none can name itself";
            self.error(&at("values"), "a value of a parameter is not a template", help);
        }
        if !weights.is_empty() && weights.len() != values.len() {
            let message = format!("{} values have {} weights", values.len(), weights.len());
            self.error(&at("weights"), message, "give each value one, or none to any");
        } else if !weights.is_empty() && weights.iter().all(|weight| *weight <= 0.0) {
            self.error(&at("weights"), "the weight of every value is 0", "give one a weight above 0");
        } else {
            self.shares(&at("weights"), values.iter().map(String::as_str).zip(weights.iter().copied()));
        }
    }
}

/// Whether HTTP takes `name` as that of a header.
pub(crate) fn is_header_name(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(token)
}

/// What is wrong with a name in a template that is neither a parameter nor captured.
pub(crate) fn unknown_name(name: &str, scenario: &Scenario) -> Problem {
    let params = &scenario.params;
    if variable_of(name).is_some() {
        let help = "only headers of requests have secrets: paths and bodies are written down by services and by others on the way, and what is expected of answers is reported in messages";
        return Problem::error(format!("{{{{{name}}}}} is a secret and cannot stand here"), None).help(help);
    }
    let undefined = Problem::error(format!("nothing defines {{{{{name}}}}}"), None);
    let captured = || variables(&scenario.requests).into_iter();
    let param = name.split('.').next().unwrap_or_default();
    match params.get(name) {
        Some(_) => Problem::error(format!("{{{{{name}}}}} has several columns"), None)
            .help(format!("write {{{{{name}.<column>}}}}, or say which in [params.{name}]")),
        None if params.contains_key(param) => undefined.help(format!("write {{{{{param}}}}}: it has no columns")),
        None => undefined.help(match nearest(name, params.keys().map(String::as_str).chain(captured())) {
            Some(near) => format!("did you mean {{{{{near}}}}}?"),
            None if params.is_empty() && captured().next().is_none() => "add a table [params.<name>]".to_owned(),
            None => {
                let known = listed(params.keys().map(String::as_str).chain(captured()));
                format!("add a table [params.<name>]; known here: {known}")
            }
        }),
    }
}

/// Parameters that neither a request nor one of `more` templates names.
pub(crate) fn unused_params(scenario: &Scenario, more: &[Template], spans: &Spans) -> Vec<Problem> {
    let templates = scenario.requests.iter().flat_map(|request| request.templates().map(|(_, template)| template));
    let used: BTreeSet<&str> = templates
        .chain(more)
        .flat_map(Template::names)
        .filter_map(|name| Param::named(&scenario.params, name).map(|(param, _)| param))
        .collect();
    let unused = scenario.params.keys().filter(|name| !used.contains(name.as_str()));
    let warn = |name: &String| {
        Problem::warning(format!("no request uses {{{{{name}}}}}"), spans.of(&format!("params.{name}")))
    };
    unused.map(warn).collect()
}
