//! Builds the service: once per distinct feature set, always optimised, in one target folder of steep's own, with line
//! tables and symbols, so that what is soaked can be profiled.

mod relink;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cargo_metadata::{Message, Metadata, MetadataCommand, TargetKind};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::time::timeout;

use crate::shell::files;
use crate::shell::inquiry::{self, Answer, InquiryError};
use crate::shell::process::output::LOG_FILE_MAX;
use crate::shell::process::{Launch, Process, StartError};
use crate::shell::worktree::{RevisionError, Worktree};
use steep_core::plan::Build;
use steep_core::scenario::package::{Features, PackageFacts, WorkspaceFacts};
use steep_core::scenario::{Package, Program};
use steep_judge::ids::hex;
use steep_judge::units::duration_text;

/// Of a compiler's output so much is kept, from its beginning, where the first error stands.
const LONGEST_MESSAGE: usize = 16 * 1024;
/// How often the progress line shows what cargo does.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// The longest that any build takes; one that waits for a lock must not take the night.
const BUILD_TIMEOUT: Duration = Duration::from_hours(3);
/// The longest that cargo may take to describe a workspace: half a second, or seconds where rustup is asked first.
const METADATA_TIMEOUT: Duration = Duration::from_secs(15);
/// The variable that says where cargo puts what it compiles.
const TARGET_FOLDER: &str = "CARGO_TARGET_DIR";
/// What cargo said, beside the binary.
const LOG: &str = "build.log";

/// Why there is no binary.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Cargo does not know the workspace.
    #[error("cargo finds no package around {folder}: {message}")]
    NoWorkspace {
        /// Where it was asked.
        folder: PathBuf,
        /// What it said.
        message: String,
    },
    /// Cargo could not be started.
    #[error("{0}; is the Rust toolchain installed?")]
    NoCargo(#[from] StartError),
    /// The compiler, or cargo, found an error.
    #[error("`{command}` failed:\n{message}")]
    Failed {
        /// The command, to try it by hand.
        command: String,
        /// What was printed, shortened.
        message: String,
    },
    /// Cargo takes longer than any build does: it waits for something.
    #[error("`{command}` did not end in {}; what it said last: {last}", duration_text(BUILD_TIMEOUT))]
    TooLong {
        /// The command.
        command: String,
        /// Its last line.
        last: String,
    },
    /// The profile does not optimise.
    #[error("`{command}` made a binary that is not optimised (opt-level 0): only optimised builds are measured")]
    NotOptimised {
        /// The command.
        command: String,
    },
    /// Cargo succeeded and told of no such binary.
    #[error("`{command}` made no binary \"{binary}\"")]
    NoBinary {
        /// The command.
        command: String,
        /// The binary looked for.
        binary: String,
    },
    /// The revision is not available.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// The binary could not be copied.
    #[error("the binary could not be copied to {to}: {source}")]
    Copy {
        /// Where to.
        to: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// A cargo workspace.
#[derive(Debug)]
pub struct Workspace {
    metadata: Metadata,
}

/// A binary that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The copy in the run's folder.
    pub path: PathBuf,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The cargo features that the program has, as cargo tells them of what it compiled: those that were asked for,
    /// defaults, and all that these imply.
    pub features: BTreeSet<String>,
    /// How long cargo waited for a lock that another cargo held: no time of building.
    pub waited: Duration,
    /// What it was built from, where that is a revision.
    pub source: Option<Source>,
    /// Whether it was linked so that the library which counts live bytes sees the allocator in it.
    pub is_relinked: bool,
}

/// What cargo does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing<'c> {
    /// It works; its last line.
    Building(&'c str),
    /// It waits for another cargo, which holds the lock of this.
    Waiting(&'c str),
}

/// A revision that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its commit.
    pub commit: String,
    /// SHA-256 of its `Cargo.lock`; empty where it has none.
    pub lockfile_sha256: String,
}

impl Workspace {
    /// The workspace around `folder`.
    ///
    /// # Errors
    /// Cargo is missing, or finds no manifest there or above.
    pub fn around(folder: &Path) -> Result<Self, BuildError> {
        Self::of_answer(folder, inquiry::ask(description(folder), METADATA_TIMEOUT))
    }

    /// The same beside other work.
    async fn around_aside(folder: &Path) -> Result<Self, BuildError> {
        Self::of_answer(folder, inquiry::ask_aside(description(folder), METADATA_TIMEOUT).await)
    }

    fn of_answer(folder: &Path, answer: Result<Answer, InquiryError>) -> Result<Self, BuildError> {
        let failed = |message: String| BuildError::NoWorkspace { folder: folder.to_owned(), message };
        let answer = answer.map_err(|error| {
            let help = if matches!(error, InquiryError::TooLong(_)) { "; try it by hand" } else { "" };
            failed(format!("`cargo metadata --no-deps`: {error}{help}"))
        })?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            return Err(failed(format!("`cargo metadata` exited with an error: {}", said.trim_end())));
        }
        let text = String::from_utf8_lossy(&answer.stdout);
        // A wrapper of cargo may print more than cargo does.
        let json = text.lines().find(|line| line.starts_with('{')).unwrap_or_default();
        let metadata = MetadataCommand::parse(json).map_err(|error| failed(error.to_string()))?;
        Ok(Self { metadata })
    }

    /// What the checks of a scenario need to know.
    #[must_use]
    pub fn facts(&self) -> WorkspaceFacts {
        let facts = |package: &cargo_metadata::Package| {
            let binaries = package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Bin));
            PackageFacts {
                features: Features::new(package.features.clone()),
                binaries: binaries.clone().map(|target| target.name.clone()).collect(),
                required: binaries.map(|target| (target.name.clone(), target.required_features.clone())).collect(),
            }
        };
        let packages = self.metadata.workspace_packages();
        WorkspaceFacts { packages: packages.iter().map(|package| (package.name.to_string(), facts(package))).collect() }
    }

    /// The features of the package that `program` is; none for a command, and where there is no such package.
    #[must_use]
    pub fn features(&self, program: &Program) -> Features {
        let Program::Package(package) = program else { return Features::default() };
        self.facts().packages.remove(&package.name).map(|facts| facts.features).unwrap_or_default()
    }

    /// Its packages, each with the folder of its manifest.
    #[must_use]
    pub fn folders(&self) -> Vec<(String, PathBuf)> {
        let folder = |package: &&cargo_metadata::Package| {
            let folder = package.manifest_path.parent().map(|folder| folder.as_std_path().to_owned());
            (package.name.to_string(), folder.unwrap_or_default())
        };
        self.metadata.workspace_packages().iter().map(folder).collect()
    }

    /// The folder that holds all sources of the package `name`; none where a target of it is elsewhere.
    #[must_use]
    pub fn sources_of(&self, name: &str) -> Option<PathBuf> {
        let packages = self.metadata.workspace_packages();
        let package = packages.into_iter().find(|package| package.name.as_str() == name)?;
        let folder = package.manifest_path.parent()?;
        let is_inside = package.targets.iter().all(|target| target.src_path.starts_with(folder));
        is_inside.then(|| folder.as_std_path().to_owned())
    }

    /// The folder of the workspace's root manifest.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Builds `package` with the features of `build`, and copies the binary into `folder`, beside a log of what cargo
    /// said. A revision is built from a worktree of its own. Where live bytes `are_counted` by the library, an
    /// allocator in the binary is made to be seen by it. `says` is told from time to time what cargo does. Dropping
    /// the future ends cargo and all its compilers.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub async fn build(
        &self,
        package: &Package,
        build: &Build,
        folder: &Path,
        (supervisor, are_counted): (&Path, bool),
        says: impl FnMut(Doing<'_>),
    ) -> Result<Built, BuildError> {
        let Some(revision) = &build.revision else {
            return self.build_here(package, build, folder, (supervisor, are_counted), says).await;
        };
        let worktree = Worktree::check_out(self.root(), revision, &self.own_folder().join("worktrees")).await?;
        let mut there = Self::around_aside(&worktree.folder()).await?;
        // What was compiled stays when the worktree is gone.
        there.metadata.target_directory.clone_from(&self.metadata.target_directory);
        let built = there.build_here(package, build, folder, (supervisor, are_counted), says).await?;
        let lockfile_sha256 = sha256_of(&there.root().join("Cargo.lock")).unwrap_or_default();
        Ok(Built { source: Some(Source { commit: worktree.commit().to_owned(), lockfile_sha256 }), ..built })
    }

    async fn build_here(
        &self,
        package: &Package,
        build: &Build,
        folder: &Path,
        (supervisor, are_counted): (&Path, bool),
        mut says: impl FnMut(Doing<'_>),
    ) -> Result<Built, BuildError> {
        let launch = self.launch(package, build, folder);
        let command = shown(&launch);
        make(folder).map_err(|source| BuildError::Copy { to: folder.to_owned(), source })?;
        let mut cargo = Process::start(&launch, supervisor).await?;
        let began = Instant::now();
        let (mut described, mut waited) = (began, Duration::ZERO);
        while timeout(TELL_EVERY, cargo.wait()).await.is_err() {
            let (lines, now) = (cargo.last_lines(), Instant::now());
            if let Some(lock) = waits_for(&lines) {
                waited += now - described;
                says(Doing::Waiting(lock));
            }
            described = now;
            let last = lines.iter().rfind(|line| !line.starts_with('{')).map_or("", |line| line.trim());
            if waits_for(&lines).is_none() {
                says(Doing::Building(last));
            }
            if began.elapsed() > BUILD_TIMEOUT {
                return Err(BuildError::TooLong { command, last: last.to_owned() });
            }
        }
        let exit = cargo.wait_until_gone().await;
        let output = files::read(&launch.log, LOG_FILE_MAX.get()).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        if exit.code != Some(0) {
            return Err(BuildError::Failed { command, message: compiler_message(&output) });
        }
        let binary = self.binary_name(package);
        match executable(&output, &binary) {
            None => Err(BuildError::NoBinary { command, binary }),
            Some(Executable { opt_level, .. }) if opt_level == "0" => Err(BuildError::NotOptimised { command }),
            Some(Executable { path, features, .. }) => {
                let built = copy(&path, folder, &binary)?;
                let built = Built { features, waited, ..built };
                if !are_counted {
                    return Ok(built);
                }
                Self::relinked(built, launch, (folder, &binary), supervisor).await
            }
        }
    }

    fn binary_name(&self, package: &Package) -> String {
        let only = || self.facts().packages.get(&package.name).and_then(|facts| facts.binaries.first().cloned());
        package.bin.clone().or_else(only).unwrap_or_else(|| package.name.clone())
    }

    fn launch(&self, package: &Package, build: &Build, folder: &Path) -> Launch {
        let mut args = vec!["build", "--message-format=json-render-diagnostics"];
        let binary = self.binary_name(package);
        args.extend(["--package", &package.name, "--bin", &binary, "--profile", &package.profile]);
        let features = build.features.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        if !features.is_empty() {
            args.extend(["--features", &features]);
        }
        if !package.default_features {
            args.push("--no-default-features");
        }
        if package.locked {
            args.push("--locked");
        }
        Launch {
            program: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()).into(),
            args: args.into_iter().map(str::to_owned).collect(),
            env: self.environment(package, build),
            folder: self.root().to_owned(),
            cpus: Vec::new(),
            memory_limit: None,
            log: folder.join(LOG),
        }
    }

    fn environment(&self, package: &Package, build: &Build) -> BTreeMap<String, Option<String>> {
        // Cargo's own words about the package that is running (steep) must not reach the build of another.
        let is_own =
            |name: &String| ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|own| name.starts_with(own));
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let mut env: BTreeMap<String, Option<String>> = names.filter(is_own).map(|name| (name, None)).collect();
        let flags = rustflags(package, build);
        let mut set = |name: String, value: String| env.insert(name, Some(value));
        set(TARGET_FOLDER.to_owned(), self.target_folder(&flags).to_string_lossy().into_owned());
        set("CARGO_TERM_COLOR".to_owned(), "never".to_owned());
        // Stacks can be named and lines told, without the size and time of full debug information.
        let profile = package.profile.to_ascii_uppercase().replace('-', "_");
        set(format!("CARGO_PROFILE_{profile}_DEBUG"), "line-tables-only".to_owned());
        set(format!("CARGO_PROFILE_{profile}_STRIP"), "none".to_owned());
        if !flags.is_empty() || build.cfgs.is_some() {
            set("CARGO_ENCODED_RUSTFLAGS".to_owned(), flags.join("\u{1f}"));
        }
        env
    }

    /// What steep makes in the target folder.
    fn own_folder(&self) -> PathBuf {
        self.metadata.target_directory.as_std_path().join("steep")
    }

    /// One folder for all feature sets: going back to one that was built costs nothing. Only other flags for rustc
    /// rebuild everything, so they have their own.
    fn target_folder(&self, rustflags: &[String]) -> PathBuf {
        let base = self.own_folder();
        if rustflags.is_empty() {
            return base;
        }
        let hash = hex(&Sha256::digest(rustflags.join("\u{1f}").as_bytes()));
        base.join(format!("rustflags-{}", &hash[..16]))
    }
}

/// The flags for rustc that steep gives: those of the scenario, and what the flags of the cell add. As what steep gives
/// takes the place of `RUSTFLAGS`, those are taken over where flags of a cell alone are given.
fn rustflags(package: &Package, build: &Build) -> Vec<String> {
    let mut flags = package.rustflags.clone();
    if let (true, Some(_), Ok(of_environment)) = (flags.is_empty(), &build.cfgs, std::env::var("RUSTFLAGS")) {
        flags.extend(of_environment.split_whitespace().map(str::to_owned));
    }
    flags.extend(build.cfg_flags());
    flags
}

/// The lock that cargo waits for, where its last line says so: `build directory`, `package cache`.
fn waits_for(lines: &[String]) -> Option<&str> {
    lines.last()?.trim().strip_prefix("Blocking waiting for file lock on ")
}

/// What cargo made.
struct Executable {
    path: PathBuf,
    opt_level: String,
    features: BTreeSet<String>,
}

/// The executable called `binary` that cargo's messages tell of.
fn executable(output: &str, binary: &str) -> Option<Executable> {
    let messages = output.lines().filter(|line| line.starts_with('{'));
    messages.filter_map(|line| serde_json::from_str(line).ok()).find_map(|message| match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == binary => {
            let (opt_level, features) = (artifact.profile.opt_level, artifact.features.into_iter().collect());
            artifact.executable.map(|path| Executable { path: path.into_std_path_buf(), opt_level, features })
        }
        _ => None,
    })
}

/// The command as it would be typed.
fn shown(launch: &Launch) -> String {
    let args = launch.args.iter().map(String::as_str).filter(|arg| !arg.starts_with("--message-format"));
    std::iter::once("cargo").chain(args).collect::<Vec<_>>().join(" ")
}

/// What cargo and the compiler said, without the lines that only tell that they work, and bounded.
fn compiler_message(output: &str) -> String {
    const PROGRESS: [&str; 7] = ["Compiling", "Downloading", "Downloaded", "Updating", "Locking", "Blocking", "Fresh"];
    let is_message =
        |line: &&str| !line.starts_with('{') && !PROGRESS.iter().any(|word| line.trim_start().starts_with(word));
    let mut message = String::new();
    for line in output.lines().filter(is_message) {
        if message.len() + line.len() > LONGEST_MESSAGE {
            message.push_str("…\n");
            break;
        }
        message.push_str(line);
        message.push('\n');
    }
    message.trim_end().to_owned()
}

fn copy(executable: &Path, folder: &Path, binary: &str) -> Result<Built, BuildError> {
    let path = folder.join(binary);
    let failed = |source| BuildError::Copy { to: path.clone(), source };
    make(folder).map_err(failed)?;
    // A run that is resumed may find an older copy, and one that is executed cannot be written over.
    copied(executable, &path).map_err(failed)?;
    let sha256 = sha256_of(&path).map_err(failed)?;
    Ok(Built { path, sha256, features: BTreeSet::new(), waited: Duration::ZERO, source: None, is_relinked: false })
}

fn copied(executable: &Path, to: &Path) -> io::Result<()> {
    let mut from = files::open(executable)?;
    let mut copy = files::begin(to)?;
    io::copy(&mut from, &mut copy)?;
    copy.set_permissions(from.metadata()?.permissions())
}

/// Asks cargo for the packages around `folder`.
fn description(folder: &Path) -> Command {
    let mut command = MetadataCommand::new().current_dir(folder).no_deps().cargo_command();
    // Relative it is to where steep was called, as it is to where cargo would be, and not to where the scenario is.
    if let Some(target) = std::env::var_os(TARGET_FOLDER).map(PathBuf::from).filter(|path| path.is_relative())
        && !target.as_os_str().is_empty()
        && let Ok(here) = std::env::current_dir()
    {
        command.env(TARGET_FOLDER, here.join(target));
    }
    command
}

/// Makes the folder of a build below that of all builds, which is below that of the run.
fn make(folder: &Path) -> io::Result<()> {
    folder.parent().map_or(Ok(()), files::own_folder)?;
    files::own_folder(folder)
}

/// SHA-256 of a file, read in pieces.
///
/// # Errors
/// Those of reading it.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    const PIECE: usize = 1 << 16;
    let mut file = files::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&piece[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_waits_as_long_as_it_says_nothing_else() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let blocked = "    Updating crates.io index\n    Blocking waiting for file lock on build directory";
        assert_eq!(waits_for(&lines(blocked)), Some("build directory"));
        for after in ["   Compiling shop v0.1.0", "{\"reason\":\"compiler-artifact\"}"] {
            assert_eq!(waits_for(&lines(&format!("{blocked}\n{after}"))), None);
        }
        assert_eq!(waits_for(&[]), None);
    }

    #[test]
    fn of_what_was_compiled_the_features_are_known() {
        let artifact = r#"{"reason":"compiler-artifact","package_id":"path+file:///a#0.1.0","manifest_path":"/a/Cargo.toml","target":{"kind":["bin"],"crate_types":["bin"],"name":"shop","src_path":"/a/src/main.rs","edition":"2024","doc":true,"doctest":false,"test":true},"profile":{"opt_level":"3","debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false},"features":["cache","default"],"filenames":["/a/shop"],"executable":"/a/shop","fresh":true}"#;
        let made = executable(&format!("   Compiling shop\n{artifact}\n"), "shop").expect("an executable");
        assert_eq!(made.features.iter().map(String::as_str).collect::<Vec<_>>(), ["cache", "default"]);
        assert!(executable(artifact, "other").is_none());
    }
}
