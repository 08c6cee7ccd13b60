//! Which line keeps what grows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::container::container_of;
use super::own_calls::{Chain, chains, makes_for_several};
use super::{Age, AskedBy, Frame, Series, StackGrowth};
use steep_judge::units::{BytesPerRequest, Estimate};

/// What others may allocate through a frame that keeps, as a share of what is allocated there in all: a helper that
/// others call as well keeps nothing itself. In the sample shop as much as 77 % of what grows through the helper was
/// allocated for others too.
const OF_OTHERS: f64 = 0.1;

/// A chain is another one if it surely keeps less than this share of what it allocates, where the one that grows keeps
/// all of its own. Of a chain of few samples that is not known, and it counts for neither side: the queue that grows by
/// half of what is put into it has several, and is not a helper.
const OTHERWISE: f64 = 1.0 / 3.0;

/// A frame is named for a stack when it is above this share of that stack's growth.
const SHARE: f64 = 0.9;

/// Smaller parts of the whole growth do not count as a cause of their own.
const LEAST_SHARE: f64 = 0.02;

/// A place in the program that keeps memory.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Cause {
    /// The place.
    pub frame: Frame,
    /// Bytes kept for each request.
    pub per_request: Estimate<BytesPerRequest>,
    /// Its share of all growth that is sure.
    pub share: f64,
    /// The same of all lines of its function together: what is kept is often made in several steps.
    pub share_of_function: f64,
    /// The calls that lead to it, from the allocation outwards: own code only.
    pub chain: Vec<Frame>,
    /// What was allocated there, where a frame says it: `Vec<Order>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<String>,
    /// How old it is what the place has alive; none where nothing is known of births.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<Age>,
    /// Which requests ask for it, by the births of what it has alive; none where too little is alive to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<AskedBy>,
}

/// What grows, grouped by the frame that keeps it, the largest first.
///
/// Stacks with the same chain of own frames are one. Of the chain that grows most, the frame is named that is the
/// innermost one to hold nearly all of its growth through which next to nothing is allocated that surely does not grow
/// likewise; a helper, which others call as well, is passed over. All chains through that frame belong to it, and the
/// next largest chain follows.
#[must_use]
pub fn causes(series: &Series, growth: &[StackGrowth]) -> Vec<Cause> {
    let chains = growing(series, growth);
    let total: f64 = chains.iter().filter(|chain| chain.is_sure()).map(|chain| chain.grows).sum();
    let mut open: Vec<&Growing<'_>> = chains.iter().filter(|chain| chain.is_sure()).collect();
    open.sort_by(|one, other| other.grows.total_cmp(&one.grows));
    let mut causes = Vec::new();
    while let Some(largest) = open.first() {
        let frame = keeper(largest, &chains);
        let (mine, rest): (Vec<&Growing<'_>>, Vec<&Growing<'_>>) =
            open.iter().copied().partition(|chain| chain.of.frames.contains(&frame));
        let stacks: Vec<usize> = mine.iter().flat_map(|chain| &chain.of.stacks).copied().collect();
        let mut cause = cause(frame, largest, &mine, total);
        cause.share_of_function = through_function(frame, &chains) / total;
        causes.push((cause, stacks));
        open = rest;
    }
    causes.retain(|(cause, _): &(Cause, _)| cause.share >= LEAST_SHARE);
    causes.sort_by(|(one, _), (other, _)| other.share.total_cmp(&one.share));
    let places = causes.len();
    let with_births = |(cause, stacks): (Cause, Vec<usize>)| Cause {
        age: Age::of(series, &stacks),
        asked_by: AskedBy::of(series, &stacks, places),
        ..cause
    };
    causes.into_iter().map(with_births).collect()
}

/// A chain with its growth for each request.
struct Growing<'s> {
    of: Chain<'s>,
    grows: f64,
    /// The square of half the width of the interval.
    square: f64,
    allocates: f64,
}

impl<'s> Growing<'s> {
    /// Its calls from `frame` outwards; empty where it does not lead through it.
    fn outwards(&self, frame: &Frame) -> &[&'s Frame] {
        let place = self.of.frames.iter().position(|through| *through == frame);
        &self.of.frames[place.unwrap_or(self.of.frames.len())..]
    }

    fn is_sure(&self) -> bool {
        self.grows > self.square.sqrt()
    }

    /// Whether it keeps a much smaller share of what it allocates than `other`, even at the upper end of its interval.
    fn keeps_less_than(&self, other: &Self) -> bool {
        let high = self.grows + self.square.sqrt();
        !self.is_sure() && high * other.allocates < OTHERWISE * other.grows * self.allocates
    }
}

fn growing<'s>(series: &'s Series, growth: &[StackGrowth]) -> Vec<Growing<'s>> {
    let by_stack: BTreeMap<usize, &StackGrowth> = growth.iter().map(|one| (one.stack, one)).collect();
    let with_growth = |of: Chain<'s>| {
        let mut chain = Growing { of, grows: 0.0, square: 0.0, allocates: 0.0 };
        for one in chain.of.stacks.iter().filter_map(|stack| by_stack.get(stack)) {
            chain.grows += one.per_request.value.get();
            chain.square += (one.per_request.value.get() - one.per_request.low.get()).powi(2);
            chain.allocates += one.allocated_per_request.get();
        }
        chain
    };
    chains(series, growth.iter().map(|one| one.stack)).into_iter().map(with_growth).collect()
}

/// The frame that keeps what `chain` grows by.
fn keeper<'s>(chain: &Growing<'s>, chains: &[Growing<'s>]) -> &'s Frame {
    let keeps = |frame: &&Frame| {
        let through = chains.iter().filter(|other| other.of.frames.contains(frame));
        let grows: f64 = through.filter(|other| other.is_sure()).map(|other| other.grows).sum();
        let sure = chains.iter().filter(|other| other.is_sure()).map(|other| (&other.of, other.grows));
        let of_others = of_others(frame, chain, chains);
        grows >= SHARE * chain.grows && of_others <= OF_OTHERS && !makes_for_several(frame, &chain.of, sure)
    };
    let found = chain.of.frames.iter().copied().find(keeps);
    // All of them are shared, as where a program is one line: the one that is shared least.
    let of_others = |frame: &Frame| of_others(frame, chain, chains);
    let least = || chain.of.frames.iter().copied().min_by(|one, other| of_others(one).total_cmp(&of_others(other)));
    found.or_else(least).unwrap_or(chain.of.whole[0])
}

/// The share of what is allocated through `frame` that is of others than `chain`: they call it from elsewhere, and keep
/// less of theirs. What is made and thrown away on the way to it, called from the same place, is its own affair.
fn of_others(frame: &Frame, chain: &Growing<'_>, chains: &[Growing<'_>]) -> f64 {
    let own = chain.outwards(frame);
    let (mut all, mut others) = (0.0, 0.0);
    for other in chains.iter().filter(|other| other.of.frames.contains(&frame)) {
        all += other.allocates;
        if other.outwards(frame) != own && other.keeps_less_than(chain) {
            others += other.allocates;
        }
    }
    if all > 0.0 { others / all } else { 0.0 }
}

/// What grows for sure through the function of `frame`.
fn through_function(frame: &Frame, chains: &[Growing<'_>]) -> f64 {
    let same = |other: &&Frame| other.function == frame.function && other.file == frame.file;
    let through = chains.iter().filter(|chain| chain.is_sure() && chain.of.frames.iter().any(same));
    through.map(|chain| chain.grows).sum()
}

fn cause(frame: &Frame, largest: &Growing<'_>, mine: &[&Growing<'_>], total: f64) -> Cause {
    let grows: f64 = mine.iter().map(|chain| chain.grows).sum();
    let half = mine.iter().map(|chain| chain.square).sum::<f64>().sqrt();
    let [low, value, high] = [grows - half, grows, grows + half].map(BytesPerRequest::new);
    Cause {
        frame: frame.clone(),
        per_request: Estimate { low, value, high },
        share: if total > 0.0 { grows / total } else { 0.0 },
        share_of_function: 0.0,
        chain: largest.of.frames.iter().copied().cloned().collect(),
        kept_in: container_of(&largest.of.whole, largest.of.frames.first()),
        age: None,
        asked_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::{Moment, SCHEMA, Stack, growth};

    fn frame(place: &str) -> Frame {
        let (file, line) = place.split_once(':').expect("file:line");
        Frame { function: place.to_owned(), file: file.to_owned(), line: line.parse().expect("a line"), is_own: true }
    }

    fn library(function: &str) -> Frame {
        Frame { function: function.to_owned(), ..Frame::default() }
    }

    /// A stack through `places` that allocates and keeps this many bytes for each of 1,000 requests between snapshots.
    fn stack(inner: &str, places: &[&str], allocates: f64, keeps: f64) -> (Vec<Frame>, Stack) {
        let frames = std::iter::once(library(inner)).chain(places.iter().map(|place| frame(place))).collect();
        let at = |per_request: f64| (0..12).map(|moment| 1e6 + f64::from(moment) * 1e3 * per_request).collect();
        (frames, Stack { live_bytes: at(keeps), allocated_bytes: at(allocates), ..Stack::default() })
    }

    fn series(stacks: Vec<(Vec<Frame>, Stack)>) -> Series {
        let snapshots = (0..12).map(|moment| Moment { completed: moment * 1_000, ..Moment::default() }).collect();
        let mut series = Series { schema: SCHEMA, sample_every_bytes: 65_536, snapshots, ..Series::default() };
        for (frames, stack) in stacks {
            let first = series.frames.len();
            let numbers = (first..first + frames.len()).collect();
            series.frames.extend(frames);
            series.stacks.push(Stack { frames: numbers, ..stack });
        }
        series
    }

    fn named(series: &Series) -> Vec<(String, i64)> {
        let causes = causes(series, &growth(series));
        causes.iter().map(|cause| (cause.frame.place(), cause.per_request.value.get().round() as i64)).collect()
    }

    #[test]
    fn a_helper_that_others_call_loses_against_who_keeps() {
        let shop = series(vec![
            stack("alloc", &["prose.rs:7", "sessions.rs:118", "sessions.rs:54", "audit.rs:27"], 3_338.0, 3_338.0),
            stack("alloc", &["prose.rs:7", "render.rs:36", "audit.rs:27"], 2_561.0, 0.0),
            stack("realloc", &["items.rs:20", "audit.rs:27"], 4_698.0, 0.0),
        ]);
        assert_eq!(named(&shop), [("sessions.rs:118".to_owned(), 3_338)]);
        let chain = &causes(&shop, &growth(&shop))[0].chain;
        assert_eq!(
            chain.iter().map(Frame::place).collect::<Vec<_>>().join(" < "),
            "prose.rs:7 < sessions.rs:118 < sessions.rs:54 < audit.rs:27"
        );
    }

    #[test]
    fn in_a_program_without_a_package_the_standard_library_is_passed_over() {
        let of = |file: &str, is_own| Frame { file: file.to_owned(), line: 7, is_own, ..Frame::default() };
        let (alloc, map) =
            (of("/rustc/abc/library/alloc/src/alloc.rs", false), of("/rust/deps/hashbrown/raw.rs", false));
        let (main, own) = (of("/srv/main.rs", false), of("src/main.rs", true));
        assert_eq!(crate::kept::own_calls::own(&[&alloc, &map, &main]), [&main]);
        assert_eq!(crate::kept::own_calls::own(&[&alloc, &main, &own]), [&own]);
        assert_eq!(crate::kept::own_calls::own(&[&alloc, &map]), [&alloc, &map], "nothing else is known");
    }

    #[test]
    fn several_leaks_are_told_apart_and_the_largest_comes_first() {
        let shop = series(vec![
            stack("alloc", &["labels.rs:39", "items.rs:34", "main.rs:1"], 310.0, 310.0),
            stack("alloc", &["prose.rs:7", "sessions.rs:118", "main.rs:1"], 600.0, 600.0),
            stack("alloc", &["sessions.rs:118", "main.rs:1"], 90.0, 90.0),
            stack("alloc", &["prose.rs:7", "orders.rs:139", "main.rs:1"], 389.0, 389.0),
            stack("alloc", &["views.rs:83", "main.rs:1"], 377.0, 0.0),
        ]);
        let places: Vec<String> = named(&shop).into_iter().map(|(place, _)| place).collect();
        // Two functions keep what the helper makes: each of them is named.
        assert_eq!(places, ["sessions.rs:118", "orders.rs:139", "labels.rs:39"]);
    }

    #[test]
    fn what_a_function_makes_in_several_steps_is_its_growth() {
        let in_open = |line: &str, keeps| {
            let mut made = stack("alloc", &[line, "sessions.rs:54", "main.rs:1"], keeps, keeps);
            made.0[1].function = "open".to_owned();
            made
        };
        let shop = series(vec![in_open("sessions.rs:118", 840.0), in_open("sessions.rs:119", 160.0)]);
        let found = causes(&shop, &growth(&shop));
        assert_eq!(found[0].frame.place(), "sessions.rs:118");
        assert!((found[0].share - 0.84).abs() < 1e-6 && (found[0].share_of_function - 1.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_container_that_grows_is_named_wherever_the_call_comes_from() {
        let labels = |caller: &str| {
            let mut stack =
                stack("<hashbrown::raw::RawTable<T>>::reserve_rehash", &["labels.rs:39", caller], 300.0, 300.0);
            stack.0[2].function = caller.to_owned();
            stack
        };
        assert_eq!(
            named(&series(vec![labels("items.rs:34"), labels("orders.rs:12")])),
            [("labels.rs:39".to_owned(), 600)]
        );
    }

    #[test]
    fn a_queue_that_is_fed_by_two_lines_and_drained_is_no_helper() {
        // One line grows for sure; of the others too little was seen, and half of all is taken out again.
        let shop = series(vec![
            stack("alloc", &["prose.rs:7", "jobs.rs:57", "jobs.rs:48", "orders.rs:66"], 90.0, 40.0),
            stack("alloc", &["prose.rs:7", "jobs.rs:57", "jobs.rs:50", "orders.rs:66"], 76.0, 12.0),
            stack("alloc", &["jobs.rs:58", "jobs.rs:48", "orders.rs:66"], 16.0, 12.0),
            stack("alloc", &["prose.rs:7", "render.rs:36", "items.rs:33"], 2_564.0, 0.0),
        ]);
        assert_eq!(named(&shop), [("jobs.rs:57".to_owned(), 40)]);
    }

    #[test]
    fn a_line_that_makes_a_text_to_copy_it_keeps_the_copy() {
        let shop = series(vec![
            stack("realloc", &["labels.rs:39", "items.rs:34", "audit.rs:27"], 160.0, 160.0),
            stack("alloc", &["prose.rs:7", "labels.rs:39", "items.rs:34", "audit.rs:27"], 140.0, 0.0),
            stack("alloc", &["labels.rs:36", "items.rs:34", "audit.rs:27"], 16.0, 0.0),
            stack("alloc", &["views.rs:83", "items.rs:35", "audit.rs:27"], 377.0, 0.0),
        ]);
        assert_eq!(named(&shop), [("labels.rs:39".to_owned(), 160)]);
    }

    #[test]
    fn a_maker_that_one_line_calls_for_all_is_passed_over_with_that_line() {
        let shop = series(vec![
            stack("alloc", &["make.rs:7", "dispatch.rs:10", "sessions.rs:5", "main.rs:1"], 300.0, 300.0),
            stack("alloc", &["make.rs:7", "dispatch.rs:10", "render.rs:9", "main.rs:1"], 900.0, 0.0),
        ]);
        assert_eq!(named(&shop), [("sessions.rs:5".to_owned(), 300)]);
    }

    #[test]
    fn what_does_not_grow_for_sure_is_not_named() {
        assert_eq!(
            named(&series(vec![stack("alloc", &["a.rs:1"], 50.0, 0.0), stack("alloc", &["b.rs:2"], 9.0, 9.0)])),
            []
        );
        assert_eq!(named(&series(Vec::new())), []);
        assert_eq!(growth(&Series::default()), []);
    }
}
