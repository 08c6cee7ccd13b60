//! Requests that HTTP can carry, with names in them that have a value.

use std::collections::BTreeSet;

use super::{Request, variables};
use crate::problem::Problem;
use crate::scenario::check::{Check, is_header_name, is_of_a_path};
use crate::scenario::http::variable_of;
use crate::scenario::params::check::unknown_name;
use crate::scenario::{Model, Param, Scenario};
use crate::template::Template;

/// Longer paths are refused by most servers.
pub(crate) const LONGEST_PATH: usize = 8 << 10;

impl Check<'_> {
    pub(in crate::scenario) fn requests(&mut self, scenario: &Scenario) {
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
}
