//! The files that a scenario names for its traffic, by their contents. Pure: commands read them, once, and everything
//! that is made of them is made of what was read then.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Most bytes of all files together. They are held in memory for as long as steep runs, and steep shares the host with
/// the service: a million users with name and token take half of it.
pub const MAX_SUPPLIES_BYTES: u64 = 64 << 20;

/// Contents by path as the scenario gives it. Serialised as the hash of each: contents may hold what is nobody's
/// business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supplies(BTreeMap<String, bytes::Bytes>);

/// What is wrong with a file, or with what a scenario asks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// In one line.
    pub message: String,
    /// What to do; empty: nothing to add.
    pub help: String,
}

impl Flaw {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl Supplies {
    /// Adds the file `path`.
    pub fn insert(&mut self, path: String, contents: impl Into<bytes::Bytes>) {
        self.0.insert(path, contents.into());
    }

    /// Whether no file is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The contents of `path`.
    ///
    /// # Errors
    /// It was not read.
    pub fn bytes(&self, path: &str) -> Result<&bytes::Bytes, Flaw> {
        self.0.get(path).ok_or_else(|| Flaw::new(format!("{path} was not read"), "steep check says why"))
    }

    /// The contents of `path`, which are to be text; without a byte order mark.
    ///
    /// # Errors
    /// It was not read, or is not a text.
    pub fn text(&self, path: &str) -> Result<&str, Flaw> {
        let bytes = self.bytes(path)?;
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            Flaw::new(format!("{path} is not UTF-8 text, from its line {line} on"), "save it as UTF-8")
        })?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// SHA-256 of each file, in hexadecimal.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<String, String> {
        let hex = |bytes: &bytes::Bytes| {
            Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
                let written = write!(hex, "{byte:02x}");
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
                hex
            })
        };
        self.0.iter().map(|(path, bytes)| (path.clone(), hex(bytes))).collect()
    }
}

impl Serialize for Supplies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digests().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_text_is_reported_with_its_line() {
        let mut supplies = Supplies::default();
        supplies.insert("a.csv".to_owned(), b"\xef\xbb\xbfname\nann\n".to_vec());
        supplies.insert("b.csv".to_owned(), b"name\nann\n\xff\n".to_vec());
        assert_eq!(supplies.text("a.csv"), Ok("name\nann\n"));
        let flaw = supplies.text("b.csv").expect_err("no text");
        assert_eq!(flaw.message, "b.csv is not UTF-8 text, from its line 3 on");
    }

    #[test]
    fn contents_are_serialised_as_their_hashes() {
        let mut supplies = Supplies::default();
        supplies.insert("a".to_owned(), "abc");
        let json = serde_json::to_string(&supplies).expect("JSON");
        assert_eq!(json, r#"{"a":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#);
    }
}
