//! A plan for people.

use super::table::columns;
use crate::plan::Plan;
use crate::units::{counted, in_words};

/// What starting, readiness and stopping add to a cell, roughly: measured at two to three seconds for the sample service.
const OVERHEAD_SECONDS: u64 = 3;

/// The cells in their order, the builds, the hours, and what was dropped.
#[must_use]
pub fn plan_table(plan: &Plan) -> String {
    let mut rows = vec![["", "cell", "flags on", "build"].map(str::to_owned).to_vec()];
    for (index, cell) in plan.cells.iter().enumerate() {
        let build = cell.build.map_or_else(|| "–".to_owned(), |build| plan.builds[build].label());
        rows.push(vec![(index + 1).to_string(), cell.id.to_string(), cell.flags.to_string(), build]);
    }
    let mut text = columns(&rows);
    let overhead = std::time::Duration::from_secs(OVERHEAD_SECONDS);
    let total = (plan.cell_duration + overhead) * u32::try_from(plan.cells.len()).unwrap_or(u32::MAX);
    let hours = total.as_secs_f64() / 3600.0;
    text.push_str(&format!(
        "\n{} of {}: {} ({hours:.2} machine-hours), and {}\n",
        counted(plan.cells.len(), "cell"),
        in_words(plan.cell_duration),
        in_words(total),
        counted(plan.builds.len(), "build")
    ));
    for dropped in &plan.dropped {
        text.push_str(&format!("dropped: {} ({})\n", dropped.flags, dropped.reason));
    }
    text
}
