//! Earlier attempts at a cell: whatever is in its folder is moved away before another one, and never thrown away.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::TRACE_FILE;
use super::packed::{PACKED_TRACE_FILE, trace_in};
use crate::shell::files;

/// What earlier attempts at a cell left, in its folder.
const ATTEMPTS: &str = "attempts";

/// Moves what is in the folder of a cell away, and gives the number of the attempt that begins.
pub(super) fn move_away(folder: &Path) -> io::Result<u32> {
    files::own_folder(folder)?;
    let attempts = folder.join(ATTEMPTS);
    let mut left: Vec<OsString> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<_>>()?;
    left.retain(|name| name != ATTEMPTS);
    let place = |attempt: u32| attempts.join(attempt.to_string());
    let mut last = 0;
    while files::is_there(&place(last + 1)) {
        last += 1;
    }
    if left.is_empty() {
        return Ok(last + 1);
    }
    // The trace goes first: where it is gone already, steep was killed while it moved the others, which belong to it.
    let is_trace = |name: &OsString| name == TRACE_FILE || name == PACKED_TRACE_FILE;
    left.sort_by_key(|name| !is_trace(name));
    let has_trace = |folder: PathBuf| files::is_there(&trace_in(&folder));
    let is_half_moved = !is_trace(&left[0])
        && has_trace(place(last))
        && left.iter().all(|name| !files::is_there(&place(last).join(name)));
    let attempt = if is_half_moved { last } else { last + 1 };
    files::own_folder(&attempts)?;
    files::own_folder(&place(attempt))?;
    for name in left {
        fs::rename(folder.join(&name), place(attempt).join(&name))?;
    }
    Ok(attempt + 1)
}
