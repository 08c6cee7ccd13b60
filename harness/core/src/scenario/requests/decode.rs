//! The tables of requests.

use std::collections::BTreeMap;

use super::capture::captures;
use super::conduct::conduct;
use super::grpc::decode::{add_headers, target};
use super::{Expect, Request};
use crate::scenario::read::{Reader, Section};
use crate::template::Template;

/// A request; `is_step` tells whether a flow has one of that name as a step.
pub(in crate::scenario) fn request(
    reader: &mut Reader,
    section: &Section<'_>,
    is_step: impl Fn(&str) -> bool,
) -> Request {
    let conduct = conduct(reader, section);
    let name = reader.text(section, "name").unwrap_or_else(|| section.unnamed());
    let is_step = is_step(&name);
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
