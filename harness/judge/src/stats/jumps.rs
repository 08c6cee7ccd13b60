//! Lasting jumps of a series at its full sampling rate.

use super::order::{median, quantile, robust_sigma};

/// Samples whose median stands for the level before and after a jump (METHOD.md, jumps).
const SIDE: usize = 5;

/// Fewest samples in which jumps are looked for.
const FEWEST: usize = 40;

/// A jump is larger than this many robust standard deviations of the level differences.
const SIGMAS: f64 = 8.0;

/// A jump is larger than this share of the typical level.
const SHARE_OF_LEVEL: f64 = 0.004;

/// How long the new level must hold, in samples: a minute at one a second, but at most a tenth of a short series, or
/// the next jump would be part of it.
const HOLD: usize = 60;

/// How much of the jump must remain for 80 % of that time.
const KEPT: f64 = 0.6;

/// A lasting upward jump.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    /// When, in the unit of the times.
    pub at: f64,
    /// How far, from the level before to the level after.
    pub size: f64,
}

/// Finds lasting upward jumps of `ys` that are larger than `smallest` (unit of `ys`), than 0.4 % of the median level
/// and than eight robust standard deviations.
///
/// What counts is how far a difference of levels stands out over the differences around it: a steep line and the
/// filling of a cache have no jumps, however fast they climb. Equal lengths. Cost: linear.
#[must_use]
pub fn upward_jumps(ts: &[f64], ys: &[f64], smallest: f64) -> Vec<Jump> {
    jumps_above(ts, ys, smallest, SHARE_OF_LEVEL)
}

/// As [`upward_jumps`], of an exact figure: however small a share of the level.
#[must_use]
pub fn exact_jumps(ts: &[f64], ys: &[f64], smallest: f64) -> Vec<Jump> {
    jumps_above(ts, ys, smallest, 0.0)
}

fn jumps_above(ts: &[f64], ys: &[f64], smallest: f64, share_of_level: f64) -> Vec<Jump> {
    if ys.len() < FEWEST {
        return Vec::new();
    }
    // Every level is found twice, which is cheaper than to keep them all.
    let levels = || ys.windows(SIDE).map(median_of_side);
    let rises: Vec<f64> = levels().skip(SIDE).zip(levels()).map(|(later, earlier)| later - earlier).collect();
    let highest = rises.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // What costs a sort is asked for only where the threshold before it is passed.
    if highest <= smallest {
        return Vec::new();
    }
    let threshold = (share_of_level * median(ys).abs()).max(smallest);
    if highest <= threshold {
        return Vec::new();
    }
    let threshold = (SIGMAS * robust_sigma(&rises)).max(threshold);
    let hold = (ys.len() / 10).clamp(2 * SIDE, HOLD);
    let mut jumps = Vec::new();
    let mut i = 0;
    while i < rises.len() {
        if rises[i] <= threshold {
            i += 1;
            continue;
        }
        let end = (i + 2 * SIDE).min(rises.len());
        // The first of the highest, as numpy's argmax.
        let top = (i..end).fold(i, |best, j| if rises[j] > rises[best] { j } else { best });
        let rise = rises[top] - surrounding_rise(&rises, top);
        let k = top + SIDE;
        let before = median(&ys[k.saturating_sub(hold / 2)..k]);
        let after = &ys[k..(k + hold).min(ys.len())];
        if rise > threshold && after.len() >= 2 * SIDE && quantile(after, 0.2) - before > KEPT * rise {
            jumps.push(Jump { at: ts[k], size: median(after) - before });
        }
        i = top + 2 * SIDE;
    }
    jumps
}

/// The typical rise over [`SIDE`] samples just outside a jump at `top`, on the steeper side, not below zero.
fn surrounding_rise(rises: &[f64], top: usize) -> f64 {
    let before = &rises[top.saturating_sub(3 * SIDE)..top.saturating_sub(SIDE)];
    let after = &rises[(top + SIDE + 1).min(rises.len())..(top + 3 * SIDE + 1).min(rises.len())];
    // An empty side has a NaN median, which `max` passes over.
    0.0_f64.max(median(before)).max(median(after))
}

/// The median of five values: of the middle two of four and the fifth, the one in the middle.
fn median_of_side(values: &[f64]) -> f64 {
    let &[first, second, third, fourth, fifth] = values else { return median(values) };
    let low = first.min(second).max(third.min(fourth));
    let high = first.max(second).min(third.max(fourth));
    low.min(high).max(low.max(high).min(fifth))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    fn seconds(count: u32) -> Vec<f64> {
        (0..count).map(f64::from).collect()
    }

    #[test]
    fn a_lasting_jump_is_found_where_it_is_and_as_large_as_it_is() {
        let ts = seconds(300);
        let ys: Vec<f64> = ts.iter().map(|&t| if t < 120.0 { 50.0 * MIB } else { 58.0 * MIB }).collect();
        let jumps = upward_jumps(&ts, &ys, MIB / 2.0);
        assert_eq!(jumps.len(), 1);
        assert!((jumps[0].at - 120.0).abs() <= 3.0, "{jumps:?}");
        assert!((jumps[0].size - 8.0 * MIB).abs() < 1.0);
    }

    #[test]
    fn a_steep_line_a_fast_fill_and_a_short_peak_have_no_jumps() {
        let ts = seconds(60);
        let line: Vec<f64> = ts.iter().map(|t| 20.0 * MIB + 1.2e6 * t).collect();
        let fill: Vec<f64> = ts.iter().map(|t| 20.0 * MIB + 3e6 * t.min(20.0)).collect();
        let peak: Vec<f64> = ts.iter().map(|&t| if (t - 30.0).abs() < 0.5 { 40.0 * MIB } else { 20.0 * MIB }).collect();
        for series in [line, fill, peak] {
            assert_eq!(upward_jumps(&ts, &series, MIB / 2.0), []);
        }
    }

    #[test]
    fn the_median_of_five_is_that_of_their_order() {
        for code in 0..3125_u32 {
            let values: Vec<f64> = (0..5).map(|digit| f64::from(code / 5_u32.pow(digit) % 5)).collect();
            assert!((median_of_side(&values) - median(&values)).abs() < 1e-15, "{values:?}");
        }
    }

    #[test]
    fn too_few_samples_have_no_jumps() {
        assert_eq!(upward_jumps(&[0.0, 1.0], &[0.0, 9e9], 1.0), []);
    }
}
