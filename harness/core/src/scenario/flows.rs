//! What a user does one step after the other.

pub(super) mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Request, Scenario, ThinkTime};

/// A session of several requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its name in traces and reports.
    pub name: String,
    /// Share of the arrivals, beside those of single requests.
    pub weight: f64,
    /// Names of requests, in the order in which they are sent.
    pub steps: Vec<String>,
    /// How long its user waits between an answer and the next step.
    pub think_time: ThinkTime,
    /// Whether its user keeps cookies.
    pub cookies: bool,
}

impl Scenario {
    /// The flow of each request that is a step of one flow, and sent in no other way.
    #[must_use]
    pub fn flow_of_steps(&self) -> BTreeMap<String, String> {
        let is_sent_alone = |request: &&Request| {
            let weights = self.phases.iter().filter_map(|phase| phase.weights.get(&request.name));
            request.weight > 0.0 || weights.into_iter().any(|weight| *weight > 0.0)
        };
        let flow_of = |request: &Request| {
            let mut flows = self.flows.iter().filter(|flow| flow.steps.contains(&request.name));
            let flow = flows.next().filter(|_| flows.next().is_none())?;
            Some((request.name.clone(), flow.name.clone()))
        };
        self.requests.iter().filter(|request| !is_sent_alone(request)).filter_map(flow_of).collect()
    }
}

/// Where each request stands, by its name; of requests with the same name the last.
#[must_use]
pub fn places(requests: &[Request]) -> BTreeMap<&str, usize> {
    requests.iter().enumerate().map(|(place, request)| (request.name.as_str(), place)).collect()
}

/// Which names of captured values (`variables`) a step uses before any answer gave them one: the place of the step, and
/// the name. `names_of` tells the names in the templates of a request, which stands in one of `places`.
pub fn unset<'n>(
    flow: &Flow,
    requests: &'n [Request],
    (places, variables): (&BTreeMap<&str, usize>, &BTreeSet<&'n str>),
    names_of: impl Fn(usize) -> BTreeSet<&'n str>,
) -> Vec<(usize, &'n str)> {
    let mut set: BTreeSet<&str> = BTreeSet::new();
    let mut unset = Vec::new();
    for (step, name) in flow.steps.iter().enumerate() {
        let Some(&request) = places.get(name.as_str()) else { continue };
        let used = names_of(request);
        unset.extend(used.intersection(variables).filter(|name| !set.contains(*name)).map(|name| (step, *name)));
        set.extend(requests[request].capture.keys().map(String::as_str));
    }
    unset
}

#[cfg(test)]
mod tests {
    use crate::testing::{decoded, sound};

    #[test]
    fn a_step_of_one_flow_that_is_sent_in_no_other_way_belongs_to_it() {
        let request = |name: &str, more: &str| format!("[[requests]]\nname = \"{name}\"\npath = \"/{name}\"\n{more}");
        let requests =
            ["login", "browse", "buy"].map(|name| request(name, "")).concat() + &request("help", "weight = 1\n");
        let flows = "[[flows]]\nname = \"shopping\"\nsteps = [\"login\", \"browse\", \"buy\", \"help\"]\n\
                     [[flows]]\nname = \"looking\"\nsteps = [\"browse\"]\n";
        let flows = decoded(&sound("5m", &(requests + flows))).flow_of_steps();
        let steps: Vec<(&str, &str)> = flows.iter().map(|(step, flow)| (step.as_str(), flow.as_str())).collect();
        assert_eq!(steps, [("buy", "shopping"), ("login", "shopping")]);
    }
}
