//! What a leak adds to live bytes.

use super::super::draw::Dice;
use super::super::heap;
use super::{LiveFamily, Service};

/// Adds the leak of the family, `size` bytes a request; when it begins, in seconds.
pub(super) fn leak(service: &mut Service, size: f64, dice: &mut Dice) -> f64 {
    use LiveFamily as F;
    let requests = heap::recurse(&service.arrivals, 1.0);
    match service.family {
        family if !family.is_leaking() => 0.0,
        F::LeakVector => {
            let before = if dice.share() < 0.3 { dice.log_uniform(1.0, 1e3) } else { 0.0 };
            doubling(service, &requests, before, size / AMORTISED, 1.0)
        }
        F::LeakTable => {
            let before = dice.log_uniform(1.0, 1e3);
            doubling(service, &requests, before, size / AMORTISED, 8.0 / 7.0)
        }
        F::LeakSlab => slab(service, &requests, size, dice),
        F::LeakRare => {
            let one_in = dice.log_uniform(10.0, 500.0);
            let mut kept = 0.0;
            for reading in 0..service.readings() {
                kept += dice.poisson(service.arrivals[reading] / one_in) * size * one_in;
                service.live[reading] += kept;
            }
            0.0
        }
        F::LeakTime => {
            let every = dice.log_uniform(0.1, 3.0);
            let each = size * service.rps * every;
            service.add(|t| each * (t / every).floor());
            0.0
        }
        F::LeakLate => {
            let onset = dice.uniform(0.1, 0.4) * service.seconds();
            let first = requests[(onset * service.hz) as usize];
            add(service, &requests, |requests| size * (requests - first).max(0.0));
            onset
        }
        _ => {
            add(service, &requests, |requests| size * requests);
            0.0
        }
    }
}

/// What a container that doubles holds of each element that is kept, on average over the logarithm of its size.
const AMORTISED: f64 = 1.44;

fn add(service: &mut Service, requests: &[f64], bytes: impl Fn(f64) -> f64) {
    service.live.iter_mut().zip(requests).for_each(|(live, requests)| *live += bytes(*requests));
}

/// Room for `slack` times the elements, rounded up to a power of two, of which `before` were there at the start.
fn doubling(service: &mut Service, requests: &[f64], before: f64, each: f64, slack: f64) -> f64 {
    let room = |elements: f64| (slack * elements.max(4.0)).log2().ceil().exp2();
    add(service, requests, |requests| each * room(before + requests));
    0.0
}

/// Chunks that are not moved, each of twice the last.
fn slab(service: &mut Service, requests: &[f64], size: f64, dice: &mut Dice) -> f64 {
    let first = dice.log_uniform(8.0, 300.0);
    let room = |elements: f64| first * (((elements / first + 1.0).log2().floor() + 1.0).exp2() - 1.0);
    add(service, requests, |requests| size / AMORTISED * room(requests));
    0.0
}
