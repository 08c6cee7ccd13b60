//! From learned routes to the requests of a scenario: names, paths with parameters, weights, and what counts as
//! success.

use std::collections::BTreeMap;

use super::draft::{Names, Param, Request, fits, in_query, in_segment, name_of};
use super::routes::{End, Kind, Node, Routes, is_secret};
use super::values::Values;

/// The share of all requests below which a route is left out.
const RARE_SHARE: f64 = 0.001;

/// Picked of a scenario: more are not read by anybody.
const MAX_REQUESTS: usize = 200;

/// The share of a route's answers that makes a status one of its usual ones.
const USUAL_SHARE: f64 = 0.05;

/// What is sent, of all that was learned.
#[derive(Debug, Default)]
pub(super) struct Picked {
    /// Most frequent first.
    pub(super) requests: Vec<Request>,
    /// Where their values come from.
    pub(super) params: BTreeMap<String, Param>,
    /// Picked of the log that they stand for.
    pub(super) kept: u64,
    /// Routes that were too rare, with the requests of the log that went to them.
    pub(super) rare: (usize, u64),
    /// Requests of the log whose path is longer than a scenario can have.
    pub(super) long: u64,
}

/// A place of a path.
#[derive(Debug, Clone, Copy)]
enum Part<'r> {
    Literal(&'r str),
    Value { kind: Kind, values: &'r Values, behind: &'r str },
}

/// A route of the tree.
#[derive(Debug)]
struct Route<'r> {
    parts: Vec<Part<'r>>,
    method: &'r str,
    keys: &'r [String],
    end: &'r End,
}

/// The requests for `routes`.
pub(super) fn requests(routes: &Routes) -> Picked {
    let mut all = Vec::new();
    collect(&routes.root, &mut Vec::new(), &mut all);
    all.sort_by_key(|route| std::cmp::Reverse(route.end.answered));
    let total: u64 = all.iter().map(|route| route.end.answered).sum();
    let is_rare = |route: &Route<'_>| (route.end.answered as f64) < total as f64 * RARE_SHARE;
    let kept = all.iter().position(is_rare).unwrap_or(all.len()).min(MAX_REQUESTS);
    let (frequent, rare) = all.split_at(kept);
    let mut writer = Writer::default();
    let mut long = 0;
    let mut requests: Vec<Request> = Vec::new();
    for route in frequent {
        let request = writer.request(route, total);
        if fits(&request.path, &writer.params) {
            requests.push(request);
        } else {
            long += route.end.answered;
        }
    }
    let mut params = writer.params;
    let is_used = |name: &String| requests.iter().any(|request| request.path.contains(&format!("{{{{{name}}}}}")));
    params.retain(|name, _| long == 0 || is_used(name));
    let sum = |routes: &[Route<'_>]| routes.iter().map(|route| route.end.answered).sum::<u64>();
    Picked { requests, params, kept: sum(frequent) - long, rare: (rare.len(), sum(rare)), long }
}

fn collect<'r>(node: &'r Node, parts: &mut Vec<Part<'r>>, all: &mut Vec<Route<'r>>) {
    for ((method, keys), end) in node.ends.iter().filter(|(_, end)| end.answered > 0) {
        all.push(Route { parts: parts.clone(), method, keys, end });
    }
    let literals = node.literals.iter().map(|(text, node)| (Part::Literal(text), node));
    let behind = parts.iter().rev().find_map(|part| match part {
        Part::Literal(text) => Some(*text),
        Part::Value { .. } => None,
    });
    let values = node.values.iter().map(|(kind, (values, node))| {
        let part = Part::Value { kind: *kind, values, behind: behind.unwrap_or_default() };
        (values.only_one().map_or(part, Part::Literal), node)
    });
    for (part, node) in literals.chain(values) {
        parts.push(part);
        collect(node, parts, all);
        parts.pop();
    }
}

/// Gives names away.
#[derive(Debug)]
struct Writer {
    requests: Names,
    names: Names,
    params: BTreeMap<String, Param>,
    /// Parameters of places that several routes share, by the place in the tree.
    shared: BTreeMap<*const Values, String>,
}

impl Default for Writer {
    fn default() -> Self {
        let (requests, params, shared) = (Names::default(), BTreeMap::new(), BTreeMap::new());
        Self { requests, names: Names::of_params(), params, shared }
    }
}

impl Writer {
    fn request(&mut self, route: &Route<'_>, total: u64) -> Request {
        let mut words = vec![route.method];
        let mut path = String::new();
        for part in &route.parts {
            path.push('/');
            match *part {
                Part::Literal(text) => {
                    words.push(text);
                    path.push_str(&in_segment(text));
                }
                Part::Value { kind, values, behind } => {
                    words.push(kind.word());
                    path.push_str(&self.param(&name_of([behind, kind.word()]), values));
                }
            }
        }
        if !route.keys.is_empty() {
            words.push("by");
        }
        for (nth, key) in route.keys.iter().enumerate() {
            words.push(key);
            let value = match &route.end.query[key] {
                values if is_secret(key) => self.param(&name_of([key.as_str()]), values),
                values => match values.only_one() {
                    Some(text) => in_query(text),
                    None => self.param(&name_of([key.as_str()]), values),
                },
            };
            path.push_str(&format!("{}{}={value}", if nth == 0 { '?' } else { '&' }, in_query(key)));
        }
        Request {
            name: self.requests.take(&name_of(words)),
            notes: notes(route),
            weight: percent(route.end.answered, total),
            method: route.method.to_owned(),
            path,
            statuses: statuses(&route.end.statuses),
            ..Request::default()
        }
    }

    /// The name of the parameter for `values`, as it stands in a template.
    fn param(&mut self, wanted: &str, values: &Values) -> String {
        let name = self.shared.entry(std::ptr::from_ref(values)).or_insert_with(|| {
            let name = self.names.take(wanted);
            let param = if is_secret(wanted) { Param::Unique } else { values.param() };
            self.params.insert(name.clone(), param);
            name
        });
        format!("{{{{{name}}}}}")
    }
}

impl Kind {
    /// What values of this kind are called.
    fn word(self) -> &'static str {
        match self {
            Self::Number | Self::Hex => "id",
            Self::File => "file",
            Self::Text => "name",
        }
    }
}

/// `part` of `whole` in percent, to a hundredth.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 * 1e4 / whole.max(1) as f64).round() / 100.0
}

fn notes(route: &Route<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if matches!(route.method, "POST" | "PUT" | "PATCH") {
        notes.push(
            "Logs have no bodies: give it a body, and the header content-type, or the service may refuse it."
                .to_owned(),
        );
    }
    if route.method == "DELETE" {
        notes.push("Deletes: the service must bear that what is deleted is gone.".to_owned());
    }
    let End { answered, failed, .. } = route.end;
    if *failed > 0 {
        let share = percent(*failed, answered + failed);
        notes.push(format!("{share} % of these were answered with a status from 400 up in the log."));
    }
    if let Some(key) = route.keys.iter().find(|key| is_secret(key)) {
        notes.push(format!("{key:?} may be a secret: its values in the log are not written here."));
    }
    notes
}

/// The statuses that count as success: the usual ones, as a client without a cache and without ranges gets them.
fn statuses(seen: &BTreeMap<u16, u64>) -> Vec<u16> {
    let total: u64 = seen.values().sum();
    let usual = seen.iter().filter(|(_, count)| **count as f64 >= total as f64 * USUAL_SHARE);
    let mut statuses: Vec<u16> = usual
        .map(|(status, _)| match status {
            206 | 304 => 200,
            status => *status,
        })
        .filter(|status| *status >= 200)
        .collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(asked: impl IntoIterator<Item = (&'static str, String, u16)>) -> Picked {
        let mut routes = Routes::default();
        for (method, target, status) in asked {
            routes.learn(method, &target, status);
        }
        requests(&routes)
    }

    #[test]
    fn a_route_becomes_a_request_with_parameters_that_other_methods_share() {
        let gets = (1..=60).map(|id| ("GET", format!("/v1/items/{id}"), if id % 3 == 0 { 304 } else { 200 }));
        let deletes = (1..=20).map(|id| ("DELETE", format!("/v1/items/{id}"), 204));
        let searches = (1..=20).map(|page| ("GET", format!("/search?q=w{}&page={page}&lang=en", page % 3), 200));
        let missing = (1..=20).map(|id| ("GET", format!("/v1/items/9{id}"), 404));
        let Picked { requests, params, .. } = learned(gets.chain(deletes).chain(searches).chain(missing));
        let shown: Vec<String> = requests
            .iter()
            .map(|r| format!("{} {} {} {} {:?} {:?}", r.name, r.weight, r.method, r.path, r.statuses, r.notes))
            .collect();
        insta::assert_snapshot!(format!("{}\n{params:#?}", shown.join("\n")));
    }

    #[test]
    fn rare_routes_are_left_out_and_counted() {
        let often = (0..5000).map(|_| ("GET", "/".to_owned(), 200));
        let rare = ["/robots", "/robots", "/humans"].map(|path| ("GET", path.to_owned(), 200));
        let requests = learned(often.chain(rare));
        assert_eq!((requests.requests.len(), requests.kept, requests.rare), (1, 5000, (2, 3)));
        assert_eq!(requests.requests[0].name, "get");
    }

    #[test]
    fn secrets_stay_in_the_log() {
        let asked = (0..10).flat_map(|n| {
            [
                ("GET", format!("/in?access_token=s3cr3t{n}"), 200),
                ("GET", format!("/password-reset/deadbeef0123456{n}"), 200),
            ]
        });
        let Picked { requests, params, .. } = learned(asked);
        assert!(!format!("{requests:?}{params:?}").contains("s3cr3t"), "{params:?}");
        assert!(params.values().all(|param| *param == Param::Unique), "{params:?}");
        let alone = learned([("GET", "/in?token=s3cr3t".to_owned(), 200)]);
        assert!(!format!("{alone:?}").contains("s3cr3t"), "{alone:?}");
    }

    #[test]
    fn what_cannot_stand_in_a_path_is_encoded() {
        let requests = learned([("GET", "/a%20b/{x}?a%5B%5D=%22".to_owned(), 200)]).requests;
        assert_eq!(requests[0].path, "/a%20b/%7Bx%7D?a%5B%5D=%22");
    }
}
