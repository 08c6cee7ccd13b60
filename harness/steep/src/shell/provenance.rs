//! Where a service and its host come from, for the header of a trace: what two nights must share to be compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::shell::build::{Built, Source, Workspace, sha256_of};
use crate::shell::console::tell;
use crate::shell::host::HostFacts;
use crate::shell::inquiry::{InquiryError, ask_aside};
use steep_core::plan::{Cell, Plan};
use steep_core::scenario::{Program, Scenario};
use steep_core::trace::Provenance;

/// Variables that change how memory is managed, whoever set them.
const ALLOCATOR_VARIABLES: [&str; 8] = [
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_CONF",
    "_RJEM_MALLOC_CONF",
    "MIMALLOC_PURGE_DELAY",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
];

/// How long git and rustc may take to say what they know: tens of milliseconds, and seconds on a disk that is far away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What is the same for all cells of a run.
pub async fn of_run(scenario: &Scenario, folder: &Path, workspace: Option<&Workspace>) -> Provenance {
    let host = HostFacts::read();
    let lockfile = workspace.map(|workspace| workspace.root().join("Cargo.lock"));
    let (profile, mut rustflags) = match &scenario.service.program {
        Program::Package(package) => (package.profile.clone(), package.rustflags.clone()),
        Program::Command(_) => Default::default(),
    };
    // Flags of the scenario take the place of those of the environment, as cargo has it.
    if let (true, true, Ok(flags)) = (rustflags.is_empty(), workspace.is_some(), std::env::var("RUSTFLAGS")) {
        rustflags.extend(flags.split_whitespace().map(str::to_owned));
    }
    let git_commit = said_by("git", &["rev-parse", "HEAD"], folder).await.unwrap_or_default();
    // A git that did not answer is not asked again.
    let changes = match git_commit.as_str() {
        "" => None,
        _ => said_by("git", &["status", "--porcelain", "--untracked-files=no"], folder).await,
    };
    let rustc = match workspace {
        Some(workspace) => said_by("rustc", &["--version"], workspace.root()).await.unwrap_or_default(),
        None => String::new(),
    };
    Provenance {
        steep: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit,
        git_dirty: changes.is_some_and(|changes| !changes.is_empty()),
        lockfile_sha256: lockfile.and_then(|lockfile| sha256_of(&lockfile).ok()).unwrap_or_default(),
        rustc,
        profile,
        rustflags,
        kernel: host.kernel.unwrap_or_default(),
        cpu: host.cpu_model.unwrap_or_default(),
        cpus: host.cpus as u64,
        memory_bytes: host.memory_bytes,
        transparent_huge_pages: host.transparent_huge_pages.unwrap_or_default(),
        ..Provenance::default()
    }
}

/// The same with what is this cell's own: features, program, and what tunes its allocator.
#[must_use]
pub fn of_cell(
    run: &Provenance,
    plan: &Plan,
    cell: &Cell,
    built: Option<&Built>,
    command: Vec<String>,
    env: &BTreeMap<String, Option<String>>,
) -> Provenance {
    let mut rustflags = run.rustflags.clone();
    rustflags.extend(cell.build.into_iter().flat_map(|build| plan.builds[build].cfg_flags()));
    let features = cell.build.map(|build| plan.builds[build].features.iter().cloned().collect()).unwrap_or_default();
    let binary_sha256 = match built {
        Some(built) => built.sha256.clone(),
        None => command
            .first()
            .and_then(|program| found(program))
            .and_then(|path| sha256_of(&path).ok())
            .unwrap_or_default(),
    };
    let value_of = |name: &str| match env.get(name) {
        Some(value) => value.clone(),
        None => std::env::var(name).ok(),
    };
    let allocator_env =
        ALLOCATOR_VARIABLES.into_iter().filter_map(|name| Some((name.to_owned(), value_of(name)?))).collect();
    let own = Provenance { features, rustflags, command, binary_sha256, allocator_env, ..run.clone() };
    match built.and_then(|built| built.source.clone()) {
        // What is changed in the folder is not in the worktree.
        Some(Source { commit, lockfile_sha256 }) => {
            Provenance { git_commit: commit, git_dirty: false, lockfile_sha256, ..own }
        }
        None => own,
    }
}

/// The file of a program, as the system would find it.
fn found(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// What a command prints, without the last line's end; none where it fails or is missing. One that does not answer is
/// told.
async fn said_by(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder);
    match ask_aside(command, ANSWER_TIMEOUT).await {
        Ok(answer) => answer.said(),
        Err(error @ (InquiryError::TooLong(_) | InquiryError::TooMuch)) => {
            let args = args.join(" ");
            tell(&format!(
                "warning: `{program} {args}` in {}: {error}; the run is not stamped with it",
                folder.display()
            ));
            None
        }
        Err(InquiryError::Start(_) | InquiryError::GivenUp) => None,
    }
}
