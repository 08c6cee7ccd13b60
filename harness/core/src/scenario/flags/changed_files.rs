//! Flags that change a file of the service: which file, and that no two change the same place.

use std::collections::BTreeMap;

use super::Switch;
use crate::problem::{listed, nearest};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::config::{Format, file_of};

impl Check<'_> {
    pub(in crate::scenario) fn changed_files(&mut self, scenario: &Scenario) {
        let mut changed = BTreeMap::new();
        for (index, flag) in scenario.flags.iter().enumerate() {
            let Switch::Config { file: named, key, .. } = &flag.switch else { continue };
            let path = format!("flags[{index}].file");
            let Some(file) = file_of(scenario, named.as_deref()) else {
                let known: Vec<String> =
                    scenario.service.files.iter().map(|file| file.from.display().to_string()).collect();
                self.no_file(&path, named.as_ref().map(|file| file.display().to_string()).as_deref(), &known);
                continue;
            };
            let to = file.to.to_string();
            if Format::of(&to).is_none() {
                let help = "its name ends in .toml, .json, .yaml or .yml where a flag changes it";
                self.error(&path, format!("{to} is written in no format that steep can change"), help);
            }
            // `/a/b` and `a.b` are one place.
            let place = (&file.from, key.names());
            match changed.get(&place).copied() {
                Some(other) => {
                    let message = format!("\"{}\" and \"{other}\" change the same value", flag.name);
                    let help = "one flag with values = [\"off\", \"lru\"] says what the value may be";
                    self.error(&format!("flags[{index}].key"), message, help);
                }
                None => {
                    changed.insert(place, &flag.name);
                }
            }
        }
    }

    fn no_file(&mut self, path: &str, named: Option<&str>, known: &[String]) {
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
        self.error(path, message, help);
    }
}
