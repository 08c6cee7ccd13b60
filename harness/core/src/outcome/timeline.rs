//! What happened on the time axis of a soak, and what memory did after it: lines of the log, spikes of the load,
//! processes that ended, disturbances; and which series of the service go with memory.

mod events;
mod level;
mod series;

use schemars::JsonSchema;
use serde::Serialize;

use self::events::{EventEffect, event_effects};
use self::level::Level;
use self::series::{ServiceSeries, service_series};
use crate::trace::Trace;
use steep_judge::growth::MemorySource;

/// What happened beside the load, and what memory did after it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Timeline {
    /// The memory that is looked at.
    #[schemars(with = "String")]
    pub memory: MemorySource,
    /// Each kind of event.
    pub events: Vec<EventEffect>,
    /// The series that the service offers; none where the scenario asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<ServiceSeries>,
}

/// Of `trace`; none where nothing happened that is worth a word, or no memory was read.
pub(super) fn timeline(trace: &Trace) -> Option<Timeline> {
    let level = Level::of(trace)?;
    let (events, excursions) = event_effects(trace, &level);
    let series = service_series(trace, level.source, &excursions);
    let is_empty = events.is_empty() && series.is_none();
    (!is_empty).then_some(Timeline { memory: level.source, events, series })
}

impl Timeline {
    /// What a person should know of it.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let events = self.events.iter().map(|event| event.note(self.memory));
        events.chain(self.series.iter().flat_map(|series| series.notes(self.memory))).collect()
    }
}

#[cfg(test)]
mod tests;
