//! The tables of connections, load, phases, requests and parameters.

use super::super::check::SHORTEST_FIT;
use super::super::read::{Reader, Section};
use super::super::{Arrival, Load, Param, Phase, Request, Role, Shape};
use super::transport::{conduct, storm};
use super::{cpu_numbers, table, unnamed, whole};
use crate::template::Template;
use crate::units::Rps;

pub(super) fn load(reader: &mut Reader, top: &Section<'_>) -> Load {
    let section = &table(reader, top, "load");
    // There is one of each that works: the list of keys refuses the others.
    let _: Option<String> = reader.choice(section, "model");
    let _: Option<String> = reader.choice(section, "pacing");
    Load {
        arrival: reader.choice(section, "arrival").unwrap_or(Arrival::Poisson),
        max_in_flight: whole(reader.integer(section, "max_in_flight")),
        cpus: cpu_numbers(reader.integers(section, "cpus")),
    }
}

pub(super) fn phase(reader: &mut Reader, section: &Section<'_>) -> Phase {
    let name = reader.text(section, "name").unwrap_or_else(|| unnamed(section));
    let role = reader.choice(section, "role").unwrap_or(Role::Steady);
    let shape: Option<String> = reader.choice(section, "shape");
    let duration = reader.duration(section, "duration").unwrap_or(SHORTEST_FIT);
    let mut rate = |name| Rps::new(reader.number(section, name).unwrap_or(1.0));
    let shape = match shape.as_deref() {
        Some("constant") => Shape::Constant { rate: rate("rate") },
        Some("ramp") => Shape::Ramp { start_rate: rate("start_rate"), target_rate: rate("target_rate") },
        Some(_) => Shape::Pause,
        None => Shape::Constant { rate: Rps::new(1.0) },
    };
    Phase { name, role, shape, duration, storm: storm(reader, section) }
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
