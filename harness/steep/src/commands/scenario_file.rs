//! From the path of a scenario to a checked scenario: reads the file, decodes it, and compares it with the package and
//! the files that it names.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::configs;
use super::output::tell;
use super::{features, rendered, revisions, supplies};
use crate::shell::access::{Access, AccessError, is_set};
use crate::shell::build::Workspace;
use crate::shell::clock::wall_clock;
use crate::shell::console;
use crate::shell::files::{self, LARGEST_TEXT};
use crate::shell::host::usable_cpus;
use crate::shell::preload;
use steep_core::plan::{Plan, plan};
use steep_core::problem::{Problem, Spans, any_error, render};
use steep_core::scenario::decode::{Decoded, decode};
use steep_core::scenario::package::{Features, check_package};
use steep_core::scenario::{Date, Program, Scenario, Supplies};

/// A scenario that can be run.
pub(super) struct LoadedScenario {
    pub(super) scenario: Scenario,
    /// The files that its traffic is made of.
    pub(super) supplies: Supplies,
    pub(super) plan: Plan,
    /// The file as it stands.
    pub(super) text: String,
    /// The folder that its paths are relative to.
    pub(super) folder: PathBuf,
    /// The cargo workspace, where the service is a package.
    pub(super) workspace: Option<Workspace>,
}

impl LoadedScenario {
    /// What is known of the features of the package; nothing where the service is none.
    pub(super) fn features(&self) -> Features {
        let program = &self.scenario.service.program;
        self.workspace.as_ref().map(|workspace| workspace.features(program)).unwrap_or_default()
    }
}

/// A scenario file with all that was found about it.
pub(super) struct Examined {
    pub(super) text: String,
    pub(super) problems: Vec<Problem>,
    /// None if any problem is an error.
    pub(super) loaded: Option<LoadedScenario>,
}

/// Reads and examines the scenario at `path`.
pub(super) fn examine(path: &Path) -> Examined {
    let text = match read(path) {
        Ok(text) => text,
        Err(problem) => return Examined { text: String::new(), problems: vec![problem], loaded: None },
    };
    let Decoded { scenario, draft, mut problems, spans } = decode(&text);
    let Some(mut draft) = draft else { return Examined { text, problems, loaded: None } };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    problems.extend(missing_files(&draft, &spans, &folder));
    problems.extend(configs::examine(&draft, &spans, &folder));
    problems.extend(rendered::examine(&draft, &spans, &folder));
    problems.extend(revisions::examine(&draft, &spans, &folder));
    problems.extend(missing_cpus(&draft, &spans));
    problems.extend(missing_libraries(&draft, &spans, &folder));
    problems.extend(no_access(&draft, &spans, &folder));
    problems.extend(expired(&draft, &spans));
    let supplies = supplies::read(&mut draft, &spans, &folder, &mut problems);
    let workspace = workspace(&draft, &spans, &folder, &mut problems);
    problems.extend(features::examine(&draft, &spans, workspace.as_ref()));
    let features = workspace.as_ref().map(|workspace| workspace.features(&draft.service.program)).unwrap_or_default();
    let planned = scenario.map(|_| (plan(&draft, &features, &spans), draft));
    let loaded = match planned {
        Some((Ok(plan), scenario)) if !any_error(&problems) => {
            Some(LoadedScenario { scenario, supplies, plan, text: text.clone(), folder, workspace })
        }
        Some((Err(problem), _)) => {
            problems.push(problem);
            None
        }
        Some(_) | None => None,
    };
    Examined { text, problems, loaded }
}

/// The scenario at `path`, with its problems told on stderr; none if it cannot be run.
pub(super) fn load(path: &Path) -> Option<LoadedScenario> {
    let examined = examine(path);
    tell_problems(path, &examined);
    examined.loaded
}

/// Tells the problems of a scenario on stderr.
pub(super) fn tell_problems(path: &Path, examined: &Examined) {
    if examined.problems.is_empty() {
        return;
    }
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    console::tell_styled(&render(&examined.problems, &path.display().to_string(), &examined.text, colour));
    let errors = examined.problems.iter().filter(|problem| any_error(std::slice::from_ref(problem))).count();
    if errors > 0 {
        tell(&format!("\n{}: {errors} {}", path.display(), if errors == 1 { "problem" } else { "problems" }));
    }
}

fn read(path: &Path) -> Result<String, Problem> {
    // A slip of the finger must not load a disk image.
    files::read_text(path, LARGEST_TEXT)
        .map_err(|error| Problem::error(format!("cannot read the scenario: {error}"), None))
}

fn missing_files(scenario: &Scenario, spans: &Spans, folder: &Path) -> Vec<Problem> {
    let service = scenario.service.files.iter().enumerate().map(|(n, file)| (format!("service.files[{n}].from"), file));
    let dependencies = scenario.dependencies.iter().enumerate().flat_map(|(d, dependency)| {
        let path = move |n| format!("dependencies[{d}].files[{n}].from");
        dependency.files.iter().enumerate().map(move |(n, file)| (path(n), file))
    });
    let missing = service.chain(dependencies).filter(|(_, file)| !folder.join(&file.from).is_file());
    missing
        .map(|(path, file)| Problem { span: spans.of(&path), ..supplies::no_file(&folder.join(&file.from)) })
        .collect()
}

/// Known growth whose time is over: it will fail.
fn expired(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let today = Date::of(&wall_clock());
    let all = scenario.known.iter().enumerate();
    all.filter(|(_, known)| today.as_ref().is_some_and(|today| *today >= known.expires))
        .map(|(index, known)| {
            let message = format!("what is known of {} expired on {}", known.flags.join(" and "), known.expires);
            Problem::warning(message, spans.of(&format!("known[{index}].expires")))
                .help("growth fails again: give it another day, or take the entry out")
        })
        .collect()
}

/// Variables that are not set, or files of TLS that cannot be used.
fn no_access(scenario: &Scenario, spans: &Spans, folder: &Path) -> Vec<Problem> {
    let missing: Vec<Problem> = scenario
        .secret_variables()
        .into_iter()
        .filter(|(_, name)| !is_set(name))
        .map(|(path, name)| {
            let problem = Problem::error(format!("the environment has no variable {name}"), spans.of(&path));
            problem.help(format!("secrets are read from the environment: set {name} before steep is started"))
        })
        .collect();
    if !missing.is_empty() {
        return missing;
    }
    let Err(error) = Access::of(scenario, folder) else { return Vec::new() };
    let (path, help) = match &error {
        AccessError::Trust(error) => (error.key(), "paths are relative to the scenario file"),
        _ => ("http", ""),
    };
    vec![Problem::error(error.to_string(), spans.of(path)).help(help)]
}

fn missing_cpus(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let Some(here) = usable_cpus() else { return Vec::new() };
    let wanted = [("service.cpus", &scenario.service.cpus), ("load.cpus", &scenario.load.cpus)];
    let missing = wanted.into_iter().flat_map(|(path, cpus)| cpus.iter().map(move |cpu| (path, *cpu)));
    missing
        .filter(|(_, cpu)| !here.contains(cpu))
        .map(|(path, cpu)| {
            let known: Vec<String> = here.iter().map(usize::to_string).collect();
            let problem = Problem::error(format!("CPU {cpu} is not available here"), spans.of(path));
            problem.help(format!("this process may use {}", known.join(", ")))
        })
        .collect()
}

/// What cannot be preloaded: told before the first cell, and not by the first that wants it, hours later.
fn missing_libraries(scenario: &Scenario, spans: &Spans, folder: &Path) -> Vec<Problem> {
    let libraries =
        scenario.allocators.iter().filter_map(|(name, allocator)| Some((name, allocator.preload.as_ref()?)));
    let used = libraries.filter(|(name, _)| scenario.has_allocator(name));
    let missing = used.filter_map(|(name, library)| Some((name, preload::find(library, folder).err()?)));
    missing
        .map(|(name, error)| Problem::error(error.to_string(), spans.of(&format!("allocators.{name}.preload"))))
        .collect()
}

fn workspace(scenario: &Scenario, spans: &Spans, folder: &Path, problems: &mut Vec<Problem>) -> Option<Workspace> {
    if !matches!(scenario.service.program, Program::Package(_)) {
        return None;
    }
    match Workspace::around(folder) {
        Ok(workspace) => {
            problems.extend(check_package(scenario, spans, &workspace.facts()));
            Some(workspace)
        }
        Err(error) => {
            let help = "\"package\" names a package of the cargo workspace around the scenario file";
            problems.push(Problem::error(error.to_string(), spans.of("service.package")).help(help));
            None
        }
    }
}
