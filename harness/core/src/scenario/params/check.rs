//! Parameters: that they have values, and that requests name those that there are.

use std::collections::BTreeSet;

use super::Param;
use crate::problem::{Problem, Spans, listed, nearest};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::http::variable_of;
use crate::scenario::requests::variables;
use crate::template::Template;

/// Already at 10 the second value comes once in a thousand.
const STEEPEST_ZIPF: f64 = 10.0;

impl Check<'_> {
    pub(in crate::scenario) fn params(&mut self, scenario: &Scenario) {
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
