//! Builds the service: once per distinct feature set, always optimised, in one target folder of steep's own, with line tables and
//! symbols, so that what is soaked can be profiled.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Message, Metadata, MetadataCommand, TargetKind};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::flags::hex;
use crate::plan::Build;
use crate::scenario::Package;
use crate::scenario::package::{PackageFacts, WorkspaceFacts};

/// Of a compiler's output so much is kept, from its beginning, where the first error stands.
const LONGEST_MESSAGE: usize = 16 * 1024;

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
    #[error("cargo could not be started: {0}; is the Rust toolchain installed?")]
    NoCargo(io::Error),
    /// The compiler, or cargo, found an error.
    #[error("`{command}` failed:\n{message}")]
    Failed {
        /// The command, to try it by hand.
        command: String,
        /// What was printed, shortened.
        message: String,
    },
    /// Cargo succeeded and told of no such binary.
    #[error("`{command}` made no binary \"{binary}\"")]
    NoBinary {
        /// The command.
        command: String,
        /// The binary looked for.
        binary: String,
    },
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
}

impl Workspace {
    /// The workspace around `folder`.
    ///
    /// # Errors
    /// Cargo is missing, or finds no manifest there or above.
    pub fn around(folder: &Path) -> Result<Self, BuildError> {
        let metadata = MetadataCommand::new()
            .current_dir(folder)
            .no_deps()
            .exec()
            .map_err(|error| BuildError::NoWorkspace { folder: folder.to_owned(), message: error.to_string() })?;
        Ok(Self { metadata })
    }

    /// What the checks of a scenario need to know.
    #[must_use]
    pub fn facts(&self) -> WorkspaceFacts {
        let facts = |package: &cargo_metadata::Package| PackageFacts {
            features: package.features.keys().cloned().collect(),
            binaries: package
                .targets
                .iter()
                .filter(|target| target.kind.contains(&TargetKind::Bin))
                .map(|target| target.name.clone())
                .collect(),
        };
        let packages = self.metadata.workspace_packages();
        WorkspaceFacts { packages: packages.iter().map(|package| (package.name.to_string(), facts(package))).collect() }
    }

    /// The folder of the workspace's root manifest.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Builds `package` with the features of `build` and copies the binary into `folder`. `line` is told of each line that cargo
    /// prints, as it comes.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(
        &self,
        package: &Package,
        build: &Build,
        folder: &Path,
        mut line: impl FnMut(&str),
    ) -> Result<Built, BuildError> {
        let mut command = self.command(package, build);
        let shown = shown(&command);
        let mut child = command.spawn().map_err(BuildError::NoCargo)?;
        // Both pipes are read to their ends, each by a thread of its own, or cargo could wait for a full one forever.
        let artifacts =
            child.stdout.take().map(|stdout| std::thread::spawn(move || executables(BufReader::new(stdout))));
        let mut message = String::new();
        if let Some(stderr) = child.stderr.take() {
            for text in BufReader::new(stderr).lines().map_while(Result::ok) {
                line(&text);
                if message.len() < LONGEST_MESSAGE {
                    message.push_str(&text);
                    message.push('\n');
                }
            }
        }
        let status = child.wait().map_err(BuildError::NoCargo)?;
        let (executables, diagnostics) = artifacts.and_then(|thread| thread.join().ok()).unwrap_or_default();
        if !status.success() {
            let message = without_progress(&message) + &diagnostics;
            return Err(BuildError::Failed { command: shown, message: message.trim_end().to_owned() });
        }
        let binary = self.binary_name(package);
        let Some(executable) = executables.get(&binary) else {
            return Err(BuildError::NoBinary { command: shown, binary });
        };
        copy(executable, folder, &binary)
    }

    fn binary_name(&self, package: &Package) -> String {
        let only = || self.facts().packages.get(&package.name).and_then(|facts| facts.binaries.first().cloned());
        package.bin.clone().or_else(only).unwrap_or_else(|| package.name.clone())
    }

    fn command(&self, package: &Package, build: &Build) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(self.root());
        command.args(["build", "--message-format=json-render-diagnostics", "--package", &package.name]);
        command.args(["--bin", &self.binary_name(package), "--profile", &package.profile]);
        if !package.default_features {
            command.arg("--no-default-features");
        }
        if !build.features.is_empty() {
            command.arg("--features").arg(build.features.iter().map(String::as_str).collect::<Vec<_>>().join(","));
        }
        if package.locked {
            command.arg("--locked");
        }
        command.env("CARGO_TARGET_DIR", self.target_folder(package));
        // Stacks can be named and lines told, without the size and time of full debug information.
        let profile = package.profile.to_ascii_uppercase().replace('-', "_");
        command.env(format!("CARGO_PROFILE_{profile}_DEBUG"), "line-tables-only");
        command.env(format!("CARGO_PROFILE_{profile}_STRIP"), "none");
        if !package.rustflags.is_empty() {
            command.env("CARGO_ENCODED_RUSTFLAGS", package.rustflags.join("\u{1f}"));
        }
        // Cargo's own words about the package that is running (steep) must not reach the build of another.
        for (name, _) in std::env::vars_os() {
            let own = name.to_string_lossy();
            if own.starts_with("CARGO_PKG_") || own.starts_with("CARGO_MANIFEST_") || own.starts_with("CARGO_BIN_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// One folder for all feature sets: going back to one that was built costs nothing. Only other flags for rustc rebuild
    /// everything, so they have their own.
    fn target_folder(&self, package: &Package) -> PathBuf {
        let base = self.metadata.target_directory.as_std_path().join("steep");
        if package.rustflags.is_empty() {
            return base;
        }
        let hash = hex(&Sha256::digest(package.rustflags.join("\u{1f}").as_bytes()));
        base.join(format!("rustflags-{}", &hash[..16]))
    }
}

/// The executables that cargo's messages tell of, by binary, and what is no message.
fn executables(messages: impl io::BufRead) -> (BTreeMap<String, PathBuf>, String) {
    let mut executables = BTreeMap::new();
    let mut other = String::new();
    for message in Message::parse_stream(messages).map_while(Result::ok) {
        match message {
            Message::CompilerArtifact(artifact) => {
                if let Some(executable) = artifact.executable {
                    executables.insert(artifact.target.name, executable.into_std_path_buf());
                }
            }
            Message::TextLine(text) if other.len() < LONGEST_MESSAGE => {
                other.push_str(&text);
                other.push('\n');
            }
            _ => {}
        }
    }
    (executables, other)
}

/// The command as it would be typed.
fn shown(command: &Command) -> String {
    let mut words = vec!["cargo".to_owned()];
    words.extend(
        command.get_args().map(|arg| arg.to_string_lossy().into_owned()).filter(|arg| !arg.starts_with("--message")),
    );
    words.join(" ")
}

/// Cargo's output without the lines that only tell that it works.
fn without_progress(message: &str) -> String {
    const PROGRESS: [&str; 7] = ["Compiling", "Downloading", "Downloaded", "Updating", "Locking", "Blocking", "Fresh"];
    let is_progress = |line: &&str| PROGRESS.iter().any(|word| line.trim_start().starts_with(word));
    message.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect()
}

fn copy(executable: &Path, folder: &Path, binary: &str) -> Result<Built, BuildError> {
    let path = folder.join(binary);
    let failed = |source| BuildError::Copy { to: path.clone(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    // A run that is resumed may find an older copy, and one that is executed cannot be written over.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::copy(executable, &path).map_err(failed)?;
    let sha256 = sha256_of(&path).map_err(failed)?;
    Ok(Built { path, sha256 })
}

/// SHA-256 of a file, read in pieces.
///
/// # Errors
/// Those of reading it.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    const PIECE: usize = 1 << 16;
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&piece[..length]),
        }
    }
}
