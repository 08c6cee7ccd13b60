//! Storms: connections opened all at once beside the load, and closed again without a request.

use std::rc::Rc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use steep_core::scenario::{Phase, Storm};
use steep_judge::units::SinceStart;

use super::slow::Rates;
use super::switchboard::Switchboard;
use super::target::Target;

/// Storms of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storming {
    storm: Storm,
    start: SinceStart,
    end: SinceStart,
}

impl Storming {
    /// Those of `phases`, one after the other.
    pub(super) fn chain(phases: &[Phase]) -> Vec<Self> {
        let mut start = SinceStart::ZERO;
        let mut storming = Vec::new();
        for phase in phases {
            let end = start + phase.duration;
            storming.extend(phase.storm.map(|storm| Self { storm, start, end }));
            start = end;
        }
        storming
    }

    /// Raises each storm in its time, until its phase or the load is over.
    pub(super) async fn rage(
        self,
        origin: Instant,
        connect_timeout: std::time::Duration,
        switchboard: Rc<Switchboard>,
        target: Rc<Target>,
    ) {
        let mut at = self.start;
        while at < self.end {
            tokio::time::sleep_until((origin + at.elapsed()).into()).await;
            if switchboard.is_stopped() {
                return;
            }
            let opening = || target.dial(connect_timeout, Rates::default());
            let mut arriving: FuturesUnordered<_> = (0..self.storm.connections).map(|_| opening()).collect();
            // All are open at once before the first is closed.
            let mut open = Vec::with_capacity(self.storm.connections);
            let mut refused = 0;
            while let Some(arrived) = arriving.next().await {
                match arrived {
                    Ok(stream) => open.push(stream),
                    Err(_) => refused += 1,
                }
            }
            switchboard.stormed(open.len() as u64, refused);
            drop(open);
            // One that took longer than its time is followed by the next in turn, and by none to make up for it.
            let now = switchboard.now();
            while at <= now {
                at = at + self.storm.every;
            }
        }
    }
}
