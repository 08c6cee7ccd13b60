//! Rows of a plan, which name flags and axes.

use super::Row;
use crate::problem::listed;
use crate::scenario::check::{Check, Names};
use crate::scenario::{Flag, Scenario};

impl Check<'_> {
    /// That rows name flags and axes that there are.
    pub(in crate::scenario) fn plan(&mut self, scenario: &Scenario) {
        let members: Vec<String> = scenario.flags.iter().flat_map(Flag::members).collect();
        let members = Names::of(members.iter().map(String::as_str));
        for (list, rows) in [("include", &scenario.plan.include), ("exclude", &scenario.plan.exclude)] {
            for (index, row) in rows.iter().enumerate() {
                self.row(scenario, &format!("plan.{list}[{index}]"), row, &members);
            }
        }
    }

    fn row(&mut self, scenario: &Scenario, path: &str, row: &Row, members: &Names<'_>) {
        row.flags.iter().for_each(|flag| self.flag_exists(&format!("{path}.flags"), flag, members));
        for (name, value) in &row.axes {
            match scenario.axes.iter().find(|axis| &axis.name == name) {
                None => self.error(
                    &format!("{path}.{name}"),
                    format!("there is no axis \"{name}\""),
                    "a row has \"flags\" and names of axes",
                ),
                Some(axis) if !axis.values.contains(value) => {
                    let help = format!("its values: {}", listed(axis.values.iter().map(String::as_str)));
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
