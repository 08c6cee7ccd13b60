//! What the cells of a campaign start: each feature set is built once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::sync::watch;

use crate::commands::scenario_file::LoadedScenario;
use crate::shell::build::{Built, Doing};
use crate::shell::cell::Binary;
use crate::shell::own_program::own_program;
use crate::shell::progress::Progress;
use crate::shell::store::{RunFolder, RunRecord};
use steep_core::plan::Cell;
use steep_core::scenario::Program;
use steep_judge::units::duration_text;

/// The builds that were tried, by their number in the plan. One that failed keeps its message, and does not keep the
/// others from being made.
#[derive(Debug, Default)]
pub(super) struct Builds {
    tried: BTreeMap<usize, Result<Built, String>>,
}

impl Builds {
    /// Makes the builds that `cells` need and that were not tried yet, and says so; whether there were any.
    pub(super) async fn make(
        &mut self,
        loaded: &LoadedScenario,
        folder: &RunFolder,
        run: &RunRecord,
        cells: &[Cell],
        progress: &mut Progress,
        mut interrupted: watch::Receiver<u32>,
    ) -> Result<bool, anyhow::Error> {
        let (Some(workspace), Program::Package(package)) = (&loaded.workspace, &run.scenario.service.program) else {
            return Ok(false);
        };
        let supervisor = own_program().context("find steep's own program")?;
        let mut needed: Vec<usize> = cells.iter().filter_map(|cell| cell.build).collect();
        needed.retain(|build| !self.has(*build));
        needed.sort_unstable();
        needed.dedup();
        let are_counted = run.scenario.service.may_be_preloaded();
        for &index in &needed {
            let build = &run.plan.builds[index];
            let label = format!("{} ({})", package.name, build.label());
            let began = Instant::now();
            progress.build(&label);
            let place = folder.build(index);
            let says = |doing: Doing<'_>| progress.building(&label, doing);
            let building = workspace.build(package, build, &place, (&supervisor, are_counted), says);
            let built = tokio::select! {
                built = building => built,
                // Leaving drops the build, and with it cargo and its compilers.
                _ = interrupted.wait_for(|raised| *raised > 0) => bail!("interrupted while {label} was built; nothing was soaked"),
            };
            match &built {
                Ok(built) => {
                    progress.say(&built_in(&label, began.elapsed(), built.waited));
                    if built.is_relinked {
                        progress.say("linked once more, so that the live bytes of its own allocator are counted");
                    }
                }
                Err(error) => progress.warn(&format!("error: {error}")),
            }
            self.tried.insert(index, built.map_err(|error| error.to_string()));
        }
        Ok(!needed.is_empty())
    }

    /// Whether the build of this number was tried.
    pub(super) fn has(&self, build: usize) -> bool {
        self.tried.contains_key(&build)
    }

    /// What is started in `cell`.
    pub(super) fn binary(&self, cell: &Cell) -> Result<Binary<'_>, anyhow::Error> {
        let Some(build) = cell.build else { return Ok(Binary::Command) };
        match self.tried.get(&build) {
            Some(Ok(built)) => Ok(Binary::Built(built)),
            Some(Err(message)) => Ok(Binary::Failed(message)),
            None => bail!("build {build} of cell {} was not made", cell.id),
        }
    }
}

/// What is said of a build: how long it took, without the time in which another cargo had the lock.
fn built_in(label: &str, all: Duration, waited: Duration) -> String {
    let built = format!("built {label} in {}", duration_text(all.saturating_sub(waited)));
    if waited.is_zero() {
        built
    } else {
        format!("{built}, after {} of waiting for cargo's lock", duration_text(waited))
    }
}
