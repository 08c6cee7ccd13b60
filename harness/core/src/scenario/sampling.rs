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
    /// Whether the scenario says so itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_given: bool,
}

/// Time between two counts of live bytes in a short soak: they say in 120 s at 500 requests/s of 84 % of leaks of 4 B
/// per request that they are some, and each second of 71 % (METHOD.md, live bytes).
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// Longer soaks have enough of them at one a second: this one has 6,000.
const COUNTED_UP_TO: Duration = Duration::from_mins(10);

impl Scenario {
    /// How often live bytes are counted between samples, where a preloaded library counts them and its counters can be
    /// read for next to nothing; none: with samples only, as where the scenario says how often, where a soak is long,
    /// and where another program would have to be asked how many requests there were.
    #[must_use]
    pub fn count_every(&self) -> Option<Duration> {
        let Sampling { every, is_given } = self.sampling;
        let is_short = self.soak_duration() <= COUNTED_UP_TO && self.service.may_be_preloaded();
        (!is_given && is_short && every > COUNT_EVERY && self.external.is_none()).then_some(COUNT_EVERY)
    }

    /// How often memory is read, in words.
    #[must_use]
    pub fn sampling_in_words(&self) -> String {
        let every = |every: Duration| humantime::format_duration(every);
        let counts = self.count_every().map(|count| format!(", counts of a preloaded library each {}", every(count)));
        format!("memory is read each {}{}", every(self.sampling.every), counts.unwrap_or_default())
    }
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("sampling", Kind::Table, Presence::Default("{}"), "How memory is read."),
    key("sampling.every", Kind::Duration(100, 60 * SECOND), Presence::Default("\"1s\""), "Time between two samples. Where a preloaded library counts live bytes and this is left out, a soak of at most 10 minutes reads its counters ten times a second in between."),
];

pub(in crate::scenario) fn sampling(reader: &mut Reader, top: &Section<'_>) -> Sampling {
    let section = &reader.table(top, "sampling");
    let every = reader.duration(section, "every").unwrap_or(Duration::from_secs(1));
    Sampling { every, is_given: Reader::has(section, "every") }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decoded, sound};

    #[test]
    fn short_soaks_count_live_bytes_more_often_unless_the_scenario_says_how_often() {
        let tenth = Some(Duration::from_millis(100));
        assert_eq!(decoded(&sound("9m", "")).count_every(), tenth);
        assert_eq!(decoded(&sound("11m", "")).count_every(), None);
        assert_eq!(decoded(&sound("2m", "").replace("[\"shop\"]", "[\"shop\"]\nlive = \"off\"")).count_every(), None);
        assert_eq!(decoded(&sound("2m", "[sampling]\nevery = \"1s\"\n")).count_every(), None);
        assert_eq!(decoded(&sound("2m", "[sampling]\nevery = \"100ms\"\n")).count_every(), None);
        assert_eq!(
            decoded(&sound("2m", "")).sampling_in_words(),
            "memory is read each 1s, counts of a preloaded library each 100ms"
        );
        assert_eq!(decoded(&sound("11m", "")).sampling_in_words(), "memory is read each 1s");
    }
}
