//! A leaking cell whose allocator no stacks could be sampled of: the same features are soaked once more with the
//! system's allocator, as `steep profile` does it, so that the line is known.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Campaign, summary};
use crate::commands::outcomes::judged;
use crate::shell::cell::{self, Soaking};
use crate::shell::interrupt::Interrupt;
use crate::shell::progress::Progress;
use steep_core::kept::finely;
use steep_core::outcome::Outcome;
use steep_core::plan::{Cell, with_system};
use steep_core::scenario::{LiveChoice, Rerun};
use steep_core::trace::EndReason;
use steep_judge::ids::CellId;

/// Cells that are soaked once more at the end of a run, those that leak most: each takes as long as its own soak.
const MOST: usize = 2;

impl Campaign<'_> {
    /// Soaks the cells beside the plan that may tell a line which the plan's cells do not. One that was interrupted
    /// begins anew with `--resume`.
    pub(super) async fn rerun(&mut self, interrupt: &Interrupt) -> Result<(), anyhow::Error> {
        let run = &self.so_far.run;
        if run.scenario.judge.rerun != Rerun::Leaks || run.plan.left_out.is_some() || interrupt.is_raised() {
            return Ok(());
        }
        let mut wanted = self.without_lines();
        if wanted.is_empty() {
            return Ok(());
        }
        let left = wanted.split_off(wanted.len().min(MOST));
        let mut scenario = self.so_far.run.scenario.clone();
        // What cannot be counted is not soaked for nothing.
        scenario.service.live = LiveChoice::Preload;
        let provenance = self.so_far.provenance(interrupt.watch()).await?;
        let mut progress = Progress::new(wanted.len(), &self.so_far.audience);
        for (number, (of, allocator, cell)) in wanted.iter().enumerate() {
            if interrupt.is_raised() {
                break;
            }
            let folder = self.so_far.folder.begin_reruns()?;
            if folder.end_reason(&cell.id).is_some_and(EndReason::is_final) {
                continue;
            }
            progress.say(&format!(
                "{of}: leaks, and with {allocator} no line is known: soaked once more with the system's allocator, as {} \
                 (judge.rerun)",
                cell.id
            ));
            self.so_far.keep()?;
            self.build(std::slice::from_ref(cell), &mut progress, interrupt).await?;
            progress.cell(number + 1, cell);
            let soaking = Soaking {
                folder: &folder,
                scenario: &scenario,
                ..self.so_far.soaking(cell, &provenance, finely(scenario.service.memory_limit_bytes))?
            };
            let recorded = cell::soak(&soaking, &mut progress, interrupt.watch()).await?;
            let outcome = judged(recorded, &folder);
            folder.write_json(Path::new(cell.id.as_str()).join("verdict.json"), &outcome)?;
            progress.say(&summary(&outcome));
        }
        for (of, ..) in &left {
            progress.say(&format!(
                "{of}: leaks, and no line is known; not soaked with the system's allocator, for {MOST} cells were"
            ));
        }
        progress.finish();
        self.keep_reruns()
    }

    /// The leaking cells without a line, the largest leak first, with their allocators and the cells that may tell it,
    /// each of these once.
    fn without_lines(&mut self) -> Vec<(CellId, String, Cell)> {
        let features = self.so_far.loaded.features();
        let mut leaking: Vec<(f64, Cell)> = Vec::new();
        for cell in self.so_far.run.plan.cells.clone() {
            let open = self.so_far.outcomes.get(&self.so_far.folder, &cell.id).filter(|outcome| outcome.lacks_stacks());
            leaking.extend(open.map(|outcome| (grows(outcome), cell)));
        }
        leaking.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let mut found = BTreeSet::new();
        let mut wanted = Vec::new();
        for (_, cell) in leaking {
            let so_far = &mut self.so_far;
            let Some((allocator, axes)) = with_system(&so_far.run.scenario, &cell.axes) else { continue };
            let allocator = allocator.to_owned();
            if so_far.outcomes.of_plan_with(&so_far.folder, &so_far.run, &cell, &axes).is_some() {
                continue;
            }
            let run = &mut so_far.run;
            let Some(beside) = run.plan.beside_with_system(&run.scenario, &features, &cell) else { continue };
            if found.insert(beside.id.clone()) {
                wanted.push((cell.id, allocator, beside));
            }
        }
        wanted
    }

    /// Keeps what came of it beside the traces of the cells that it is about.
    fn keep_reruns(&mut self) -> Result<(), anyhow::Error> {
        let so_far = &mut self.so_far;
        so_far.outcomes.add_reruns(&so_far.folder, &so_far.run);
        for outcome in so_far.outcomes().iter().filter(|outcome| outcome.rerun.is_some()) {
            so_far.folder.write_json(Path::new(outcome.cell.as_str()).join("verdict.json"), outcome)?;
        }
        Ok(())
    }
}

/// By which leaks are compared.
fn grows(outcome: &Outcome) -> f64 {
    outcome.growth().map_or(0.0, |growth| growth.per_hour.value.get())
}
