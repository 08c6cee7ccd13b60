//! The course of a soak, out of the lines of its trace: the columns that are drawn and embedded, and what happened.

use super::columns::{Column, Kind, Table, Unit};
use crate::trace::{
    Counts, Disturbance, EndReason, FromRecords, Header, Record, Sample, TraceError, Traffic, WorkerEnd,
};
use steep_judge::ids::CellId;
use steep_judge::units::{Bytes, SinceStart};

/// Marks that are kept of a soak. More than these are a service that is restarted all the time, which is said.
const MOST_MARKS: usize = 2_000;

/// What a page draws of one cell. Of each line a few numbers are kept.
#[derive(Debug)]
pub struct Course {
    pub(super) header: Header,
    /// Memory and what the processes do, with each sample.
    pub(super) samples: Table,
    /// What the driver did, with each line of traffic.
    pub(super) traffic: Table,
    /// What happened, in the order of time.
    pub(super) marks: Vec<Mark>,
    /// Marks that found no room.
    pub(super) unmarked: usize,
    /// When the soak ended; none: steep was killed.
    pub(super) end: Option<SinceStart>,
    last: SinceStart,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// When it began.
    pub(super) from: SinceStart,
    /// When it ended.
    pub(super) to: SinceStart,
    /// What it was.
    pub(super) what: String,
    /// Whose doing it is.
    pub(super) kind: MarkKind,
}

/// Kinds of marks, each with a sign of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// Not the service's doing.
    Disturbance,
    /// A process of the service ended.
    WorkerEnd,
    /// The soak ended before its time.
    End,
}

/// Columns of the samples, in their order.
const OF_SAMPLES: [(&str, &str, Unit, Kind); 9] = [
    ("live", "live bytes", Unit::Bytes, Kind::Level),
    ("anon", "anonymous memory", Unit::Bytes, Kind::Level),
    ("shared", "shared memory", Unit::Bytes, Kind::Level),
    ("swap", "swapped out", Unit::Bytes, Kind::Level),
    ("files", "pages of files", Unit::Bytes, Kind::Level),
    ("threads", "threads", Unit::Count, Kind::Level),
    ("fds", "open files", Unit::Count, Kind::Level),
    ("cpu", "CPUs in use", Unit::Thousandths, Kind::Total),
    ("completed", "completed", Unit::PerSecond, Kind::Total),
];

/// Columns of the traffic, in their order.
const OF_TRAFFIC: [(&str, &str, Unit, Kind); 7] = [
    ("due", "due", Unit::PerSecond, Kind::Total),
    ("sent", "sent", Unit::PerSecond, Kind::Total),
    ("unsent", "missed or dropped", Unit::PerSecond, Kind::Total),
    ("failed", "failed", Unit::PerSecond, Kind::Total),
    ("flight", "in flight", Unit::Count, Kind::Level),
    ("p50", "p50 of the slowest", Unit::Microseconds, Kind::Level),
    ("p99", "p99 of the slowest", Unit::Microseconds, Kind::Level),
];

impl Course {
    /// Whose course it is.
    #[must_use]
    pub fn cell(&self) -> &CellId {
        &self.header.cell
    }

    /// The last moment that anything is known of.
    pub(super) fn last(&self) -> SinceStart {
        self.last
    }

    /// The right edge of its figures, in seconds.
    pub(super) fn end_s(&self) -> f64 {
        self.last.as_secs_f64().max(1.0)
    }

    /// Takes in what is drawn of `record`.
    pub fn see(&mut self, record: &Record) {
        match record {
            Record::Sample(sample) => self.sample(sample),
            Record::Traffic(traffic) => self.traffic(traffic),
            Record::Disturbance(Disturbance { t_s, kind, seconds }) => {
                let from = SinceStart::from_secs_f64(t_s.as_secs_f64() - seconds.max(0.0));
                self.mark(Mark { from, to: *t_s, what: kind.to_string(), kind: MarkKind::Disturbance });
            }
            Record::WorkerEnd(WorkerEnd { t_s, name, process, cause, .. }) => {
                let what = format!("process {name} ({}) ended: {cause}", process.pid);
                self.mark(Mark { from: *t_s, to: *t_s, what, kind: MarkKind::WorkerEnd });
            }
            Record::End(end) => {
                self.end = Some(end.t_s);
                self.last = self.last.max(end.t_s);
                if let Some(what) = early(end.reason) {
                    self.mark(Mark { from: end.t_s, to: end.t_s, what: what.to_owned(), kind: MarkKind::End });
                }
            }
            Record::Header(_)
            | Record::Start(_)
            | Record::Phase(_)
            | Record::LiveCount(_)
            | Record::Metrics(_)
            | Record::LogEvent(_)
            | Record::LogFlood(_) => {}
        }
    }

    fn mark(&mut self, mark: Mark) {
        if self.marks.len() < MOST_MARKS {
            self.marks.push(mark);
        } else {
            self.unmarked += 1;
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let Sample { t_s, memory, live, activity, .. } = sample;
        let bytes = |bytes: Bytes| Some(bytes.get());
        self.samples.push(
            *t_s,
            &[
                live.map(|live| live.live_bytes.get()),
                bytes(memory.anon_bytes),
                bytes(memory.shared()),
                bytes(memory.swap_bytes),
                bytes(memory.file_bytes),
                Some(activity.threads),
                Some(activity.fds),
                Some((activity.cpu_s.max(0.0) * 1000.0).round() as u64),
                Some(sample.completed()),
            ],
        );
        self.last = self.last.max(*t_s);
    }

    fn traffic(&mut self, traffic: &Traffic) {
        let mut all = Counts::default();
        traffic.requests.values().for_each(|counts| all.add(counts));
        let slowest = |of: fn(&crate::trace::Percentiles) -> u64| traffic.latency.values().map(of).max();
        self.traffic.push(
            traffic.t_s,
            &[
                Some(all.due),
                Some(all.sent),
                Some(all.missed.saturating_add(all.dropped)),
                Some(all.failed()),
                Some(traffic.in_flight),
                slowest(|times| times.p50_us),
                slowest(|times| times.p99_us),
            ],
        );
        self.last = self.last.max(traffic.t_s);
    }
}

/// What an end before the time of all phases is called.
const fn early(reason: EndReason) -> Option<&'static str> {
    match reason {
        EndReason::Completed => None,
        EndReason::StoppedEarly => Some("it was sure to be a leak, and the soak ended there"),
        EndReason::ThresholdBroken => Some("a threshold was broken, and the soak ended"),
        EndReason::LoadEnded => Some("the load was over"),
        EndReason::Interrupted => Some("interrupted by the user"),
        EndReason::Crashed => Some("the service ended by itself"),
        EndReason::NotReady | EndReason::BuildFailed | EndReason::NotVerified | EndReason::Failed => {
            Some("the soak could not go on")
        }
    }
}

impl FromRecords for Course {
    fn begin(header: Header) -> Result<Self, TraceError> {
        let columns = |of: &[(&'static str, &'static str, Unit, Kind)]| -> Vec<Column> {
            of.iter().map(|(name, label, unit, kind)| Column::new(name, label, *unit, *kind)).collect()
        };
        let traffic = columns(&OF_TRAFFIC).into_iter();
        let traffic =
            traffic.map(|column| if column.name == "sent" { column.rest_of(["due", "unsent"]) } else { column });
        Ok(Self {
            header,
            samples: Table::new(columns(&OF_SAMPLES)),
            traffic: Table::new(traffic.collect()),
            marks: Vec::new(),
            unmarked: 0,
            end: None,
            last: SinceStart::ZERO,
        })
    }

    fn push(&mut self, record: Record) {
        self.see(&record);
    }

    fn broken_line(&mut self) {}
}
