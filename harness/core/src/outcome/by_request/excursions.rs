//! Levels without what comes and goes: a batch that holds a hundred times what a leak adds hides it.

use steep_judge::stats::order::{median, robust_sigma};

/// Levels on either side of one that say where it should lie: an excursion may last as many.
const REACH: usize = 5;

/// Levels that stand out by more than this many deviations are excursions; by chance one in a million does.
const STANDS_OUT: f64 = 5.0;

/// Where more of the levels would be excursions, they are what the service does.
const MOST: f64 = 0.25;

/// Sudden changes of the work that say what is held while it is under way.
const CHANGES_MIN: usize = 4;

/// `levels` with excursions upwards laid back to the line between what stands around them, and how many there were.
/// What is held for the work of the moment is none of them; `work` says how much was done until each level:
/// a batch may come while there is none.
pub(super) fn without_excursions(levels: &[f64], work: &[f64]) -> (Vec<f64>, usize) {
    let risen: Vec<f64> = (0..work.len()).map(|at| work[at] - work[at.saturating_sub(1)]).collect();
    let held = held_for_each(levels, &risen);
    let beside: Vec<f64> = levels.iter().zip(&risen).map(|(level, risen)| level - held * risen).collect();
    let (laid_back, count) = laid_back(&beside);
    (laid_back.iter().zip(&risen).map(|(level, risen)| level + held * risen).collect(), count)
}

/// What is held for each request of the moment: the median over sudden changes of the work; 0 where it changes hardly
/// ever.
fn held_for_each(levels: &[f64], risen: &[f64]) -> f64 {
    let most = risen.iter().copied().fold(0.0, f64::max);
    let changes = levels.windows(2).zip(risen.windows(2)).skip(1).filter_map(|(levels, risen)| {
        let change = risen[1] - risen[0];
        (change.abs() > most / 2.0).then(|| (levels[1] - levels[0]) / change)
    });
    let changes: Vec<f64> = changes.collect();
    if changes.len() < CHANGES_MIN { 0.0 } else { median(&changes).max(0.0) }
}

fn laid_back(levels: &[f64]) -> (Vec<f64>, usize) {
    let slope = slope(levels);
    let usual: Vec<f64> = (0..levels.len()).map(|at| median(&around(levels, at, slope))).collect();
    let rests: Vec<f64> = levels.iter().zip(&usual).map(|(level, usual)| level - usual).collect();
    let deviation = robust_sigma(&rests);
    let stands_out: Vec<bool> = rests.iter().map(|rest| *rest > STANDS_OUT * deviation).collect();
    let count = stands_out.iter().filter(|out| **out).count();
    if count as f64 > MOST * levels.len() as f64 {
        return (levels.to_vec(), 0);
    }
    let mut laid_back = levels.to_vec();
    let mut at = 0;
    while at < levels.len() {
        if !stands_out[at] {
            at += 1;
            continue;
        }
        let end = (at..levels.len()).find(|later| !stands_out[*later]).unwrap_or(levels.len());
        let before = at.checked_sub(1).map(|before| levels[before]);
        let after = levels.get(end).copied();
        let (from, to) = (before.or(after).unwrap_or(usual[at]), after.or(before).unwrap_or(usual[at]));
        let steps = (end - at + 1) as f64;
        laid_back[at..end].iter_mut().zip(1_u32..).for_each(|(level, step)| {
            *level = from + (to - from) * f64::from(step) / steps;
        });
        at = end;
    }
    (laid_back, count)
}

/// What a level is above the one before, as a rule.
fn slope(levels: &[f64]) -> f64 {
    let apart = 2 * REACH;
    let rises = levels.iter().zip(levels.iter().skip(apart)).map(|(level, later)| (later - level) / apart as f64);
    median(&rises.collect::<Vec<f64>>())
}

fn around(levels: &[f64], at: usize, slope: f64) -> Vec<f64> {
    let wide = (2 * REACH + 1).min(levels.len());
    let from = at.saturating_sub(REACH).min(levels.len() - wide);
    let to = from + wide;
    // The end of a rise does not stand out of it.
    (from..to).map(|other| levels[other] - slope * (other as f64 - at as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_laid_back_and_a_rise_is_not() {
        let rise = |at: usize| 1_000.0 + 1.0 * at as f64 + [0.0, 7.0, -5.0, 3.0, -6.0, 8.0, -2.0][at * 3 % 7];
        let calm: Vec<f64> = (0..60).map(rise).collect();
        let even: Vec<f64> = (0..60).map(|at| f64::from(at) * 200.0).collect();
        assert_eq!(without_excursions(&calm, &even), (calm.clone(), 0));
        let batch: Vec<f64> = (0..60).map(|at| rise(at) + if at % 20 < 3 { 5_000.0 } else { 0.0 }).collect();
        let (laid_back, count) = without_excursions(&batch, &even);
        assert_eq!(count, 9);
        assert!(laid_back.iter().zip(&calm).all(|(one, other)| (one - other).abs() < 30.0), "{laid_back:?}");
    }

    #[test]
    fn what_is_high_half_of_the_time_is_left_as_it_is() {
        let square: Vec<f64> = (0..60).map(|at| if at % 8 < 3 { 5_000.0 } else { f64::from(at % 3) }).collect();
        let even: Vec<f64> = (0..60).map(|at| f64::from(at) * 200.0).collect();
        assert_eq!(without_excursions(&square, &even), (square.clone(), 0));
        assert_eq!(without_excursions(&[], &[]), (Vec::new(), 0));
    }

    #[test]
    fn a_batch_is_found_while_the_work_pauses_too() {
        let mut work = 0.0;
        let mut risen = Vec::new();
        for at in 0..60 {
            let step = if at % 12 < 3 { 0.0 } else { 200.0 };
            work += step;
            risen.push((work, step));
        }
        let noise = |at: usize| [0.0, 700.0, -500.0, 300.0, -600.0][at % 5];
        let level = |at: usize| 1e6 + 1_000.0 * risen[at].1 + noise(at) + if at == 25 { 150_000.0 } else { 0.0 };
        let levels: Vec<f64> = (0..60).map(level).collect();
        let work: Vec<f64> = risen.iter().map(|(work, _)| *work).collect();
        let (laid_back, count) = without_excursions(&levels, &work);
        assert_eq!(count, 1);
        assert!((laid_back[25] - 1e6).abs() < 2_000.0, "{}", laid_back[25]);
    }
}
