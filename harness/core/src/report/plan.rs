//! A plan for people.

use super::table::{columns, shortened, wrapped};
use crate::plan::{Aliasing, Cell, Plan};
use steep_judge::units::{counted, duration_text};

/// So many lines of each kind of remark are shown; all are in the JSON.
const MAX_LINES: usize = 12;

/// Longer lists of features are cut: the cell says the same.
const LONGEST_BUILD: usize = 30;

/// The cells in their order, the builds, the hours, and what became of the other flag sets.
#[must_use]
pub fn plan_table(plan: &Plan) -> String {
    // Where nothing is on in production, an id says itself which flags are on.
    let says_all = |cell: &Cell| cell.flags.is_empty() || cell.id.as_str().starts_with(&cell.flags.to_string());
    let shown = if plan.cells.iter().all(says_all) { 3 } else { 4 };
    let mut rows = vec![["", "build", "cell", "flags on"][..shown].iter().map(|head| (*head).to_owned()).collect()];
    for (index, cell) in plan.cells.iter().enumerate() {
        let build = cell.build.map_or_else(|| "–".to_owned(), |build| plan.builds[build].label());
        let build = shortened(&build, LONGEST_BUILD);
        let row = [(index + 1).to_string(), build, cell.id.to_string(), cell.flags.to_string()];
        rows.push(row[..shown].to_vec());
    }
    let mut text = columns(&rows);
    let total = plan.soaking();
    let builds = match plan.builds.len() {
        0 => "no build".to_owned(),
        builds => format!("{} (about {})", counted(builds, "build"), duration_text(plan.building())),
    };
    text.push_str(&format!(
        "\n{} of {}: {} ({:.2} machine-hours), and {builds}\n",
        counted(plan.cells.len(), "cell"),
        duration_text(plan.cell_duration),
        duration_text(total),
        total.as_secs_f64() / 3600.0,
    ));
    text.push_str(&format!("design: {}\n", plan.told.design));
    if !plan.foldover.is_empty() {
        let more = counted(plan.foldover.len(), "cell");
        let note = format!(
            "foldover: {more} more, {:.2} machine-hours, if these do not tell what leaks",
            plan.folding().as_secs_f64() / 3600.0
        );
        text.push_str(&wrapped(&note, 2));
    }
    if let Some(reason) = &plan.told.no_foldover {
        text.push_str(&wrapped(&format!("no foldover, even if these do not tell what leaks: {reason}"), 2));
    }
    if let Some(left_out) = &plan.left_out {
        text.push_str(&wrapped(
            &format!("left out: {} ({})", counted(left_out.cells.len(), "cell"), left_out.reason),
            2,
        ));
    }
    text.push_str(&remarks(plan));
    text
}

/// What became of flag sets that are not soaked as the strategy would have them.
fn remarks(plan: &Plan) -> String {
    let told = &plan.told;
    let dropped = told.dropped.iter().map(|dropped| {
        let axes: String = dropped.axes.iter().map(|(name, value)| format!(", {name} = {value}")).collect();
        format!("dropped: {}{axes} ({})", dropped.flags, dropped.reason)
    });
    let changed = told.changed.iter().map(|row| format!("changed: {} to {} ({})", row.wanted, row.soaked, row.reason));
    let impossible = told.impossible.iter();
    let impossible = impossible.map(|one| format!("never together: {} ({})", one.together.join(", "), one.reason));
    [
        shown(dropped, told.more_dropped),
        shown(changed, 0),
        shown(impossible, told.more_impossible),
        aliases(&told.aliasing),
    ]
    .concat()
}

fn aliases(aliasing: &Aliasing) -> String {
    let mut text = shown(aliasing.alike.iter().map(|effects| format!("not told apart: {}", effects.join(" = "))), 0);
    if aliasing.largest_share > 0.0 {
        text.push_str(&format!(
            "partly mixed: up to {:.0} % of what a pair adds shows up as that of a single flag\n",
            aliasing.largest_share * 100.0
        ));
    }
    text
}

/// The first of `lines`, of which there are some that are not listed in any format.
fn shown(lines: impl ExactSizeIterator<Item = String>, unlisted: usize) -> String {
    let more = lines.len().saturating_sub(MAX_LINES) + unlisted;
    let mut text: String = lines.take(MAX_LINES).map(|line| wrapped(&line, 2)).collect();
    if more > 0 {
        text.push_str(&format!("… and {more} more: see --format json\n"));
    }
    text
}
