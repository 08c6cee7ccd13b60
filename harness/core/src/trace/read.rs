//! From the text of `trace.jsonl` back to a trace, also from one that steep could not finish.

use thiserror::Error;

use super::{Disturbance, End, FORMAT, Header, LoadStart, PhaseChange, Record, Sample, Traffic, WorkerEnd};
use steep_judge::units::SinceStart;

/// What one soak wrote down.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// What was soaked, and how.
    pub header: Header,
    /// Memory, in the order of time.
    pub samples: Vec<Sample>,
    /// What the driver did, in the order of time.
    pub traffic: Vec<Traffic>,
    /// When which phase was entered.
    pub phases: Vec<PhaseChange>,
    /// What was not the service's doing.
    pub disturbances: Vec<Disturbance>,
    /// Processes of the service that ended while it lived on, in the order of time.
    pub worker_ends: Vec<WorkerEnd>,
    /// How it ended; none: steep was killed, or still runs.
    pub end: Option<End>,
    /// When the load began; none: it did not come to that.
    pub start: Option<LoadStart>,
    /// Lines that are not records: what a machine that died left of those that were on their way to the disk.
    pub broken_lines: usize,
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
    /// Reads `text`. Lines that are cut short or broken are left out and counted: steep was killed while it wrote, or
    /// the machine died.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn read(text: &str) -> Result<Self, TraceError> {
        let mut lines = text.split_inclusive('\n');
        let first = lines.next().ok_or(TraceError::Empty)?;
        let mut trace = match serde_json::from_str::<Record>(first) {
            Ok(Record::Header(header)) => Self::begin(*header)?,
            Ok(_) => return Err(TraceError::NoHeader("another record".to_owned())),
            Err(_) if !first.ends_with('\n') => return Err(TraceError::Empty),
            Err(error) => return Err(TraceError::NoHeader(error.to_string())),
        };
        for line in lines {
            match serde_json::from_str(line) {
                Ok(record) => trace.push(record),
                Err(_) => trace.broken_lines += 1,
            }
        }
        Ok(trace)
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
        let (samples, traffic, phases, disturbances) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let worker_ends = Vec::new();
        let (end, start, broken_lines) = (None, None, 0);
        Ok(Self { header, samples, traffic, phases, disturbances, worker_ends, end, start, broken_lines })
    }

    /// Adds a record; a second header is ignored.
    pub fn push(&mut self, record: Record) {
        match record {
            Record::Header(_) => {}
            Record::Start(start) => self.start = Some(start),
            Record::Phase(change) => self.phases.push(change),
            Record::Sample(sample) => self.samples.push(sample),
            Record::Traffic(traffic) => self.traffic.push(traffic),
            Record::Disturbance(disturbance) => self.disturbances.push(disturbance),
            Record::WorkerEnd(end) => self.worker_ends.push(end),
            Record::End(end) => self.end = Some(end),
        }
    }

    /// The last moment that the trace knows of.
    #[must_use]
    pub fn last_moment(&self) -> SinceStart {
        let sampled = self.samples.last().map(|sample| sample.t_s);
        let driven = self.traffic.last().map(|traffic| traffic.t_s);
        sampled.max(driven).unwrap_or_default()
    }
}
