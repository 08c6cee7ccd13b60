//! Cells that would be the same soak under two names: the same build, started the same way. What one shows would be
//! taken for an effect of what they are said to differ in.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::PlannedRow;
use super::{Build, CellSettings, build_of, cell_id, settings_of};
use crate::problem::{Problem, Spans};
use crate::scenario::package::Features;
use crate::scenario::{Flag, Program, Scenario};
use steep_judge::ids::FlagSet;

/// Variables as the service gets them; none: unset.
type Environment = BTreeMap<String, Option<String>>;

/// What is built and how it is started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Started {
    /// With everything that the features turn on, the default ones too, and rustc's flags.
    build: Option<(BTreeSet<String>, BTreeSet<String>, Option<String>)>,
    env: Environment,
    rest: String,
}

impl Started {
    fn of(scenario: &Scenario, features: &Features, flags: &FlagSet, axes: &BTreeMap<String, String>) -> Self {
        let settings = settings_of(scenario, flags, axes);
        let of_service = scenario.service.env.iter().map(|(name, value)| (name.clone(), Some(value.to_string())));
        let mut env: Environment = of_service.collect();
        env.extend(settings.env.clone());
        let rest = CellSettings { env: BTreeMap::new(), ..settings }.shown();
        Self { build: build_of(scenario, flags, axes).map(|build| whole(scenario, features, build)), env, rest }
    }
}

fn whole(
    scenario: &Scenario,
    features: &Features,
    build: Build,
) -> (BTreeSet<String>, BTreeSet<String>, Option<String>) {
    let Program::Package(package) = &scenario.service.program else { return Default::default() };
    let on = build.features.iter().map(String::as_str).chain(package.default_features.then_some("default"));
    // `--cfg x` and `--cfg=x`, however the scenario gives them.
    let mut cfgs: BTreeSet<String> = build.cfgs.unwrap_or_default();
    cfgs.extend(package.rustflags.iter().filter_map(|flag| flag.strip_prefix("--cfg=")).map(str::to_owned));
    let pairs = package.rustflags.windows(2).filter(|pair| pair[0] == "--cfg");
    cfgs.extend(pairs.map(|pair| pair[1].clone()));
    (features.with(on), cfgs, build.revision)
}

/// What is wrong where two of `rows` are one, or a flag changes nothing under any values of the axes that the rows
/// have.
pub(super) fn twins(scenario: &Scenario, features: &Features, spans: &Spans, rows: &[PlannedRow]) -> Option<Problem> {
    idle_flag(scenario, features, spans, rows).or_else(|| {
        let mut seen: BTreeMap<Started, &PlannedRow> = BTreeMap::new();
        rows.iter().find_map(|row| {
            let other = seen.insert(Started::of(scenario, features, &row.flags, &row.axes), row)?;
            Some(notes(scenario, spans, other, row))
        })
    })
}

/// A flag that by itself changes nothing.
fn idle_flag(scenario: &Scenario, features: &Features, spans: &Spans, rows: &[PlannedRow]) -> Option<Problem> {
    let axes: BTreeSet<&BTreeMap<String, String>> = rows.iter().map(|row| &row.axes).collect();
    let is_varied = |member: &String| {
        let on = rows.iter().filter(|row| row.flags.contains(member)).count();
        on > 0 && on < rows.len()
    };
    let nothing = FlagSet::default();
    let is_idle = |member: &String| {
        let alone = nothing.with(member);
        axes.iter().all(|axes| {
            Started::of(scenario, features, &alone, axes) == Started::of(scenario, features, &nothing, axes)
        })
    };
    let idle = |flag: &Flag| flag.members().into_iter().find(|member| is_varied(member) && is_idle(member));
    scenario.flags.iter().enumerate().find_map(|(index, flag)| {
        let member = idle(flag)?;
        let message =
            format!("\"{member}\" changes nothing: the service is built and started the same with it on and off");
        let help =
            "what it turns on is on already, by [service] or by rustflags: take it out there, or take the flag out";
        Some(Problem::error(message, spans.of(&format!("flags[{index}]"))).help(help))
    })
}

fn notes(scenario: &Scenario, spans: &Spans, one: &PlannedRow, other: &PlannedRow) -> Problem {
    let same = "would be the same build, started the same way";
    let differing: Vec<(usize, &String)> = one
        .axes
        .keys()
        .filter(|axis| one.axes[*axis] != other.axes[*axis])
        .filter_map(|name| Some((scenario.axes.iter().position(|axis| &axis.name == name)?, name)))
        .collect();
    match &differing[..] {
        [(index, name)] if one.flags == other.flags => {
            let message =
                format!("\"{}\" and \"{}\" of the axis \"{name}\" {same}", one.axes[*name], other.axes[*name]);
            let help =
                "take one of them out, or let it differ in features, environment, arguments or a preloaded library";
            Problem::error(message, spans.of(&format!("axes[{index}].values"))).help(help)
        }
        _ => {
            let id = |row: &PlannedRow| cell_id(scenario, &row.flags, &row.axes, 1);
            let switched =
                |flag: &&Flag| flag.members().iter().any(|m| one.flags.contains(m) != other.flags.contains(m));
            let names = scenario.flags.iter().filter(switched).map(|flag| flag.name.as_str());
            let names: Vec<&str> = names.chain(differing.iter().map(|(_, name)| name.as_str())).collect();
            let place = scenario.flags.iter().position(|flag| switched(&flag));
            let span = place.map_or_else(|| spans.of("plan"), |index| spans.of(&format!("flags[{index}]")));
            let message =
                format!("the cells {} and {} {same}: {} would switch nothing", id(one), id(other), names.join(", "));
            Problem::error(message, span).help("what it turns on, another flag or a value of an axis gives already")
        }
    }
}
