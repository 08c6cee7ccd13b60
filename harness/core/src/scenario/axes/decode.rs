//! The tables of axes.

use serde::Deserialize;

use super::{Axis, AxisKind};
use crate::scenario::read::{Reader, Section};

/// The names of [`AxisKind`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AxisName {
    Allocator,
    CargoFeature,
    Revision,
    Arg,
    Env,
}

pub(in crate::scenario) fn axis(reader: &mut Reader, section: &Section<'_>) -> Axis {
    let kind = match reader.choice(section, "kind") {
        Some(AxisName::Allocator) => AxisKind::Allocator,
        Some(AxisName::CargoFeature) => AxisKind::CargoFeature,
        Some(AxisName::Revision) => AxisKind::Revision,
        Some(AxisName::Arg) => AxisKind::Arg { arg: reader.text(section, "arg").unwrap_or_else(|| section.unnamed()) },
        Some(AxisName::Env) => AxisKind::Env { var: reader.text(section, "var").unwrap_or_default() },
        None => AxisKind::Env { var: String::new() },
    };
    let name = reader.text(section, "name").unwrap_or_else(|| section.unnamed());
    Axis { name, kind, values: reader.texts(section, "values").unwrap_or_else(|| vec!["unknown".to_owned()]) }
}
