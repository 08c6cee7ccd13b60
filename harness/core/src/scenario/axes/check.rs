//! Axes: that they have values, which the service can be given and which can stand in ids.

use std::collections::{BTreeMap, BTreeSet};

use super::AxisKind;
use crate::scenario::check::{Check, LONGEST_NAME};
use crate::scenario::{Program, SYSTEM, Scenario};
use steep_judge::ids::in_id;

impl Check<'_> {
    pub(in crate::scenario) fn axes(&mut self, scenario: &Scenario) {
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
            if axis.kind == AxisKind::CargoFeature && matches!(scenario.service.program, Program::Command(_)) {
                let help = "use kind = \"env\" or \"arg\", or let steep build a package";
                self.error(&at("kind"), "a command has no cargo features", help);
            }
            if axis.kind == AxisKind::Revision {
                self.revisions(&at("kind"), index, scenario);
            }
            if let AxisKind::Arg { arg } = &axis.kind
                && arg.is_empty()
            {
                self.error(&at("arg"), "\"arg\" is empty", "arg = \"--workers\"");
            }
            if axis.values.is_empty() {
                self.error(&at("values"), "an axis needs at least one value", "");
            }
            let (mut before, mut in_ids) = (BTreeSet::new(), BTreeMap::new());
            for value in &axis.values {
                if matches!(axis.kind, AxisKind::Env { .. } | AxisKind::Arg { .. }) {
                    self.axis_text(&at("values"), value, &mut in_ids);
                    self.switched_text(&at("values"), value, scenario, None);
                } else {
                    self.file_name(&at("values"), value);
                }
                if !before.insert(value) {
                    self.error(&at("values"), format!("\"{value}\" stands twice"), "");
                }
                if axis.kind == AxisKind::Allocator && value != SYSTEM {
                    self.allocator_exists(&at("values"), value, scenario);
                }
            }
        }
    }

    /// A value that the service is given as it is, while ids have it without what a folder's name cannot have.
    fn axis_text<'v>(&mut self, path: &str, value: &'v str, before: &mut BTreeMap<String, &'v str>) {
        if value.is_empty() || value.len() > LONGEST_NAME || value.contains(char::is_control) {
            let help = format!("at most {LONGEST_NAME} bytes, at least one, and all in a line");
            self.error(path, format!("{value:?} cannot be a value of an axis"), help);
        }
        let other = *before.entry(in_id(value)).or_insert(value);
        if other != value {
            let message = format!("{other:?} and {value:?} would both be \"{}\" in the ids of cells", in_id(value));
            self.error(path, message, "let them differ in a letter or a digit too");
        }
    }

    fn revisions(&mut self, path: &str, index: usize, scenario: &Scenario) {
        if matches!(scenario.service.program, Program::Command(_)) {
            let help = "let steep build a package: it is built from each revision";
            self.error(path, "a command has no revisions", help);
        }
        if scenario.axes[..index].iter().any(|other| other.kind == AxisKind::Revision) {
            self.error(path, "there are two axes of revisions", "a build has one revision: put all into one axis");
        }
    }
}
