//! Bodies that a schema allows, as small as they can be while every property that may be sent is there.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::document::{Document, example, type_of};
use super::value::{Place, Values, range, without_names};

/// Values inside of values.
const DEEPEST: usize = 10;

/// Values of a body, so that schemas that branch at every level end.
const MAX_VALUES: usize = 300;

/// Items of an array, whatever the schema asks for.
const MAX_ITEMS: u64 = 3;

/// Writes JSON for schemas.
pub(super) struct Writer<'d, 'v> {
    document: &'d Document,
    values: &'v mut Values,
    /// References that lead to where it is.
    open: Vec<String>,
    left: usize,
    /// References that lead nowhere.
    pub(super) lost: Vec<String>,
}

impl<'d, 'v> Writer<'d, 'v> {
    pub(super) fn new(document: &'d Document, values: &'v mut Values) -> Self {
        Self { document, values, open: Vec::new(), left: MAX_VALUES, lost: Vec::new() }
    }

    /// Whether `example` may be written: bodies have a bound all together.
    pub(super) fn may_copy(&mut self, example: &Json) -> bool {
        self.values.spend_on(example).is_some()
    }

    /// A value for `schema` as a template of JSON, under the name `wanted`; none if it would not end.
    pub(super) fn json(&mut self, wanted: &str, schema: &Json) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        let document = self.document;
        let reference = schema.get("$ref").and_then(Json::as_str).map(str::to_owned);
        if self.open.len() >= DEEPEST || reference.as_ref().is_some_and(|reference| self.open.contains(reference)) {
            return None;
        }
        let schema = match document.resolve(schema) {
            Ok(found) => found.value,
            Err(lost) => {
                self.lost.push(lost.to_owned());
                return None;
            }
        };
        self.open.push(reference.unwrap_or_default());
        let written = self.resolved(wanted, schema);
        self.open.pop();
        written
    }

    fn resolved(&mut self, wanted: &str, schema: &Json) -> Option<String> {
        let keys = schema.as_object();
        let listed = || schema["enum"].as_array().and_then(|values| values.first());
        if let Some(value) = keys.and_then(example).or_else(listed) {
            self.values.spend_on(value)?;
            return Some(without_names(&value.to_string()));
        }
        if schema["allOf"].is_array() {
            let whole = self.joined(schema)?;
            return self.json(wanted, &whole);
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(parts) = schema[key].as_array() {
                return parts.iter().find_map(|part| self.json(wanted, part));
            }
        }
        match type_of(schema) {
            "object" => self.object(schema),
            "array" => self.array(wanted, schema),
            "integer" | "number" => {
                let (min, max) = range(schema);
                Some(min.unwrap_or(1).min(max.unwrap_or(u64::MAX)).to_string())
            }
            "boolean" => Some("true".to_owned()),
            "null" => Some("null".to_owned()),
            _ => Some(format!("\"{}\"", self.values.text(wanted, schema, None, Place::Json))),
        }
    }

    fn object(&mut self, schema: &Json) -> Option<String> {
        let required =
            |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name));
        let mut entries = Vec::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let is_read_only = property["readOnly"].as_bool().unwrap_or(false);
            if is_read_only {
                continue;
            }
            match self.json(name, property) {
                Some(value) => entries.push(format!("\"{}\":{value}", Place::Json.literal(name))),
                None if required(name) => return None,
                None => {}
            }
        }
        Some(format!("{{{}}}", entries.join(",")))
    }

    fn array(&mut self, wanted: &str, schema: &Json) -> Option<String> {
        let fewest = schema["minItems"].as_u64().unwrap_or(0);
        let items: Option<Vec<String>> =
            (0..fewest.clamp(1, MAX_ITEMS)).map(|_| self.json(wanted, &schema["items"])).collect();
        match items {
            Some(items) => Some(format!("[{}]", items.join(","))),
            None if fewest == 0 => Some("[]".to_owned()),
            None => None,
        }
    }

    /// `schema` with all parts of its `allOf`, and theirs, as one: each that is referred to once, however often it is.
    fn joined(&mut self, schema: &Json) -> Option<Json> {
        let document = self.document;
        let mut whole = Map::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![schema];
        while let Some(next) = open.pop() {
            let reference = next.get("$ref").and_then(Json::as_str);
            if reference.is_some_and(|reference| self.open.iter().any(|open| open == reference)) {
                return None;
            }
            if reference.is_some_and(|reference| !seen.insert(reference)) {
                continue;
            }
            let part = match document.resolve(next) {
                Ok(found) => found.value,
                Err(lost) => {
                    self.lost.push(lost.to_owned());
                    continue;
                }
            };
            self.values.spend(1 + part["allOf"].as_array().map_or(0, Vec::len))?;
            for (key, value) in part.as_object()?.iter().filter(|(key, _)| *key != "allOf") {
                self.values.spend_on(value)?;
                join(&mut whole, key, value);
            }
            // The first of the parts is looked at next.
            open.extend(part["allOf"].as_array().into_iter().flatten().rev());
        }
        Some(Json::Object(whole))
    }
}

/// Adds to `whole` what a part asks for, too.
fn join(whole: &mut Map<String, Json>, key: &str, value: &Json) {
    match (whole.get_mut(key), value) {
        (Some(Json::Object(there)), Json::Object(more)) => {
            for (name, value) in more {
                there.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        (Some(Json::Array(there)), Json::Array(more)) => there.extend(more.iter().cloned()),
        (Some(_), _) => {}
        (None, value) => drop(whole.insert(key.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(schema: &Json) -> Option<String> {
        let text = json!({"openapi": "3.0.0", "components": {"schemas": {
            "Node": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "integer"}, "next": {"$ref": "#/components/schemas/Node"},
                "all": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}}},
            "Endless": {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/components/schemas/Endless"}}},
            "Self": {"allOf": [{"$ref": "#/components/schemas/Self"}]},
            "Wide": {"properties": {"a": {"$ref": "#/components/schemas/Wide1"}, "b": {"$ref": "#/components/schemas/Wide1"}}},
            "Wide1": {"properties": {"c": {"type": "array", "minItems": 99, "items": {"type": "array", "minItems": 99,
                "items": {"type": "array", "minItems": 99, "items": {"type": "array", "minItems": 99, "items": {"type": "array",
                "minItems": 99, "items": {"type": "integer"}}}}}}}}
        }}});
        let document = Document::parse(&text.to_string()).expect("a description");
        let mut values = Values::default();
        Writer::new(&document, &mut values).json("body", schema)
    }

    fn to(name: &str) -> Json {
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    #[test]
    fn circles_end_where_they_may() {
        assert_eq!(written(&to("Node")).as_deref(), Some(r#"{"all":[],"id":1}"#));
        assert_eq!(written(&to("Endless")), None);
        assert_eq!(written(&to("Self")), None);
        assert_eq!(written(&to("Nowhere")), None);
    }

    #[test]
    fn schemas_that_branch_at_every_level_are_cut() {
        let body = written(&to("Wide")).expect("all is optional");
        assert!(body.len() < 10 * MAX_VALUES, "{body}");
    }

    /// Each of 13 schemas is `allOf` ten times the next: 10^12 parts.
    #[test]
    fn parts_that_multiply_are_joined_once() {
        let level = |nth: usize| json!({"allOf": vec![to(&format!("S{}", nth + 1)); 10], "properties": {format!("p{nth}"): {"const": nth}}});
        let mut schemas: Map<String, Json> = (0..12).map(|nth| (format!("S{nth}"), level(nth))).collect();
        schemas.insert("S12".to_owned(), json!({"properties": {"a": {"const": 1}}, "required": ["a"]}));
        let text = json!({"openapi": "3.0.0", "components": {"schemas": schemas}}).to_string();
        let document = Document::parse(&text).expect("a description");
        let mut values = Values::default();
        let body = Writer::new(&document, &mut values).json("body", &to("S0")).expect("a body");
        let body: Json = serde_json::from_str(&body).expect("JSON");
        assert_eq!((&body["a"], &body["p0"], &body["p11"]), (&json!(1), &json!(0), &json!(11)));
    }

    /// Parts that stand there and are not references multiply as the text does, and no more.
    #[test]
    fn what_takes_too_much_has_no_body() {
        let wide: Map<String, Json> = (0..200).map(|nth| (format!("p{nth}"), json!({"const": nth}))).collect();
        let schema = json!({"allOf": vec![json!({"properties": wide}); 10]});
        let text = json!({"openapi": "3.0.0"}).to_string();
        let document = Document::parse(&text).expect("a description");
        let mut values = Values::copying(6_000);
        let bodies = [0, 1, 2].map(|_| Writer::new(&document, &mut values).json("body", &schema).is_some());
        assert_eq!(bodies, [true, false, false]);
    }

    #[test]
    fn parts_are_joined_and_examples_count_first() {
        let part = |name: &str| json!({"required": [name], "properties": {name: {"type": "string", "enum": [name]}}});
        let joined = json!({"properties": {"c": {"const": null}}, "allOf": [part("a"), part("b")]});
        assert_eq!(written(&joined).as_deref(), Some(r#"{"a":"a","b":"b","c":null}"#));
        assert_eq!(written(&json!({"oneOf": [to("Endless"), {"type": "boolean"}]})).as_deref(), Some("true"));
        assert_eq!(written(&json!({"example": {"{{x}}": 1}})).as_deref(), Some(r#"{"{\u007bx}}":1}"#));
        let read_only = json!({"properties": {"id": {"type": "integer", "readOnly": true}, "n": {"maximum": -3.5}}});
        assert_eq!(written(&read_only).as_deref(), Some(r#"{"n":0}"#));
    }
}
