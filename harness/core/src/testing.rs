//! For tests: a scenario with nothing wrong, and what is said of it when it is broken.

use crate::problem::render;
use crate::scenario::Scenario;
use crate::scenario::decode::decode;

/// A scenario with nothing wrong, for the tests to break.
pub const SOUND: &str = r#"name = "shop"

[service]
command = ["shop"]
url = "http://127.0.0.1:{{port}}"

[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 100
duration = "5m"

[[requests]]
name = "get"
path = "/"
"#;

/// The sound scenario with a phase of this `duration`, and with `more` at its end.
#[must_use]
pub fn sound(duration: &str, more: &str) -> String {
    SOUND.replace("\"5m\"", &format!("\"{duration}\"")) + more
}

/// The scenario that `text` is.
///
/// # Panics
///
/// If something is wrong with it.
#[must_use]
pub fn decoded(text: &str) -> Scenario {
    let decoded = decode(text);
    decoded.scenario.unwrap_or_else(|| panic!("{}", render(&decoded.problems, "soak.toml", text, false)))
}

/// The problems of `text`, as they are shown.
///
/// # Panics
///
/// If there are none, or there is nothing to replace.
#[must_use]
pub fn problems(text: &str) -> String {
    let decoded = decode(text);
    assert!(!decoded.problems.is_empty(), "no problem was found");
    render(&decoded.problems, "soak.toml", text, false)
}

/// The problems of the sound scenario with `this` in place of `that`.
///
/// # Panics
///
/// If there are none, or there is nothing to replace.
#[must_use]
pub fn with(this: &str, that: &str) -> String {
    assert!(SOUND.contains(this), "the sound scenario has no {this:?}");
    problems(&SOUND.replacen(this, that, 1))
}

/// The problems of the sound scenario with `more` at its end.
///
/// # Panics
///
/// If there are none, or there is nothing to replace.
#[must_use]
pub fn and(more: &str) -> String {
    let mut text = SOUND.to_owned();
    text.push_str(more);
    problems(&text)
}
