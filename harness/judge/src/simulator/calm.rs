//! What memory does without a leak.

use super::Service;
use super::draw::Dice;
use super::family::Family;
use super::heap;

/// Keys of a cache are told apart in this many groups of equal popularity.
const KEY_GROUPS: usize = 400;

/// Adds what the family of `service` does. `noise`: the standard deviation of its noise, in bytes.
pub(super) fn shape(service: &mut Service, noise: f64, dice: &mut Dice) {
    let (length, seconds, base) = (service.length(), service.seconds(), service.base);
    match service.family {
        Family::White => {
            service.live = (0..length).map(|_| base + noise * dice.normal()).collect();
            service.decay = 0.0;
        }
        Family::LongMemory => wander(service, (60.0, 300.0), (0.002, 0.02), dice),
        Family::Wandering => wander(service, (0.15 * seconds, 0.6 * seconds), (0.003, 0.03), dice),
        Family::LeakNoisy => wander(service, (60.0, 300.0), (0.003, 0.03), dice),
        Family::Ratchet | Family::LeakRatchet => service.decay = f64::INFINITY,
        Family::WarmUp | Family::LeakWarmUp => {
            for _ in 0..dice.whole(1, 4) {
                let (amplitude, tau) = (dice.log_uniform(0.02, 0.4), dice.log_uniform(0.005, 0.12) * seconds);
                warm_up(service, amplitude, tau);
            }
        }
        Family::SlowWarmUp => {
            let (amplitude, share) = (dice.log_uniform(0.02, 0.3), dice.uniform(0.15, 0.5));
            warm_up(service, amplitude, share * seconds);
        }
        Family::LeakWarmMinute => {
            let amplitude = dice.log_uniform(0.02, 0.4);
            warm_up(service, amplitude, 60.0);
        }
        Family::Creep => creep(service, (5.0, 60.0), dice),
        Family::WarmCreep => {
            let (amplitude, tau) = (dice.log_uniform(0.02, 0.4), dice.uniform(45.0, 240.0));
            warm_up(service, amplitude, tau);
            creep(service, (5.0, 60.0), dice);
        }
        Family::CappedCache => capped_cache(service, dice),
        Family::HardCap => hard_cap(service, dice),
        Family::LeakHardCap => {
            hard_fill(service, dice);
        }
        Family::MarksJump => marks_that_jump(service, dice),
        Family::Sawtooth | Family::LeakSawtooth => sawtooth(service, dice),
        Family::Diurnal | Family::LeakDiurnal => {
            let first = service.load.relative.first().copied().unwrap_or_default();
            let amplitude = base * dice.log_uniform(0.02, 0.2);
            follow_load(service, 0.05, amplitude, first);
        }
        Family::Spikes | Family::LeakSpikes => {
            let amplitude = base * dice.log_uniform(0.005, 0.05);
            follow_load(service, 0.1, amplitude, 1.0);
            service.decay = dice.choose(&[10.0, 60.0, f64::INFINITY]);
        }
        Family::Levels | Family::LeakLevels | Family::IdleMiddle | Family::IdleEnd | Family::ClosedLoop => {
            let amplitude = base * dice.log_uniform(0.002, 0.05);
            follow_load(service, 0.1, amplitude, 1.0);
        }
        Family::EarlySteps => early_steps(service, dice),
        Family::ArenaRatchet => arenas(service, dice),
        Family::ZipfCache => zipf_cache(service, dice),
        Family::Stalls | Family::LeakStalls => bursts_kept(service, dice),
        Family::Purge => purge(service, dice),
        _ => {}
    }
}

fn wander(service: &mut Service, times: (f64, f64), shares: (f64, f64), dice: &mut Dice) {
    let deviation = dice.log_uniform(shares.0, shares.1) * service.base;
    let wandering = dice.autoregressive(service.length(), times, deviation);
    service.add_all(&wandering);
}

fn warm_up(service: &mut Service, amplitude: f64, tau: f64) {
    let height = amplitude * service.base;
    service.settled = service.settled.max(2.5 * tau);
    service.add(|t| height * (1.0 - (-t / tau).exp()));
}

fn creep(service: &mut Service, scales: (f64, f64), dice: &mut Dice) {
    let height = dice.log_uniform(0.002, 0.03) * service.base;
    let scale = dice.log_uniform(scales.0, scales.1);
    service.add(|t| height * (t / scale).ln_1p());
}

/// Of fresh keys, or of random ones.
fn capped_cache(service: &mut Service, dice: &mut Dice) {
    let cap = dice.log_uniform(0.05, 0.6) * service.base;
    let full = dice.uniform(0.15, 0.6) * service.seconds();
    service.settled = full;
    let fresh = dice.share() < 0.5;
    service.add(|t| {
        let x = t / full;
        cap * if fresh { x.min(1.0) } else { (1.02 * (1.0 - (-4.0 * x).exp())).min(1.0) }
    });
}

/// A cache of fresh keys up to a cap: its size, and when it is full. A cache of 96 MiB was seen to fill a service of 35
/// MiB within a third of three minutes.
fn hard_fill(service: &mut Service, dice: &mut Dice) -> (f64, f64) {
    let cap = dice.log_uniform(0.1, 3.0) * service.base;
    let full = dice.uniform(0.2, 0.7) * service.seconds();
    service.settled = full;
    service.add(|t| cap * (t / full).min(1.0));
    (cap, full)
}

/// Once it is full it evicts and inserts, and the heap that it lives in creeps on, more slowly with each turnover: the
/// one that was seen by 13 of 131 MiB within two turnovers.
fn hard_cap(service: &mut Service, dice: &mut Dice) {
    let (cap, full) = hard_fill(service, dice);
    let height = dice.log_uniform(0.01, 0.15) * cap;
    let turnover = dice.uniform(0.5, 3.0) * full;
    let ends = dice.share() < 0.5;
    service.add(|t| {
        let turnovers = (t - full).max(0.0) / turnover;
        height * if ends { 1.0 - (-turnovers).exp() } else { turnovers.ln_1p() }
    });
}

/// Two marks, which documents that are parsed and freed left in glibc's arenas; of half of the services a part is given
/// back at some time after.
fn marks_that_jump(service: &mut Service, dice: &mut Dice) {
    let seconds = service.seconds();
    let first = dice.uniform(0.12, 0.45) * seconds;
    let second = (first * dice.uniform(1.5, 3.0)).min(0.78 * seconds);
    let height = dice.log_uniform(0.02, 0.4) * service.base;
    let higher = dice.uniform(1.5, 3.0) * height;
    let (back, when) = (dice.uniform(0.2, 0.5), dice.uniform(0.2, 0.95) * seconds);
    let given = if dice.share() < 0.5 { back * (height + higher) } else { 0.0 };
    service.settled = second;
    service.add(|t| {
        let up = if t >= first { height } else { 0.0 } + if t >= second { higher } else { 0.0 };
        up - if t >= when { given.min(up) } else { 0.0 }
    });
    service.decay = dice.choose(&[0.0, 10.0]);
}

fn sawtooth(service: &mut Service, dice: &mut Dice) {
    let period = dice.log_uniform(30.0, (service.seconds() / 4.0).max(60.0));
    let height = dice.log_uniform(0.01, 0.2) * service.base;
    let phase = dice.uniform(0.0, period);
    let jitter = if dice.share() < 0.5 { 0.05 * period.sqrt() } else { 0.0 };
    let steps: Vec<f64> = (0..service.length()).map(|_| jitter * dice.normal()).collect();
    let duty = dice.uniform(0.2, 1.0);
    let jitters = heap::recurse(&steps, 1.0);
    service.add(|t| {
        let place = (t + phase + jitters[t as usize]).rem_euclid(period) / period;
        if place < duty { height * place / duty } else { 0.0 }
    });
}

fn follow_load(service: &mut Service, gain: f64, amplitude: f64, from: f64) {
    let relative: Vec<f64> = service.load.relative.iter().map(|rate| rate - from).collect();
    let felt = heap::follow(&relative, gain);
    service.add(|t| amplitude * felt[t as usize]);
}

fn early_steps(service: &mut Service, dice: &mut Dice) {
    let (rate, most) = (dice.log_uniform(50.0, 3000.0), dice.uniform(2e4, 4e6));
    let stop = dice.uniform(0.1, 0.5) * service.seconds();
    service.settled = 1.6 * stop;
    service.add(|t| 24.0 * (t.min(stop) * rate).min(most).max(1024.0).log2().ceil().exp2());
}

fn arenas(service: &mut Service, dice: &mut Dice) {
    for _ in 0..dice.whole(3, 9) {
        let (size, shape) = (service.base * dice.log_uniform(0.0003, 0.003), dice.uniform(2.2, 4.0));
        let bursts: Vec<f64> =
            (0..service.length()).map(|_| if dice.share() < 0.05 { size * dice.lomax(shape) } else { 0.0 }).collect();
        service.add_all(&heap::high_water(&bursts));
    }
}

/// "Settled" is four fifths full.
fn zipf_cache(service: &mut Service, dice: &mut Dice) {
    let exponent = dice.uniform(0.8, 1.3);
    let popularity: Vec<f64> = (1..=KEY_GROUPS).map(|rank| (rank as f64).powf(-exponent)).collect();
    let total: f64 = popularity.iter().sum();
    let pace = KEY_GROUPS as f64 * dice.log_uniform(3.0, 30.0) / service.seconds();
    // e^(−rate·t) by repeated multiplication: one exponential for each key instead of one for each key and second.
    let shrinks: Vec<f64> = popularity.iter().map(|p| (-p / total * pace).exp()).collect();
    let mut missing = vec![1.0; KEY_GROUPS];
    let mut filled = Vec::with_capacity(service.length());
    for _ in 0..service.length() {
        filled.push(1.0 - missing.iter().sum::<f64>() / KEY_GROUPS as f64);
        missing.iter_mut().zip(&shrinks).for_each(|(missing, shrink)| *missing *= shrink);
    }
    let settled = filled.iter().position(|filled| *filled > 0.8);
    service.settled = settled.map_or(f64::INFINITY, |t| t as f64);
    let height = dice.log_uniform(0.03, 0.3) * service.base;
    service.add(|t| height * filled[t as usize]);
}

/// Bursts of a starved generator need memory, of which a part is kept.
fn bursts_kept(service: &mut Service, dice: &mut Dice) {
    let (height, kept) = (dice.log_uniform(0.0005, 0.01) * service.base, dice.uniform(0.5, 1.0));
    let typical = service.load.requests.iter().sum::<f64>() / service.seconds();
    let bursts: Vec<f64> =
        service.load.requests.iter().map(|requests| height * (requests / typical - 1.0).max(0.0)).collect();
    let marks = heap::high_water(&bursts);
    service.add(|t| kept * marks[t as usize] + (1.0 - kept) * bursts[t as usize]);
}

fn purge(service: &mut Service, dice: &mut Dice) {
    let (base, seconds) = (service.base, service.seconds());
    let when = (dice.uniform(0.05, 0.6) * seconds).floor();
    let (drop, rise) = (dice.log_uniform(0.01, 0.15) * base, dice.log_uniform(0.01, 0.1) * base);
    service.add(|t| rise * (-t / (0.1 * seconds)).exp() - if t >= when { drop } else { 0.0 });
    service.decay = 40.0;
}
