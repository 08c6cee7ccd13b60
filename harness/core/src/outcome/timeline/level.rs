//! Memory over the whole soak, as the events of a time axis are held against it.

use crate::outcome::stretches::{live_before, read, replacements};
use crate::trace::{Sample, Trace};
use steep_judge::growth::{Layer, MemorySource};

/// Share of the samples that must have live bytes for those to be looked at.
const LEAST_LIVE: f64 = 0.9;

/// Memory at increasing moments.
pub(super) struct Level {
    pub(super) source: MemorySource,
    pub(super) ts: Vec<f64>,
    pub(super) bytes: Vec<f64>,
    /// The moments from which another process holds it.
    pub(super) breaks: Vec<f64>,
}

impl Level {
    /// Live bytes where they are known, else what is resident.
    pub(super) fn of(trace: &Trace) -> Option<Self> {
        let samples = &trace.samples;
        let live = samples.iter().filter(|sample| sample.live.is_some()).count();
        let layer = if live as f64 >= LEAST_LIVE * samples.len() as f64 { Layer::Live } else { Layer::Resident };
        let (source, _) = samples.iter().find_map(|sample| sample.judged(layer))?;
        let (mut ts, mut bytes): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut push = |t_s: f64, level: f64| {
            if level.is_finite() && ts.last().is_none_or(|last| *last < t_s) {
                ts.push(t_s);
                bytes.push(level);
            }
        };
        let mut before: Option<&Sample> = None;
        for sample in samples {
            if layer == Layer::Live {
                live_before(trace, before, sample).for_each(|live| push(live.t_s.as_secs_f64(), live.bytes));
            }
            push(sample.t_s.as_secs_f64(), read(sample, layer));
            before = Some(sample);
        }
        Some(Self { source, ts, bytes, breaks: replacements(samples) })
    }
}
