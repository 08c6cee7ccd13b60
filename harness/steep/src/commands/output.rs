//! Where texts go: results to stdout, everything else to stderr.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::shell::{console, files};
use steep_core::exit::Status;
use steep_core::report::Layout;
use steep_core::visible::visible;

/// How a result for people is laid out on stdout.
pub(super) fn layout(is_wide: bool) -> Layout {
    Layout::new(console::columns(), is_wide)
}

/// Writes a result to stdout, or to `file`.
pub(super) fn print(text: &str, file: Option<&Path>) -> Result<(), anyhow::Error> {
    match file {
        // It is shown on a terminal sooner or later.
        Some(file) => files::write_output(file, &visible(text)).with_context(|| format!("write {}", file.display())),
        None => console::print(text).context("write to stdout"),
    }
}

/// What printing `text` leaves of `found`: where nobody can be reported, something could not be done.
pub(super) fn printed(text: Result<String, anyhow::Error>, found: Status) -> Status {
    let printed = text.and_then(|text| print(&text, None)).map(|()| Status::Clean);
    Status::of([found, status_of(printed)])
}

/// `value` as JSON of several lines.
pub(super) fn json(value: &impl Serialize) -> Result<String, anyhow::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Tells the user something on stderr.
pub(super) fn tell(message: &str) {
    console::tell(message);
}

/// What `result` amounts to; an error is reported, and means that something could not be done.
pub(super) fn status_of(result: Result<Status, anyhow::Error>) -> Status {
    result.unwrap_or_else(|error| {
        tell(&format!("error: {error:#}"));
        Status::NotDone
    })
}
