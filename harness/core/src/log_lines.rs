//! Events out of the lines that a service prints: which lines are one, when, and what their groups matched.
//!
//! Pure, and of fixed size however much is printed: a flood of one kind is counted, not kept.

use std::collections::BTreeMap;

use regex::bytes::{Captures, Regex};

use crate::scenario::LogEvent;
use crate::trace::{LogFlood, LogLine};
use steep_judge::units::SinceStart;

/// What is looked at of a line.
const LINE_MAX_BYTES: usize = 4 << 10;

/// What is kept of what a group matched.
const VALUE_MAX_CHARS: usize = 64;

/// Events of a kind that are kept at once, after a while without.
const BURST: f64 = 10.0;

/// Events of a kind that are kept in a second from then on: a day of one kind is 8 MB of trace.
const KEPT_PER_SECOND: f64 = 1.0;

/// Looks for events in an output.
#[derive(Debug)]
pub struct LogLines {
    kinds: Vec<Wanted>,
    /// The line that has not ended yet, as far as it is looked at.
    open: Vec<u8>,
    found: Vec<LogLine>,
}

/// A kind of event that is looked for.
#[derive(Debug)]
struct Wanted {
    name: String,
    pattern: Regex,
    /// Its groups: by name, or by number.
    groups: Vec<String>,
    /// Events that may be kept now.
    room: f64,
    at: SinceStart,
    flood: u64,
}

impl LogLines {
    /// Of the kinds of a scenario that was checked; one whose pattern does not compile is left out.
    #[must_use]
    pub fn new(kinds: &[LogEvent]) -> Self {
        let wanted = |kind: &LogEvent| {
            let pattern = kind.compiled().ok()?;
            let named = |(number, name): (usize, Option<&str>)| name.map_or_else(|| number.to_string(), str::to_owned);
            let groups = pattern.capture_names().enumerate().skip(1).map(named).collect();
            let name = kind.name.clone();
            Some(Wanted { name, pattern, groups, room: BURST, at: SinceStart::ZERO, flood: 0 })
        };
        Self { kinds: kinds.iter().filter_map(wanted).collect(), open: Vec::new(), found: Vec::new() }
    }

    /// Takes the next piece of the output, which was read at this moment and may begin and end anywhere.
    pub fn feed(&mut self, at: SinceStart, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (line, ends) = match part {
                [line @ .., b'\n'] => (line, true),
                line => (line, false),
            };
            let room = LINE_MAX_BYTES - self.open.len();
            self.open.extend_from_slice(&line[..line.len().min(room)]);
            if ends {
                let found = self.kinds.iter_mut().filter_map(|kind| kind.look(at, &self.open));
                self.found.extend(found);
                self.open.clear();
            }
        }
    }

    /// The events since this was asked last, and how many were only counted.
    pub fn take(&mut self, now: SinceStart) -> (Vec<LogLine>, Vec<LogFlood>) {
        let flooded = self.kinds.iter_mut().filter(|kind| kind.flood > 0);
        let floods = flooded.map(|kind| {
            let lines = std::mem::take(&mut kind.flood);
            LogFlood { t_s: now, event: kind.name.clone(), lines }
        });
        (std::mem::take(&mut self.found), floods.collect())
    }
}

impl Wanted {
    fn look(&mut self, at: SinceStart, line: &[u8]) -> Option<LogLine> {
        // Nearly no line is an event, and whether they are is known sooner without groups.
        if !self.pattern.is_match(line) {
            return None;
        }
        let passed = at.as_secs_f64() - self.at.as_secs_f64();
        self.room = (self.room + passed.max(0.0) * KEPT_PER_SECOND).min(BURST);
        self.at = at;
        if self.room < 1.0 {
            self.flood += 1;
            return None;
        }
        self.room -= 1.0;
        let values = self.pattern.captures(line).map(|captures| self.values(&captures)).unwrap_or_default();
        Some(LogLine { t_s: at, event: self.name.clone(), values })
    }

    fn values(&self, captures: &Captures<'_>) -> BTreeMap<String, String> {
        let matched = self.groups.iter().zip(captures.iter().skip(1));
        let value = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(VALUE_MAX_CHARS).collect();
        matched.filter_map(|(name, group)| Some((name.clone(), value(group?.as_bytes())))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines() -> LogLines {
        let kind = |name: &str, pattern: &str| LogEvent { name: name.to_owned(), pattern: pattern.to_owned() };
        LogLines::new(&[kind("batch", "batch job (?<what>started|finished)"), kind("gc", r"gc (\d+) ms")])
    }

    fn at(seconds: f64) -> SinceStart {
        SinceStart::from_secs_f64(seconds)
    }

    #[test]
    fn lines_that_match_are_events_with_the_values_of_their_groups() {
        let mut lines = lines();
        lines.feed(at(1.0), b"INFO batch job sta");
        lines.feed(at(1.5), b"rted\nnothing\ngc 12 ms and batch job finished\n");
        let (found, floods) = lines.take(at(2.0));
        let said: Vec<_> = found.iter().map(|line| (line.event.as_str(), line.t_s, line.values.clone())).collect();
        let values = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(
            said,
            [
                ("batch", at(1.5), values("what", "started")),
                ("batch", at(1.5), values("what", "finished")),
                ("gc", at(1.5), values("1", "12")),
            ]
        );
        assert!(floods.is_empty() && lines.take(at(3.0)).0.is_empty());
    }

    #[test]
    fn a_flood_is_counted_and_does_not_hide_other_kinds() {
        let mut lines = lines();
        lines.feed(at(0.0), "gc 1 ms\n".repeat(1000).as_bytes());
        lines.feed(at(0.1), b"batch job started\n");
        let (found, floods) = lines.take(at(1.0));
        assert_eq!(found.iter().filter(|line| line.event == "gc").count(), 10);
        assert_eq!(found.iter().filter(|line| line.event == "batch").count(), 1);
        assert_eq!(floods, [LogFlood { t_s: at(1.0), event: "gc".to_owned(), lines: 990 }]);
        lines.feed(at(5.0), "gc 1 ms\n".repeat(100).as_bytes());
        assert_eq!(lines.take(at(6.0)).0.len(), 5, "one for each second");
    }

    proptest! {
        #[test]
        fn any_output_in_any_pieces_is_read_alike_in_bounded_memory(
            output in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'g'), any::<u8>()], 0..400),
            event in 0_usize..400,
            cut in 0_usize..420,
        ) {
            let mut output = output;
            output.splice(event.min(output.len())..event.min(output.len()), b"gc 7 ms\n".iter().copied());
            let (mut whole, mut pieces) = (lines(), lines());
            whole.feed(at(1.0), &output);
            let (before, after) = output.split_at(cut.min(output.len()));
            pieces.feed(at(1.0), before);
            pieces.feed(at(1.0), after);
            prop_assert!(pieces.open.len() <= LINE_MAX_BYTES);
            let found = whole.take(at(2.0));
            prop_assert!(!found.0.is_empty());
            prop_assert_eq!(found, pieces.take(at(2.0)));
        }
    }
}
