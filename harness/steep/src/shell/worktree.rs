//! Revisions of the git repository that a service is in: which commits they are, and a worktree to build one from,
//! which is gone afterwards.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thiserror::Error;

use crate::shell::inquiry::{Answer, InquiryError, ask, ask_aside};

/// How long git may take to check out a revision: minutes for the largest repositories.
const CHECKOUT_TIMEOUT: Duration = Duration::from_mins(15);
/// How long git may take to answer a question: walking a long history on a cold disk takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long git may take to forget a worktree; what it does not forget now it forgets the next time.
const PRUNE_TIMEOUT: Duration = Duration::from_secs(5);
/// Of a commit so much names the folder of its worktree.
const SHORT: usize = 12;
/// Variables that a hook of git sets for its own repository.
const OF_HOOKS: [&str; 3] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];

/// Why a revision is not available.
#[derive(Debug, Error)]
pub enum RevisionError {
    /// There is no git, or it does not answer.
    #[error("`git {command}` cannot be run: {source}{}", if matches!(source, InquiryError::Start(_)) { "; is git installed?" } else { "" })]
    NoGit {
        /// What it was asked.
        command: String,
        /// Why.
        source: InquiryError,
    },
    /// Git refused.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// What it was asked.
        command: String,
        /// What it said.
        message: String,
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
    asked(folder, &["rev-parse", "--verify", "--end-of-options", &commit(revision)], ANSWER_TIMEOUT)
}

fn commit(revision: &str) -> String {
    format!("{revision}^{{commit}}")
}

/// Where `folder` is in its repository: empty at its top.
///
/// # Errors
/// There is no repository.
pub fn place_of(folder: &Path) -> Result<PathBuf, RevisionError> {
    asked(folder, &["rev-parse", "--show-prefix"], ANSWER_TIMEOUT).map(PathBuf::from)
}

/// Whether the commit `later` has grown out of `earlier`.
///
/// # Errors
/// Git cannot be run.
pub fn has_grown_out_of(folder: &Path, later: &str, earlier: &str) -> Result<bool, RevisionError> {
    let args = ["merge-base", "--is-ancestor", earlier, later];
    let answer = ask(prepared(folder, &args), ANSWER_TIMEOUT).map_err(|source| no_git(&args, source))?;
    Ok(answer.status.success())
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
        let question = commit(revision);
        let args = ["rev-parse", "--verify", "--end-of-options", &question];
        let commit = asked_aside(folder, &args, ANSWER_TIMEOUT).await?;
        let place = PathBuf::from(asked_aside(folder, &["rev-parse", "--show-prefix"], ANSWER_TIMEOUT).await?);
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
        asked_aside(folder, &args, CHECKOUT_TIMEOUT).await.map(|_| worktree)
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
        drop(asked(&self.repository, &["worktree", "prune"], PRUNE_TIMEOUT));
    }
}

/// What git answers, within `limit`.
fn asked(folder: &Path, args: &[&str], limit: Duration) -> Result<String, RevisionError> {
    said(args, ask(prepared(folder, args), limit))
}

/// The same beside other work.
async fn asked_aside(folder: &Path, args: &[&str], limit: Duration) -> Result<String, RevisionError> {
    said(args, ask_aside(prepared(folder, args), limit).await)
}

fn no_git(args: &[&str], source: InquiryError) -> RevisionError {
    RevisionError::NoGit { command: args.join(" "), source }
}

fn prepared(folder: &Path, args: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(args).current_dir(folder);
    for variable in OF_HOOKS {
        git.env_remove(variable);
    }
    git
}

/// What git printed, without the end of the line.
fn said(args: &[&str], answer: Result<Answer, InquiryError>) -> Result<String, RevisionError> {
    let answer = answer.map_err(|source| no_git(args, source))?;
    answer.said().ok_or_else(|| {
        let message = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        RevisionError::Failed { command: args.join(" "), message }
    })
}
