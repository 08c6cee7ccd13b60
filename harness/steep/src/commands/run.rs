//! `steep run`: builds the service, soaks every cell, judges and reports.

use anyhow::bail;

use super::campaign::{Campaign, Planned, Refused, tell_left_out};
use super::live_view::listen;
use super::night;
use super::scenario_file::{LoadedScenario, load};
use crate::cli::RunOptions;
use crate::shell::store::RunRecord;
use steep_core::exit::Status;
use steep_core::plan::Plan;
use steep_judge::ids::CellId;

/// Runs the scenario.
#[must_use]
pub fn run(options: &RunOptions) -> Status {
    let Some(mut loaded) = load(&options.scenario) else { return Status::Usage };
    if let Some(until) = options.until {
        return night::run(&loaded, options, until);
    }
    if let Err(error) = shorten(&mut loaded, options) {
        return Refused::usage(error).said();
    }
    let begun = || {
        let place = listen(options.live, &loaded.scenario)?;
        let (campaign, chooser) = begun(&loaded, options)?;
        Ok((campaign.in_history().quietly(options.quiet).shown_at(place)?, chooser))
    };
    match begun() {
        Ok((campaign, chooser)) => campaign.carry_out(chooser, options.format),
        Err(refused) => Refused::said(refused),
    }
}

/// The campaign, and which cells it soaks.
pub(super) fn begun<'l>(loaded: &'l LoadedScenario, options: &RunOptions) -> Result<(Campaign<'l>, Planned), Refused> {
    if options.resume.is_none() {
        // No folder is made for a cell that cannot be.
        chosen_cells(loaded, &mut loaded.plan.clone(), &options.cells).map_err(Refused::usage)?;
    }
    let mut campaign = Campaign::open(loaded, &loaded.plan, options.out.as_deref(), options.resume.as_deref())?;
    let run = &mut campaign.so_far.run;
    // A run that is resumed may have been folded over.
    let before = (run.plan.cells.len(), run.asked.clone());
    let chosen = chosen_cells(loaded, &mut run.plan, &options.cells).map_err(Refused::usage)?;
    run.asked = asked(run, options, &chosen);
    if (run.plan.cells.len(), &run.asked) != (before.0, &before.1) {
        campaign.so_far.keep().map_err(Refused::not_done)?;
    }
    let chooser = if options.cells.is_empty() { Planned::all(chosen) } else { Planned::named(chosen) };
    Ok((campaign, chooser))
}

/// Leaves out of the plan what does not fit into the hours that are allowed, and says so.
fn shorten(loaded: &mut LoadedScenario, options: &RunOptions) -> Result<(), anyhow::Error> {
    let Some(hours) = options.max_hours else { return Ok(()) };
    loaded.plan = loaded.plan.clone().within(hours)?;
    tell_left_out(&loaded.plan);
    Ok(())
}

/// The cells that the run is to have: those that `--cell` named, now or when it was begun; empty where it was begun or
/// goes on with all.
fn asked(run: &RunRecord, options: &RunOptions, chosen: &[CellId]) -> Vec<CellId> {
    let is_of_all = options.resume.is_some() && run.asked.is_empty();
    if options.cells.is_empty() || is_of_all {
        return Vec::new();
    }
    let new = chosen.iter().filter(|id| !run.asked.contains(id));
    run.asked.iter().chain(new).cloned().collect()
}

/// The cells that `--cell` names, or all. One that no strategy planned is added to the plan.
fn chosen_cells(loaded: &LoadedScenario, plan: &mut Plan, names: &[String]) -> Result<Vec<CellId>, anyhow::Error> {
    let planned: Vec<CellId> = plan.cells.iter().map(|cell| cell.id.clone()).collect();
    let wanted: Vec<CellId> = names.iter().map(|name| CellId::parse(name)).collect();
    for id in wanted.iter().filter(|id| !planned.contains(id)) {
        if plan.append_named(&loaded.scenario, &loaded.features(), id).is_none() {
            let known: Vec<&str> = planned.iter().map(CellId::as_str).collect();
            bail!("the plan has no cell \"{id}\", and none of this name can be added; it has {}", known.join(", "));
        }
    }
    Ok(if wanted.is_empty() { planned } else { wanted })
}
