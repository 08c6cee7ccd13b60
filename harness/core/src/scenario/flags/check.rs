//! What flags must hold: names, values, and switches that switch something.

use std::collections::{BTreeMap, BTreeSet};

use super::Flag;
use super::kinds::check_together;
use super::value::names_value;
use crate::problem::{listed, nearest};
use crate::scenario::check::{Check, Names};
use crate::scenario::{Program, Scenario, Verify};

/// Names of the run's folder, and the id of the cell in which all is as in production.
pub(crate) const RESERVED_FLAGS: [&str; 15] = [
    "baseline",
    "builds",
    "reruns",
    "attempts",
    "run.json",
    "run.lock",
    "report.json",
    "scenario.toml",
    "report.txt",
    "junit.xml",
    "report.md",
    "annotations.txt",
    "code-quality.json",
    "bencher.json",
    "openmetrics.txt",
];

impl Check<'_> {
    pub(in crate::scenario) fn flags(&mut self, scenario: &Scenario) {
        self.distinct_names("flags", scenario.flags.iter().map(|flag| flag.name.as_str()));
        let known = known_flags(scenario);
        let names = Names::of(known.iter().map(String::as_str));
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
            let kind = flag.switch.kind();
            kind.check(self, &format!("flags[{index}]"), flag);
            for (key, text) in kind.given() {
                // Written so, and nowhere else, the value takes its place.
                let more = (key == "on" && names_value(text)).then_some("value");
                self.switched_text(&at(key), text, scenario, more);
            }
            self.values(&format!("flags[{index}]"), flag);
            if let Some(verify) = &flag.verify {
                self.verify(&at("verify"), verify);
            }
            if let (Some(what), Program::Command(_)) = (kind.of_builds(), &scenario.service.program) {
                self.error(
                    &at("kind"),
                    format!("a command has no {what}"),
                    "use kind = \"env\" or \"arg\", or let steep build a package",
                );
            }
        }
        check_together(self, scenario);
    }

    fn values(&mut self, path: &str, flag: &Flag) {
        let at = |key: &str| format!("{path}.{key}");
        let (verify, on) = (flag.verify.as_ref().map(Verify::text), flag.switch.kind().written());
        if flag.values.is_empty() {
            if self.spans.has(&at("values")) {
                self.error(&at("values"), "a flag with values needs at least two", "values = [\"off\", \"lru\"]");
            }
            if on.iter().any(|text| names_value(text)) {
                self.error(&at("on"), "{{value}} stands for nothing here", "give the flag values = [\"off\", \"lru\"]");
            }
            return;
        }
        if flag.values.len() == 1 {
            self.error(&at("values"), "a flag with values needs at least two", "the first is that of production");
        }
        let mut before = BTreeSet::new();
        for value in &flag.values {
            self.file_name(&at("values"), value);
            if !before.insert(value) {
                self.error(&at("values"), format!("\"{value}\" stands twice"), "");
            }
        }
        for key in ["off", "default"] {
            if self.spans.has(&at(key)) {
                let help = "the first of \"values\" is that of production, and \"on\" writes every value";
                self.error(&at(key), format!("\"{key}\" has no meaning beside \"values\""), help);
            }
        }
        if !on.iter().any(|text| names_value(text)) {
            self.error(
                &at("on"),
                "{{value}} does not stand in \"on\": every value would be the same",
                "on = [\"--cache={{value}}\"]",
            );
        }
        if verify.is_some_and(|text| !names_value(text)) {
            let help = "contains = \"cache: {{value}}\"";
            self.error(
                &at("verify"),
                "{{value}} does not stand in what is looked for: no value would be distinguished from another",
                help,
            );
        }
    }

    pub(in crate::scenario) fn flag_exists(&mut self, path: &str, name: &str, names: &Names<'_>) {
        if !names.has(name) {
            let help = match nearest(name, names.all()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("flags: {}", listed(names.all())),
            };
            self.error(path, format!("there is no flag \"{name}\""), help);
        }
    }

    pub(in crate::scenario) fn groups(&mut self, scenario: &Scenario) {
        let mut defaults: BTreeMap<&String, BTreeSet<bool>> = BTreeMap::new();
        for flag in &scenario.flags {
            if let Some(group) = &flag.group {
                defaults.entry(group).or_default().insert(flag.default);
            }
        }
        for (index, flag) in scenario.flags.iter().enumerate() {
            let path = format!("flags[{index}].group");
            let Some(group) = &flag.group else { continue };
            if !flag.values.is_empty() {
                let help = "switch it alone, or give the others of its group no values";
                self.error(&path, format!("\"{}\" has values and cannot be of a group", flag.name), help);
            } else if defaults[group].len() > 1 {
                let message = format!("the flags of group \"{group}\" differ in \"default\"");
                self.error(&path, message, "they are switched together: all are on in production, or none");
            }
        }
    }
}

/// What lists of flags may name: flags, and those with a value other than their first (`cache=lru`).
pub(in crate::scenario) fn known_flags(scenario: &Scenario) -> Vec<String> {
    let with_values = scenario.flags.iter().filter(|flag| !flag.values.is_empty());
    scenario.flags.iter().map(|flag| flag.name.clone()).chain(with_values.flat_map(Flag::members)).collect()
}
