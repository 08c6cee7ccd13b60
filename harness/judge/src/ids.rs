//! Names that all parts share: sets of flags, ids of cells, the revisions behind a cell. They know nothing of
//! scenarios.
//!
//! Pure.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The flags that are on, by name, and those with values that have another than their first, as `cache=lru`. All others
/// are off.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FlagSet(BTreeSet<String>);

impl FlagSet {
    /// Whether `flag` is on.
    #[must_use]
    pub fn contains(&self, flag: &str) -> bool {
        self.0.contains(flag)
    }

    /// The flags that are on, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether none is on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same set with `flag` on.
    #[must_use]
    pub fn with(&self, flag: &str) -> Self {
        let mut flags = self.0.clone();
        flags.insert(flag.to_owned());
        Self(flags)
    }

    /// The same set with `flag` off.
    #[must_use]
    pub fn without(&self, flag: &str) -> Self {
        let mut flags = self.0.clone();
        flags.remove(flag);
        Self(flags)
    }
}

impl<S: Into<String>> FromIterator<S> for FlagSet {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for FlagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad("no flags");
        }
        f.pad(&self.iter().collect::<Vec<_>>().join("+"))
    }
}

/// What a cell is called, in its folder and from night to night: `cache+sessions@jemalloc#2`. One that is read from a
/// file is never a path: it is the name of a folder, or an error.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct CellId(String);

/// A text from a file that steep gives no cell as its id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not the id of a cell: steep makes them of letters, digits and - _ . + @ = # ~")]
pub struct NoCellId(String);

/// Id of the cell in which everything is as in production.
const BASELINE: &str = "baseline";
/// The longest id that is not shortened by a hash: folder names may have 255 bytes, and files are written below.
const LONGEST_ID: usize = 120;
/// The longest name of a folder (`NAME_MAX` of Linux); an id with the number of its replicate is shorter.
const LONGEST_FOLDER: usize = 255;

/// Whether a character may stand in a name that becomes part of an id, and so of a folder's name.
#[must_use]
pub fn may_be_in_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// The value of an axis as it stands in ids: `narenas:1` as `narenas-1`.
#[must_use]
pub fn in_id(value: &str) -> String {
    value.chars().map(|c| if may_be_in_id(c) { c } else { '-' }).collect()
}

impl CellId {
    /// The id of the cell that differs from production in these `flags` (as `cache`, `cache=lru` or `not-cache`) and
    /// these `axes` (as `@jemalloc` or `@mode=a`), and is this `replicate` (from 1). The order of the flags does not
    /// matter, so that an id stays the same when the scenario's lists are put in another order. A long one is shortened
    /// by its hash.
    #[must_use]
    pub fn of(mut flags: Vec<String>, axes: impl IntoIterator<Item = String>, replicate: u32) -> Self {
        flags.sort();
        let mut id = if flags.is_empty() { BASELINE.to_owned() } else { flags.join("+") };
        id.extend(axes);
        if id.len() > LONGEST_ID {
            let hash = hex(&Sha256::digest(id.as_bytes()));
            id.truncate(LONGEST_ID - 17);
            id = format!("{id}~{}", &hash[..16]);
        }
        if replicate > 1 {
            id = format!("{id}#{replicate}");
        }
        Self(id)
    }

    /// The id that `text` means, whatever the order of its flags.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let end = text.find(['@', '#', '~']).unwrap_or(text.len());
        let (flags, rest) = text.split_at(end);
        let mut flags: Vec<&str> = flags.split('+').collect();
        flags.sort_unstable();
        Self(format!("{}{rest}", flags.join("+")))
    }

    /// The id as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CellId {
    type Error = NoCellId;

    fn try_from(id: String) -> Result<Self, NoCellId> {
        let may_be = |c: char| may_be_in_id(c) || matches!(c, '+' | '@' | '=' | '#' | '~');
        // Names of flags do not begin with a dot, so that no id is `.` or `..`.
        let is_id = !id.is_empty() && id.len() <= LONGEST_FOLDER && !id.starts_with('.') && id.chars().all(may_be);
        if is_id { Ok(Self(id)) } else { Err(NoCellId(id.chars().take(LONGEST_ID).collect())) }
    }
}

impl From<CellId> for String {
    fn from(id: CellId) -> Self {
        id.0
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The revisions that a cell's own has grown out of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The axis.
    pub axis: String,
    /// Its values up to this cell's own, the oldest first.
    pub until: Vec<String>,
}

/// `bytes` in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_read_is_the_name_of_a_folder_and_no_path() {
        for id in ["baseline", "not-cache+sessions@jemalloc@mode=a-b#12", "cache=lru", "a.b~0123456789abcdef#2"] {
            let read: CellId = serde_json::from_str(&format!("{id:?}")).expect(id);
            assert_eq!((read.as_str(), serde_json::to_string(&read).expect("a text")), (id, format!("{id:?}")));
        }
        let long = "a".repeat(256);
        for id in ["", ".", "..", "../elsewhere", "/etc", "a/b", ".hidden", "a\\u0000", "a\\u001b[2J", "ä", &long] {
            assert!(serde_json::from_str::<CellId>(&format!("\"{id}\"")).is_err(), "{id}");
        }
    }
}
