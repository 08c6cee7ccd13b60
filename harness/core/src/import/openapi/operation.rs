//! One operation as a request: its path, parameters, credentials, body, and the statuses that it documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::body::Writer;
use super::document::{Document, Found, example};
use super::value::{Place, Values, without_names};
use crate::import::draft::{Names, Param, Request, fits, in_query, in_segment, name_of};
use crate::scenario::is_header_name;

/// Methods that a scenario can have, as descriptions write them.
pub(super) const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

/// What stands where a credential is to be.
const CREDENTIAL: &str = "CHANGE-ME";

/// Headers that the driver, or the body, decides.
const NOT_PARAMETERS: [&str; 7] =
    ["accept", "authorization", "connection", "content-length", "content-type", "host", "transfer-encoding"];

/// What could not be understood is reported so often.
const MAX_SAID: usize = 100;

/// Turns operations into requests, one after the other, with names that are theirs alone.
pub(super) struct Operations<'d> {
    document: &'d Document,
    names: Names,
    values: Values,
    said: Vec<String>,
    /// The same, to tell each once.
    notes: BTreeSet<String>,
}

/// What the parameters and credentials of an operation come to.
#[derive(Debug, Default)]
struct Asked {
    /// Texts for `{name}` in the path.
    segments: BTreeMap<String, String>,
    query: Vec<String>,
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
    notes: Vec<String>,
}

impl<'d> Operations<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        Self { document, names: Names::default(), values: Values::default(), said: Vec::new(), notes: BTreeSet::new() }
    }

    /// The parameters that the requests use, and what could not be understood.
    pub(super) fn finish(self) -> (BTreeMap<String, Param>, Vec<String>) {
        (self.values.into_params(), self.said)
    }

    /// The request for what `item` says of `method` on `path`, if it says anything.
    pub(super) fn request(&mut self, path: &'d str, item: &'d Json, method: &str) -> Option<Request> {
        let place = format!("{} {path}", method.to_ascii_uppercase());
        if !path.starts_with('/') {
            return None; // An extension, `x-…`.
        }
        let item = self.resolved(item, path)?;
        let operation = item.get(method).filter(|operation| operation.is_object())?;
        let mut asked = Asked::default();
        for parameter in self.parameters(item, operation, &place) {
            self.parameter(parameter, &place, &mut asked);
        }
        self.credentials(operation, &mut asked);
        let body = self.body(operation, &place, &mut asked);
        if operation["deprecated"].as_bool().unwrap_or(false) {
            asked.notes.push("Deprecated.".to_owned());
        }
        let is_delete = method == "delete";
        if is_delete {
            asked.notes.push(
                "Weight 0: it would delete what the others ask for. Give it a weight if the service bears that."
                    .to_owned(),
            );
        }
        if !asked.cookies.is_empty() {
            asked.headers.insert("cookie".to_owned(), asked.cookies.join("; "));
        }
        let text = self.path(path, &place, &mut asked);
        if !fits(&text, self.values.params()) {
            self.say(format!("{place}: left out: with its parameters the path is longer than servers take."));
            return None;
        }
        Some(Request {
            name: self.names.take(&name_of([method, path])),
            weight: if is_delete { 0.0 } else { 1.0 },
            method: method.to_ascii_uppercase(),
            path: text,
            headers: asked.headers,
            body,
            statuses: statuses(&operation["responses"]),
            notes: asked.notes,
        })
    }

    /// `value`, or what it refers to; a reference that leads nowhere is reported.
    fn resolved(&mut self, value: &'d Json, place: &str) -> Option<&'d Json> {
        let document: &'d Document = self.document;
        match document.resolve(value) {
            Ok(Found { value, .. }) => Some(value),
            Err(reference) => {
                self.lost(place, reference);
                None
            }
        }
    }

    fn lost(&mut self, place: &str, reference: &str) {
        self.say(format!("{place}: the reference {reference:?} leads nowhere in this file."));
    }

    /// Tells `problem`, once; of too many only that there are more.
    fn say(&mut self, problem: String) {
        if self.said.len() < MAX_SAID && self.notes.insert(problem.clone()) {
            self.said.push(problem);
            if self.said.len() == MAX_SAID {
                self.said.push("There is more of this kind, which is not told.".to_owned());
            }
        }
    }

    /// The parameters of `operation`, and those of `item` that it does not say anew.
    fn parameters(&mut self, item: &'d Json, operation: &'d Json, place: &str) -> Vec<&'d Json> {
        let mut all: Vec<&Json> = Vec::new();
        let mut known: BTreeSet<(Option<&str>, Option<&str>)> = BTreeSet::new();
        let lists = [operation, item].map(|level| level["parameters"].as_array());
        for parameter in lists.into_iter().flatten().flatten() {
            let Some(parameter) = self.resolved(parameter, place) else { continue };
            if known.insert((parameter["name"].as_str(), parameter["in"].as_str())) {
                all.push(parameter);
            }
        }
        all
    }

    fn parameter(&mut self, parameter: &'d Json, place: &str, asked: &mut Asked) {
        let (Some(name), Some(position)) = (parameter["name"].as_str(), parameter["in"].as_str()) else { return };
        let is_required = position == "path" || parameter["required"].as_bool().unwrap_or(false);
        if !is_required {
            return;
        }
        let given = parameter.as_object().and_then(example);
        // A parameter has a schema, or content with one.
        let content = parameter["content"].as_object().and_then(|content| content.values().next());
        let schema = content.map_or(&parameter["schema"], |content| &content["schema"]);
        let schema = self.resolved(schema, place).unwrap_or(&Json::Null);
        let mut text = |place| self.values.text(name, schema, given, place);
        match position {
            "path" => drop(asked.segments.insert(name.to_owned(), text(Place::Segment))),
            "query" => asked.query.push(format!("{}={}", in_query(name), text(Place::Query))),
            "header" if !is_header_name(name) => {
                asked.notes.push(format!("{name:?} cannot be the name of a header, and is left out."));
            }
            "header" if !NOT_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) => {
                drop(asked.headers.insert(name.to_ascii_lowercase(), text(Place::Header)));
            }
            "cookie" => asked.cookies.push(format!("{}={}", Place::Header.literal(name), text(Place::Query))),
            _ => {}
        }
    }

    /// `path` with texts for its `{name}`s, after the path of the server and before the query.
    fn path(&mut self, path: &str, place: &str, asked: &mut Asked) -> String {
        let segments = |text: &str| text.split('/').map(in_segment).collect::<Vec<_>>().join("/");
        let mut text = segments(&self.document.base_path());
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            text.push_str(&segments(before));
            if let Some(value) = asked.segments.get(name) {
                text.push_str(value);
            } else {
                self.say(format!("{place}: nothing says what {{{name}}} is."));
                text.push_str(&self.values.named(name, Param::Unique));
            }
            rest = after;
        }
        text.push_str(&segments(rest));
        if !asked.query.is_empty() {
            text = format!("{text}?{}", asked.query.join("&"));
        }
        text
    }

    /// Places for the credentials that `operation` needs: those of the first way that it allows.
    fn credentials(&mut self, operation: &'d Json, asked: &mut Asked) {
        let ways = operation.get("security").or_else(|| self.document.security()).and_then(Json::as_array);
        let is_free = |way: &Json| way.as_object().is_none_or(serde_json::Map::is_empty);
        let Some(way) = ways.filter(|ways| !ways.iter().any(is_free)).and_then(|ways| ways.first()) else { return };
        for name in way.as_object().into_iter().flatten().map(|(name, _)| name) {
            let scheme = self.document.security_scheme(name).unwrap_or(&Json::Null);
            let key = scheme["name"].as_str().unwrap_or_default();
            let is_basic = scheme["scheme"].as_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"));
            match (scheme["type"].as_str().unwrap_or_default(), scheme["in"].as_str().unwrap_or_default()) {
                ("apiKey", "query") => asked.query.push(format!("{}={CREDENTIAL}", in_query(key))),
                ("apiKey", "cookie") => asked.cookies.push(format!("{}={CREDENTIAL}", Place::Header.literal(key))),
                ("apiKey", "header")
                    if !is_header_name(key)
                        || NOT_PARAMETERS.contains(&key.to_ascii_lowercase().as_str())
                            && !key.eq_ignore_ascii_case("authorization") =>
                {
                    asked.notes.push(format!("Needs credentials ({name}) in the header {key:?}, which cannot be set."));
                    continue;
                }
                ("apiKey", "header") => drop(asked.headers.insert(key.to_ascii_lowercase(), CREDENTIAL.to_owned())),
                ("mutualTLS", _) => {
                    asked
                        .notes
                        .push(format!("Needs a client certificate ({name}), which a description does not have."));
                    continue;
                }
                _ => {
                    let kind = if is_basic { "Basic" } else { "Bearer" };
                    drop(asked.headers.insert("authorization".to_owned(), format!("{kind} {CREDENTIAL}")));
                }
            }
            asked.notes.push(format!("Needs credentials ({name}): put them where {CREDENTIAL} stands."));
        }
    }

    /// The body of `operation`, with its type among the headers.
    fn body(&mut self, operation: &'d Json, place: &str, asked: &mut Asked) -> Option<String> {
        let content = self.resolved(operation.get("requestBody")?, place)?["content"].as_object()?;
        let kind = |kind: &str| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = |name: &str| kind(name) == "application/json" || kind(name).ends_with("+json");
        let Some((name, media)) = content.iter().find(|(name, _)| is_json(name)) else {
            let kinds: Vec<&str> = content.keys().map(String::as_str).collect();
            asked
                .notes
                .push(format!("It takes no JSON but {}: write the body and its content-type.", kinds.join(", ")));
            return None;
        };
        let mut writer = Writer::new(self.document, &mut self.values);
        let body = match media.as_object().and_then(example) {
            Some(example) => writer.may_copy(example).then(|| without_names(&example.to_string())),
            None => writer.json("body", &media["schema"]),
        };
        for reference in writer.lost {
            self.lost(place, &reference);
        }
        if body.is_none() {
            asked.notes.push("No body that ends could be made from the schema: write one.".to_owned());
        }
        asked.headers.insert("content-type".to_owned(), Place::Header.literal(&kind(name)));
        body
    }
}

/// The statuses of success that `responses` names; those that lead elsewhere, where there are no others.
fn statuses(responses: &Json) -> Vec<u16> {
    let named = |hundreds: u16| {
        let statuses = responses.as_object().into_iter().flatten().filter_map(|(status, _)| status.parse::<u16>().ok());
        statuses.filter(|status| status / 100 == hundreds).collect::<Vec<u16>>()
    };
    let success = named(2);
    let is_range = responses.get("2XX").is_some();
    if success.is_empty() && !is_range { named(3) } else { success }
}
