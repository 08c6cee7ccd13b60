//! `steep run --until`: soaks until a moment, each cell chosen by what the ones before it told.

use std::time::Duration;

use anyhow::{anyhow, bail};
use jiff::Zoned;

use super::campaign::{Campaign, NightWatch, Refused, moment};
use super::live_view::listen;
use super::scenario_file::LoadedScenario;
use crate::cli::RunOptions;
use crate::shell::clock::local_clock;
use steep_core::exit::Status;
use steep_core::night::{Night, Outline, Until, left};
use steep_core::plan::{Allowed, Plan};
use steep_core::scenario::Program;
use steep_core::scenario::package::Features;
use steep_core::search::too_many;
use steep_judge::ids::CellId;

/// What a night chooses from.
pub(super) struct Choice {
    features: Features,
    allowed: Allowed,
}

impl Choice {
    /// What there is to choose from, unless there is too much.
    pub(super) fn of(loaded: &LoadedScenario) -> Result<Self, anyhow::Error> {
        let features = loaded.features();
        let allowed = Allowed::of(&loaded.scenario, &features);
        match too_many(allowed.switches().len()) {
            Some(reason) => bail!(reason),
            None => Ok(Self { features, allowed }),
        }
    }

    pub(super) fn night<'s>(&'s self, loaded: &'s LoadedScenario) -> Night<'s> {
        Night::new(&loaded.scenario, &self.allowed, &loaded.plan.cells)
    }
}

/// The end of a night that lasts `until`, and what fits into it.
pub(super) fn outline(
    loaded: &LoadedScenario,
    night: &Night<'_>,
    until: Until,
) -> Result<(Zoned, Outline), anyhow::Error> {
    let now = local_clock();
    let end = until.after(&now).map_err(|over| anyhow!(over))?;
    let planned: Vec<CellId> = loaded.plan.cells.iter().map(|cell| cell.id.clone()).collect();
    let has_builds = matches!(loaded.scenario.service.program, Program::Package(_));
    let outline = night.outline(moment(&end), left(&now, &end), has_builds, &planned).map_err(|too_short| {
        // The next whole minute.
        let enough = &now + too_short.enough() + Duration::from_mins(1);
        anyhow!(
            "--until {until}: {too_short}; give {} or later, or shorten the phases",
            enough.strftime("%Y-%m-%dT%H:%M")
        )
    })?;
    Ok((end, outline))
}

/// Runs the scenario until then.
pub(super) fn run(loaded: &LoadedScenario, options: &RunOptions, until: Until) -> Status {
    let choice = match Choice::of(loaded) {
        Ok(choice) => choice,
        Err(error) => return Refused::usage(error).said(),
    };
    let begun = || {
        let place = listen(options.live, &loaded.scenario)?;
        let (campaign, watch) = begun(loaded, &choice, options, until)?;
        Ok((campaign.in_history().quietly(options.quiet).shown_at(place)?, watch))
    };
    match begun() {
        Ok((campaign, watch)) => campaign.carry_out(watch, options.format),
        Err(refused) => Refused::said(refused),
    }
}

fn begun<'l>(
    loaded: &'l LoadedScenario,
    choice: &'l Choice,
    options: &RunOptions,
    until: Until,
) -> Result<(Campaign<'l>, NightWatch<'l>), Refused> {
    let night = choice.night(loaded);
    let (end, outline) = outline(loaded, &night, until).map_err(Refused::usage)?;
    let plan = Plan::of_night(&loaded.scenario, &loaded.plan, moment(&end));
    let mut campaign = Campaign::open(loaded, &plan, options.out.as_deref(), options.resume.as_deref())?;
    // A night that goes on lasts until another moment.
    campaign.so_far.run.plan.overnight = plan.overnight;
    campaign.so_far.keep().map_err(Refused::not_done)?;
    let switches = choice.allowed.switches();
    Ok((campaign, NightWatch { features: &choice.features, switches, night, end, outline }))
}
