//! Texts with `{{name}}` in them, in commands, files, paths, headers and bodies.
//!
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A parsed template. Serialised as the text that it was parsed from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stays as it is.
    Text(String),
    /// The name between `{{` and `}}`.
    Name(String),
}

/// A text that is not a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// `{{` and no `}}` after it.
    #[error("`{{{{` at byte {at} is never closed")]
    Unclosed {
        /// Offset of the `{{`.
        at: usize,
    },
    /// Nothing, or something other than letters, digits, `_`, `-` and `.`, between the braces.
    #[error("`{name}` between `{{{{` and `}}}}` is not a name")]
    NotAName {
        /// What stands there.
        name: String,
    },
}

impl Template {
    /// Parses `text`: `{{name}}`, with blanks allowed inside the braces; all else is taken as it is.
    ///
    /// # Errors
    /// An unclosed `{{`, or no name between the braces.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            let after = &rest[open + 2..];
            let close = after.find("}}").ok_or(TemplateError::Unclosed { at: text.len() - rest.len() + open })?;
            let name = after[..close].trim();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                return Err(TemplateError::NotAName { name: name.to_owned() });
            }
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            parts.push(Part::Name(name.to_owned()));
            rest = &after[close + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The characters beside the names.
    pub fn text_chars(&self) -> impl Iterator<Item = char> {
        self.parts.iter().flat_map(|part| match part {
            Part::Text(text) => text.chars(),
            Part::Name(_) => "".chars(),
        })
    }

    /// The names used, in order, with repetitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with each name replaced by what `value_of` says.
    ///
    /// # Errors
    /// The first name that `value_of` does not know.
    pub fn render<'v>(&self, value_of: impl Fn(&str) -> Option<&'v str>) -> Result<String, UnknownName> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Name(name) => text.push_str(value_of(name).ok_or_else(|| UnknownName(name.clone()))?),
            }
        }
        Ok(text)
    }
}

/// A name in a template that nothing defines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("nothing defines `{{{{{0}}}}}`")]
pub struct UnknownName(pub String);

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Name(name) => write!(f, "{{{{{name}}}}}"),
        })
    }
}

impl Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_between_the_texts() {
        let template = Template::parse("/items/{{item_id}}?page={{ page }}").expect("a template");
        assert_eq!(template.names().collect::<Vec<_>>(), ["item_id", "page"]);
        let rendered = template.render(|name| Some(if name == "page" { "2" } else { "17" }));
        assert_eq!(rendered.as_deref(), Ok("/items/17?page=2"));
    }

    #[test]
    fn a_name_that_nothing_defines_is_named() {
        let template = Template::parse("{{port}}").expect("a template");
        assert_eq!(template.render(|_| None), Err(UnknownName("port".to_owned())));
    }

    #[test]
    fn single_braces_are_text() {
        let body = r#"{"user":{"id":1}}"#;
        assert_eq!(Template::parse(body).expect("a template").to_string(), body);
    }

    #[test]
    fn an_unclosed_brace_says_where() {
        assert_eq!(Template::parse("ab{{port"), Err(TemplateError::Unclosed { at: 2 }));
        assert!(matches!(Template::parse("{{}}"), Err(TemplateError::NotAName { .. })));
        assert!(matches!(Template::parse("{{a b}}"), Err(TemplateError::NotAName { .. })));
    }
}
