//! After the cells of a screening design: where they leave open what leaks, the opposite of each is soaked, too.

use super::output::tell;
use super::run::is_finished;
use super::scenario_file::LoadedScenario;
use crate::shell::store::{RUN_FILE, RunFolder, RunRecord};
use steep_core::outcome::{Outcome, judged_cells};
use steep_core::scenario::Flag;
use steep_judge::ids::CellId;
use steep_judge::isolation::isolate;
use steep_judge::units::{counted, duration_text};

/// The cells of the foldover, which are of the plan from now on, in the folder too; none if the plan has no such, a
/// cell is missing, or the cells left nothing open.
pub(super) fn fold(
    loaded: &LoadedScenario,
    folder: &RunFolder,
    run: &mut RunRecord,
) -> Result<Vec<CellId>, anyhow::Error> {
    if run.plan.foldover.is_empty() && run.plan.told.no_foldover.is_none() {
        return Ok(Vec::new());
    }
    if !run.plan.cells.iter().all(|cell| is_finished(folder, &cell.id)) {
        return Ok(Vec::new());
    }
    let traces = run.plan.cells.iter().filter_map(|cell| folder.trace(&cell.id).ok().flatten());
    let outcomes: Vec<Outcome> = traces.map(|trace| Outcome::of(&trace)).collect();
    let flags: Vec<String> = run.scenario.flags.iter().flat_map(Flag::members).collect();
    let cells = judged_cells(&outcomes);
    let Some(open) = isolate(&flags, &cells).ambiguity(&cells) else { return Ok(Vec::new()) };
    if let Some(reason) = &run.plan.told.no_foldover {
        tell(&format!("{open}; the opposite of the design might tell and is not soaked: {reason}"));
        return Ok(Vec::new());
    }
    let soaked = run.plan.cells.len();
    let program = &run.scenario.service.program;
    let features = loaded.workspace.as_ref().map(|workspace| workspace.features(program)).unwrap_or_default();
    run.plan = run.plan.clone().folded(&run.scenario, &features);
    folder.write_json(RUN_FILE, &run)?;
    let more: Vec<CellId> = run.plan.cells[soaked..].iter().map(|cell| cell.id.clone()).collect();
    let each = duration_text(run.plan.cell_duration);
    tell(&format!("{open}: the design is folded over, {} more of {each}", counted(more.len(), "cell")));
    Ok(more)
}
