//! A load that another program makes: its type, keys, decoding and checks.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::scenario::check::Check;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key, only};
use crate::scenario::{Scenario, Shape};
use crate::template::Template;

/// A load that another program makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct External {
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Where the service counts requests; none: growth is known over time only.
    pub counter: Option<Counter>,
    /// Where the program itself tells how many it has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

/// Where a program that makes the load tells how many requests it has made so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reported {
    /// In lines of its output.
    Stdout,
    /// In this file below the cell's folder.
    File(String),
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.pad("its output"),
            Self::File(name) => write!(f, "its file {name}"),
        }
    }
}

/// A counter of the service, in Prometheus text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counter {
    /// Where it is.
    pub path: String,
    /// Its name; its series are summed.
    pub metric: String,
    /// Labels that a series must have to be counted.
    pub labels: BTreeMap<String, String>,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("load.command", Kind::Templates, Presence::Optional, "A program that makes the load in place of steep, with its arguments; it knows `{{port}}`, `{{url}}`, `{{dir}}` and `{{<dependency>.port}}`. Phases then have `shape = \"external\"`, and there are no requests. It runs as long as the phases and is ended by TERM, and 10 s later by KILL; an end of its own with status 0 ends the soak, with another the cell is `invalid`. Its output is in `driver.log`."),
    key("load.counter", Kind::Table, Presence::Optional, "Where the service counts requests, for a load by `command`: Prometheus text, asked for with each sample. Without it, or `requests_from`, growth is known per hour only."),
    key("load.counter.path", Kind::Text, Presence::Required, "Path of the metrics, such as `/metrics`."),
    key("load.counter.metric", Kind::Text, Presence::Required, "Name of the counter; its series are summed."),
    key("load.counter.labels", Kind::TextMap, Presence::Default("{}"), "Labels that a series must have to be counted."),
    key("load.requests_from", Kind::Choice(&["stdout", "file"], &[]), Presence::Optional, "Where the program of `command` tells how many requests it has completed since it began, so that growth is known per request: `stdout`, in a line of its output with the number alone or `requests 12345` (also with `=` or `:`); `file`, in the last such line of a file. As often as it likes, best each second; the last count before each sample is taken, other lines are ignored, and so are lines longer than 64 bytes. A count that goes back, or stands still for half of the soak, makes the cell `invalid`."),
    only(key("load.requests_file", Kind::Text, Presence::Required, "That file, relative to the cell's folder; in `command` it is `{{dir}}/` and this. It may be written anew or appended to; its last 4 KiB are read with each sample."), "requests_from", &["file"]),
];

/// Keys of `[load]` and tables beside it that say what steep sends.
const OF_OWN_LOAD: [&str; 8] =
    ["model", "arrival", "pacing", "max_in_flight", "coded", "vus", "think_time", "tolerate"];

pub(in crate::scenario) fn external(reader: &mut Reader, top: &Section<'_>) -> Option<External> {
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

impl Check<'_> {
    pub(in crate::scenario) fn external(&mut self, scenario: &Scenario) {
        let wanted = scenario.external.is_some();
        for (index, phase) in scenario.phases.iter().enumerate() {
            let path = format!("phases[{index}].shape");
            match (phase.shape == Shape::External, wanted) {
                (true, false) => {
                    let help = "name the program: command = [\"k6\", \"run\", \"script.js\"] in [load]";
                    self.error(&path, "\"external\" needs a program that makes the load", help);
                }
                (false, true) => {
                    let message = format!("the load of \"{}\" is made by \"command\" in [load]", phase.name);
                    self.error(&path, message, "write shape = \"external\" and no rates");
                }
                (true, true) | (false, false) => {}
            }
        }
        let Some(external) = &scenario.external else { return };
        let mut known: Vec<String> = ["port", "url", "dir"].map(str::to_owned).to_vec();
        known.extend(scenario.dependencies.iter().map(|dependency| format!("{}.port", dependency.name)));
        self.command("load.command", &external.command, &known);
        if let Some(Reported::File(name)) = &external.reported {
            self.file_in_cell("load.requests_file", name);
        }
        let Some(counter) = &external.counter else { return };
        self.own_path("load.counter.path", &counter.path);
        let of_a_metric = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        if counter.metric.is_empty() || !counter.metric.chars().all(of_a_metric) {
            let help = "labels go into `labels`: { method = \"GET\" }";
            self.error("load.counter.metric", format!("{:?} is not a name of a metric", counter.metric), help);
        }
    }

    /// That `name` stays within the cell's folder.
    fn file_in_cell(&mut self, path: &str, name: &str) {
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains("{{");
        if !name.split('/').all(is_plain) {
            let message = format!("{name:?} is not a file within the cell's folder");
            self.error(path, message, "write a name such as \"requests\", and give the program {{dir}}/requests");
        }
    }
}
