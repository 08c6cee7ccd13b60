//! Cells in the order in which they are shown: the worst first.

use crate::outcome::Outcome;
use steep_judge::verdict::Verdict;

/// The worst first; of one verdict what grows most.
pub(super) fn worst_first(cells: &[Outcome]) -> Vec<&Outcome> {
    let grows = |cell: &Outcome| cell.growth().map_or(f64::NEG_INFINITY, |growth| growth.per_hour.value.get());
    let mut cells: Vec<&Outcome> = cells.iter().collect();
    cells.sort_by(|one, other| {
        rank(one.verdict()).cmp(&rank(other.verdict())).then(grows(other).total_cmp(&grows(one)))
    });
    cells
}

const fn rank(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Leak => 0,
        Verdict::Step => 1,
        Verdict::Crashed => 2,
        Verdict::Retention => 3,
        Verdict::Invalid => 4,
        Verdict::Inconclusive => 5,
        Verdict::Plateau => 6,
        Verdict::Stable => 7,
    }
}

/// The class that colours a verdict.
pub(super) const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Leak | Verdict::Step | Verdict::Crashed | Verdict::Retention => "verdict bad",
        Verdict::Invalid | Verdict::Inconclusive => "verdict open",
        Verdict::Plateau | Verdict::Stable => "verdict calm",
    }
}
