//! What a report says of growth that is filed already.

use super::super::Layout;
use super::prose::wrapped;
use crate::known::{KnownGrowth, State};
use steep_judge::units::{BytesPerHour, BytesPerRequest};

/// One paragraph for each entry; empty where nothing is filed.
pub(super) fn known(all: &[KnownGrowth], layout: Layout) -> String {
    all.iter().map(|known| wrapped(&format!("known: {}", note(known)), layout)).collect()
}

/// What became of growth that is filed.
pub(in crate::report) fn note(known: &KnownGrowth) -> String {
    let names = known.flags.iter().map(|flag| format!("`{flag}`")).collect::<Vec<_>>().join(" with ");
    let KnownGrowth { issue, expires, .. } = known;
    let filed = limits(known);
    let grows =
        known.effect.as_ref().map_or_else(|| "grows".to_owned(), |effect| format!("grows by {}", effect.amount()));
    match known.state {
        State::Seen => format!("{names} {grows}; filed are {filed} until {expires}: {issue}{}", excused(known)),
        State::MayHaveWorsened => format!(
            "{names} {grows}, which may be more than the {filed} that are filed: {issue}; a longer soak would tell{}",
            excused(known)
        ),
        State::Worsened => format!(
            "{names} {grows}, more than the {filed} that are filed: {issue}; it has worsened, and excuses nothing"
        ),
        State::NotSeen => format!(
            "{names} was not seen to grow by what is worth finding: if {issue} is closed, its [[known]] can go; until then it excuses nothing"
        ),
        State::NotDecided => format!(
            "the cells do not tell whether {names} still grows by up to {filed}, as {issue} says{}",
            excused(known)
        ),
        State::Expired => format!("{names}: what {issue} says counts no longer since {expires}; growth fails again"),
    }
}

fn limits(known: &KnownGrowth) -> String {
    let per_request = known.max_growth_bytes_per_request.as_ref().map(BytesPerRequest::to_string);
    let per_hour = known.max_growth_bytes_per_hour.as_ref().map(BytesPerHour::to_string);
    per_request.into_iter().chain(per_hour).collect::<Vec<_>>().join(" and ")
}

/// Cells are said by name as long as a line holds them.
const MAX_NAMED: usize = 6;

fn excused(known: &KnownGrowth) -> String {
    match &known.excused[..] {
        [] => String::new(),
        cells if cells.len() <= MAX_NAMED => {
            let cells: Vec<&str> = cells.iter().map(steep_judge::ids::CellId::as_str).collect();
            format!("; does not fail because of it: {}", cells.join(", "))
        }
        cells => format!("; {} cells do not fail because of it", cells.len()),
    }
}
