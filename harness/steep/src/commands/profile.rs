//! `steep profile`: soaks one cell with finely sampled stacks, and says which lines its memory comes from.

use super::campaign::Refused;
use super::run::begun;
use super::scenario_file::load;
use crate::cli::{ProfileOptions, RunOptions};
use steep_core::exit::Status;
use steep_core::scenario::{LiveChoice, Scenario};
use steep_judge::units::Bytes;

/// The cell in which no flag and no axis differs from production.
const BASELINE: &str = "baseline";

/// Bytes between two samples, where the memory limit does not ask for more.
const FINE: u64 = 16 << 10;

/// Samples that a service may have alive at its limit: half of what the table of samples holds, beyond which some find
/// no room.
const ALIVE_AT_LIMIT: u64 = 1 << 15;

/// Profiles a cell of the scenario.
#[must_use]
pub fn profile(options: &ProfileOptions) -> Status {
    let Some(mut loaded) = load(&options.scenario) else { return Status::Usage };
    loaded.scenario.service.live = LiveChoice::Preload;
    loaded.scenario = loaded.scenario.coded_where_possible();
    let sample_every = options.sample.unwrap_or_else(|| sample_every(&loaded.scenario));
    let as_run = RunOptions {
        scenario: options.scenario.clone(),
        out: options.out.clone(),
        cells: vec![options.cell.clone().unwrap_or_else(|| BASELINE.to_owned())],
        max_hours: None,
        until: None,
        resume: None,
        quiet: options.quiet,
        format: options.format,
    };
    match begun(&loaded, &as_run).map_err(Refused::said) {
        Ok((campaign, chooser)) => {
            campaign.profiling(sample_every).quietly(options.quiet).carry_out(chooser, options.format)
        }
        Err(status) => status,
    }
}

/// As finely as is sure to find room for all samples.
fn sample_every(scenario: &Scenario) -> u64 {
    let limit = scenario.service.memory_limit_bytes.map_or(0, Bytes::get);
    FINE.max(limit / ALIVE_AT_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use steep_core::testing::{decoded, sound};

    #[test]
    fn a_service_with_a_large_limit_is_sampled_more_coarsely() {
        let mut scenario = decoded(&sound("1m", ""));
        scenario.service.memory_limit_bytes = None;
        assert_eq!(sample_every(&scenario), 16 << 10);
        scenario.service.memory_limit_bytes = Some(Bytes::new(512 << 20));
        assert_eq!(sample_every(&scenario), 16 << 10);
        scenario.service.memory_limit_bytes = Some(Bytes::new(8 << 30));
        assert_eq!(sample_every(&scenario), 256 << 10);
    }
}
