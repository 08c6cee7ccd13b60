//! Flags of kind `env`: a variable of the service's environment.

use serde::{Deserialize, Serialize};

use super::{CellSettings, FlagKind, Listed, State, Switch};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::flags::Flag;
use crate::scenario::flags::value::{VALUE, with_value};
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key, only};

pub(super) const KIND: Listed = Listed { name: "env", decode, together: None };

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    only(key("flags[].var", Kind::Text, Presence::Required, "The variable of the service's environment."), "kind", &["env"]),
];

/// A variable of the service's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Env {
    /// The variable.
    var: String,
    /// Its value where the flag is on; of a flag with values always, with the value in it.
    on: String,
    /// Its value where the flag is off; none: unset.
    off: Option<String>,
}

fn decode(reader: &mut Reader, section: &Section<'_>, has_values: bool) -> Switch {
    let on = if has_values { VALUE } else { "1" };
    Switch::Env(Env {
        var: reader.text(section, "var").unwrap_or_default(),
        on: reader.text(section, "on").unwrap_or_else(|| on.to_owned()),
        off: reader.text(section, "off"),
    })
}

impl FlagKind for Env {
    fn described(&self) -> String {
        format!("the variable {}", self.var)
    }

    fn check(&self, check: &mut Check<'_>, path: &str, flag: &Flag) {
        check.environment(&format!("{path}.var"), std::iter::once(&self.var));
        if self.off.as_ref() == Some(&self.on) && flag.values.is_empty() {
            let help = "leave \"off\" out: the variable is unset then";
            check.error(path, "\"on\" and \"off\" are the same: the flag would switch nothing", help);
        }
    }

    /// Whatever the two write into it.
    fn is_same(&self, _own: &Flag, other: &Flag) -> bool {
        other.switch.variable() == Some(&self.var)
    }

    fn given(&self) -> Vec<(&'static str, &String)> {
        std::iter::once(("on", &self.on)).chain(self.off.as_ref().map(|off| ("off", off))).collect()
    }

    fn written(&self) -> &[String] {
        std::slice::from_ref(&self.on)
    }

    fn variable(&self) -> Option<&str> {
        Some(&self.var)
    }

    fn start(&self, _scenario: &Scenario, state: State<'_>, settings: &mut CellSettings) {
        let value = match state.value {
            Some(value) => Some(with_value(&self.on, value)),
            None if state.is_on => Some(self.on.clone()),
            None => self.off.clone(),
        };
        settings.env.insert(self.var.clone(), value);
    }
}
