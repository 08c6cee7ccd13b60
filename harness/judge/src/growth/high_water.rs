//! What a peak of the load may hide: an allocator that keeps what a peak took shows no growth until live memory passes
//! that mark, and what memory rose by is ascribed to the load.

use crate::stats::blocks::Blocks;
use crate::stats::order::median;
use crate::units::BytesPerHour;

/// A rate above this multiple of the one before is the beginning of a peak. From 1.1 on slow swings of the load count
/// as peaks, and half of the calm diurnal services stay open (METHOD.md, what load peaks hide).
const RISE: f64 = 1.2;

/// Standard deviations of random arrivals that a rise must exceed besides: a count of N has variance N.
const BEYOND_CHANCE: f64 = 4.0;

/// A peak has ended where this share of its rise is lost again; a load that rises to stay leaves no mark.
const LOST: f64 = 0.5;

/// Blocks that decide before and after a peak: one may be low by chance.
const FEW: usize = 3;

/// Seconds by which the run is too short to show growth of `worth_finding` beneath the marks of its load peaks; `None`
/// if there is no such mark.
///
/// Growth from before a peak is excluded once the curve itself is seen to lie lower than it would have led to, whatever
/// the models ascribe to the load.
pub(super) fn missing_seconds(cut: &Blocks, worth_finding: BytesPerHour) -> Option<f64> {
    let hidden = |peak: usize| {
        let (from, before) = before(cut, peak);
        let mut excess: Vec<f64> = (peak..cut.at.len())
            .map(|block| cut.level[block] - before - worth_finding.get_per_second() * shown(cut, from, block))
            .collect();
        excess.sort_unstable_by(f64::total_cmp);
        excess.get(FEW - 1).copied().filter(|bytes| *bytes > 0.0)
    };
    let most = (0..cut.at.len()).filter(|block| is_peak(cut, *block)).filter_map(hidden).max_by(f64::total_cmp)?;
    Some(most / worth_finding.get_per_second())
}

/// Whether the load has peaks that end.
pub(super) fn has_peaks(cut: &Blocks) -> bool {
    (0..cut.at.len()).any(|block| is_peak(cut, block))
}

/// Whether a load peak begins at `block`; the run may begin with one.
fn is_peak(cut: &Blocks, block: usize) -> bool {
    let rate = &cut.rate;
    let usual = match block {
        0 => rate.iter().copied().fold(f64::INFINITY, f64::min),
        _ => rate[block - 1].min(rate[block.saturating_sub(2)]),
    };
    if rate[block] <= RISE * usual + BEYOND_CHANCE * (usual / cut.width).sqrt() {
        return false;
    }
    let top = rate[block..].iter().take(FEW).copied().fold(usual, f64::max);
    let ended = usual + (1.0 - LOST) * (top - usual);
    rate[block..].iter().filter(|rate| **rate < ended).count() >= FEW
}

/// Where growth is counted from, and the level there: before the blocks that the peak reaches into.
fn before(cut: &Blocks, peak: usize) -> (usize, f64) {
    let end = peak.saturating_sub(1).max(1);
    (peak.saturating_sub(2), median(&cut.level[end.saturating_sub(FEW)..end]))
}

/// Seconds of growth at the mean rate between two blocks, by the clock or by requests, whichever are fewer.
fn shown(cut: &Blocks, from: usize, to: usize) -> f64 {
    let last = cut.at.len() - 1;
    let elapsed = cut.at[to] - cut.at[from];
    let requests = cut.counted[last] - cut.counted[0];
    if requests <= 0.0 {
        return elapsed;
    }
    elapsed.min((cut.counted[to] - cut.counted[from]) / requests * (cut.at[last] - cut.at[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 blocks of 30 s at 100 requests/s, ten times as many in blocks 20 and 21, memory as `level` says.
    fn with_peak(level: impl Fn(usize) -> f64) -> Blocks {
        let mut cut = Blocks { width: 30.0, ..Blocks::default() };
        let mut counted = 0.0;
        for block in 0..60 {
            let rate = if (20..22).contains(&block) { 1000.0 } else { 100.0 };
            counted += 30.0 * rate;
            cut.at.push(15.0 + 30.0 * block as f64);
            cut.level.push(level(block));
            cut.counted.push(counted);
            cut.rate.push(rate);
        }
        cut
    }

    fn missing(cut: &Blocks) -> Option<f64> {
        missing_seconds(cut, BytesPerHour::per_second(1000.0))
    }

    #[test]
    fn a_mark_that_stays_hides_growth_until_it_would_have_been_passed() {
        let mark = |height: f64| with_peak(move |block| if block < 20 { 0.0 } else { height });
        // 41 blocks of 30 s lie between the last level before the peak and the end, of which 38 count by requests.
        assert_eq!(missing(&mark(0.5e6)), None);
        assert!(missing(&mark(5e6)).is_some_and(|more| (3500.0..4300.0).contains(&more)), "{:?}", missing(&mark(5e6)));
    }

    #[test]
    fn memory_that_comes_back_after_the_peak_hides_nothing() {
        let cut = with_peak(|block| if (20..25).contains(&block) { 5e6 } else { 0.0 });
        assert_eq!(missing(&cut), None);
    }

    #[test]
    fn a_peak_at_the_very_start_leaves_a_mark_too() {
        let mut cut = with_peak(|block| if block == 0 { 0.0 } else { 5e6 });
        cut.rate.rotate_left(20);
        assert!(missing(&cut).is_some());
    }

    #[test]
    fn a_load_that_rises_to_stay_or_by_chance_is_not_a_peak() {
        let mut cut = with_peak(|block| if block < 20 { 0.0 } else { 5e6 });
        cut.rate[22..].fill(1000.0);
        assert_eq!(missing(&cut), None);
        // 0.1 requests a second in blocks of 30 s: three in each, and seven in one.
        cut.rate.fill(0.1);
        cut.rate[20] = 0.23;
        assert_eq!(missing(&cut), None);
    }
}
