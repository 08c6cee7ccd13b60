//! Flags of kind `cfg`: built with a condition of the source, or without it.

use serde::{Deserialize, Serialize};

use super::{CellSettings, FlagKind, Listed, State, Switch};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::flags::Flag;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key, only};

pub(super) const KIND: Listed = Listed { name: "cfg", decode, together: None };

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    only(key("flags[].cfg", Kind::Text, Presence::Required, "Passed to rustc as `--cfg` where the flag is on. As soon as one flag has this kind, every build gets exactly the flags for rustc of `service.rustflags`, or else of `RUSTFLAGS`, and none of cargo's configuration."), "kind", &["cfg"]),
];

/// A condition of the source, which rustc gets as `--cfg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cfg {
    /// What follows `--cfg`.
    cfg: String,
}

fn decode(reader: &mut Reader, section: &Section<'_>, _has_values: bool) -> Switch {
    Switch::Cfg(Cfg { cfg: reader.text(section, "cfg").unwrap_or_default() })
}

impl FlagKind for Cfg {
    fn described(&self) -> String {
        format!("--cfg {}", self.cfg)
    }

    fn check(&self, check: &mut Check<'_>, path: &str, _flag: &Flag) {
        if !is_cfg(&self.cfg) {
            let help = "cfg = \"fast_path\", or cfg = 'cache=\"lru\"' with its value in quotes";
            let message = format!("{:?} is nothing that rustc takes after --cfg", self.cfg);
            check.error(&format!("{path}.cfg"), message, help);
        }
    }

    fn of_builds(&self) -> Option<&'static str> {
        Some("cfg")
    }

    fn cfg(&self) -> Option<&str> {
        Some(&self.cfg)
    }

    /// It is built in.
    fn start(&self, _scenario: &Scenario, _state: State<'_>, _settings: &mut CellSettings) {}
}

/// A name, or one with a value in quotes (<https://doc.rust-lang.org/reference/conditional-compilation.html>).
fn is_cfg(cfg: &str) -> bool {
    let (name, value) = cfg.split_once('=').map_or((cfg, None), |(name, value)| (name, Some(value)));
    let is_first = |c: char| c.is_alphabetic() || c == '_';
    let is_quoted = |value: &str| {
        value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .is_some_and(|value| !value.contains(['"', '\\']))
    };
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_numeric()) && value.is_none_or(is_quoted)
}
