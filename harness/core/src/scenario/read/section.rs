//! A table of a scenario file, and where it stands in the list of keys.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table of the file, and where it stands in the list of keys.
#[derive(Debug)]
pub struct Section<'t> {
    /// Its place in the list of keys: `phases[]`.
    pub(super) schema: String,
    /// Its place in the file: `phases[0]`.
    pub path: String,
    /// None: the table is not in the file, and all its keys have their defaults.
    pub(super) table: Option<&'t DeTable<'t>>,
}

impl<'t> Section<'t> {
    /// The table `name` within `section`, in which nothing is given: all its keys have their defaults.
    #[must_use]
    pub fn missing(section: &Section<'_>, name: &str) -> Self {
        Self { schema: join(&section.schema, name), path: join(&section.path, name), table: None }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table?.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'t Spanned<Cow<'t, str>>> {
        self.table.into_iter().flat_map(DeTable::keys)
    }

    /// A name for what has none, unlike all others.
    #[must_use]
    pub fn unnamed(&self) -> String {
        let path: String = self.path.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("unnamed-{path}")
    }
}

pub(super) fn join(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}
