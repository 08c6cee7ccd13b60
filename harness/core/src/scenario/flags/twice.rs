//! What no two of flags, axes and allocators may switch: the effect of one would be taken for that of the other.

use super::{Flag, Switch};
use crate::scenario::check::Check;
use crate::scenario::{Allocator, AxisKind, Scenario};

impl Check<'_> {
    pub(in crate::scenario) fn switches(&mut self, scenario: &Scenario) {
        for (index, flag) in scenario.flags.iter().enumerate() {
            if let Some(other) = scenario.flags[..index].iter().find(|other| is_same(flag, other)) {
                let message =
                    format!("\"{}\" and \"{}\" switch the same: {}", other.name, flag.name, described(&flag.switch));
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
            let Switch::Env { var, .. } = &flag.switch else { continue };
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
    scenario.flags.iter().filter(move |flag| matches!(&flag.switch, Switch::Env { var: set, .. } if set == var))
}

fn tuning<'s>(scenario: &'s Scenario, var: &str) -> impl Iterator<Item = (&'s String, &'s Allocator)> {
    let used = scenario.allocators.iter().filter(|(name, _)| scenario.has_allocator(name));
    used.filter(move |(_, allocator)| allocator.env.contains_key(var))
}

/// Whether both are the same switch, whatever they write. Places in files are compared where it is known which file is
/// meant; and an argument may count, as `-v` does, where one flag requires the other.
fn is_same(one: &Flag, other: &Flag) -> bool {
    match (&one.switch, &other.switch) {
        (Switch::Env { var, .. }, Switch::Env { var: other, .. }) => var == other,
        (Switch::Config { .. }, Switch::Config { .. }) => false,
        (Switch::Arg { .. }, Switch::Arg { .. }) => {
            let is_more = one.requires.contains(&other.name) || other.requires.contains(&one.name);
            one.switch == other.switch && !is_more
        }
        (one, other) => one == other,
    }
}

fn described(switch: &Switch) -> String {
    match switch {
        Switch::CargoFeature { feature } => format!("the feature {feature}"),
        Switch::Cfg { cfg } => format!("--cfg {cfg}"),
        Switch::Env { var, .. } => format!("the variable {var}"),
        Switch::Arg { on, off } => on.iter().chain(off).map(String::as_str).collect::<Vec<_>>().join(" "),
        Switch::Http { on, .. } => on.path.clone(),
        Switch::Config { key, .. } => key.to_string(),
    }
}
