//! `steep plan`: what a run would soak.

use std::path::Path;

use super::load::load;
use super::output::{json, print, status_of};
use crate::cli::PlanFormat;
use crate::exit::Status;
use crate::report::plan_table;

/// Prints the plan of the scenario at `path`.
#[must_use]
pub fn plan(path: &Path, format: PlanFormat) -> Status {
    let Some(loaded) = load(path) else { return Status::Usage };
    let text = match format {
        PlanFormat::Table => Ok(plan_table(&loaded.plan)),
        PlanFormat::Json => json(&loaded.plan),
    };
    status_of(text.and_then(|text| print(&text, None)).map(|()| Status::Clean))
}
