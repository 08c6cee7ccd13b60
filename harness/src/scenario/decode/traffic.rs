//! The tables of connections, load, phases, requests and parameters.

use std::collections::BTreeMap;

use super::super::check::SHORTEST_FIT;
use super::super::read::{Reader, Section};
use super::super::{Arrival, Expect, Http, JsonPath, Load, Param, Phase, Pick, Request, Role, Shape};
use super::{cpu_numbers, table, unnamed, whole};
use crate::template::Template;
use crate::units::Rps;

pub(super) fn http(reader: &mut Reader, top: &Section<'_>) -> Http {
    let section = &table(reader, top, "http");
    // There is one that works: the list of keys refuses the others.
    let _: Option<String> = reader.choice(section, "protocol");
    Http {
        connections: whole(reader.integer(section, "connections")),
        max_requests_per_connection: reader.integer(section, "max_requests_per_connection").unwrap_or_default(),
        connect_timeout: reader.duration(section, "connect_timeout").unwrap_or_default(),
        request_timeout: reader.duration(section, "request_timeout").unwrap_or_default(),
    }
}

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
        Some("from_file") => Shape::FromFile {
            path: reader.text(section, "path").unwrap_or_default(),
            repeat: reader.boolean(section, "loop").unwrap_or_default(),
            stretches: Vec::new(),
        },
        Some(_) => Shape::Pause,
        None => Shape::Constant { rate: Rps::new(1.0) },
    };
    Phase { name, role, shape, duration }
}

pub(super) fn request(reader: &mut Reader, section: &Section<'_>) -> Request {
    Request {
        name: reader.text(section, "name").unwrap_or_else(|| unnamed(section)),
        weight: reader.number(section, "weight").unwrap_or(1.0),
        method: reader.choice(section, "method").unwrap_or_else(|| "GET".to_owned()),
        path: reader.template(section, "path").unwrap_or_else(|| Template::parse("/").unwrap_or_default()),
        headers: headers(reader, section, "headers"),
        body: reader.template(section, "body"),
        body_file: reader.text(section, "body_file"),
        expect: expect(reader, section),
    }
}

fn expect(reader: &mut Reader, request: &Section<'_>) -> Expect {
    let section = &table(reader, request, "expect");
    let statuses = reader.integers(section, "status").unwrap_or_default();
    Expect {
        // The list of keys bounds each to 100..=599.
        status: statuses.into_iter().map(|status| status as u16).collect(),
        headers: headers(reader, section, "header"),
        body_contains: reader.template(section, "body_contains"),
        json: reader.json_map(section, "json").unwrap_or_default(),
    }
}

fn headers(reader: &mut Reader, section: &Section<'_>, name: &str) -> BTreeMap<String, Template> {
    let headers = reader.template_map(section, name).unwrap_or_default();
    headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

pub(super) fn param(reader: &mut Reader, section: &Section<'_>) -> Param {
    let dist: Option<String> = reader.choice(section, "dist");
    match dist.as_deref() {
        Some("choice") => Param::Choice {
            values: reader.scalars(section, "values").unwrap_or_default(),
            weights: reader.numbers(section, "weights").unwrap_or_default(),
        },
        Some("csv") => Param::Csv {
            path: reader.text(section, "path").unwrap_or_default(),
            column: reader.text(section, "column"),
            pick: reader.choice(section, "pick").unwrap_or(Pick::Circular),
        },
        Some("jsonl") => Param::Jsonl {
            path: reader.text(section, "path").unwrap_or_default(),
            field: reader.text(section, "field").map(JsonPath::new),
            pick: reader.choice(section, "pick").unwrap_or(Pick::Circular),
        },
        Some(numbers @ ("uniform" | "zipf" | "sequential")) => {
            let (min, max) = (reader.integer(section, "min"), reader.integer(section, "max"));
            let (min, max) = min.zip(max).unwrap_or_default();
            match numbers {
                "uniform" => Param::Uniform { min, max },
                "zipf" => Param::Zipf { min, max, exponent: reader.number(section, "exponent").unwrap_or(1.0) },
                _ => Param::Sequential { min, max },
            }
        }
        Some(_) | None => Param::Unique,
    }
}
