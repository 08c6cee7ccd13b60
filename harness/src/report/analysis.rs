//! The judgement of one input as one flat JSON object, for `steep analyze --format json`.

use serde::Serialize;

use super::table::wrapped;
use crate::growth::{Follows, Shape};
use crate::units::{BytesPerHour, BytesPerRequest};
use crate::verdict::{Judgement, Verdict};

/// One judged input. Amounts are bytes, `low` and `high` the ends of the 95 % interval; null where nothing could be fitted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// The path as given.
    pub source: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    growth_bytes_per_hour: Option<BytesPerHour>,
    low_bytes_per_hour: Option<BytesPerHour>,
    high_bytes_per_hour: Option<BytesPerHour>,
    growth_bytes_per_request: Option<BytesPerRequest>,
    low_bytes_per_request: Option<BytesPerRequest>,
    high_bytes_per_request: Option<BytesPerRequest>,
    follows: Option<Follows>,
    evidence: Option<f64>,
    leak_model: Option<Shape>,
    calm_model: Option<Shape>,
    need_seconds: Option<f64>,
    seen_at_least_bytes_per_hour: Option<BytesPerHour>,
    samples: Option<usize>,
    seconds: Option<f64>,
}

impl Analysis {
    /// The record of `judgement` on `source`.
    #[must_use]
    pub fn new(source: String, judgement: &Judgement) -> Self {
        let growth = judgement.growth.as_ref();
        let per_hour = growth.map(|growth| growth.per_hour);
        let per_request = growth.and_then(|growth| growth.per_request);
        Self {
            source,
            verdict: judgement.verdict,
            reason: judgement.reason.clone(),
            growth_bytes_per_hour: per_hour.map(|growth| growth.value),
            low_bytes_per_hour: per_hour.map(|growth| growth.low),
            high_bytes_per_hour: per_hour.map(|growth| growth.high),
            growth_bytes_per_request: per_request.map(|growth| growth.value),
            low_bytes_per_request: per_request.map(|growth| growth.low),
            high_bytes_per_request: per_request.map(|growth| growth.high),
            follows: growth.map(|growth| growth.follows),
            evidence: growth.map(|growth| growth.evidence),
            leak_model: growth.map(|growth| growth.leak_model),
            calm_model: growth.map(|growth| growth.calm_model),
            need_seconds: judgement.need.map(|need| need.as_secs_f64()),
            seen_at_least_bytes_per_hour: growth.map(|growth| growth.seen_at_least),
            samples: growth.map(|growth| growth.samples),
            seconds: growth.map(|growth| growth.seconds),
        }
    }

    /// The same for people.
    #[must_use]
    pub fn line(&self) -> String {
        wrapped(&format!("{}: {} – {}; {}", self.source, self.verdict, self.verdict.meaning(), self.reason), 2)
    }
}
