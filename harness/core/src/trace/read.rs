//! From the lines of `trace.jsonl` back to a trace, also from one that steep could not finish.

use thiserror::Error;

use super::{
    Disturbance, End, FORMAT, Header, LiveCount, LoadStart, LogFlood, LogLine, PhaseChange, Record, Sample, Scraped,
    Second, Traffic, WorkerEnd,
};
use steep_judge::units::SinceStart;

/// What one soak wrote down.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// What was soaked, and how.
    pub header: Header,
    /// Memory, in the order of time.
    pub samples: Vec<Sample>,
    /// Live bytes between samples, in the order of time; empty where they were read with samples only.
    pub live_counts: Vec<LiveCount>,
    /// What the driver did before that, where it was condensed.
    pub(crate) condensed: Vec<Second>,
    /// What the driver did, in the order of time.
    pub traffic: Vec<Traffic>,
    /// When which phase was entered.
    pub phases: Vec<PhaseChange>,
    /// What was not the service's doing.
    pub disturbances: Vec<Disturbance>,
    /// Processes of the service that ended while it lived on, in the order of time.
    pub worker_ends: Vec<WorkerEnd>,
    /// Lines of the service's log that are events, in the order of time.
    pub log_events: Vec<LogLine>,
    /// Those that were only counted.
    pub log_floods: Vec<LogFlood>,
    /// The series that the service offers.
    pub scraped: Scraped,
    /// How it ended; none: steep was killed, or still runs.
    pub end: Option<End>,
    /// When the load began; none: it did not come to that.
    pub start: Option<LoadStart>,
    /// Lines that are not records: what a machine that died left of those that were on their way to the disk.
    pub broken_lines: usize,
}

/// A trace that is read line by line, so that its text is never held beside it: a day at one sample a second is
/// 90 MB of text with one request, and more with several.
#[derive(Debug)]
pub struct TraceReader<T>(Option<T>);

/// What the records of a soak are taken in by, one after the other.
pub trait FromRecords: Sized {
    /// Nothing but the header is known.
    ///
    /// # Errors
    /// The header has a format that this version does not read.
    fn begin(header: Header) -> Result<Self, TraceError>;

    /// Takes in the next record; a second header is ignored.
    fn push(&mut self, record: Record);

    /// A line was not a record.
    fn broken_line(&mut self);
}

impl FromRecords for Trace {
    fn begin(header: Header) -> Result<Self, TraceError> {
        Self::begin(header)
    }

    fn push(&mut self, record: Record) {
        self.push(record);
    }

    fn broken_line(&mut self) {
        self.broken_lines += 1;
    }
}

/// What was soaked, and nothing of what came of it.
impl FromRecords for Header {
    fn begin(header: Header) -> Result<Self, TraceError> {
        Trace::begin(header).map(|trace| trace.header)
    }

    fn push(&mut self, _: Record) {}

    fn broken_line(&mut self) {}
}

impl<T> Default for TraceReader<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: FromRecords> TraceReader<T> {
    /// Takes in the next line, its end included. Lines that are cut short or broken are left out and counted: steep was
    /// killed while it wrote, or the machine died.
    ///
    /// # Errors
    /// It is the first one, and not the header of a trace: see [`TraceError`].
    pub fn line(&mut self, line: &str) -> Result<(), TraceError> {
        let record = record(line);
        match (&mut self.0, record) {
            (Some(read), Ok(record)) => read.push(record),
            (Some(read), Err(_)) => read.broken_line(),
            (None, Ok(Record::Header(header))) => self.0 = Some(T::begin(*header)?),
            (None, Ok(_)) => return Err(TraceError::NoHeader("another record".to_owned())),
            (None, Err(_)) if !line.ends_with('\n') => return Err(TraceError::Empty),
            (None, Err(error)) => return Err(TraceError::NoHeader(error.to_string())),
        }
        Ok(())
    }

    /// What was read.
    ///
    /// # Errors
    /// There was no line.
    pub fn finish(self) -> Result<T, TraceError> {
        self.0.ok_or(TraceError::Empty)
    }
}

/// What a line holds. Nearly all lines are samples and traffic, and begin as steep writes them: what they are is known
/// before they are parsed, and no value is held aside until its tag is seen.
fn record(line: &str) -> serde_json::Result<Record> {
    if line.starts_with(r#"{"record":"sample","#) {
        return serde_json::from_str(line).map(Record::Sample);
    }
    if line.starts_with(r#"{"record":"traffic","#) {
        return serde_json::from_str(line).map(Record::Traffic);
    }
    serde_json::from_str(line)
}

/// Why a text is not a trace.
#[derive(Debug, Error)]
pub enum TraceError {
    /// No line at all.
    #[error("the trace is empty: steep was stopped before the soak began")]
    Empty,
    /// The first line is something else.
    #[error("the first line is not a header of a trace: {0}")]
    NoHeader(String),
    /// A format of the future.
    #[error("the trace has format {found}, and this steep reads {FORMAT}: use a newer steep")]
    Format {
        /// What the header says.
        found: String,
    },
}

impl Trace {
    /// Reads `text`, as a [`TraceReader`] does its lines.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn read(text: &str) -> Result<Self, TraceError> {
        let mut reading = TraceReader::default();
        text.split_inclusive('\n').try_for_each(|line| reading.line(line))?;
        reading.finish()
    }

    /// The trace of a soak that has only begun.
    ///
    /// # Errors
    /// The header has a format that this version does not read.
    pub fn begin(header: Header) -> Result<Self, TraceError> {
        let major = |format: &str| format.split('.').next().map(str::to_owned);
        if major(&header.format) != major(FORMAT) {
            return Err(TraceError::Format { found: header.format });
        }
        let (samples, condensed, traffic) = (Vec::new(), Vec::new(), Vec::new());
        let (phases, disturbances) = (Vec::new(), Vec::new());
        let (worker_ends, live_counts) = (Vec::new(), Vec::new());
        let (log_events, log_floods) = (Vec::new(), Vec::new());
        let (end, start, broken_lines) = (None, None, 0);
        Ok(Self {
            header,
            samples,
            live_counts,
            condensed,
            traffic,
            phases,
            disturbances,
            worker_ends,
            log_events,
            log_floods,
            scraped: Scraped::default(),
            end,
            start,
            broken_lines,
        })
    }

    /// Adds a record; a second header is ignored.
    pub fn push(&mut self, record: Record) {
        match record {
            Record::Header(_) => {}
            Record::Start(start) => self.start = Some(start),
            Record::Phase(change) => self.phases.push(change),
            Record::Sample(sample) => self.samples.push(sample),
            Record::LiveCount(count) => self.live_counts.push(count),
            Record::Traffic(traffic) => self.traffic.push(traffic),
            Record::Disturbance(disturbance) => self.disturbances.push(disturbance),
            Record::WorkerEnd(end) => self.worker_ends.push(end),
            Record::Metrics(scrape) => self.scraped.push(scrape),
            Record::LogEvent(line) => self.log_events.push(line),
            Record::LogFlood(flood) => self.log_floods.push(flood),
            Record::End(end) => self.end = Some(end),
        }
    }

    /// Keeps of the traffic the last line, and of those before only what [`Trace::seconds`] gives.
    pub fn condense(&mut self) {
        let before = self.traffic.len().saturating_sub(1);
        self.condensed.extend(self.traffic.drain(..before).map(|traffic| Second::from(&traffic)));
    }

    /// The traffic, all names together.
    pub fn seconds(&self) -> impl Iterator<Item = Second> {
        self.condensed.iter().copied().chain(self.traffic.iter().map(Second::from))
    }

    /// The last moment that the trace knows of.
    #[must_use]
    pub fn last_moment(&self) -> SinceStart {
        let sampled = self.samples.last().map(|sample| sample.t_s);
        let driven = self.traffic.last().map(|traffic| traffic.t_s);
        sampled.max(driven).unwrap_or_default()
    }
}
