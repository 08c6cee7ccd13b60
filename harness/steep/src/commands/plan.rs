//! `steep plan`: what a run would soak.

use std::path::Path;
use std::time::Duration;

use super::night::{Choice, outline};
use super::output::{json, printed, tell};
use super::scenario_file::{LoadedScenario, load};
use crate::cli::PlanFormat;
use steep_core::exit::Status;
use steep_core::night::Until;
use steep_core::report::{outline_text, plan_table};

/// Prints the plan of the scenario at `path`, or what of it fits into `max_hours`, or what a night would be that lasts
/// `until` then.
#[must_use]
pub fn plan(path: &Path, format: PlanFormat, max_hours: Option<Duration>, until: Option<Until>) -> Status {
    let Some(loaded) = load(path) else { return Status::Usage };
    if let Some(until) = until {
        return plan_night(&loaded, format, until);
    }
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
    printed(text, Status::Clean)
}

fn plan_night(loaded: &LoadedScenario, format: PlanFormat, until: Until) -> Status {
    let outline = Choice::of(loaded).and_then(|choice| Ok(outline(loaded, &choice.night(loaded), until)?.1));
    let outline = match outline {
        Ok(outline) => outline,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            return Status::Usage;
        }
    };
    let text = match format {
        PlanFormat::Table => Ok(outline_text(&outline)),
        PlanFormat::Json => json(&outline),
    };
    printed(text, Status::Clean)
}
