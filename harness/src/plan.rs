//! From a scenario to the cells that are soaked: which flag sets, crossed with which axis values, how often, in which order,
//! and which builds they need.
//!
//! Pure.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::rows::Dropped;
use crate::flags::{CellId, FlagSet, hex};
use crate::problem::{Problem, Spans};
use crate::scenario::{Allocator, AxisKind, Program, Scenario, Strategy, Switch, SwitchRequest};
use crate::units::seconds;

/// What is soaked, in the order in which it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The soaks, shuffled from the seed so that a drift of the host does not look like an effect of a flag.
    pub cells: Vec<Cell>,
    /// The distinct feature sets to build; empty for a command.
    pub builds: Vec<Build>,
    /// Rows that a constraint or `exclude` took out.
    pub dropped: Vec<Dropped>,
    /// How long each cell is loaded.
    #[serde(rename = "cell_duration_s", with = "seconds")]
    pub cell_duration: Duration,
    /// Hash over all of it; results of other plans do not mix with it.
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
}

/// A feature set that is built once, for all cells that need it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Build {
    /// Cargo features beside the default ones.
    pub features: BTreeSet<String>,
    /// What rustc gets as `--cfg`; none: no flag of the scenario is one, and rustc's flags are left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cfgs: Option<BTreeSet<String>>,
}

impl Build {
    /// The features, and what rustc is told, in few words for people.
    #[must_use]
    pub fn label(&self) -> String {
        let features = if self.features.is_empty() {
            "no features".to_owned()
        } else {
            self.features.iter().map(String::as_str).collect::<Vec<_>>().join("+")
        };
        std::iter::once(features).chain(self.cfg_flags()).collect::<Vec<_>>().join(" ")
    }

    /// Flags for rustc: `--cfg`, and what follows it.
    pub fn cfg_flags(&self) -> impl Iterator<Item = String> {
        self.cfgs.iter().flatten().flat_map(|cfg| ["--cfg".to_owned(), cfg.clone()])
    }
}

/// What a cell adds to the start of the service. Values of flags and axes are taken as they are: nothing is replaced in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellSettings {
    /// Variables set, and variables unset (none).
    pub env: BTreeMap<String, Option<String>>,
    /// Arguments added.
    pub args: Vec<String>,
    /// A shared library that is loaded before all others.
    pub preload: Option<String>,
    /// Sent once the service is ready: the flag that each switches, and the request.
    pub requests: Vec<(String, SwitchRequest)>,
}

/// The plan of `scenario`.
///
/// # Errors
/// No cell is left by the constraints, or there are more than `max_cells`.
pub fn plan(scenario: &Scenario, spans: &Spans) -> Result<Plan, Problem> {
    if let Some(problem) = too_many_to_count(scenario, spans) {
        return Err(problem);
    }
    let rows::Rows { kept, dropped, .. } = rows::rows(scenario);
    if kept.is_empty() {
        let reasons: Vec<String> = dropped.iter().map(|row| format!("{}: {}", row.flags, row.reason)).collect();
        let problem = Problem::error("the plan has no cell: every flag set is dropped", spans.of("plan"));
        return Err(problem.help(reasons.join("; ")));
    }
    let replicates = scenario.plan.replicates;
    let count = kept.len() * replicates as usize;
    if count > scenario.plan.max_cells {
        let message = format!("the plan has {count} cells, more than max_cells = {}", scenario.plan.max_cells);
        let help = "raise max_cells, choose a smaller strategy, or exclude rows: steep never cuts a plan by itself";
        return Err(Problem::error(message, spans.of("plan.max_cells")).help(help));
    }
    let mut builds: Vec<Build> = Vec::new();
    let mut cells = Vec::with_capacity(count);
    for replicate in 1..=replicates {
        for row in &kept {
            let build = build_of(scenario, &row.flags, &row.axes).map(|build| index_of(&mut builds, build));
            let id = CellId::new(scenario, &row.flags, &row.axes, replicate);
            cells.push(Cell { id, flags: row.flags.clone(), axes: row.axes.clone(), replicate, build });
        }
    }
    if let Some(twice) = first_repeated(&cells) {
        let problem =
            Problem::error(format!("two cells of the plan would both be called \"{twice}\""), spans.of("flags"));
        return Err(problem.help("give the flags and axis values names that differ when they are put together"));
    }
    shuffle(&mut cells, scenario.seed.0);
    let cell_duration = scenario.soak_duration();
    let hash = hash(&cells, &builds, cell_duration);
    Ok(Plan { cells, builds, dropped, cell_duration, hash })
}

fn first_repeated(cells: &[Cell]) -> Option<&CellId> {
    let mut seen = BTreeSet::new();
    cells.iter().map(|cell| &cell.id).find(|id| !seen.insert(*id))
}

/// Every combination of so many flags cannot even be listed.
fn too_many_to_count(scenario: &Scenario, spans: &Spans) -> Option<Problem> {
    /// 2^16 is above any `max_cells`, and listed at once.
    const MOST_FLAGS: usize = 16;
    let flags = scenario.flags.len();
    (scenario.plan.strategy == Strategy::Full && flags > MOST_FLAGS).then(|| {
        let message = format!("strategy \"full\" with {flags} flags has 2^{flags} flag sets");
        Problem::error(message, spans.of("plan.strategy")).help("choose \"each\" or \"leave-one-out\"")
    })
}

fn index_of(builds: &mut Vec<Build>, build: Build) -> usize {
    builds.iter().position(|known| *known == build).unwrap_or_else(|| {
        builds.push(build);
        builds.len() - 1
    })
}

fn build_of(scenario: &Scenario, flags: &FlagSet, axes: &BTreeMap<String, String>) -> Option<Build> {
    let Program::Package(package) = &scenario.service.program else { return None };
    let mut features: BTreeSet<String> = package.features.iter().cloned().collect();
    let mut cfgs = None;
    for flag in &scenario.flags {
        let is_on = flags.contains(&flag.name);
        match &flag.switch {
            Switch::CargoFeature { feature } if is_on => drop(features.insert(feature.clone())),
            Switch::Cfg { cfg } => {
                // Also where it is off: both builds get their flags for rustc from the same place.
                let cfgs = cfgs.get_or_insert_with(BTreeSet::new);
                cfgs.extend(is_on.then(|| cfg.clone()));
            }
            Switch::CargoFeature { .. } | Switch::Env { .. } | Switch::Arg { .. } | Switch::Http { .. } => {}
        }
    }
    for axis in scenario.axes.iter().filter(|axis| axis.kind == AxisKind::CargoFeature) {
        features.extend(axes.get(&axis.name).filter(|value| *value != AxisKind::NO_FEATURE).cloned());
    }
    if let Some((_, allocator)) = allocator_of(scenario, axes) {
        features.extend(allocator.features.iter().cloned());
    }
    Some(Build { features, cfgs })
}

/// The allocator that a cell with these `axes` has, with its name; none for `system`.
#[must_use]
pub fn allocator_of<'s>(scenario: &'s Scenario, axes: &BTreeMap<String, String>) -> Option<(&'s str, &'s Allocator)> {
    let axis = scenario.axes.iter().find(|axis| axis.kind == AxisKind::Allocator)?;
    let (name, allocator) = scenario.allocators.get_key_value(axes.get(&axis.name)?)?;
    Some((name, allocator))
}

/// What `cell` adds to the environment and arguments of the service.
#[must_use]
pub fn settings(scenario: &Scenario, cell: &Cell) -> CellSettings {
    let mut settings = CellSettings::default();
    if let Some((_, allocator)) = allocator_of(scenario, &cell.axes) {
        settings.preload.clone_from(&allocator.preload);
        let tuned = allocator.env.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        settings.env.extend(tuned);
    }
    for axis in &scenario.axes {
        let Some(value) = cell.axes.get(&axis.name) else { continue };
        match &axis.kind {
            AxisKind::Env { var } => drop(settings.env.insert(var.clone(), Some(value.clone()))),
            AxisKind::Arg { arg } if arg.ends_with('=') => settings.args.push(format!("{arg}{value}")),
            AxisKind::Arg { arg } => settings.args.extend([arg.clone(), value.clone()]),
            AxisKind::Allocator | AxisKind::CargoFeature => {}
        }
    }
    for flag in &scenario.flags {
        let is_on = cell.flags.contains(&flag.name);
        match &flag.switch {
            Switch::CargoFeature { .. } | Switch::Cfg { .. } => {}
            Switch::Env { var, on, off } => {
                let value = if is_on { Some(on) } else { off.as_ref() };
                settings.env.insert(var.clone(), value.cloned());
            }
            Switch::Arg { on, off } => {
                settings.args.extend((if is_on { on } else { off }).iter().cloned());
            }
            Switch::Http { on, off } => {
                let request = if is_on { Some(on) } else { off.as_ref() };
                settings.requests.extend(request.map(|request| (flag.name.clone(), request.clone())));
            }
        }
    }
    settings
}

/// Fisher–Yates from the seed: the same scenario gives the same order on every machine.
fn shuffle(cells: &mut [Cell], seed: u64) {
    /// Keeps this stream apart from those of the traffic.
    const STREAM: u64 = 0x706c_616e;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(STREAM);
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
