use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, Poisson};

use super::*;
use crate::kept::Bins;
use crate::scenario::{Block, Code};
use crate::testing::{decoded, sound};
use steep_judge::units::SinceStart;

/// A soak whose requests are equally frequent, and one place that keeps what some of them ask for.
#[derive(Clone, Copy)]
struct Soaked {
    seconds: u32,
    bins_per_second: u32,
    names: usize,
    per_second: f64,
    is_coded: bool,
}

const CODED: Soaked = Soaked { seconds: 120, bins_per_second: 10, names: 4, per_second: 200.0, is_coded: true };

fn poisson(random: &mut ChaCha8Rng, expected: f64) -> f64 {
    if expected > 0.0 { Poisson::new(expected).expect("a rate").sample(random) } else { 0.0 }
}

impl Soaked {
    /// The expected requests of a name in the bin that begins at this second.
    fn expected(&self, code: &Code, name: usize, at_s: f64) -> f64 {
        let even = self.per_second / self.names as f64 / f64::from(self.bins_per_second);
        match code.at(SinceStart::from_secs_f64(at_s)) {
            Block::Idle => 0.0,
            Block::Coded(column) => even * Code::factor(name, column),
            Block::Plain => even,
        }
    }

    /// With as many sampled survivors for each request of a name, and each second, as `kept` says for the moment.
    fn series(&self, seed: u64, kept: impl Fn(Option<usize>, f64) -> f64) -> Series {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let phases = decoded(&sound(&format!("{}s", self.seconds), "")).phases;
        let code = Code::new(&phases[if self.is_coded { 0..phases.len() } else { 0..0 }], self.names);
        let mut requests: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut born_samples = Vec::new();
        let width_s = 1.0 / f64::from(self.bins_per_second);
        for bin in 0..self.seconds * self.bins_per_second {
            let at_s = f64::from(bin) * width_s;
            let mut born = kept(None, at_s) * width_s;
            for name in 0..self.names {
                let count = poisson(&mut random, self.expected(&code, name, at_s));
                requests.entry(format!("r{name}")).or_default().push(count as u64);
                born += count * kept(Some(name), at_s);
            }
            let samples = poisson(&mut random, born) as u32;
            if samples > 0 {
                born_samples.push((bin, samples));
            }
        }
        let edges = 0..=self.seconds * self.bins_per_second;
        let edges_s = edges.map(|edge| SinceStart::from_secs_f64(f64::from(edge) * width_s)).collect();
        let samples: u32 = born_samples.iter().map(|(_, samples)| samples).sum();
        let born_bytes = vec![0.0, 65_536.0 * f64::from(samples)];
        let stack = Stack { born_bytes, born_samples, ..Stack::default() };
        Series { bins: Some(Bins { edges_s, requests }), stacks: vec![stack], ..Series::default() }
    }

    fn asked(&self, seed: u64, kept: impl Fn(Option<usize>, f64) -> f64) -> Option<AskedBy> {
        AskedBy::of(&self.series(seed, kept), &[0], 3)
    }

    /// Of `runs`, how many name `r1` alone, and how many name anything else.
    fn right_and_wrong(&self, runs: u64, kept: impl Fn(Option<usize>, f64) -> f64) -> (usize, usize) {
        let found: Vec<AskedBy> = (0..runs).filter_map(|seed| self.asked(seed, &kept)).collect();
        let is_r1 = |found: &AskedBy| found.requests.len() == 1 && found.requests[0].name == "r1";
        let is_wrong = |found: &AskedBy| {
            let others = found.requests.iter().any(|asker| asker.name != "r1");
            others || found.every_request.is_some() || found.share_of_time.is_some()
        };
        let count = |of: &dyn Fn(&AskedBy) -> bool| found.iter().filter(|found| of(found)).count();
        (count(&is_r1), count(&is_wrong))
    }
}

/// This many survivors of each request of `r1`.
fn by_r1(each: f64) -> impl Fn(Option<usize>, f64) -> f64 {
    move |who, _| if who == Some(1) { each } else { 0.0 }
}

#[test]
fn the_request_that_asks_for_what_is_kept_is_named() {
    // 1 KiB of each request of r1, a sample each 64 KiB: some 80 survivors.
    let (right, wrong) = CODED.right_and_wrong(60, by_r1(1_024.0 / 65_536.0));
    assert!(right >= 58 && wrong == 0, "{right} right, {wrong} wrong");
    let found = CODED.asked(1, by_r1(1_024.0 / 65_536.0)).expect("survivors");
    let [asker] = found.requests.as_slice() else { panic!("{found:?}") };
    let bytes = asker.bytes_per_request;
    assert!(bytes.low.get() < 1_024.0 && bytes.high.get() > 1_024.0 && asker.share > 0.8, "{found:?}");
    let words = found.in_words().expect("a name");
    assert!(words.starts_with("asked for by `r1` (") && words.ends_with(" of it)"), "{words}");
}

#[test]
fn ordinary_traffic_names_it_as_well_where_there_are_more_survivors() {
    let plain = Soaked { is_coded: false, ..CODED };
    let (right, wrong) = plain.right_and_wrong(40, by_r1(4_096.0 / 65_536.0));
    assert!(right >= 38 && wrong == 0, "{right} right, {wrong} wrong");
}

#[test]
fn a_request_that_is_completed_three_bins_later_is_named_as_well() {
    let mut named = 0;
    for seed in 0..20 {
        let mut series = CODED.series(seed, by_r1(0.03));
        let bins = series.bins.as_mut().expect("bins");
        bins.requests.values_mut().for_each(|counts| {
            counts.rotate_right(3);
            counts[..3].fill(0);
        });
        let found = AskedBy::of(&series, &[0], 1).expect("survivors");
        assert!(found.requests.iter().all(|asker| asker.name == "r1"), "{found:?}");
        named += found.requests.len();
    }
    assert!(named >= 18, "{named} of 20");
}

#[test]
fn without_thirty_survivors_nobody_is_named() {
    assert_eq!(CODED.asked(1, by_r1(0.003)), None);
    assert_eq!(AskedBy::of(&Series::default(), &[], 1), None);
}

#[test]
fn what_time_brings_is_laid_on_no_request() {
    let mut by_time = 0;
    for seed in 0..60 {
        let found = CODED.asked(seed, |who, _| if who.is_none() { 1.5 } else { 0.0 }).expect("survivors");
        assert!(found.requests.is_empty() && found.every_request.is_none(), "{found:?}");
        by_time += usize::from(found.share_of_time.is_some());
    }
    assert!(by_time >= 55, "{by_time}");
}

#[test]
fn what_every_request_keeps_is_said_of_every_request() {
    let (mut every, mut several) = (0, 0);
    for seed in 0..40 {
        let found = CODED.asked(seed, |who, _| if who.is_some() { 0.02 } else { 0.0 }).expect("survivors");
        every += usize::from(found.every_request.is_some());
        several += usize::from(!found.requests.is_empty());
    }
    assert!(every >= 34 && several <= 2, "{every} of every request, {several} of some");
}

#[test]
fn two_requests_that_ask_for_it_are_both_named() {
    let found = CODED.asked(3, |who, _| if matches!(who, Some(0 | 2)) { 0.05 } else { 0.0 }).expect("survivors");
    let mut names: Vec<&str> = found.requests.iter().map(|asker| asker.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!((names, found.every_request), (vec!["r0", "r2"], None));
}

#[test]
fn of_what_fills_or_turns_over_nobody_is_named() {
    let fills = CODED.asked(1, |who, at_s| by_r1(0.1)(who, at_s) * (-at_s / 40.0).exp()).expect("survivors");
    assert_eq!((fills.survival, fills.requests.len()), (Survival::OfTheOld, 0));
    let words = fills.in_words().expect("nobody can say");
    assert!(words.contains("a cache that still fills or a leak that slows"), "{words}");
    let turns = CODED.asked(1, |who, at_s| by_r1(0.1)(who, at_s) * ((at_s - 120.0) / 30.0).exp()).expect("survivors");
    assert_eq!((turns.survival, turns.requests.len(), turns.in_words()), (Survival::OfTheYoung, 0, None));
}

#[test]
fn steps_that_always_come_together_are_one_name() {
    let mut series = CODED.series(1, by_r1(0.05));
    let bins = series.bins.as_mut().expect("bins");
    let pay = bins.requests["r1"].iter().map(|count| 2 * count).collect();
    bins.requests.insert("pay".to_owned(), pay);
    let found = AskedBy::of(&series, &[0], 1).expect("survivors");
    assert_eq!(found.requests.iter().map(|asker| asker.name.as_str()).collect::<Vec<_>>(), ["pay + r1"]);
}
