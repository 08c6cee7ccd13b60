//! A night: from the time that is left, and the cells so far, to the cell that is soaked next. First a long one with
//! everything on, then short ones on what is uncertain; docs/night.md tells how.
//!
//! Pure: the time that is left is a value.

mod deadline;
mod outline;
mod pace;
mod stretch;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

pub use self::deadline::{Until, left};
pub use self::outline::{Outline, TooShort};
pub use self::pace::Pace;
pub use self::stretch::{can_be_longer, stretched};
use crate::outcome::{Outcome, judged_cells};
use crate::plan::{Allowed, Cell, usual_axes};
use crate::scenario::{Flag, Scenario};
use crate::search::{CellGrowth, Search, cell_growths, rules};
use steep_judge::bisect::{Next, SearchState};
use steep_judge::ids::FlagSet;
use steep_judge::isolation::{Finding, Guilt, Isolation, StackLevel, isolate};
use steep_judge::units::duration_text;

/// The share of a night that the long cell gets. As much is left for what it raises: naming a culprit took 0.5 to 3
/// hours of cells (docs/isolation.md), which is what half of a night of eight hours has room for.
const LONG_SHARE: f64 = 0.5;
/// The long cell is not made longer than this, unless the scenario's own phases are. The error of growth falls with the
/// time to the power 3/2 (docs/isolation.md, where the numbers come from): after four hours it is a twentieth of that
/// of half an hour, far below what is worth finding.
const LONGEST: Duration = Duration::from_hours(4);
/// How often a set of flags is soaked whose cells are all inconclusive: what three did not decide, a fourth of that
/// length will not.
const MAX_REPEATS: usize = 3;

/// What a night goes by.
#[derive(Debug)]
pub struct Night<'s> {
    scenario: &'s Scenario,
    allowed: &'s Allowed,
    /// Cells of the scenario's own plan under other values of the axes than those of production.
    elsewhere: Vec<Cell>,
    /// What things take, as far as is known.
    pub pace: Pace,
}

/// A cell that was soaked.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Which.
    pub cell: Cell,
    /// Growth with its standard error, in units of what is worth finding; none: it could not be judged.
    pub growth: Option<(f64, f64)>,
    /// That of each stack that grows by itself, in the same order in all cells; `growth` is what they leave.
    pub stacks: Vec<Option<StackLevel>>,
    /// Whether the statistics decided it.
    pub is_decided: bool,
}

/// What those of `cells` told that are over, for a search among `switches`.
#[must_use]
pub fn past(switches: &[String], cells: &[Cell], outcomes: &[Outcome]) -> Vec<Past> {
    let over = cells.iter().zip(cell_growths(switches, cells, outcomes)).filter_map(|(cell, described)| {
        let outcome = outcomes.iter().find(|outcome| outcome.cell == cell.id)?;
        let is_decided = outcome.verdict().is_decided();
        Some(Past { cell: cell.clone(), growth: described.growth, stacks: described.stacks, is_decided })
    });
    over.collect()
}

/// What a report would not decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts {
    /// These flags.
    pub flags: FlagSet,
    /// Some value of an axis.
    pub axes: bool,
}

impl Doubts {
    /// Of a report on `outcomes` of cells of `scenario`.
    #[must_use]
    pub fn of(scenario: &Scenario, outcomes: &[Outcome]) -> Self {
        let flags: Vec<String> = scenario.flags.iter().flat_map(Flag::members).collect();
        let Isolation { flags, axes, .. } = isolate(&flags, &judged_cells(outcomes));
        let is_open = |finding: &Finding| finding.guilt == Guilt::Undecided;
        let axes = axes.iter().any(|axis| is_open(&axis.finding));
        Self { flags: flags.into_iter().filter(|flag| is_open(&flag.finding)).map(|flag| flag.flag).collect(), axes }
    }
}

/// What a night does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Soaks this.
    Soak(Wanted),
    /// Ends: everything is decided.
    Sure,
    /// Ends: no time is left, or nothing that can be run would tell more.
    Unsure {
        /// Which of both.
        reason: String,
    },
}

/// A cell that a night wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The flags that are on.
    pub flags: FlagSet,
    /// Value of each axis.
    pub axes: BTreeMap<String, String>,
    /// Why this one, in words.
    pub why: String,
}

impl<'s> Night<'s> {
    /// Of `scenario`, whose own plan has the cells `planned`.
    #[must_use]
    pub fn new(scenario: &'s Scenario, allowed: &'s Allowed, planned: &[Cell]) -> Self {
        let usual = usual_axes(scenario);
        let elsewhere = planned.iter().filter(|cell| cell.axes != usual).cloned().collect();
        Self { scenario, allowed, elsewhere, pace: Pace::default() }
    }

    /// What is soaked after `past` in the time that is `left`. `doubts`: what the report does not decide yet;
    /// `must_be_built`: whether a cell needs a build that is not made yet.
    #[must_use]
    pub fn next(
        &self,
        past: &[Past],
        doubts: &Doubts,
        left: Duration,
        must_be_built: impl Fn(&FlagSet, &BTreeMap<String, String>) -> bool,
    ) -> Turn {
        let short = self.scenario.soak_duration();
        if self.pace.cell(short, false) > left {
            let reason =
                format!("no cell of {} fits into the {} that are left", duration_text(short), duration_text(left));
            return Turn::Unsure { reason };
        }
        // While there is time for a build nobody needs to know whether one is needed.
        let has_time = self.pace.cell(short, true) <= left;
        let fits = |flags: &FlagSet, axes: &BTreeMap<String, String>| has_time || !must_be_built(flags, axes);
        let usual = usual_axes(self.scenario);
        let is_usual = |past: &&Past| past.cell.axes == usual;
        let described = past.iter().filter(is_usual).map(|past| CellGrowth {
            flags: past.cell.flags.clone(),
            growth: past.growth,
            stacks: past.stacks.clone(),
        });
        let mut search = Search::new(&self.allowed.switches(), rules(self.scenario), described);
        search.doubt(&doubts.flags);
        let SearchState { explanations, next, .. } = search.look(self.allowed, |flags| fits(flags, &usual), left);
        let ended = match next {
            Next::Soak(cell) => {
                return Turn::Soak(Wanted { flags: self.allowed.whole(&cell.flags), axes: usual, why: cell.why });
            }
            Next::Sure => Turn::Sure,
            Next::Unsure { reason } => Turn::Unsure { reason },
        };
        let culprits: FlagSet =
            explanations.iter().take(1).flat_map(|best| &best.culprits).flat_map(FlagSet::iter).collect();
        let more = self.unseen_axis(past, &culprits);
        let more = more.or_else(|| doubts.axes.then(|| self.doubtful_axis(past, &culprits)).flatten());
        let more = more.or_else(|| undecided_set(past));
        more.filter(|(cell, _)| fits(&cell.flags, &cell.axes))
            .map_or(ended, |(cell, why)| Turn::Soak(Wanted { flags: cell.flags.clone(), axes: cell.axes.clone(), why }))
    }

    /// How long the load of a cell lasts that is begun with so much time `left`, its build made; none: it does not fit.
    #[must_use]
    pub fn length(&self, is_long: bool, left: Duration) -> Option<Duration> {
        let short = self.scenario.soak_duration();
        if self.pace.cell(short, false) > left {
            return None;
        }
        if !is_long || !can_be_longer(self.scenario) {
            return Some(short);
        }
        let most = left.saturating_sub(self.pace.cell(Duration::ZERO, false)).min(LONGEST.max(short));
        let share = left.mul_f64(LONG_SHARE).clamp(short, most);
        let rest = left.saturating_sub(self.pace.cell(share, false));
        // Too little for another cell makes this one longer.
        Some(if rest < self.pace.cell(short, true) { most } else { share })
    }

    /// A cell of the scenario's own plan under a value of an axis that no cell was judged under: with as few of the
    /// `culprits` on as can be, whose growth would hide that of the value, and with as many others.
    fn unseen_axis(&self, past: &[Past], culprits: &FlagSet) -> Option<(&Cell, String)> {
        let unseen = |cell: &Cell| {
            let is_seen = |axis: &str, value: &String| {
                past.iter().any(|past| past.growth.is_some() && past.cell.axes.get(axis) == Some(value))
            };
            let unseen = cell.axes.iter().find(|(axis, value)| !is_seen(axis, value));
            unseen.map(|(axis, value)| format!("nothing was soaked with {axis} = {value}"))
        };
        let open = self.untried(past).filter_map(|cell| Some((cell, unseen(cell)?)));
        open.min_by_key(|(cell, _)| (guilty(cell, culprits), Reverse(cell.flags.iter().count())))
    }

    /// A cell of the scenario's own plan under other values of the axes, with as many of the `culprits` on as can be:
    /// whether these leak there too is what the others leave open.
    fn doubtful_axis(&self, past: &[Past], culprits: &FlagSet) -> Option<(&Cell, String)> {
        let cell =
            self.untried(past).max_by_key(|cell| (guilty(cell, culprits), Reverse(cell.flags.iter().count())))?;
        Some((cell, "whether the axes matter is not decided".to_owned()))
    }

    /// The cells of the scenario's own plan under other values of the axes that were not soaked.
    fn untried(&self, past: &[Past]) -> impl Iterator<Item = &Cell> {
        self.elsewhere.iter().filter(|cell| !past.iter().any(|past| is_alike(&past.cell, cell)))
    }
}

/// How many of the `culprits` a cell has on.
fn guilty(cell: &Cell, culprits: &FlagSet) -> usize {
    cell.flags.iter().filter(|flag| culprits.contains(flag)).count()
}

/// Flags and axes of which every cell was judged and none decided.
fn undecided_set(past: &[Past]) -> Option<(&Cell, String)> {
    let alike = |cell: &Cell| past.iter().filter(|past| is_alike(&past.cell, cell)).collect::<Vec<_>>();
    let is_open = |cell: &&Cell| {
        let alike = alike(cell);
        alike.len() < MAX_REPEATS && alike.iter().all(|past| past.growth.is_some() && !past.is_decided)
    };
    let open = past.iter().map(|past| &past.cell).find(is_open)?;
    Some((open, format!("{} is inconclusive", open.id)))
}

fn is_alike(one: &Cell, other: &Cell) -> bool {
    (&one.flags, &one.axes) == (&other.flags, &other.axes)
}
