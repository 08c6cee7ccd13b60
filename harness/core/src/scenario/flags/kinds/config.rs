//! Flags of kind `config`: a value in a file of the service, written before each start.

mod patch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::patch::Patch;
use self::patch::{Format, Unfound, broken};
use super::{CellSettings, FlagKind, Listed, State, Switch};
use crate::problem::{Problem, Spans, listed, nearest};
use crate::scenario::check::Check;
use crate::scenario::flags::Flag;
use crate::scenario::flags::value::{VALUE, with_value};
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key, only};
use crate::scenario::{Flaw, JsonPath, RenderedFile, Scenario};
use crate::template::Template;

pub(super) const KIND: Listed = Listed { name: "config", decode, together: Some(places) };

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    only(key("flags[].key", Kind::Text, Presence::Required, "Where in the file the value stands: names with dots between, and numbers from 0 for lists (`cache.tiers.0.size`); or a JSON pointer, for names with dots (`/cache/max.size`). It must be there, with a text, number or boolean."), "kind", &["config"]),
    only(key("flags[].file", Kind::Text, Presence::Optional, "The file of `service.files` that is changed, as its `from` says; not needed where there is one. It must be written as `.toml`, `.json`, `.yaml` or `.yml`. Names in `{{…}}` are filled in first, and all but the value stays as it is."), "kind", &["config"]),
];

/// A value in a file of the service, written before each start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Which file, as its `from` says; none: the only one that there is.
    file: Option<PathBuf>,
    /// Where in it.
    key: JsonPath,
    /// Written where the flag is on; of a flag with values always, with the value in it.
    on: Value,
    /// Written where the flag is off; none: what stands there stays.
    off: Option<Value>,
}

fn decode(reader: &mut Reader, section: &Section<'_>, has_values: bool) -> Switch {
    let on = || if has_values { VALUE.into() } else { true.into() };
    Switch::Config(Config {
        file: reader.text(section, "file").map(PathBuf::from),
        key: JsonPath::new(reader.text(section, "key").unwrap_or_else(|| section.unnamed())),
        on: reader.scalar(section, "on").unwrap_or_else(on),
        off: reader.scalar(section, "off"),
    })
}

impl FlagKind for Config {
    fn described(&self) -> String {
        self.key.to_string()
    }

    fn check(&self, check: &mut Check<'_>, path: &str, _flag: &Flag) {
        if self.key.to_string().is_empty() {
            check.error(&format!("{path}.key"), "\"key\" is empty", "key = \"cache.enabled\"");
        }
        if self.off.as_ref() == Some(&self.on) {
            check.error(path, "\"on\" and \"off\" are the same: the flag would switch nothing", "off = false");
        }
    }

    /// Places in files are compared where it is known which file is meant, in [`places`].
    fn is_same(&self, _own: &Flag, _other: &Flag) -> bool {
        false
    }

    fn written(&self) -> &[String] {
        if let Value::String(on) = &self.on { std::slice::from_ref(on) } else { &[] }
    }

    fn start(&self, scenario: &Scenario, state: State<'_>, settings: &mut CellSettings) {
        settings.patches.extend(self.patch(scenario, state.is_on, state.value));
    }
}

impl Config {
    /// What is written where the flag is on, or has this `value`; none: the file says what it says.
    fn patch(&self, scenario: &Scenario, is_on: bool, value: Option<&str>) -> Option<Patch> {
        let file = file_of(scenario, self.file.as_deref())?.from.clone();
        let value = match (value, &self.on) {
            (Some(value), Value::String(on)) => with_value(on, value).into(),
            (None, on) if is_on => on.clone(),
            (Some(_) | None, _) => self.off.clone()?,
        };
        Some(Patch { file, key: self.key.clone(), value })
    }
}

/// That each names a file that there is, and no two change the same place.
fn places(check: &mut Check<'_>, scenario: &Scenario) {
    let mut changed = BTreeMap::new();
    for (index, flag) in scenario.flags.iter().enumerate() {
        let Switch::Config(Config { file: named, key, .. }) = &flag.switch else { continue };
        let path = format!("flags[{index}].file");
        let Some(file) = file_of(scenario, named.as_deref()) else {
            let known: Vec<String> =
                scenario.service.files.iter().map(|file| file.from.display().to_string()).collect();
            no_file(check, &path, named.as_ref().map(|file| file.display().to_string()).as_deref(), &known);
            continue;
        };
        let to = file.to.to_string();
        if Format::of(&to).is_none() {
            let help = "its name ends in .toml, .json, .yaml or .yml where a flag changes it";
            check.error(&path, format!("{to} is written in no format that steep can change"), help);
        }
        // `/a/b` and `a.b` are one place.
        let place = (&file.from, key.names());
        match changed.get(&place).copied() {
            Some(other) => {
                let message = format!("\"{}\" and \"{other}\" change the same value", flag.name);
                let help = "one flag with values = [\"off\", \"lru\"] says what the value may be";
                check.error(&format!("flags[{index}].key"), message, help);
            }
            None => {
                changed.insert(place, &flag.name);
            }
        }
    }
}

fn no_file(check: &mut Check<'_>, path: &str, named: Option<&str>, known: &[String]) {
    let message = match named {
        Some(named) => format!("service.files has no \"{named}\""),
        None if known.is_empty() => "the service has no file that a flag could change".to_owned(),
        None => "the service has several files: which one?".to_owned(),
    };
    let near = named.and_then(|named| nearest(named, known.iter().map(String::as_str)));
    let help = match near {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => {
            "files = [{ from = \"app.toml\", to = \"{{dir}}/app.toml\" }] in [service], and {{dir}}/app.toml in its args".to_owned()
        }
        None => format!("file = one of {}", listed(known.iter().map(String::as_str))),
    };
    check.error(path, message, help);
}

/// The file that a flag changes: the one that it names, or the only one.
fn file_of<'s>(scenario: &'s Scenario, file: Option<&Path>) -> Option<&'s RenderedFile> {
    let files = &scenario.service.files;
    match (file, files.as_slice()) {
        (Some(file), files) => files.iter().find(|known| known.from == file),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// The files that flags of `scenario` change, as their `from` says.
#[must_use]
pub fn changed_files(scenario: &Scenario) -> BTreeSet<PathBuf> {
    let changed = scenario.flags.iter().filter_map(|flag| match &flag.switch {
        Switch::Config(Config { file, .. }) => file_of(scenario, file.as_deref()),
        _ => None,
    });
    changed.map(|file| file.from.clone()).collect()
}

/// What is wrong with the files that flags change, and with what is to be written into them: `texts` by their `from`.
/// Those that were not read are problems that were reported.
#[must_use]
pub fn problems(scenario: &Scenario, spans: &Spans, texts: &BTreeMap<PathBuf, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut tell = |key: &str, flaw: Flaw| problems.push(Problem::error(flaw.message, spans.of(key)).help(flaw.help));
    let mut filled: BTreeMap<&Path, String> = BTreeMap::new();
    for (index, file) in scenario.service.files.iter().enumerate() {
        let (Some(text), Some(format)) = (texts.get(&file.from), Format::of(&file.to.to_string())) else { continue };
        let key = format!("service.files[{index}].from");
        match filled_in(text) {
            Err(reason) => tell(&key, broken(&file.from, &reason)),
            Ok(text) => match format.find(&text, &[]) {
                Err(Unfound::Broken(reason)) => tell(&key, broken(&file.from, &reason)),
                Err(Unfound::Missing { .. }) | Ok(_) => drop(filled.insert(&file.from, text)),
            },
        }
    }
    for (index, flag) in scenario.flags.iter().enumerate() {
        let Switch::Config(config) = &flag.switch else { continue };
        let Some(file) = file_of(scenario, config.file.as_deref()) else { continue };
        let key = format!("flags[{index}].key");
        let (Some(text), true) = (filled.get(file.from.as_path()), spans.has(&key)) else { continue };
        let patches = if flag.values.is_empty() {
            [true, false].map(|is_on| config.patch(scenario, is_on, None)).to_vec()
        } else {
            flag.values.iter().map(|value| config.patch(scenario, true, Some(value))).collect()
        };
        let to = file.to.to_string();
        let results: Result<Vec<String>, Flaw> =
            patches.iter().flatten().map(|patch| patch.applied(text, &to)).collect();
        match results {
            Err(flaw) => tell(&key, flaw),
            Ok(patched) if flag.values.is_empty() && config.off.is_none() && patched.first() == Some(text) => {
                let message = format!("{} says already what \"{}\" would write", file.from.display(), flag.name);
                tell(&key, Flaw::new(message, "say what it is where the flag is off: off = false"));
            }
            Ok(_) => {}
        }
    }
    problems
}

/// `text` with something in the place of each name.
fn filled_in(text: &str) -> Result<String, String> {
    // As a number and as a part of a text it does not change what the file is.
    let template = Template::parse(text).map_err(|error| error.to_string())?;
    template.render(|_| Some("1")).map_err(|error| error.to_string())
}
