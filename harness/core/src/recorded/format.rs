//! Which format a text is in.

use regex::Regex;
use std::borrow::Cow;
use std::sync::LazyLock;

use super::console::console;
use super::json::{is_json, json};
use super::mprof::{is_mprof, mprof};
use super::pairs::pairs;
use super::refusal::Refusal;
use super::table::{Table, blank_separated, delimited, separator};

/// What steers a terminal (ECMA-48): `docker stats` clears it before each reading, and `top` draws in colours.
static STEERING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Za-z0-9]|[=>78cM])|\x0f")
        .expect("a valid expression")
});

/// The rows of a text, whatever its format.
pub(super) fn table(text: &str) -> Result<Table, Refusal> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = if text.contains('\u{1b}') { STEERING.replace_all(text, "") } else { Cow::Borrowed(text) };
    if text.trim().is_empty() {
        return Err(Refusal::Empty);
    }
    if is_json(&text) {
        return json(&text);
    }
    if is_mprof(&text) {
        return mprof(&text);
    }
    if let Some(table) = console(&text) {
        return Ok(table);
    }
    if let Some(table) = pairs(&text) {
        return Ok(table);
    }
    match separator(&text) {
        Some((separator, format)) => delimited(&text, separator, format),
        None => blank_separated(&text),
    }
}
