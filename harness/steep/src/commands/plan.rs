//! `steep plan`: what a run would soak.

use super::night::{Choice, outline};
use super::output::{json, layout, printed, tell};
use super::scenario_file::{LoadedScenario, load};
use crate::cli::{PlanFormat, PlanOptions};
use steep_core::exit::Status;
use steep_core::night::Until;
use steep_core::report::{outline_text, plan_table};

/// Prints the plan of a scenario, or what of it fits into `max_hours`, or what a night would be that lasts `until`
/// then.
#[must_use]
pub fn plan(options: PlanOptions) -> Status {
    let PlanOptions { scenario, format, wide, max_hours, until } = options;
    let Some(loaded) = load(&scenario) else { return Status::Usage };
    if let Some(until) = until {
        return plan_night(&loaded, format, wide, until);
    }
    let plan = match max_hours.map_or(Ok(loaded.plan.clone()), |hours| loaded.plan.within(hours)) {
        Ok(plan) => plan,
        Err(too_long) => {
            tell(&format!("error: {too_long}"));
            return Status::Usage;
        }
    };
    let text = match format {
        PlanFormat::Table => {
            Ok(format!("{}{}\n", plan_table(&plan, layout(wide)), loaded.scenario.sampling_in_words()))
        }
        PlanFormat::Json => json(&plan),
    };
    printed(text, Status::Clean)
}

fn plan_night(loaded: &LoadedScenario, format: PlanFormat, wide: bool, until: Until) -> Status {
    let outline = Choice::of(loaded).and_then(|choice| Ok(outline(loaded, &choice.night(loaded), until)?.1));
    let outline = match outline {
        Ok(outline) => outline,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            return Status::Usage;
        }
    };
    let text = match format {
        PlanFormat::Table => Ok(outline_text(&outline, layout(wide))),
        PlanFormat::Json => json(&outline),
    };
    printed(text, Status::Clean)
}
