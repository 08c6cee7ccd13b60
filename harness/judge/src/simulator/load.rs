//! The load: what rate is planned each second, and how many requests come.

use super::draw::Dice;
use super::family::Family;
use super::heap;

/// How long a ramp to another rate takes, in seconds.
const RAMP: f64 = 10.0;

/// Planned rate and arrivals, each second.
pub(super) struct Load {
    /// Planned rate relative to the mean of the recipe.
    pub(super) relative: Vec<f64>,
    /// Requests that came.
    pub(super) requests: Vec<f64>,
    /// Moments at which the load was not as planned.
    pub(super) disturbances: Vec<f64>,
}

impl Load {
    pub(super) fn draw(family: Family, length: usize, rps: f64, dice: &mut Dice) -> Self {
        let mut disturbances = Vec::new();
        let relative = match family {
            Family::Diurnal | Family::LeakDiurnal => sine(length, dice),
            Family::Spikes | Family::LeakSpikes => spikes(length, dice),
            Family::Stalls | Family::LeakStalls => stalls(length, dice, &mut disturbances),
            Family::Ramp | Family::LeakRamp => ramp(length),
            Family::Levels | Family::LeakLevels => levels(length, dice),
            Family::IdleEnd | Family::LeakIdleEnd => {
                let from = dice.uniform(0.75, 0.9);
                idle(length, from, 1.0)
            }
            Family::IdleMiddle | Family::LeakIdleMiddle => {
                let from = dice.uniform(0.25, 0.4);
                idle(length, from, from + 0.1)
            }
            Family::ClosedLoop | Family::LeakClosedLoop => closed_loop(length, dice),
            _ => vec![1.0; length],
        };
        let requests = relative.iter().map(|relative| dice.poisson(rps * relative)).collect();
        Self { relative, requests, disturbances }
    }

    /// Requests since the start.
    pub(super) fn cumulative(&self) -> Vec<f64> {
        heap::recurse(&self.requests, 1.0)
    }
}

fn sine(length: usize, dice: &mut Dice) -> Vec<f64> {
    let period = length as f64 / dice.uniform(0.8, 4.0);
    let phase = dice.uniform(0.0, std::f64::consts::TAU);
    let depth = dice.uniform(0.3, 0.8);
    (0..length).map(|t| 1.0 + depth * (std::f64::consts::TAU * t as f64 / period + phase).sin()).collect()
}

fn spikes(length: usize, dice: &mut Dice) -> Vec<f64> {
    let mut relative = vec![1.0; length];
    let count = dice.poisson(length as f64 / 400.0).max(2.0) as usize;
    for _ in 0..count {
        let (start, width, height) = (dice.whole(0, length), dice.whole(10, 60), dice.uniform(2.0, 5.0));
        relative[start..(start + width).min(length)].iter_mut().for_each(|rate| *rate *= height);
    }
    relative
}

/// Nothing for some seconds, and then all at once: what steep never does, and others do.
fn stalls(length: usize, dice: &mut Dice, disturbances: &mut Vec<f64>) -> Vec<f64> {
    let mut relative = vec![1.0; length];
    for _ in 0..dice.whole(1, 6) {
        let (start, width) = (dice.whole(length / 10, length - 30), dice.whole(2, 12));
        relative[start..start + width].fill(0.0);
        relative[start + width..start + width + 2].iter_mut().for_each(|rate| *rate += width as f64 / 2.0);
        disturbances.push((start + width) as f64);
    }
    disturbances.sort_unstable_by(f64::total_cmp);
    relative
}

fn ramp(length: usize) -> Vec<f64> {
    (0..length).map(|t| (t as f64 / RAMP).min(1.0)).collect()
}

/// Two to four levels between a third and twice the mean rate.
fn levels(length: usize, dice: &mut Dice) -> Vec<f64> {
    let count = dice.whole(2, 5);
    let heights: Vec<f64> = (0..count).map(|_| dice.log_uniform(0.35, 2.0)).collect();
    let each = length as f64 / count as f64;
    let at = |t: f64| {
        let place = ((t / each) as usize).min(count - 1);
        let before = if place == 0 { 0.0 } else { heights[place - 1] };
        let since = t - place as f64 * each;
        before + (heights[place] - before) * (since / RAMP).min(1.0)
    };
    (0..length).map(|t| at(t as f64)).collect()
}

fn idle(length: usize, from: f64, to: f64) -> Vec<f64> {
    let share = |t: usize| t as f64 / length as f64;
    (0..length).map(|t| if (from..to).contains(&share(t)) { 0.0 } else { 1.0 }).collect()
}

/// A rate that wanders by some per cent within minutes, as answers become faster or slower.
fn closed_loop(length: usize, dice: &mut Dice) -> Vec<f64> {
    let depth = dice.log_uniform(0.02, 0.15);
    dice.autoregressive(length, (10.0, 300.0), depth).into_iter().map(|wander| (1.0 + wander).max(0.1)).collect()
}
