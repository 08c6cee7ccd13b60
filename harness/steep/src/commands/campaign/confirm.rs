//! A cell whose allocator holds more and more is soaked once more with what is likely to give it back.

use std::path::Path;

use super::{Campaign, summary};
use crate::shell::cell::{self, Soaking};
use crate::shell::interrupt::Interrupt;
use crate::shell::progress::Progress;
use steep_core::outcome::{Outcome, Retained};
use steep_core::scenario::Confirm;
use steep_core::trace::EndReason;

impl Campaign<'_> {
    /// Soaks the cell that retains most once more, if the scenario wants that and something may help. One that was
    /// interrupted begins anew with `--resume`.
    pub(super) async fn confirm(&mut self, interrupt: &Interrupt) -> Result<(), anyhow::Error> {
        if self.so_far.run.scenario.judge.confirm != Confirm::Retention || interrupt.is_raised() {
            return Ok(());
        }
        let outcomes = self.so_far.outcomes();
        let Some((outcome, remedy)) = outcomes
            .iter()
            .filter_map(|outcome| Some((outcome, remedy(outcome)?)))
            .max_by(|(one, _), (other, _)| held(one).total_cmp(&held(other)))
        else {
            return Ok(());
        };
        let id = &outcome.cell;
        let folder = self.so_far.folder.begin_confirming(id)?;
        if folder.end_reason(id).is_some_and(EndReason::is_final) {
            return Ok(());
        }
        let env: Vec<String> = remedy.remedy.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut progress = Progress::new(1, &self.so_far.audience);
        progress.say(&format!("{id}: soaked once more with {} (judge.confirm)", env.join(" ")));
        let provenance = self.so_far.provenance(interrupt.watch()).await?;
        let cell = &self.so_far.run.plan.cells[self.so_far.place(id)?];
        progress.cell(1, cell);
        let soaking = Soaking {
            folder: &folder,
            added_env: &remedy.remedy,
            ..self.so_far.soaking(cell, &provenance, self.sample_every)?
        };
        cell::soak(&soaking, &mut progress, interrupt.watch()).await?;
        progress.finish();
        self.so_far.outcomes.forget(id);
        let Some(outcome) = self.so_far.outcomes.of(&self.so_far.folder, id)? else { return Ok(()) };
        self.so_far.folder.write_json(Path::new(id.as_str()).join("verdict.json"), outcome)?;
        progress.say(&summary(outcome));
        Ok(())
    }
}

fn remedy(outcome: &Outcome) -> Option<&Retained> {
    outcome.retained.as_deref().filter(|retained| !retained.remedy.is_empty())
}

/// What its allocator has, by which cells are compared.
fn held(outcome: &Outcome) -> f64 {
    outcome.retained.as_ref().map_or(0.0, |held| (held.main_heap_bytes + held.arenas_bytes).as_f64())
}
