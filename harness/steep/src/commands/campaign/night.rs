//! A night: each cell is chosen by what the ones before it told and by the time that is left.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Zoned;

use super::chooser::{Chooser, Chosen, End, Fit};
use super::so_far::SoFar;
use crate::shell::clock::local_clock;
use crate::shell::progress::Progress;
use crate::shell::store::StoreError;
use steep_core::exit::Status;
use steep_core::night::{Doubts, Night, Outline, Turn, Wanted, left, past, stretched};
use steep_core::plan::Cell;
use steep_core::scenario::Scenario;
use steep_core::scenario::package::Features;
use steep_judge::units::duration_text;

/// Soaks until the `end`.
pub(in super::super) struct NightWatch<'l> {
    pub(in super::super) features: &'l Features,
    /// The flags that are searched among.
    pub(in super::super) switches: Vec<String>,
    pub(in super::super) night: Night<'l>,
    pub(in super::super) end: Zoned,
    /// What fits into it.
    pub(in super::super) outline: Outline,
}

impl NightWatch<'_> {
    fn left(&self) -> Duration {
        left(&local_clock(), &self.end)
    }
}

/// A moment to the minute, in local time with its offset.
pub(in super::super) fn moment(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M%:z").to_string()
}

impl Chooser for NightWatch<'_> {
    fn begin(&mut self, so_far: &mut SoFar<'_>) -> (Progress, VecDeque<Cell>) {
        let progress = Progress::new(1 + self.outline.most_short_cells, &so_far.audience);
        let (name, path) = (&so_far.run.scenario.name, so_far.folder.path().display());
        let (end, left) = (moment(&self.end), duration_text(self.outline.left));
        let short = duration_text(self.outline.short);
        progress.say(&format!("{name}: until {end}, which is {left} from now, cells of {short}; into {path}"));
        (progress, so_far.left_to_soak())
    }

    fn next(&mut self, so_far: &mut SoFar<'_>, progress: &Progress) -> Chosen {
        let outcomes = so_far.outcomes();
        let run = &so_far.run;
        let past = past(&self.switches, &run.plan.cells, &outcomes);
        let turn = self.night.next(&past, &Doubts::of(&run.scenario, &outcomes), self.left(), |flags, axes| {
            let build = run.plan.build_for(&run.scenario, self.features, flags, axes);
            build.is_some_and(|build| !so_far.is_built(build))
        });
        let said = match turn {
            Turn::Soak(Wanted { flags, axes, why }) => {
                let run = &mut so_far.run;
                let cell = run.plan.append(&run.scenario, self.features, &flags, &axes);
                progress.say(&format!("next: {} – {why}", cell.id));
                return Chosen::Cell(cell);
            }
            Turn::Sure => format!("everything is decided, with {} left", duration_text(self.left())),
            Turn::Unsure { reason } => format!("the night is over: {reason}"),
        };
        Chosen::End(End { status: Status::Clean, said: Some(said) })
    }

    fn interrupted(&self, so_far: &SoFar<'_>) -> End {
        let path = so_far.folder.path().display();
        let said = format!("interrupted: --resume {path} goes on with it, until another moment");
        End { status: Status::NotDone, said: Some(said) }
    }

    /// The first cell may go on for longer than the scenario says.
    fn fit(&mut self, so_far: &mut SoFar<'_>, cell: &Cell, progress: &Progress) -> Result<Fit, StoreError> {
        let is_long = so_far.run.plan.cells.first().is_some_and(|first| first.id == cell.id);
        let Some(length) = self.night.length(is_long, self.left()) else {
            progress.say(&format!("{}: not begun, it would not be over in time", cell.id));
            // One that an earlier night began stays missing.
            let SoFar { run, folder, .. } = so_far;
            run.plan.cells.retain(|known| known.id != cell.id || folder.cell(&cell.id).exists());
            so_far.keep()?;
            return Ok(Fit::NoTime);
        };
        let longer = stretched(&so_far.run.scenario, &so_far.loaded.supplies, length);
        let duration = longer.as_ref().map(Scenario::soak_duration);
        if let Some(duration) = duration {
            let own = duration_text(so_far.run.plan.cell_duration);
            progress.say(&format!(
                "{}: its steady load goes on, for {} in place of {own}",
                cell.id,
                duration_text(duration)
            ));
        }
        if let Some(planned) = so_far.run.plan.cells.iter_mut().find(|planned| planned.id == cell.id) {
            planned.duration = duration;
        }
        so_far.keep()?;
        Ok(longer.map_or(Fit::AsPlanned, |longer| Fit::Longer(Box::new(longer))))
    }

    fn built(&mut self, took: Duration) {
        self.night.pace.saw_build(took);
    }

    fn soaked(&mut self, took: Duration, load: Duration) {
        self.night.pace.saw_cell(took, load);
    }
}
