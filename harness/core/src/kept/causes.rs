//! Which line keeps what grows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Frame, Series, StackGrowth};
use steep_judge::units::{BytesPerRequest, Estimate};

/// What others may allocate through a frame that keeps, as a share of what grows there: a helper that others call as
/// well keeps nothing itself. In the sample shop 77 % of what grows through the helper were allocated for others too.
const OF_OTHERS: f64 = 0.1;

/// A frame is named for a stack when it is above this share of that stack's growth.
const SHARE: f64 = 0.9;

/// Smaller parts of the whole growth do not count as a cause of their own.
const LEAST_SHARE: f64 = 0.02;

/// A place in the program that keeps memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// The place.
    pub frame: Frame,
    /// Bytes kept for each request.
    pub per_request: Estimate<BytesPerRequest>,
    /// Its share of all growth that is sure.
    pub share: f64,
    /// The calls that lead to it, from the allocation outwards: own code only.
    pub chain: Vec<Frame>,
    /// What was allocated there, where a frame says it: `Vec<Order>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<String>,
}

/// What grows, grouped by the frame that keeps it, the largest first.
///
/// Stacks with the same chain of own frames are one. Of the chain that grows most, the frame is named that is the
/// innermost one to hold nearly all of its growth through which next to nothing is allocated that does not grow; a
/// helper, which others call as well, is passed over. All chains through that frame belong to it, and the next largest
/// chain follows.
#[must_use]
pub fn causes(series: &Series, growth: &[StackGrowth]) -> Vec<Cause> {
    let chains = chains(series, growth);
    let total: f64 = chains.iter().filter(|chain| chain.is_sure()).map(|chain| chain.grows).sum();
    let mut open: Vec<&Chain<'_>> = chains.iter().filter(|chain| chain.is_sure()).collect();
    open.sort_by(|one, other| other.grows.total_cmp(&one.grows));
    let mut causes = Vec::new();
    while let Some(largest) = open.first() {
        let frame = keeper(largest, &chains);
        let (mine, rest): (Vec<&Chain<'_>>, Vec<&Chain<'_>>) =
            open.iter().copied().partition(|chain| chain.frames.contains(&frame));
        causes.push(cause(frame, largest, &mine, total));
        open = rest;
    }
    causes.retain(|cause: &Cause| cause.share >= LEAST_SHARE);
    causes.sort_by(|one, other| other.share.total_cmp(&one.share));
    causes
}

/// Stacks with the same own frames.
struct Chain<'s> {
    frames: Vec<&'s Frame>,
    /// All frames of one of its stacks.
    whole: Vec<&'s Frame>,
    grows: f64,
    /// The square of half the width of the interval.
    square: f64,
    allocates: f64,
    /// Whether what it does last is to let a container grow.
    is_container: bool,
}

impl Chain<'_> {
    fn is_sure(&self) -> bool {
        self.grows > self.square.sqrt()
    }
}

fn chains<'s>(series: &'s Series, growth: &[StackGrowth]) -> Vec<Chain<'s>> {
    let mut chains: BTreeMap<Vec<&Frame>, Chain<'_>> = BTreeMap::new();
    for one in growth {
        let whole = series.frames_of(&series.stacks[one.stack]);
        let frames = own(&whole);
        let chain = chains.entry(frames.clone()).or_insert_with(|| Chain {
            frames,
            is_container: is_container(&whole),
            whole,
            grows: 0.0,
            square: 0.0,
            allocates: 0.0,
        });
        chain.grows += one.per_request.value.get();
        chain.square += (one.per_request.value.get() - one.per_request.low.get()).powi(2);
        chain.allocates += one.allocated_per_request.get();
    }
    chains.into_values().collect()
}

/// The calls of the program's own code, the innermost first; all calls where none is known to be.
pub(super) fn own<'s>(whole: &[&'s Frame]) -> Vec<&'s Frame> {
    let own: Vec<&Frame> = whole.iter().copied().filter(|frame| frame.is_own).collect();
    if own.is_empty() { whole.to_vec() } else { own }
}

/// The frame that keeps what `chain` grows by.
fn keeper<'s>(chain: &Chain<'s>, chains: &[Chain<'s>]) -> &'s Frame {
    let keeps = |frame: &&Frame| {
        let through = || chains.iter().filter(|other| other.frames.contains(frame));
        let grows: f64 = through().filter(|other| other.is_sure()).map(|other| other.grows).sum();
        let of_others: f64 = through().filter(|other| !other.is_sure()).map(|other| other.allocates).sum();
        grows >= SHARE * chain.grows && of_others <= OF_OTHERS * grows && !makes_for_several(frame, chain, chains)
    };
    let found = chain.frames.iter().copied().find(keeps);
    // All of them are shared, as where a program is one line.
    found.or_else(|| chain.frames.first().copied()).unwrap_or(chain.whole[0])
}

/// Whether `frame` only makes what several callers keep: more than one function that calls it grows by it, and what it
/// does itself does not let a container grow, which keeps wherever the call comes from.
fn makes_for_several(frame: &Frame, chain: &Chain<'_>, chains: &[Chain<'_>]) -> bool {
    let callers = chains.iter().filter(|other| other.is_sure()).filter_map(|other| {
        let place = other.frames.iter().position(|through| *through == frame)?;
        Some((other.frames.get(place + 1)?.function.as_str(), other.grows))
    });
    let mut grows: BTreeMap<&str, f64> = BTreeMap::new();
    callers.for_each(|(caller, growth)| *grows.entry(caller).or_default() += growth);
    let total: f64 = grows.values().sum();
    let several = grows.values().filter(|growth| **growth >= OF_OTHERS * total).count() > 1;
    let is_innermost = chain.frames.first().is_some_and(|first| *first == frame);
    several && !(is_innermost && chain.is_container)
}

/// Whether a container grows in these calls of the standard library; a text that is put together is none.
fn is_container(frames: &[&Frame]) -> bool {
    const GROWS: [&str; 6] = ["grow_amortized", "grow_one", "reserve_rehash", "insert", "::push", "entry"];
    const TEXTS: [&str; 3] = ["string::String", "Vec<u8>", "fmt::"];
    let calls = || frames.iter().take_while(|frame| !frame.is_own).map(|frame| frame.function.as_str());
    let has = |words: &[&str]| calls().any(|function| words.iter().any(|word| function.contains(word)));
    has(&GROWS) && !has(&TEXTS)
}

fn cause(frame: &Frame, largest: &Chain<'_>, mine: &[&Chain<'_>], total: f64) -> Cause {
    let grows: f64 = mine.iter().map(|chain| chain.grows).sum();
    let half = mine.iter().map(|chain| chain.square).sum::<f64>().sqrt();
    let [low, value, high] = [grows - half, grows, grows + half].map(BytesPerRequest::new);
    Cause {
        frame: frame.clone(),
        per_request: Estimate { low, value, high },
        share: if total > 0.0 { grows / total } else { 0.0 },
        chain: largest.frames.iter().copied().cloned().collect(),
        kept_in: largest.whole.iter().find_map(|frame| container(&frame.function)),
    }
}

/// The container in the name of a function of the standard library: `Vec<Order>` of
/// `<alloc::vec::Vec<shop::Order>>::push`.
fn container(function: &str) -> Option<String> {
    let name = function.strip_prefix('<').unwrap_or(function);
    let starts = [
        "alloc::vec::Vec<",
        "hashbrown::map::HashMap<",
        "std::collections::hash::map::HashMap<",
        "alloc::collections::vec_deque::VecDeque<",
        "alloc::collections::btree::map::BTreeMap<",
    ];
    let start = starts.into_iter().find(|start| name.starts_with(start))?;
    let mut depth = 0_u32;
    let end = name.char_indices().find_map(|(at, letter)| {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (letter == '>' && depth == 0).then_some(at + 1)
    })?;
    let short = start.trim_end_matches('<').rsplit("::").next()?;
    let inner = &name[start.len()..end];
    Some(format!("{short}<{}", without_paths(inner)))
}

/// `shop::orders::Order, alloc::string::String>` as `Order, String>`.
fn without_paths(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_alphanumeric() || letter == '_' || letter == ':' {
            word.push(letter);
        } else {
            out.push_str(word.rsplit("::").next().unwrap_or_default());
            word.clear();
            out.push(letter);
        }
    }
    out.push_str(word.rsplit("::").next().unwrap_or_default());
    out
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
        (frames, Stack { frames: Vec::new(), live_bytes: at(keeps), allocated_bytes: at(allocates) })
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
    fn what_does_not_grow_for_sure_is_not_named() {
        assert_eq!(
            named(&series(vec![stack("alloc", &["a.rs:1"], 50.0, 0.0), stack("alloc", &["b.rs:2"], 9.0, 9.0)])),
            []
        );
        assert_eq!(named(&series(Vec::new())), []);
        assert_eq!(growth(&Series::default()), []);
    }

    #[test]
    fn the_container_is_named_where_a_frame_says_it() {
        let name = "<alloc::vec::Vec<shop::orders::Order>>::push";
        assert_eq!(container(name).as_deref(), Some("Vec<Order>"));
        let map = "<std::collections::hash::map::HashMap<alloc::string::String, shop::Session>>::insert";
        assert_eq!(container(map).as_deref(), Some("HashMap<String, Session>"));
        assert_eq!(container("alloc::alloc::alloc"), None);
    }
}
