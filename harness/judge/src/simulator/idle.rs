//! Memory of services of which nothing is asked any more: what stays, what is given back, what goes on by itself.

use std::fmt;

use super::Recipe;
use super::draw::Dice;
use super::family::Family;
use super::heap;

const MIB: f64 = 1_048_576.0;
const PAGE: f64 = 4096.0;

/// How memory behaves while nothing is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdleFamily {
    /// Nothing happens, or next to nothing.
    Still,
    /// Memory wanders by up to a megabyte.
    Wandering,
    /// An allocator gives back what the load took: at once, over minutes, or in some pieces.
    Trimmed,
    /// glibc's heap creeps on by some megabytes, more slowly each time.
    Creep,
    /// What the load left to do is done: memory rises for up to a quarter of a minute or of the phase, and stays.
    Settling,
    /// A timer takes megabytes for some seconds and frees them.
    Batches,
    /// A collector waits until there is enough.
    Collector,
    /// Something is done once.
    Jump,
    /// A timer keeps what it takes.
    Timer,
    /// A timer that keeps what it takes, while an allocator gives back what the load took.
    TimerBelowTrim,
}

impl IdleFamily {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Still,
        Self::Wandering,
        Self::Trimmed,
        Self::Creep,
        Self::Settling,
        Self::Batches,
        Self::Collector,
        Self::Jump,
        Self::Timer,
        Self::TimerBelowTrim,
    ];

    /// Whether it leaks.
    #[must_use]
    pub fn is_leaking(self) -> bool {
        matches!(self, Self::Timer | Self::TimerBelowTrim)
    }
}

impl fmt::Display for IdleFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Still => "still",
            Self::Wandering => "wandering",
            Self::Trimmed => "trimmed",
            Self::Creep => "creep",
            Self::Settling => "settling",
            Self::Batches => "batches",
            Self::Collector => "collector",
            Self::Jump => "one jump",
            Self::Timer => "timer keeps",
            Self::TimerBelowTrim => "timer keeps, trimmed",
        })
    }
}

/// Memory in each of `seconds` after the load, in bytes; a leaking family keeps this many bytes an hour.
#[must_use]
pub fn idle(family: IdleFamily, seconds: usize, bytes_per_hour: f64, seed: u64, index: u64) -> Vec<f64> {
    // Another stream than that of any series under load.
    let seed = seed ^ 0x1d1e_0000 ^ ((family as u64) << 40);
    let mut dice =
        Dice::new(&Recipe { family: Family::White, seconds, leak: 0.0, rps: None, known: true, seed, index });
    let base = dice.log_uniform(20.0 * MIB, 400.0 * MIB);
    // Most services hold still when nothing is asked; some have threads that come and go.
    let noise = dice.choose(&[0.0, 0.0, PAGE, 16.0 * PAGE, 0.0003 * base]);
    let mut live = vec![base; seconds];
    if noise > 0.0 {
        live.iter_mut().zip(dice.autoregressive(seconds, (2.0, 40.0), noise)).for_each(|(live, more)| *live += more);
    }
    let shape = shape(family, seconds, base, bytes_per_hour, &mut dice);
    live.iter_mut().zip(shape).for_each(|(live, more)| *live = (*live + more).max(MIB));
    let chunk = dice.choose(&[PAGE, PAGE, PAGE, 65_536.0, 262_144.0, MIB]);
    heap::resident(&live, dice.choose(&[0.0, 10.0, 40.0]), chunk)
}

fn shape(family: IdleFamily, seconds: usize, base: f64, bytes_per_hour: f64, dice: &mut Dice) -> Vec<f64> {
    let length = seconds as f64;
    let over_time = |at: &dyn Fn(f64) -> f64| -> Vec<f64> { (0..seconds).map(|t| at(t as f64)).collect() };
    let leak = |t: f64| bytes_per_hour / 3600.0 * t;
    match family {
        IdleFamily::Still => vec![0.0; seconds],
        IdleFamily::Wandering => {
            let deviation = dice.log_uniform(0.05, 1.0) * MIB;
            dice.autoregressive(seconds, (0.2 * length, 2.0 * length), deviation)
        }
        IdleFamily::Trimmed => {
            let trimmed = trimmed(length, base, dice);
            over_time(&trimmed)
        }
        IdleFamily::Creep => {
            let (height, bend) = (dice.log_uniform(0.1, 2.0) * MIB, dice.log_uniform(2.0, 60.0));
            over_time(&|t| height * (1.0 + t / bend).ln())
        }
        IdleFamily::Settling => {
            let (height, time) =
                (dice.log_uniform(0.5, 30.0) * MIB, dice.log_uniform(2.0, (length / 8.0).clamp(3.0, 60.0)));
            over_time(&|t| height * (1.0 - (-t / time).exp()))
        }
        IdleFamily::Batches => {
            let (every, width) = (dice.log_uniform(5.0, 120.0), dice.uniform(1.0, 4.0));
            let (height, begins) = (dice.log_uniform(0.2, 30.0) * MIB, dice.uniform(0.0, every));
            over_time(&|t| if (t + begins) % every < width { height } else { 0.0 })
        }
        IdleFamily::Collector => {
            let (period, height) = (dice.log_uniform(10.0, length / 5.0), dice.log_uniform(0.5, 30.0) * MIB);
            let begins = dice.uniform(0.0, period);
            over_time(&|t| height * ((t + begins) % period) / period)
        }
        IdleFamily::Jump => {
            let (height, at) = (dice.log_uniform(0.2, 30.0) * MIB, dice.uniform(0.0, length));
            over_time(&|t| if t < at { 0.0 } else { height })
        }
        IdleFamily::Timer => over_time(&leak),
        IdleFamily::TimerBelowTrim => {
            let trimmed = trimmed(length, base, dice);
            over_time(&|t| trimmed(t) + leak(t))
        }
    }
}

/// What an allocator gives back: in up to eight pieces, or as a curve.
fn trimmed(length: f64, base: f64, dice: &mut Dice) -> impl Fn(f64) -> f64 + use<> {
    let height = dice.uniform(0.05, 0.6) * base;
    let pieces = if dice.share() < 0.5 { dice.whole(1, 9) } else { 0 };
    let mut moments: Vec<f64> = (0..pieces).map(|_| dice.uniform(0.0, length)).collect();
    moments.sort_by(f64::total_cmp);
    let time = dice.log_uniform(1.0, (length / 6.0).clamp(2.0, 120.0));
    move |t| {
        if moments.is_empty() {
            return height * (-t / time).exp();
        }
        let left = moments.iter().filter(|moment| **moment > t).count();
        height * left as f64 / moments.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_of_the_length_asked_for_and_the_same_each_time() {
        for family in IdleFamily::ALL {
            let series = idle(family, 300, 4.0 * MIB, 1, 7);
            assert_eq!(series.len(), 300);
            assert!(series.iter().all(|bytes| bytes.is_finite() && *bytes >= MIB), "{family}");
            assert_eq!(series, idle(family, 300, 4.0 * MIB, 1, 7), "{family}");
        }
    }

    #[test]
    fn a_timer_keeps_as_much_as_it_is_said_to() {
        let rises = (0..50).map(|index| {
            let series = idle(IdleFamily::Timer, 3600, 4.0 * MIB, 1, index);
            series[3599] - series[0]
        });
        let mean = rises.sum::<f64>() / 50.0;
        assert!((mean - 4.0 * MIB).abs() < 0.2 * MIB, "{mean}");
    }
}
