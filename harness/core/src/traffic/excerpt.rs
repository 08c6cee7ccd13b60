//! How much of an answer is looked at, and how much of it a message shows. Pure.

use super::draw::Values;

/// The longest body that is looked at. It is held in memory for each request in flight; one that is longer is not as
/// expected.
pub const MAX_EXPECTED_BYTES: usize = 1 << 20;

/// How much of what was found is reported.
const MAX_TOLD_CHARS: usize = 80;

/// A text of an answer as it may stand in a message: short, in one line, and without what was captured.
pub(super) fn shown(text: &str, values: &Values) -> String {
    let text = values.redacted(text);
    let short: String = text.chars().take(MAX_TOLD_CHARS).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug())
}
