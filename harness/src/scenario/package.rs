//! What a scenario must hold against the cargo package that it names. The facts are read elsewhere; here they are compared.

use std::collections::BTreeMap;

use super::{AxisKind, Package, Program, Scenario, Switch};
use crate::problem::{Problem, Spans, nearest};

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
    pub features: Vec<String>,
    /// Its binaries.
    pub binaries: Vec<String>,
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
        if let Switch::CargoFeature { feature } = &flag.switch {
            features.push((format!("flags[{index}].feature"), feature));
        }
    }
    for (index, axis) in scenario.axes.iter().enumerate().filter(|(_, axis)| axis.kind == AxisKind::CargoFeature) {
        let values = axis.values.iter().filter(|value| *value != AxisKind::NO_FEATURE);
        features.extend(values.map(|value| (format!("axes[{index}].values"), value.as_str())));
    }
    for (name, allocator) in &scenario.allocators {
        let path = format!("allocators.{name}.features");
        features.extend(allocator.features.iter().map(|feature| (path.clone(), feature.as_str())));
    }
    for (path, feature) in features {
        // `dependency/feature` is cargo's to judge; an empty one stands for what is a problem already.
        if !feature.is_empty() && !feature.contains('/') && !facts.features.iter().any(|known| known == feature) {
            let message = format!("package \"{}\" has no feature \"{feature}\"", package.name);
            let help = suggestion(feature, facts.features.iter().map(String::as_str), "its features");
            problems.push(Problem::error(message, spans.of(&path)).help(help));
        }
    }
    problems
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
            Some(problem.help(format!("say which with bin = \"…\": {}", facts.binaries.join(", "))))
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
        None => format!("{what}: {}", known.collect::<Vec<_>>().join(", ")),
    }
}
