//! What flags, axes and rows of a plan must hold.

use super::Check;
use crate::problem::nearest;
use crate::scenario::{AxisKind, Flag, Program, Row, Scenario, Switch};

/// Names of the run's folder, and the id of the cell in which all is as in production.
const RESERVED_FLAGS: [&str; 7] =
    ["baseline", "builds", "attempts", "run.json", "run.lock", "report.json", "scenario.toml"];

impl Check<'_> {
    pub(super) fn flags(&mut self, scenario: &Scenario) {
        self.distinct_names("flags", scenario.flags.iter().map(|flag| flag.name.as_str()));
        let known = known_flags(scenario);
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        for (index, flag) in scenario.flags.iter().enumerate() {
            let at = |key: &str| format!("flags[{index}].{key}");
            self.file_name(&at("name"), &flag.name);
            self.reserved(&at("name"), &flag.name, &RESERVED_FLAGS);
            if flag.name.starts_with("not-") {
                self.error(
                    &at("name"),
                    "a flag cannot begin with \"not-\"",
                    "that marks flags of production that are off",
                );
            }
            for (key, others) in [("requires", &flag.requires), ("conflicts_with", &flag.conflicts_with)] {
                for other in others {
                    self.flag_exists(&at(key), other, &names);
                }
                if others.contains(&flag.name) {
                    self.error(&at(key), format!("\"{}\" names itself", flag.name), "");
                }
            }
            self.switch(&format!("flags[{index}]"), flag);
            self.values(&format!("flags[{index}]"), flag);
            if let Some(verify) = &flag.verify {
                self.own_path(&at("verify.path"), &verify.path);
            }
            if matches!(flag.switch, Switch::CargoFeature { .. })
                && matches!(scenario.service.program, Program::Command(_))
            {
                self.error(
                    &at("kind"),
                    "a command has no cargo features",
                    "use kind = \"env\" or \"arg\", or let steep build a package",
                );
            }
        }
    }

    fn switch(&mut self, path: &str, flag: &Flag) {
        match &flag.switch {
            Switch::Env { var, .. } => self.environment(&format!("{path}.var"), std::iter::once(var)),
            Switch::Arg { on, off } if on == off => {
                self.error(
                    path,
                    "\"on\" and \"off\" are the same: the flag would switch nothing",
                    "on = [\"--cache\"]",
                );
            }
            Switch::Arg { .. } | Switch::CargoFeature { .. } => {}
        }
    }

    fn values(&mut self, path: &str, flag: &Flag) {
        let at = |key: &str| format!("{path}.{key}");
        let (verify, on) = (flag.verify.as_ref().map(|verify| verify.contains.as_str()), written(&flag.switch));
        if flag.values.is_empty() {
            if self.spans.has(&at("values")) {
                self.error(&at("values"), "a flag with values needs at least two", "values = [\"off\", \"lru\"]");
            }
            if on.iter().any(|text| Flag::names_value(text)) {
                self.error(&at("on"), "{{value}} stands for nothing here", "give the flag values = [\"off\", \"lru\"]");
            }
            return;
        }
        if flag.values.len() == 1 {
            self.error(&at("values"), "a flag with values needs at least two", "the first is that of production");
        }
        for (position, value) in flag.values.iter().enumerate() {
            self.file_name(&at("values"), value);
            if flag.values[..position].contains(value) {
                self.error(&at("values"), format!("\"{value}\" stands twice"), "");
            }
        }
        for key in ["off", "default"] {
            if self.spans.has(&at(key)) {
                let help = "the first of \"values\" is that of production, and \"on\" writes every value";
                self.error(&at(key), format!("\"{key}\" has no meaning beside \"values\""), help);
            }
        }
        if !on.iter().any(|text| Flag::names_value(text)) {
            self.error(
                &at("on"),
                "{{value}} does not stand in \"on\": every value would be the same",
                "on = [\"--cache={{value}}\"]",
            );
        }
        if verify.is_some_and(|contains| !Flag::names_value(contains)) {
            let help = "contains = \"cache: {{value}}\"";
            self.error(
                &at("verify.contains"),
                "{{value}} does not stand in \"contains\": no value would be told from another",
                help,
            );
        }
    }

    pub(super) fn flag_exists(&mut self, path: &str, name: &str, names: &[&str]) {
        if !names.contains(&name) {
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("flags: {}", names.join(", ")),
            };
            self.error(path, format!("there is no flag \"{name}\""), help);
        }
    }

    pub(super) fn axes(&mut self, scenario: &Scenario) {
        self.distinct_names("axes", scenario.axes.iter().map(|axis| axis.name.as_str()));
        for (index, axis) in scenario.axes.iter().enumerate() {
            let at = |key: &str| format!("axes[{index}].{key}");
            self.file_name(&at("name"), &axis.name);
            if ["flags", "replicate"].contains(&axis.name.as_str()) {
                self.error(
                    &at("name"),
                    format!("an axis cannot be called \"{}\"", axis.name),
                    "rows of the plan use that name",
                );
            }
            if axis.values.is_empty() {
                self.error(&at("values"), "an axis needs at least one value", "");
            }
            for (position, value) in axis.values.iter().enumerate() {
                self.file_name(&at("values"), value);
                if axis.values[..position].contains(value) {
                    self.error(&at("values"), format!("\"{value}\" stands twice"), "");
                }
                if axis.kind == AxisKind::Allocator && value != "system" {
                    self.allocator_exists(&at("values"), value, scenario);
                }
            }
        }
        for (name, allocator) in &scenario.allocators {
            if !allocator.features.is_empty() && matches!(scenario.service.program, Program::Command(_)) {
                self.error(
                    &format!("allocators.{name}.features"),
                    "a command has no cargo features",
                    "tune its allocator with env",
                );
            }
        }
    }

    fn allocator_exists(&mut self, path: &str, name: &str, scenario: &Scenario) {
        if !scenario.allocators.contains_key(name) {
            let help = format!("add [allocators.{name}] with the cargo features that choose it, or use \"system\"");
            self.error(path, format!("nothing says how to have the allocator \"{name}\""), help);
        }
    }

    pub(super) fn row(&mut self, scenario: &Scenario, path: &str, row: &Row) {
        let members: Vec<String> = scenario.flags.iter().flat_map(Flag::members).collect();
        let names: Vec<&str> = members.iter().map(String::as_str).collect();
        row.flags.iter().for_each(|flag| self.flag_exists(&format!("{path}.flags"), flag, &names));
        for (name, value) in &row.axes {
            match scenario.axes.iter().find(|axis| &axis.name == name) {
                None => self.error(
                    &format!("{path}.{name}"),
                    format!("there is no axis \"{name}\""),
                    "a row has \"flags\" and names of axes",
                ),
                Some(axis) if !axis.values.contains(value) => {
                    let help = format!("its values: {}", axis.values.join(", "));
                    self.error(
                        &format!("{path}.{name}"),
                        format!("the axis \"{name}\" has no value \"{value}\""),
                        help,
                    );
                }
                Some(_) => {}
            }
        }
    }
}

/// What lists of flags may name: flags, and those with a value other than their first (`cache=lru`).
pub(super) fn known_flags(scenario: &Scenario) -> Vec<String> {
    let with_values = scenario.flags.iter().filter(|flag| !flag.values.is_empty());
    scenario.flags.iter().map(|flag| flag.name.clone()).chain(with_values.flat_map(Flag::members)).collect()
}

/// The texts that a flag with values writes its value into.
fn written(switch: &Switch) -> &[String] {
    match switch {
        Switch::Env { on, .. } => std::slice::from_ref(on),
        Switch::Arg { on, .. } => on,
        Switch::CargoFeature { .. } => &[],
    }
}
