//! `history.jsonl`: the nights of the scenarios whose runs are in one folder, a line for each run.

use std::path::{Path, PathBuf};

use super::StoreError;
use crate::shell::files;

/// Where the nights stand, beside the folders of the runs.
const HISTORY_FILE: &str = "history.jsonl";
/// The largest file: 65,536 nights.
const LARGEST_HISTORY: u64 = 64 << 20;

/// The folder that `run` is in, beside other runs.
#[must_use]
pub fn beside(run: &Path) -> PathBuf {
    let whole = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    whole.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Where the nights of the runs in `results` stand.
#[must_use]
pub fn place(results: &Path) -> PathBuf {
    results.join(HISTORY_FILE)
}

/// Appends a line to the nights of the runs in `results`.
///
/// # Errors
/// It cannot be written.
pub fn append(results: &Path, line: &str) -> Result<(), StoreError> {
    let path = place(results);
    files::append_line(&path, line).map_err(|source| StoreError::File { path, source })
}

/// The lines of all nights in `results`. One that is far too long is cut, and does not count as a night.
///
/// # Errors
/// The file is not there, or cannot be read.
pub fn lines(results: &Path) -> Result<Vec<String>, StoreError> {
    // Twice what steep writes.
    const LONGEST: usize = 2 * steep_core::history::LONGEST_LINE;
    let path = place(results);
    let mut lines = Vec::new();
    let read = files::each_line(&path, LARGEST_HISTORY, |line| {
        lines.push(String::from_utf8_lossy(&line[..line.len().min(LONGEST)]).into_owned());
        true
    });
    read.map(|()| lines).map_err(|source| StoreError::File { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_line_of_its_own_whatever_was_cut_off_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        append(folder.path(), "one\n").expect("a line");
        let path = place(folder.path());
        std::fs::write(&path, "one\nhal").expect("a file");
        append(folder.path(), "two\n").expect("a line");
        assert_eq!(lines(folder.path()).expect("lines"), ["one\n", "hal\n", "two\n"]);
    }

    #[test]
    fn nothing_is_appended_through_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious").expect("a file");
        std::os::unix::fs::symlink(&victim, place(folder.path())).expect("a link");
        assert!(append(folder.path(), "one\n").is_err());
        assert_eq!(std::fs::read_to_string(&victim).expect("a file"), "precious");
    }
}
