//! The judgement of one input as one flat JSON object, for `steep analyze --format json`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::Layout;
use super::terminal::wrapped;
use steep_judge::growth::{Follows, Shape};
use steep_judge::units::{Bytes, BytesPerHour, BytesPerRequest, duration_text};
use steep_judge::verdict::rules::Rule;
use steep_judge::verdict::{Judgement, Verdict};

/// One judged input. Amounts are bytes, `low` and `high` the ends of the 95 % interval; null where nothing could be
/// fitted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// The path as given.
    pub source: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The rule that decided.
    rule: Rule,
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
    /// Which series of the file, if it holds several or names them.
    series: Option<String>,
    /// In which format it was read; null for what steep has recorded itself.
    format: Option<String>,
    /// In which unit memory was read; null where nothing says it.
    unit: Option<String>,
    /// What should be known about how it was read.
    remarks: Vec<String>,
    /// For people, who see by it that a column is in another unit than they thought.
    #[serde(skip)]
    typical: Option<Bytes>,
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
            rule: judgement.rule,
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
            series: None,
            format: None,
            unit: None,
            remarks: Vec::new(),
            typical: growth.map(|growth| growth.typical),
        }
    }

    /// The same of a series that was read in `format`.
    #[must_use]
    pub fn recorded(self, format: &str, series: Option<String>, unit: Option<String>, remarks: Vec<String>) -> Self {
        Self { series, format: Some(format.to_owned()), unit, remarks, ..self }
    }

    /// The input, and which series of it.
    fn named(&self) -> String {
        self.series.as_ref().map_or_else(|| self.source.clone(), |series| format!("{}, {series}", self.source))
    }

    /// The same for people.
    #[must_use]
    pub fn line(&self, layout: Layout) -> String {
        let words =
            |seconds: f64| Duration::try_from_secs_f64(seconds).map_or_else(|_| "for ever".to_owned(), duration_text);
        let mut line = format!("{}: {} – {}; {}", self.named(), self.verdict, self.verdict.meaning(), self.reason);
        let mut read = Vec::new();
        if let (Some(samples), Some(seconds), Some(typical)) = (self.samples, self.seconds, self.typical) {
            read.push(format!("{samples} readings over {}, typically {typical}", words(seconds)));
        }
        if let Some(format) = &self.format {
            let unit = self.unit.as_ref().map_or_else(String::new, |unit| format!(" in {unit}"));
            read.push(format!("read as {format}{unit}"));
        }
        read.extend(self.remarks.iter().cloned());
        if !read.is_empty() {
            let _ = write!(line, " ({})", read.join("; "));
        }
        if let Some(need) = self.need_seconds {
            let _ = write!(line, "; a run of {} may decide", words(need));
        }
        wrapped(&line, layout)
    }

    /// The rule that decided, for people who want to follow it.
    #[must_use]
    pub fn rule(&self, layout: Layout) -> String {
        let Rule { name, when, .. } = self.rule;
        let where_it_stands = "(METHOD.md, \"The rules, in order\")";
        wrapped(&format!("{}: {} by rule `{name}`: {when} {where_it_stands}", self.named(), self.verdict), layout)
    }
}
