//! Whether what a stack grows by is kept, or fills something and stops.
//!
//! What is kept for ever grows in the later half of a cell as it did in the earlier one; of what fills with a time
//! constant of a few cells the later half has less. A cell of a minute has too few samples to tell, and so those of
//! all cells are counted together. Where the sum is known exactly, it says more: what the sum did not slow down by,
//! none of its stacks did.

use super::stacks::Halves;
use crate::growth::Growth;
use crate::units::HALF_WIDTH;

/// The fills that growth is held against: how long the longest cell is in time constants, evenly in the logarithm. Of
/// one that takes more than two such cells nothing can be known: the verdict of its cell is the same as for a leak.
const FILLS: [f64; 7] = [0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0];

/// Growth of a stack in this many standard errors is counted: by its whole, which does not prefer either half.
const SEEN: f64 = 2.0;

/// The error of what the halves of a line differ by, where that of the line is one: each half alone is known
/// by 2^1.5 less, and their difference is twice that of one from the mean.
const OF_THE_DIFFERENCE: f64 = 5.7;

/// Jumps of more than this share of the rise are not a curve of which halves could be compared.
const IN_JUMPS: f64 = 0.2;

/// By how much less all of a cell grew in its later half than in its earlier one, with its standard error, in units of
/// what is worth finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slowdown {
    less: f64,
    error: f64,
}

impl Slowdown {
    /// Of a cell, where `worth` bytes for each request are worth finding; none where its sum holds the noise of an
    /// allocator, or is not a curve.
    pub(crate) fn of(growth: &Growth, worth: f64) -> Option<Self> {
        let is_curve = growth.given_back.is_none() && growth.jumps.total.as_f64() <= IN_JUMPS * growth.risen.abs();
        if !growth.is_exact() || !is_curve || growth.seconds <= 0.0 || growth.rate.get() <= 0.0 {
            return None;
        }
        // From the middle of the first twelfth to that of the last.
        let mean = growth.risen / (growth.seconds * 11.0 / 12.0);
        let in_units = |per_second: f64| per_second / growth.rate.get() / worth;
        let interval = growth.per_hour.map(crate::units::BytesPerHour::get_per_second);
        let error = (interval.high - interval.low) / 2.0 / HALF_WIDTH;
        let less = 2.0 * (mean - growth.second_half.get_per_second());
        Some(Self { less: in_units(less).max(0.0), error: in_units(OF_THE_DIFFERENCE * error) })
    }
}

/// Shares of growth that are kept where something fills beside it through the same calls; how likely that is, beside a
/// fill alone.
const BESIDE: [f64; 3] = [0.25, 0.5, 0.75];
/// See [`BESIDE`].
const MIXED: f64 = 0.1;

/// How likely it is that what grows so in these cells is kept, and does not only fill: each with what all of the cell
/// shows. Before anything is seen both are as likely. Growth in steps has no halves; it is kept.
pub(super) fn kept<'h>(cells: impl Iterator<Item = (&'h Halves, Option<Slowdown>)>) -> f64 {
    let seen: Vec<(&Halves, Option<Slowdown>)> = cells.filter(|(halves, _)| halves.evidence() >= SEEN).collect();
    let Some(longest) = seen.iter().map(|(halves, _)| halves.sample).reduce(f64::min) else { return 1.0 };
    // Of the growth of each cell this share is kept, and the rest fills.
    let likelihood = |constants: f64, kept: f64| -> f64 {
        let of_cell = |(halves, sum): &(&Halves, Option<Slowdown>)| {
            // One sample is less for each request the longer a cell lasted.
            let constants = constants * longest / halves.sample;
            let slowing = (1.0 - kept) * (constants / 4.0).tanh();
            let share = (1.0 - slowing) / (1.0 + slowing);
            halves.likelihood(share) - halves.likelihood(1.0) - beyond(halves, *sum, slowing)
        };
        seen.iter().map(of_cell).sum::<f64>().exp()
    };
    let mean = |kept: f64| FILLS.iter().map(|fill| likelihood(*fill, kept)).sum::<f64>() / FILLS.len() as f64;
    // What is kept beside must be worth finding, where that is known best.
    let largest = seen.iter().map(|(halves, _)| halves).min_by(|one, other| one.sample.total_cmp(&other.sample));
    let is_worth = |kept: &&f64| largest.is_some_and(|halves| **kept * halves.whole().0 >= 1.0);
    let mixed = BESIDE.iter().filter(is_worth).map(|kept| mean(*kept)).sum::<f64>() * MIXED / BESIDE.len() as f64;
    let (fills, kept) = (mean(0.0), 1.0 + mixed);
    if fills.is_finite() { kept / (kept + fills) } else { 0.0 }
}

/// How unlikely it is that a stack slows down by so much from the middle of a cell to either half, where the sum did
/// not, as a logarithm.
fn beyond(halves: &Halves, sum: Option<Slowdown>, slowing: f64) -> f64 {
    let Some(Slowdown { less, error }) = sum else { return 0.0 };
    let (growth, its_error) = halves.whole();
    let share = 2.0 * slowing;
    let beyond = (share * growth - less).max(0.0) / error.hypot(share * its_error);
    if beyond.is_finite() { beyond * beyond / 2.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many samples in each half of a cell, where one stands for a quarter of what is worth finding.
    fn halves(earlier: f64, later: f64) -> Halves {
        Halves::new([(earlier, earlier.sqrt()), (later, later.sqrt())], 0.25)
    }

    fn alone(cells: &[Halves]) -> f64 {
        kept(cells.iter().map(|cell| (cell, None)))
    }

    #[test]
    fn a_few_samples_tell_nothing_and_many_do() {
        assert!((0.4..0.8).contains(&alone(&[halves(9.0, 8.0)])));
        assert!(alone(&vec![halves(10.0, 10.0); 10]) > 0.95);
        // A fill of which 0.7 time constants are seen in each of ten cells, as one of 90 s in cells of 65.
        assert!(alone(&vec![halves(12.0, 8.4); 10]) < 0.35);
        assert!(alone(&[halves(300.0, 290.0)]) > 0.95 && alone(&[halves(300.0, 200.0)]) < 0.2);
        // Nothing has halves.
        assert!((alone(&[]) - 1.0).abs() < 1e-9);
    }

    /// What slows down may hold a leak beside a fill, until so little grows in the later half that none has room.
    #[test]
    fn what_slows_down_is_cleared_when_nothing_that_is_worth_finding_is_left() {
        assert!(alone(&[halves(300.0, 200.0)]) > 0.05);
        assert!(alone(&[halves(30.0, 4.0)]) < 0.03, "{}", alone(&[halves(30.0, 4.0)]));
    }

    #[test]
    fn a_sum_that_does_not_slow_down_says_that_its_stacks_do_not() {
        let still = Slowdown { less: 0.05, error: 0.1 };
        let slows = Slowdown { less: 20.0, error: 0.1 };
        let cell = halves(20.0, 16.0);
        let with = |sum| kept([(&cell, Some(sum))].into_iter());
        assert!(with(still) > 0.95, "{}", with(still));
        assert!((with(slows) - alone(std::slice::from_ref(&cell))).abs() < 1e-6);
    }
}
