//! `steep plan`: what a run would soak.

use std::path::Path;
use std::time::Duration;

use super::load::load;
use super::output::{json, print, status_of, tell};
use crate::cli::PlanFormat;
use crate::exit::Status;
use crate::report::plan_table;

/// Prints the plan of the scenario at `path`, or what of it fits into `max_hours`.
#[must_use]
pub fn plan(path: &Path, format: PlanFormat, max_hours: Option<Duration>) -> Status {
    let Some(loaded) = load(path) else { return Status::Usage };
    let plan = match max_hours.map_or(Ok(loaded.plan.clone()), |hours| loaded.plan.within(hours)) {
        Ok(plan) => plan,
        Err(too_long) => {
            tell(&format!("error: {too_long}"));
            return Status::Usage;
        }
    };
    let text = match format {
        PlanFormat::Table => Ok(plan_table(&plan)),
        PlanFormat::Json => json(&plan),
    };
    status_of(text.and_then(|text| print(&text, None)).map(|()| Status::Clean))
}
