//! Keys of growth that is filed already.

use crate::scenario::schema::Kind::{Date, Size, Tables, Text, Texts};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, key};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("known", Tables, Default("[]"), "Growth that is filed already: it is reported and does not fail, until it worsens or expires (docs/known.md). Crashes, headroom and broken thresholds always fail."),
    key("known[].flag", Text, Optional, "The flag that leaks; of a flag with values, the value: `cache=lru`."),
    key("known[].flags", Texts, Optional, "In the place of `flag`: those that leak only together."),
    key("known[].issue", Text, Required, "Where it is filed, for the report."),
    key("known[].max_growth_per_request", Size, Optional, "What it grows by at most. Above that it has worsened. This or `max_growth_per_hour` is needed; where both are given, both count."),
    key("known[].max_growth_per_hour", Size, Optional, "The same over time."),
    key("known[].expires", Date, Required, "The first day on which it fails again: `\"2027-03-01\"`. A run counts by the day on which it was begun, in UTC."),
];
