//! What must not be exceeded.

mod check;
pub(super) mod decode;
pub(super) mod keys;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A limit whose breach is a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// What is measured.
    pub metric: Metric,
    /// Of the requests of this name only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The limit, in the unit of the metric.
    #[serde(flatten)]
    pub bound: Bound,
    /// Judged over every stretch of this length; none: over the whole run.
    #[serde(rename = "window_s", default, skip_serializing_if = "Option::is_none", with = "optional_seconds")]
    #[schemars(with = "Option<f64>")]
    pub window: Option<Duration>,
    /// Broken for this long, it ends the cell.
    #[serde(rename = "abort_after_s", default, skip_serializing_if = "Option::is_none", with = "optional_seconds")]
    #[schemars(with = "Option<f64>")]
    pub abort_after: Option<Duration>,
}

/// A limit to one side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The most.
    Max(f64),
    /// The least.
    Min(f64),
}

/// What a threshold is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Failed of ended requests.
    ErrorRate,
    /// Missed or dropped of due requests.
    Undelivered,
    /// Answers per second in steady phases.
    Throughput,
    /// Median latency.
    P50,
    /// 90th percentile of the latency.
    P90,
    /// 99th percentile of the latency.
    P99,
    /// 99.9th percentile of the latency.
    P999,
    /// The highest resident memory.
    PeakMemory,
    /// Open file descriptors.
    OpenFiles,
    /// Threads.
    Threads,
    /// Growth of memory over time.
    GrowthPerHour,
    /// Growth of memory with the work done.
    GrowthPerRequest,
    /// Growth of open files over time.
    OpenFilesPerHour,
    /// Growth of threads over time.
    ThreadsPerHour,
}

/// The unit of a metric's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 0 to 1.
    Share,
    /// Requests per second.
    RequestsPerSecond,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes per hour.
    BytesPerHour,
    /// Bytes per request.
    BytesPerRequest,
    /// A count.
    Count,
    /// A count per hour.
    CountPerHour,
}

/// When a metric can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Over any stretch of time, of the counts of requests.
    Rolling,
    /// At each sample.
    Sampled,
    /// At the end, of what was fitted.
    AtTheEnd,
}

impl Metric {
    /// The unit of its limit.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::ErrorRate | Self::Undelivered => Unit::Share,
            Self::Throughput => Unit::RequestsPerSecond,
            Self::P50 | Self::P90 | Self::P99 | Self::P999 => Unit::Seconds,
            Self::PeakMemory => Unit::Bytes,
            Self::OpenFiles | Self::Threads => Unit::Count,
            Self::GrowthPerHour => Unit::BytesPerHour,
            Self::GrowthPerRequest => Unit::BytesPerRequest,
            Self::OpenFilesPerHour | Self::ThreadsPerHour => Unit::CountPerHour,
        }
    }

    /// When it is judged.
    #[must_use]
    pub const fn judged(self) -> Judged {
        match self {
            Self::ErrorRate | Self::Undelivered | Self::Throughput | Self::P50 | Self::P90 | Self::P99 | Self::P999 => {
                Judged::Rolling
            }
            Self::PeakMemory | Self::OpenFiles | Self::Threads => Judged::Sampled,
            Self::GrowthPerHour | Self::GrowthPerRequest | Self::OpenFilesPerHour | Self::ThreadsPerHour => {
                Judged::AtTheEnd
            }
        }
    }

    /// The share of requests that may take longer than the limit of a latency; none for what is no latency.
    #[must_use]
    pub const fn slower_share(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.1),
            Self::P99 => Some(0.01),
            Self::P999 => Some(0.001),
            _ => None,
        }
    }

    /// As a scenario names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::Undelivered => "undelivered",
            Self::Throughput => "throughput",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::PeakMemory => "peak_memory",
            Self::OpenFiles => "open_files",
            Self::Threads => "threads",
            Self::GrowthPerHour => "growth_per_hour",
            Self::GrowthPerRequest => "growth_per_request",
            Self::OpenFilesPerHour => "open_files_per_hour",
            Self::ThreadsPerHour => "threads_per_hour",
        }
    }
}

/// As [`seconds`], where there may be none.
mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_f64(duration.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        seconds.map(Duration::try_from_secs_f64).transpose().map_err(serde::de::Error::custom)
    }
}
