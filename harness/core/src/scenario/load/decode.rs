//! The table of the load, and how long users think.

use serde::Deserialize;

use super::{Arrival, Load, Model, Pacing, ThinkTime};
use crate::problem::Problem;
use crate::scenario::read::{Reader, Section};

pub(in crate::scenario) fn load(reader: &mut Reader, top: &Section<'_>) -> Load {
    let section = &reader.table(top, "load");
    Load {
        arrival: reader.choice(section, "arrival").unwrap_or(Arrival::Poisson),
        pacing: reader.choice(section, "pacing").unwrap_or(Pacing::Tick),
        max_in_flight: reader.whole(section, "max_in_flight"),
        cpus: reader.wholes(section, "cpus"),
        coded: reader.boolean(section, "coded").unwrap_or_default(),
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
        for name in ["arrival", "pacing", "max_in_flight", "cpus", "coded", "tolerate"] {
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

pub(in crate::scenario) fn think_time(reader: &mut Reader, section: &Section<'_>) -> ThinkTime {
    let dist = reader.choice(section, "dist");
    let mut duration = |name| reader.duration(section, name).unwrap_or_default();
    match dist {
        Some(ThinkTimeName::Constant) => ThinkTime::Constant { time: duration("time") },
        Some(ThinkTimeName::Uniform) => ThinkTime::Uniform { min: duration("min"), max: duration("max") },
        Some(ThinkTimeName::Exponential) => ThinkTime::Exponential { mean: duration("mean") },
        None => ThinkTime::default(),
    }
}
