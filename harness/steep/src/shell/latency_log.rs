//! Writes the times of a cell to `latency.hlog`, the interval log that the usual `HdrHistogram` tools read.
//!
//! A line for each interval and tag: `<request>` holds the latency from the due time, `<request>|service` the time from
//! sending, `|lateness` how late the driver was; in microseconds, the column of the largest in milliseconds. A thread
//! of its own encodes and writes, so that neither the driver nor the soak waits for a disk: intervals that find no room
//! are joined with the next, and none is lost. A line is one write, so that killing steep loses no line.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};

use crate::shell::files;
use steep_core::traffic::latency::Interval;
use steep_judge::units::Bytes;

/// The log, in the folder of a cell. Older parts are `latency.1.hlog`, `latency.2.hlog` and so on, in the order of
/// time.
const LOG_FILE: &str = "latency.hlog";

/// A file that has grown to this becomes an older part; none is thrown away. A line has some 370 bytes.
const LOG_FILE_MAX: Bytes = Bytes::mib(16);

/// Intervals that may wait to be written; beyond, they are joined.
const QUEUE: usize = 4;

/// Every interval has lines of its own for the first hour of a cell …
const FINE_UNTIL: Duration = Duration::from_hours(1);

/// … and then those of this time together have.
const COARSE: Duration = Duration::from_secs(10);

/// The unit of a log's column of largest values is free: microseconds to milliseconds.
const MICROS_PER_MILLI: f64 = 1000.0;

/// The log of a cell that is being written.
#[derive(Debug)]
pub struct LatencyLog {
    sender: SyncSender<Interval>,
    /// Found no room yet.
    waiting: Option<Interval>,
    thread: JoinHandle<io::Result<()>>,
    path: PathBuf,
}

impl LatencyLog {
    /// Begins the log in `cell_folder` of requests of these `names`; the load began at `started`.
    ///
    /// # Errors
    /// The file cannot be made, or the thread not be started.
    pub fn begin(cell_folder: &Path, names: &[String], started: SystemTime) -> io::Result<Self> {
        let path = cell_folder.join(LOG_FILE);
        let file = files::create_new(&path)?;
        let (sender, receiver) = sync_channel(QUEUE);
        let parts = Parts { path: path.clone(), started, tags: names.iter().map(|name| tag(name)).collect() };
        let thread = thread::Builder::new()
            .name("latency log".to_owned())
            .spawn(move || parts.write_all(file, &mut Intervals { receiver, joined: None }, LOG_FILE_MAX))?;
        Ok(Self { sender, waiting: None, thread, path })
    }

    /// Writes `interval`, soon, or together with those after it.
    pub fn push(&mut self, interval: Interval) {
        let interval = match self.waiting.take() {
            Some(mut waiting) => {
                waiting.join(interval);
                waiting
            }
            None => interval,
        };
        // A thread that is gone has failed, which `finish` tells.
        if let Err(TrySendError::Full(interval)) = self.sender.try_send(interval) {
            self.waiting = Some(interval);
        }
    }

    /// Waits until all is written. Tells what went wrong with the file, if anything did.
    #[must_use]
    pub fn finish(self) -> Option<String> {
        let Self { sender, waiting, thread, path } = self;
        if let Some(waiting) = waiting {
            let _ = sender.send(waiting);
        }
        drop(sender);
        let written = thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread ended unexpectedly")));
        written.err().map(|error| format!("{}: {error}", path.display()))
    }
}

/// Intervals as they are to be written.
struct Intervals {
    receiver: Receiver<Interval>,
    joined: Option<Interval>,
}

impl Intervals {
    /// The next; none after the last.
    fn next(&mut self) -> Option<Interval> {
        while let Ok(interval) = self.receiver.recv() {
            let joined = match self.joined.take() {
                Some(mut joined) => {
                    joined.join(interval);
                    joined
                }
                None => interval,
            };
            if joined.start.elapsed() < FINE_UNTIL || joined.end.since(joined.start) >= COARSE {
                return Some(joined);
            }
            self.joined = Some(joined);
        }
        self.joined.take()
    }
}

/// The files of one log.
struct Parts {
    path: PathBuf,
    started: SystemTime,
    /// Of each kind of request: those of latency and of service time.
    tags: Vec<[String; 2]>,
}

type Log<'l, 'f> = IntervalLogWriter<'l, 'l, Lines<'f>, V2DeflateSerializer>;

impl Parts {
    /// Writes all `intervals`, the first to `file`, and begins a new one whenever one has `most` bytes.
    fn write_all(&self, file: File, intervals: &mut Intervals, most: Bytes) -> io::Result<()> {
        let mut serializer = V2DeflateSerializer::new();
        let mut next = intervals.next();
        let mut file = Some(file);
        while next.is_some() {
            let size = Cell::new(Bytes::ZERO);
            let file = file.take().map_or_else(|| self.begin_part(), Ok)?;
            let mut lines = Lines { file, line: Vec::new(), size: &size };
            let mut log = IntervalLogWriterBuilder::new()
                .add_comment("[Latencies by steep, in microseconds; Interval_Max in milliseconds]")
                .add_comment(
                    "[Tags: <request> from the due time, <request>|service from sending, |lateness of the driver]",
                )
                .with_start_time(self.started)
                .with_base_time(self.started)
                .with_max_value_divisor(MICROS_PER_MILLI)
                .begin_log_with(&mut lines, &mut serializer)?;
            while let Some(interval) = next.take() {
                self.write(&mut log, &interval)?;
                next = intervals.next();
                if size.get() >= most {
                    break;
                }
            }
        }
        Ok(())
    }

    fn write(&self, log: &mut Log<'_, '_>, interval: &Interval) -> io::Result<()> {
        let mut line = |times: &Histogram<u32>, tag: &str| {
            let lasted = interval.end.since(interval.start);
            let written = log.write_histogram(times, interval.start.elapsed(), lasted, Tag::new(tag));
            written.map_err(io::Error::other)
        };
        for (times, [latency, service_time]) in interval.requests.iter().zip(&self.tags) {
            let Some(times) = times else { continue };
            line(&times.latency, latency)?;
            if !times.service_time.is_empty() {
                line(&times.service_time, service_time)?;
            }
        }
        interval.lateness.as_ref().map_or(Ok(()), |lateness| line(lateness, "|lateness"))
    }

    /// Keeps what is full under a name of its own, and begins anew.
    fn begin_part(&self) -> io::Result<File> {
        let mut numbers = 1_u64..;
        let older = numbers.by_ref().map(|number| self.path.with_file_name(format!("latency.{number}.hlog")));
        if let Some(older) = older.into_iter().find(|older| !files::is_there(older)) {
            fs::rename(&self.path, older)?;
        }
        files::create_new(&self.path)
    }
}

/// A tag has no blanks, commas and line breaks: they are written as in a URL, so that names stay different.
fn tag(name: &str) -> [String; 2] {
    let escaped: String = name
        .chars()
        .map(|c| match c {
            ',' | '%' | '|' => format!("%{:02X}", u32::from(c)),
            _ if c.is_whitespace() || c.is_control() => format!("%{:02X}", u32::from(c)),
            _ => c.to_string(),
        })
        .collect();
    [escaped.clone(), format!("{escaped}|service")]
}

/// A file to which each line goes in one piece.
struct Lines<'s> {
    file: File,
    line: Vec<u8>,
    size: &'s Cell<Bytes>,
}

impl Write for Lines<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(piece);
        if self.line.ends_with(b"\n") {
            self.file.write_all(&self.line)?;
            self.size.set(self.size.get() + Bytes::new(self.line.len() as u64));
            self.line.clear();
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use steep_core::traffic::latency::Latencies;
    use steep_judge::units::SinceStart;

    const ANSWER: Duration = Duration::from_millis(20);

    /// Answers `per_second` requests of each of two kinds in each second, and gives the intervals.
    fn intervals(seconds: u64, per_second: u64) -> Vec<Interval> {
        let mut latencies = Latencies::new(2, ANSWER, Vec::new());
        (1..=seconds)
            .map(|second| {
                for request in 0..2 * per_second {
                    latencies.sent(Duration::from_millis(1));
                    latencies.answered((request % 2) as usize, ANSWER, ANSWER);
                }
                latencies.take_interval(SinceStart::new(Duration::from_secs(second)))
            })
            .collect()
    }

    fn names() -> Vec<String> {
        ["get", "place, order"].map(str::to_owned).to_vec()
    }

    /// What a file holds, by tag: how many values, and where the lines begin.
    fn read(path: &Path) -> BTreeMap<String, (u64, Vec<f64>)> {
        use base64::Engine as _;
        let text = fs::read(path).expect("a log");
        let mut by_tag: BTreeMap<String, (u64, Vec<f64>)> = BTreeMap::new();
        for entry in IntervalLogIterator::new(&text) {
            let LogEntry::Interval(line) = entry.expect("an entry") else { continue };
            let encoded = base64::engine::general_purpose::STANDARD.decode(line.encoded_histogram());
            let bytes = encoded.expect("base64");
            let times: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a histogram");
            let held = by_tag.entry(line.tag().expect("a tag").as_str().to_owned()).or_default();
            held.0 += times.len();
            held.1.push(line.start_timestamp().as_secs_f64());
        }
        by_tag
    }

    #[test]
    fn a_log_is_read_back_with_all_that_happened() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = LatencyLog::begin(folder.path(), &names(), SystemTime::UNIX_EPOCH).expect("a log");
        for interval in intervals(50, 3) {
            log.push(interval);
        }
        assert_eq!(log.finish(), None);
        let held = read(&folder.path().join(LOG_FILE));
        let sums: Vec<(&str, u64)> = held.iter().map(|(tag, (sum, _))| (tag.as_str(), *sum)).collect();
        let service = |tag| (tag, 150);
        assert_eq!(
            sums,
            [
                ("get", 150),
                service("get|service"),
                ("place%2C%20order", 150),
                service("place%2C%20order|service"),
                ("|lateness", 300)
            ]
        );
    }

    #[test]
    fn lines_are_a_second_apart_for_an_hour_and_then_ten() {
        let (sender, receiver) = sync_channel(4000);
        for interval in intervals(3625, 1) {
            sender.send(interval).expect("room");
        }
        drop(sender);
        let mut intervals = Intervals { receiver, joined: None };
        let starts: Vec<u64> = std::iter::from_fn(|| intervals.next()).map(|i| i.start.elapsed().as_secs()).collect();
        assert_eq!(starts[..3600], (0..3600).collect::<Vec<_>>());
        assert_eq!(starts[3600..], [3600, 3610, 3620]);
    }

    #[test]
    fn a_full_file_becomes_an_older_part_and_none_is_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(LOG_FILE);
        let (sender, receiver) = sync_channel(100);
        for interval in intervals(20, 1) {
            sender.send(interval).expect("room");
        }
        drop(sender);
        let parts = Parts {
            path: path.clone(),
            started: SystemTime::UNIX_EPOCH,
            tags: names().iter().map(|n| tag(n)).collect(),
        };
        let file = files::create_new(&path).expect("a file");
        parts.write_all(file, &mut Intervals { receiver, joined: None }, Bytes::kib(4)).expect("a disk");
        let files = fs::read_dir(folder.path()).expect("a folder").count();
        assert!(files > 2, "{files}");
        let older: u64 = (1..files).map(|n| read(&folder.path().join(format!("latency.{n}.hlog")))["get"].0).sum();
        assert_eq!(older + read(&path)["get"].0, 20);
        assert_eq!(read(&folder.path().join("latency.1.hlog"))["get"].1[0].to_bits(), 0.0_f64.to_bits());
    }
}
