//! The tables of flags, axes, allocators and the plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::super::read::{Reader, Section};
use super::super::{
    Allocator, Axis, AxisKind, Constraints, Flag, Foldover, JsonPath, PlanRules, Row, Rule, Strategy, Switch,
    SwitchRequest, Verify,
};
use crate::problem::Problem;

pub(super) fn flag(reader: &mut Reader, section: &Section<'_>) -> Flag {
    let kind = reader.choice(section, "kind");
    let values = reader.scalars(section, "values").unwrap_or_default();
    Flag {
        name: reader.text(section, "name").unwrap_or_else(|| section.unnamed()),
        switch: switch(reader, section, kind, !values.is_empty()),
        values,
        default: reader.boolean(section, "default").unwrap_or_default(),
        group: reader.text(section, "group"),
        requires: reader.texts(section, "requires").unwrap_or_default(),
        conflicts_with: reader.texts(section, "conflicts_with").unwrap_or_default(),
        verify: reader.section(section, "verify").and_then(|table| verify(reader, &table)),
    }
}

/// The names of [`Switch`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SwitchName {
    CargoFeature,
    Cfg,
    Env,
    Arg,
    Config,
    Http,
}

fn switch(reader: &mut Reader, section: &Section<'_>, kind: Option<SwitchName>, has_values: bool) -> Switch {
    let mut args = |name| Reader::has(section, name).then(|| reader.texts(section, name)).flatten().unwrap_or_default();
    match kind {
        Some(SwitchName::CargoFeature) => {
            Switch::CargoFeature { feature: reader.text(section, "feature").unwrap_or_default() }
        }
        Some(SwitchName::Cfg) => Switch::Cfg { cfg: reader.text(section, "cfg").unwrap_or_default() },
        Some(SwitchName::Http) => Switch::Http {
            on: required_request(reader, section),
            off: reader.section(section, "off_request").map(|table| request(reader, &table)),
        },
        Some(SwitchName::Config) => Switch::Config {
            file: reader.text(section, "file").map(PathBuf::from),
            key: JsonPath::new(reader.text(section, "key").unwrap_or_else(|| section.unnamed())),
            on: reader
                .scalar(section, "on")
                .unwrap_or_else(|| if has_values { "{{value}}".into() } else { true.into() }),
            off: reader.scalar(section, "off"),
        },
        Some(SwitchName::Env) => Switch::Env {
            var: reader.text(section, "var").unwrap_or_default(),
            on: reader.text(section, "on").unwrap_or_else(|| if has_values { "{{value}}" } else { "1" }.to_owned()),
            off: reader.text(section, "off"),
        },
        Some(SwitchName::Arg) => Switch::Arg { on: args("on"), off: args("off") },
        // In which no check finds a problem.
        None => Switch::Arg { on: vec![if has_values { "{{value}}" } else { "on" }.to_owned()], off: Vec::new() },
    }
}

fn required_request(reader: &mut Reader, section: &Section<'_>) -> SwitchRequest {
    match reader.section(section, "request") {
        Some(table) => request(reader, &table),
        // Its absence has been told; a path in which no check finds a problem.
        None => SwitchRequest { method: "POST".to_owned(), path: "/".to_owned(), headers: BTreeMap::new(), body: None },
    }
}

fn request(reader: &mut Reader, section: &Section<'_>) -> SwitchRequest {
    SwitchRequest {
        method: reader.choice(section, "method").unwrap_or_default(),
        path: reader.text(section, "path").unwrap_or_else(|| "/".to_owned()),
        headers: reader.text_map(section, "headers").unwrap_or_default(),
        body: reader.text(section, "body"),
    }
}

/// What `metric` asks where the scenario does not say: the path that Prometheus itself takes.
const METRICS_PATH: &str = "/metrics";

fn verify(reader: &mut Reader, section: &Section<'_>) -> Option<Verify> {
    const WAYS: [&str; 5] = ["contains", "metric", "log", "symbol", "library"];
    let path = reader.text(section, "path");
    let value = reader.number(section, "value");
    let mut texts = WAYS.map(|way| reader.text(section, way));
    let given: Vec<&str> = WAYS.into_iter().filter(|way| Reader::has(section, way)).collect();
    let mut wrong = |message: String, help: &str| {
        let span = reader.spans.of(&section.path);
        reader.problems.push(Problem::error(format!("[{}] {message}", section.path), span).help(help));
        None
    };
    let [way] = given.as_slice() else {
        let said = if given.is_empty() { "nothing".to_owned() } else { given.join(" and ") };
        let help = "one of contains (with path), metric, log, symbol, library; two things to see are two flags";
        return wrong(format!("says {said} of what shows that it took effect"), help);
    };
    if value.is_some() && *way != "metric" {
        return wrong(format!("has a \"value\" beside \"{way}\""), "only a metric has a value");
    }
    if path.is_some() && !["contains", "metric"].contains(way) {
        return wrong(format!("has a \"path\" beside \"{way}\""), "only \"contains\" and \"metric\" ask one");
    }
    let text = WAYS.iter().position(|known| known == way).and_then(|place| texts[place].take())?;
    Some(match *way {
        "contains" => match path {
            Some(path) => Verify::Http { path, contains: text },
            None => return wrong("lacks \"path\"".to_owned(), "add path = …: what is asked"),
        },
        "metric" => Verify::Metric { path: path.unwrap_or_else(|| METRICS_PATH.to_owned()), metric: text, value },
        "log" => Verify::Log { log: text },
        "symbol" => Verify::Symbol { symbol: text },
        "library" => Verify::Library { library: text },
        other => unreachable!("{other} is not one of {WAYS:?}"),
    })
}

/// The names of [`AxisKind`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AxisName {
    Allocator,
    CargoFeature,
    Revision,
    Arg,
    Env,
}

pub(super) fn axis(reader: &mut Reader, section: &Section<'_>) -> Axis {
    let kind = match reader.choice(section, "kind") {
        Some(AxisName::Allocator) => AxisKind::Allocator,
        Some(AxisName::CargoFeature) => AxisKind::CargoFeature,
        Some(AxisName::Revision) => AxisKind::Revision,
        Some(AxisName::Arg) => AxisKind::Arg { arg: reader.text(section, "arg").unwrap_or_else(|| section.unnamed()) },
        Some(AxisName::Env) => AxisKind::Env { var: reader.text(section, "var").unwrap_or_default() },
        None => AxisKind::Env { var: String::new() },
    };
    let name = reader.text(section, "name").unwrap_or_else(|| section.unnamed());
    Axis { name, kind, values: reader.texts(section, "values").unwrap_or_else(|| vec!["unknown".to_owned()]) }
}

pub(super) fn allocator(reader: &mut Reader, section: &Section<'_>) -> Allocator {
    Allocator {
        features: reader.texts(section, "features").unwrap_or_default(),
        env: reader.text_map(section, "env").unwrap_or_default(),
        preload: reader.text(section, "preload"),
        verify: reader.section(section, "verify").and_then(|table| verify(reader, &table)),
    }
}

pub(super) fn constraints(reader: &mut Reader, top: &Section<'_>) -> Constraints {
    let section = &reader.table(top, "constraints");
    let mut lists = |name| reader.text_lists(section, name).unwrap_or_default();
    Constraints {
        mutually_exclusive: lists("mutually_exclusive"),
        at_least_one_of: lists("at_least_one_of"),
        exactly_one_of: lists("exactly_one_of"),
        pinned: reader.choices_by_name(section, "pinned").unwrap_or_default(),
    }
}

pub(super) fn rule(reader: &mut Reader, section: &Section<'_>) -> Rule {
    let when = reader.choices_by_name(section, "when").unwrap_or_default();
    Rule { when, then: reader.choices_by_name(section, "then").unwrap_or_default() }
}

pub(super) fn plan(reader: &mut Reader, top: &Section<'_>) -> PlanRules {
    let section = &reader.table(top, "plan");
    PlanRules {
        strategy: reader.choice(section, "strategy").unwrap_or(Strategy::Off),
        strength: reader.whole(section, "strength"),
        foldover: reader.choice(section, "foldover").unwrap_or(Foldover::Never),
        // The list of keys bounds it to 1000.
        replicates: reader.integer(section, "replicates").unwrap_or(1) as u32,
        max_cells: reader.whole(section, "max_cells"),
        // The list of keys bounds it to 3.
        retries: reader.integer(section, "retries").unwrap_or(1) as u32,
        include: reader.list(section, "include", row),
        exclude: reader.list(section, "exclude", row),
    }
}

fn row(reader: &mut Reader, section: &Section<'_>) -> Row {
    let chosen = reader.chosen_names(section);
    let axes = chosen.into_iter().filter_map(|axis| reader.text(section, &axis).map(|value| (axis, value))).collect();
    Row { flags: reader.texts(section, "flags").unwrap_or_default(), axes }
}
