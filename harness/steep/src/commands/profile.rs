//! `steep profile`: soaks one cell with finely sampled stacks, and says which lines its memory comes from.

use std::collections::BTreeMap;

use super::campaign::Refused;
use super::run::begun;
use super::scenario_file::load;
use crate::cli::{ProfileOptions, RunOptions};
use steep_core::exit::Status;
use steep_core::kept::{finely, profiled_by};
use steep_core::scenario::{LiveChoice, Scenario};

/// The cell in which no flag and no axis differs from production.
const BASELINE: &str = "baseline";

/// Whether the service's own jemalloc is asked for heap profiles, in some cell: then the library need not be there.
fn profiles_itself(scenario: &Scenario) -> bool {
    let of_service = scenario.service.env.iter().map(|(name, value)| (name.clone(), Some(value.to_string())));
    let of_allocators = scenario.allocators.values().map(|allocator| {
        allocator.env.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect::<BTreeMap<_, _>>()
    });
    std::iter::once(of_service.collect()).chain(of_allocators).any(|env| profiled_by(&env).is_some())
}

/// Profiles a cell of the scenario.
#[must_use]
pub fn profile(options: &ProfileOptions) -> Status {
    let Some(mut loaded) = load(&options.scenario) else { return Status::Usage };
    if !profiles_itself(&loaded.scenario) {
        loaded.scenario.service.live = LiveChoice::Preload;
    }
    loaded.scenario = loaded.scenario.coded_where_possible();
    let sample_every = options.sample.unwrap_or_else(|| finely(loaded.scenario.service.memory_limit_bytes));
    let as_run = RunOptions {
        scenario: options.scenario.clone(),
        out: options.out.clone(),
        cells: vec![options.cell.clone().unwrap_or_else(|| BASELINE.to_owned())],
        max_hours: None,
        until: None,
        resume: None,
        quiet: options.quiet,
        live: None,
        format: options.format,
    };
    match begun(&loaded, &as_run).map_err(Refused::said) {
        Ok((campaign, chooser)) => {
            campaign.profiling(sample_every).quietly(options.quiet).carry_out(chooser, options.format)
        }
        Err(status) => status,
    }
}
