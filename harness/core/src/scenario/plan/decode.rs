//! The table of the plan.

use super::{Foldover, PlanRules, Row, Strategy};
use crate::scenario::read::{Reader, Section};

pub(in crate::scenario) fn plan(reader: &mut Reader, top: &Section<'_>) -> PlanRules {
    let section = &reader.table(top, "plan");
    PlanRules {
        strategy: reader.choice(section, "strategy").unwrap_or(Strategy::Off),
        strength: reader.whole(section, "strength"),
        foldover: reader.choice(section, "foldover").unwrap_or(Foldover::Never),
        // The list of keys bounds it to 1000.
        replicates: reader.integer(section, "replicates").unwrap_or(1) as u32,
        max_cells: reader.whole(section, "max_cells"),
        // The list of keys bounds it to 3.
        retries: reader.integer(section, "retries").unwrap_or(1) as u32,
        include: reader.list(section, "include", row),
        exclude: reader.list(section, "exclude", row),
    }
}

fn row(reader: &mut Reader, section: &Section<'_>) -> Row {
    let chosen = reader.chosen_names(section);
    let axes = chosen.into_iter().filter_map(|axis| reader.text(section, &axis).map(|value| (axis, value))).collect();
    Row { flags: reader.texts(section, "flags").unwrap_or_default(), axes }
}
