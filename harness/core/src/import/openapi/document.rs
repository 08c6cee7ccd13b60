//! The description as a tree of values, and where references in it lead.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use super::OpenApiError;
use crate::scenario::LONGEST_PATH;

/// References that lead to references: a description has one or two.
const MAX_HOPS: usize = 16;

/// A description of OpenAPI 3.
#[derive(Debug)]
pub(super) struct Document(Json);

/// A value of the description, with the reference that led to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'d> {
    pub(super) value: &'d Json,
    /// The last reference on the way; none: the value stood there.
    pub(super) through: Option<&'d str>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, OpenApiError> {
        let tree: Json = if text.trim_start().starts_with('{') {
            serde_json::from_str(text)?
        } else {
            let first_line = |error: serde_saphyr::Error| {
                // What follows is an excerpt of the file.
                error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
            };
            serde_saphyr::from_str(text).map_err(|error| OpenApiError::Yaml(first_line(error)))?
        };
        let version = match &tree["openapi"] {
            Json::String(version) => version.clone(),
            Json::Number(version) => version.to_string(),
            _ if tree.get("swagger").is_some() => {
                return Err(OpenApiError::Version("it is one of Swagger 2, which must be converted first".to_owned()));
            }
            _ => return Err(OpenApiError::Version("it has no \"openapi\" with its version at the top".to_owned())),
        };
        if version != "3" && !version.starts_with("3.") {
            return Err(OpenApiError::Version(format!("its version is {version:?}")));
        }
        Ok(Self(tree))
    }

    /// Paths, with what may be done there.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0["paths"].as_object().into_iter().flatten().map(|(path, item)| (path.as_str(), item))
    }

    pub(super) fn title(&self) -> Option<&str> {
        self.0["info"]["title"].as_str()
    }

    /// What holds for operations that say nothing of security.
    pub(super) fn security(&self) -> Option<&Json> {
        self.0.get("security")
    }

    /// The scheme of security with this name.
    pub(super) fn security_scheme(&self, name: &str) -> Option<&Json> {
        self.resolve(&self.0["components"]["securitySchemes"][name]).ok().map(|found| found.value)
    }

    /// The path of the first server, which stands before all others; empty, or with a `/` before and none after.
    pub(super) fn base_path(&self) -> String {
        let server = &self.0["servers"][0];
        // Each once: what a variable stands for may look like another one.
        let mut url = String::new();
        let mut rest = server["url"].as_str().unwrap_or_default();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            url.push_str(before);
            match server["variables"][name]["default"].as_str() {
                Some(value) if url.len() + value.len() <= LONGEST_PATH => url.push_str(value),
                Some(_) => {}
                None => url.push_str(&format!("{{{name}}}")),
            }
            rest = after;
        }
        url.push_str(rest);
        let after_host = url.split_once("://").map(|(_, rest)| rest.find('/').map_or("", |slash| &rest[slash..]));
        let path = after_host.unwrap_or(&url).split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        if path.is_empty() { String::new() } else { format!("/{path}") }
    }

    /// `value`, or what it refers to.
    ///
    /// # Errors
    /// The reference that leads nowhere, to another file, or in a circle.
    pub(super) fn resolve<'d>(&'d self, value: &'d Json) -> Result<Found<'d>, &'d str> {
        let mut found = Found { value, through: None };
        for _ in 0..MAX_HOPS {
            let Some(reference) = found.value.get("$ref").and_then(Json::as_str) else { return Ok(found) };
            let pointer = reference.strip_prefix('#').map(|pointer| percent_decode_str(pointer).decode_utf8_lossy());
            let value = pointer.and_then(|pointer: Cow<'_, str>| self.0.pointer(&pointer)).ok_or(reference)?;
            found = Found { value, through: Some(reference) };
        }
        Err(found.through.unwrap_or_default())
    }

    #[cfg(test)]
    pub(super) fn to_json(&self) -> String {
        self.0.to_string()
    }
}

/// The type that `schema` asks for; with several the first that is not `null`, without any what its other keys speak
/// of.
pub(super) fn type_of(schema: &Json) -> &str {
    let named = match &schema["type"] {
        Json::String(name) => Some(name.as_str()),
        Json::Array(names) => names.iter().filter_map(Json::as_str).find(|name| *name != "null"),
        _ => None,
    };
    named.unwrap_or_else(|| match schema.as_object() {
        Some(schema) if schema.contains_key("properties") => "object",
        Some(schema) if schema.contains_key("items") => "array",
        Some(schema) if schema.contains_key("minimum") || schema.contains_key("maximum") => "number",
        _ => "string",
    })
}

/// How many values `value` has, counted as far as `most` and one more; a text counts for its length, too.
pub(super) fn size(value: &Json, most: usize) -> usize {
    /// Bytes of text that are counted as one value.
    const BYTES: usize = 16;
    let mut open = vec![value];
    let mut size = 0;
    while let Some(value) = open.pop() {
        size += 1;
        match value {
            Json::Array(values) => open.extend(values.iter().take(most)),
            Json::Object(values) => {
                size += values.keys().take(most).map(|name| name.len() / BYTES).sum::<usize>();
                open.extend(values.values().take(most));
            }
            Json::String(text) => size += text.len() / BYTES,
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
        if size > most {
            break;
        }
    }
    size
}

/// A value that stands in `described` (a schema, a parameter or a media type) as an example or as the only one
/// possible.
pub(super) fn example(described: &Map<String, Json>) -> Option<&Json> {
    let examples = described.get("examples");
    // A list in a schema, a map of objects with `value` everywhere else.
    let first = match examples {
        Some(Json::Array(examples)) => examples.first(),
        Some(Json::Object(examples)) => examples.values().find_map(|example| example.get("value")),
        _ => None,
    };
    described.get("example").or(first).or_else(|| described.get("const")).or_else(|| described.get("default"))
}
