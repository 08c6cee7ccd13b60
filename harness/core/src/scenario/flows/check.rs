//! Flows: that their steps are requests, and that what a step needs was captured before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Flow, places, unset};
use crate::problem::{listed, nearest};
use crate::scenario::check::{Check, Names};
use crate::scenario::requests::variables;
use crate::scenario::{Request, Scenario, ThinkTime};
use crate::template::Template;

/// More is a mistake in a generated file: sessions of users have a few steps.
const MAX_STEPS: usize = 100;

impl Check<'_> {
    pub(in crate::scenario) fn flows(&mut self, scenario: &Scenario) {
        self.distinct_names("flows", scenario.flows.iter().map(|flow| flow.name.as_str()));
        let requests = Names::of(scenario.requests.iter().map(|request| request.name.as_str()));
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

    fn steps(&mut self, path: &str, flow: &Flow, scenario: &Scenario, requests: &Names<'_>) {
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
