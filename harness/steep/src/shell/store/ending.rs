//! How a soak ended, by the first line of its trace and the last ones: a day of samples need not be read for it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::LARGEST_TRACE;
use super::packed::{self, PACKED_SUFFIX};
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
    if path.extension().is_some_and(|extension| extension == PACKED_SUFFIX) {
        return of_packed(path);
    }
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

/// The same of a compressed trace, which has no end that could be read by itself.
fn of_packed(path: &Path) -> Option<EndReason> {
    let (mut lines, mut last, mut is_sound) = (0, Vec::new(), true);
    files::each_line_of(packed::open(path).ok()?, LARGEST_TRACE, |line| {
        if lines == 0 {
            is_sound = is_header(line);
        } else if is_end(line) {
            last = line.to_vec();
        }
        lines += 1;
        is_sound
    })
    .ok()?;
    match serde_json::from_slice(&last).ok().filter(|_| is_sound)? {
        Record::End(end) => Some(end.reason),
        _ => None,
    }
}

/// Whether a line is that of an end, without reading all of it: only whole lines of ended soaks are compressed.
fn is_end(line: &[u8]) -> bool {
    line.starts_with(b"{\"record\":\"end\"")
}

/// Whether the first line is the header of a trace that this steep reads.
fn has_header(file: &File) -> Option<bool> {
    let mut line = Vec::new();
    BufReader::new(file.take(LARGEST_TRACE)).read_until(b'\n', &mut line).ok()?;
    Some(is_header(&line))
}

fn is_header(line: &[u8]) -> bool {
    let Ok(Record::Header(header)) = serde_json::from_str(&String::from_utf8_lossy(line)) else { return false };
    Trace::begin(*header).is_ok()
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

    #[test]
    fn a_compressed_trace_says_what_it_said_and_is_read_as_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.jsonl");
        let text = header() + &line(&Record::Sample(Sample::default())).repeat(20_000) + &end(EndReason::Completed, "");
        std::fs::write(&path, &text).expect("a trace");
        let whole: Trace = crate::shell::store::read_trace(folder.path()).expect("a trace");
        assert_eq!(packed::pack(folder.path(), text.len() as u64 + 1).ok(), Some(0));
        let saved = packed::pack(folder.path(), 0).expect("a disk");
        assert!(saved > text.len() as u64 / 2 && !path.exists(), "{saved} of {}", text.len());
        let packed = packed::trace_in(folder.path());
        assert!(packed.ends_with(packed::PACKED_TRACE_FILE) && packed::is_trace_name(&packed));
        assert_eq!(end_reason(&packed), Some(EndReason::Completed));
        assert_eq!(crate::shell::store::read_trace::<Trace>(folder.path()).expect("a trace"), whole);
        assert_eq!(crate::shell::store::read_header(folder.path()).expect("a header"), whole.header);
        // Killed before the trace was removed: it counts, and is compressed once more.
        std::fs::write(&path, &text).expect("a trace");
        assert_eq!(packed::trace_in(folder.path()), path);
        assert_eq!(packed::pack(folder.path(), 0).ok(), Some(saved));
        assert_eq!(packed::pack(folder.path(), 0).ok(), Some(0));
        // A torn or foreign file has no end.
        std::fs::write(&packed, "no zstd").expect("a file");
        assert_eq!(end_reason(&packed), None);
        assert!(crate::shell::store::read_trace::<Trace>(folder.path()).is_err());
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
