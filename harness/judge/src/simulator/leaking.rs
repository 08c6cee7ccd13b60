//! What a leak adds.

use super::draw::Dice;
use super::family::Family;
use super::{Service, Truth};

/// Bytes that a leak holds, each second, and when it began.
pub(super) struct Leak {
    pub(super) bytes: Vec<f64>,
    onset: usize,
}

impl Leak {
    /// What is true of the leak of `service`.
    pub(super) fn truth(&self, service: &Service, rps: f64) -> Truth {
        let requests = service.load.cumulative();
        let last = self.bytes.len() - 1;
        let held = self.bytes[last] - self.bytes[self.onset];
        let per_request = held / (requests[last] - requests[self.onset]).max(1.0);
        // Of a run with a phase without load only the rest is fitted.
        let pauses = matches!(service.family, Family::LeakIdleEnd | Family::LeakIdleMiddle);
        let per_second = if pauses { per_request * rps } else { held / (last - self.onset).max(1) as f64 };
        Truth {
            bytes_per_hour: per_second * 3600.0,
            bytes_per_request: per_request,
            onset: self.onset as f64,
            settled: service.settled,
            rps,
        }
    }
}

/// The leak of the family of `service`: `size` bytes a request.
pub(super) fn leak(service: &Service, size: f64, rps: f64, dice: &mut Dice) -> Leak {
    let requests = service.load.cumulative();
    let (length, seconds) = (service.length(), service.seconds());
    let all = requests[length - 1];
    let per_request = |size: f64| requests.iter().map(|requests| size * requests).collect::<Vec<f64>>();
    let (bytes, onset) = match service.family {
        Family::LeakTime => ((0..length).map(|t| size * rps * t as f64).collect(), 0),
        Family::LeakLate => {
            let onset = (dice.uniform(0.2, 0.55) * seconds) as usize;
            (requests.iter().map(|r| size * (r - requests[onset]).max(0.0)).collect(), onset)
        }
        Family::LeakBursty => (bursty(service, size, rps, all, dice), 0),
        Family::LeakArena => {
            let head = size * all * dice.uniform(0.1, 0.5);
            let bytes: Vec<f64> = per_request(size).into_iter().map(|bytes| (bytes - head).max(0.0)).collect();
            let onset = bytes.iter().position(|bytes| *bytes > 0.0).unwrap_or(0);
            (bytes, onset)
        }
        Family::LeakDoubling => (requests.iter().map(|r| doubling(size * r / 16.0)).collect(), 0),
        Family::LeakSteps => (steps(length, size * all, dice), 0),
        family if family.is_leaking() => (per_request(size), 0),
        _ => (vec![0.0; length], 0),
    };
    Leak { bytes, onset }
}

/// A hash table of `items` entries of 24 bytes, at most 7/8 full, of whose memory two thirds are touched.
fn doubling(items: f64) -> f64 {
    0.67 * 24.0 * (items.max(1024.0) * 8.0 / 7.0).log2().ceil().exp2()
}

/// Bursts of a lognormal size, some dozens in a run.
fn bursty(service: &Service, size: f64, rps: f64, all: f64, dice: &mut Dice) -> Vec<f64> {
    let drawn = dice.log_uniform(0.01, 0.1) * service.seconds() * rps / 10.0;
    let requests_for_a_burst = drawn.min(all / 25.0).max(50.0);
    let mut held = 0.0;
    let rates: Vec<f64> = service.load.relative.iter().map(|relative| relative * rps).collect();
    rates
        .into_iter()
        .map(|rate| {
            let bursts = dice.poisson(rate / requests_for_a_burst);
            held += bursts * size * requests_for_a_burst * (0.5 * dice.normal() - 0.125).exp();
            held
        })
        .collect()
}

/// Four to eight steps of equal height, together `total` bytes.
fn steps(length: usize, total: f64, dice: &mut Dice) -> Vec<f64> {
    let count = dice.whole(4, 9);
    let each = length as f64 / count as f64;
    let times: Vec<f64> = (0..count).map(|i| (i as f64 + dice.uniform(0.2, 0.8)) * each).collect();
    let so_far = |t: usize| times.iter().filter(|at| t as f64 > **at).count();
    (0..length).map(|t| so_far(t) as f64 * total / count as f64).collect()
}
