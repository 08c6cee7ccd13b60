//! Growth by chains of calls, as it is compared from cell to cell: cells of other features, other builds, other
//! addresses.

use std::collections::BTreeMap;

use super::growth::{Line, line};
use super::{Cause, Frame, Series};
use steep_judge::isolation::{CellStacks, ChainGrowth, Shape};
use steep_judge::units::{BytesPerRequest, Estimate, HALF_WIDTH};

/// Chains that are listed of a cell, those that keep most. A program of which more leak has more to mend first.
const LISTED: usize = 64;

/// A chain is listed if it may keep this many times what one sample stands for.
const LEAST_SAMPLES: f64 = 4.0;

/// Fewer snapshots than this have no halves to compare.
const LEAST_SNAPSHOTS: usize = 8;

/// What grows does so in the earlier half of the time by this share of what it does in all of it; and in the later half
/// by [`Shape::LATER`].
const EARLIER: f64 = 0.25;

/// The stairs of a container that doubles: each step a share of the whole rise, all of them nearly all of it.
const STEP: f64 = 0.15;
/// See [`STEP`].
const IN_STEPS: f64 = 0.8;
/// A container doubles after twice as many requests as the last time, which an uneven load may draw out (as in the
/// judge's doublings).
const NEXT_AFTER: f64 = 2.0 * 1.15;
/// How far the growth of one cell with two or three steps may be off that of another, as a share.
const OF_STAIRS: f64 = 0.2;

/// The growth of each chain, and of all others together, of a cell whose `causes` are known; none where the snapshots
/// are too few, or no requests lie between them.
#[must_use]
pub fn chains(series: &Series, causes: &[Cause]) -> Option<CellStacks> {
    let requests: Vec<f64> = series.snapshots.iter().map(|moment| moment.completed as f64).collect();
    let span = requests.last()? - requests.first()?;
    if requests.len() < LEAST_SNAPSHOTS || span <= 0.0 {
        return None;
    }
    let every = series.sample_every_bytes as f64;
    let unseen = every / span;
    let mut others = Sum { value: 0.0, square: unseen * unseen, unseen };
    let mut chains = Vec::new();
    for chain in by_calls(series) {
        let (growth, shape, halves) = Kept { requests: &requests, live: &chain.live, every }.growth();
        let is_listed =
            shape != Shape::Flat || growth.value.get() > 0.0 && growth.high.get() * span >= LEAST_SAMPLES * every;
        if is_listed {
            let place = place(&chain.frames, causes);
            chains.push(ChainGrowth { calls: chain.calls, place, growth, shape, halves });
        } else {
            others.add(growth);
        }
    }
    chains.sort_by(|one, other| other.growth.high.get().total_cmp(&one.growth.high.get()));
    chains.drain(LISTED.min(chains.len())..).for_each(|chain| others.add(chain.growth));
    let unseen = BytesPerRequest::new(unseen);
    Some(CellStacks { chains, others: estimate(others.value, others.square.sqrt()), unseen })
}

/// What several chains keep together. Each by itself: the sum of what stands still, of what comes and goes and of what
/// is allocated and freed all the time would be as noisy as the worst of them.
struct Sum {
    value: f64,
    square: f64,
    /// The error that each has at least, for the next sample may be one of any of them: of all together it is one.
    unseen: f64,
}

impl Sum {
    fn add(&mut self, growth: Estimate<BytesPerRequest>) {
        let growth = growth.map(BytesPerRequest::get);
        let error = growth.error();
        self.value += growth.value;
        self.square += (error * error - self.unseen * self.unseen).max(0.0);
    }
}

/// Stacks with the same own functions.
struct Chain<'s> {
    calls: Vec<String>,
    frames: Vec<&'s Frame>,
    live: Vec<f64>,
}

fn by_calls(series: &Series) -> impl Iterator<Item = Chain<'_>> {
    let mut chains: BTreeMap<Vec<String>, Chain<'_>> = BTreeMap::new();
    for stack in series.stacks.iter().filter(|stack| stack.live_bytes.len() == series.snapshots.len()) {
        let frames = super::own_calls::own(&series.frames_of(stack));
        let mut calls: Vec<String> = frames.iter().map(|frame| called(frame)).collect();
        // Whether a closure is inlined depends on what is built.
        calls.dedup();
        let live = vec![0.0; series.snapshots.len()];
        let chain = chains.entry(calls.clone()).or_insert_with(|| Chain { calls, frames, live });
        add(&mut chain.live, &stack.live_bytes);
    }
    chains.into_values()
}

/// A function by its file and name. Lines differ between revisions, and the numbers of closures between sets of
/// features.
pub(crate) fn called(frame: &Frame) -> String {
    let is_number = |letter: char| letter.is_ascii_digit();
    let mut name = String::new();
    let mut parts = frame.function.split('#');
    name.push_str(parts.next().unwrap_or_default());
    parts.for_each(|part| name.push_str(part.trim_start_matches(is_number)));
    match frame.file.as_str() {
        "" => name,
        file => format!("{file} {name}"),
    }
}

/// The line that keeps: of the cause that the chain belongs to, or else the innermost one.
fn place(frames: &[&Frame], causes: &[Cause]) -> String {
    let of_cause = causes.iter().find(|cause| frames.contains(&&cause.frame)).map(|cause| cause.frame.place());
    of_cause.or_else(|| frames.first().map(|frame| frame.place())).unwrap_or_default()
}

fn add(sum: &mut [f64], more: &[f64]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// What a chain had alive at each snapshot.
struct Kept<'k> {
    requests: &'k [f64],
    live: &'k [f64],
    every: f64,
}

impl Kept<'_> {
    /// How it grows, by the same caution as memory as a whole: a cache that fills, and a batch that is alive at some
    /// snapshots, keep nothing. With the halves of what may slow down.
    fn growth(&self) -> (Estimate<BytesPerRequest>, Shape, Option<[Estimate<BytesPerRequest>; 2]>) {
        let Some(whole) = line(self.requests, self.live, self.every) else {
            return (estimate(0.0, 0.0), Shape::Flat, None);
        };
        if let Some(slope) = self.stairs() {
            return (estimate(slope, OF_STAIRS * slope), Shape::Grows, None);
        }
        let returns = self.given_back();
        if whole.slope <= HALF_WIDTH * whole.error || !self.stays(whole.slope) {
            // What comes and goes says nothing by its peaks: what is left between them does.
            let least = [Some(whole), returns].into_iter().flatten();
            let best = least.min_by(|one, other| one.error.total_cmp(&other.error)).unwrap_or(whole);
            return (best.estimate(), Shape::Flat, None);
        }
        let half = self.requests.len() / 2;
        let part = |from: usize, to: usize| line(&self.requests[from..to], &self.live[from..to], self.every);
        let (Some(earlier), Some(later)) = (part(0, half), part(half, self.requests.len())) else {
            return (whole.estimate(), Shape::Flat, None);
        };
        // What grows late, or once, is not a fill that halves could tell.
        let begins_early = earlier.slope + earlier.error >= EARLIER * whole.slope;
        let goes_on = later.slope + later.error >= Shape::LATER * whole.slope;
        let halves = begins_early.then(|| [earlier.estimate(), later.estimate()]);
        if begins_early && goes_on {
            (whole.estimate(), Shape::Grows, halves)
        } else {
            (later.estimate(), Shape::Slows, halves)
        }
    }

    /// The smallest value in each quarter of the snapshots.
    fn quarters(&self) -> [f64; 4] {
        let each = self.live.len() / 4;
        let least = |from: usize| self.live[from..from + each].iter().copied().fold(f64::INFINITY, f64::min);
        [0, 1, 2, 3].map(|quarter| least(quarter * (self.live.len() - each) / 3))
    }

    /// Requests between the first and the last of the quarters.
    fn between(&self) -> f64 {
        let (count, each) = (self.live.len(), self.live.len() / 4);
        self.requests[count - each] - self.requests[0]
    }

    /// Whether what is never given back grows as well, most of it by the third quarter: what is alive at the last
    /// snapshots only may be given back after them.
    fn stays(&self, slope: f64) -> bool {
        let [first, _, third, last] = self.quarters();
        let whole = slope * self.between();
        last - first >= 0.5 * whole && third - first >= 0.25 * whole
    }

    /// Growth of what is never given back.
    fn given_back(&self) -> Option<Line> {
        let [first, .., last] = self.quarters();
        let between = self.between();
        let error = (self.every * (first + last).max(self.every)).sqrt() / between;
        (between > 0.0).then(|| Line { slope: (last - first) / between, error })
    }

    /// Growth in at least two steps of which each is larger than the one before, and the next of which is not overdue:
    /// a container that doubles. None if it does not: the table of a full cache stands where it doubled last.
    fn stairs(&self) -> Option<f64> {
        let (first, last) = (*self.live.first()?, *self.live.last()?);
        let rise = last - first;
        let steps: Vec<f64> = self.live.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if rise < LEAST_SAMPLES * self.every || steps.iter().any(|step| *step < -STEP * rise) {
            return None;
        }
        let large: Vec<(f64, f64)> = steps
            .iter()
            .zip(&self.requests[1..])
            .filter(|(step, _)| **step >= STEP * rise)
            .map(|(s, at)| (*s, *at))
            .collect();
        let is_doubling = large.len() >= 2 && large.windows(2).all(|pair| pair[1].0 >= 1.5 * pair[0].0);
        let in_steps: f64 = large.iter().map(|(step, _)| step).sum();
        let (end, span) = (*self.requests.last()?, self.requests.last()? - self.requests.first()?);
        // Of snapshots it is known within one when it doubled.
        let each = span / steps.len() as f64;
        let is_due = large.windows(2).last().is_some_and(|pair| {
            let [(_, before), (_, last)] = [pair[0], pair[1]];
            end - last <= NEXT_AFTER * (last - before + each) + each
        });
        (is_doubling && is_due && in_steps >= IN_STEPS * rise).then(|| rise / span)
    }
}

fn estimate(value: f64, error: f64) -> Estimate<BytesPerRequest> {
    Estimate::normal(value, error).map(BytesPerRequest::new)
}

impl Line {
    fn estimate(self) -> Estimate<BytesPerRequest> {
        estimate(self.slope, self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::{Moment, SCHEMA, Stack, causes, growth};

    const EVERY: f64 = 32_768.0;

    fn frame(function: &str) -> Frame {
        Frame { function: function.to_owned(), file: "src/shop.rs".to_owned(), line: 7, is_own: true }
    }

    /// A cell in which each of these stacks had this many bytes alive after 1,000, 2,000, … requests.
    fn series(stacks: &[(&str, &dyn Fn(f64) -> f64)]) -> Series {
        let count = 16;
        let snapshots = (0..count).map(|at| Moment { completed: 1_000 + at * 500, ..Moment::default() });
        let snapshots: Vec<Moment> = snapshots.collect();
        let stack = |(number, (_, live)): (usize, &(&str, &dyn Fn(f64) -> f64))| {
            let live_bytes: Vec<f64> = snapshots.iter().map(|moment| live(moment.completed as f64)).collect();
            Stack { frames: vec![number], allocated_bytes: live_bytes.clone(), live_bytes, ..Stack::default() }
        };
        Series {
            schema: SCHEMA,
            sample_every_bytes: EVERY as u64,
            frames: stacks.iter().map(|(name, _)| frame(name)).collect(),
            stacks: stacks.iter().enumerate().map(stack).collect(),
            snapshots,
            ..Series::default()
        }
    }

    fn shapes(series: &Series) -> Vec<(String, Shape, i64)> {
        let stacks = chains(series, &causes(series, &growth(series))).expect("stacks");
        let said = |chain: &ChainGrowth| (chain.calls[0].clone(), chain.shape, chain.growth.value.get().round() as i64);
        let mut chains: Vec<_> = stacks.chains.iter().map(said).collect();
        chains.sort_by(|one, other| one.0.cmp(&other.0));
        chains
    }

    #[test]
    fn what_fills_slows_and_what_is_kept_grows() {
        let fills = |requests: f64| 4e6 * (1.0 - (-requests / 2_500.0).exp());
        let doubles = |requests: f64| 2_f64.powf((requests * 512.0).log2().floor());
        let found = shapes(&series(&[
            ("keeps", &|requests| 600.0 * requests),
            ("fills", &fills),
            ("doubles", &doubles),
            ("is_full", &|_| 5e6),
        ]));
        let of = |name: &str| {
            found.iter().find(|(calls, ..)| calls.ends_with(name)).map(|(_, shape, growth)| (*shape, *growth))
        };
        assert_eq!(of("keeps"), Some((Shape::Grows, 600)));
        assert!(matches!(of("fills"), Some((Shape::Slows, 50..=250))), "{found:?}");
        assert!(matches!(of("doubles"), Some((Shape::Grows, 350..=750))), "{found:?}");
        assert_eq!(of("is_full"), None, "{found:?}");
    }

    /// The table of a cache doubles while that fills, and stands still from then on.
    #[test]
    fn a_table_that_has_not_doubled_when_it_was_due_is_no_leak() {
        let until = |full: f64| move |requests: f64| 64.0 * 2_f64.powf((requests.min(full) / 100.0).log2().ceil());
        let table = |full: f64| {
            let mut series = series(&[("table", &until(full))]);
            for (at, moment) in series.snapshots.iter_mut().enumerate() {
                moment.completed = 100 + 500 * at as u64;
            }
            let live = |moment: &Moment| 4_096.0 * until(full)(moment.completed as f64);
            series.stacks[0].live_bytes = series.snapshots.iter().map(live).collect();
            shapes(&series)
        };
        let grows = |found: &[(String, Shape, i64)]| found.iter().any(|(_, shape, _)| *shape == Shape::Grows);
        assert!(grows(&table(1e9)), "{:?}", table(1e9));
        assert!(!grows(&table(1_500.0)), "{:?}", table(1_500.0));
    }

    /// 32 MiB that are alive at some snapshots, the last ones too.
    #[test]
    fn what_comes_and_goes_is_flat_and_known_by_what_is_left_of_it() {
        let batch = |alive: &'static [u64]| {
            move |requests: f64| if alive.contains(&((requests as u64 - 1_000) / 500)) { 33_554_432.0 } else { 0.0 }
        };
        for alive in [&[3, 9][..], &[14, 15], &[15], &[2, 6, 10, 14], &[12, 13, 14]] {
            let series = series(&[("batch", &batch(alive)), ("keeps", &|requests| 300.0 * requests)]);
            let stacks = chains(&series, &[]).expect("stacks");
            let batch = stacks.chains.iter().find(|chain| chain.calls[0].ends_with("batch"));
            assert!(batch.is_none_or(|batch| batch.shape == Shape::Flat), "{alive:?}: {batch:?}");
            assert!(stacks.others.high.get() < 30.0, "{alive:?}: {:?}", stacks.others);
        }
    }

    #[test]
    fn one_step_is_not_a_staircase() {
        let once = |requests: f64| if requests < 4_000.0 { 0.0 } else { 4e6 };
        let found = shapes(&series(&[("once", &once)]));
        assert!(found.iter().all(|(_, shape, _)| *shape != Shape::Grows), "{found:?}");
    }

    #[test]
    fn a_call_has_the_same_name_in_all_builds() {
        let closure = |number: u32| called(&frame(&format!("shop::open::{{closure#{number}}}::{{async_fn#{number}}}")));
        assert_eq!(closure(0), closure(12));
        assert_eq!(closure(0), "src/shop.rs shop::open::{closure}::{async_fn}");
        assert_eq!(called(&Frame { function: "malloc".to_owned(), ..Frame::default() }), "malloc");
    }

    #[test]
    fn too_few_snapshots_say_nothing() {
        let mut short = series(&[("keeps", &|requests| 600.0 * requests)]);
        short.snapshots.truncate(6);
        short.stacks.iter_mut().for_each(|stack| stack.live_bytes.truncate(6));
        assert_eq!(chains(&short, &[]), None);
    }
}
