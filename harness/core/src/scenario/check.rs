//! What a decoded scenario must hold beside the type of each key: names that refer to something, rates that load
//! something, phases that can be judged.

mod weights;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::problem::{Problem, Spans, listed, nearest};
use crate::template::Template;
use steep_judge::ids::may_be_in_id;

/// The least that can be judged at all (METHOD: 40 blocks of at least a second, and a warm-up to model).
pub const SHORTEST_FIT: Duration = Duration::from_mins(1);
/// Longer names make cell ids and folders unreadable.
pub(super) const LONGEST_NAME: usize = 100;

/// Collects the problems of a scenario.
pub(super) struct Check<'s> {
    pub(super) spans: &'s Spans,
    pub(super) problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::error(message, self.spans.of(path)).help(help));
    }

    pub(super) fn warning(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::warning(message, self.spans.of(path)).help(help));
    }

    /// A name that becomes part of a file name or of a cell id.
    pub(super) fn file_name(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.chars().all(may_be_in_id) {
            let help = format!("letters, digits, `-`, `_` and `.`, not beginning with `.`, at most {LONGEST_NAME}");
            self.error(path, format!("{name:?} cannot be a name: it becomes part of a file name"), help);
        }
    }

    /// A name that means something else in ids, folders or logs.
    pub(super) fn reserved(&mut self, path: &str, name: &str, reserved: &[&str]) {
        if reserved.contains(&name) {
            self.error(path, format!("\"{name}\" cannot be a name here: steep uses it itself"), "choose another");
        }
    }

    pub(super) fn distinct_names<'n>(&mut self, list: &str, names: impl IntoIterator<Item = &'n str>) {
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
    pub(super) fn names(&mut self, path: &str, template: &Template, known: &[String], where_defined: &str) {
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
}

/// Names that may stand somewhere, in the order of the file.
pub(super) struct Names<'n> {
    all: Vec<&'n str>,
    known: BTreeSet<&'n str>,
}

impl<'n> Names<'n> {
    pub(super) fn of(names: impl Iterator<Item = &'n str>) -> Self {
        let all: Vec<&str> = names.collect();
        Self { known: all.iter().copied().collect(), all }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'n str> + Clone + '_ {
        self.all.iter().copied()
    }
}

/// Characters that a request's path and query may have (RFC 3986, with the brackets and quotes that servers take).
pub(super) fn is_of_a_path(c: char) -> bool {
    c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c)
}

/// Whether HTTP takes `name` as that of a header.
pub(crate) fn is_header_name(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(token)
}
