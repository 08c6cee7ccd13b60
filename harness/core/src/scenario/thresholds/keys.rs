//! Keys of thresholds.

use crate::scenario::schema::Kind::{Choice, Duration, Limit, Tables, Text};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LONGEST, SECOND, key, only};

/// Thresholds of what requests come to.
const OF_REQUESTS: &[&str] = &["error_rate", "undelivered", "throughput", "p50", "p90", "p99", "p999"];

/// Thresholds that are looked at while the soak goes on.
const WATCHED: &[&str] =
    &["error_rate", "undelivered", "throughput", "p50", "p90", "p99", "p999", "peak_memory", "open_files", "threads"];

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("thresholds", Tables, Default("[]"), "What must not be exceeded: a broken threshold is a finding, exit status 1."),
    key("thresholds[].metric", Choice(&["error_rate", "undelivered", "throughput", "p50", "p90", "p99", "p999", "peak_memory", "open_files", "threads", "growth_per_hour", "growth_per_request", "open_files_per_hour", "threads_per_hour"], &[]), Required, "`error_rate`: failed of ended requests. `undelivered`: missed or dropped of due ones. `throughput`: answers per second, in steady phases. `p50` to `p999`: latency over all due requests, unanswered ones with the request timeout. `peak_memory`: the kernel's own high-water mark. `growth_…` and `…_per_hour`: the lower end of the interval, at the end."),
    only(key("thresholds[].request", Text, Optional, "Of the requests of this name only."), "metric", OF_REQUESTS),
    key("thresholds[].max", Limit, Optional, "The most; this or `min`. A share for rates (`0.01`), a duration for latencies (`\"50ms\"`), a size for memory and its growth (`\"64MiB\"`), else a number."),
    only(key("thresholds[].min", Limit, Optional, "The least."), "metric", &["throughput"]),
    only(key("thresholds[].window", Duration(SECOND, LONGEST), Optional, "Judged over every stretch of this length; without it over the whole run."), "metric", OF_REQUESTS),
    only(key("thresholds[].abort_after", Duration(SECOND, LONGEST), Optional, "Broken for this long without a break, it ends the cell; needs a `window` where that can be given. What was soaked is judged."), "metric", WATCHED),
];
