//! The requests that another program has made so far, out of what it prints or writes: a line with a whole number
//! alone, or `requests 12345`, with a space, `=` or `:` between. All other lines are its own affair.
//!
//! Pure, and of fixed size however much is printed.

/// A longer line is not a count: `requests: ` and the 20 digits of the largest number take half of it.
pub const LINE_MAX_BYTES: usize = 64;

/// What a line that is not a number alone begins with.
const NAME: &str = "requests";

/// The count so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningCount {
    /// The line that has not ended yet.
    open: Vec<u8>,
    /// Whether that line is longer than what is kept of it.
    is_long: bool,
    last: Option<u64>,
    fell: Option<(u64, u64)>,
    unread: Option<(u64, String)>,
}

impl RunningCount {
    /// What the end of a file says. Of several lines the last may be half-written; `is_whole` says that the text begins
    /// where a line does.
    #[must_use]
    pub fn of_end(text: &[u8], is_whole: bool) -> Self {
        let mut count = Self::default();
        let begins = if is_whole { Some(0) } else { text.iter().position(|byte| *byte == b'\n').map(|end| end + 1) };
        let lines = begins.map_or(&[][..], |begins| &text[begins..]);
        count.feed(lines);
        if is_whole && !lines.contains(&b'\n') {
            count.feed(b"\n");
        }
        count
    }

    /// Takes the next piece of the output, which may begin and end anywhere. A carriage return ends a line as well:
    /// programs that show their progress write over it.
    pub fn feed(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, ends) = match part {
                [line @ .., b'\n' | b'\r'] => (line, true),
                line => (line, false),
            };
            self.is_long |= line.len() > LINE_MAX_BYTES - self.open.len();
            if !self.is_long {
                self.open.extend_from_slice(line);
            }
            if ends {
                self.end_line();
            }
        }
    }

    /// Takes over what was read anew of a file.
    pub fn follow(&mut self, read: Self) {
        match (read.last, read.unread) {
            (Some(count), _) => self.take(count),
            (None, Some((_, line))) => self.note_unread(line),
            (None, None) => {}
        }
    }

    /// The last count; none before the first.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// The first count that was less than the one before: that one, and it.
    #[must_use]
    pub fn fell(&self) -> Option<(u64, u64)> {
        self.fell
    }

    /// How many lines began as a count and were none, and the first of them.
    #[must_use]
    pub fn unread(&self) -> Option<(u64, &str)> {
        self.unread.as_ref().map(|(count, line)| (*count, line.as_str()))
    }

    fn end_line(&mut self) {
        if !self.is_long {
            let line = String::from_utf8_lossy(&self.open).trim().to_owned();
            match counted(&line) {
                Some(Ok(count)) => self.take(count),
                Some(Err(())) => self.note_unread(line),
                None => {}
            }
        }
        self.open.clear();
        self.is_long = false;
    }

    fn take(&mut self, count: u64) {
        if let Some(before) = self.last.filter(|before| count < *before) {
            self.fell.get_or_insert((before, count));
        }
        self.last = Some(count);
    }

    fn note_unread(&mut self, line: String) {
        self.unread.get_or_insert((0, line)).0 += 1;
    }
}

/// The count in `line`; none: it is no such line, an error: it is one, without a whole number.
fn counted(line: &str) -> Option<Result<u64, ()>> {
    let parsed = |number: &str| number.parse().map_err(|_| ());
    if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(parsed(line));
    }
    let rest = line.strip_prefix(NAME)?;
    let after = rest.trim_start();
    let number = after.strip_prefix(['=', ':']).unwrap_or(after).trim_start();
    let is_apart = rest.len() > number.len();
    let is_number = number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
    let is_alone = !number.contains(char::is_whitespace);
    (is_apart && is_number && is_alone).then(|| parsed(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> RunningCount {
        let mut count = RunningCount::default();
        count.feed(text.as_bytes());
        count
    }

    #[test]
    fn a_number_alone_or_behind_its_name_is_a_count() {
        for line in ["12345", " 12345 ", "requests 12345", "requests=12345", "requests: 12345", "requests = 12345"] {
            assert_eq!(of(&format!("{line}\n")).last(), Some(12345), "{line}");
        }
        for line in ["12345 rps", "requests are sent", "requests", "requests12345", "requests 5 in 2 s", "took 12", ""]
        {
            assert_eq!(of(&format!("{line}\n")), RunningCount::default(), "{line}");
        }
        assert_eq!(of("12").last(), None, "it has not ended");
        assert_eq!(of("7 %\r9 %\r12\r\n").last(), Some(12));
    }

    #[test]
    fn what_begins_as_a_count_and_is_none_is_reported() {
        let count = of("requests 1.5\nrequests -3\nrequests 1e6\n99999999999999999999999\n4\n");
        assert_eq!((count.last(), count.unread()), (Some(4), Some((4, "requests 1.5"))));
    }

    #[test]
    fn a_count_that_goes_back_is_remembered() {
        let count = of("5\n9\n9\n3\n20\n1\n");
        assert_eq!((count.last(), count.fell()), (Some(1), Some((9, 3))));
        assert_eq!(of("1\n1\n2\n").fell(), None);
    }

    #[test]
    fn of_a_file_only_whole_lines_count() {
        let end = |text: &str, is_whole| RunningCount::of_end(text.as_bytes(), is_whole).last();
        assert_eq!((end("12", true), end("12\n34", true), end("", true)), (Some(12), Some(12), None));
        assert_eq!((end("99\n12\n", false), end("99", false), end("99\n", false)), (Some(12), None, None));
        let mut count = RunningCount::default();
        for text in ["5\n", "", "requests x\n", "requests 7.0\n", "3\n"] {
            count.follow(RunningCount::of_end(text.as_bytes(), true));
        }
        assert_eq!((count.last(), count.fell(), count.unread()), (Some(3), Some((5, 3)), Some((1, "requests 7.0"))));
    }

    proptest! {
        #[test]
        fn any_output_in_any_pieces_is_read_alike_in_bounded_memory(
            output in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'1'), Just(b'r'), any::<u8>()], 0..400),
            cut in 0_usize..400,
        ) {
            let mut whole = RunningCount::default();
            whole.feed(&output);
            let mut pieces = RunningCount::default();
            let (before, after) = output.split_at(cut.min(output.len()));
            pieces.feed(before);
            pieces.feed(after);
            prop_assert_eq!((whole.last(), whole.fell(), whole.unread()), (pieces.last(), pieces.fell(), pieces.unread()));
            prop_assert!(pieces.open.len() <= LINE_MAX_BYTES);
        }
    }
}
