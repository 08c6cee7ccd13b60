//! `steep bisect`: soaks one cell after the other, each the one that tells most, until it is known which flags leak.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};

use super::output::{layout, print, status_of, tell};
use super::repeat::Repeats;
use super::run::{Binaries, Refused, binary, build_all, is_finished, open_folder, provenance_now, report, soak};
use super::scenario_file::{LoadedScenario, load};
use crate::cli::BisectOptions;
use crate::shell::cell::Soaking;
use crate::shell::interrupt::Interrupt;
use crate::shell::progress::Progress;
use crate::shell::runtime;
use crate::shell::store::{RUN_FILE, RunFolder, RunRecord};
use crate::shell::supervisor::become_subreaper;
use steep_core::exit::Status;
use steep_core::outcome::Outcome;
use steep_core::plan::{Allowed, Cell, Plan, usual_axes};
use steep_core::report::{Layout, rehearsed};
use steep_core::scenario::Scenario;
use steep_core::scenario::package::Features;
use steep_core::search::{self, cell_growths, rules};
use steep_judge::bisect::{MAX_CELLS, Next, Rehearsal, SearchState};
use steep_judge::isolation::CLEARED;
use steep_judge::units::{counted, duration_text};

/// Searches for the flags of the scenario that leak.
#[must_use]
pub fn bisect(options: &BisectOptions) -> Status {
    let Some(loaded) = load(&options.scenario) else { return Status::Usage };
    let budget = match budget(&loaded.scenario, options.max_hours) {
        Ok(budget) => budget,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            return Status::Usage;
        }
    };
    let program = &loaded.scenario.service.program;
    let features = loaded.workspace.as_ref().map(|workspace| workspace.features(program)).unwrap_or_default();
    let allowed = Allowed::of(&loaded.scenario, &features);
    if allowed.switches().is_empty() {
        tell("error: all flags are pinned, and nothing is left to search among: take some out of [constraints] pinned");
        return Status::Usage;
    }
    if let Some(reason) = search::too_many(allowed.switches().len()) {
        tell(&format!("error: {reason}"));
        return Status::Usage;
    }
    if let Some(trials) = options.plan_only {
        return status_of(rehearse(&loaded.scenario, &allowed, budget, trials, layout(options.format.wide)));
    }
    let plan = Plan::of_search(&loaded.scenario);
    let (folder, run) = match open_folder(&loaded, &plan, options.out.as_deref(), options.resume.as_deref()) {
        Ok(begun) => begun,
        Err(Refused { status, error }) => {
            tell(&format!("error: {error:#}"));
            return status;
        }
    };
    let mut search = Search { loaded: &loaded, features, allowed, folder, run, budget };
    let runtime = runtime::start().context("start the runtime");
    let searched = runtime.and_then(|runtime| runtime.block_on(search.run(options.resume.is_some())));
    // However the search ended, what there is is reported.
    let searched = status_of(searched);
    let reported = report(&search.folder, &search.run, options.format);
    Status::of([searched, reported])
}

/// The time that the cells may take.
fn budget(scenario: &Scenario, hours: f64) -> Result<Duration, anyhow::Error> {
    if scenario.flags.is_empty() {
        bail!("the scenario has no flags to search among: describe them in [[flags]]");
    }
    let budget = Duration::try_from_secs_f64(hours * 3600.0).map_err(|_| anyhow!("--max-hours {hours} is no time"))?;
    let each = scenario.soak_duration();
    if budget < each {
        bail!("--max-hours {hours} is less than one cell of {}: give more, or shorten the phases", duration_text(each));
    }
    Ok(budget)
}

/// Says what searches over simulated cells take.
fn rehearse(
    scenario: &Scenario,
    allowed: &Allowed,
    budget: Duration,
    trials: u32,
    layout: Layout,
) -> Result<Status, anyhow::Error> {
    let rehearsal = Rehearsal { flags: allowed.switches(), rules: rules(scenario), budget };
    let tallies = rehearsal.usual_cases(trials, |flags| allowed.allows(&allowed.whole(flags)));
    print(&rehearsed(&rehearsal, &tallies, layout), None)?;
    Ok(Status::Clean)
}

/// A search that soaks.
struct Search<'l> {
    loaded: &'l LoadedScenario,
    features: Features,
    allowed: Allowed,
    folder: RunFolder,
    run: RunRecord,
    budget: Duration,
}

/// How a search ends, unless a cell that it rests on is repeated.
struct End {
    status: Status,
    said: Option<String>,
}

impl Search<'_> {
    async fn run(&mut self, resumed: bool) -> Result<Status, anyhow::Error> {
        // What a supervisor leaves behind when it is killed comes to steep, and does not live on.
        become_subreaper().context("become the reaper of orphaned processes")?;
        let interrupt = Interrupt::listen().context("listen for signals")?;
        let affordable = self.budget.div_duration_f64(self.run.plan.cell_duration) as usize;
        let mut progress = Progress::new(affordable.min(MAX_CELLS));
        let (count, each) = (self.allowed.switches().len(), duration_text(self.run.plan.cell_duration));
        let (budget, path) = (duration_text(self.budget), self.folder.path().display());
        let name = &self.run.scenario.name;
        progress.say(&format!(
            "{name}: {}, cells of {each}, at most {budget} of them; into {path}",
            counted(count, "flag")
        ));
        let provenance = provenance_now(self.loaded, &self.run, resumed, interrupt.watch()).await?;
        let unfinished = |cell: &&Cell| !is_finished(&self.folder, &cell.id);
        let mut waiting: VecDeque<Cell> = self.run.plan.cells.iter().filter(unfinished).cloned().collect();
        let mut binaries = Binaries::new();
        let mut repeats = Repeats::default();
        let status = loop {
            if interrupt.is_raised() {
                let path = self.folder.path().display();
                progress.say(&format!("interrupted: the search is undecided; --resume {path} goes on with it"));
                break Status::NotDone;
            }
            let cell = match waiting.pop_front() {
                Some(cell) => cell,
                None => match self.next(&progress)? {
                    Ok(cell) => cell,
                    Err(End { status, said }) => {
                        let Some(cell) = repeats.next(&self.folder, &self.run, |_| true, &progress) else {
                            if let Some(said) = said {
                                progress.say(&said);
                            }
                            break status;
                        };
                        cell
                    }
                },
            };
            if cell.build.is_some_and(|build| !binaries.contains_key(&build)) {
                let wanted = [&cell];
                let interrupted = interrupt.watch();
                let built =
                    build_all(self.loaded, &self.folder, &self.run, &wanted, &mut progress, interrupted).await?;
                binaries.extend(built);
            }
            let number = self.run.plan.cells.iter().position(|known| known.id == cell.id).unwrap_or(0) + 1;
            progress.cell(number, &cell);
            let soaking = Soaking {
                scenario: &self.run.scenario,
                supplies: &self.loaded.supplies,
                plan: &self.run.plan,
                cell: &cell,
                scenario_folder: &self.run.scenario_folder,
                provenance: &provenance,
                binary: binary(&cell, &binaries)?,
                folder: &self.folder,
                repeated: None,
            };
            let outcome = soak(&soaking, &mut progress, interrupt.watch()).await?;
            repeats.saw(&cell, &outcome, &self.run, &progress);
        };
        progress.finish();
        Ok(status)
    }

    /// The next cell, noted in the run's folder before it is soaked; or how the search ends.
    fn next(&mut self, progress: &Progress) -> Result<Result<Cell, End>, anyhow::Error> {
        let SearchState { explanations, flags, program_posterior, next } = self.look();
        let said: Vec<String> = explanations.iter().take(EXPLANATIONS_SHOWN).map(ToString::to_string).collect();
        if !self.run.plan.cells.is_empty() {
            let program = if program_posterior >= 0.5 { "; the program itself grows" } else { "" };
            progress.say(&format!("how likely each flag leaks: {}", by_likelihood(&flags)));
            progress.say(&format!("which flags leak, all together: {}{program}", said.join("; ")));
        }
        let reason = match next {
            Next::Soak(_) if self.run.plan.cells.len() >= MAX_CELLS => format!("{MAX_CELLS} cells did not decide it"),
            Next::Soak(wanted) => {
                let (scenario, flags) = (&self.run.scenario, self.allowed.whole(&wanted.flags));
                let cell = self.run.plan.append(scenario, &self.features, &flags, &usual_axes(scenario));
                self.folder.write_json(RUN_FILE, &self.run)?;
                progress.say(&format!("next: {} – {}", cell.id, wanted.why));
                return Ok(Ok(cell));
            }
            Next::Sure => return Ok(Err(End { status: Status::Clean, said: None })),
            Next::Unsure { reason } => reason,
        };
        let resume = self.folder.path().display();
        let said = format!("UNDECIDED: {reason}. Give more --max-hours with --resume {resume}, or longer phases");
        Ok(Err(End { status: Status::Undecided, said: Some(said) }))
    }

    /// What the cells so far tell. A set of flags whose cell could not be judged is not asked for again.
    fn look(&self) -> SearchState {
        let scenario = &self.run.scenario;
        let cells = &self.run.plan.cells;
        // A trace that cannot be read is told by the report; here it is a cell that was not judged.
        let traces = cells.iter().filter_map(|cell| self.folder.trace(&cell.id).ok().flatten());
        let outcomes: Vec<Outcome> = traces.map(|trace| Outcome::of(&trace)).collect();
        let switches = self.allowed.switches();
        let told = cell_growths(&switches, cells, &outcomes);
        let spent = self.run.plan.cell_duration * u32::try_from(cells.len()).unwrap_or(u32::MAX);
        let search = search::Search::new(&switches, rules(scenario), told);
        search.look(&self.allowed, |_| true, self.budget.saturating_sub(spent))
    }
}

/// Explanations that are told after each cell.
const EXPLANATIONS_SHOWN: usize = 3;

/// Flags that are not unlikely to leak, the likeliest first. With several leaks each may be sure long before all
/// together are.
fn by_likelihood(flags: &BTreeMap<String, f64>) -> String {
    let mut open: Vec<(&String, f64)> = flags.iter().map(|(flag, posterior)| (flag, *posterior)).collect();
    open.retain(|(_, posterior)| *posterior > CLEARED);
    open.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut told: Vec<String> = open.iter().map(|(flag, posterior)| format!("{flag} {posterior:.2}")).collect();
    let unlikely = flags.len() - open.len();
    if unlikely > 0 {
        told.push(format!("{} at most {CLEARED}", counted(unlikely, if open.is_empty() { "flag" } else { "other" })));
    }
    told.join(", ")
}
