//! What cells are compared by: one figure of each.

use schemars::JsonSchema;
use serde::Serialize;

use super::Outcome;
use crate::trace::Percentiles;
use steep_judge::units::{Bytes, Estimate};
use steep_judge::verdict::Verdict;

/// What cells are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The highest resident memory, by the kernel's own mark.
    PeakBytes,
    /// Anonymous memory in the second half of the soak.
    SettledAnonBytes,
    /// Anonymous memory after the warm-up.
    StartAnonBytes,
    /// Growth of the memory that the verdict rests on.
    GrowthBytesPerHour,
    /// Settled anonymous memory over live bytes.
    ResidentOverLive,
    /// Median latency of the request that has the largest.
    P50Us,
    /// 99th percentile of the request that has the largest.
    P99Us,
    /// CPU time of the service for each completed request.
    CpuUsPerRequest,
    /// Completed requests.
    RequestsPerS,
}

impl Measure {
    /// Those of allocators, in the order of their table.
    pub const ALL: [Self; 8] = [
        Self::PeakBytes,
        Self::SettledAnonBytes,
        Self::GrowthBytesPerHour,
        Self::ResidentOverLive,
        Self::P50Us,
        Self::P99Us,
        Self::CpuUsPerRequest,
        Self::RequestsPerS,
    ];

    /// The figure of a cell; none where it has none.
    #[must_use]
    pub fn of(self, outcome: &Outcome) -> Option<f64> {
        let slowest = |percentile: fn(&Percentiles) -> u64| {
            outcome.latency.values().map(percentile).max().map(|micros| micros as f64)
        };
        let figures = outcome.figures.as_ref();
        match self {
            Self::PeakBytes => outcome.peak_bytes.map(Bytes::as_f64),
            Self::SettledAnonBytes => figures.map(|figures| figures.settled_anon_bytes.as_f64()),
            Self::StartAnonBytes => figures.and_then(|figures| Some(figures.start?.anon_bytes.as_f64())),
            Self::GrowthBytesPerHour => outcome.fitted_growth().map(|growth| growth.per_hour.value.get()),
            Self::ResidentOverLive => figures.and_then(|figures| figures.resident_over_live),
            Self::P50Us => slowest(|times| times.p50_us),
            Self::P99Us => slowest(|times| times.p99_us),
            Self::CpuUsPerRequest => figures.and_then(|figures| figures.cpu_us_per_request),
            Self::RequestsPerS => figures.and_then(|figures| figures.requests_per_s),
        }
    }

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeakBytes => "peak",
            Self::SettledAnonBytes => "settled anonymous",
            Self::StartAnonBytes => "memory at the start",
            Self::GrowthBytesPerHour => "growth per hour",
            Self::ResidentOverLive => "resident / live",
            Self::P50Us => "p50",
            Self::P99Us => "p99",
            Self::CpuUsPerRequest => "CPU per request",
            Self::RequestsPerS => "requests/s",
        }
    }

    /// A figure with its interval, in one unit.
    #[must_use]
    pub fn shown(self, estimate: &Estimate<f64>) -> String {
        let plain = |scale: f64, decimals: usize, unit: &str| {
            let [value, low, high] = [estimate.value, estimate.low, estimate.high].map(|number| number / scale);
            format!("{value:.decimals$} ({low:.decimals$} to {high:.decimals$}){unit}")
        };
        match self {
            Self::PeakBytes | Self::SettledAnonBytes | Self::StartAnonBytes | Self::GrowthBytesPerHour => {
                estimate.compact_bytes()
            }
            Self::ResidentOverLive => plain(1.0, 2, ""),
            Self::P50Us | Self::P99Us => plain(1000.0, 2, " ms"),
            Self::CpuUsPerRequest => plain(1.0, 0, " µs"),
            Self::RequestsPerS => plain(1.0, 1, ""),
        }
    }

    /// A figure without an interval.
    #[must_use]
    pub fn plain(self, figure: f64) -> String {
        match self {
            Self::PeakBytes | Self::SettledAnonBytes | Self::StartAnonBytes | Self::GrowthBytesPerHour => {
                Bytes::new(figure as u64).to_string()
            }
            Self::ResidentOverLive => format!("{figure:.2}"),
            Self::P50Us | Self::P99Us => format!("{:.2} ms", figure / 1000.0),
            Self::CpuUsPerRequest => format!("{figure:.0} µs"),
            Self::RequestsPerS => format!("{figure:.1}"),
        }
    }

    /// What of a figure is lost, so that less is better.
    #[must_use]
    pub fn cost(self, figure: f64) -> f64 {
        if self == Self::RequestsPerS { -figure } else { figure }
    }
}

impl Outcome {
    /// Whether what the cell costs can be compared: it was loaded as planned, and to its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cut_short.is_none() && !matches!(self.verdict(), Verdict::Invalid | Verdict::Crashed)
    }
}
