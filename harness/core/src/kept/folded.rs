//! The stacks as folded texts, from which flame graphs are drawn: the calls from the outermost to the innermost, and a
//! number of bytes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Frame, Series, Stack};

/// What the number behind each stack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// Bytes alive at the last snapshot.
    Live,
    /// Bytes alive at the last snapshot beyond those at the first, of stacks that have more.
    Growth,
}

/// More than this is not written: of what has least.
const MOST_BYTES: usize = 16 << 20;

/// A line for each stack that has any of it, what has most first.
#[must_use]
pub fn folded(series: &Series, what: Folded) -> String {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for stack in &series.stacks {
        let bytes = bytes(stack, what).round().max(0.0) as u64;
        if bytes > 0 {
            let calls: Vec<String> = series.frames_of(stack).into_iter().rev().map(call).collect();
            *lines.entry(calls.join(";")).or_default() += bytes;
        }
    }
    let mut lines: Vec<(String, u64)> = lines.into_iter().collect();
    lines.sort_by_key(|(_, bytes)| Reverse(*bytes));
    let mut text = String::new();
    for line in lines.into_iter().map(|(calls, bytes)| format!("{calls} {bytes}\n")) {
        if text.len() + line.len() > MOST_BYTES {
            break;
        }
        text.push_str(&line);
    }
    text
}

fn bytes(stack: &Stack, what: Folded) -> f64 {
    let first = stack.live_bytes.first().copied().unwrap_or(0.0);
    match what {
        Folded::Live => stack.live_at_the_end(),
        Folded::Growth => stack.live_at_the_end() - first,
    }
}

/// `open (src/sessions.rs:118)`, without what parts calls and lines.
fn call(frame: &Frame) -> String {
    let place = frame.place();
    let is_named = !frame.function.is_empty() && place != frame.function;
    let text = if is_named { format!("{} ({place})", frame.name()) } else { place };
    text.replace(';', ",").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_call_stands_first_and_only_what_grew_is_growth() {
        let frame = |function: &str, line| Frame {
            function: function.to_owned(),
            file: if line == 0 { String::new() } else { "src/a.rs".to_owned() },
            line,
            is_own: true,
        };
        let stack = |frames: &[usize], first: f64, last: f64| Stack {
            frames: frames.to_vec(),
            live_bytes: vec![first, last],
            ..Stack::default()
        };
        let series = Series {
            frames: vec![frame("keep;<[u8; 4]>", 7), frame("main", 1), frame("", 0)],
            stacks: vec![stack(&[0, 1], 10.0, 40.0), stack(&[2, 1], 9.0, 5.0), stack(&[0], 0.0, 0.0)],
            ..Series::default()
        };
        let keep = "main (src/a.rs:1);keep, (src/a.rs:7)";
        assert_eq!(folded(&series, Folded::Growth), format!("{keep} 30\n"));
        assert_eq!(folded(&series, Folded::Live), format!("{keep} 40\nmain (src/a.rs:1);an unknown place 5\n"));
    }
}
