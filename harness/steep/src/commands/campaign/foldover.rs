//! After the cells of a screening design: where they leave open what leaks, the opposite of each is soaked, too.

use super::so_far::SoFar;
use crate::commands::output::tell;
use steep_core::outcome::judged_cells;
use steep_core::scenario::Flag;
use steep_judge::ids::CellId;
use steep_judge::isolation::isolate;
use steep_judge::units::{counted, duration_text};

/// The cells of the foldover, which are of the plan from now on, in the folder too; none if the plan has no such, a
/// cell is missing, or the cells left nothing open.
pub(super) fn fold(so_far: &mut SoFar<'_>) -> Result<Vec<CellId>, anyhow::Error> {
    let plan = &so_far.run.plan;
    if plan.foldover.is_empty() && plan.notes.no_foldover.is_none() || !so_far.unfinished().is_empty() {
        return Ok(Vec::new());
    }
    let cells = judged_cells(&so_far.outcomes());
    let run = &mut so_far.run;
    let flags: Vec<String> = run.scenario.flags.iter().flat_map(Flag::members).collect();
    let Some(open) = isolate(&flags, &cells).ambiguity(&cells) else { return Ok(Vec::new()) };
    if let Some(reason) = &run.plan.notes.no_foldover {
        tell(&format!("{open}; the opposite of the design might tell and is not soaked: {reason}"));
        return Ok(Vec::new());
    }
    let soaked = run.plan.cells.len();
    run.plan = run.plan.clone().folded(&run.scenario, &so_far.loaded.features());
    so_far.keep()?;
    let plan = &so_far.run.plan;
    let more: Vec<CellId> = plan.cells[soaked..].iter().map(|cell| cell.id.clone()).collect();
    let each = duration_text(plan.cell_duration);
    tell(&format!("{open}: the design is folded over, {} more of {each}", counted(more.len(), "cell")));
    Ok(more)
}
