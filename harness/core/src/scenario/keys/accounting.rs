//! Keys of what a load must come to, and of a load that another program makes.

use crate::scenario::schema::Kind::{Choice, Duration, Limit, Number, Table, Tables, Templates, Text, TextMap};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LONGEST, SECOND, key, only};

/// Thresholds of what requests come to.
const OF_REQUESTS: &[&str] = &["error_rate", "undelivered", "throughput", "p50", "p90", "p99", "p999"];
/// Thresholds that are looked at while the soak goes on.
const WATCHED: &[&str] =
    &["error_rate", "undelivered", "throughput", "p50", "p90", "p99", "p999", "peak_memory", "open_files", "threads"];

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("load.tolerate", Table, Default("{}"), "What a cell may miss of its load and still be judged; beyond it the cell is `invalid`. A cell without any answer as expected always is, and one in which all answers refuse (400 and above) is never cleared."),
    key("load.tolerate.undelivered", Number, Default("0.01"), "Share of the due requests that may be missed (steep had no CPU) or dropped (too many in flight)."),
    key("load.tolerate.failed", Number, Default("0.05"), "Share of the sent requests that may fail."),
    key("load.tolerate.lateness", Duration(1, LONGEST), Default("\"50ms\""), "How late steep may turn to 1 % of what it sends."),
    key("load.command", Templates, Optional, "A program that makes the load in place of steep, with its arguments; it knows `{{port}}`, `{{url}}`, `{{dir}}` and `{{<dependency>.port}}`. Phases then have `shape = \"external\"`, and there are no requests. It runs as long as the phases and is ended by TERM, and 10 s later by KILL; an end of its own with status 0 ends the soak, with another the cell is `invalid`. Its output is in `driver.log`."),
    key("load.counter", Table, Optional, "Where the service counts requests, for a load by `command`: Prometheus text, asked for with each sample. Without it, or `requests_from`, growth is known per hour only."),
    key("load.counter.path", Text, Required, "Path of the metrics, such as `/metrics`."),
    key("load.counter.metric", Text, Required, "Name of the counter; its series are summed."),
    key("load.counter.labels", TextMap, Default("{}"), "Labels that a series must have to be counted."),
    key("load.requests_from", Choice(&["stdout", "file"], &[]), Optional, "Where the program of `command` tells how many requests it has completed since it began, so that growth is known per request: `stdout`, in a line of its output with the number alone or `requests 12345` (also with `=` or `:`); `file`, in the last such line of a file. As often as it likes, best each second; the last count before each sample is taken, other lines are ignored, and so are lines longer than 64 bytes. A count that goes back, or stands still for half of the soak, makes the cell `invalid`."),
    only(key("load.requests_file", Text, Required, "That file, relative to the cell's folder; in `command` it is `{{dir}}/` and this. It may be written anew or appended to; its last 4 KiB are read with each sample."), "requests_from", &["file"]),
    key("thresholds", Tables, Default("[]"), "What must not be exceeded: a broken threshold is a finding, exit status 1."),
    key("thresholds[].metric", Choice(&["error_rate", "undelivered", "throughput", "p50", "p90", "p99", "p999", "peak_memory", "open_files", "threads", "growth_per_hour", "growth_per_request", "open_files_per_hour", "threads_per_hour"], &[]), Required, "`error_rate`: failed of ended requests. `undelivered`: missed or dropped of due ones. `throughput`: answers per second, in steady phases. `p50` to `p999`: latency over all due requests, unanswered ones with the request timeout. `peak_memory`: the kernel's own high-water mark. `growth_…` and `…_per_hour`: the lower end of the interval, at the end."),
    only(key("thresholds[].request", Text, Optional, "Of the requests of this name only."), "metric", OF_REQUESTS),
    key("thresholds[].max", Limit, Optional, "The most; this or `min`. A share for rates (`0.01`), a duration for latencies (`\"50ms\"`), a size for memory and its growth (`\"64MiB\"`), else a number."),
    only(key("thresholds[].min", Limit, Optional, "The least."), "metric", &["throughput"]),
    only(key("thresholds[].window", Duration(SECOND, LONGEST), Optional, "Judged over every stretch of this length; without it over the whole run."), "metric", OF_REQUESTS),
    only(key("thresholds[].abort_after", Duration(SECOND, LONGEST), Optional, "Broken for this long without a break, it ends the cell; needs a `window` where that can be given. What was soaked is judged."), "metric", WATCHED),
];
