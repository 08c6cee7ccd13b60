//! What a decoded scenario must hold beside the type of each key: names that refer to something, rates that load
//! something, phases that can be judged.

mod accounting;
mod config;
mod constraints;
mod decides;
mod factors;
pub(crate) mod flows;
pub(crate) mod grpc;
mod known;
mod no_load;
mod phases;
mod service;
mod switches;
pub(crate) mod traffic;
mod transport;
mod weights;

pub(crate) use factors::RESERVED_FLAGS;
use std::collections::BTreeSet;
use std::time::Duration;

use self::factors::Known;
use super::{Flag, Scenario};
use crate::problem::{Problem, Spans, listed, nearest};
use crate::template::Template;
use steep_judge::ids::may_be_in_id;

/// The least that can be judged at all (METHOD: 40 blocks of at least a second, and a warm-up to model).
pub const SHORTEST_FIT: Duration = Duration::from_mins(1);
/// Longer names make cell ids and folders unreadable.
const LONGEST_NAME: usize = 100;

/// All problems of `scenario` that span several keys, each at its place.
#[must_use]
pub fn check(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let mut check = Check { spans, problems: Vec::new() };
    check.file_name("name", &scenario.name);
    check.service(scenario);
    check.dependencies(scenario);
    check.http(scenario);
    check.load(scenario);
    check.phases(scenario);
    check.requests(scenario);
    check.flows(scenario);
    check.params(scenario);
    check.tolerate(scenario);
    check.external(scenario);
    check.thresholds(scenario);
    check.flags(scenario);
    check.changed_files(scenario);
    check.switches(scenario);
    check.groups(scenario);
    check.axes(scenario);
    check.constraints(scenario);
    check.rules(scenario);
    let members: Vec<String> = scenario.flags.iter().flat_map(Flag::members).collect();
    let members = Known::of(members.iter().map(String::as_str));
    for (list, rows) in [("include", &scenario.plan.include), ("exclude", &scenario.plan.exclude)] {
        for (index, row) in rows.iter().enumerate() {
            check.row(scenario, &format!("plan.{list}[{index}]"), row, &members);
        }
    }
    check.sampling(scenario);
    check.judge(scenario);
    check.no_load(scenario);
    check.decides(scenario);
    check.known(scenario);
    check.problems
}

struct Check<'s> {
    spans: &'s Spans,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::error(message, self.spans.of(path)).help(help));
    }

    fn warning(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::warning(message, self.spans.of(path)).help(help));
    }

    /// A name that becomes part of a file name or of a cell id.
    fn file_name(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.chars().all(may_be_in_id) {
            let help = format!("letters, digits, `-`, `_` and `.`, not beginning with `.`, at most {LONGEST_NAME}");
            self.error(path, format!("{name:?} cannot be a name: it becomes part of a file name"), help);
        }
    }

    /// A name that means something else in ids, folders or logs.
    fn reserved(&mut self, path: &str, name: &str, reserved: &[&str]) {
        if reserved.contains(&name) {
            self.error(path, format!("\"{name}\" cannot be a name here: steep uses it itself"), "choose another");
        }
    }

    fn distinct_names<'n>(&mut self, list: &str, names: impl IntoIterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.into_iter().enumerate() {
            if !seen.insert(name) {
                self.error(
                    &format!("{list}[{index}].name"),
                    format!("{list} has \"{name}\" twice"),
                    "give each a name of its own",
                );
            }
        }
    }

    /// That each name in `template` is one of `known`.
    fn names(&mut self, path: &str, template: &Template, known: &[String], where_defined: &str) {
        let is_known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
        for name in template.names().filter(|name| !is_known.contains(name)) {
            let help = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {{{{{near}}}}}?"),
                None if known.is_empty() => where_defined.to_owned(),
                None => format!("{where_defined}; known here: {}", listed(known.iter().map(String::as_str))),
            };
            self.error(path, format!("nothing defines {{{{{name}}}}}"), help);
        }
    }

    fn judge(&mut self, scenario: &Scenario) {
        let judge = &scenario.judge;
        if judge.min_growth_bytes_per_request.get() <= 0.0 && judge.min_growth_bytes_per_hour.get() <= 0.0 {
            let help = "what is worth finding must be above 0, or nothing could ever be cleared";
            self.error("judge", "\"min_growth_per_request\" and \"min_growth_per_hour\" are both 0", help);
        }
    }

    fn sampling(&mut self, scenario: &Scenario) {
        const FEWEST_SAMPLES: f64 = 120.0; // METHOD wants 40 blocks of 3 samples.
        let samples = scenario.soak_duration().as_secs_f64() / scenario.sampling.every.as_secs_f64();
        if samples < FEWEST_SAMPLES && scenario.sampling.every > Duration::from_secs(1) {
            let help = format!("sample at least {FEWEST_SAMPLES} times in a soak");
            self.warning("sampling.every", format!("a soak has only {samples:.0} samples"), help);
        }
    }
}

/// Characters that a request's path and query may have (RFC 3986, with the brackets and quotes that servers take).
fn is_of_a_path(c: char) -> bool {
    c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c)
}
