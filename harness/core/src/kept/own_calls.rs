//! Stacks with the same calls in the program's own code.

use std::collections::BTreeMap;

use super::{Frame, Series};

/// A caller counts that has at least this share.
const OF_ONE: f64 = 0.1;

/// Stacks with the same own frames.
pub(super) struct Chain<'s> {
    /// The calls of the program's own code, the innermost first.
    pub(super) frames: Vec<&'s Frame>,
    /// All calls of one of its stacks.
    pub(super) whole: Vec<&'s Frame>,
    /// Its stacks, as numbers of [`Series::stacks`].
    pub(super) stacks: Vec<usize>,
    /// Whether what it does last is to let a container grow.
    pub(super) is_container: bool,
}

/// The chains of these `stacks` of `series`.
pub(super) fn chains(series: &Series, stacks: impl IntoIterator<Item = usize>) -> Vec<Chain<'_>> {
    let mut chains: BTreeMap<Vec<&Frame>, Chain<'_>> = BTreeMap::new();
    for number in stacks {
        let whole = series.frames_of(&series.stacks[number]);
        let frames = own(&whole);
        let chain = chains.entry(frames.clone()).or_insert_with(|| Chain {
            frames,
            is_container: is_container(&whole),
            whole,
            stacks: Vec::new(),
        });
        chain.stacks.push(number);
    }
    chains.into_values().collect()
}

/// The calls of the program's own code, the innermost first. Where none is known to be, as in a program that is not
/// built from a package, those that are not Rust's own; else all.
pub(super) fn own<'s>(whole: &[&'s Frame]) -> Vec<&'s Frame> {
    let own: Vec<&Frame> = whole.iter().copied().filter(|frame| frame.is_own && !is_start(frame)).collect();
    if !own.is_empty() {
        return own;
    }
    let others: Vec<&Frame> = whole.iter().copied().filter(|frame| !is_of_rust(frame) && !is_start(frame)).collect();
    if others.is_empty() { whole.to_vec() } else { others }
}

/// Whether a call is where a thread or the program begins, in the C library: it is above every stack, and says nothing
/// of any. With debug information of Debian's it looks as if it were of a package, for its file has no folder.
fn is_start(frame: &Frame) -> bool {
    const STARTS: [&str; 8] = [
        "start_thread",
        "clone",
        "clone3",
        "__clone3",
        "__libc_start_main",
        "__libc_start_main_impl",
        "__libc_start_call_main",
        "_start",
    ];
    STARTS.contains(&frame.function.split('@').next().unwrap_or_default())
}

/// Whether a call is of Rust's standard library, or of what that is built with.
fn is_of_rust(frame: &Frame) -> bool {
    ["/rustc/", "/rust/deps/", "library/"].iter().any(|folder| frame.file.starts_with(folder))
}

/// Whether `frame` only makes what several callers want: more than one function that calls it has a part of what
/// `weighed` chains come to, and what it does itself, as the innermost call of `chain`, does not let a container grow.
pub(super) fn makes_for_several<'s: 'c, 'c>(
    frame: &Frame,
    chain: &Chain<'_>,
    weighed: impl Iterator<Item = (&'c Chain<'s>, f64)>,
) -> bool {
    let mut callers: BTreeMap<&str, f64> = BTreeMap::new();
    for (other, weight) in weighed {
        let place = other.frames.iter().position(|through| *through == frame);
        if let Some(caller) = place.and_then(|place| other.frames.get(place + 1)) {
            *callers.entry(caller.function.as_str()).or_default() += weight;
        }
    }
    let total: f64 = callers.values().sum();
    let several = callers.values().filter(|weight| **weight >= OF_ONE * total).count() > 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_own_code_it_is_what_called_and_not_where_the_thread_began() {
        let named = |function: &str| Frame { function: function.to_owned(), ..Frame::default() };
        let frames = ["_dl_allocate_tls", "pthread_create@@GLIBC_2.34", "start_thread", "__clone3"].map(named);
        let whole: Vec<&Frame> = frames.iter().collect();
        assert_eq!(own(&whole), whole[..2]);
        assert_eq!(own(&whole[2..]), whole[2..], "nothing else is known");
        let start = Frame { is_own: true, file: "nptl/pthread_create.c".to_owned(), ..named("start_thread") };
        assert_eq!(own(&[whole[0], &start]), whole[..1]);
    }
}
