//! What is taken out of answers for later steps of a flow: its types, keys, decoding and checks.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

use super::Request;
use crate::problem::Problem;
use crate::scenario::check::{Check, is_header_name};
use crate::scenario::http::variable_of;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key};
use crate::scenario::{JsonPath, Param, Scenario};

/// What is taken out of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Where it stands.
    pub place: CapturePlace,
    /// What of the text there is taken: that which the one group of this expression matches first; none: all of it.
    pub regex: Option<String>,
}

/// Where in an answer a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapturePlace {
    /// At a place of its JSON body.
    Json(JsonPath),
    /// In the header of this name, in lower case.
    Header(String),
    /// Anywhere in the body.
    Body,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("requests[].capture", Kind::TableMap, Presence::Default("{}"), "Values taken out of the answer, by the name that later steps of the same flow have them by: `capture = { token = { json = \"data.token\" } }` makes `{{token}}`. An answer without one is counted as `failed_expect`, and ends the session. A value may have 4 KiB, the body 1 MiB; values are never templates themselves."),
    key("requests[].capture.*.json", Kind::Text, Presence::Optional, "The place in the JSON body, like `data.token` (or `/data/token`), where a text, number or boolean stands."),
    key("requests[].capture.*.header", Kind::Text, Presence::Optional, "The header whose value it is."),
    key("requests[].capture.*.regex", Kind::Text, Presence::Optional, "An expression with one group, such as `id=(\\d+)`: what the group matches first in the body, or in what `json` or `header` name (`capture = { order = { header = \"location\", regex = \"/orders/(\\\\d+)\" } }`)."),
];

pub(super) fn captures(reader: &mut Reader, request: &Section<'_>) -> BTreeMap<String, Capture> {
    let sections = reader.named_sections(request, "capture");
    sections.into_iter().filter_map(|(name, section)| Some((name, capture(reader, &section)?))).collect()
}

/// The one place that it names.
fn capture(reader: &mut Reader, section: &Section<'_>) -> Option<Capture> {
    let json = reader.text(section, "json").map(|place| CapturePlace::Json(JsonPath::new(place)));
    let header = reader.text(section, "header").map(|name| CapturePlace::Header(name.to_ascii_lowercase()));
    let regex = reader.text(section, "regex");
    let message = match ["json", "header", "regex"].map(|name| Reader::has(section, name)) {
        [true, true, _] => "a capture has one place",
        [false, false, false] => "a capture names no place",
        [false, false, true] => return regex.map(|regex| Capture { place: CapturePlace::Body, regex: Some(regex) }),
        _ => return json.or(header).map(|place| Capture { place, regex }),
    };
    let problem = Problem::error(message, reader.spans.of(&section.path));
    let help = "give json = \"a.b\" or header = \"name\", and regex = \"id=(\\\\d+)\" for a part of it, or of the body";
    reader.problems.push(problem.help(help));
    None
}

impl Check<'_> {
    pub(in crate::scenario) fn captures(
        &mut self,
        place: &str,
        request: &Request,
        scenario: &Scenario,
        steps: &BTreeSet<&str>,
    ) {
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
}
