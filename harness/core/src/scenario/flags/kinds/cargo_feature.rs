//! Flags of kind `cargo-feature`: built with a feature of the package, or without it.

use serde::{Deserialize, Serialize};

use super::{CellSettings, FlagKind, Listed, State, Switch};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::flags::Flag;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key, only};

pub(super) const KIND: Listed = Listed { name: "cargo-feature", decode, together: None };

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    only(key("flags[].feature", Kind::Text, Presence::Required, "The cargo feature."), "kind", &["cargo-feature"]),
];

/// A cargo feature of the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CargoFeature {
    /// The feature.
    feature: String,
}

fn decode(reader: &mut Reader, section: &Section<'_>, _has_values: bool) -> Switch {
    Switch::CargoFeature(CargoFeature { feature: reader.text(section, "feature").unwrap_or_default() })
}

impl FlagKind for CargoFeature {
    fn described(&self) -> String {
        format!("the feature {}", self.feature)
    }

    /// What the package has is looked at once the package is known.
    fn check(&self, _check: &mut Check<'_>, _path: &str, _flag: &Flag) {}

    fn of_builds(&self) -> Option<&'static str> {
        Some("cargo features")
    }

    fn feature(&self) -> Option<&str> {
        Some(&self.feature)
    }

    /// It is built in.
    fn start(&self, _scenario: &Scenario, _state: State<'_>, _settings: &mut CellSettings) {}
}
