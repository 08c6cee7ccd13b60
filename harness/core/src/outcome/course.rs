//! Memory over the whole soak in few figures, for a line of small bars.

use crate::trace::Trace;
use steep_judge::stats::order::median;
use steep_judge::units::Bytes;

/// As many as a line of text has room for.
const PARTS: usize = 32;

/// The median of the judged memory over each of up to [`PARTS`] parts of equally many samples.
pub(super) fn course(trace: &Trace) -> Vec<Bytes> {
    let bytes: Vec<f64> = trace.samples.iter().map(|sample| sample.memory.judged().as_f64()).collect();
    let parts = PARTS.min(bytes.len());
    let part = |place: usize| &bytes[place * bytes.len() / parts..(place + 1) * bytes.len() / parts];
    (0..parts).map(|place| Bytes::new(median(part(place)).max(0.0) as u64)).collect()
}
