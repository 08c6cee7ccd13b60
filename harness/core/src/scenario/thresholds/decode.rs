//! The tables of thresholds.

use super::{Bound, Metric, Threshold};
use crate::problem::Problem;
use crate::scenario::read::{Reader, Section};

pub(in crate::scenario) fn threshold(reader: &mut Reader, section: &Section<'_>) -> Threshold {
    let metric: Option<Metric> = reader.choice(section, "metric");
    let (max, min) = match metric {
        Some(metric) => (reader.limit(section, "max", metric.unit()), reader.limit(section, "min", metric.unit())),
        None => (None, None),
    };
    let bound = match (Reader::has(section, "max"), Reader::has(section, "min")) {
        (true, false) => max.map(Bound::Max),
        (false, true) => min.map(Bound::Min),
        (both, _) => {
            let says = if both { "both \"max\" and" } else { "neither \"max\" nor" };
            let message = format!("[{}] says {says} \"min\"", section.path);
            let problem = Problem::error(message, reader.spans.of(&section.path));
            reader.problems.push(problem.help("one of them is the limit"));
            None
        }
    };
    Threshold {
        metric: metric.unwrap_or(Metric::ErrorRate),
        request: reader.text(section, "request"),
        bound: bound.unwrap_or(Bound::Max(0.0)),
        window: reader.duration(section, "window"),
        abort_after: reader.duration(section, "abort_after"),
    }
}
