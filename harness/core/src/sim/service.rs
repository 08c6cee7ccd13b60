//! A service whose memory is known.

use steep_judge::units::{Bytes, SinceStart};

/// What the simulated service does with memory. All amounts are of live bytes; resident memory is those in whole pages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimService {
    /// Before the first request.
    pub base: Bytes,
    /// Kept for ever by each request.
    pub leak_per_request: f64,
    /// Kept for ever in each second, whatever the load.
    pub leak_per_second: f64,
    /// A cache that fills by `cache_per_request` up to this.
    pub cache: Bytes,
    /// See `cache`.
    pub cache_per_request: f64,
    /// Held for each request from when it is sent to when it is answered, and given back then.
    pub held_per_request: f64,
    /// Whether the service carries the probe.
    pub probe: bool,
    /// When it ends by itself, if it does.
    pub crashes_at: Option<SinceStart>,
}

impl Default for SimService {
    fn default() -> Self {
        Self {
            base: Bytes::mib(20),
            leak_per_request: 0.0,
            leak_per_second: 0.0,
            cache: Bytes::ZERO,
            cache_per_request: 0.0,
            held_per_request: 0.0,
            probe: false,
            crashes_at: None,
        }
    }
}

impl SimService {
    /// Live bytes, with this many requests completed and others in flight.
    pub(super) fn live(&self, at: SinceStart, completed: u64, in_flight: usize) -> Bytes {
        let leaked = self.leak_per_request * completed as f64 + self.leak_per_second * at.as_secs_f64();
        let cached = (self.cache_per_request * completed as f64).min(self.cache.as_f64());
        let held = self.held_per_request * in_flight as f64;
        self.base + Bytes::new((leaked + cached + held) as u64)
    }
}
