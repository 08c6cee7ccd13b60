//! What a night would be, for people.

use super::super::Layout;
use super::prose::wrapped;
use crate::night::Outline;
use steep_judge::units::{counted, duration_text};

/// The first cell, how many others fit, and what may be left out.
#[must_use]
pub fn outline_text(outline: &Outline, layout: Layout) -> String {
    let Outline { until, left, long_cell, long_cell_flags, long, short, least_short_cells, most_short_cells, not_sure } =
        outline;
    let count = if least_short_cells == most_short_cells {
        counted(*most_short_cells, "cell")
    } else {
        format!("{least_short_cells} to {}", counted(*most_short_cells, "cell"))
    };
    let mut text = format!("until {until}, which is {} from now:\n", duration_text(*left));
    // Where nothing is on in production, an id says itself which flags are on.
    let flags = long_cell_flags.to_string();
    let flags = if long_cell.as_str() == flags { String::new() } else { format!(", with {flags} on") };
    text.push_str(&wrapped(&format!("first, for {}, {long_cell}{flags}", duration_text(*long)), layout));
    text.push_str(&wrapped(
        &format!(
            "then {count} of {} at most, each the one that tells most; fewer once everything is decided",
            duration_text(*short)
        ),
        layout,
    ));
    text.push_str(&wrapped(
        &format!(
            "of the scenario's own plan {} may be left out, which the report then says",
            counted(not_sure.len(), "cell")
        ),
        layout,
    ));
    text
}
