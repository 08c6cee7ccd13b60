//! What is sent: requests that HTTP can carry, parameters that are used.

use super::super::{Param, Scenario};
use super::{Check, is_of_a_path};
use crate::template::Template;

/// Longer paths are refused by most servers.
const LONGEST_PATH: usize = 8 << 10;

impl Check<'_> {
    pub(super) fn requests(&mut self, scenario: &Scenario) {
        if scenario.requests.is_empty() && scenario.external.is_some() {
            return;
        }
        if scenario.requests.is_empty() {
            self.error("requests", "there is no request", "a soak needs at least one: [[requests]] with name and path");
            return;
        }
        self.distinct_names("requests", scenario.requests.iter().map(|request| request.name.as_str()));
        if scenario.requests.iter().all(|request| request.weight <= 0.0) {
            self.error(
                "requests[0].weight",
                "the weight of every request is 0",
                "nothing would be sent: give one a weight above 0",
            );
        }
        let known: Vec<String> = scenario.params.keys().cloned().collect();
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
            let templates = request.headers.values().chain(&request.body);
            let where_defined = "add a table [params.<name>]";
            self.names(&at("path"), &request.path, &known, where_defined);
            templates.for_each(|template| self.names(&at("body"), template, &known, where_defined));
            for name in request.headers.keys() {
                let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                if name.is_empty() || !name.chars().all(token) {
                    self.error(&at("headers"), format!("{name:?} is no header name"), "");
                } else if ["content-length", "transfer-encoding", "connection", "host"].contains(&name.as_str()) {
                    self.error(&at("headers"), format!("the driver writes {name:?} itself"), "take it out");
                }
            }
        }
    }

    pub(super) fn params(&mut self, scenario: &Scenario) {
        for (name, param) in &scenario.params {
            if let Param::Uniform { min, max } | Param::Sequential { min, max } = param
                && min > max
            {
                self.error(&format!("params.{name}.max"), format!("\"max\" is below \"min\": {max} < {min}"), "");
            }
            let names_it = |template: &Template| template.names().any(|other| other == name);
            let used = scenario.requests.iter().any(|request| {
                names_it(&request.path)
                    || request.headers.values().any(names_it)
                    || request.body.as_ref().is_some_and(names_it)
            });
            if !used {
                self.warning(&format!("params.{name}"), format!("no request uses {{{{{name}}}}}"), "");
            }
        }
    }
}
