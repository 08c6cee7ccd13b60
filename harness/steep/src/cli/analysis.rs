//! What `steep analyze` takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::formats::ResultFormat;
use steep_core::recorded::{Columns, Unit};

/// Options of `steep analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeOptions {
    /// Run folder, cell folder, trace.jsonl, or what a tool recorded: ps, pidstat, top -b, vmstat, sar, smem, free,
    /// psrecord, mprof, docker stats, kubectl top, Prometheus, Grafana, /proc, CSV, JSON
    #[arg(required = true, value_name = "RUN_DIR|TRACE|RECORDING")]
    pub inputs: Vec<PathBuf>,
    /// How to print the result; json: one object per series and line
    #[arg(long, value_enum, default_value_t = ResultFormat::Terminal)]
    pub format: ResultFormat,
    /// Print every column of the table, each row on one line
    #[arg(long)]
    pub wide: bool,
    /// Print the best models with their scores and intervals, and the rule that decided
    #[arg(long)]
    pub explain: bool,
    /// Which columns of a recording to read: `time=NAME,memory=NAME,requests=NAME,live=NAME,series=NAME`, any of them
    #[arg(long, value_name = "ROLE=NAME,...")]
    pub columns: Option<Columns>,
    /// Judge only the series of this name, or with it in their name: a container, process, pod or column
    #[arg(long, value_name = "NAME")]
    pub series: Vec<String>,
    /// Unit of memory, where neither names nor cells say it: bytes, KiB, MiB, GiB, or pages of 4 KiB
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<Unit>,
    /// Unit of a time that is a plain number
    #[arg(long, value_enum, value_name = "UNIT")]
    pub time_unit: Option<TimeUnit>,
    /// Time between two readings, where nothing says when they were taken: 10s
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub every: Option<Duration>,
    /// Zone of moments without one, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Memory that falls to where it began was a restart, and not memory given back
    #[arg(long)]
    pub restarts: bool,
}

/// Of what a number of time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TimeUnit {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
    /// Nanoseconds
    Ns,
    /// Minutes
    Min,
    /// Hours
    H,
}

impl TimeUnit {
    /// Seconds in one.
    #[must_use]
    pub const fn seconds(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::Ms => 1e-3,
            Self::Us => 1e-6,
            Self::Ns => 1e-9,
            Self::Min => 60.0,
            Self::H => 3600.0,
        }
    }
}
