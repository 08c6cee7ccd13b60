//! Series that the service itself offers, in Prometheus text: the type, its keys, decoding and checks.

use std::time::Duration;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, SECOND, key};
use steep_judge::units::seconds;

/// What the compiled patterns may take, each, in bytes.
const COMPILED_MAX: usize = 1 << 20;

/// Names and patterns of a scenario: each name of the text is held against each of them.
const KEPT_MAX: usize = 100;

/// Where the service offers series, and which of them are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// The path of the text.
    pub path: String,
    /// Names of series, or expressions that a whole name matches; empty: all.
    pub keep: Vec<String>,
    /// Time between two readings; with samples only.
    #[serde(rename = "every_s", with = "seconds")]
    pub every: Duration,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("service.metrics", Kind::Table, Presence::Optional, "Series that the service offers, in the text of Prometheus or OpenMetrics. They are recorded beside memory, and the report says which of them explain how it moves (docs/timeline.md). A text that does not come within 2 s, or has more than 1 MiB, is counted and said, and never fails the soak."),
    key("service.metrics.path", Kind::Text, Presence::Default("\"/metrics\""), "Where the text is."),
    key("service.metrics.keep", Kind::Texts, Presence::Default("[]"), "Names of the series that are recorded, or expressions that a whole name matches: `[\"cache_entries\", \"db_pool_.*\"]`; none: all. All label sets of a name are added up; buckets of histograms, quantiles and times of creation are left out. The first 200 names are recorded."),
    key("service.metrics.every", Kind::Duration(SECOND, 60 * SECOND), Presence::Default("\"1s\""), "Time between two readings, which come with samples of memory."),
];

pub(super) fn metrics(reader: &mut Reader, service: &Section<'_>) -> Option<Metrics> {
    let section = &reader.section(service, "metrics")?;
    Some(Metrics {
        path: reader.text(section, "path").unwrap_or_else(|| "/".to_owned()),
        keep: reader.texts(section, "keep").unwrap_or_default(),
        every: reader.duration(section, "every").unwrap_or(Duration::from_secs(1)),
    })
}

impl Metrics {
    /// What a name that is kept matches; of a scenario that was checked none is left out.
    #[must_use]
    pub fn kept(&self) -> Vec<Regex> {
        self.keep.iter().filter_map(|pattern| whole(pattern).ok()).collect()
    }
}

fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(COMPILED_MAX).build()
}

impl Check<'_> {
    pub(super) fn metrics(&mut self, scenario: &Scenario) {
        let Some(metrics) = &scenario.service.metrics else { return };
        self.own_path("service.metrics.path", &metrics.path);
        if metrics.keep.len() > KEPT_MAX {
            let message = format!("{} names are more than {KEPT_MAX}", metrics.keep.len());
            self.error("service.metrics.keep", message, "take an expression for what is alike: \"db_pool_.*\"");
        }
        for pattern in &metrics.keep {
            if let Err(error) = whole(pattern) {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let message = format!("\"{pattern}\" is neither a name nor an expression: {reason}");
                self.error("service.metrics.keep", message, "the syntax is that of docs.rs/regex");
            }
        }
    }
}
