//! Lines of the service's log that are events on the time axis: the type, its keys, decoding and checks.

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key};

/// Kinds of events of a scenario: each line of the log is held against each of them.
const KINDS_MAX: usize = 16;

/// Groups of a pattern: each is a value of each event.
const GROUPS_MAX: usize = 8;

/// What a compiled pattern may take, in bytes. A `\w{1,50}` takes 300 KB.
const COMPILED_MAX: usize = 1 << 20;

/// A kind of event, and the lines of the log that are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEvent {
    /// What it is called.
    pub name: String,
    /// What such a line holds.
    pub pattern: String,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("service.log_events", Kind::Tables, Presence::Default("[]"), "Lines of the service's output (stdout and stderr) that are events: each gets a place on the time axis, and the report says what memory does after it (docs/timeline.md). At most 16."),
    key("service.log_events[].name", Kind::Text, Presence::Required, "What the event is called: letters, digits, `-`, `_` and `.`."),
    key("service.log_events[].pattern", Kind::Text, Presence::Required, "A regular expression that such a line matches somewhere in its first 4 KiB, such as `batch job (?<what>started|finished)` (syntax: docs.rs/regex). What its groups match are values of the event, by name or by number; events that differ in a group with few values are separate kinds. At most 8 groups. Of each kind 10 events are kept at once and one a second from then on; more are counted."),
];

pub(super) fn log_event(reader: &mut Reader, section: &Section<'_>) -> Option<LogEvent> {
    let name = reader.text(section, "name");
    let pattern = reader.text(section, "pattern");
    Some(LogEvent { name: name?, pattern: pattern? })
}

impl LogEvent {
    /// Its pattern, compiled within bounds.
    ///
    /// # Errors
    /// It is not an expression, or too large a one: in words.
    pub fn compiled(&self) -> Result<Regex, String> {
        RegexBuilder::new(&self.pattern).size_limit(COMPILED_MAX).build().map_err(|error| {
            let reason = error.to_string();
            reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }
}

impl Check<'_> {
    pub(super) fn log_events(&mut self, scenario: &Scenario) {
        let events = &scenario.service.log_events;
        if events.len() > KINDS_MAX {
            let message = format!("{} kinds of events are more than {KINDS_MAX}", events.len());
            self.error("service.log_events", message, "take one pattern with a group for what is alike");
        }
        self.distinct_names("service.log_events", events.iter().map(|event| event.name.as_str()));
        for (index, event) in events.iter().enumerate() {
            self.file_name(&format!("service.log_events[{index}].name"), &event.name);
            let path = format!("service.log_events[{index}].pattern");
            match event.compiled() {
                Ok(pattern) if pattern.captures_len() - 1 > GROUPS_MAX => {
                    let message =
                        format!("the pattern has {} groups, at most {GROUPS_MAX}", pattern.captures_len() - 1);
                    self.error(&path, message, "put (?:…) around what is not a value");
                }
                Ok(pattern) if pattern.is_match(b"") => {
                    let help = "say what stands in such a line: \"batch job started\"";
                    self.error(&path, "the pattern matches every line", help);
                }
                Ok(_) => {}
                Err(reason) => {
                    let message = format!("that is not an expression: {reason}");
                    self.error(&path, message, "the syntax is that of docs.rs/regex");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{decoded, sound};

    #[test]
    fn a_kind_of_event_has_a_name_and_a_pattern() {
        let text = sound("9m", "[[service.log_events]]\nname = \"batch\"\npattern = 'batch job (started|finished)'\n");
        let scenario = decoded(&text);
        assert_eq!(scenario.service.log_events.len(), 1);
        assert!(scenario.service.log_events[0].compiled().expect("an expression").is_match(b"INFO batch job started"));
    }
}
