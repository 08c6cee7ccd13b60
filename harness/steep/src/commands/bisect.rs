//! `steep bisect`: soaks one cell after the other, each the one that tells most, until it is known which flags leak.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};

use super::campaign::{Campaign, Refused, Search};
use super::live_view::listen;
use super::output::{layout, print, status_of};
use super::scenario_file::{LoadedScenario, load};
use crate::cli::BisectOptions;
use steep_core::exit::Status;
use steep_core::plan::{Allowed, Plan};
use steep_core::report::{Layout, rehearsed};
use steep_core::scenario::Scenario;
use steep_core::search::{rehearsed_rules, too_many};
use steep_judge::bisect::Rehearsal;
use steep_judge::units::duration_text;

/// Searches for the flags of the scenario that leak.
#[must_use]
pub fn bisect(options: &BisectOptions) -> Status {
    let Some(loaded) = load(&options.scenario) else { return Status::Usage };
    let searched = budget(&loaded.scenario, options.max_hours).and_then(|budget| Ok((budget, allowed(&loaded)?)));
    let (budget, allowed) = match searched {
        Ok(searched) => searched,
        Err(error) => return Refused::usage(error).said(),
    };
    if let Some(trials) = options.plan_only {
        return status_of(rehearse(&loaded.scenario, &allowed, budget, trials, layout(options.format.wide)));
    }
    let begun = || {
        let place = listen(options.live, &loaded.scenario)?;
        let plan = Plan::of_search(&loaded.scenario);
        let campaign = Campaign::open(&loaded, &plan, options.out.as_deref(), options.resume.as_deref())?;
        campaign.searching(&loaded.scenario).quietly(options.quiet).shown_at(place)
    };
    match begun() {
        Ok(campaign) => campaign.carry_out(Search::new(loaded.features(), allowed, budget), options.format),
        Err(refused) => refused.said(),
    }
}

/// The time that the cells may take.
fn budget(scenario: &Scenario, hours: f64) -> Result<Duration, anyhow::Error> {
    if scenario.flags.is_empty() {
        bail!("the scenario has no flags to search among: describe them in [[flags]]");
    }
    let budget =
        Duration::try_from_secs_f64(hours * 3600.0).map_err(|_| anyhow!("--max-hours {hours} is not a time"))?;
    let each = scenario.soak_duration();
    if budget < each {
        bail!("--max-hours {hours} is less than one cell of {}: give more, or shorten the phases", duration_text(each));
    }
    Ok(budget)
}

/// What is searched among, unless that is nothing or too much.
fn allowed(loaded: &LoadedScenario) -> Result<Allowed, anyhow::Error> {
    let allowed = Allowed::of(&loaded.scenario, &loaded.features());
    let switches = allowed.switches().len();
    ensure!(
        switches > 0,
        "all flags are pinned, and nothing is left to search among: take some out of [constraints] pinned"
    );
    match too_many(switches) {
        Some(reason) => bail!(reason),
        None => Ok(allowed),
    }
}

/// Says what searches over simulated cells take.
fn rehearse(
    scenario: &Scenario,
    allowed: &Allowed,
    budget: Duration,
    trials: u32,
    layout: Layout,
) -> Result<Status, anyhow::Error> {
    let rehearsal = Rehearsal { flags: allowed.switches(), rules: rehearsed_rules(scenario), budget };
    let tallies = rehearsal.usual_cases(trials, |flags| allowed.allows(&allowed.whole(flags)));
    print(&rehearsed(&rehearsal, &tallies, layout), None)?;
    Ok(Status::Clean)
}
