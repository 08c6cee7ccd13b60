//! What goes on after a straight rise has ended: a full cache evicts and inserts, and the heap that it lives in creeps
//! on for some turnovers. Anonymous memory alone hardly tells that from a leak beside a cache (METHOD.md, what goes on
//! after a cap).

use schemars::JsonSchema;
use serde::Serialize;

use crate::stats::blocks::Blocks;
use crate::stats::order::median;
use crate::units::Bytes;

/// Most that the heap of a full cache is taken to creep by, as a share of what filled: one was seen to creep by 13 of
/// 131 MiB.
const MAX_CREPT: f64 = 0.3;

/// Most of its speed that a rise keeps after its end: what goes on faster has no cap, however a line is cut in two.
const MAX_SPEED: f64 = 0.4;

/// Blocks whose median is a level.
const FEW: usize = 3;

/// A rise that ended, and went on more slowly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct AfterCap {
    /// When the rise ended, in seconds since the start.
    pub full_s: f64,
    /// What memory rose by until then.
    #[serde(rename = "filled_bytes")]
    pub filled: Bytes,
    /// What it rose by since.
    #[serde(rename = "crept_bytes")]
    pub crept: Bytes,
}

/// What went on after a rise that ended at `full`, a share of the run, if a full cache does so.
pub(super) fn after_cap(cut: &Blocks, full: f64, seconds: f64) -> Option<AfterCap> {
    let blocks = cut.at.len();
    let end = cut.at.partition_point(|t| t - cut.at[0] < full * seconds);
    let level = |from: usize| median(&cut.level[from.min(blocks - FEW)..(from + FEW).min(blocks)]);
    let (start, top, last) = (level(0), level(end), level(blocks - FEW));
    let (filled, crept) = (top - start, last - top);
    let slower = crept / (1.0 - full) <= MAX_SPEED * filled / full;
    let is_creep = crept > 0.0 && crept <= MAX_CREPT * filled && slower;
    is_creep.then(|| AfterCap {
        full_s: full * seconds,
        filled: Bytes::new(filled as u64),
        crept: Bytes::new(crept as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(level: impl Fn(f64) -> f64) -> Blocks {
        let at: Vec<f64> = (0..60).map(|block| 5.0 * f64::from(block) + 2.5).collect();
        Blocks { level: at.iter().map(|t| level(*t)).collect(), at, width: 5.0, ..Blocks::default() }
    }

    #[test]
    fn a_tenth_more_after_the_cap_is_creep_and_half_as_much_again_is_not() {
        let after = |share: f64| cut(move |t| 1e6 * t.min(100.0) + share * 5e5 * (t - 100.0).max(0.0));
        let crept = after_cap(&after(0.1), 1.0 / 3.0, 300.0).expect("10 of 100 MB");
        assert!((8_000_000..11_000_000).contains(&crept.crept.get()), "{crept:?}");
        assert!((90_000_000..105_000_000).contains(&crept.filled.get()), "{crept:?}");
        assert_eq!(after_cap(&after(0.5), 1.0 / 3.0, 300.0), None);
        let still = after_cap(&after(0.0), 1.0 / 3.0, 300.0);
        assert!(still.is_none_or(|cap| cap.crept.get() < 5_000_000), "less than a block of filling: {still:?}");
    }
}
