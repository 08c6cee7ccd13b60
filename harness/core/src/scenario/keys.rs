//! Every key of a scenario: its type, default and meaning. The decoder takes types and defaults from here and refuses
//! what is not here, and the reference in `docs/scenario.md` is written from here, so neither can differ from the
//! other.

mod accounting;
mod factors;
mod judge;
mod service;
mod traffic;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

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
    /// It is part of the contract, and a later version will know it. Refused until then.
    Later,
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

const SECOND: u64 = 1_000;
const DAY: u64 = 86_400 * SECOND;
/// The longest soak and wait: thirty days.
pub(super) const LONGEST: u64 = 30 * DAY;
/// The largest whole number that TOML and JSON readers agree on.
const LARGEST: i64 = (1 << 53) - 1;

const fn key(path: &'static str, kind: Kind, presence: Presence, meaning: &'static str) -> Key {
    Key { path, kind, presence, meaning, only: None }
}

const fn only(key: Key, neighbour: &'static str, values: &'static [&'static str]) -> Key {
    Key { only: Some((neighbour, values)), ..key }
}

const fn later(path: &'static str, kind: Kind) -> Key {
    key(path, kind, Presence::Later, "")
}

use Kind::{
    Boolean, Choice, ChoiceMap, Choices, Date, Duration, Integer, Integers, JsonMap, Limit, Number, Numbers, Scalars,
    Size, Table, TableMap, Tables, Template, TemplateMap, Templates, Text, TextLists, TextMap, TextOrTexts, Texts,
};
use Presence::{Default, Optional, Required};

/// All keys, in the order of the reference.
pub fn keys() -> impl Iterator<Item = &'static Key> + Clone {
    [service::KEYS, traffic::KEYS, accounting::KEYS, factors::KEYS, judge::KEYS].into_iter().flatten()
}

/// The key at `schema` (a path with `[]` and `*`), or the one for a name that the user chooses.
#[must_use]
pub fn find(schema: &str) -> Option<&'static Key> {
    /// Each key is asked for once for every table of a file.
    static BY_PATH: LazyLock<BTreeMap<&str, &Key>> = LazyLock::new(|| keys().map(|key| (key.path, key)).collect());
    BY_PATH.get(schema).copied().or_else(|| {
        let (table, _) = schema.rsplit_once('.')?;
        BY_PATH.get(format!("{table}.*").as_str()).copied()
    })
}

/// The value that `default` stands for, which is that of a key.
pub(super) fn default_value(default: &'static str) -> &'static DeValue<'static> {
    static PARSED: LazyLock<BTreeMap<&str, Spanned<DeValue<'static>>>> = LazyLock::new(|| {
        let defaults = keys().filter_map(|key| if let Default(text) = key.presence { Some(text) } else { None });
        let parsed = |text| DeValue::parse(text).unwrap_or_else(|error| unreachable!("the default {text}: {error}"));
        defaults.map(|text| (text, parsed(text))).collect()
    });
    PARSED[default].get_ref()
}

/// Names of the keys in the table at `schema` (empty: the top).
pub fn names_in(schema: &str) -> impl Iterator<Item = &'static str> {
    keys().filter_map(move |key| {
        let name = if schema.is_empty() { key.path } else { key.path.strip_prefix(schema)?.strip_prefix('.')? };
        (!name.contains(['.', '[', '*'])).then_some(name)
    })
}

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

/// The reference of all keys, in Markdown: the text of `docs/scenario.md`.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in keys().filter(|key| key.presence != Presence::Later) {
        let default = match key.presence {
            Default(value) => format!("`{value}`"),
            Required => "required".into(),
            Optional | Presence::Later => "–".into(),
        };
        let only = key.only.map_or(String::new(), |(neighbour, values)| {
            format!(
                " Only with `{neighbour}` {}.",
                values.iter().map(|value| format!("`\"{value}\"`")).collect::<Vec<_>>().join(" or ")
            )
        });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{}` | {} | {default} | {}{only} |", key.path, key.type_name(), key.meaning);
    }
    text.push_str(
        "\n## Not supported yet\n\nThese belong to the format and are refused, with a message, until they work.\n\n",
    );
    for key in keys() {
        match key.kind {
            _ if key.presence == Presence::Later => {
                let _ = writeln!(text, "- `{}`", key.path);
            }
            Choice(_, values) if !values.is_empty() => {
                let values: Vec<_> = values.iter().map(|value| format!("`\"{value}\"`")).collect();
                let _ = writeln!(text, "- `{}` = {}", key.path, values.join(", "));
            }
            _ => {}
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Scenario reference

<!-- Written from harness/core/src/scenario/keys.rs; `just docs` writes it anew, and a test compares. -->

A scenario is one TOML file. Unknown keys are errors; `steep check FILE` reports every problem at once.

- Paths are relative to the scenario file.
- Durations are texts: `\"90s\"`, `\"5m\"`, `\"2h 30m\"`. Sizes are texts: `\"64KiB\"`, `\"512MiB\"`, `\"4B\"`. Rates are numbers,
  per second.
- `{{name}}` is replaced. In everything about processes: `{{port}}` (a free port picked by steep), `{{dir}}` (the cell's
  folder) and `{{<dependency>.port}}`. In requests: the names in `[params]`.
- In the table, `[]` stands behind a list of tables, and `*` for a name of your choice.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_and_each_stands_in_a_table_that_exists() {
        for (index, key) in keys().enumerate() {
            assert!(keys().skip(index + 1).all(|other| other.path != key.path), "{} stands twice", key.path);
            if let Some((table, _)) = key.path.rsplit_once('.') {
                let table = table.trim_end_matches("[]").trim_end_matches(".*");
                assert!(find(table).is_some(), "{} stands in no table", key.path);
            }
        }
    }

    #[test]
    fn every_key_that_works_has_a_meaning() {
        assert!(keys().all(|key| (key.presence == Presence::Later) == key.meaning.is_empty()));
    }

    #[test]
    fn a_name_of_the_users_choice_is_found() {
        assert_eq!(find("params.*.dist").map(|key| key.path), Some("params.*.dist"));
        assert_eq!(find("plan.include[].allocator").map(|key| key.path), Some("plan.include[].*"));
        assert!(find("service.nothing").is_none());
    }
}
