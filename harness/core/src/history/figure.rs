//! What nights are compared by.

use serde::{Deserialize, Serialize};

use crate::outcome::Measure;
use steep_judge::units::{BytesPerHour, BytesPerRequest, Estimate};

/// What nights are compared by: one figure of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Growth of the memory that the verdict rests on, where requests are counted.
    GrowthBytesPerRequest,
    /// The same over time, where they are not.
    GrowthBytesPerHour,
    /// Anonymous memory in the second half of the soak.
    SettledAnonBytes,
    /// The highest resident memory, by the kernel's own mark.
    PeakBytes,
    /// 99th percentile of the request that has the largest.
    P99Us,
    /// CPU time of the service for each completed request.
    CpuUsPerRequest,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::GrowthBytesPerRequest,
        Self::GrowthBytesPerHour,
        Self::SettledAnonBytes,
        Self::PeakBytes,
        Self::P99Us,
        Self::CpuUsPerRequest,
    ];

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GrowthBytesPerRequest | Self::GrowthBytesPerHour => "growth",
            Self::SettledAnonBytes => "settled memory",
            Self::PeakBytes => "peak",
            Self::P99Us => "p99",
            Self::CpuUsPerRequest => "CPU per request",
        }
    }

    /// Whether it is growth.
    #[must_use]
    pub const fn is_growth(self) -> bool {
        matches!(self, Self::GrowthBytesPerRequest | Self::GrowthBytesPerHour)
    }

    /// The same as a measure of cells, where it is one.
    #[must_use]
    pub const fn measure(self) -> Option<Measure> {
        match self {
            Self::GrowthBytesPerRequest | Self::GrowthBytesPerHour => None,
            Self::SettledAnonBytes => Some(Measure::SettledAnonBytes),
            Self::PeakBytes => Some(Measure::PeakBytes),
            Self::P99Us => Some(Measure::P99Us),
            Self::CpuUsPerRequest => Some(Measure::CpuUsPerRequest),
        }
    }

    /// A figure with its interval, in one unit.
    #[must_use]
    pub fn shown(self, estimate: &Estimate<f64>) -> String {
        match (self, self.measure()) {
            (_, Some(measure)) => measure.shown(estimate),
            (Self::GrowthBytesPerRequest, None) => estimate.map(BytesPerRequest::new).compact() + "/request",
            (_, None) => estimate.map(BytesPerHour::new).compact() + "/h",
        }
    }

    /// A figure without an interval.
    #[must_use]
    pub fn plain(self, figure: f64) -> String {
        match (self, self.measure()) {
            (_, Some(measure)) => measure.plain(figure),
            (Self::GrowthBytesPerRequest, None) => BytesPerRequest::new(figure).to_string(),
            (_, None) => BytesPerHour::new(figure).to_string(),
        }
    }
}
