//! Where the memory of a cell lies, and which part of it grows: for cells of which growth is said or not excluded.

use super::super::Layout;
use super::prose::wrapped;
use super::table::{Column, table};
use crate::outcome::{Layers, MemoryLayer, MemoryPart, Outcome};
use steep_judge::units::Bytes;
use steep_judge::verdict::Verdict;

/// Tables that are shown; `verdict.json` of each cell has its own.
const SHOWN: usize = 4;

/// The tables of those of `cells` that they say something of.
pub(super) fn layers(cells: &[Outcome], layout: Layout) -> String {
    let tables = cells.iter().filter_map(|outcome| Some((outcome, outcome.layers.as_deref()?)));
    let tables = tables.filter(|(outcome, layers)| is_helpful(outcome, layers)).take(SHOWN);
    tables.map(|(outcome, layers)| of_cell(outcome, layers, layout)).collect::<Vec<_>>().join("\n")
}

/// Nobody asks where memory lies that does not grow, or that grows by live bytes alone.
fn is_helpful(outcome: &Outcome, layers: &Layers) -> bool {
    let growth = |layer: &&MemoryLayer| layer.growth_bytes_per_hour.value.get();
    let growing = layers.layers.iter().filter(|layer| layer.grows);
    let most = growing.max_by(|one, other| growth(one).total_cmp(&growth(other))).map(|layer| layer.part);
    match outcome.verdict() {
        Verdict::Leak | Verdict::Step => most.is_some_and(|part| part != MemoryPart::InUse),
        Verdict::Retention | Verdict::Inconclusive | Verdict::Crashed => most.is_some(),
        Verdict::Plateau | Verdict::Stable | Verdict::Invalid => false,
    }
}

fn of_cell(outcome: &Outcome, layers: &Layers, layout: Layout) -> String {
    let is_per_request = layers.layers.iter().all(|layer| layer.growth_bytes_per_request.is_some());
    let growth = |layer: &MemoryLayer| match &layer.growth_bytes_per_request {
        Some(per_request) if is_per_request => per_request.compact(),
        _ => layer.growth_bytes_per_hour.compact(),
    };
    let marked = |layer: &MemoryLayer| format!("{}{}", if layer.grows { "* " } else { "" }, growth(layer));
    let rest = layers.rest_bytes;
    let signed = format!("{}{}", if rest < 0 { "-" } else { "" }, Bytes::new(rest.unsigned_abs()));
    let of_each = |text: &dyn Fn(&MemoryLayer) -> String| layers.layers.iter().map(text).collect::<Vec<_>>();
    let mut names = of_each(&|layer| layer.part.name().to_owned());
    let mut levels = of_each(&|layer| layer.end_bytes.to_string());
    let mut growths = of_each(&marked);
    for (column, text) in
        [(&mut names, "in none of them".to_owned()), (&mut levels, signed), (&mut growths, "–".to_owned())]
    {
        column.push(text);
    }
    let head = if is_per_request { "growth per request" } else { "growth per hour" };
    let columns = [
        Column::words(&format!("memory of {}", outcome.cell), names),
        Column::figures("at the end", levels),
        Column::figures(head, growths),
    ];
    let without = if layers.live_is_known {
        ""
    } else {
        " Nobody counted live bytes: what is in use is not told from what the allocator holds free (docs/live-bytes.md)."
    };
    let note = format!(
        "They add up to {} of resident memory. * grew for sure ({} looks).{without}",
        layers.resident_bytes, layers.looks
    );
    table(&columns, layout) + &wrapped(&note, layout)
}
