//! Where texts go: results to stdout, everything else to stderr.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use crate::exit::Status;

/// Writes a result to stdout, or to `file`. A reader who has seen enough (a closed pipe) is no error.
pub(super) fn print(text: &str, file: Option<&Path>) -> Result<(), anyhow::Error> {
    use anyhow::Context as _;
    if let Some(file) = file {
        return fs::write(file, text).with_context(|| format!("write {}", file.display()));
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("write to stdout"),
        _ => Ok(()),
    }
}

/// `value` as JSON of several lines.
pub(super) fn json(value: &impl Serialize) -> Result<String, anyhow::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Tells the user something on stderr.
pub(super) fn tell(message: &str) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// What `result` comes to; an error is told, and means that something could not be done.
pub(super) fn status_of(result: Result<Status, anyhow::Error>) -> Status {
    result.unwrap_or_else(|error| {
        tell(&format!("error: {error:#}"));
        Status::NotDone
    })
}
