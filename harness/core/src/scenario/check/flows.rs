//! Flows: that their steps are requests, and that what a step needs was captured before.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::Regex;

use super::super::transport::variable_of;
use super::super::{CapturePlace, Flow, Param, Request, Scenario, ThinkTime, places, unset, variables};
use super::Check;
use super::factors::Known;
use super::traffic::is_header_name;
use crate::problem::{listed, nearest};
use crate::template::Template;

/// More is a mistake in a generated file: sessions of users have a few steps.
const MAX_STEPS: usize = 100;

impl Check<'_> {
    pub(super) fn flows(&mut self, scenario: &Scenario) {
        self.distinct_names("flows", scenario.flows.iter().map(|flow| flow.name.as_str()));
        let requests = Known::of(scenario.requests.iter().map(|request| request.name.as_str()));
        let (places, captured) = (places(&scenario.requests), variables(&scenario.requests));
        for (index, flow) in scenario.flows.iter().enumerate() {
            let at = |key: &str| format!("flows[{index}].{key}");
            if flow.name.is_empty() {
                self.error(&at("name"), "a flow needs a name", "it is the label in every report");
            }
            if requests.has(&flow.name) {
                let message = format!("\"{}\" is the name of a request", flow.name);
                self.error(&at("name"), message, "weights of phases go by name: choose another");
            }
            if let ThinkTime::Uniform { min, max } = flow.think_time
                && min > max
            {
                self.error(&at("think_time.max"), "\"max\" is below \"min\"", "");
            }
            self.steps(&at("steps"), flow, scenario, &requests);
            self.order_of_steps(&at("steps"), flow, scenario, (&places, &captured));
        }
        let steps: BTreeSet<&str> = scenario.flows.iter().flat_map(|flow| &flow.steps).map(String::as_str).collect();
        for (index, request) in scenario.requests.iter().enumerate() {
            self.captures(&format!("requests[{index}]"), request, scenario, &steps);
            self.alone(&format!("requests[{index}]"), request, scenario, &captured);
        }
    }

    fn steps(&mut self, path: &str, flow: &Flow, scenario: &Scenario, requests: &Known<'_>) {
        if flow.steps.is_empty() && self.spans.has(path) {
            self.error(
                path,
                "a flow without steps does nothing",
                "steps = [\"login\", \"buy\"]: names of [[requests]]",
            );
        }
        if flow.steps.len() > MAX_STEPS {
            let message = format!("{} steps, and {MAX_STEPS} are the most", flow.steps.len());
            self.error(path, message, "make several flows of them");
        }
        for name in flow.steps.iter().filter(|name| !requests.has(name)) {
            let help = match nearest(name, requests.all()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None if scenario.requests.is_empty() => format!("add it: [[requests]] with name = \"{name}\""),
                None => format!("there are {}", listed(requests.all())),
            };
            self.error(path, format!("there is no request \"{name}\""), help);
        }
    }

    fn order_of_steps(
        &mut self,
        path: &str,
        flow: &Flow,
        scenario: &Scenario,
        known: (&BTreeMap<&str, usize>, &BTreeSet<&str>),
    ) {
        for (step, name) in unset(flow, &scenario.requests, known, |place| names_of(&scenario.requests[place])) {
            self.error(path, no_value(flow, step, name), before(name, scenario));
        }
    }

    fn captures(&mut self, place: &str, request: &Request, scenario: &Scenario, steps: &BTreeSet<&str>) {
        if request.capture.is_empty() {
            return;
        }
        let at = format!("{place}.capture");
        if !steps.contains(request.name.as_str()) {
            let message = format!("\"{}\" captures values and is a step of no flow", request.name);
            self.error(&at, message, "name it in steps = […] of [[flows]], or take \"capture\" out");
        }
        if request.conduct.is_some() {
            let help = "leave abort_after, read_rate, send_rate and hold to another request";
            self.error(&at, "what is captured needs the whole answer of a client that behaves", help);
        }
        for (name, capture) in &request.capture {
            let at = format!("{at}.{name}");
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if name.is_empty() || !name.chars().all(is_name) || name == "env" || variable_of(name).is_some() {
                let help = "letters, digits, `_`, `-` and `.`; {{env.NAME}} is a secret from the environment";
                self.error(&at, format!("\"{name}\" cannot be a name of a value"), help);
            } else if Param::named(&scenario.params, name).is_some() || scenario.params.contains_key(name) {
                self.error(&at, format!("\"{name}\" is a parameter already"), "choose another name");
            }
            let of_header = if let CapturePlace::Header(header) = &capture.place { Some(header) } else { None };
            if let Some(header) = of_header.filter(|header| !is_header_name(header)) {
                self.error(&format!("{at}.header"), format!("{header:?} is not a header name"), "");
            }
            if let Some(expression) = &capture.regex {
                self.expression(&format!("{at}.regex"), expression);
            }
            if request.method == "HEAD" && of_header.is_none() {
                self.error(&at, "an answer to HEAD has no body", "capture a header, or use GET");
            }
        }
    }

    fn expression(&mut self, path: &str, expression: &str) {
        match Regex::new(expression) {
            // With the whole match, which is not a group of its own.
            Ok(compiled) if compiled.captures_len() != 2 => {
                let message = format!("the expression has {} groups, not one", compiled.captures_len() - 1);
                self.error(path, message, "put (…) around the value, and (?:…) around the rest");
            }
            Ok(_) => {}
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                self.error(path, format!("that is not an expression: {reason}"), "the syntax is that of docs.rs/regex");
            }
        }
    }

    /// That what is sent outside flows needs nothing that is captured.
    fn alone(&mut self, place: &str, request: &Request, scenario: &Scenario, captured: &BTreeSet<&str>) {
        let in_phases = scenario.phases.iter().filter_map(|phase| phase.weights.get(&request.name));
        if request.weight <= 0.0 && in_phases.copied().all(|weight| weight <= 0.0) {
            return;
        }
        for name in names_of(request).intersection(captured) {
            let message = format!("\"{}\" is sent outside flows too, where {{{{{name}}}}} has no value", request.name);
            let help = "a step without \"weight\" is sent in its flow only; write another request for the rest";
            let path =
                if self.spans.has(&format!("{place}.weight")) { format!("{place}.weight") } else { place.into() };
            self.error(&path, message, help);
        }
    }
}

/// That a step needs a value which nothing gave.
pub(crate) fn no_value(flow: &Flow, step: usize, name: &str) -> String {
    format!("nothing captures {{{{{name}}}}} before step {} of \"{}\", \"{}\"", step + 1, flow.name, flow.steps[step])
}

/// Where the value comes from.
pub(crate) fn before(name: &str, scenario: &Scenario) -> String {
    let giving = scenario.requests.iter().filter(|request| request.capture.contains_key(name));
    let giving: Vec<String> = giving.map(|request| format!("\"{}\"", request.name)).collect();
    format!("put {} before it", giving.join(" or "))
}

fn names_of(request: &Request) -> BTreeSet<&str> {
    request.templates().flat_map(|(_, template)| Template::names(template)).collect()
}
