//! Live bytes of a running service: who counts them is asked before the load, and at each sample.

use std::time::Duration;

use tokio::time::timeout;

use crate::shell::loopback::Client;
use crate::shell::probe;
use steep_core::scenario::Scenario;
use steep_core::trace::{Live, Sample};

/// Makes sure that live bytes are counted where the scenario says so.
///
/// # Errors
/// Why they are not, and what to do.
pub async fn ensure_counted(scenario: &Scenario, client: &Client) -> Result<(), String> {
    let Some(path) = &scenario.service.probe else { return Ok(()) };
    match probe::live_bytes(client, path).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            let message = "the probe does not count: install steep_probe::Counted as the global allocator, or take out service.probe";
            Err(message.to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Puts down in `sample` what is counted, if the answer comes `within` the moment of the sample.
pub async fn count(sample: &mut Sample, scenario: &Scenario, client: &Client, within: Duration) {
    sample.live = of_probe(scenario, client, within).await;
}

async fn of_probe(scenario: &Scenario, client: &Client, within: Duration) -> Option<Live> {
    let path = scenario.service.probe.as_ref()?;
    timeout(within, probe::live_bytes(client, path)).await.ok()?.ok()?
}
