//! What a cell of a scenario is called, and which revisions lie behind it.

use std::collections::BTreeMap;

use crate::scenario::{AxisKind, Scenario};
use steep_judge::ids::{CellId, FlagSet, History, in_id};

/// Before a flag that is on in production and off in the cell.
const NOT: &str = "not-";

/// The id of the cell with these `flags` on, these `axes`, and this `replicate` (from 1). It names only what differs
/// from production.
#[must_use]
pub fn cell_id(scenario: &Scenario, flags: &FlagSet, axes: &BTreeMap<String, String>, replicate: u32) -> CellId {
    let differing = scenario.flags.iter().flat_map(|flag| {
        flag.members()
            .into_iter()
            .filter(move |member| flags.contains(member) != flag.default)
            .map(|member| if flag.default { format!("{NOT}{member}") } else { member })
    });
    let differing_axis = |name: &String, value: &String| {
        let axis = scenario.axes.iter().find(|axis| &axis.name == name)?;
        (axis.values.first() != Some(value)).then(|| match axis.kind {
            AxisKind::Allocator => format!("@{value}"),
            AxisKind::Env { .. } | AxisKind::Arg { .. } | AxisKind::CargoFeature | AxisKind::Revision => {
                format!("@{name}={}", in_id(value))
            }
        })
    };
    let axes = axes.iter().filter_map(|(name, value)| differing_axis(name, value));
    CellId::of(differing.collect(), axes, replicate)
}

/// The revisions that the cell of `scenario` with these `axes` has grown out of; none: there is no axis of revisions.
#[must_use]
pub fn history(scenario: &Scenario, axes: &BTreeMap<String, String>) -> Option<History> {
    let axis = scenario.axes.iter().find(|axis| axis.kind == AxisKind::Revision)?;
    let own = axis.values.iter().position(|value| axes.get(&axis.name) == Some(value))?;
    Some(History { axis: axis.name.clone(), until: axis.values[..=own].to_vec() })
}
