//! The tables of connections, load, requests and parameters.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::read::{Reader, Section};
use super::super::{Arrival, Expect, Flow, JsonPath, Load, Model, Pacing, Param, Pick, Request, ThinkTime};
use super::flow::captures;
use super::grpc::{add_headers, target};
use super::transport::conduct;
use crate::problem::Problem;
use crate::template::Template;

pub(super) fn load(reader: &mut Reader, top: &Section<'_>) -> Load {
    let section = &reader.table(top, "load");
    Load {
        arrival: reader.choice(section, "arrival").unwrap_or(Arrival::Poisson),
        pacing: reader.choice(section, "pacing").unwrap_or(Pacing::Tick),
        max_in_flight: reader.whole(section, "max_in_flight"),
        cpus: reader.wholes(section, "cpus"),
        // After all that has no meaning in some models, whose places are known then.
        model: model(reader, section),
    }
}

/// The names of [`Model`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModelName {
    Open,
    Closed,
    None,
}

fn model(reader: &mut Reader, section: &Section<'_>) -> Model {
    let vus = reader.integer(section, "vus");
    let think_time = reader.section(section, "think_time").map(|table| think_time(reader, &table)).unwrap_or_default();
    let (model, load) = match reader.choice(section, "model").unwrap_or(ModelName::Open) {
        ModelName::Open => (Model::Open, "in an open load"),
        ModelName::None => (Model::None, "where nothing is sent"),
        ModelName::Closed => {
            if !Reader::has(section, "vus") {
                let problem = Problem::error("[load] model = \"closed\" lacks \"vus\"", reader.spans.of("load.model"));
                reader.problems.push(problem.help("add vus = …: how many users there are"));
            }
            return Model::Closed { vus: vus.unwrap_or(1) as u32, think_time };
        }
    };
    if model == Model::None {
        for name in ["arrival", "pacing", "max_in_flight", "cpus", "tolerate"] {
            if Reader::has(section, name) {
                let span = reader.spans.of(&format!("load.{name}")).or_else(|| reader.spans.of("load"));
                let problem = Problem::error(format!("\"{name}\" has no meaning {load}"), span);
                reader.problems.push(problem.help("take it out, or send something: model = \"open\""));
            }
        }
    }
    for name in ["vus", "think_time"].into_iter().filter(|name| Reader::has(section, name)) {
        let problem =
            Problem::error(format!("\"{name}\" has no meaning {load}"), reader.spans.of(&format!("load.{name}")));
        reader.problems.push(problem.help("it belongs to model = \"closed\""));
    }
    model
}

/// The names of [`ThinkTime`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ThinkTimeName {
    Constant,
    Uniform,
    Exponential,
}

pub(super) fn think_time(reader: &mut Reader, section: &Section<'_>) -> ThinkTime {
    let dist = reader.choice(section, "dist");
    let mut duration = |name| reader.duration(section, name).unwrap_or_default();
    match dist {
        Some(ThinkTimeName::Constant) => ThinkTime::Constant { time: duration("time") },
        Some(ThinkTimeName::Uniform) => ThinkTime::Uniform { min: duration("min"), max: duration("max") },
        Some(ThinkTimeName::Exponential) => ThinkTime::Exponential { mean: duration("mean") },
        None => ThinkTime::default(),
    }
}

pub(super) fn request(reader: &mut Reader, section: &Section<'_>, flows: &[Flow]) -> Request {
    let conduct = conduct(reader, section);
    let name = reader.text(section, "name").unwrap_or_else(|| section.unnamed());
    let is_step = flows.iter().any(|flow| flow.steps.contains(&name));
    let weight = reader.number(section, "weight").unwrap_or(1.0);
    let target = target(reader, section);
    let mut headers = headers(reader, section, "headers");
    let expect = expect(reader, section);
    add_headers(&mut headers, target.grpc.is_some(), !expect.trailers.is_empty());
    Request {
        name,
        weight: if is_step && !Reader::has(section, "weight") { 0.0 } else { weight },
        method: target.method,
        grpc: target.grpc,
        path: target.path,
        headers,
        body: reader.template(section, "body"),
        body_file: reader.text(section, "body_file"),
        expect,
        capture: captures(reader, section),
        conduct: (!conduct.is_plain()).then_some(conduct),
    }
}

fn expect(reader: &mut Reader, request: &Section<'_>) -> Expect {
    let section = &reader.table(request, "expect");
    let statuses = reader.integers(section, "status").unwrap_or_default();
    Expect {
        // The list of keys bounds each to 100..=599.
        status: statuses.into_iter().map(|status| status as u16).collect(),
        headers: headers(reader, section, "header"),
        trailers: headers(reader, section, "trailer"),
        grpc_status: reader.choices(section, "grpc_status").unwrap_or_default(),
        body_contains: reader.template(section, "body_contains"),
        json: reader.json_map(section, "json").unwrap_or_default(),
    }
}

fn headers(reader: &mut Reader, section: &Section<'_>, name: &str) -> BTreeMap<String, Template> {
    let headers = reader.template_map(section, name).unwrap_or_default();
    headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// The names of [`Param`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ParamName {
    Uniform,
    Zipf,
    Sequential,
    Unique,
    Choice,
    Csv,
    Jsonl,
}

pub(super) fn param(reader: &mut Reader, section: &Section<'_>) -> Param {
    let bounds = |reader: &mut Reader| {
        let (min, max) = (reader.integer(section, "min"), reader.integer(section, "max"));
        min.zip(max).unwrap_or_default()
    };
    match reader.choice(section, "dist") {
        Some(ParamName::Choice) => Param::Choice {
            values: reader.scalars(section, "values").unwrap_or_default(),
            weights: reader.numbers(section, "weights").unwrap_or_default(),
        },
        Some(ParamName::Csv) => Param::Csv {
            path: reader.text(section, "path").unwrap_or_default(),
            column: reader.text(section, "column"),
            pick: reader.choice(section, "pick").unwrap_or(Pick::Circular),
        },
        Some(ParamName::Jsonl) => Param::Jsonl {
            path: reader.text(section, "path").unwrap_or_default(),
            field: reader.text(section, "field").map(JsonPath::new),
            pick: reader.choice(section, "pick").unwrap_or(Pick::Circular),
        },
        Some(ParamName::Uniform) => {
            let (min, max) = bounds(reader);
            Param::Uniform { min, max }
        }
        Some(ParamName::Zipf) => {
            let (min, max) = bounds(reader);
            Param::Zipf { min, max, exponent: reader.number(section, "exponent").unwrap_or(1.0) }
        }
        Some(ParamName::Sequential) => {
            let (min, max) = bounds(reader);
            Param::Sequential { min, max }
        }
        Some(ParamName::Unique) | None => Param::Unique,
    }
}
