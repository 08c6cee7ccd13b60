//! Revisions of the git repository that a service is in: which commits they are, and a worktree to build one from, which is
//! gone afterwards.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use crate::units::in_words;

/// How long git may take to check out a revision: minutes for the largest repositories.
const CHECKOUT_TIMEOUT: Duration = Duration::from_mins(15);
/// Of a commit so much names the folder of its worktree.
const SHORT: usize = 12;
/// Variables that a hook of git sets for its own repository.
const OF_HOOKS: [&str; 3] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];

/// Why a revision cannot be had.
#[derive(Debug, Error)]
pub enum RevisionError {
    /// There is no git.
    #[error("git cannot be run: {0}; is it installed?")]
    NoGit(io::Error),
    /// Git refused.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// What it was asked.
        command: String,
        /// What it said.
        message: String,
    },
    /// Git did not end.
    #[error("`git {command}` did not end in {}", in_words(CHECKOUT_TIMEOUT))]
    TooLong {
        /// What it was asked.
        command: String,
    },
    /// What an earlier run left cannot be removed.
    #[error("{path} cannot be removed: {source}")]
    Left {
        /// The worktree.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The commit that `revision` is, in the repository around `folder`.
///
/// # Errors
/// There is no repository, or no such revision.
pub fn commit_of(folder: &Path, revision: &str) -> Result<String, RevisionError> {
    asked(folder, &["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])
}

/// Where `folder` is in its repository: empty at its top.
///
/// # Errors
/// There is no repository.
pub fn place_of(folder: &Path) -> Result<PathBuf, RevisionError> {
    asked(folder, &["rev-parse", "--show-prefix"]).map(PathBuf::from)
}

/// Whether the commit `later` has grown out of `earlier`.
///
/// # Errors
/// Git cannot be run.
pub fn has_grown_out_of(folder: &Path, later: &str, earlier: &str) -> Result<bool, RevisionError> {
    let output = prepared(folder, &["merge-base", "--is-ancestor", earlier, later]).output();
    output.map(|output| output.status.success()).map_err(RevisionError::NoGit)
}

/// A worktree of one commit. Dropping it takes it away.
#[derive(Debug)]
pub struct Worktree {
    repository: PathBuf,
    path: PathBuf,
    commit: String,
    place: PathBuf,
}

impl Worktree {
    /// Checks `revision` of the repository around `folder` out, below `parent`.
    ///
    /// # Errors
    /// See [`RevisionError`].
    pub async fn check_out(folder: &Path, revision: &str, parent: &Path) -> Result<Self, RevisionError> {
        let commit = commit_of(folder, revision)?;
        let place = place_of(folder)?;
        let path = parent.join(&commit[..SHORT.min(commit.len())]);
        // A run that was killed leaves its worktree.
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(RevisionError::Left { path, source });
            }
            _ => {}
        }
        let worktree = Self { repository: folder.to_owned(), path, commit, place };
        let to = worktree.path.display().to_string();
        // Forced where an earlier one is still known to git. Hooks are for those who work in a tree.
        let args = ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--force", "--detach", &to, &worktree.commit];
        let mut git = tokio::process::Command::from(prepared(folder, &args));
        git.kill_on_drop(true);
        let output = match timeout(CHECKOUT_TIMEOUT, git.output()).await {
            Err(_) => return Err(RevisionError::TooLong { command: args.join(" ") }),
            Ok(output) => output.map_err(RevisionError::NoGit)?,
        };
        said(&args, &output).map(|_| worktree)
    }

    /// What `folder` is in this revision.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.path.join(&self.place)
    }

    /// The commit.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.commit
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        // What cannot be removed is removed before the next checkout.
        drop(fs::remove_dir_all(&self.path));
        drop(asked(&self.repository, &["worktree", "prune"]));
    }
}

/// What git answers at once.
fn asked(folder: &Path, args: &[&str]) -> Result<String, RevisionError> {
    let output = prepared(folder, args).output().map_err(RevisionError::NoGit)?;
    said(args, &output)
}

fn prepared(folder: &Path, args: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(args).current_dir(folder).stdin(Stdio::null());
    for variable in OF_HOOKS {
        git.env_remove(variable);
    }
    git
}

/// What git printed, without the end of the line.
fn said(args: &[&str], output: &Output) -> Result<String, RevisionError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(RevisionError::Failed { command: args.join(" "), message })
}
