//! The tables of connections, load, requests and parameters.

use super::super::read::{Reader, Section};
use super::super::{Arrival, Load, Model, Pacing, Param, Request, ThinkTime};
use super::transport::conduct;
use super::{cpu_numbers, table, unnamed, whole};
use crate::problem::Problem;
use crate::template::Template;

pub(super) fn load(reader: &mut Reader, top: &Section<'_>) -> Load {
    let section = &table(reader, top, "load");
    Load {
        model: model(reader, section),
        arrival: reader.choice(section, "arrival").unwrap_or(Arrival::Poisson),
        pacing: reader.choice(section, "pacing").unwrap_or(Pacing::Tick),
        max_in_flight: whole(reader.integer(section, "max_in_flight")),
        cpus: cpu_numbers(reader.integers(section, "cpus")),
    }
}

fn model(reader: &mut Reader, section: &Section<'_>) -> Model {
    let vus = reader.integer(section, "vus");
    let think_time = reader.section(section, "think_time").map(|table| think_time(reader, &table)).unwrap_or_default();
    let model: Option<String> = reader.choice(section, "model");
    if model.as_deref() == Some("closed") {
        if !Reader::has(section, "vus") {
            let problem = Problem::error("[load] model = \"closed\" lacks \"vus\"", reader.spans.of("load.model"));
            reader.problems.push(problem.help("add vus = …: how many users there are"));
        }
        return Model::Closed { vus: vus.unwrap_or(1) as u32, think_time };
    }
    for name in ["vus", "think_time"].into_iter().filter(|name| Reader::has(section, name)) {
        let problem = Problem::error(
            format!("\"{name}\" has no meaning in an open load"),
            reader.spans.of(&format!("load.{name}")),
        );
        reader.problems.push(problem.help("it belongs to model = \"closed\""));
    }
    Model::Open
}

fn think_time(reader: &mut Reader, section: &Section<'_>) -> ThinkTime {
    let dist: Option<String> = reader.choice(section, "dist");
    let mut duration = |name| reader.duration(section, name).unwrap_or_default();
    match dist.as_deref() {
        Some("constant") => ThinkTime::Constant { time: duration("time") },
        Some("uniform") => ThinkTime::Uniform { min: duration("min"), max: duration("max") },
        Some(_) => ThinkTime::Exponential { mean: duration("mean") },
        None => ThinkTime::default(),
    }
}

pub(super) fn request(reader: &mut Reader, section: &Section<'_>) -> Request {
    let headers = reader.template_map(section, "headers").unwrap_or_default();
    let expect = table(reader, section, "expect");
    let statuses = reader.integers(&expect, "status").unwrap_or_default();
    let conduct = conduct(reader, section);
    Request {
        name: reader.text(section, "name").unwrap_or_else(|| unnamed(section)),
        weight: reader.number(section, "weight").unwrap_or(1.0),
        method: reader.choice(section, "method").unwrap_or_else(|| "GET".to_owned()),
        path: reader.template(section, "path").unwrap_or_else(|| Template::parse("/").unwrap_or_default()),
        headers: headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        body: reader.template(section, "body"),
        // The list of keys bounds each to 100..=599.
        expect_status: statuses.into_iter().map(|status| status as u16).collect(),
        conduct: (!conduct.is_plain()).then_some(conduct),
    }
}

pub(super) fn param(reader: &mut Reader, section: &Section<'_>) -> Param {
    let dist: Option<String> = reader.choice(section, "dist");
    let Some(dist) = dist.filter(|dist| dist != "unique") else { return Param::Unique };
    let (min, max) = (reader.integer(section, "min"), reader.integer(section, "max"));
    let (min, max) = min.zip(max).unwrap_or_default();
    if dist == "uniform" { Param::Uniform { min, max } } else { Param::Sequential { min, max } }
}
