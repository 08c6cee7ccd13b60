//! The first line of a simulated trace.

use std::collections::BTreeMap;

use crate::plan::cell_id;
use crate::scenario::{Model, Scenario};
use crate::trace::{ExternalLoad, FORMAT, Header, PhaseSpan, Provenance};
use steep_judge::ids::FlagSet;
use steep_judge::units::Seed;

/// That of a soak of `scenario` with no flag on.
pub(super) fn header(scenario: &Scenario, phases: Vec<PhaseSpan>) -> Header {
    let flags = FlagSet::default();
    Header {
        format: FORMAT.to_owned(),
        scenario: scenario.name.clone(),
        cell: cell_id(scenario, &flags, &BTreeMap::new(), 1),
        flags,
        known_flags: Vec::new(),
        unverified_flags: Vec::new(),
        unverified_allocator: None,
        history: None,
        certificate_unchecked: false,
        axes: BTreeMap::new(),
        added_env: BTreeMap::new(),
        replicate: 1,
        attempt: 1,
        repeated: None,
        seed: Seed(scenario.seed.0),
        plan_hash: String::new(),
        schedule_hash: String::new(),
        begun: String::new(),
        phases,
        flow_of_steps: scenario.flow_of_steps(),
        sampling_every_s: scenario.sampling.every.as_secs_f64(),
        judge: scenario.judge.clone(),
        without_load: scenario.load.model == Model::None,
        users: scenario.load.model.users(),
        thresholds: scenario.thresholds.clone(),
        tolerate: scenario.tolerate.clone(),
        coded: scenario.code(),
        connections: Header::kept_connections(scenario),
        external: ExternalLoad::of(scenario),
        memory_limit_bytes: scenario.service.memory_limit_bytes,
        probe: scenario.service.asked_probe().is_some(),
        live_from: scenario.service.live_from(),
        log_events: scenario.service.log_events.clone(),
        metrics: scenario.service.metrics.clone(),
        settings_sha256: String::new(),
        provenance: Provenance::default(),
    }
}
