//! The cell that differs from another in its allocator alone, which is the system's.

use std::collections::BTreeMap;

use super::{Builds, Cell, Plan, allocator_of, build_of, cell_id};
use crate::scenario::package::Features;
use crate::scenario::{AxisKind, SYSTEM, Scenario};

/// What a cell with these `axes` has in place of the system's allocator, and the same axes with that; none where it has
/// the system's, or the allocator is not an axis.
#[must_use]
pub fn with_system<'s>(
    scenario: &'s Scenario,
    axes: &BTreeMap<String, String>,
) -> Option<(&'s str, BTreeMap<String, String>)> {
    let (allocator, _) = allocator_of(scenario, axes)?;
    let axis = scenario.axes.iter().find(|axis| axis.kind == AxisKind::Allocator)?;
    let mut axes = axes.clone();
    axes.insert(axis.name.clone(), SYSTEM.to_owned());
    Some((allocator, axes))
}

impl Plan {
    /// The cell with the flags of `cell` and the system's allocator, which is soaked beside the plan: its build is
    /// among those of the plan from now on, itself is not among the cells. None where `cell` has that allocator.
    pub fn beside_with_system(&mut self, scenario: &Scenario, features: &Features, cell: &Cell) -> Option<Cell> {
        let (_, axes) = with_system(scenario, &cell.axes)?;
        let mut builds = Builds::of(scenario, features);
        builds.distinct = std::mem::take(&mut self.builds);
        let build = build_of(scenario, &cell.flags, &axes).map(|build| builds.index_of(build));
        self.builds = builds.distinct;
        let id = cell_id(scenario, &cell.flags, &axes, 1);
        Some(Cell { id, axes, replicate: 1, build, duration: None, ..cell.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::problem::Spans;
    use crate::testing::{decoded, sound};

    #[test]
    fn a_cell_has_the_same_flags_with_the_allocator_of_the_system_and_the_plan_has_no_more_cells() {
        let more = r#"
[[flags]]
name = "sessions"
kind = "cargo-feature"
feature = "sessions"
[[axes]]
name = "allocator"
kind = "allocator"
values = ["snmalloc"]
[allocators.snmalloc]
features = ["snmalloc"]
"#;
        let scenario = decoded(&sound("5m", more).replace("command = [\"shop\"]", "package = \"shop\""));
        let features = Features::default();
        let mut plan = plan(&scenario, &features, &Spans::default()).expect("a plan");
        let (cells, builds) = (plan.cells.clone(), plan.builds.len());
        let cell = cells.iter().find(|cell| !cell.flags.is_empty()).expect("the cell of the flag");
        let beside = plan.beside_with_system(&scenario, &features, cell).expect("another allocator");
        assert_eq!(beside.id.as_str(), "sessions@system");
        assert_eq!((&beside.flags, beside.axes["allocator"].as_str()), (&cell.flags, "system"));
        assert_eq!((&plan.cells, plan.builds.len()), (&cells, builds + 1));
        let build = &plan.builds[beside.build.expect("a build")];
        assert!(build.features.contains("sessions") && !build.features.contains("snmalloc"), "{build:?}");
        assert_eq!(plan.beside_with_system(&scenario, &features, cell), Some(beside.clone()), "the build is known");
        assert_eq!(plan.builds.len(), builds + 1);
        assert_eq!(plan.beside_with_system(&scenario, &features, &beside), None);
    }
}
