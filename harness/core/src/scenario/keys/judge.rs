//! Keys of sampling and of what counts as a finding.

use crate::scenario::schema::Kind::{Choice, Choices, Date, Duration, Size, Table, Tables, Text, Texts};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, SECOND, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("sampling", Table, Default("{}"), "How memory is read."),
    key("sampling.every", Duration(100, 60 * SECOND), Default("\"1s\""), "Time between two samples."),
    key("judge", Table, Default("{}"), "What counts as a finding."),
    key("judge.min_growth_per_request", Size, Default("\"4B\""), "The smallest growth per request worth finding; the report says what could have been seen."),
    key("judge.min_growth_per_hour", Size, Default("\"1MiB\""), "The smallest growth per hour worth finding; the larger of the two counts."),
    key("judge.strictness", Choice(&["normal", "strict"], &[]), Default("\"normal\""), "Evidence that a leak needs: a log-likelihood ratio above 3, or above 5."),
    key("judge.stop_early", Choice(&["never", "leak"], &[]), Default("\"never\""), "`leak`: a cell ends once two looks in a row (at 7, 10, 15, 20, 30, 45 minutes and so on) show a leak with strong evidence and only steady phases would follow. Never because it looks calm."),
    key("judge.fail_on", Choices(&["leak", "step", "retention", "crashed", "headroom"]), Default("[\"leak\", \"step\", \"crashed\", \"headroom\"]"), "What makes the run a finding, exit status 1."),
    key("known", Tables, Default("[]"), "Growth that is filed already: it is reported and does not fail, until it worsens or expires (docs/known.md). Crashes, headroom and broken thresholds always fail."),
    key("known[].flag", Text, Optional, "The flag that leaks; of a flag with values, the value: `cache=lru`."),
    key("known[].flags", Texts, Optional, "In the place of `flag`: those that leak only together."),
    key("known[].issue", Text, Required, "Where it is filed, for the report."),
    key("known[].max_growth_per_request", Size, Optional, "What it grows by at most. Above that it has worsened. This or `max_growth_per_hour` is needed; where both are given, both count."),
    key("known[].max_growth_per_hour", Size, Optional, "The same over time."),
    key("known[].expires", Date, Required, "The first day on which it fails again: `\"2027-03-01\"`. A run counts by the day on which it was begun, in UTC."),
];
