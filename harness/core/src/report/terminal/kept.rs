//! Which lines keep what grows, allocate most, and have what is old, in sentences.

use crate::kept::{Age, AskedBy, Cause, Frame, HotSpot, LongLived};
use crate::outcome::{Outcome, Rerun};
use steep_judge::verdict::Verdict;

/// Places that are shown of a cell; verdict.json has them all.
pub(super) const SHOWN: usize = 5;

/// Calls of a chain that are shown.
const CALLS_SHOWN: usize = 4;

/// What keeps what grows in a cell, the largest first.
pub(super) fn kept_notes(outcome: &Outcome) -> Vec<String> {
    let is_sure = matches!(outcome.verdict(), Verdict::Leak | Verdict::Step);
    let how = if is_sure { "kept" } else { "what grew in this soak is held" };
    outcome.kept_by.iter().take(SHOWN).map(|cause| kept_note(cause, how)).collect()
}

/// What the same features keep with the system's allocator.
pub(super) fn rerun_notes(rerun: &Rerun) -> Vec<String> {
    let Rerun { cell, in_place_of, of_plan, verdict, reason, kept_by, .. } = rerun;
    let soaked = if *of_plan { "cell" } else { "soaked once more, as" };
    let with = format!("with the system allocator in place of {in_place_of} ({soaked} {cell}) the same features");
    match verdict {
        Verdict::Invalid | Verdict::Crashed => vec![format!("{with} could not be judged: {verdict} ({reason})")],
        Verdict::Leak | Verdict::Step | Verdict::Inconclusive if !kept_by.is_empty() => {
            let is_sure = *verdict != Verdict::Inconclusive;
            let how = if is_sure { "kept" } else { "undecided, and what grew in that soak is held" };
            kept_by.iter().take(SHOWN).map(|cause| format!("{with}: {}", kept_note(cause, how))).collect()
        }
        Verdict::Leak | Verdict::Step => vec![format!("{with} grow as well ({verdict}), and no line is known")],
        Verdict::Inconclusive => vec![format!("{with} were not decided: {reason}")],
        Verdict::Stable | Verdict::Plateau | Verdict::Retention => vec![format!(
            "{with} did not leak ({verdict}): what grows may be what {in_place_of} itself holds, or how the program uses it"
        )],
    }
}

/// `kept by open at src/sessions.rs:118, as String: 3.17 (2.50 to 3.62) KiB per request, 98 % of what grows; asked for
/// by login (16.1 (15.2 to 17.0) KiB each, 99 % of it); what it has now was born all through the soak; called by:
/// src/prose.rs:7 < src/sessions.rs:118 < …`
fn kept_note(cause: &Cause, how: &str) -> String {
    let Cause { frame, per_request, share, share_of_function, chain, kept_in, age, asked_by } = cause;
    let inside = kept_in.as_ref().map(|container| format!(", as {container}")).unwrap_or_default();
    let mut calls: Vec<String> = chain.iter().take(CALLS_SHOWN).map(Frame::place).collect();
    if chain.len() > CALLS_SHOWN {
        calls.push("…".to_owned());
    }
    let calls = if calls.len() > 1 { format!("; called by: {}", calls.join(" < ")) } else { String::new() };
    let age = age.as_ref().and_then(Age::in_words).map(|age| format!("; {age}")).unwrap_or_default();
    let asked_by = asked_by.as_ref().and_then(AskedBy::in_words).map(|asked| format!("; {asked}")).unwrap_or_default();
    let (whole, share) = (percent(*share_of_function), percent(*share));
    let whole = if whole == share { String::new() } else { format!(" ({whole} with the rest of the function)") };
    let (place, per_request) = (described(frame), per_request.compact());
    format!("{how} by {place}{inside}: {per_request} per request, {share} of what grows{whole}{asked_by}{age}{calls}")
}

/// What allocates most, and what is old.
pub(super) fn place_notes(outcome: &Outcome) -> Vec<String> {
    let hot =
        outcome.hot_spots.iter().take(SHOWN).map(|HotSpot { place, bytes, .. }| {
            format!("{} {bytes} ({})", described(&place.frame), percent(place.share))
        });
    let old = outcome.long_lived.iter().take(SHOWN).map(|LongLived { place, bytes, .. }| {
        format!("{} {bytes} ({})", described(&place.frame), percent(place.share))
    });
    let note = |what: &str, places: Vec<String>| (!places.is_empty()).then(|| format!("{what}: {}", places.join(", ")));
    let hot = note("allocates most per request, kept or not", hot.collect());
    let old = note("has alive from before a third of the steady time was over", old.collect());
    hot.into_iter().chain(old).chain(cpu_note(outcome)).chain(lost_note(outcome)).collect()
}

/// `malloc and free take 7 % of its CPU time, by the times of sampled calls`
pub(super) fn cpu_note(outcome: &Outcome) -> Option<String> {
    let share = outcome.allocator_cpu_share?;
    Some(format!("malloc and free take {} of its CPU time, by the times of sampled calls", percent(share)))
}

pub(super) fn lost_note(outcome: &Outcome) -> Option<String> {
    (outcome.lost_samples > 0).then(|| {
        format!(
            "{} samples of stacks found no room, so that shares of places are less sure: sample more coarsely (steep profile --sample)",
            outcome.lost_samples
        )
    })
}

/// `open at src/sessions.rs:118`, or what there is of it.
pub(in crate::report) fn described(frame: &Frame) -> String {
    let place = frame.place();
    if frame.file.is_empty() || frame.function.is_empty() { place } else { format!("{} at {place}", called(frame)) }
}

/// The name of a function; of `{async_fn#0}` and `{closure#2}`, which have none, what they are.
fn called(frame: &Frame) -> String {
    let name = frame.name();
    match name.strip_prefix('{').and_then(|name| name.split_once('#')) {
        Some((kind, _)) => kind.replace('_', " "),
        None => name.to_owned(),
    }
}

/// A share in whole percent.
pub(in crate::report) fn percent(share: f64) -> String {
    match (share * 100.0).round() {
        0.0 => "< 1 %".to_owned(),
        whole => format!("{whole} %"),
    }
}
