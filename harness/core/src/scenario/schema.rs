//! What a key is: its place, type, default and meaning, and how keys are found by their places. Pure.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands: `[]` behind a list of tables, `*` for names that the user chooses.
    pub path: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds where it is not given.
    pub presence: Presence,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// The values of a neighbouring key under which it has a meaning.
    pub only: Option<(&'static str, &'static [&'static str])>,
}

/// What holds where a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// That is an error.
    Required,
    /// Nothing; the meaning says what follows.
    Optional,
    /// This value, in TOML.
    Default(&'static str),
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text.
    Text,
    /// A text in which `{{name}}` is replaced.
    Template,
    /// A list of texts.
    Texts,
    /// A list of texts in which `{{name}}` is replaced.
    Templates,
    /// A list of lists of texts.
    TextLists,
    /// Names, each with a text, boolean or number that it may be, or a list of them.
    ChoiceMap,
    /// Names with texts.
    TextMap,
    /// Names with texts in which `{{name}}` is replaced.
    TemplateMap,
    /// A whole number in a range.
    Integer(i64, i64),
    /// A list of whole numbers in a range.
    Integers(i64, i64),
    /// A number that is not negative.
    Number,
    /// A list of such numbers.
    Numbers,
    /// A list of texts, numbers and booleans.
    Scalars,
    /// Places in a JSON value, with a text in which `{{name}}` is replaced, a number or a boolean.
    JsonMap,
    /// `true` or `false`.
    Boolean,
    /// A text like `"2h 30m"`, at least and at most this many milliseconds.
    Duration(u64, u64),
    /// A text like `"2027-03-01"`.
    Date,
    /// A text like `"64KiB"`.
    Size,
    /// A share, a number, a duration or a size, by the metric beside it.
    Limit,
    /// A text, a list of texts, or any scalar, by the kind of the flag.
    TextOrTexts,
    /// One of these; the second list is for later versions.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A list of these.
    Choices(&'static [&'static str]),
    /// A table with keys of its own.
    Table,
    /// A list of tables with keys of their own.
    Tables,
    /// Names with tables.
    TableMap,
}

pub(super) const SECOND: u64 = 1_000;
const DAY: u64 = 86_400 * SECOND;
/// The longest soak and wait: thirty days.
pub(super) const LONGEST: u64 = 30 * DAY;
/// The largest whole number that TOML and JSON readers agree on.
pub(super) const LARGEST: i64 = (1 << 53) - 1;

pub(super) const fn key(path: &'static str, kind: Kind, presence: Presence, meaning: &'static str) -> Key {
    Key { path, kind, presence, meaning, only: None }
}

pub(super) const fn only(key: Key, neighbour: &'static str, values: &'static [&'static str]) -> Key {
    Key { only: Some((neighbour, values)), ..key }
}

use Kind::{
    Boolean, Choice, ChoiceMap, Choices, Date, Duration, Integer, Integers, JsonMap, Limit, Number, Numbers, Scalars,
    Size, Table, TableMap, Tables, Template, TemplateMap, Templates, Text, TextLists, TextMap, TextOrTexts, Texts,
};
use Presence::Default;

impl Key {
    /// The type, as the reference names it.
    #[must_use]
    pub fn type_name(&self) -> String {
        let quoted =
            |values: &[&str]| values.iter().map(|value| format!("`\"{value}\"`")).collect::<Vec<_>>().join(", ");
        match self.kind {
            Text => "text".into(),
            Template => "text, `{{…}}`".into(),
            Texts => "list of texts".into(),
            Templates => "list of texts, `{{…}}`".into(),
            TextLists => "list of lists of texts".into(),
            ChoiceMap => "table of texts, booleans, or lists of them".into(),
            TextMap => "table of texts".into(),
            TemplateMap => "table of texts, `{{…}}`".into(),
            Integer(low, LARGEST) => format!("whole number from {low}"),
            Integer(low, high) => format!("whole number, {low} to {high}"),
            Integers(low, high) => format!("list of whole numbers, {low} to {high}"),
            Number => "number, not negative".into(),
            Numbers => "list of numbers, not negative".into(),
            Scalars => "list of texts, numbers, booleans".into(),
            JsonMap => "table of texts (`{{…}}`), numbers, booleans".into(),
            Boolean => "boolean".into(),
            Duration(..) => "duration".into(),
            Date => "date".into(),
            Size => "size".into(),
            Limit => "number, duration or size".into(),
            TextOrTexts => "text (`env`), list of texts (`arg`), text, number or boolean (`config`)".into(),
            Choice(values, _) => format!("one of {}", quoted(values)),
            Choices(values) => format!("list of {}", quoted(values)),
            Table => "table".into(),
            Tables => "list of tables".into(),
            TableMap => "tables by name".into(),
        }
    }
}

/// Keys, found by their places, with their defaults as values.
#[derive(Debug)]
pub struct Schema {
    by_path: BTreeMap<&'static str, &'static Key>,
    /// In the order of the reference.
    keys: Vec<&'static Key>,
    defaults: BTreeMap<&'static str, Spanned<DeValue<'static>>>,
}

impl Schema {
    /// The schema of these keys.
    #[must_use]
    pub fn of(keys: impl Iterator<Item = &'static Key>) -> Self {
        let keys: Vec<&'static Key> = keys.collect();
        let defaults = keys.iter().filter_map(|key| if let Default(text) = key.presence { Some(text) } else { None });
        let parsed = |text| DeValue::parse(text).unwrap_or_else(|error| unreachable!("the default {text}: {error}"));
        let defaults = defaults.map(|text| (text, parsed(text))).collect();
        Self { by_path: keys.iter().map(|key| (key.path, *key)).collect(), keys, defaults }
    }

    /// The key at `path` (with `[]` and `*`), or the one for a name that the user chooses.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&'static Key> {
        self.by_path.get(path).copied().or_else(|| {
            let (table, _) = path.rsplit_once('.')?;
            self.by_path.get(format!("{table}.*").as_str()).copied()
        })
    }

    /// The value that `default` stands for, which is that of a key.
    #[must_use]
    pub fn default_value(&self, default: &'static str) -> &DeValue<'static> {
        self.defaults[default].get_ref()
    }

    /// Names of the keys in the table at `path` (empty: the top).
    pub fn names_in(&self, path: &str) -> impl Iterator<Item = &'static str> {
        self.keys.iter().filter_map(move |key| {
            let name = if path.is_empty() { key.path } else { key.path.strip_prefix(path)?.strip_prefix('.')? };
            (!name.contains(['.', '[', '*'])).then_some(name)
        })
    }
}
