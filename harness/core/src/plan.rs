//! From a scenario to the cells that are soaked: which flag sets, crossed with which axis values, how often, in which
//! order, and which builds they need.
//!
//! Pure.

mod clauses;
mod combinations;
mod demands;
mod effort;
mod hadamard;
mod hours;
mod infeasible;
mod members;
mod model;
mod named;
mod naming;
mod notes;
mod pairwise;
mod rows;
mod screening;
mod settings;
mod solver;
mod strategy;
mod twins;
mod with_system;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::effort::{Effort, MAX_STEPS};
pub(crate) use self::hours::{BUILD, OVERHEAD};
pub use self::hours::{LeftOut, Overnight, TooLong};
use self::infeasible::NoRows;
use self::members::Names;
use self::model::{Model, under};
pub use self::naming::{cell_id, history};
pub use self::notes::{Dropped, PlanNotes};
pub use self::pairwise::Impossible;
pub use self::rows::usual_axes;
use self::rows::{MAX_COMBINATIONS, PlannedRow};
pub use self::screening::{Aliasing, Changed};
use self::settings::settings_of;
pub use self::settings::{CellSettings, allocator_of, settings};
pub use self::with_system::with_system;
use crate::problem::{Problem, Spans};
use crate::scenario::package::Features;
use crate::scenario::{AxisKind, Program, Scenario};
use steep_judge::ids::{CellId, FlagSet, hex};
use steep_judge::units::seconds;

/// What is soaked, in the order in which it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The soaks: everything once is a block, and blocks follow each other. Each is shuffled from the seed, so that a
    /// drift of the host does not look like an effect of a flag, and holds the flags of production where flags are
    /// compared.
    pub cells: Vec<Cell>,
    /// The distinct feature sets to build; empty for a command.
    pub builds: Vec<Build>,
    /// What the strategy came to under the constraints.
    #[serde(flatten)]
    pub notes: PlanNotes,
    /// What is soaked after the cells if they do not tell which flags leak: the opposite of a screening design.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foldover: Vec<Opposite>,
    /// What a limit of hours left out.
    #[serde(default)]
    pub left_out: Option<LeftOut>,
    /// Of a run that lasts until a moment: which, and what it chose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overnight: Option<Overnight>,
    /// How long each cell is loaded.
    #[serde(rename = "cell_duration_s", with = "seconds")]
    pub cell_duration: Duration,
    /// Hash over all of it, what was left out included; results of other plans do not mix with it.
    pub hash: String,
}

/// One soak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// What it is called.
    pub id: CellId,
    /// The flags that are on.
    pub flags: FlagSet,
    /// Value of each axis.
    pub axes: BTreeMap<String, String>,
    /// Which repetition it is, from 1.
    pub replicate: u32,
    /// Which of the builds it runs; none for a command.
    pub build: Option<usize>,
    /// How long it is loaded, where that is longer than the plan's other cells: the long one of a night.
    #[serde(rename = "duration_s", default, skip_serializing_if = "Option::is_none", with = "seconds::optional")]
    pub duration: Option<Duration>,
}

/// A cell of the opposite of a screening design, before it is known whether it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opposite {
    /// The flags that are on.
    pub flags: FlagSet,
    /// Value of each axis.
    pub axes: BTreeMap<String, String>,
    /// Which repetition it is, from 1.
    pub replicate: u32,
}

/// A feature set that is built once, for all cells that need it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Build {
    /// Cargo features beside the default ones.
    pub features: BTreeSet<String>,
    /// What rustc gets as `--cfg`; none: no flag of the scenario is one, and rustc's flags are left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cfgs: Option<BTreeSet<String>>,
    /// The revision that is built; none: what is in the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

impl Build {
    /// The features, and rustc's flags, in few words for people.
    #[must_use]
    pub fn label(&self) -> String {
        let features = if self.features.is_empty() {
            "no features".to_owned()
        } else {
            self.features.iter().map(String::as_str).collect::<Vec<_>>().join("+")
        };
        let revision = self.revision.iter().map(|revision| format!("at {revision}"));
        std::iter::once(features).chain(self.cfg_flags()).chain(revision).collect::<Vec<_>>().join(" ")
    }

    /// Flags for rustc: `--cfg`, and what follows it.
    pub fn cfg_flags(&self) -> impl Iterator<Item = String> {
        self.cfgs.iter().flatten().flat_map(|cfg| ["--cfg".to_owned(), cfg.clone()])
    }
}

/// The plan of `scenario`, whose package has these `features`.
///
/// # Errors
/// The constraints clash or leave no cell, the strategy is not available, or there are more cells than `max_cells`.
pub fn plan(scenario: &Scenario, features: &Features, spans: &Spans) -> Result<Plan, Problem> {
    let rows::Rows { kept, count, opposites, mut notes } =
        rows::rows(scenario, features).map_err(|none| no_rows(none, scenario, spans))?;
    if count == 0 {
        let reasons: Vec<String> = notes.dropped.iter().map(|row| format!("{}: {}", row.flags, row.reason)).collect();
        let problem = Problem::error("the plan has no cell: every flag set is dropped", spans.of("plan"));
        return Err(problem.help(some_of(&reasons)));
    }
    let replicates = scenario.plan.replicates;
    let count = count * replicates as usize;
    if count > scenario.plan.max_cells {
        let message = format!("the plan has {count} cells, more than max_cells = {}", scenario.plan.max_cells);
        let help = "raise max_cells, choose a smaller strategy, or exclude rows: steep never cuts a plan by itself";
        return Err(Problem::error(message, spans.of("plan.max_cells")).help(help));
    }
    let mut builds = Builds::of(scenario, features);
    let mut random = ChaCha8Rng::seed_from_u64(scenario.seed.0);
    random.set_stream(STREAM);
    let mut cells = Vec::with_capacity(count);
    for replicate in 1..=replicates {
        let mut block: Vec<Cell> = kept.iter().map(|row| builds.cell(row, replicate)).collect();
        shuffle(&mut block, &mut random);
        cells.extend(block);
    }
    if let Some(twice) = first_repeated(&cells) {
        let problem =
            Problem::error(format!("two cells of the plan would both be called \"{twice}\""), spans.of("flags"));
        return Err(problem.help("give the flags and axis values names that differ when they are put together"));
    }
    if let Some(problem) = twins::twins(scenario, features, spans, &kept) {
        return Err(problem);
    }
    let with_fold = count + opposites.len() * replicates as usize;
    let mut foldover = Vec::new();
    if with_fold > scenario.plan.max_cells && !opposites.is_empty() {
        notes.no_foldover = Some(format!("{with_fold} cells are more than max_cells = {}", scenario.plan.max_cells));
    } else {
        for replicate in 1..=replicates {
            let mut block = folded(&kept, &opposites, replicate, replicates);
            shuffle(&mut block, &mut random);
            foldover.extend(block);
        }
    }
    let cell_duration = scenario.soak_duration();
    let hash = hash(&cells, &builds.distinct, cell_duration);
    Ok(Plan { cells, builds: builds.distinct, notes, foldover, left_out: None, overnight: None, cell_duration, hash })
}

/// A block of the `opposites`; those of them that are among the rows `kept` were soaked as often as there are
/// `replicates` already.
fn folded(kept: &[PlannedRow], opposites: &[PlannedRow], replicate: u32, replicates: u32) -> Vec<Opposite> {
    let kept: BTreeSet<&PlannedRow> = kept.iter().collect();
    let opposite = |row: &PlannedRow| Opposite {
        flags: row.flags.clone(),
        axes: row.axes.clone(),
        replicate: if kept.contains(row) { replicates + replicate } else { replicate },
    };
    opposites.iter().map(opposite).collect()
}

fn no_rows(none: NoRows, scenario: &Scenario, spans: &Spans) -> Problem {
    match none {
        NoRows::Clash(reasons, is_smallest) => {
            let problem = Problem::error("no flag set keeps all constraints", spans.of("constraints"));
            let how = if is_smallest { ", and without any one of them the others do not" } else { "" };
            problem.help(format!("these clash{how}: {}", some_of(&reasons)))
        }
        NoRows::Strategy(reason) => {
            let problem = Problem::error(format!("the strategy is not available: {reason}"), spans.of("plan.strategy"));
            problem.help(
                "choose \"pairwise\" with strength 2, which takes any constraint, and flags with any number of values",
            )
        }
        NoRows::Axes(combinations) => {
            let count = combinations.map_or_else(|| format!("more than {}", u128::MAX), |count| count.to_string());
            let message =
                format!("the axes have {count} combinations of values, and max_cells = {}", scenario.plan.max_cells);
            let help = format!(
                "give the axes fewer values, or soak them in several scenarios: rules and exclude are looked at for up to {MAX_COMBINATIONS} combinations"
            );
            Problem::error(message, spans.of("axes")).help(help)
        }
        NoRows::TooHard(_) => {
            let message =
                format!("the constraints are too hard: {MAX_STEPS} steps did not tell which flag sets keep them");
            let help = "put flags that belong together into one group, pin those that need not vary ([constraints] pinned), or take out constraints";
            let place = ["constraints", "rules", "flags"].into_iter().find(|place| spans.has(place)).unwrap_or("plan");
            Problem::error(message, spans.of(place)).help(help)
        }
    }
}

/// The first of `reasons` in one text, of which nobody reads more than a few.
fn some_of(reasons: &[String]) -> String {
    const MAX_TOLD: usize = 20;
    let notes = reasons[..reasons.len().min(MAX_TOLD)].join("; ");
    match reasons.len().saturating_sub(MAX_TOLD) {
        0 => notes,
        more => format!("{notes}; and {more} more"),
    }
}

impl Plan {
    /// A plan without cells: those of a search come one by one.
    #[must_use]
    pub fn of_search(scenario: &Scenario) -> Self {
        let cell_duration = scenario.soak_duration();
        let hash = hash(&[], &[], cell_duration);
        let (cells, builds, notes) = (Vec::new(), Vec::new(), PlanNotes::default());
        let foldover = Vec::new();
        Self { cells, builds, notes, foldover, left_out: None, overnight: None, cell_duration, hash }
    }

    /// The same with the cells of the foldover at the end, and no foldover left. The hash stays that of the plan
    /// before.
    #[must_use]
    pub fn folded(mut self, scenario: &Scenario, features: &Features) -> Self {
        let mut builds = Builds::of(scenario, features);
        builds.distinct = std::mem::take(&mut self.builds);
        for Opposite { flags, axes, replicate } in std::mem::take(&mut self.foldover) {
            self.cells.push(builds.cell(&PlannedRow { flags, axes }, replicate));
        }
        self.builds = builds.distinct;
        self
    }

    /// A plan without cells, for a run that lasts `until` a moment in place of soaking `planned`.
    #[must_use]
    pub fn of_night(scenario: &Scenario, planned: &Self, until: String) -> Self {
        // Another hash than that of a search: the one does not go on with the other's cells.
        let hash = hex(&Sha256::digest(format!("night of {}", planned.hash)));
        let mut axes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (axis, value) in planned.cells.iter().flat_map(|cell| &cell.axes) {
            axes.entry(axis.clone()).or_default().insert(value.clone());
        }
        let planned = planned.cells.iter().map(|cell| cell.id.clone()).collect();
        Self { hash, overnight: Some(Overnight { until, planned, axes }), ..Self::of_search(scenario) }
    }

    /// Appends a cell with these flags on and these axes, and gives it; the same again are a replicate. The hash stays
    /// that of the search.
    pub fn append(
        &mut self,
        scenario: &Scenario,
        features: &Features,
        flags: &FlagSet,
        axes: &BTreeMap<String, String>,
    ) -> Cell {
        let is_alike = |cell: &&Cell| &cell.flags == flags && &cell.axes == axes;
        let replicate = 1 + self.cells.iter().filter(is_alike).count() as u32;
        let mut builds = Builds::of(scenario, features);
        builds.distinct = std::mem::take(&mut self.builds);
        let cell = builds.cell(&PlannedRow { flags: flags.clone(), axes: axes.clone() }, replicate);
        self.builds = builds.distinct;
        self.cells.push(cell.clone());
        cell
    }

    /// Which build a cell with these flags on and these axes runs: none for a command, or one that is not among the
    /// builds yet.
    #[must_use]
    pub fn build_for(
        &self,
        scenario: &Scenario,
        features: &Features,
        flags: &FlagSet,
        axes: &BTreeMap<String, String>,
    ) -> Option<usize> {
        let mut builds = Builds::of(scenario, features);
        builds.distinct.clone_from(&self.builds);
        build_of(scenario, flags, axes).map(|build| builds.index_of(build))
    }
}

/// Which flag sets the constraints of a scenario leave, axes as in production.
#[derive(Debug, Default)]
pub struct Allowed {
    /// None: a rule forbids the axes of production altogether, or the constraints are too hard there. Nothing is
    /// allowed then.
    model: Option<Model>,
    /// What is on in every cell.
    always: FlagSet,
    switches: Vec<String>,
}

impl Allowed {
    /// Of `scenario`, whose package has these `features`.
    #[must_use]
    pub fn of(scenario: &Scenario, features: &Features) -> Self {
        let (names, effort) = (Names::of(scenario), Effort::default());
        let found = under(&names, features, &usual_axes(scenario), &effort).and_then(|under| {
            let model = Model::new(&names, features, &under, &effort)?;
            let (always, switches) = (model.always()?, model.switches()?);
            Ok(Self { model: under.impossible().is_none().then_some(model), always, switches })
        });
        found.unwrap_or_default()
    }

    /// What can be switched by itself: flags, values of flags, and one flag of each group. Nothing that is the same in
    /// every cell.
    #[must_use]
    pub fn switches(&self) -> Vec<String> {
        self.switches.clone()
    }

    /// The flag set in which these `switches` are on, with the other flags of their groups, and with what is on in
    /// every cell.
    #[must_use]
    pub fn whole(&self, switches: &FlagSet) -> FlagSet {
        let whole = switches.iter().chain(self.always.iter()).collect();
        self.model.as_ref().map_or_else(|| switches.clone(), |model| model.with_groups(&whole))
    }

    /// Whether a cell can have exactly these flags on.
    #[must_use]
    pub fn allows(&self, flags: &FlagSet) -> bool {
        self.model.as_ref().is_some_and(|model| {
            let set = model.numbers(flags);
            model.settled(&set) == set && model.excluding.broken_by(&set).is_none()
        })
    }
}

fn first_repeated(cells: &[Cell]) -> Option<&CellId> {
    let mut seen = BTreeSet::new();
    cells.iter().map(|cell| &cell.id).find(|id| !seen.insert(*id))
}

/// The builds that cells need, each once.
struct Builds<'s> {
    scenario: &'s Scenario,
    features: &'s Features,
    distinct: Vec<Build>,
    /// Of each of those, its features with all that they turn on.
    whole: Vec<BTreeSet<String>>,
}

impl<'s> Builds<'s> {
    fn of(scenario: &'s Scenario, features: &'s Features) -> Self {
        Self { scenario, features, distinct: Vec::new(), whole: Vec::new() }
    }

    fn cell(&mut self, row: &PlannedRow, replicate: u32) -> Cell {
        let build = build_of(self.scenario, &row.flags, &row.axes).map(|build| self.index_of(build));
        let id = cell_id(self.scenario, &row.flags, &row.axes, replicate);
        Cell { id, flags: row.flags.clone(), axes: row.axes.clone(), replicate, build, duration: None }
    }

    /// Feature sets that come to the same with everything that they turn on are one build, if rustc is told the same
    /// and the revision is one.
    fn index_of(&mut self, build: Build) -> usize {
        let all_of = |build: &Build| self.features.with(build.features.iter().map(String::as_str));
        self.whole.extend(self.distinct[self.whole.len()..].iter().map(all_of));
        let wanted = all_of(&build);
        let is_alike = |known: &Build| known.cfgs == build.cfgs && known.revision == build.revision;
        let mut known = self.distinct.iter().zip(&self.whole);
        known.position(|(known, whole)| is_alike(known) && *whole == wanted).unwrap_or_else(|| {
            self.distinct.push(build);
            self.distinct.len() - 1
        })
    }
}

fn build_of(scenario: &Scenario, flags: &FlagSet, axes: &BTreeMap<String, String>) -> Option<Build> {
    let Program::Package(package) = &scenario.service.program else { return None };
    let mut features: BTreeSet<String> = package.features.iter().cloned().collect();
    let mut cfgs = None;
    for flag in &scenario.flags {
        let is_on = flags.contains(&flag.name);
        features.extend(flag.switch.feature().filter(|_| is_on).map(str::to_owned));
        if let Some(cfg) = flag.switch.cfg() {
            // Also where it is off: both builds get their flags for rustc from the same place.
            let cfgs = cfgs.get_or_insert_with(BTreeSet::new);
            cfgs.extend(is_on.then(|| cfg.to_owned()));
        }
    }
    for axis in scenario.axes.iter().filter(|axis| axis.kind == AxisKind::CargoFeature) {
        features.extend(axes.get(&axis.name).filter(|value| *value != AxisKind::NO_FEATURE).cloned());
    }
    if let Some((_, allocator)) = allocator_of(scenario, axes) {
        features.extend(allocator.features.iter().cloned());
    }
    let revision = scenario.axes.iter().find(|axis| axis.kind == AxisKind::Revision);
    let revision = revision.and_then(|axis| axes.get(&axis.name).cloned());
    Some(Build { features, cfgs, revision })
}

/// Keeps the stream of the order apart from those of the traffic.
const STREAM: u64 = 0x706c_616e;

/// Fisher–Yates: the same scenario gives the same order on every machine.
fn shuffle<T>(cells: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..cells.len()).rev() {
        // The bias of a 64-bit remainder over at most a million cells is below 2^-44.
        let other = (random.next_u64() % (last as u64 + 1)) as usize;
        cells.swap(last, other);
    }
}

fn hash(cells: &[Cell], builds: &[Build], duration: Duration) -> String {
    let mut hasher = Sha256::new();
    for cell in cells {
        hasher.update(format!("{}\n", cell.id));
    }
    for build in builds {
        hasher.update(format!("{}\n", build.label()));
    }
    hasher.update(format!("{} ms\n", duration.as_millis()));
    hex(&hasher.finalize())
}
