//! Stacks of all cells, held against each other: chains of calls that grow in the same cells are one signal, and the
//! cells in which it grows are a code word for its cause. What no signal accounts for is the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::filling::{Slowdown, kept};
pub(crate) use super::stacks::Level;
use super::stacks::{CellStacks, ChainGrowth, Halves, Shape};

/// A chain that grows in some cell by this many standard errors is followed through all cells: there are hundreds in
/// each, and chance makes 1 in 30,000 look so.
const SURE: f64 = 4.0;

/// A signal grows by this share of what is worth finding in some cell. What is smaller is a part of the rest.
const LEAST: f64 = 0.5;

/// Chains are apart where a cell differs by more than this many standard errors.
const APART: f64 = 3.0;

/// And where all cells together do: the sum of their squares has a mean of one for each, and a deviation of 1.4 times
/// the root of their number.
const ALL_APART: f64 = 2.0;

/// Chains with this many inner calls in common may be one that is called by another way: a wrapper that a flag adds.
/// One call alone may be a helper.
const INNER: usize = 2;

/// Places that are kept of a signal.
const PLACES: usize = 3;

/// Chains that grow in the same cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signal {
    /// The lines that keep, the largest first.
    pub(crate) places: Vec<String>,
    /// The calls of the largest chain.
    pub(crate) calls: Vec<String>,
    /// Growth in each cell; none: its stacks were not looked at.
    pub(crate) levels: Vec<Option<Level>>,
    /// How likely it is that what grows is kept, and does not fill something and stop.
    pub(crate) kept: f64,
}

/// All signals, and what they leave.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) all: Vec<Signal>,
    /// Of each cell what is kept beside the signals, in units of what is worth finding, with its standard error; none:
    /// its stacks were not looked at.
    pub(crate) rest: Vec<Option<(f64, f64)>>,
}

impl Signals {
    /// Of `cells`, where `worth` bytes for each request are worth finding, and of which all together slowed down so.
    pub(crate) fn of(cells: &[Option<&CellStacks>], sums: &[Option<Slowdown>], worth: f64) -> Self {
        let mut tracks = tracks(cells, worth);
        tracks.sort_by(|one, other| other.total().total_cmp(&one.total()));
        let signals = by_code_word(by_other_ways(tracks));
        let (signals, _): (Vec<Track<'_>>, Vec<Track<'_>>) = signals
            .into_iter()
            .partition(|track| track.levels.iter().flatten().any(|level| level.grows && level.growth >= LEAST));
        let apart: BTreeSet<&[String]> = signals.iter().flat_map(|track| track.chains.iter().copied()).collect();
        let rest = |cell: Option<&CellStacks>| Some(cell?.rest(|chain| apart.contains(&chain.calls[..]), worth));
        Self {
            rest: cells.iter().copied().map(rest).collect(),
            all: signals.into_iter().map(|track| track.signal(sums)).collect(),
        }
    }

    /// What the signals add up to in a cell, with the standard error: none where none of them may be at work there.
    pub(crate) fn at(&self, cell: usize) -> Option<(f64, f64)> {
        let levels = || self.all.iter().filter_map(|signal| signal.levels[cell]);
        let is_present = |level: Level| level.grows || level.growth + 2.0 * level.error >= LEAST;
        levels().any(is_present).then(|| {
            let square: f64 = levels().map(|level| level.error * level.error).sum();
            (levels().map(|level| level.growth).sum(), square.sqrt())
        })
    }
}

/// A chain, or several, in all cells.
struct Track<'s> {
    /// The largest first.
    chains: Vec<&'s [String]>,
    /// Growth of each line that was named for it, over all cells.
    places: BTreeMap<&'s str, f64>,
    levels: Vec<Option<Level>>,
    halves: Vec<Option<Halves>>,
}

impl Track<'_> {
    fn total(&self) -> f64 {
        self.levels.iter().flatten().map(|level| level.growth).sum()
    }

    /// What grew in the halves of all cells.
    fn halves(&self) -> Option<Halves> {
        self.halves.iter().flatten().cloned().reduce(|sum, halves| sum.with(&halves))
    }

    fn slows_like(&self, other: &Self) -> bool {
        self.halves().zip(other.halves()).is_none_or(|(own, other)| own.is_like(&other))
    }

    fn take(&mut self, other: Self) {
        self.chains.extend(other.chains);
        for (place, growth) in other.places {
            *self.places.entry(place).or_default() += growth;
        }
        for (own, other) in self.levels.iter_mut().zip(other.levels) {
            *own = own.zip(other).map(|(own, other)| Level {
                growth: own.growth + other.growth,
                error: own.error.hypot(other.error),
                grows: own.grows || other.grows,
            });
        }
        for (own, other) in self.halves.iter_mut().zip(other.halves) {
            *own = match (own.take(), other) {
                (Some(own), Some(other)) => Some(own.with(&other)),
                (own, other) => own.or(other),
            };
        }
    }

    fn signal(self, sums: &[Option<Slowdown>]) -> Signal {
        let halves = self.halves.iter().zip(sums).filter_map(|(halves, sum)| Some((halves.as_ref()?, *sum)));
        let kept = kept(halves);
        let mut places: Vec<(&str, f64)> = self.places.into_iter().collect();
        places.sort_by(|one, other| other.1.total_cmp(&one.1));
        Signal {
            places: places.into_iter().take(PLACES).map(|(place, _)| place.to_owned()).collect(),
            calls: self.chains.first().map(|calls| calls.to_vec()).unwrap_or_default(),
            levels: self.levels,
            kept,
        }
    }
}

/// Chains that grow for sure in some cell, each in all cells.
fn tracks<'s>(cells: &[Option<&'s CellStacks>], worth: f64) -> Vec<Track<'s>> {
    let chains = || cells.iter().flatten().flat_map(|cell| &cell.chains);
    let is_sure = |chain: &&ChainGrowth| chain.shape == Shape::Grows && chain.evidence() >= SURE;
    let mut sure: BTreeSet<&[String]> = chains().filter(is_sure).map(|chain| &chain.calls[..]).collect();
    // Or by what all cells show together, each weighed alike: the table of a map is a few samples in each.
    let mut evidence: BTreeMap<&[String], f64> = BTreeMap::new();
    for chain in chains().filter(|chain| chain.shape == Shape::Grows) {
        *evidence.entry(&chain.calls[..]).or_default() += chain.evidence();
    }
    let looked_at = cells.iter().flatten().count() as f64;
    sure.extend(evidence.into_iter().filter(|(_, sum)| *sum >= SURE * looked_at.sqrt()).map(|(calls, _)| calls));
    let track = |calls: &'s [String]| {
        let mut places: BTreeMap<&str, f64> = BTreeMap::new();
        for chain in chains().filter(|chain| chain.calls == calls && chain.shape == Shape::Grows) {
            *places.entry(chain.place.as_str()).or_default() += chain.growth.value.get();
        }
        // The line that most of its growth was named for: the others are helpers that looked like it in some cell.
        let most = places.iter().max_by(|one, other| one.1.total_cmp(other.1)).map(|(place, growth)| (*place, *growth));
        let levels = cells.iter().map(|cell| cell.map(|cell| cell.level(calls, worth))).collect();
        let halves = cells.iter().map(|cell| cell.and_then(|cell| cell.halves(calls, worth))).collect();
        Track { chains: vec![calls], places: most.into_iter().collect(), levels, halves }
    };
    sure.into_iter().map(track).collect()
}

/// Chains with the same inner calls that never grow in the same cell are one, which a flag makes to be called by
/// another way.
fn by_other_ways(tracks: Vec<Track<'_>>) -> Vec<Track<'_>> {
    let inner = |one: &[String], other: &[String]| {
        let common = one.iter().zip(other).take_while(|(one, other)| one == other).count();
        common >= INNER.min(one.len()).min(other.len())
    };
    let is_absent = |level: &Level| !level.grows && level.growth <= APART * level.error;
    let mut merged: Vec<Track<'_>> = Vec::new();
    for track in tracks {
        let is_same = |other: &&mut Track<'_>| {
            let apart = other.levels.iter().zip(&track.levels).all(|(one, other)| match (one, other) {
                (Some(one), Some(other)) => is_absent(one) || is_absent(other),
                _ => true,
            });
            apart && inner(other.chains[0], track.chains[0])
        };
        match merged.iter_mut().find(is_same) {
            Some(other) => other.take(track),
            None => merged.push(track),
        }
    }
    merged
}

/// Chains that grow in the same cells, in the same proportion, and slow down alike, are one signal: nothing tells their
/// causes apart.
fn by_code_word(tracks: Vec<Track<'_>>) -> Vec<Track<'_>> {
    let mut merged: Vec<Track<'_>> = Vec::new();
    for track in tracks {
        let alike = merged.iter_mut().filter(|other| other.slows_like(&track));
        let likest = alike.filter_map(|other| Some((distance(&other.levels, &track.levels)?, other)));
        match likest.min_by(|one, other| one.0.total_cmp(&other.0)) {
            Some((_, other)) => other.take(track),
            None => merged.push(track),
        }
    }
    merged
}

/// How far `small` is from a share of `large`; none: too far in some cell.
fn distance(large: &[Option<Level>], small: &[Option<Level>]) -> Option<f64> {
    let pairs = || large.iter().zip(small).filter_map(|(large, small)| large.as_ref().zip(small.as_ref()));
    let weigh = |of: &dyn Fn(&Level, &Level) -> f64| -> f64 {
        pairs().map(|(large, small)| of(large, small) / (small.error * small.error)).sum()
    };
    let share = weigh(&|large, small| large.growth * small.growth) / weigh(&|large, _| large.growth * large.growth);
    let beyond = pairs().map(|(large, small)| {
        let error = small.error.hypot(share * large.error);
        ((small.growth - share * large.growth) / error).abs()
    });
    let beyond: Vec<f64> = beyond.collect();
    let sum: f64 = beyond.iter().map(|beyond| beyond * beyond).sum();
    // Cells in which neither grows agree on nothing.
    let telling = pairs().filter(|(large, small)| large.grows || small.grows).count() as f64;
    let is_near = share > 0.0 && beyond.iter().all(|beyond| *beyond <= APART);
    (is_near && sum <= telling + ALL_APART * telling.sqrt()).then_some(sum)
}
