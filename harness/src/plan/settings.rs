//! What a cell adds to the start of the service: its flags and axes as environment and arguments.

use std::collections::BTreeMap;

use super::Cell;
use crate::scenario::{Allocator, AxisKind, Flag, Scenario, Switch};

/// What a cell adds to the start of the service. Values of flags and axes are taken as they are: nothing
/// is replaced in them but the value of a flag with values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellSettings {
    /// Variables set, and variables unset (none).
    pub env: BTreeMap<String, Option<String>>,
    /// Arguments added.
    pub args: Vec<String>,
}

/// What `cell` adds to the environment and arguments of the service.
#[must_use]
pub fn settings(scenario: &Scenario, cell: &Cell) -> CellSettings {
    let mut settings = CellSettings::default();
    if let Some(allocator) = allocator_of(scenario, &cell.axes) {
        let tuned = allocator.env.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        settings.env.extend(tuned);
    }
    for axis in &scenario.axes {
        if let (AxisKind::Env { var }, Some(value)) = (&axis.kind, cell.axes.get(&axis.name)) {
            settings.env.insert(var.clone(), Some(value.clone()));
        }
    }
    for flag in &scenario.flags {
        let is_on = cell.flags.contains(&flag.name);
        match (&flag.switch, cell.flags.value_of(flag)) {
            (Switch::CargoFeature { .. }, _) => {}
            (Switch::Env { var, on, off }, None) => {
                let value = if is_on { Some(on) } else { off.as_ref() };
                settings.env.insert(var.clone(), value.cloned());
            }
            (Switch::Env { var, on, .. }, Some(value)) => {
                settings.env.insert(var.clone(), Some(Flag::with_value(on, value)));
            }
            (Switch::Arg { on, off }, None) => {
                settings.args.extend((if is_on { on } else { off }).iter().cloned());
            }
            (Switch::Arg { on, .. }, Some(value)) => {
                settings.args.extend(on.iter().map(|text| Flag::with_value(text, value)));
            }
        }
    }
    settings
}

/// The allocator of a cell with these `axes`; none: the system's.
pub(super) fn allocator_of<'s>(scenario: &'s Scenario, axes: &BTreeMap<String, String>) -> Option<&'s Allocator> {
    let axis = scenario.axes.iter().find(|axis| axis.kind == AxisKind::Allocator)?;
    scenario.allocators.get(axes.get(&axis.name)?)
}
