//! Flags of kind `arg`: arguments of the service.

use serde::{Deserialize, Serialize};

use super::{CellSettings, FlagKind, Listed, State, Switch};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::flags::Flag;
use crate::scenario::flags::value::{VALUE, with_value};
use crate::scenario::read::{Reader, Section};

/// It has only keys that other kinds have as well.
pub(super) const KIND: Listed = Listed { name: "arg", decode, together: None };

/// Arguments of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arg {
    /// Added where the flag is on; of a flag with values always, with the value in them.
    on: Vec<String>,
    /// Added where the flag is off.
    off: Vec<String>,
}

fn decode(reader: &mut Reader, section: &Section<'_>, _has_values: bool) -> Switch {
    let mut args = |name| Reader::has(section, name).then(|| reader.texts(section, name)).flatten().unwrap_or_default();
    Switch::Arg(Arg { on: args("on"), off: args("off") })
}

/// What stands in for a flag whose kind is missing or wrong, and in which no check finds a problem.
pub(super) fn neutral(has_values: bool) -> Switch {
    Switch::Arg(Arg { on: vec![if has_values { VALUE } else { "on" }.to_owned()], off: Vec::new() })
}

impl FlagKind for Arg {
    fn described(&self) -> String {
        self.on.iter().chain(&self.off).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    fn check(&self, check: &mut Check<'_>, path: &str, _flag: &Flag) {
        if self.on == self.off {
            let message = "\"on\" and \"off\" are the same: the flag would switch nothing";
            check.error(path, message, "on = [\"--cache\"]");
        }
    }

    /// An argument may count, as `-v` does, where one flag requires the other.
    fn is_same(&self, own: &Flag, other: &Flag) -> bool {
        let is_more = own.requires.contains(&other.name) || other.requires.contains(&own.name);
        own.switch == other.switch && !is_more
    }

    fn given(&self) -> Vec<(&'static str, &String)> {
        self.on.iter().map(|text| ("on", text)).chain(self.off.iter().map(|text| ("off", text))).collect()
    }

    fn written(&self) -> &[String] {
        &self.on
    }

    fn start(&self, _scenario: &Scenario, state: State<'_>, settings: &mut CellSettings) {
        match state.value {
            Some(value) => settings.args.extend(self.on.iter().map(|text| with_value(text, value))),
            None => settings.args.extend((if state.is_on { &self.on } else { &self.off }).iter().cloned()),
        }
    }
}
