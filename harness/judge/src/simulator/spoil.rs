//! What happens to readings besides memory: a phase without load is left out, a worker is replaced.

use super::draw::Dice;
use super::family::Family;
use super::load::Load;
use crate::growth::Series;

/// What a fresh worker holds of the memory of the old one at its end.
const FRESH: f64 = 0.5;

/// Does to `series` what the family says.
pub(super) fn spoil(series: &mut Series, family: Family, load: &Load, dice: &mut Dice) {
    match family {
        // As steep does: idle phases are not fitted, and with one in the middle the longest stretch is.
        Family::IdleEnd | Family::LeakIdleEnd | Family::IdleMiddle | Family::LeakIdleMiddle => {
            keep_longest_stretch(series, &load.relative);
        }
        Family::Replaced | Family::LeakReplaced => replace_worker(series, dice),
        _ => {}
    }
}

/// Keeps the longest stretch in which requests were planned.
fn keep_longest_stretch(series: &mut Series, planned: &[f64]) {
    let mut longest = 0..0;
    let mut start = 0;
    for stretch in planned.chunk_by(|a, b| (*a > 0.0) == (*b > 0.0)) {
        if stretch[0] > 0.0 && stretch.len() > longest.len() {
            longest = start..start + stretch.len();
        }
        start += stretch.len();
    }
    let before = longest.start.checked_sub(1).map_or(0.0, |last| series.requests[last]);
    series.t_s = series.t_s[longest.clone()].to_vec();
    series.memory_bytes = series.memory_bytes[longest.clone()].to_vec();
    series.requests = series.requests[longest].iter().map(|requests| requests - before).collect();
}

/// The memory of the fresh worker starts low and goes on as the old one's would have.
fn replace_worker(series: &mut Series, dice: &mut Dice) {
    let length = series.t_s.len();
    let at = (dice.uniform(0.2, 0.8) * length as f64) as usize;
    let loss = FRESH * series.memory_bytes[at];
    series.memory_bytes[at..].iter_mut().for_each(|bytes| *bytes -= loss);
    series.replaced_s.push(series.t_s[at]);
}
