//! A scenario before it is written: what an import knows, and what it has to say about it.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::scenario::LONGEST_PATH;
use crate::template::{Part, Template};

/// What must be encoded in the value of a query: all but letters, digits and what RFC 3986 calls unreserved.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What must be encoded in a segment of a path: there the delimiters of queries are text.
const IN_SEGMENT: &AsciiSet = &IN_QUERY
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Longer names make tables unreadable.
const LONGEST_NAME: usize = 60;

/// A scenario, but for what is to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its name, of the characters that a name may have.
    pub name: String,
    /// What the user must know, one line each.
    pub notes: Vec<String>,
    /// Base address of all requests.
    pub url: String,
    /// How much.
    pub load: Load,
    /// What is sent.
    pub requests: Vec<Request>,
    /// Where the values in the requests come from, by name.
    pub params: BTreeMap<String, Param>,
}

/// How much is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// The same rate throughout.
    Constant {
        /// Requests per second.
        rate: f64,
        /// Where the rate is from.
        note: String,
    },
    /// As a file says.
    FromFile {
        /// The file, relative to the scenario.
        path: String,
        /// How long that is.
        duration_s: u64,
        /// Where the rates are from.
        note: String,
    },
}

/// A kind of request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Its label.
    pub name: String,
    /// What is worth knowing of it, one line each.
    pub notes: Vec<String>,
    /// Share of the traffic.
    pub weight: f64,
    /// HTTP method.
    pub method: String,
    /// Path and query, a template.
    pub path: String,
    /// Headers, templates.
    pub headers: BTreeMap<String, String>,
    /// Body, a template.
    pub body: Option<String>,
    /// Statuses that count as success; none: 200 to 399.
    pub statuses: Vec<u16>,
}

/// Where the values of a name come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Param {
    /// Each whole number of a range equally often.
    Uniform {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// 16 hexadecimal digits that never come twice.
    Unique,
    /// One of these.
    Choice(Vec<String>),
}

/// Whether a request can have `path` with the longest values of its parameters.
pub(super) fn fits(path: &str, params: &BTreeMap<String, Param>) -> bool {
    /// The digits of a number and of `unique`.
    const DIGITS: usize = 16;
    let longest = |name: &str| match params.get(name) {
        Some(Param::Choice(values)) => values.iter().map(|value| 3 * value.len()).max().unwrap_or(0), // Each byte as %XX.
        _ => DIGITS,
    };
    let Ok(template) = Template::parse(path) else { return false };
    let length = |part: &Part| match part {
        Part::Text(text) => text.len(),
        Part::Name(name) => longest(name),
    };
    path.len() <= LONGEST_PATH && template.parts().iter().map(length).sum::<usize>() <= LONGEST_PATH
}

/// `text` as a name or value in a query.
pub(super) fn in_query(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

/// `text` as a segment of a path, or as a part of one.
pub(super) fn in_segment(text: &str) -> String {
    utf8_percent_encode(text, IN_SEGMENT).to_string()
}

/// Whether `text` can be a value of `choice`: one with `{{` looks like a template and is refused, and so are control
/// characters where they stand in a header.
pub(super) fn is_a_choice(text: &str) -> bool {
    !text.contains("{{") && !text.contains(|c: char| c == char::REPLACEMENT_CHARACTER || c.is_control())
}

/// `words` as one name: lower case, other characters than letters and digits as `_`, without empty words.
pub(super) fn name_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut name = String::new();
    for word in words {
        for part in word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
            if !name.is_empty() {
                name.push('_');
            }
            name.push_str(&part.to_ascii_lowercase());
        }
    }
    name.truncate(LONGEST_NAME); // All of it is ASCII.
    name
}

/// Names that are given away once each.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
    /// Which number a name that was wanted has next.
    next: BTreeMap<String, u64>,
}

impl Names {
    /// Names for parameters: `env` is where secrets are.
    pub(super) fn of_params() -> Self {
        Self { taken: ["env".to_owned()].into(), next: BTreeMap::new() }
    }

    /// `wanted`, or the first of `wanted_2`, `wanted_3` and so on that is free.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "unnamed" } else { wanted };
        let mut name = wanted.to_owned();
        while !self.taken.insert(name.clone()) {
            let nth = self.next.entry(wanted.to_owned()).or_insert(2);
            name = format!("{wanted}_{nth}");
            *nth += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_letters_and_digits_and_come_once() {
        assert_eq!(name_of(["GET", "v1", "order-items", "", "%7Bid%7D"]), "get_v1_order_items_7bid_7d");
        let mut names = Names::default();
        assert_eq!(
            [names.take("get"), names.take("get"), names.take("get"), names.take("")],
            ["get", "get_2", "get_3", "unnamed"]
        );
        assert_eq!(["get_2", "get"].map(|wanted| names.take(wanted)), ["get_2_2", "get_4"]);
        assert_eq!(Names::of_params().take("env"), "env_2");
    }

    #[test]
    fn what_a_path_may_not_have_is_encoded() {
        assert_eq!(in_query("a b/{c}é&+"), "a%20b%2F%7Bc%7D%C3%A9%26%2B");
        assert_eq!(in_segment("a b/{c}?%2F:x,y=(1)"), "a%20b%2F%7Bc%7D%3F%252F:x,y=(1)");
    }
}
