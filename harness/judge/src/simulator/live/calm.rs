//! What live bytes do without a leak.

use super::super::draw::Dice;
use super::super::heap;
use super::{FILLED, LiveFamily, Service};

/// Adds what the family of `service` does.
pub(super) fn shape(service: &mut Service, dice: &mut Dice) {
    use LiveFamily as F;
    match service.family {
        F::Filled | F::LeakFilled => still(service, dice),
        F::Fill | F::LeakFill => {
            ordinary(service, dice);
            fill(service, dice, (50.0, 4e3), (50e3, 10e6));
        }
        F::Fills | F::LeakFills => {
            ordinary(service, dice);
            for _ in 0..dice.whole(2, 5) {
                fill(service, dice, (50.0, 4e3), (20e3, 4e6));
            }
        }
        F::Tables | F::LeakTables => {
            ordinary(service, dice);
            for _ in 0..dice.whole(1, 4) {
                table(service, dice);
            }
        }
        F::Connections | F::LeakConnections => {
            in_flight(service, dice, (0.5e-3, 20e-3), (500.0, 10e3));
            pool(service, dice);
        }
        F::Reconnects => {
            ordinary(service, dice);
            reconnects(service, dice);
        }
        F::InFlight | F::LeakInFlight => in_flight(service, dice, (5e-3, 200e-3), (2e3, 100e3)),
        F::Batches | F::LeakBatches => {
            ordinary(service, dice);
            batches(service, dice);
        }
        F::Sessions | F::LeakSessions => {
            ordinary(service, dice);
            sessions(service, dice);
        }
        F::Sweeps | F::LeakSweeps => {
            ordinary(service, dice);
            sweeps(service, dice);
        }
        F::Churn | F::LeakChurn => {
            ordinary(service, dice);
            churn(service, dice);
        }
        F::Capped | F::LeakCapped => {
            ordinary(service, dice);
            capped(service, dice);
        }
        F::Lazy => {
            ordinary(service, dice);
            lazy(service, dice);
        }
        F::Collector => {
            ordinary(service, dice);
            collector(service, dice);
        }
        F::Restarts | F::LeakRestarts => {
            ordinary(service, dice);
            restart(service, dice);
        }
        F::SlowCache => {
            ordinary(service, dice);
            fill(service, dice, (1.5e4, 2e5), (1e6, 60e6));
        }
        F::LeakRare | F::LeakTime | F::LeakLate | F::LeakVector | F::LeakTable | F::LeakSlab => {
            ordinary(service, dice);
            if dice.share() < 0.5 {
                fill(service, dice, (50.0, 2e3), (20e3, 2e6));
            }
        }
    }
}

/// What nearly every service does: a few requests in flight, a small cache, a buffer that is made when first wanted.
fn ordinary(service: &mut Service, dice: &mut Dice) {
    in_flight(service, dice, (0.3e-3, 10e-3), (300.0, 20e3));
    if dice.share() < 0.5 {
        fill(service, dice, (10.0, 500.0), (2e3, 200e3));
    }
    if dice.share() < 0.3 {
        lazy(service, dice);
    }
}

/// As a service was seen that had filled: constant to 300 bytes over 24,000 requests.
fn still(service: &mut Service, dice: &mut Dice) {
    let (height, often) = (dice.uniform(50.0, 300.0), dice.log_uniform(0.01, 0.5));
    fill(service, dice, (10.0, 2e3), (2e3, 500e3));
    service.add(|_| if dice.share() < often { height } else { 0.0 });
}

/// Requests that are not yet answered hold memory: their number at a moment is a Poisson variable.
fn in_flight(service: &mut Service, dice: &mut Dice, latency: (f64, f64), bytes: (f64, f64)) {
    let (latency, bytes) = (dice.log_uniform(latency.0, latency.1), dice.log_uniform(bytes.0, bytes.1));
    let keep = (-1.0 / (service.hz * latency)).exp();
    let mut number = dice.poisson(service.rps * latency);
    let rps = service.rps;
    service.add(|_| {
        let stay = if keep > 1e-6 { dice.poisson(number * keep).min(number) } else { 0.0 };
        number = stay + dice.poisson(rps * latency * (1.0 - keep));
        bytes * number
    });
}

/// A cache of keys that are asked for at random: each is fetched once.
fn fill(service: &mut Service, dice: &mut Dice, keys: (f64, f64), bytes: (f64, f64)) {
    let keys = dice.log_uniform(keys.0, keys.1).ceil();
    let each = dice.log_uniform(bytes.0, bytes.1) / keys;
    let share = dice.choose(&[0.25, 0.5, 1.0, 1.0]);
    let have = collected(service, dice, keys, share);
    for (live, have) in service.live.iter_mut().zip(&have) {
        *live += each * have;
    }
    // Of the remaining keys as many are new with each request as makes growth of FILLED.
    let left = (FILLED / (each * share)).min(1.0);
    service.settles_at(-keys / share * left.ln() / service.rps);
}

/// How many of `keys` have been asked for until each reading, by a `share` of the requests.
fn collected(service: &Service, dice: &mut Dice, keys: f64, share: f64) -> Vec<f64> {
    let mut have = 0.0_f64;
    let pairs = service.arrivals.iter().map(|arrivals| {
        let fresh = (keys - have) * (1.0 - (-arrivals * share / keys).exp());
        have = (have + dice.poisson(fresh)).min(keys);
        have
    });
    pairs.collect()
}

/// A hash table that doubles until it holds all keys, beside values of their own in half of the services.
fn table(service: &mut Service, dice: &mut Dice) {
    let keys = dice.log_uniform(100.0, 6e3).ceil();
    let entry = dice.log_uniform(9.0, 200.0);
    let value = if dice.share() < 0.5 { dice.log_uniform(20.0, 2e3) } else { 0.0 };
    let have = collected(service, dice, keys, 1.0);
    let buckets = |have: f64| (have.max(3.5) * 8.0 / 7.0).log2().ceil().exp2();
    for (live, have) in service.live.iter_mut().zip(&have) {
        *live += value * have + entry * buckets(*have);
    }
    let left = (FILLED / (entry + value)).min(1.0);
    service.settles_at(-keys * left.ln() / service.rps);
}

/// A pool that grows to the most connections that were in use at once.
fn pool(service: &mut Service, dice: &mut Dice) {
    let (in_use, bytes) = (dice.log_uniform(1.0, 60.0), dice.log_uniform(2e3, 64e3));
    // Between two readings many moments pass: the most at once is further out than one draw.
    let moments = (30.0 / service.hz).ceil() as usize;
    let mut most = 0.0_f64;
    service.add(|_| {
        let now = (0..moments).map(|_| dice.poisson(in_use)).fold(0.0, f64::max);
        most = most.max(now);
        bytes * most
    });
}

/// Connections that are opened and closed at random, each with a buffer.
fn reconnects(service: &mut Service, dice: &mut Dice) {
    let (open, bytes) = (dice.log_uniform(4.0, 300.0), dice.log_uniform(2e3, 40e3));
    let life = dice.log_uniform(2.0, 20.0);
    coming_and_going(service, dice, open / life, life, bytes, false);
}

fn batches(service: &mut Service, dice: &mut Dice) {
    let period = dice.log_uniform(2.0, 20.0);
    let (height, duty) = (dice.log_uniform(50e3, 30e6), dice.uniform(0.05, 0.7));
    let (phase, ramp) = (dice.uniform(0.0, period), dice.share() < 0.5);
    service.add(|t| {
        let place = (t + phase).rem_euclid(period) / period;
        if place >= duty { 0.0 } else { height * if ramp { place / duty } else { 1.0 } }
    });
}

/// Sessions that each live for a time of their own.
fn sessions(service: &mut Service, dice: &mut Dice) {
    let share = dice.log_uniform(0.002, 0.1);
    let (life, bytes) = (dice.log_uniform(2.0, 25.0), dice.log_uniform(200.0, 10e3));
    let fixed = dice.share() < 0.5;
    let rate = share * service.rps;
    coming_and_going(service, dice, rate, life, bytes, fixed);
    let grows = (bytes * share / FILLED).max(1.0);
    service.settles_at(if fixed { life } else { life * grows.ln() });
}

/// `rate` a second come, and each stays for `life` seconds, `fixed` or on average.
fn coming_and_going(service: &mut Service, dice: &mut Dice, rate: f64, life: f64, bytes: f64, fixed: bool) {
    let came: Vec<f64> = (0..service.readings()).map(|_| dice.poisson(rate / service.hz)).collect();
    let stays = (life * service.hz) as usize;
    let leaves = 1.0 - (-1.0 / (life * service.hz)).exp();
    let mut number = if fixed { 0.0 } else { dice.poisson(rate * life) * f64::from(u8::from(service.rps <= 0.0)) };
    for reading in 0..service.readings() {
        let went = if fixed {
            reading.checked_sub(stays).map_or(0.0, |then| came[then])
        } else {
            dice.poisson(number * leaves).min(number)
        };
        number += came[reading] - went;
        service.live[reading] += bytes * number;
    }
}

/// Sessions that are looked through every some seconds, and what has expired is dropped.
fn sweeps(service: &mut Service, dice: &mut Dice) {
    let every = dice.log_uniform(2.0, 20.0);
    let (life, bytes) = (dice.log_uniform(1.0, 20.0), dice.log_uniform(200.0, 10e3));
    let rate = dice.log_uniform(0.002, 0.1) * service.rps;
    let came: Vec<f64> = (0..service.readings()).map(|_| dice.poisson(rate / service.hz)).collect();
    let before = heap::recurse(&came, 1.0);
    let (mut swept, mut next) = (0.0, every);
    for reading in 0..service.readings() {
        let t = service.at(reading);
        if t >= next {
            next += every;
            let expired = ((t - life).max(0.0) * service.hz) as usize;
            swept = if t > life { before[expired] } else { 0.0 };
        }
        service.live[reading] += bytes * (before[reading] - swept);
    }
    service.settles_at(life + every);
}

/// The last entries of many sizes.
fn churn(service: &mut Service, dice: &mut Dice) {
    let entries = dice.log_uniform(50.0, 3e3) as usize;
    let (bytes, spread) = (dice.log_uniform(100.0, 5e3), dice.uniform(0.1, 0.8));
    let misses = dice.log_uniform(0.05, 1.0);
    let mut sizes = std::collections::VecDeque::with_capacity(entries + 1);
    let mut held = 0.0;
    for reading in 0..service.readings() {
        for _ in 0..dice.poisson(service.arrivals[reading] * misses) as usize {
            let size = bytes * (spread * dice.normal()).exp();
            held += size;
            sizes.push_back(size);
            if sizes.len() > entries {
                held -= sizes.pop_front().unwrap_or_default();
            }
        }
        service.live[reading] += held;
    }
    service.settles_at(entries as f64 / misses / service.rps);
}

/// Buffers of a managed runtime: native memory that its collector frees when it runs. Twice it must have run.
fn collector(service: &mut Service, dice: &mut Dice) {
    let every = dice.log_uniform(3.0, 90.0);
    let each = dice.log_uniform(100.0, 4e3);
    let (mut held, mut next) = (0.0, every);
    for reading in 0..service.readings() {
        if service.at(reading) >= next {
            held *= dice.uniform(0.0, 0.1);
            next += every * dice.uniform(0.8, 1.2);
        }
        held += each * service.arrivals[reading];
        service.live[reading] += held;
    }
    service.settles_at(2.0 * every);
}

fn capped(service: &mut Service, dice: &mut Dice) {
    let cap = dice.log_uniform(100e3, 60e6);
    let full = dice.uniform(0.05, 0.7) * service.seconds();
    let rate = cap / (full * service.rps);
    let mut held = 0.0_f64;
    for (live, arrivals) in service.live.iter_mut().zip(&service.arrivals) {
        held = (held + rate * arrivals).min(cap);
        *live += held;
    }
    service.settles_at(full);
}

/// Buffers that are made when first wanted, most of them early, and one that is filled and flushed.
fn lazy(service: &mut Service, dice: &mut Dice) {
    let length = service.seconds();
    for _ in 0..dice.whole(1, 5) {
        let (size, at) = (dice.log_uniform(1e3, 1e6), dice.log_uniform(0.01, 0.15 * length));
        service.add(|t| if t >= at { size } else { 0.0 });
        service.settles_at(at);
    }
    let (size, every) = (dice.log_uniform(4e3, 64e3), dice.log_uniform(0.2, 10.0));
    service.add(|t| size * (t / every).fract());
}

/// A worker is replaced: what it holds is gone, and fills again.
fn restart(service: &mut Service, dice: &mut Dice) {
    let at = (dice.uniform(0.15, 0.45) * service.readings() as f64) as usize;
    let before = service.live[0];
    let (keys, bytes) = (dice.log_uniform(50.0, 2e3).ceil(), dice.log_uniform(50e3, 4e6));
    let have = collected(service, dice, keys, 1.0);
    let fresh = dice.uniform(0.3, 1.0);
    let each = bytes / keys;
    for reading in 0..service.readings() {
        let since = reading.checked_sub(at).map_or(reading, |since| since);
        service.live[reading] += each * have[since] - if reading >= at { (1.0 - fresh) * before } else { 0.0 };
    }
    service.replaced_s.push(service.at(at));
    let left = (FILLED / each).min(1.0);
    service.settles_at(service.at(at) - keys * left.ln() / service.rps);
}
