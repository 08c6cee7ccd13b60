//! What a scenario must hold against the cargo package that it names. The facts are read elsewhere; here they are
//! compared.

use std::collections::{BTreeMap, BTreeSet};

use super::{Axis, AxisKind, Flag, Package, Program, Scenario};
use crate::problem::{Problem, Spans, listed, nearest};

/// What cargo says of the workspace around a scenario file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkspaceFacts {
    /// Its packages, by name.
    pub packages: BTreeMap<String, PackageFacts>,
}

/// What cargo says of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFacts {
    /// Its features, and those that optional dependencies make.
    pub features: Features,
    /// Its binaries.
    pub binaries: Vec<String>,
    /// Features without which a binary is not built, by its name.
    pub required: BTreeMap<String, Vec<String>>,
}

impl PackageFacts {
    /// Without which the binary is not built that this service is, or else the first.
    pub(super) fn required_by(&self, bin: Option<&str>) -> impl Iterator<Item = &str> {
        let bin = bin.or(self.binaries.first().map(String::as_str));
        bin.and_then(|bin| self.required.get(bin)).into_iter().flatten().map(String::as_str)
    }
}

/// The features of a package, each with what it turns on, as `Cargo.toml` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    by_name: BTreeMap<String, Vec<String>>,
    /// By the place of a feature among the names, the places of those of this package that it turns on.
    turned_on: Vec<Vec<usize>>,
}

impl Features {
    /// These features, each with what it turns on.
    #[must_use]
    pub fn new(features: BTreeMap<String, Vec<String>>) -> Self {
        let places: BTreeMap<&str, usize> =
            features.keys().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let of = |entries: &Vec<String>| {
            let known: BTreeSet<usize> =
                entries.iter().filter_map(|entry| places.get(of_this_package(entry)).copied()).collect();
            known.into_iter().collect()
        };
        Self { turned_on: features.values().map(of).collect(), by_name: features }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether there is such a feature.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.by_name.contains_key(feature)
    }

    /// In how many places one feature turns on another.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.turned_on.iter().map(Vec::len).sum()
    }

    /// Whether `feature` is there only because there is an optional dependency of that name.
    #[must_use]
    pub fn is_of_dependency(&self, feature: &str) -> bool {
        self.by_name
            .get(feature)
            .is_some_and(|turned_on| turned_on.len() == 1 && turned_on[0].strip_prefix("dep:") == Some(feature))
    }

    /// Whether `feature` is one of this package and stands for itself alone.
    #[must_use]
    pub fn turns_on_nothing(&self, feature: &str) -> bool {
        self.by_name.get(feature).is_some_and(Vec::is_empty)
    }

    /// `features` with everything that they turn on in this package.
    #[must_use]
    pub fn with<'f>(&'f self, features: impl IntoIterator<Item = &'f str>) -> BTreeSet<String> {
        self.turned_on_by(features).into_iter().map(str::to_owned).collect()
    }

    /// The same, without copies: each once. Takes time in proportion to the entries that are followed.
    #[must_use]
    pub fn turned_on_by<'f>(&'f self, features: impl IntoIterator<Item = &'f str>) -> Vec<&'f str> {
        let names: Vec<&str> = self.names().collect();
        let mut seen = vec![false; names.len()];
        let mut open = Vec::new();
        let mut on = Vec::new();
        for feature in features {
            match names.binary_search(&feature) {
                Ok(place) => open.push(place),
                Err(_) => on.push(feature),
            }
        }
        while let Some(place) = open.pop() {
            if !std::mem::replace(&mut seen[place], true) {
                on.push(names[place]);
                open.extend(self.turned_on[place].iter().copied().filter(|other| !seen[*other]));
            }
        }
        on
    }
}

/// The feature of the package itself that `entry` of a feature's list turns on: `name/feature` turns on the optional
/// dependency `name`, which has a feature of that name; `dep:name` and `name?/feature` turn on none.
fn of_this_package(entry: &str) -> &str {
    entry.split_once('/').map_or(entry, |(dependency, _)| dependency)
}

/// All that does not fit: package, binary and features, each at its place.
#[must_use]
pub fn check_package(scenario: &Scenario, spans: &Spans, workspace: &WorkspaceFacts) -> Vec<Problem> {
    let Program::Package(package) = &scenario.service.program else { return Vec::new() };
    let Some(facts) = workspace.packages.get(&package.name) else {
        let known = workspace.packages.keys().map(String::as_str);
        let problem =
            Problem::error(format!("the workspace has no package \"{}\"", package.name), spans.of("service.package"));
        return vec![problem.help(suggestion(&package.name, known, "its packages"))];
    };
    let mut problems = binary_problem(package, spans, facts).into_iter().collect::<Vec<_>>();
    let mut features: Vec<(String, &str)> = Vec::new();
    features.extend(package.features.iter().map(|feature| ("service.features".to_owned(), feature.as_str())));
    for (index, flag) in scenario.flags.iter().enumerate() {
        if let Some(feature) = flag.switch.feature() {
            features.push((format!("flags[{index}].feature"), feature));
        }
    }
    for (index, axis) in scenario.axes.iter().enumerate().filter(|(_, axis)| axis.kind == AxisKind::CargoFeature) {
        let values = axis.values.iter().filter(|value| *value != AxisKind::NO_FEATURE);
        features.extend(values.map(|value| (format!("axes[{index}].values"), value.as_str())));
    }
    problems.extend(required(package, spans, facts));
    problems.extend(always_on(scenario, package, spans, facts));
    problems.extend(alike(scenario, package, spans, facts));
    for (name, allocator) in &scenario.allocators {
        let path = format!("allocators.{name}.features");
        features.extend(allocator.features.iter().map(|feature| (path.clone(), feature.as_str())));
    }
    for (path, feature) in features {
        // `dependency/feature` is cargo's to judge; an empty one stands for what is a problem already.
        if !feature.is_empty() && !feature.contains('/') && !facts.features.has(feature) {
            let message = format!("package \"{}\" has no feature \"{feature}\"", package.name);
            let help = suggestion(feature, facts.features.names(), "its features");
            problems.push(Problem::error(message, spans.of(&path)).help(help));
        }
    }
    problems
}

/// Features that the binary requires and that not every build has: without them cargo builds nothing.
fn required(package: &Package, spans: &Spans, facts: &PackageFacts) -> Option<Problem> {
    let always = package.features.iter().map(String::as_str).chain(package.default_features.then_some("default"));
    let always = facts.features.with(always);
    let missing: Vec<&str> =
        facts.required_by(package.bin.as_deref()).filter(|feature| !always.contains(*feature)).collect();
    let all: Vec<&str> = package.features.iter().map(String::as_str).chain(missing.iter().copied()).collect();
    let message = format!("the binary is not built without {}", missing.join(", "));
    let problem = Problem::error(message, spans.of("service.package"));
    (!missing.is_empty()).then(|| problem.help(format!("every build needs it: features = {all:?} in [service]")))
}

/// Flags whose feature every build has: no cell would be without it.
fn always_on(scenario: &Scenario, package: &Package, spans: &Spans, facts: &PackageFacts) -> Vec<Problem> {
    let default = package.default_features.then_some("default");
    let of_default = facts.features.with(default);
    let of_service = facts.features.with(package.features.iter().map(String::as_str));
    let flags = scenario.flags.iter().enumerate();
    let problem = |(index, flag): (usize, &Flag)| {
        let feature = flag.switch.feature()?;
        let (whose, help) = if of_default.contains(feature) {
            let help =
                "set default_features = false in [service], and name those that every build is to have in features";
            ("the default features turn".to_owned(), help)
        } else if of_service.contains(feature) {
            ("service.features turns".to_owned(), "take it out of service.features, or make no flag of it")
        } else if let Some(other) = pinned_with(scenario, flag, feature, facts) {
            (format!("\"{other}\", which is pinned, turns"), "pin it, too, or do not pin the other")
        } else if let Some(axis) = in_every_value(scenario, feature, facts) {
            (
                format!("every value of the axis \"{axis}\" turns"),
                "make no flag of it, or give the axis a value without it",
            )
        } else {
            return None;
        };
        let message = format!("\"{}\" cannot be switched off: {whose} \"{feature}\" on in every build", flag.name);
        Some(Problem::error(message, spans.of(&format!("flags[{index}].feature"))).help(help))
    };
    flags.filter_map(problem).collect()
}

/// Another flag that is pinned to be on and turns on the `feature` of `flag`, which is not pinned itself.
fn pinned_with<'s>(scenario: &'s Scenario, flag: &Flag, feature: &str, facts: &PackageFacts) -> Option<&'s str> {
    let pinned = &scenario.constraints.pinned;
    let is_on =
        |other: &&Flag| pinned.get(&other.name).is_some_and(|values| values.iter().any(|value| value == "true"));
    let turns_on =
        |other: &&Flag| other.switch.feature().is_some_and(|own| facts.features.with([own]).contains(feature));
    let others = scenario.flags.iter().filter(|other| other.name != flag.name && !pinned.contains_key(&flag.name));
    others.filter(is_on).find(turns_on).map(|other| other.name.as_str())
}

/// An axis of which each value turns on `feature`.
fn in_every_value<'s>(scenario: &'s Scenario, feature: &str, facts: &PackageFacts) -> Option<&'s str> {
    let turns_on = |axis: &Axis, value: &String| {
        let features: Vec<&str> = match axis.kind {
            AxisKind::CargoFeature => vec![value.as_str()],
            AxisKind::Allocator => scenario
                .allocators
                .get(value)
                .map_or_else(Vec::new, |own| own.features.iter().map(String::as_str).collect()),
            AxisKind::Env { .. } | AxisKind::Arg { .. } | AxisKind::Revision => Vec::new(),
        };
        facts.features.with(features).contains(feature)
    };
    let axis = scenario
        .axes
        .iter()
        .find(|axis| !axis.values.is_empty() && axis.values.iter().all(|value| turns_on(axis, value)));
    axis.map(|axis| axis.name.as_str())
}

/// Axes of features of which two values build the same.
fn alike(scenario: &Scenario, package: &Package, spans: &Spans, facts: &PackageFacts) -> Vec<Problem> {
    let always = package.features.iter().map(String::as_str).chain(package.default_features.then_some("default"));
    let built = |value: &str| {
        facts.features.with(always.clone().chain(Some(value).filter(|value| *value != AxisKind::NO_FEATURE)))
    };
    let axes = scenario.axes.iter().enumerate().filter(|(_, axis)| axis.kind == AxisKind::CargoFeature);
    let problem = |(index, axis): (usize, &Axis)| {
        let mut before: BTreeMap<BTreeSet<String>, &String> = BTreeMap::new();
        let (one, other) = axis.values.iter().find_map(|value| {
            let first = *before.entry(built(value)).or_insert(value);
            (first != value).then_some((first, value))
        })?;
        let message = format!("\"{one}\" and \"{other}\" of the axis \"{}\" build the same", axis.name);
        let help = "every build has the features of [service] and the default ones: take the feature out of those, or out of the axis";
        Some(Problem::error(message, spans.of(&format!("axes[{index}].values"))).help(help))
    };
    axes.filter_map(problem).collect()
}

fn binary_problem(package: &Package, spans: &Spans, facts: &PackageFacts) -> Option<Problem> {
    let binaries = facts.binaries.iter().map(String::as_str);
    match &package.bin {
        Some(bin) if !facts.binaries.contains(bin) => {
            let problem = Problem::error(
                format!("package \"{}\" has no binary \"{bin}\"", package.name),
                spans.of("service.bin"),
            );
            Some(problem.help(suggestion(bin, binaries, "its binaries")))
        }
        None if facts.binaries.len() > 1 => {
            let problem = Problem::error(
                format!("package \"{}\" has several binaries", package.name),
                spans.of("service.package"),
            );
            Some(
                problem
                    .help(format!("say which with bin = \"…\": {}", listed(facts.binaries.iter().map(String::as_str)))),
            )
        }
        None if facts.binaries.is_empty() => {
            let message = format!("package \"{}\" has no binary", package.name);
            Some(Problem::error(message, spans.of("service.package")).help("a service is a program, not a library"))
        }
        _ => None,
    }
}

fn suggestion<'k>(given: &str, known: impl Iterator<Item = &'k str> + Clone, what: &str) -> String {
    match nearest(given, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("{what}: {}", listed(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(list: &[(&str, &[&str])]) -> Features {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Features::new(list.iter().map(|(name, others)| ((*name).to_owned(), owned(others))).collect())
    }

    #[test]
    fn what_features_turn_on_is_followed_to_its_end_and_not_into_other_packages() {
        let list: &[(&str, &[&str])] = &[
            ("cache", &["storage", "dep:moka", "moka?/sync", "render/svg"]),
            ("storage", &["cache", "disk"]),
            ("disk", &[]),
            ("render", &["dep:render"]),
            ("moka", &["dep:moka"]),
        ];
        let on: Vec<String> = features(list).with(["cache"]).into_iter().collect();
        assert_eq!(on, ["cache", "disk", "render", "storage"]);
    }

    #[test]
    fn a_flag_that_every_build_has_is_a_problem() {
        let scenario = |more: &str| {
            let text = format!(
                "name = \"shop\"\n[service]\npackage = \"shop\"\nurl = \"http://127.0.0.1:{{{{port}}}}\"\n{more}\n\
                 [[phases]]\nname = \"steady\"\nrole = \"steady\"\nshape = \"constant\"\nrate = 1\nduration = \"5m\"\n\
                 [[requests]]\nname = \"get\"\npath = \"/\"\n\
                 [[flags]]\nname = \"disk\"\nkind = \"cargo-feature\"\nfeature = \"disk\"\n"
            );
            crate::scenario::decode::decode(&text).scenario.unwrap_or_else(|| panic!("{text}"))
        };
        let list: &[(&str, &[&str])] = &[("default", &["storage"]), ("storage", &["disk"]), ("disk", &[])];
        let facts =
            PackageFacts { features: features(list), binaries: vec!["shop".to_owned()], ..PackageFacts::default() };
        let workspace = WorkspaceFacts { packages: [("shop".to_owned(), facts)].into() };
        let problems = |more: &str| {
            let problems = check_package(&scenario(more), &Spans::default(), &workspace);
            problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        let always = "\"disk\" cannot be switched off:";
        assert_eq!(problems(""), [format!("{always} the default features turn \"disk\" on in every build")]);
        let by_service = "default_features = false\nfeatures = [\"storage\"]";
        assert_eq!(problems(by_service), [format!("{always} service.features turns \"disk\" on in every build")]);
        assert!(problems("default_features = false").is_empty());
    }

    #[test]
    fn an_axis_whose_values_build_the_same_is_a_problem() {
        let scenario = |service: &str| {
            let text = format!(
                "name = \"s\"\n[service]\npackage = \"shop\"\nurl = \"http://127.0.0.1:{{{{port}}}}\"\n{service}\n\
                 [[phases]]\nname = \"steady\"\nrole = \"steady\"\nshape = \"constant\"\nrate = 1\nduration = \"1m\"\n\
                 [[requests]]\nname = \"get\"\npath = \"/\"\n\
                 [[axes]]\nname = \"store\"\nkind = \"cargo-feature\"\nvalues = [\"none\", \"disk\"]\n"
            );
            crate::scenario::decode::decode(&text).scenario.unwrap_or_else(|| panic!("{text}"))
        };
        let list: &[(&str, &[&str])] = &[("default", &["disk"]), ("disk", &[])];
        let facts =
            PackageFacts { features: features(list), binaries: vec!["shop".to_owned()], ..PackageFacts::default() };
        let workspace = WorkspaceFacts { packages: [("shop".to_owned(), facts)].into() };
        let problems = |more: &str| check_package(&scenario(more), &Spans::default(), &workspace);
        assert_eq!(problems("")[0].message, "\"none\" and \"disk\" of the axis \"store\" build the same");
        assert!(problems("default_features = false").is_empty());
    }

    #[test]
    fn what_the_binary_requires_is_in_every_build_or_a_problem() {
        let text = |service: &str| {
            format!(
                "name = \"s\"\n[service]\npackage = \"shop\"\nurl = \"http://127.0.0.1:{{{{port}}}}\"\n{service}\n\
                 [[phases]]\nname = \"steady\"\nrole = \"steady\"\nshape = \"constant\"\nrate = 1\nduration = \"1m\"\n\
                 [[requests]]\nname = \"get\"\npath = \"/\"\n"
            )
        };
        let list: &[(&str, &[&str])] = &[("default", &["disk"]), ("disk", &[]), ("server", &[])];
        let required = [("shop".to_owned(), vec!["server".to_owned(), "disk".to_owned()])].into();
        let facts = PackageFacts { features: features(list), binaries: vec!["shop".to_owned()], required };
        let workspace = WorkspaceFacts { packages: [("shop".to_owned(), facts)].into() };
        let problems = |service: &str| {
            let decoded = crate::scenario::decode::decode(&text(service));
            check_package(&decoded.scenario.expect("a scenario"), &Spans::default(), &workspace)
        };
        let problem = &problems("")[0];
        assert_eq!(problem.message, "the binary is not built without server");
        assert_eq!(problem.help, "every build needs it: features = [\"server\"] in [service]");
        assert_eq!(problems("default_features = false")[0].message, "the binary is not built without server, disk");
        assert!(problems("features = [\"server\"]").is_empty());
    }
}
