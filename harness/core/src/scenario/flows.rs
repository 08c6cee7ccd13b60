//! What a user does one step after the other.

pub(super) mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Request, ThinkTime};

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
