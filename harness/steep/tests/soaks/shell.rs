//! Processes as steep starts, watches, samples and ends them, without a run around them.

mod answering;
#[cfg(target_os = "linux")]
mod held;
mod sampling;
mod services;
mod supervision;

use tempfile::TempDir;

use crate::support::cells::Folders;

/// Folders that are removed after the test.
fn folders() -> Folders<TempDir> {
    Folders::at(tempfile::tempdir().expect("a folder"))
}
