//! How a soak ended, by the first line of its trace and the last ones: a day of samples need not be read for it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::LARGEST_TRACE;
use crate::shell::files;
use steep_core::trace::{EndReason, Record, Trace};

/// What is read of the end of a trace at first: more than the last line of any ordinary soak.
const TAIL: u64 = 64 << 10;
/// Where the last line is longer, this many times as much is read.
const LONGER: u64 = 4;

/// Why the soak ended whose trace is at `path`; none if it did not, or what is there is no trace.
pub(super) fn end_reason(path: &Path) -> Option<EndReason> {
    by_tail(path, TAIL)
}

/// The same, with this many bytes of a `tail` at first.
fn by_tail(path: &Path, tail: u64) -> Option<EndReason> {
    let mut file = files::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    if length > LARGEST_TRACE || !has_header(&file)? {
        return None;
    }
    let mut tail = tail;
    loop {
        let from = length.saturating_sub(tail);
        match last_record(&mut file, from, tail).ok()? {
            Some(Record::End(end)) => return Some(end.reason),
            None if from > 0 => tail = tail.saturating_mul(LONGER),
            Some(_) | None => return None,
        }
    }
}

/// Whether the first line is the header of a trace that this steep reads.
fn has_header(file: &File) -> Option<bool> {
    let mut line = Vec::new();
    BufReader::new(file.take(LARGEST_TRACE)).read_until(b'\n', &mut line).ok()?;
    let Ok(Record::Header(header)) = serde_json::from_str(&String::from_utf8_lossy(&line)) else { return Some(false) };
    Some(Trace::begin(*header).is_ok())
}

/// The last line that is a record, of the whole ones in the `length` bytes from there on. What a machine that died left
/// of others is passed over, as [`Trace::read`] does.
fn last_record(file: &mut File, from: u64, length: u64) -> io::Result<Option<Record>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first one is cut.
    let whole = if from > 0 { text.split_once('\n').map_or("", |(_, whole)| whole) } else { &text };
    Ok(whole.split_inclusive('\n').rev().find_map(|line| serde_json::from_str(line).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use steep_core::trace::{End, Sample};

    /// The first line of a trace that was recorded.
    fn header() -> String {
        let scenario = steep_core::testing::decoded(&steep_core::testing::sound("1m", ""));
        let trace = steep_core::sim::soak(&scenario, &steep_core::sim::SimService::default(), &[]).expect("a trace");
        line(&Record::Header(Box::new(trace.header)))
    }

    fn line(record: &Record) -> String {
        serde_json::to_string(record).expect("a line") + "\n"
    }

    fn end(reason: EndReason, message: &str) -> String {
        line(&Record::End(End { reason, message: message.to_owned(), ..End::default() }))
    }

    /// Whatever is at the end, and however little is read at first: the same as the whole trace says.
    #[test]
    fn the_tail_says_what_the_whole_trace_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.jsonl");
        let header = header();
        let samples = line(&Record::Sample(Sample::default())).repeat(20);
        let crashed = end(EndReason::Crashed, &"a long last line ".repeat(500));
        let completed = end(EndReason::Completed, "");
        for ending in [
            "",
            &samples,
            &completed,
            &crashed,
            &format!("{samples}{completed}"),
            &format!("{samples}{crashed}"),
            &format!("{crashed}\0\0\0\0"),
            &format!("{crashed}{{\"torn\":"),
            &format!("{samples}{}", &completed[..completed.len() / 2]),
            &format!("{samples}{}", completed.trim_end()),
            &"no record\n".repeat(300),
        ] {
            for begin in [header.as_str(), "", "no header\n", &header.replace("\"format\":\"2", "\"format\":\"9")] {
                let text = format!("{begin}{ending}");
                std::fs::write(&path, &text).expect("a trace");
                let whole = Trace::read(&text).ok().and_then(|trace| trace.end).map(|end| end.reason);
                for tail in [1, 7, 100, TAIL] {
                    assert_eq!(by_tail(&path, tail), whole, "{tail} bytes of {text}");
                }
            }
        }
        assert_eq!(end_reason(&folder.path().join("none")), None);
    }
}
