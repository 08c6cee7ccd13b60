//! Where in a JSON value, or one like it, something stands (`order.items.0.id`), and what is to stand there. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::Template;

/// A place in a JSON value: names and, for lists, numbers from 0, with dots between; or a JSON pointer, which begins
/// with `/` and also reaches names with dots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonPath(String);

impl JsonPath {
    /// The place that `text` says.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What stands there in `value`.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        if self.0.starts_with('/') {
            return value.pointer(&self.0);
        }
        self.0.split('.').try_fold(value, |value, name| match value {
            Value::Object(fields) => fields.get(name),
            Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    /// The names and numbers that lead there, for what is not JSON value.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self.0.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect(),
            None => self.0.split('.').map(str::to_owned).collect(),
        }
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is to stand at a place of a JSON body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// This text; where values stand in it, also a number or boolean that is written so.
    Text(Template),
    /// This number or boolean.
    Scalar(Value),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_pointers_lead_to_values() {
        let value: Value = serde_json::from_str(r#"{"a":{"b":[1,{"c.d":true}]}}"#).expect("JSON");
        let found = |path: &str| JsonPath::new(path).find(&value).map(ToString::to_string);
        assert_eq!(found("a.b.0").as_deref(), Some("1"));
        assert_eq!(found("/a/b/1/c.d").as_deref(), Some("true"));
        assert_eq!(JsonPath::new("/a/b~1c.d").names(), ["a", "b/c.d"]);
        assert_eq!(JsonPath::new("a.b.0").names(), ["a", "b", "0"]);
        assert_eq!((found("a.b.2"), found("a.b.x"), found("a.b.0.c"), found("")), (None, None, None, None));
    }
}
