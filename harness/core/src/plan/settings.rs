//! What a cell adds to the start of the service: its flags and axes as environment, arguments and files.

use std::collections::BTreeMap;

use super::Cell;
pub use crate::scenario::CellSettings;
use crate::scenario::{Allocator, AxisKind, Scenario};
use steep_judge::ids::FlagSet;

/// What `cell` adds to the environment and arguments of the service, and what it is asked.
#[must_use]
pub fn settings(scenario: &Scenario, cell: &Cell) -> CellSettings {
    settings_of(scenario, &cell.flags, &cell.axes)
}

/// The same of the cell with these flags on and these axes.
pub(super) fn settings_of(scenario: &Scenario, flags: &FlagSet, axes: &BTreeMap<String, String>) -> CellSettings {
    let mut settings = CellSettings::default();
    if let Some((_, allocator)) = allocator_of(scenario, axes) {
        settings.preload.clone_from(&allocator.preload);
        let tuned = allocator.env.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        settings.env.extend(tuned);
    }
    for axis in &scenario.axes {
        let Some(value) = axes.get(&axis.name) else { continue };
        match &axis.kind {
            AxisKind::Env { var } => drop(settings.env.insert(var.clone(), Some(value.clone()))),
            AxisKind::Arg { arg } if arg.ends_with('=') => settings.args.push(format!("{arg}{value}")),
            AxisKind::Arg { arg } => settings.args.extend([arg.clone(), value.clone()]),
            AxisKind::Allocator | AxisKind::CargoFeature | AxisKind::Revision => {}
        }
    }
    for flag in &scenario.flags {
        flag.start(scenario, flags, &mut settings);
    }
    settings
}

/// The allocator that a cell with these `axes` has, with its name; none: the system's.
#[must_use]
pub fn allocator_of<'s>(scenario: &'s Scenario, axes: &BTreeMap<String, String>) -> Option<(&'s str, &'s Allocator)> {
    let axis = scenario.axes.iter().find(|axis| axis.kind == AxisKind::Allocator)?;
    let (name, allocator) = scenario.allocators.get_key_value(axes.get(&axis.name)?)?;
    Some((name, allocator))
}
