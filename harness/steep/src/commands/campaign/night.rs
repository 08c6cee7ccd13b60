//! A night: each cell is chosen by what the ones before it told and by the time that is left.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Zoned;

use super::Campaign;
use super::chooser::{Chooser, Chosen, End, Fit};
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
    fn begin(&mut self, campaign: &mut Campaign<'_>) -> (Progress, VecDeque<Cell>) {
        let progress = Progress::new(1 + self.outline.most_short_cells);
        let (name, path) = (&campaign.run.scenario.name, campaign.folder.path().display());
        let (end, left) = (moment(&self.end), duration_text(self.outline.left));
        let short = duration_text(self.outline.short);
        progress.say(&format!("{name}: until {end}, which is {left} from now, cells of {short}; into {path}"));
        (progress, campaign.unfinished())
    }

    fn next(&mut self, campaign: &mut Campaign<'_>, progress: &Progress) -> Chosen {
        let outcomes = campaign.outcomes();
        let run = &campaign.run;
        let past = past(&self.switches, &run.plan.cells, &outcomes);
        let turn = self.night.next(&past, &Doubts::of(&run.scenario, &outcomes), self.left(), |flags, axes| {
            let build = run.plan.build_for(&run.scenario, self.features, flags, axes);
            build.is_some_and(|build| !campaign.is_built(build))
        });
        let said = match turn {
            Turn::Soak(Wanted { flags, axes, why }) => {
                let run = &mut campaign.run;
                let cell = run.plan.append(&run.scenario, self.features, &flags, &axes);
                progress.say(&format!("next: {} – {why}", cell.id));
                return Chosen::Cell(cell);
            }
            Turn::Sure => format!("everything is decided, with {} left", duration_text(self.left())),
            Turn::Unsure { reason } => format!("the night is over: {reason}"),
        };
        Chosen::End(End { status: Status::Clean, said: Some(said) })
    }

    fn interrupted(&self, campaign: &Campaign<'_>) -> End {
        let path = campaign.folder.path().display();
        let said = format!("interrupted: --resume {path} goes on with it, until another moment");
        End { status: Status::NotDone, said: Some(said) }
    }

    /// The first cell may go on for longer than the scenario says.
    fn fit(&mut self, campaign: &mut Campaign<'_>, cell: &Cell, progress: &Progress) -> Result<Fit, StoreError> {
        let is_long = campaign.run.plan.cells.first().is_some_and(|first| first.id == cell.id);
        let Some(length) = self.night.length(is_long, self.left()) else {
            progress.say(&format!("{}: not begun, it would not be over in time", cell.id));
            // One that an earlier night began stays missing.
            let Campaign { run, folder, .. } = campaign;
            run.plan.cells.retain(|known| known.id != cell.id || folder.cell(&cell.id).exists());
            campaign.keep()?;
            return Ok(Fit::NoTime);
        };
        let longer = stretched(&campaign.run.scenario, &campaign.loaded.supplies, length);
        let duration = longer.as_ref().map(Scenario::soak_duration);
        if let Some(duration) = duration {
            let own = duration_text(campaign.run.plan.cell_duration);
            progress.say(&format!(
                "{}: its steady load goes on, for {} in place of {own}",
                cell.id,
                duration_text(duration)
            ));
        }
        if let Some(planned) = campaign.run.plan.cells.iter_mut().find(|planned| planned.id == cell.id) {
            planned.duration = duration;
        }
        campaign.keep()?;
        Ok(longer.map_or(Fit::AsPlanned, |longer| Fit::Longer(Box::new(longer))))
    }

    fn built(&mut self, took: Duration) {
        self.night.pace.saw_build(took);
    }

    fn soaked(&mut self, took: Duration, load: Duration) {
        self.night.pace.saw_cell(took, load);
    }
}
