//! Cells of the simulated world. Each that differs is soaked once in this program, however many tests look at it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use steep_core::scenario::Scenario;
use steep_core::sim::{SimService, soak};
use steep_core::trace::Trace;

/// What a soak of `service` leaves.
pub fn soaked(scenario: &Scenario, service: &SimService) -> Trace {
    static ALL: Mutex<BTreeMap<String, Arc<OnceLock<Trace>>>> = Mutex::new(BTreeMap::new());
    let key = format!("{scenario:?} {service:?}");
    let trace = ALL.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
    trace.get_or_init(|| soak(scenario, service, &[]).expect("a trace")).clone()
}
