//! Values for simple places: what stands in a path, a query or a header, and the texts of a body.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::document::{example, size, type_of};
use crate::import::draft::{Names, Param, in_query, in_segment, is_a_choice, name_of};

/// Digits of a `unique` value.
const UNIQUE_DIGITS: u64 = 16;

/// The longest text that is written where a schema asks for long ones.
const LONGEST_TEXT: u64 = 1000;

/// Largest number that a parameter of a scenario can have.
const LARGEST: u64 = (1 << 53) - 1;

/// Numbers from which to draw where a schema names no end.
const GUESSED_NUMBERS: u64 = 1000;

/// Where a value stands, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Segment,
    Query,
    Header,
    /// Between the quotes of a JSON text.
    Json,
}

impl Place {
    /// `text` as it is written there; never with `{{`, which would be a name.
    pub(super) fn literal(self, text: &str) -> String {
        match self {
            Self::Segment => in_segment(text),
            Self::Query => in_query(text),
            Self::Header => {
                let mut line = String::new();
                for c in text.chars().filter(|c| !c.is_control()) {
                    line.extend((c == '{' && line.ends_with('{')).then_some(' '));
                    line.push(c);
                }
                line
            }
            Self::Json => {
                let quoted = Json::from(text).to_string();
                without_names(&quoted[1..quoted.len() - 1])
            }
        }
    }
}

/// JSON without `{{`, which can only stand in a text of it.
pub(super) fn without_names(json: &str) -> String {
    json.replace("{{", "{\\u007b")
}

/// Values of the description that are copied at most, over all requests: a description of 64 MB has some millions, and
/// parts of it may stand in the bodies of many operations.
const MAX_COPIED: usize = 5_000_000;

/// Parameters, each with a name of its own.
#[derive(Debug)]
pub(super) struct Values {
    names: Names,
    params: BTreeMap<String, Param>,
    /// What each wanted name was given as, so that places that want the same share it.
    given: BTreeMap<(String, Param), String>,
    /// What of [`MAX_COPIED`] is left.
    left: usize,
}

impl Default for Values {
    fn default() -> Self {
        Self::copying(MAX_COPIED)
    }
}

impl Values {
    /// Of a description of which this many values may be copied.
    pub(super) fn copying(left: usize) -> Self {
        Self { names: Names::of_params(), params: BTreeMap::new(), given: BTreeMap::new(), left }
    }

    /// Takes this many values off what may be copied; none: that is used up.
    pub(super) fn spend(&mut self, values: usize) -> Option<()> {
        let left = self.left.checked_sub(values);
        self.left = left.unwrap_or(0);
        left.map(drop)
    }

    /// The same for `value` with all that is in it.
    pub(super) fn spend_on(&mut self, value: &Json) -> Option<()> {
        self.spend(size(value, self.left))
    }

    /// The parameters so far.
    pub(super) fn params(&self) -> &BTreeMap<String, Param> {
        &self.params
    }

    pub(super) fn into_params(self) -> BTreeMap<String, Param> {
        self.params
    }

    /// `{{name}}` for `param`, with a name like `wanted`.
    pub(super) fn named(&mut self, wanted: &str, param: Param) -> String {
        let (names, params) = (&mut self.names, &mut self.params);
        let name = self.given.entry((name_of([wanted]), param)).or_insert_with_key(|(wanted, param)| {
            let name = names.take(wanted);
            params.insert(name.clone(), param.clone());
            name
        });
        format!("{{{{{name}}}}}")
    }

    /// A text for what `schema` (references resolved) asks for, under the name `wanted`. `given` is an example from
    /// outside the schema.
    pub(super) fn text(&mut self, wanted: &str, schema: &Json, given: Option<&Json>, place: Place) -> String {
        let listed = self.choices(schema);
        let example = given.or_else(|| schema.as_object().and_then(example)).and_then(plain);
        match (listed.as_slice(), type_of(schema)) {
            ([only], _) => place.literal(only),
            ([_, ..], _) => self.named(wanted, Param::Choice(listed)),
            (_, "integer" | "number") => match range(schema) {
                (Some(min), Some(max)) => self.named(wanted, Param::Uniform { min, max: max.max(min) }),
                (min, max) => {
                    let min = min.or(max.map(|max| max.min(1))).unwrap_or(1);
                    let max = max.unwrap_or((min + GUESSED_NUMBERS - 1).min(LARGEST));
                    let guessed = || self.named(wanted, Param::Uniform { min, max });
                    example.map_or_else(guessed, |example| place.literal(&example))
                }
            },
            (_, "boolean") => self.named(wanted, Param::Choice(["true", "false"].map(str::to_owned).into())),
            _ => match example {
                Some(example) => place.literal(&example),
                None => self.string(wanted, schema, place),
            },
        }
    }

    /// The values that `schema` lists, without those that no parameter can have; all of them where there are no others.
    fn choices(&mut self, schema: &Json) -> Vec<String> {
        let Some(values) = schema["enum"].as_array().filter(|_| self.spend_on(&schema["enum"]).is_some()) else {
            return Vec::new();
        };
        let all: Vec<String> = values.iter().filter_map(plain).collect();
        let possible: Vec<String> = all.iter().filter(|text| is_a_choice(text)).cloned().collect();
        // One alone is written as it is, and need not be a value of a parameter.
        if possible.is_empty() { all.into_iter().take(1).collect() } else { possible }
    }

    fn string(&mut self, wanted: &str, schema: &Json, place: Place) -> String {
        match schema["format"].as_str() {
            // Twelve decimal digits behind a fixed beginning are a UUID of version 4.
            Some("uuid") => {
                let digits = Param::Uniform { min: 100_000_000_000, max: 999_999_999_999 };
                format!("00000000-0000-4000-8000-{}", self.named(wanted, digits))
            }
            Some("date") => "2026-01-15".to_owned(),
            Some("date-time") => place.literal("2026-01-15T12:00:00Z"),
            Some("time") => place.literal("12:00:00Z"),
            Some("email") => format!("user-{}{}", self.named("unique", Param::Unique), place.literal("@example.org")),
            Some("uri" | "url") => place.literal("https://example.org/"),
            Some("ipv4") => "192.0.2.1".to_owned(),
            Some("ipv6") => place.literal("2001:db8::1"),
            Some("byte") => place.literal("c3RlZXA="),
            _ => {
                let length = |key: &str| schema[key].as_u64();
                let (shortest, longest) =
                    (length("minLength").unwrap_or(0), length("maxLength").unwrap_or(LONGEST_TEXT));
                if longest < UNIQUE_DIGITS {
                    return "x".repeat(longest.min(shortest.max(1)) as usize);
                }
                let filling = shortest.min(LONGEST_TEXT).saturating_sub(UNIQUE_DIGITS);
                format!("{}{}", "x".repeat(filling as usize), self.named("unique", Param::Unique))
            }
        }
    }
}

/// A value that can stand in a simple place.
fn plain(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Array(values) => values.first().and_then(plain),
        Json::Null | Json::Object(_) => None,
    }
}

/// The whole numbers from 0 that `schema` allows.
pub(super) fn range(schema: &Json) -> (Option<u64>, Option<u64>) {
    let bound = |key: &str| schema[key].as_f64().map(|bound| bound.clamp(0.0, LARGEST as f64));
    // In 3.0 the exclusive bounds are booleans beside the bounds, in 3.1 bounds of their own.
    let is_exclusive = |key: &str| schema[key].as_bool().unwrap_or(false);
    let min = bound("minimum").map(|min| min.ceil() as u64 + u64::from(is_exclusive("exclusiveMinimum")));
    let max =
        bound("maximum").map(|max| (max.floor() as u64).saturating_sub(u64::from(is_exclusive("exclusiveMaximum"))));
    let above = bound("exclusiveMinimum").map(|min| min.floor() as u64 + 1);
    let below = bound("exclusiveMaximum").map(|max| (max.ceil() as u64).saturating_sub(1));
    (min.or(above).map(|min| min.min(LARGEST)), max.or(below).map(|max| max.min(LARGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(schema: &Json, place: Place) -> (String, BTreeMap<String, Param>) {
        let mut values = Values::default();
        let text = values.text("the id", schema, None, place);
        (text, values.into_params())
    }

    #[test]
    fn schemas_become_parameters_or_texts() {
        let schemas = [
            json!({"type": "integer"}),
            json!({"type": "integer", "minimum": 5, "maximum": 9}),
            json!({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 9}),
            json!({"type": "integer", "minimum": 5, "exclusiveMinimum": true, "maximum": 1e300}),
            json!({"type": "integer", "minimum": -5, "example": 7}),
            json!({"type": "number", "maximum": 0}),
            json!({"type": "integer", "minimum": 9e18}),
            json!({"enum": ["a b", "{{c}}", 3]}),
            json!({"enum": ["{{only}}"]}),
            json!({"enum": ["{{one}}", "two\nlines", "sound", "so\u{0}so", "well"]}),
            json!({"type": "integer", "minimum": 1e300}),
            json!({"type": "boolean"}),
            json!({"type": "string"}),
            json!({"type": "string", "format": "uuid"}),
            json!({"type": "string", "format": "email"}),
            json!({"type": "string", "maxLength": 3}),
            json!({"type": "string", "minLength": 18}),
            json!({"type": ["null", "string"], "examples": ["x/y"]}),
            json!({"type": "array", "items": {"type": "string"}, "example": ["one", "two"]}),
            json!(true),
        ];
        let shown = schemas.map(|schema| {
            let (text, params) = text(&schema, Place::Query);
            format!("{schema} -> {text} {params:?}")
        });
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn the_same_name_for_the_same_values_is_shared() {
        let mut values = Values::default();
        let ids = [1, 1, 2].map(|min| values.named("id", Param::Uniform { min, max: 9 }));
        assert_eq!(ids, ["{{id}}", "{{id}}", "{{id_2}}"]);
    }

    #[test]
    fn no_text_of_a_description_becomes_a_name() {
        for place in [Place::Segment, Place::Query, Place::Header, Place::Json] {
            for text in ["{{port}}\u{7}\"", "{{{port}}}", "{\u{1}{port}}", "a{\u{7f}{{"] {
                let literal = place.literal(text);
                let template = crate::template::Template::parse(&literal).expect("a template");
                assert_eq!(template.names().count(), 0, "{literal}");
            }
        }
        let back: String = serde_json::from_str(&format!("\"{}\"", Place::Json.literal("{{{port}}\""))).expect("JSON");
        assert_eq!(back, "{{{port}}\"");
    }
}
