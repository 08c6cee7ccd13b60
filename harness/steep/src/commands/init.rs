//! `steep init`: a first scenario for a cargo package.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::output::{print, tell};
use crate::shell::build::Workspace;
use crate::shell::files;
use steep_core::exit::Status;
use steep_core::scenario::starter::{PortGuess, health_path, starter};

/// What is written, in the folder of the package.
const FILE: &str = "steep.toml";
/// So many sources are looked at for hints, the shallowest first: main.rs is among them.
const MAX_SOURCES: usize = 500;
/// Larger files are generated, and tell nothing of ports.
const LARGEST_SOURCE: u64 = 1 << 20;

/// Writes a scenario for the package in `folder`. What is there already stays.
#[must_use]
pub fn init(folder: &Path) -> Status {
    match write(folder).and_then(|file| {
        let name = file.display();
        print(&format!("wrote {name}: look at its guesses, then run `steep check {name}`\n"), None)
    }) {
        Ok(()) => Status::Clean,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            Status::Usage
        }
    }
}

fn write(folder: &Path) -> Result<PathBuf, anyhow::Error> {
    if !folder.is_dir() {
        bail!("{} is not a folder: give the folder of a package, or none for this one", folder.display());
    }
    let workspace = Workspace::around(folder)?;
    let (package, home) = package(&workspace, folder)?;
    let facts =
        workspace.facts().packages.remove(&package).with_context(|| format!("cargo does not know {package}"))?;
    if facts.binaries.is_empty() {
        bail!("package \"{package}\" has no binary: a service is a program, not a library");
    }
    let sources = sources(&home);
    let text = starter(&package, &facts, &PortGuess::of(&sources), health_path(&sources));
    let file = folder.join(FILE);
    let mut created = match files::create_new(&file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already, and stays as it is: remove it first, or edit it", file.display())
        }
        opened => opened.with_context(|| format!("cannot write {}", file.display()))?,
    };
    created.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// The package in `folder`, or the only one of the workspace that is a program, with its folder.
fn package(workspace: &Workspace, folder: &Path) -> Result<(String, PathBuf), anyhow::Error> {
    let here = folder.canonicalize().with_context(|| format!("cannot read {}", folder.display()))?;
    let mut packages = workspace.folders();
    if let Some(place) = packages.iter().position(|(_, folder)| *folder == here) {
        return Ok(packages.swap_remove(place));
    }
    let facts = workspace.facts();
    packages.retain(|(name, _)| facts.packages.get(name).is_some_and(|facts| !facts.binaries.is_empty()));
    if packages.len() != 1 {
        let known: Vec<String> =
            packages.iter().map(|(name, folder)| format!("{name} in {}", folder.display())).collect();
        bail!("{} is not a package; name the folder of one that is a program: {}", folder.display(), known.join(", "));
    }
    Ok(packages.swap_remove(0))
}

/// The sources and the README of the package in `home`. What cannot be read gives no hint.
fn sources(home: &Path) -> Vec<String> {
    let mut files = vec![home.join("README.md")];
    let mut folders = std::collections::VecDeque::from([home.join("src")]);
    while let Some(folder) = folders.pop_front() {
        for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            // A link could lead around in a circle.
            if path.is_dir() && !path.is_symlink() {
                folders.push_back(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
        if files.len() > MAX_SOURCES {
            break;
        }
    }
    files.truncate(MAX_SOURCES);
    files.sort();
    files.into_iter().filter_map(|file| files::read_text(&file, LARGEST_SOURCE).ok()).collect()
}
