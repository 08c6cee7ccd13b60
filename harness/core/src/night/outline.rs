//! What fits into a night, before anything is known: for `steep plan`, and for nights that are too short.

use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use super::{Doubts, Night, Turn};
use crate::plan::cell_id;
use steep_judge::bisect::MAX_CELLS;
use steep_judge::ids::{CellId, FlagSet};
use steep_judge::units::{duration_text, seconds};

/// What fits into a night.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outline {
    /// The moment at which it is over.
    pub until: String,
    /// The time that there is.
    #[serde(rename = "left_s", serialize_with = "seconds::serialize")]
    pub left: Duration,
    /// The first cell.
    pub long_cell: CellId,
    /// The flags that are on in it.
    pub long_cell_flags: FlagSet,
    /// How long it is loaded at most.
    #[serde(rename = "long_cell_duration_s", serialize_with = "seconds::serialize")]
    pub long: Duration,
    /// How long the others are.
    #[serde(rename = "short_cell_duration_s", serialize_with = "seconds::serialize")]
    pub short: Duration,
    /// How many of those fit if each needs a build.
    pub least_short_cells: usize,
    /// How many if none does.
    pub most_short_cells: usize,
    /// The cells of the scenario's own plan that are not among those that are sure to be soaked.
    pub not_sure: Vec<CellId>,
}

/// Not even one cell fits into a night.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{} are left{}, and the first cell takes about {}: {} of load{}",
    duration_text(*.left), if *.left < SHORTEST { ", and a night is a minute at least" } else { "" }, duration_text(*.cell), duration_text(*.load),
    .build.map_or_else(String::new, |build| format!(", and a build of about {}", duration_text(build)))
)]
pub struct TooShort {
    left: Duration,
    cell: Duration,
    load: Duration,
    build: Option<Duration>,
}

impl TooShort {
    /// The time that would do.
    #[must_use]
    pub fn enough(&self) -> Duration {
        self.cell.max(SHORTEST)
    }
}

/// A night that is over in less than this is a slip of the finger.
const SHORTEST: Duration = Duration::from_mins(1);

impl Night<'_> {
    /// What fits into the time that is `left` `until` then. `has_builds`: whether the service is built at all;
    /// `planned`: the cells of the scenario's own plan.
    ///
    /// # Errors
    /// Not even the first cell does.
    pub fn outline(
        &self,
        until: String,
        left: Duration,
        has_builds: bool,
        planned: &[CellId],
    ) -> Result<Outline, TooShort> {
        let short = self.scenario.soak_duration();
        let build = has_builds.then(|| self.pace.build());
        let too_short = || TooShort { left, cell: self.pace.cell(short, has_builds), load: short, build };
        let after_build = left.saturating_sub(build.unwrap_or_default());
        let long = self.length(true, after_build).filter(|_| left >= SHORTEST).ok_or_else(too_short)?;
        let first = self.next(&[], &Doubts::default(), left, |_, _| has_builds);
        let Turn::Soak(first) = first else { return Err(too_short()) };
        let rest = after_build.saturating_sub(self.pace.cell(long, false));
        // What this many cells did not decide, more will not.
        let count = |each: Duration| (rest.div_duration_f64(each) as usize).min(MAX_CELLS - 1);
        let long_cell = cell_id(self.scenario, &first.flags, &first.axes, 1);
        let not_sure = planned.iter().filter(|cell| **cell != long_cell).cloned().collect();
        Ok(Outline {
            until,
            left,
            long_cell,
            long_cell_flags: first.flags,
            long,
            short,
            least_short_cells: count(self.pace.cell(short, has_builds)),
            most_short_cells: count(self.pace.cell(short, false)),
            not_sure,
        })
    }
}
