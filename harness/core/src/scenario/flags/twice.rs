//! What no two of flags, axes and allocators may switch: the effect of one would be taken for that of the other.

use super::Flag;
use crate::scenario::check::Check;
use crate::scenario::{Allocator, AxisKind, Scenario};

impl Check<'_> {
    pub(in crate::scenario) fn switches(&mut self, scenario: &Scenario) {
        for (index, flag) in scenario.flags.iter().enumerate() {
            if let Some(other) = scenario.flags[..index].iter().find(|other| flag.switch.kind().is_same(flag, other)) {
                let message = format!(
                    "\"{}\" and \"{}\" switch the same: {}",
                    other.name,
                    flag.name,
                    flag.switch.kind().described()
                );
                let help = "one flag with values = [\"off\", \"lru\"] says what it may be; else take one of them out";
                self.error(&format!("flags[{index}]"), message, help);
            }
        }
        self.variables(scenario);
        for name in scenario.allocators.keys() {
            if !scenario.has_allocator(name) {
                let help = format!("an axis of kind \"allocator\" has it with values = [\"system\", \"{name}\"]");
                self.warning(&format!("allocators.{name}"), format!("no axis has the allocator \"{name}\""), help);
            }
        }
    }

    /// That one variable of the service's environment is set by one axis, or else by flags or by allocators.
    fn variables(&mut self, scenario: &Scenario) {
        for (index, axis) in scenario.axes.iter().enumerate() {
            let AxisKind::Env { var } = &axis.kind else { continue };
            let before = scenario.axes[..index].iter();
            let other = before.filter(|other| matches!(&other.kind, AxisKind::Env { var: set } if set == var));
            let axes = other.map(|other| format!("the axis \"{}\"", other.name));
            let flags = setting(scenario, var).map(|flag| format!("the flag \"{}\"", flag.name));
            let allocators = tuning(scenario, var).map(|(name, _)| format!("the allocator \"{name}\""));
            if let Some(other) = axes.chain(flags).chain(allocators).next() {
                self.twice(&format!("axes[{index}].var"), var, &other);
            }
        }
        for (index, flag) in scenario.flags.iter().enumerate() {
            let Some(var) = flag.switch.variable() else { continue };
            if let Some((name, _)) = tuning(scenario, var).next() {
                self.twice(&format!("flags[{index}].var"), var, &format!("the allocator \"{name}\""));
            }
        }
    }

    fn twice(&mut self, path: &str, var: &str, other: &str) {
        let help = "only one of them could have its way: leave the variable to one";
        self.error(path, format!("{other} sets {var} as well"), help);
    }
}

fn setting<'s>(scenario: &'s Scenario, var: &str) -> impl Iterator<Item = &'s Flag> {
    scenario.flags.iter().filter(move |flag| flag.switch.variable() == Some(var))
}

fn tuning<'s>(scenario: &'s Scenario, var: &str) -> impl Iterator<Item = (&'s String, &'s Allocator)> {
    let used = scenario.allocators.iter().filter(|(name, _)| scenario.has_allocator(name));
    used.filter(move |(_, allocator)| allocator.env.contains_key(var))
}
