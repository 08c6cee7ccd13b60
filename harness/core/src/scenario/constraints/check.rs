//! What constraints between flags, and rules between axes and flags, must hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{listed, nearest};
use crate::scenario::Scenario;
use crate::scenario::check::{Check, Names};
use crate::scenario::flags::check::known_flags;

impl Check<'_> {
    pub(in crate::scenario) fn constraints(&mut self, scenario: &Scenario) {
        let known = known_flags(scenario);
        let names = Names::of(known.iter().map(String::as_str));
        let constraints = &scenario.constraints;
        for (key, lists) in [
            ("mutually_exclusive", &constraints.mutually_exclusive),
            ("at_least_one_of", &constraints.at_least_one_of),
            ("exactly_one_of", &constraints.exactly_one_of),
        ] {
            let path = format!("constraints.{key}");
            for list in lists {
                for name in list {
                    self.flag_exists(&path, name, &names);
                }
                if list.is_empty() {
                    self.error(&path, "a list names no flag", "[[\"tls-ring\", \"tls-aws-lc\"]]");
                }
                let mut before = BTreeSet::new();
                if let Some(twice) = list.iter().find(|name| !before.insert(*name)) {
                    self.error(&path, format!("\"{twice}\" stands twice in a list"), "");
                }
            }
        }
        for (name, values) in &constraints.pinned {
            self.levels("constraints.pinned", scenario, name, values);
            if values.len() != 1 {
                let help = format!("pinned = {{ {name} = {:?} }}", values.first().map_or("true", String::as_str));
                self.error("constraints.pinned", format!("\"{name}\" must be pinned to one value"), help);
            }
        }
    }

    pub(in crate::scenario) fn rules(&mut self, scenario: &Scenario) {
        for (index, rule) in scenario.rules.iter().enumerate() {
            for (key, conditions) in [("when", &rule.when), ("then", &rule.then)] {
                self.conditions(&format!("rules[{index}].{key}"), scenario, conditions);
            }
        }
    }

    fn conditions(&mut self, path: &str, scenario: &Scenario, conditions: &BTreeMap<String, Vec<String>>) {
        if conditions.is_empty() && self.spans.has(path) {
            self.error(path, "the rule says nothing here", "{ allocator = \"jemalloc\" }");
        }
        for (name, values) in conditions {
            let axis = scenario.axes.iter().find(|axis| &axis.name == name);
            let is_flag = scenario.flags.iter().any(|flag| &flag.name == name);
            match axis {
                Some(_) if is_flag => {
                    let message = format!("\"{name}\" is an axis and a flag: which is meant?");
                    self.error(path, message, "give one of them another name");
                }
                Some(axis) => self.one_of(path, name, values, &axis.values),
                None if is_flag => self.levels(path, scenario, name, values),
                None => {
                    let axes = scenario.axes.iter().map(|axis| axis.name.as_str());
                    let known = axes.chain(scenario.flags.iter().map(|flag| flag.name.as_str()));
                    let help = match nearest(name, known.clone()) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("axes and flags: {}", listed(known)),
                    };
                    self.error(path, format!("there is no axis or flag \"{name}\""), help);
                }
            }
        }
    }

    /// That the flag `name` exists and may be each of `values`.
    fn levels(&mut self, path: &str, scenario: &Scenario, name: &str, values: &[String]) {
        if let Some(flag) = scenario.flags.iter().find(|flag| flag.name == name) {
            let levels: Vec<String> = flag.levels().into_iter().map(str::to_owned).collect();
            self.one_of(path, name, values, &levels);
        } else {
            let names = Names::of(scenario.flags.iter().map(|flag| flag.name.as_str()));
            self.flag_exists(path, name, &names);
        }
    }

    fn one_of(&mut self, path: &str, name: &str, values: &[String], known: &[String]) {
        let help = format!("its values: {}", listed(known.iter().map(String::as_str)));
        if values.is_empty() {
            self.error(path, format!("\"{name}\" may be nothing here"), help.clone());
        }
        let is_known: BTreeSet<&String> = known.iter().collect();
        for value in values.iter().filter(|value| !is_known.contains(value)) {
            let help = help.clone();
            self.error(path, format!("\"{name}\" has no value \"{value}\""), help);
        }
    }
}
