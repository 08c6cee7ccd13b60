//! Live bytes of a running service: who counts them is asked before the load, and at each sample.

mod heap;
mod preloaded;
mod stacks;
mod symbols;

use std::time::Duration;

use tokio::time::timeout;

pub use self::heap::HeapLooks;
pub use self::preloaded::{LiveError, Preloaded};
use self::stacks::StackLog;
use crate::shell::loopback::Client;
use crate::shell::probe;
use steep_core::kept::{Moment, Series};
use steep_core::scenario::Scenario;
use steep_core::trace::{Live, Sample};

/// Makes sure that live bytes are counted where the scenario says so.
///
/// # Errors
/// Why they are not, and what to do.
pub async fn ensure_counted(scenario: &Scenario, client: &Client) -> Result<(), String> {
    let Some(path) = scenario.service.asked_probe() else { return Ok(()) };
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
    let path = scenario.service.asked_probe()?;
    timeout(within, probe::live_bytes(client, path)).await.ok()?.ok()?
}

/// A library that counts inside of the service, and what is learnt from it while the cell is under load.
#[derive(Debug)]
pub struct Counting {
    preloaded: Preloaded,
    stacks: StackLog,
}

impl Counting {
    /// By `preloaded`, which the service was started with.
    #[must_use]
    pub fn new(preloaded: Preloaded) -> Self {
        Self { preloaded, stacks: StackLog::default() }
    }

    /// Puts down in `sample` what is counted. What warms up is not looked at stack by stack: caches that fill would be
    /// named.
    pub fn count(&mut self, sample: &mut Sample, is_steady: bool) {
        self.preloaded.tidy();
        sample.live = self.preloaded.read(&sample.processes);
        if let Some(places) = sample.heap.as_mut().and_then(|heap| heap.places.as_mut()) {
            (places.own_mappings_bytes, places.is_other_allocator) = self.preloaded.mapped(&sample.processes);
        }
        if is_steady {
            let moment = Moment { t_s: sample.t_s, completed: sample.completed() };
            self.stacks.tick(&self.preloaded, &sample.processes, moment);
        }
    }

    /// What the stacks kept; none where there was no time to look. Takes seconds.
    #[must_use]
    pub fn finish(self) -> Option<Series> {
        let series = self.stacks.finish();
        self.preloaded.remove();
        series
    }
}
