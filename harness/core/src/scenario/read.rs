//! Reads typed values out of spanned TOML tables, by the list of keys. What is wrong becomes a problem and reading goes
//! on, so that one pass finds everything.

mod section;
mod value;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use self::section::Section;
use self::section::join;
use self::value::{
    Wrong, by_name, by_place, choice_of, date_of, duration_of, each, integer_of, limit_of, number_of, one_or_several,
    scalar_of, scalar_text_of, size_of, template_of, text_of, wrong_type,
};
use super::Unit;
use super::schema::{Key, Kind, Presence, Schema};
use super::{Date, JsonPath, Wanted};
use crate::problem::{Problem, Spans, nearest};
use crate::template::Template;
use steep_judge::units::Bytes;

/// Collects problems and places while tables are read.
#[derive(Debug)]
pub struct Reader {
    /// The keys that there are.
    schema: &'static Schema,
    /// What was wrong so far.
    pub problems: Vec<Problem>,
    /// Where each value that was read stands.
    pub spans: Spans,
}

impl Reader {
    /// A reader of tables with the keys of `schema`.
    #[must_use]
    pub fn new(schema: &'static Schema) -> Self {
        Self { schema, problems: Vec::new(), spans: Spans::default() }
    }

    /// The section of `table`, after checking that each of its keys exists and has a meaning there.
    pub fn enter<'t>(
        &mut self,
        schema: &str,
        path: String,
        span: Option<Range<usize>>,
        table: &'t DeTable<'t>,
    ) -> Section<'t> {
        if let Some(span) = span {
            self.spans.insert(path.clone(), span);
        }
        let section = Section { schema: schema.to_owned(), path, table: Some(table) };
        for name in section.names() {
            self.check_key(&section, name.get_ref(), name.span());
        }
        section
    }

    fn check_key(&mut self, section: &Section<'_>, name: &str, span: Range<usize>) {
        let Some(key) = self.schema.find(&join(&section.schema, name)) else {
            let place =
                if section.schema.is_empty() { "a scenario".to_owned() } else { format!("[{}]", section.schema) };
            let help = match nearest(name, self.schema.names_in(&section.schema)) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => {
                    format!("{place} knows {}", self.schema.names_in(&section.schema).collect::<Vec<_>>().join(", "))
                }
            };
            self.problems.push(Problem::error(format!("unknown key \"{name}\""), Some(span)).help(help));
            return;
        };
        if let Some((neighbour, values)) = key.only
            && let Some(given) = section.get(neighbour).and_then(|value| value.get_ref().as_str())
            && !values.contains(&given)
        {
            // What the neighbour says may be wrong or not supported itself: then that is the problem to report.
            if self.is_supported(&join(&section.schema, neighbour), given) {
                let problem =
                    Problem::error(format!("\"{name}\" has no meaning with {neighbour} = \"{given}\""), Some(span));
                self.problems
                    .push(problem.help(format!("it belongs to {neighbour} = \"{}\"", values.join("\" or \""))));
            }
        }
    }

    /// What `convert` makes of the value of `name`: the default where it is not given, none where it has none or is
    /// wrong.
    fn value<T>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        convert: impl Fn(&Key, &DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<T> {
        let schema = join(&section.schema, name);
        let path = join(&section.path, name);
        let key =
            self.schema.find(&schema).unwrap_or_else(|| unreachable!("the code asks for {schema}, which is not a key"));
        if let Some(value) = section.get(name) {
            self.spans.insert(path, value.span());
            return match convert(key, value.get_ref()) {
                Ok(converted) => Some(converted),
                Err(wrong) => {
                    let message = format!("\"{name}\" {}", wrong.message);
                    self.problems.push(Problem::error(message, Some(value.span())).help(wrong.help));
                    None
                }
            };
        }
        match key.presence {
            Presence::Default(text) => {
                let value = self.schema.default_value(text);
                Some(convert(key, value).unwrap_or_else(|wrong| unreachable!("{schema}: {}", wrong.message)))
            }
            Presence::Required => {
                let place = if section.path.is_empty() { "the scenario".into() } else { format!("[{}]", section.path) };
                let mut problem = Problem::error(format!("{place} lacks \"{name}\""), self.spans.of(&section.path));
                problem.help = format!("add {name} = …: {}", key.meaning);
                self.problems.push(problem);
                None
            }
            Presence::Optional => None,
        }
    }

    /// Whether `name` is given in `section`.
    #[must_use]
    pub fn has(section: &Section<'_>, name: &str) -> bool {
        section.get(name).is_some()
    }

    /// A text.
    pub fn text(&mut self, section: &Section<'_>, name: &str) -> Option<String> {
        self.value(section, name, |_, value| text_of(value).map(str::to_owned))
    }

    /// A text with `{{name}}`.
    pub fn template(&mut self, section: &Section<'_>, name: &str) -> Option<Template> {
        self.value(section, name, |_, value| template_of(value))
    }

    /// A list of texts.
    pub fn texts(&mut self, section: &Section<'_>, name: &str) -> Option<Vec<String>> {
        self.value(section, name, |_, value| each(value, |item| text_of(item).map(str::to_owned)))
    }

    /// A list of texts with `{{name}}`.
    pub fn templates(&mut self, section: &Section<'_>, name: &str) -> Option<Vec<Template>> {
        self.value(section, name, |_, value| each(value, template_of))
    }

    /// A table of texts.
    pub fn text_map(&mut self, section: &Section<'_>, name: &str) -> Option<BTreeMap<String, String>> {
        self.value(section, name, |_, value| by_name(value, |item| text_of(item).map(str::to_owned)))
    }

    /// A list of lists of texts.
    pub fn text_lists(&mut self, section: &Section<'_>, name: &str) -> Option<Vec<Vec<String>>> {
        let texts = |value: &DeValue<'_>| each(value, |item| text_of(item).map(str::to_owned));
        self.value(section, name, |_, value| each(value, texts))
    }

    /// A table of what may be: each a text, a boolean or a number, or a list of them.
    pub fn choices_by_name(&mut self, section: &Section<'_>, name: &str) -> Option<BTreeMap<String, Vec<String>>> {
        self.value(section, name, |_, value| by_name(value, one_or_several))
    }

    /// A table of texts with `{{name}}`.
    pub fn template_map(&mut self, section: &Section<'_>, name: &str) -> Option<BTreeMap<String, Template>> {
        self.value(section, name, |_, value| by_name(value, template_of))
    }

    /// A whole number in the range of its key.
    pub fn integer(&mut self, section: &Section<'_>, name: &str) -> Option<u64> {
        self.value(section, name, |key, value| match key.kind {
            Kind::Integer(low, high) => integer_of(value, low, high),
            _ => unreachable!("{} is not a whole number", key.path),
        })
    }

    /// The same as a size in memory, for keys that are bounded far below `usize::MAX`; 0 where it is missing or wrong.
    pub fn whole(&mut self, section: &Section<'_>, name: &str) -> usize {
        self.integer(section, name).map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// The same of a list; empty where it is missing or wrong.
    pub fn wholes(&mut self, section: &Section<'_>, name: &str) -> Vec<usize> {
        let numbers = self.integers(section, name).unwrap_or_default();
        numbers.into_iter().map(|number| usize::try_from(number).unwrap_or(usize::MAX)).collect()
    }

    /// A list of whole numbers in the range of its key.
    pub fn integers(&mut self, section: &Section<'_>, name: &str) -> Option<Vec<u64>> {
        self.value(section, name, |key, value| match key.kind {
            Kind::Integers(low, high) => each(value, |item| integer_of(item, low, high)),
            _ => unreachable!("{} is not a list of whole numbers", key.path),
        })
    }

    /// A number that is not negative.
    pub fn number(&mut self, section: &Section<'_>, name: &str) -> Option<f64> {
        self.value(section, name, |_, value| number_of(value))
    }

    /// A list of numbers that are not negative.
    pub fn numbers(&mut self, section: &Section<'_>, name: &str) -> Option<Vec<f64>> {
        self.value(section, name, |_, value| each(value, number_of))
    }

    /// A list of texts, numbers and booleans, as texts.
    pub fn scalars(&mut self, section: &Section<'_>, name: &str) -> Option<Vec<String>> {
        self.value(section, name, |_, value| each(value, scalar_text_of))
    }

    /// A text, number or boolean.
    pub fn scalar(&mut self, section: &Section<'_>, name: &str) -> Option<Value> {
        self.value(section, name, |_, value| scalar_of(value))
    }

    /// Places in a JSON value with what stands there.
    pub fn json_map(&mut self, section: &Section<'_>, name: &str) -> Option<BTreeMap<JsonPath, Wanted>> {
        self.value(section, name, |_, value| by_place(value, ""))
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, section: &Section<'_>, name: &str) -> Option<bool> {
        self.value(section, name, |_, value| value.as_bool().ok_or_else(|| wrong_type(value, "true or false")))
    }

    /// A duration in the range of its key.
    pub fn duration(&mut self, section: &Section<'_>, name: &str) -> Option<Duration> {
        self.value(section, name, |key, value| match key.kind {
            Kind::Duration(shortest, longest) => duration_of(value, shortest, longest),
            _ => unreachable!("{} is not a duration", key.path),
        })
    }

    /// A day.
    pub fn date(&mut self, section: &Section<'_>, name: &str) -> Option<Date> {
        self.value(section, name, |_, value| date_of(value))
    }

    /// A size.
    pub fn size(&mut self, section: &Section<'_>, name: &str) -> Option<Bytes> {
        self.value(section, name, |_, value| size_of(value))
    }

    /// A limit in this unit.
    pub fn limit(&mut self, section: &Section<'_>, name: &str, unit: Unit) -> Option<f64> {
        self.value(section, name, |_, value| limit_of(value, unit))
    }

    /// One of the values of its key, as the enum that has the same names.
    pub fn choice<T: DeserializeOwned>(&mut self, section: &Section<'_>, name: &str) -> Option<T> {
        self.value(section, name, |key, value| match key.kind {
            Kind::Choice(values, later) => choice_of(value, values, later),
            _ => unreachable!("{} is not a choice", key.path),
        })
    }

    /// Several of the values of its key.
    pub fn choices<T: DeserializeOwned>(&mut self, section: &Section<'_>, name: &str) -> Option<Vec<T>> {
        self.value(section, name, |key, value| match key.kind {
            Kind::Choices(values) => each(value, |item| choice_of(item, values, &[])),
            _ => unreachable!("{} is not a list of choices", key.path),
        })
    }

    /// The table `name` within `section`; none where it is not given and has no default.
    pub fn section<'t>(&mut self, section: &Section<'t>, name: &str) -> Option<Section<'t>> {
        let schema = join(&section.schema, name);
        let path = join(&section.path, name);
        match section.get(name) {
            Some(value) => match value.get_ref().as_table() {
                Some(table) => Some(self.enter(&schema, path, Some(value.span()), table)),
                None => self.not_a_table(name, value),
            },
            None if self.schema.find(&schema).is_some_and(|key| key.presence == Presence::Required) => {
                self.value(section, name, |_, _| Ok(()));
                None
            }
            None if self.schema.find(&schema).is_some_and(|key| key.presence == Presence::Optional) => None,
            None => Some(Section::missing(section, name)),
        }
    }

    /// The tables of the list `name` within `section`.
    pub fn sections<'t>(&mut self, section: &Section<'t>, name: &str) -> Vec<Section<'t>> {
        let schema = format!("{}[]", join(&section.schema, name));
        let path = join(&section.path, name);
        let Some(value) = section.get(name) else {
            // Reports it where it is required.
            self.value(section, name, |_, _| Ok(()));
            return Vec::new();
        };
        let Some(list) = value.get_ref().as_array() else {
            let wrong = wrong_type(value.get_ref(), "a list of tables");
            let problem = Problem::error(format!("\"{name}\" {}", wrong.message), Some(value.span()));
            self.problems.push(problem.help(format!("write [[{path}]] before each")));
            return Vec::new();
        };
        self.spans.insert(path.clone(), value.span());
        let mut sections = Vec::new();
        for (index, item) in list.iter().enumerate() {
            match item.get_ref().as_table() {
                Some(table) => {
                    let path = format!("{path}[{index}]");
                    sections.push(self.enter(&schema, path, Some(item.span()), table));
                }
                None => drop(self.not_a_table(&format!("{path}[{index}]"), item)),
            }
        }
        sections
    }

    /// The tables by name in the table `name` within `section`.
    pub fn named_sections<'t>(&mut self, section: &Section<'t>, name: &str) -> Vec<(String, Section<'t>)> {
        let schema = format!("{}.*", join(&section.schema, name));
        let path = join(&section.path, name);
        let Some(value) = section.get(name) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.not_a_table(name, value);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (key, item) in table {
            match item.get_ref().as_table() {
                Some(inner) => {
                    let path = join(&path, key.get_ref());
                    let entered = self.enter(&schema, path, Some(key.span()), inner);
                    sections.push((key.get_ref().to_string(), entered));
                }
                None => drop(self.not_a_table(key.get_ref(), item)),
            }
        }
        sections
    }

    /// The table `name` within `section`, or one in which nothing is given.
    pub fn table<'t>(&mut self, section: &Section<'t>, name: &str) -> Section<'t> {
        let found = self.section(section, name);
        found.unwrap_or_else(|| Section::missing(section, name))
    }

    /// What `decode` makes of each table of the list `name` within `section`.
    pub fn list<T>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        decode: impl Fn(&mut Self, &Section<'_>) -> T,
    ) -> Vec<T> {
        let sections = self.sections(section, name);
        sections.iter().map(|section| decode(self, section)).collect()
    }

    /// What `decode` makes of each table by name in the table `name` within `section`.
    pub fn named<T>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        decode: impl Fn(&mut Self, &Section<'_>) -> T,
    ) -> BTreeMap<String, T> {
        let sections = self.named_sections(section, name);
        sections.into_iter().map(|(name, section)| (name, decode(self, &section))).collect()
    }

    /// Names in `section` that the user chose, beside those that are keys.
    pub fn chosen_names(&self, section: &Section<'_>) -> Vec<String> {
        let known: Vec<_> = self.schema.names_in(&section.schema).collect();
        section.names().map(|name| name.get_ref().to_string()).filter(|name| !known.contains(&name.as_str())).collect()
    }

    fn is_supported(&self, schema: &str, given: &str) -> bool {
        matches!(self.schema.find(schema).map(|key| key.kind), Some(Kind::Choice(values, _)) if values.contains(&given))
    }

    fn not_a_table(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<Section<'static>> {
        let wrong = wrong_type(value.get_ref(), "a table");
        self.problems.push(Problem::error(format!("\"{name}\" {}", wrong.message), Some(value.span())));
        None
    }
}
