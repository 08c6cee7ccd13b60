//! Switches of the service: what may leak.

pub(super) mod check;
pub(super) mod decode;
pub(super) mod keys;
mod kinds;
mod twice;
pub(super) mod value;

use serde::{Deserialize, Serialize};

pub use self::kinds::{CellSettings, Switch, SwitchRequest, config};
use super::Verify;
use steep_judge::ids::FlagSet;

/// A switch of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Its name in cell ids and reports.
    pub name: String,
    /// How it is switched.
    pub switch: Switch,
    /// What it may be, beyond on and off; the first is what it is in production. Empty: on or off.
    pub values: Vec<String>,
    /// Whether it is on in production.
    pub default: bool,
    /// Flags of the same group are switched together.
    pub group: Option<String>,
    /// Flags that must be on where this one is.
    pub requires: Vec<String>,
    /// Flags that must be off where this one is on.
    pub conflicts_with: Vec<String>,
    /// How to see that it took effect.
    pub verify: Option<Verify>,
}

/// What a flag without values may be.
const OFF_OR_ON: [&str; 2] = ["false", "true"];

impl Flag {
    /// What it may be: its values, or `false` and `true`. The first takes no member.
    #[must_use]
    pub fn levels(&self) -> Vec<&str> {
        if self.values.is_empty() { OFF_OR_ON.to_vec() } else { self.values.iter().map(String::as_str).collect() }
    }

    /// What of it may be a member of a flag set: its name; or `cache=lru` for each value but the first.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        match self.values.split_first() {
            None => vec![self.name.clone()],
            Some((_, others)) => others.iter().map(|value| self.member(value)).collect(),
        }
    }

    /// The member of a flag set that says that it has this `value`.
    #[must_use]
    pub fn member(&self, value: &str) -> String {
        format!("{}={value}", self.name)
    }

    /// The value that it has in `flags`, which is the first where they name none; none: it is a flag without values.
    #[must_use]
    pub fn value_in(&self, flags: &FlagSet) -> Option<&str> {
        let (first, others) = self.values.split_first()?;
        Some(others.iter().find(|value| flags.contains(&self.member(value))).unwrap_or(first))
    }
}
