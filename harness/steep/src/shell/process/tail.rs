//! Keeps the last lines of an output for messages, in bounded memory. Pure.

use std::collections::VecDeque;

/// Lines kept. A panic of a Rust program with its note takes three, the traceback of others a dozen.
const LINES_MAX: usize = 20;

/// Bytes kept of a line; the rest of it is left out.
pub const LINE_MAX_BYTES: usize = 512;

/// The last lines of an output.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<String>,
    /// The line that has not ended yet.
    open: Vec<u8>,
    /// Frames of a backtrace after the last of `lines`, which are not kept: the cause stands before them, and there may
    /// be fifty.
    frames: usize,
}

impl Tail {
    /// Takes the next piece of the output, which may begin and end anywhere.
    pub fn feed(&mut self, piece: &[u8]) {
        let Some(last_end) = piece.iter().rposition(|&byte| byte == b'\n') else {
            self.lengthen(piece);
            return;
        };
        let (ended, open) = (&piece[..last_end], &piece[last_end + 1..]);
        // From the end: of a piece with many lines only the last are looked at.
        let (mut lines, mut kept) = (Vec::new(), 0);
        for line in ended.rsplit(|&byte| byte == b'\n') {
            if kept == LINES_MAX {
                self.open.clear();
                break;
            }
            kept += usize::from(!is_frame(line));
            lines.push(line);
        }
        for line in lines.into_iter().rev() {
            self.lengthen(line);
            self.end_line();
        }
        self.lengthen(open);
    }

    /// The lines, oldest first, with the one that has not ended.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let open = (!self.open.is_empty()).then(|| text(&self.open));
        let open = open.or((self.frames > 0).then(|| format!("({} lines of a backtrace are in the log)", self.frames)));
        let skipped = (self.lines.len() + usize::from(open.is_some())).saturating_sub(LINES_MAX);
        self.lines.iter().cloned().chain(open).skip(skipped).collect()
    }

    /// Gives all that is kept to `reader`, as it came.
    pub fn replay(&self, mut reader: impl FnMut(&[u8])) {
        for line in &self.lines {
            reader(line.as_bytes());
            reader(b"\n");
        }
        reader(&self.open);
    }

    fn lengthen(&mut self, piece: &[u8]) {
        let room = LINE_MAX_BYTES - self.open.len();
        self.open.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn end_line(&mut self) {
        if is_frame(&self.open) {
            self.frames += 1;
            self.open.clear();
            return;
        }
        self.frames = 0;
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(text(&self.open));
        self.open.clear();
    }
}

/// Whether a line is a frame of a backtrace, as Rust (`  12: main`, `at src/main.rs`), Java and JavaScript (`at f(`)
/// print it: indented.
fn is_frame(line: &[u8]) -> bool {
    let rest = line.trim_ascii_start();
    let number = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.len() < line.len() && (rest.starts_with(b"at ") || number > 0 && rest[number..].starts_with(b": "))
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(pieces: &[&str]) -> Vec<String> {
        let mut tail = Tail::default();
        for piece in pieces {
            tail.feed(piece.as_bytes());
        }
        tail.lines()
    }

    #[test]
    fn lines_are_whole_wherever_the_pieces_were_cut() {
        assert_eq!(tail_of(&["one\ntw", "o", "\nthree"]), ["one", "two", "three"]);
        assert_eq!(tail_of(&["\n", "a\r\n"]), ["", "a"]);
        assert_eq!(tail_of(&[]), [""; 0]);
    }

    #[test]
    fn only_the_last_lines_are_kept_in_one_piece_and_in_many() {
        let many: Vec<String> = (0..100).map(|line| format!("line {line}\n")).collect();
        let expected: Vec<String> = (80..100).map(|line| format!("line {line}")).collect();
        let pieces: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(tail_of(&pieces), expected);
        assert_eq!(tail_of(&["begun", &format!(" earlier\n{}", many.concat())]), expected);
        assert_eq!(tail_of(&[&many.concat(), "open"]).len(), LINES_MAX);
        assert_eq!(tail_of(&[&many.concat(), "open"]).last().map(String::as_str), Some("open"));
    }

    #[test]
    fn a_backtrace_does_not_hide_its_cause() {
        let frames: String =
            (0..19).map(|n| format!("  {n:2}: main::{n}\n             at ./src/main.rs:{n}:5\n")).collect();
        let log = format!("starting\nError: no path to serve\n\nStack backtrace:\n{frames}");
        let expected =
            ["starting", "Error: no path to serve", "", "Stack backtrace:", "(38 lines of a backtrace are in the log)"];
        assert_eq!(tail_of(&[&log]), expected);
        let bytes: Vec<String> = log.chars().map(String::from).collect();
        let pieces: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(tail_of(&pieces), expected);
        assert_eq!(tail_of(&[&log, "bye\n"])[4..], ["bye"]);
        assert_eq!(tail_of(&["12: 30\n", "at last\n", "  at work\n"])[..2], ["12: 30", "at last"]);
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let mut tail = Tail::default();
        for _ in 0..1000 {
            tail.feed(&[b'x'; 1000]);
        }
        assert_eq!(tail.lines(), ["x".repeat(LINE_MAX_BYTES)]);
        assert!(tail.open.capacity() <= 2 * LINE_MAX_BYTES);
    }
}
