//! What is to be known of a run, all cells together.

use std::collections::BTreeSet;

use super::super::Report;
use steep_judge::ids::CellId;

/// What holds for the whole run, beside what is said of its cells and flags.
pub(in crate::report) fn run_notes(report: &Report) -> Vec<String> {
    let alike = report
        .alike
        .iter()
        .map(|alike| format!("{}; they are not compared; does anything in the source ask for it?", alike.described()));
    alike.chain(unverified(report)).chain(load(report)).chain(unknown(report)).collect()
}

fn unverified(report: &Report) -> Vec<String> {
    let flags = report.flags.iter().filter(|flag| flag.unverified).map(|flag| flag.flag.as_str());
    let allocators: BTreeSet<&str> =
        report.cells.iter().filter_map(|outcome| outcome.unverified_allocator.as_deref()).collect();
    let flags = listed(flags)
        .map(|names| format!("? unverified: nothing showed that {names} took effect; give the flag a `verify`"));
    let allocators = listed(allocators)
        .map(|names| format!("unverified: nothing showed that the allocator {names} is in use; give it a `verify`"));
    flags.into_iter().chain(allocators).collect()
}

fn load(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.cells.iter().any(|outcome| outcome.users.is_some()) {
        notes.push(
            "closed load: a slow service was asked less, and the latencies leave out what an open load would have \
             felt (coordinated omission)"
                .to_owned(),
        );
    }
    let not_counted: BTreeSet<&str> =
        report.cells.iter().flat_map(|outcome| &outcome.not_counted).map(String::as_str).collect();
    if !not_counted.is_empty() {
        let list = not_counted.into_iter().collect::<Vec<_>>().join("; ");
        notes.push(format!("not counted as memory of the service: {list}"));
    }
    if report.cells.iter().any(|outcome| outcome.without_load) {
        notes.push("nothing was asked (load.model = \"none\"): growth is known per hour only".to_owned());
    }
    notes
}

fn unknown(report: &Report) -> Option<String> {
    let cells = listed(report.not_asked.iter().map(CellId::as_str))?;
    Some(format!("not asked for, and nothing is known of: {cells} (steep run FILE --resume RUN soaks them)"))
}

/// The names with commas; none of none.
fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| names.join(", "))
}
