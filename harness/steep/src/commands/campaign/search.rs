//! A search for the flags that leak: each cell is the one that tells most after those before it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::chooser::{Chooser, Chosen, End};
use super::so_far::SoFar;
use crate::shell::progress::Progress;
use steep_core::exit::Status;
use steep_core::plan::{Allowed, Cell, usual_axes};
use steep_core::scenario::package::Features;
use steep_core::search::{self, cell_growths, rules};
use steep_judge::bisect::{MAX_CELLS, Next, SearchState};
use steep_judge::isolation::CLEARED;
use steep_judge::units::{counted, duration_text};

/// Explanations that are reported after each cell.
const EXPLANATIONS_SHOWN: usize = 3;

/// Searches until it is known which flags leak, or the cells have taken the time of the budget.
pub(in super::super) struct Search {
    features: Features,
    allowed: Allowed,
    budget: Duration,
}

impl Search {
    /// Among the flag sets that `allowed` leaves.
    pub(in super::super) const fn new(features: Features, allowed: Allowed, budget: Duration) -> Self {
        Self { features, allowed, budget }
    }

    /// What the cells so far tell. A set of flags whose cell could not be judged is not asked for again.
    fn look(&self, so_far: &mut SoFar<'_>) -> SearchState {
        let outcomes = so_far.outcomes();
        let (scenario, plan) = (&so_far.run.scenario, &so_far.run.plan);
        let switches = self.allowed.switches();
        let described = cell_growths(&switches, &plan.cells, &outcomes);
        let spent = plan.cell_duration * u32::try_from(plan.cells.len()).unwrap_or(u32::MAX);
        let search = search::Search::new(&switches, rules(scenario), described);
        search.look(&self.allowed, |_| true, self.budget.saturating_sub(spent))
    }
}

impl Chooser for Search {
    fn begin(&mut self, so_far: &mut SoFar<'_>) -> (Progress, VecDeque<Cell>) {
        let run = &so_far.run;
        let affordable = self.budget.div_duration_f64(run.plan.cell_duration) as usize;
        let progress = Progress::new(affordable.min(MAX_CELLS), &so_far.audience);
        let (count, each) = (self.allowed.switches().len(), duration_text(run.plan.cell_duration));
        let (budget, path) = (duration_text(self.budget), so_far.folder.path().display());
        let name = &run.scenario.name;
        progress.say(&format!(
            "{name}: {}, cells of {each}, at most {budget} of them; into {path}",
            counted(count, "flag")
        ));
        (progress, so_far.left_to_soak())
    }

    fn next(&mut self, so_far: &mut SoFar<'_>, progress: &Progress) -> Chosen {
        let SearchState { explanations, flags, program_posterior, next } = self.look(so_far);
        let said: Vec<String> = explanations.iter().take(EXPLANATIONS_SHOWN).map(ToString::to_string).collect();
        if !so_far.run.plan.cells.is_empty() {
            let program = if program_posterior >= 0.5 { "; the program itself grows" } else { "" };
            progress.say(&format!("how likely each flag leaks: {}", by_likelihood(&flags)));
            progress.say(&format!("which flags leak, all together: {}{program}", said.join("; ")));
        }
        let reason = match next {
            Next::Soak(_) if so_far.run.plan.cells.len() >= MAX_CELLS => {
                format!("{MAX_CELLS} cells did not decide it")
            }
            Next::Soak(wanted) => {
                let (scenario, flags) = (&so_far.run.scenario, self.allowed.whole(&wanted.flags));
                let cell = so_far.run.plan.append(scenario, &self.features, &flags, &usual_axes(scenario));
                progress.say(&format!("next: {} – {}", cell.id, wanted.why));
                return Chosen::Cell(cell);
            }
            Next::Sure => return Chosen::End(End::DONE),
            Next::Unsure { reason } => reason,
        };
        let resume = so_far.folder.path().display();
        let said = format!("UNDECIDED: {reason}. Give more --max-hours with --resume {resume}, or longer phases");
        Chosen::End(End { status: Status::Undecided, said: Some(said) })
    }

    fn interrupted(&self, so_far: &SoFar<'_>) -> End {
        let path = so_far.folder.path().display();
        let said = format!("interrupted: the search is undecided; --resume {path} goes on with it");
        End { status: Status::NotDone, said: Some(said) }
    }
}

/// Flags that are not unlikely to leak, the likeliest first. With several leaks each may be sure long before all
/// together are.
fn by_likelihood(flags: &BTreeMap<String, f64>) -> String {
    let mut open: Vec<(&String, f64)> = flags.iter().map(|(flag, posterior)| (flag, *posterior)).collect();
    open.retain(|(_, posterior)| *posterior > CLEARED);
    open.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut described: Vec<String> = open.iter().map(|(flag, posterior)| format!("{flag} {posterior:.2}")).collect();
    let unlikely = flags.len() - open.len();
    if unlikely > 0 {
        described
            .push(format!("{} at most {CLEARED}", counted(unlikely, if open.is_empty() { "flag" } else { "other" })));
    }
    described.join(", ")
}
