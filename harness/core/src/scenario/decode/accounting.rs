//! The tables of thresholds, of what a load may miss, and of a load that another program makes.

use serde::Deserialize;

use super::super::read::{Reader, Section};
use super::super::{Bound, Counter, External, Metric, Reported, Threshold, Tolerate};
use crate::problem::Problem;

pub(super) fn tolerate(reader: &mut Reader, top: &Section<'_>) -> Tolerate {
    let load = &reader.table(top, "load");
    let section = &reader.table(load, "tolerate");
    let standard = Tolerate::default();
    Tolerate {
        undelivered: reader.number(section, "undelivered").unwrap_or(standard.undelivered),
        failed: reader.number(section, "failed").unwrap_or(standard.failed),
        lateness: reader.duration(section, "lateness").unwrap_or(standard.lateness),
    }
}

/// Keys of `[load]` and tables beside it that say what steep sends.
const OF_OWN_LOAD: [&str; 7] = ["model", "arrival", "pacing", "max_in_flight", "vus", "think_time", "tolerate"];

pub(super) fn external(reader: &mut Reader, top: &Section<'_>) -> Option<External> {
    let load = &reader.table(top, "load");
    let command = reader.templates(load, "command");
    let counter = reader.section(load, "counter").map(|section| Counter {
        path: reader.text(&section, "path").unwrap_or_else(|| "/".to_owned()),
        metric: reader.text(&section, "metric").unwrap_or_else(|| "requests".to_owned()),
        labels: reader.text_map(&section, "labels").unwrap_or_default(),
    });
    let reported = reported(reader, load);
    if !Reader::has(load, "command") {
        for name in ["counter", "requests_from"].into_iter().filter(|name| Reader::has(load, name)) {
            let span = reader.spans.of(&format!("load.{name}"));
            let problem = Problem::error(format!("\"{name}\" has no meaning without \"command\""), span);
            reader.problems.push(problem.help("steep counts the requests that it sends itself"));
        }
        return None;
    }
    let meaningless = OF_OWN_LOAD.into_iter().filter(|name| Reader::has(load, name)).map(|name| format!("load.{name}"));
    let tables = ["http", "requests", "params"].into_iter().filter(|name| Reader::has(top, name)).map(str::to_owned);
    for path in meaningless.chain(tables) {
        let name = path.trim_start_matches("load.");
        let problem =
            Problem::error(format!("\"{name}\" has no meaning with \"command\" in [load]"), reader.spans.of(&path));
        reader.problems.push(problem.help("the command decides what is sent, and how; take one of the two out"));
    }
    if counter.is_some() && reported.is_some() {
        let problem = Problem::error(
            "\"counter\" and \"requests_from\" both say who counts the requests",
            reader.spans.of("load.requests_from"),
        );
        reader.problems.push(problem.help("take one of the two out"));
    }
    Some(External { command: command.unwrap_or_default(), counter, reported })
}

/// The names of [`Reported`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReportedName {
    Stdout,
    File,
}

fn reported(reader: &mut Reader, load: &Section<'_>) -> Option<Reported> {
    match reader.choice(load, "requests_from") {
        Some(ReportedName::Stdout) => return Some(Reported::Stdout),
        // A name that is missing is a problem already.
        Some(ReportedName::File) => {
            return Some(Reported::File(reader.text(load, "requests_file").unwrap_or_else(|| "requests".to_owned())));
        }
        None => {}
    }
    if Reader::has(load, "requests_file") && !Reader::has(load, "requests_from") {
        let problem =
            Problem::error("\"requests_file\" has no meaning without \"requests_from\"", reader.spans.of("load"));
        reader.problems.push(problem.help("add requests_from = \"file\""));
    }
    None
}

pub(super) fn threshold(reader: &mut Reader, section: &Section<'_>) -> Threshold {
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
