//! What a cell adds to the start of the service: its flags and axes as environment, arguments and files.

use std::collections::BTreeMap;

use super::Cell;
use crate::scenario::config::Patch;
use crate::scenario::{Allocator, AxisKind, Flag, Scenario, Switch, SwitchRequest};
use steep_judge::ids::FlagSet;

/// What a cell adds to the start of the service. The value of a flag with values stands in it; ports and folders are
/// filled in when the service is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellSettings {
    /// Variables set, and variables unset (none).
    pub env: BTreeMap<String, Option<String>>,
    /// Arguments added.
    pub args: Vec<String>,
    /// A shared library that is loaded before all others.
    pub preload: Option<String>,
    /// Values of files of the service.
    pub patches: Vec<Patch>,
    /// Sent once the service is ready: the flag that each switches, and the request.
    pub requests: Vec<(String, SwitchRequest)>,
}

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
        settings.switch(flag, flags);
        settings.patches.extend(Patch::of(scenario, flag, flags.contains(&flag.name), flag.value_in(flags)));
    }
    settings
}

impl CellSettings {
    /// All of it in one text, by which two can be compared: equal for equal ones alone.
    #[must_use]
    pub fn shown(&self) -> String {
        let Self { env, args, preload, patches, requests } = self;
        // Which flag sends a request makes no difference to the service.
        let requests: Vec<&SwitchRequest> = requests.iter().map(|(_, request)| request).collect();
        format!("{env:?} {args:?} {preload:?} {patches:?} {requests:?}")
    }

    fn switch(&mut self, flag: &Flag, flags: &FlagSet) {
        let is_on = flags.contains(&flag.name);
        match (&flag.switch, flag.value_in(flags)) {
            (Switch::CargoFeature { .. } | Switch::Cfg { .. } | Switch::Config { .. }, _) => {}
            (Switch::Env { var, on, off }, None) => {
                let value = if is_on { Some(on) } else { off.as_ref() };
                self.env.insert(var.clone(), value.cloned());
            }
            (Switch::Env { var, on, .. }, Some(value)) => {
                self.env.insert(var.clone(), Some(Flag::with_value(on, value)));
            }
            (Switch::Arg { on, off }, None) => {
                self.args.extend((if is_on { on } else { off }).iter().cloned());
            }
            (Switch::Arg { on, .. }, Some(value)) => {
                self.args.extend(on.iter().map(|text| Flag::with_value(text, value)));
            }
            (Switch::Http { on, off }, _) => {
                let request = if is_on { Some(on) } else { off.as_ref() };
                self.requests.extend(request.map(|request| (flag.name.clone(), request.clone())));
            }
        }
    }
}

/// The allocator that a cell with these `axes` has, with its name; none: the system's.
#[must_use]
pub fn allocator_of<'s>(scenario: &'s Scenario, axes: &BTreeMap<String, String>) -> Option<(&'s str, &'s Allocator)> {
    let axis = scenario.axes.iter().find(|axis| axis.kind == AxisKind::Allocator)?;
    let (name, allocator) = scenario.allocators.get_key_value(axes.get(&axis.name)?)?;
    Some((name, allocator))
}
