//! Who counted live bytes, and why nobody did: said once for all cells of which it is the same.

use std::collections::BTreeMap;

use crate::kept::SampledBy;
use crate::outcome::Outcome;
use crate::scenario::LiveFrom;

/// What is said of live bytes.
pub(in crate::report) fn notes(cells: &[Outcome]) -> Vec<String> {
    let counted = |outcome: &Outcome| {
        let decides = outcome.live_from == Some(LiveFrom::Preload) && outcome.live_not_believed.is_none();
        let note = "live bytes are counted by a library that steep loads into the program, which is not changed \
                    (service.live)";
        decides.then(|| note.to_owned())
    };
    let not_counted = |outcome: &Outcome| {
        let why = outcome.live_not_counted.as_ref()?;
        Some(format!("judged by resident memory, because nobody counts live bytes: {why}"))
    };
    let not_believed =
        |outcome: &Outcome| outcome.live_not_believed.as_ref().map(|why| format!("judged by anonymous memory: {why}"));
    let profiled = |outcome: &Outcome| {
        let note = "lines come from the heap profiles of its jemalloc (prof:true), not from what steep loads into it";
        (outcome.stacks_sampled_by == Some(SampledBy::Jemalloc)).then(|| note.to_owned())
    };
    let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for outcome in cells {
        let notes = [counted(outcome), not_counted(outcome), not_believed(outcome), profiled(outcome)];
        for note in notes.into_iter().flatten() {
            said.entry(note).or_default().push(outcome.cell.as_str());
        }
    }
    let of_whom = |(note, of): (String, Vec<&str>)| {
        let who = if of.len() == cells.len() && of.len() > 1 { "all cells".to_owned() } else { of.join(", ") };
        format!("{who}: {note}")
    };
    said.into_iter().map(of_whom).collect()
}
