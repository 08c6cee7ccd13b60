//! How a value that is any text is written, so that what stands around it stays what it is. Pure.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the characters that mean nothing anywhere in a URL (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    No,
    /// As a part of a path or query, or a value of a form.
    Percent,
    /// As a part of a JSON text, between its quotes.
    Json,
}

impl Escape {
    /// What a body of this `content-type` needs.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Self {
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media.ends_with("/json") || media.ends_with("+json") {
            Self::Json
        } else if media == "application/x-www-form-urlencoded" {
            Self::Percent
        } else {
            Self::No
        }
    }

    /// Appends `text` to `out`.
    pub fn write(self, text: &str, out: &mut String) {
        match self {
            Self::No => out.push_str(text),
            Self::Percent => out.extend(utf8_percent_encode(text, RESERVED)),
            Self::Json => write_json(text, out),
        }
    }
}

fn write_json(text: &str, out: &mut String) {
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
        // All of them are ASCII, and so are the borders of characters.
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let written = write!(out, "\\u{control:04x}");
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
        }
    }
    out.push_str(&text[plain_from..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(escape: Escape, text: &str) -> String {
        let mut out = String::new();
        escape.write(text, &mut out);
        out
    }

    #[test]
    fn the_content_type_decides() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"] {
            assert_eq!(Escape::of_content_type(json), Escape::Json, "{json}");
        }
        assert_eq!(Escape::of_content_type("application/x-www-form-urlencoded"), Escape::Percent);
        assert_eq!(Escape::of_content_type("text/plain; note=/json"), Escape::No);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_json(text in any::<String>()) {
            let body = format!(r#"{{"user":"{}"}}"#, escaped(Escape::Json, &text));
            let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            prop_assert_eq!(value["user"].as_str(), Some(text.as_str()));
        }

        #[test]
        fn any_text_comes_back_from_a_path(text in any::<String>()) {
            let path = escaped(Escape::Percent, &text);
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)), "{path}");
            let decoded = percent_encoding::percent_decode_str(&path).decode_utf8().expect("text");
            prop_assert_eq!(decoded, text);
        }
    }
}
