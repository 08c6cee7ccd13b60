//! Looks whether the sources of the package ask for the features that flags and axes turn on: cells of one that nothing
//! asks for are the same program under two names. Cargo builds it twice, and the files differ by the names of their
//! symbols, so that it shows nowhere later.

use std::fs;
use std::path::Path;

use crate::shell::build::Workspace;
use crate::shell::files;
use steep_core::problem::{Problem, Spans};
use steep_core::scenario::{AxisKind, Program, Scenario};

/// More files than these are not read, and nothing is said.
const MAX_FILES: usize = 5_000;
/// Nor more bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Folders that hold no sources of the package.
const NO_SOURCES: [&str; 2] = ["target", "node_modules"];

/// A warning for each feature that is empty in `Cargo.toml`, and that no Rust file of the package names.
pub(super) fn examine(scenario: &Scenario, spans: &Spans, workspace: Option<&Workspace>) -> Vec<Problem> {
    let (Program::Package(package), Some(workspace)) = (&scenario.service.program, workspace) else {
        return Vec::new();
    };
    let features = workspace.features(&scenario.service.program);
    let empty: Vec<(String, &str)> =
        switched(scenario).into_iter().filter(|(_, feature)| features.turns_on_nothing(feature)).collect();
    if empty.is_empty() {
        return Vec::new();
    }
    let Some(sources) = workspace.sources_of(&package.name).and_then(|folder| sources(&folder)) else {
        return Vec::new();
    };
    let is_named = |feature: &str| {
        let quoted = format!("\"{feature}\"");
        let variable = format!("CARGO_FEATURE_{}", feature.to_ascii_uppercase().replace('-', "_"));
        sources.iter().any(|text| text.contains(&quoted) || text.contains(&variable))
    };
    let idle = empty.into_iter().filter(|(_, feature)| !is_named(feature));
    idle.map(|(key, feature)| {
        let message = format!("nothing in the sources of \"{}\" asks for the feature \"{feature}\"", package.name);
        let help = "cells with it and without it would be the same program; is it another feature that you mean?";
        Problem::warning(message, spans.of(&key)).help(help)
    })
    .collect()
}

/// The features that differ between cells, with the keys that name them.
fn switched(scenario: &Scenario) -> Vec<(String, &str)> {
    let flags = scenario.flags.iter().enumerate();
    let flags = flags.filter_map(|(index, flag)| Some((format!("flags[{index}].feature"), flag.switch.feature()?)));
    let axes = scenario.axes.iter().enumerate().filter(|(_, axis)| axis.kind == AxisKind::CargoFeature);
    let values = axes.flat_map(|(index, axis)| {
        axis.values.iter().map(move |value| (format!("axes[{index}].values"), value.as_str()))
    });
    flags.chain(values).collect()
}

/// The Rust files below `folder`; none where they cannot all be read.
fn sources(folder: &Path) -> Option<Vec<String>> {
    let mut open = vec![folder.to_owned()];
    let mut texts = Vec::new();
    let mut left = MAX_BYTES;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            let (path, kind) = (entry.path(), entry.file_type().ok()?);
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_symlink() && path.is_dir() {
                return None; // It may lead anywhere, and to sources.
            }
            if kind.is_dir() && !name.starts_with('.') && !NO_SOURCES.contains(&name.as_str()) {
                open.push(path);
            } else if is_source(&path) && (kind.is_file() || kind.is_symlink()) {
                let text = files::read(&path, left).ok()?;
                left -= text.len() as u64;
                texts.push(String::from_utf8_lossy(&text).into_owned());
            }
            if texts.len() > MAX_FILES || open.len() > MAX_FILES {
                return None;
            }
        }
    }
    Some(texts)
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs") && path.is_file()
}
