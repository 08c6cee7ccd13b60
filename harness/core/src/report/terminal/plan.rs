//! A plan for people.

use super::super::Layout;
use super::prose::wrapped;
use super::table::{Column, table};
use crate::plan::{Aliasing, Cell, Plan};
use steep_judge::units::{counted, duration_text};

/// So many lines of each kind of remark are shown; all are in the JSON.
const MAX_LINES: usize = 12;

/// The cells in their order, the builds, the hours, and what became of the other flag sets.
#[must_use]
pub fn plan_table(plan: &Plan, layout: Layout) -> String {
    // Where nothing is on in production, an id says itself which flags are on.
    let says_all = |cell: &Cell| cell.flags.is_empty() || cell.id.as_str().starts_with(&cell.flags.to_string());
    let cells = || plan.cells.iter();
    let build = |cell: &Cell| cell.build.map_or_else(|| "–".to_owned(), |build| plan.builds[build].label());
    let mut columns = vec![
        Column::figures("", (1..=plan.cells.len()).map(|number| number.to_string())),
        Column::words("build", cells().map(build)),
        Column::words("cell", cells().map(|cell| cell.id.to_string())),
    ];
    if !cells().all(says_all) {
        columns.push(Column::words("flags on", cells().map(|cell| cell.flags.to_string())));
    }
    let mut text = table(&columns, layout);
    let total = plan.soaking();
    let builds = match plan.builds.len() {
        0 => "no build".to_owned(),
        builds => format!("{} (about {})", counted(builds, "build"), duration_text(plan.building())),
    };
    let sum = format!(
        "{} of {}: {} ({:.2} machine-hours), and {builds}",
        counted(plan.cells.len(), "cell"),
        duration_text(plan.cell_duration),
        duration_text(total),
        total.as_secs_f64() / 3600.0,
    );
    text.push_str(&format!("\n{}", wrapped(&sum, layout)));
    text.push_str(&wrapped(&format!("design: {}", plan.notes.design), layout));
    if !plan.foldover.is_empty() {
        let more = counted(plan.foldover.len(), "cell");
        let note = format!(
            "foldover: {more} more, {:.2} machine-hours, if these do not tell what leaks",
            plan.folding().as_secs_f64() / 3600.0
        );
        text.push_str(&wrapped(&note, layout));
    }
    if let Some(reason) = &plan.notes.no_foldover {
        text.push_str(&wrapped(&format!("no foldover, even if these do not tell what leaks: {reason}"), layout));
    }
    if let Some(left_out) = &plan.left_out {
        text.push_str(&wrapped(
            &format!("left out: {} ({})", counted(left_out.cells.len(), "cell"), left_out.reason),
            layout,
        ));
    }
    text.push_str(&remarks(plan, layout));
    text
}

/// What became of flag sets that are not soaked as the strategy would have them.
fn remarks(plan: &Plan, layout: Layout) -> String {
    let described = &plan.notes;
    let dropped = described.dropped.iter().map(|dropped| {
        let axes: String = dropped.axes.iter().map(|(name, value)| format!(", {name} = {value}")).collect();
        format!("dropped: {}{axes} ({})", dropped.flags, dropped.reason)
    });
    let changed =
        described.changed.iter().map(|row| format!("changed: {} to {} ({})", row.wanted, row.soaked, row.reason));
    let impossible = described.impossible.iter();
    let impossible = impossible.map(|one| format!("never together: {} ({})", one.together.join(", "), one.reason));
    [
        shown(dropped, described.more_dropped, layout),
        shown(changed, 0, layout),
        shown(impossible, described.more_impossible, layout),
        aliases(&described.aliasing, layout),
    ]
    .concat()
}

fn aliases(aliasing: &Aliasing, layout: Layout) -> String {
    let mut text =
        shown(aliasing.alike.iter().map(|effects| format!("not told apart: {}", effects.join(" = "))), 0, layout);
    if aliasing.largest_share > 0.0 {
        let note = format!(
            "partly mixed: up to {:.0} % of what a pair adds shows up as that of a single flag",
            aliasing.largest_share * 100.0
        );
        text.push_str(&wrapped(&note, layout));
    }
    text
}

/// The first of `lines`, of which there are some that are not listed in any format.
fn shown(lines: impl ExactSizeIterator<Item = String>, unlisted: usize, layout: Layout) -> String {
    let more = lines.len().saturating_sub(MAX_LINES) + unlisted;
    let mut text: String = lines.take(MAX_LINES).map(|line| wrapped(&line, layout)).collect();
    if more > 0 {
        text.push_str(&format!("… and {more} more: see --format json\n"));
    }
    text
}
