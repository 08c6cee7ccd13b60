//! A value of a configuration file, written anew where it stands: comments, order and all else stay as they are.
//!
//! Pure.

mod json_text;
mod toml_text;
mod yaml_text;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Number, Value};
use toml_writer::ToTomlValue as _;

use crate::problem::nearest;
use crate::scenario::{Flaw, JsonPath};

/// What a flag writes into a file of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The file, as its `from` says.
    pub file: PathBuf,
    /// Where in it.
    pub key: JsonPath,
    /// What; a text is written in the type that stands there.
    pub value: Value,
}

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// TOML.
    Toml,
    /// JSON.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// By the end of the file's name.
    #[must_use]
    pub fn of(file: &str) -> Option<Self> {
        match Path::new(file).extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    pub(super) fn find(self, text: &str, names: &[String]) -> Result<Standing, Unfound> {
        match self {
            Self::Toml => toml_text::find(text, names),
            Self::Json => json_text::find(text, names),
            Self::Yaml => yaml_text::find(text, names),
        }
    }
}

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    span: Range<usize>,
    kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    /// In TOML, where whole numbers are a type of their own.
    Whole,
    Number,
    Text,
    /// None of them, but this.
    Other(&'static str),
}

/// Why nothing was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfound {
    /// The file is none of its format, for this reason.
    Broken(String),
    /// So many names lead somewhere, and these stand there.
    Missing { depth: usize, there: Vec<String> },
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Whole => "a whole number",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Other(name) => name,
        }
    }

    /// `value` in this type; none: it has another.
    fn written(self, value: &Value, format: Format) -> Option<String> {
        match (self, value) {
            (Self::Boolean, Value::Bool(boolean)) => Some(boolean.to_string()),
            (Self::Boolean, Value::String(text)) => ["true", "false"].contains(&text.as_str()).then(|| text.clone()),
            (Self::Whole, Value::Number(number)) => number.as_i64().map(|number| number.to_string()),
            (Self::Whole, Value::String(text)) => text.parse::<i64>().ok().map(|number| number.to_string()),
            (Self::Number, Value::Number(number)) => Some(number_in(number, format)),
            (Self::Number, Value::String(text)) => {
                serde_json::from_str(text).ok().map(|number| number_in(&number, format))
            }
            (Self::Text, Value::String(text)) => Some(match format {
                Format::Toml => text.to_toml_value(),
                // A text of JSON is one of YAML, whatever stands in it.
                Format::Json | Format::Yaml => value.to_string(),
            }),
            _ => None,
        }
    }
}

/// TOML has whole numbers and others, of which this is to be one.
fn number_in(number: &Number, format: Format) -> String {
    if format == Format::Toml && !number.is_f64() { format!("{number}.0") } else { number.to_string() }
}

impl Patch {
    /// `text`, which is written as the file `to`, with the value in its place.
    ///
    /// # Errors
    /// The file is broken, has no such place, or a value of another type there.
    pub fn applied(&self, text: &str, to: &str) -> Result<String, Flaw> {
        let format = Format::of(to).ok_or_else(|| no_format(to))?;
        let standing = format.find(text, &self.key.names()).map_err(|unfound| match unfound {
            Unfound::Broken(reason) => broken(&self.file, &reason),
            Unfound::Missing { depth, there } => self.missing(depth, &there),
        })?;
        let written = standing.kind.written(&self.value, format).ok_or_else(|| self.mismatch(standing.kind))?;
        let mut patched = text.to_owned();
        patched.replace_range(standing.span, &written);
        Ok(patched)
    }

    fn missing(&self, depth: usize, there: &[String]) -> Flaw {
        let (file, names) = (self.file.display(), self.key.names());
        let before = names[..depth].join(".");
        let place = if before.is_empty() { "its top".to_owned() } else { format!("\"{before}\"") };
        let help = match nearest(&names[depth], there.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"? {place} has it"),
            None if there.is_empty() => format!("{place} has nothing in it"),
            None => format!("{place} has {}", crate::problem::listed(there.iter().map(String::as_str))),
        };
        Flaw::new(format!("{file} has no \"{}\"", self.key), help)
    }

    fn mismatch(&self, kind: Kind) -> Flaw {
        let (file, key) = (self.file.display(), &self.key);
        let message = format!("\"{key}\" in {file} is {}, and {} is none", kind.name(), self.value);
        let help = match kind {
            Kind::Other(_) => "a flag switches a text, a number or a boolean".to_owned(),
            _ => format!("write a value of that type, or another type into {file}"),
        };
        Flaw::new(message, help)
    }
}

pub(super) fn broken(file: &Path, reason: &str) -> Flaw {
    let help = "names in {{…}} are filled in before it is read; a flag of kind \"env\" or \"arg\" needs no such file";
    Flaw::new(format!("{} cannot be read: {reason}", file.display()), help)
}

fn no_format(to: &str) -> Flaw {
    let help = "write it as .toml, .json, .yaml or .yml, or switch by kind = \"env\" or \"arg\"";
    Flaw::new(format!("{to:?} is not a configuration file that steep can change"), help)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patched(text: &str, to: &str, key: &str, value: impl Into<Value>) -> Result<String, String> {
        let patch = Patch { file: to.into(), key: JsonPath::new(key), value: value.into() };
        patch.applied(text, to).map_err(|flaw| format!("{}; {}", flaw.message, flaw.help))
    }

    const TOML: &str = "\
# tiers
[cache]
fast = true # quick
size = 0x40
share = 0.5
name = 'é'
'max.age' = 60
[[cache.tiers]]
since = 2026-01-01
size = 1_000
";

    const JSON: &str = r#"{
  "cache": {"fast": true, "share": 5e-1,	"name" : "é", "max.age": 60, "since": null,
    "tiers": [{"size" :1000}]}
}
"#;

    const YAML: &str = "\
# tiers
---
cache: &c
  fast: true   # quick
  share: 0.5
  name: 'é'
  max.age: 60
  {complex: key}: 1
  since:
  kind: !!str 5
  text: |
    lines
  tiers:
  - { size: 1000, fast: off }
other: *c
";

    #[test]
    fn a_value_is_written_where_it_stands_and_all_else_stays() {
        for (text, to, name) in [(TOML, "a.toml", "'é'"), (JSON, "a.json", "\"é\""), (YAML, "a.yaml", "'é'")] {
            assert_eq!(patched(text, to, "cache.fast", false), Ok(text.replacen("true", "false", 1)), "{to}");
            assert_eq!(patched(text, to, "cache.name", "lru"), Ok(text.replace(name, "\"lru\"")), "{to}");
            assert_eq!(patched(text, to, "/cache/max.age", 61), Ok(text.replace("60", "61")), "{to}");
            let size = if to == "a.toml" { "1_000" } else { "1000" };
            assert_eq!(patched(text, to, "cache.tiers.0.size", 7), Ok(text.replace(size, "7")), "{to}");
        }
        assert_eq!(patched(TOML, "a.toml", "cache.size", 65), Ok(TOML.replace("0x40", "65")));
    }

    #[test]
    fn a_text_is_written_in_the_type_that_stands_there() {
        for (text, to, share) in [(TOML, "a.toml", "0.5"), (JSON, "a.json", "5e-1"), (YAML, "a.yml", "0.5")] {
            assert_eq!(patched(text, to, "cache.fast", "false"), Ok(text.replacen("true", "false", 1)), "{to}");
            assert_eq!(patched(text, to, "cache.share", "0.75"), Ok(text.replace(share, "0.75")), "{to}");
        }
        // A whole number would be of another type in TOML.
        assert_eq!(patched(TOML, "a.toml", "cache.share", 1), Ok(TOML.replace("0.5", "1.0")));
    }

    #[test]
    fn what_cannot_be_written_is_reported() {
        let all = [
            patched(TOML, "a.toml", "cache.fats", true),
            patched(JSON, "a.json", "cash.fast", true),
            patched(YAML, "a.yaml", "cache.tiers.1.size", 1),
            patched(YAML, "a.yaml", "cache.fast.er", true),
            patched(TOML, "a.toml", "cache.size", 0.5),
            patched(TOML, "a.toml", "cache.fast", "lru"),
            patched(TOML, "a.toml", "cache.name", true),
            patched(TOML, "a.toml", "cache.tiers.0.since", "2027-01-01"),
            patched(JSON, "a.json", "cache.since", 1),
            patched(JSON, "a.json", "cache", true),
            patched(YAML, "a.yaml", "cache.since", 1),
            patched(YAML, "a.yaml", "cache.kind", 1),
            patched(YAML, "a.yaml", "cache.text", "x"),
            patched(YAML, "a.yaml", "other", "x"),
            patched("[cache\nfast = true\n", "a.toml", "cache.fast", true),
            patched("{\"cache\": {}", "a.json", "cache.fast", true),
            patched("cache: [1\nfast: 2\n", "a.yaml", "cache.fast", true),
            patched("", "a.yaml", "cache.fast", true),
            patched("fast=true", "a.ini", "fast", true),
        ];
        let described: Vec<String> = all.into_iter().map(|result| result.expect_err("a problem")).collect();
        insta::assert_snapshot!(described.join("\n"));
    }

    proptest! {
        #[test]
        fn any_text_that_is_written_is_read_again(value in "[^\\x00-\\x1f\\x7f-\\x9f\\u{fffe}\\u{ffff}]{0,20}", after in 0_i64..9) {
            let toml = patched(&format!("a = {{ b = 'x', c = {after} }}"), "a.toml", "a.b", value.as_str()).expect("TOML");
            let read = toml::de::DeTable::parse(&toml).expect("TOML");
            prop_assert_eq!(read.get_ref()["a"].get_ref()["b"].get_ref().as_str(), Some(value.as_str()));
            let text = patched(&format!("{{\"a\": {{\"b\": \"x\", \"c\": {after}}}}}"), "a.json", "a.b", value.as_str());
            let read: Value = serde_json::from_str(&text.expect("JSON")).expect("JSON");
            prop_assert_eq!((&read["a"]["b"], &read["a"]["c"]), (&value.as_str().into(), &after.into()));
            let text = patched(&format!("a:\n  b: x y # why\n  c: {after}\n"), "a.yaml", "a.b", value.as_str());
            let read: Value = serde_saphyr::from_str(&text.expect("YAML")).expect("YAML");
            prop_assert_eq!((&read["a"]["b"], &read["a"]["c"]), (&value.as_str().into(), &after.into()));
        }
    }
}
