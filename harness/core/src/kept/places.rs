//! Where most is allocated, whether it is kept or not, and what lives long.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::container::container_of;
use super::growth::between;
use super::own_calls::{Chain, chains, makes_for_several};
use super::{Frame, PARTS, Series, Stack};
use steep_judge::units::{Bytes, BytesPerRequest};

/// Places that are kept in the results.
const MOST: usize = 20;

/// Calls that are kept of a chain: the rest is the runtime's.
const CALLS: usize = 16;

/// What others may allocate through a call that holds, as a share of what is held there: as for what grows.
const OF_OTHERS: f64 = 0.1;

/// A place in the program.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Place {
    /// The place.
    pub frame: Frame,
    /// Its share of all bytes of the kind.
    pub share: f64,
    /// The calls that lead to it, from the allocation outwards: own code only.
    pub chain: Vec<Frame>,
    /// What is allocated there, where a frame says it: `Vec<Order>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<String>,
}

/// What a place allocates, whether it is kept or not.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HotSpot {
    /// The place.
    #[serde(flatten)]
    pub place: Place,
    /// Bytes for each request.
    #[serde(rename = "allocated_bytes_per_request")]
    pub bytes: BytesPerRequest,
    /// Objects for each request.
    #[serde(rename = "allocated_objects_per_request")]
    pub objects: f64,
    /// Time in the calls that allocate and free them, for each request; none where no time was taken.
    #[serde(rename = "allocator_us_per_request", skip_serializing_if = "Option::is_none")]
    pub allocator_us: Option<f64>,
    /// The same as a share of all CPU time of the service.
    #[serde(rename = "allocator_cpu_share", skip_serializing_if = "Option::is_none")]
    pub cpu_share: Option<f64>,
}

/// What a place has alive that is old.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LongLived {
    /// The place.
    #[serde(flatten)]
    pub place: Place,
    /// Bytes.
    #[serde(rename = "old_bytes")]
    pub bytes: Bytes,
    /// Objects.
    #[serde(rename = "old_objects")]
    pub objects: f64,
}

/// The places that allocate most for each request, the largest first; empty where no request was completed between the
/// snapshots. All of the service takes `cpu_us` of CPU time for each request, if that is known.
#[must_use]
pub fn hot_spots(series: &Series, cpu_us: Option<f64>) -> Vec<HotSpot> {
    let Some(requests) = requests(series) else { return Vec::new() };
    let size = |stack: &Stack| {
        let all = [&stack.allocated_bytes, &stack.allocated_objects, &stack.allocator_ns];
        all.map(|values| between(values) / requests)
    };
    let spot = |(place, [bytes, objects, ns]): (Place, Sizes)| {
        let allocator_us = (ns > 0.0).then_some(ns / 1e3);
        let cpu_share = allocator_us.zip(cpu_us).map(|(of_place, all)| of_place / all);
        HotSpot { place, bytes: BytesPerRequest::new(bytes), objects, allocator_us, cpu_share }
    };
    places(series, size, |_| 0.0).into_iter().map(spot).collect()
}

/// Microseconds for each request in all calls that allocate and free; none where no time was taken.
#[must_use]
pub fn allocator_us(series: &Series) -> Option<f64> {
    let nanoseconds: f64 = series.stacks.iter().map(|stack| between(&stack.allocator_ns)).sum();
    requests(series).filter(|_| nanoseconds > 0.0).map(|requests| nanoseconds / 1e3 / requests)
}

/// Requests between the first snapshot and the last.
fn requests(series: &Series) -> Option<f64> {
    let (first, last) = (series.snapshots.first()?, series.snapshots.last()?);
    let requests = last.completed.saturating_sub(first.completed);
    (requests > 0).then_some(requests as f64)
}

/// Bytes, objects, and nanoseconds in the allocator.
type Sizes = [f64; 3];

/// The places that have most alive at the end of what was born before the first third of the steady time was over, the
/// largest first; empty where nothing is known of births.
#[must_use]
pub fn long_lived(series: &Series) -> Vec<LongLived> {
    let size = |stack: &Stack| {
        let old: f64 = stack.born_bytes.iter().take(1 + PARTS / 3).sum();
        let all: f64 = stack.born_bytes.iter().sum();
        [old, if all > 0.0 { stack.live_objects * old / all } else { 0.0 }, 0.0]
    };
    // What was allocated in the steady time, where next to nothing of it is old.
    let not_held = |stack: &Stack| {
        let allocated = between(&stack.allocated_bytes);
        if size(stack)[0] < OF_OTHERS * allocated { allocated } else { 0.0 }
    };
    let old =
        |(place, [bytes, objects, _]): (Place, Sizes)| LongLived { place, bytes: Bytes::new(bytes as u64), objects };
    places(series, size, not_held).into_iter().map(old).collect()
}

/// Stacks by the place that is to be named for them. Of a chain that is the innermost call of own code which does not
/// only make what several others want: a helper that makes texts for everybody says nothing. Nor does one through which
/// others allocate what does not count, by `counts_not`.
fn places(series: &Series, size: impl Fn(&Stack) -> Sizes, counts_not: impl Fn(&Stack) -> f64) -> Vec<(Place, Sizes)> {
    let sizes: Vec<Sizes> = series.stacks.iter().map(size).collect();
    let chains = chains(series, 0..series.stacks.len());
    let bytes = |chain: &Chain<'_>| chain.stacks.iter().map(|stack| sizes[*stack][0]).sum::<f64>();
    let of_others = |chain: &Chain<'_>| chain.stacks.iter().map(|stack| counts_not(&series.stacks[*stack])).sum();
    let weighed: Vec<(&Chain<'_>, f64, f64)> =
        chains.iter().map(|chain| (chain, bytes(chain), of_others(chain))).collect();
    let total: f64 = weighed.iter().map(|(_, bytes, _)| bytes).sum();
    let mut by_place: BTreeMap<&Frame, Vec<(&Chain<'_>, f64)>> = BTreeMap::new();
    for (chain, bytes, _) in weighed.iter().filter(|(_, bytes, _)| *bytes > 0.0) {
        let holds = |frame: &&&Frame| {
            let through = || weighed.iter().filter(|(other, ..)| other.frames.contains(frame));
            let held: f64 = through().map(|(_, bytes, _)| bytes).sum();
            let of_others: f64 = through().map(|(_, _, of_others)| of_others).sum();
            let callers = weighed.iter().map(|(chain, bytes, _)| (*chain, *bytes));
            of_others <= OF_OTHERS * held && !makes_for_several(frame, chain, callers)
        };
        let Some(frame) = chain.frames.iter().find(holds).or(chain.frames.first()) else { continue };
        by_place.entry(frame).or_default().push((chain, *bytes));
    }
    let place = |(frame, chains): (&Frame, Vec<(&Chain<'_>, f64)>)| {
        let largest = chains.iter().max_by(|one, other| one.1.total_cmp(&other.1))?.0;
        let bytes: f64 = chains.iter().map(|(_, bytes)| bytes).sum();
        let sum = |of: usize| chains.iter().flat_map(|(chain, _)| &chain.stacks).map(|stack| sizes[*stack][of]).sum();
        let short = |frame: &&Frame| Frame { function: frame.name().to_owned(), ..(*frame).clone() };
        let named = Place {
            frame: frame.clone(),
            share: bytes / total,
            chain: largest.frames.iter().take(CALLS).map(short).collect(),
            kept_in: container_of(&largest.whole, largest.frames.first()),
        };
        Some((named, [bytes, sum(1), sum(2)]))
    };
    let mut places: Vec<(Place, Sizes)> = by_place.into_iter().filter_map(place).collect();
    places.sort_by(|one, other| other.1[0].total_cmp(&one.1[0]));
    places.truncate(MOST);
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::Moment;

    fn series() -> Series {
        let frame = |function: &str, line, is_own| Frame {
            function: function.to_owned(),
            file: if is_own { "src/shop.rs".to_owned() } else { "/rustc/ab/library/alloc/src/vec/mod.rs".to_owned() },
            line,
            is_own,
        };
        let stack = |frames: &[usize], allocated: f64, born: [f64; 3]| {
            let mut born_bytes = vec![0.0; PARTS + 1];
            (born_bytes[0], born_bytes[2], born_bytes[PARTS]) = (born[0], born[1], born[2]);
            Stack {
                frames: frames.to_vec(),
                live_bytes: vec![0.0, born.iter().sum()],
                allocated_bytes: vec![7e6, 7e6 + allocated],
                allocated_objects: vec![10.0, 10.0 + allocated / 50.0],
                allocator_ns: vec![5e3, 5e3 + allocated / 2.0],
                live_objects: born.iter().sum::<f64>() / 50.0,
                born_bytes,
                ..Stack::default()
            }
        };
        Series {
            snapshots: vec![Moment::default(), Moment { completed: 1_000, ..Moment::default() }],
            frames: vec![
                frame("push<u32, alloc::alloc::Global>", 2_000, false),
                frame("of_length", 7, true),
                frame("render", 36, true),
                frame("open", 118, true),
                frame("index", 20, true),
            ],
            stacks: vec![
                stack(&[0, 1, 2], 9e6, [0.0, 0.0, 1e4]),
                stack(&[0, 1, 3], 4e6, [0.0, 1e6, 3e6]),
                stack(&[0, 4], 0.0, [8e6, 0.0, 0.0]),
            ],
            ..Series::default()
        }
    }

    #[test]
    fn what_allocates_most_for_each_request_is_hot_whether_it_is_kept_or_not() {
        let hot = hot_spots(&series(), Some(20.0));
        let named: Vec<(String, f64)> = hot.iter().map(|spot| (spot.place.frame.place(), spot.bytes.get())).collect();
        assert_eq!(named, [("src/shop.rs:36".to_owned(), 9_000.0), ("src/shop.rs:118".to_owned(), 4_000.0)]);
        assert!((hot[0].place.share - 9.0 / 13.0).abs() < 1e-9 && (hot[0].objects - 180.0).abs() < 1e-9, "{hot:?}");
        assert_eq!(hot[0].place.kept_in.as_deref(), Some("Vec<u32>"));
        assert_eq!((hot[0].allocator_us, hot[0].cpu_share), (Some(4.5), Some(4.5 / 20.0)));
        assert_eq!((allocator_us(&series()), allocator_us(&Series::default())), (Some(6.5), None));
        let untimed: Vec<Stack> =
            series().stacks.into_iter().map(|stack| Stack { allocator_ns: Vec::new(), ..stack }).collect();
        let untimed = hot_spots(&Series { stacks: untimed, ..series() }, Some(20.0));
        assert_eq!((untimed[0].allocator_us, untimed[0].cpu_share), (None, None));
        let idle = Series { snapshots: vec![Moment::default(); 2], ..series() };
        assert_eq!(hot_spots(&idle, None), []);
        assert_eq!(hot_spots(&Series::default(), None), []);
    }

    #[test]
    fn what_was_born_early_and_is_alive_lives_long() {
        let old = long_lived(&series());
        let named: Vec<(String, Bytes)> = old.iter().map(|old| (old.place.frame.place(), old.bytes)).collect();
        let expected = [("src/shop.rs:20", 8_000_000), ("src/shop.rs:118", 1_000_000)];
        assert_eq!(named, expected.map(|(place, bytes)| (place.to_owned(), Bytes::new(bytes))));
        assert!((old[0].objects - 160_000.0).abs() < 1e-6, "{old:?}");
        assert_eq!(long_lived(&Series::default()), []);
    }
}
