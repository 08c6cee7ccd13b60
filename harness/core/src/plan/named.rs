//! From the id of a cell to the cell: what a user asks for by its name, beyond what a strategy planned.

use std::collections::BTreeMap;

use super::{Allowed, Cell, Plan, cell_id, usual_axes};
use crate::scenario::package::Features;
use crate::scenario::{Flag, Scenario};
use steep_judge::ids::{CellId, FlagSet};

/// What an id says.
struct Named {
    flags: FlagSet,
    axes: BTreeMap<String, String>,
    replicate: u32,
}

impl Plan {
    /// Appends the cell that `id` names, if `scenario` knows its flags and values and its constraints allow it. The
    /// hash stays that of the plan before.
    pub fn append_named(&mut self, scenario: &Scenario, features: &Features, id: &CellId) -> Option<Cell> {
        let Named { flags, axes, replicate } = Named::of(scenario, id)?;
        let is_allowed = axes == usual_axes(scenario) && Allowed::of(scenario, features).allows(&flags);
        // Under other values of the axes the constraints are those of the plan's own cells.
        let is_planned = self.cells.iter().any(|cell| cell.flags == flags && cell.axes == axes);
        let next = 1 + self.cells.iter().filter(|cell| cell.flags == flags && cell.axes == axes).count() as u32;
        ((is_allowed || is_planned) && replicate == next).then(|| self.append(scenario, features, &flags, &axes))
    }
}

impl Named {
    fn of(scenario: &Scenario, id: &CellId) -> Option<Self> {
        let (rest, replicate) =
            id.as_str().rsplit_once('#').map_or((id.as_str(), "1"), |(rest, number)| (rest, number));
        let replicate = replicate.parse().ok()?;
        let (names, values) = rest.split_once('@').unwrap_or((rest, ""));
        let in_production = scenario.flags.iter().filter(|flag| flag.default).flat_map(Flag::members);
        let production: FlagSet = in_production.collect();
        let differing = |flags: FlagSet, name: &str| match name {
            "baseline" => flags,
            name => match name.strip_prefix("not-").filter(|flag| production.contains(flag)) {
                Some(flag) => flags.without(flag),
                None => flags.with(name),
            },
        };
        let flags = names.split('+').fold(production.clone(), differing);
        let axes =
            values.split('@').filter(|value| !value.is_empty()).try_fold(usual_axes(scenario), |axes, value| {
                let mut with = scenario.axes.iter().flat_map(|axis| axis.values.iter().map(move |each| (axis, each)));
                let (axis, value) = with.find(|(axis, each)| {
                    let alone = BTreeMap::from([(axis.name.clone(), (*each).clone())]);
                    cell_id(scenario, &production, &alone, 1).as_str() == format!("baseline@{value}")
                })?;
                let mut axes = axes;
                axes.insert(axis.name.clone(), value.clone());
                Some(axes)
            })?;
        // Names that the scenario does not know, and the order of values, show in the id that comes of them.
        (cell_id(scenario, &flags, &axes, replicate) == *id).then_some(Self { flags, axes, replicate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::decode::decode;
    use crate::testing::sound;

    /// What follows the sound scenario.
    const FACTORS: &str = r#"
[[flags]]
name = "tls"
kind = "env"
var = "TLS"
default = true
[[flags]]
name = "cache"
kind = "env"
var = "CACHE"
conflicts_with = ["sessions"]
[[flags]]
name = "sessions"
kind = "env"
var = "SESSIONS"
[[axes]]
name = "arenas"
kind = "env"
var = "MALLOC_ARENA_MAX"
values = ["8", "1"]
[plan]
strategy = "each"
"#;

    #[test]
    fn a_cell_that_no_strategy_planned_is_appended_by_its_name() {
        let decoded = decode(&sound("20m", FACTORS));
        let scenario = decoded.scenario.unwrap_or_else(|| panic!("{:?}", decoded.problems));
        let features = Features::default();
        let mut plan = Plan::of_search(&scenario);
        let hash = plan.hash.clone();
        let mut append = |id: &str| plan.append_named(&scenario, &features, &CellId::parse(id)).map(|cell| cell.id);
        for id in ["baseline", "cache", "not-tls+sessions", "cache#2", "not-tls"] {
            assert_eq!(append(id), Some(CellId::parse(id)), "{id}");
        }
        // A flag that is not there, two that conflict, a repetition too far, a value that is not there, one that is
        // production's.
        for id in ["cach", "cache+sessions", "cache#4", "cache@arenas=2", "cache@arenas=8", "tls", "cache#x", ""] {
            assert_eq!(append(id), None, "{id}");
        }
        assert_eq!(plan.hash, hash);
        assert_eq!(plan.cells[2].flags, ["sessions"].into_iter().collect());
    }
}
