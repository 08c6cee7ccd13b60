//! How memory is read: its type, keys, decoding and checks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Scenario;
use super::check::Check;
use super::read::{Reader, Section};
use super::schema::{Key, Kind, Presence, SECOND, key};
use steep_judge::units::seconds;

/// How memory is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Time between two samples.
    #[serde(rename = "every_s", with = "seconds")]
    pub every: Duration,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("sampling", Kind::Table, Presence::Default("{}"), "How memory is read."),
    key("sampling.every", Kind::Duration(100, 60 * SECOND), Presence::Default("\"1s\""), "Time between two samples."),
];

pub(in crate::scenario) fn sampling(reader: &mut Reader, top: &Section<'_>) -> Sampling {
    let section = &reader.table(top, "sampling");
    Sampling { every: reader.duration(section, "every").unwrap_or(Duration::from_secs(1)) }
}

impl Check<'_> {
    pub(in crate::scenario) fn sampling(&mut self, scenario: &Scenario) {
        const FEWEST_SAMPLES: f64 = 120.0; // METHOD wants 40 blocks of 3 samples.
        let samples = scenario.soak_duration().as_secs_f64() / scenario.sampling.every.as_secs_f64();
        if samples < FEWEST_SAMPLES && scenario.sampling.every > Duration::from_secs(1) {
            let help = format!("sample at least {FEWEST_SAMPLES} times in a soak");
            self.warning("sampling.every", format!("a soak has only {samples:.0} samples"), help);
        }
    }
}
