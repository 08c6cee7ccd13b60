//! The tables of flows, and of what is captured for them.

use std::collections::BTreeMap;

use super::super::read::{Reader, Section};
use super::super::{Capture, CapturePlace, Flow, JsonPath};
use super::traffic::think_time;
use crate::problem::Problem;

pub(super) fn flow(reader: &mut Reader, section: &Section<'_>) -> Flow {
    Flow {
        name: reader.text(section, "name").unwrap_or_else(|| section.unnamed()),
        weight: reader.number(section, "weight").unwrap_or(1.0),
        steps: reader.texts(section, "steps").unwrap_or_default(),
        think_time: reader.section(section, "think_time").map(|table| think_time(reader, &table)).unwrap_or_default(),
        cookies: reader.boolean(section, "cookies").unwrap_or(true),
    }
}

pub(super) fn captures(reader: &mut Reader, request: &Section<'_>) -> BTreeMap<String, Capture> {
    let sections = reader.named_sections(request, "capture");
    sections.into_iter().filter_map(|(name, section)| Some((name, capture(reader, &section)?))).collect()
}

/// The one place that it names.
fn capture(reader: &mut Reader, section: &Section<'_>) -> Option<Capture> {
    let json = reader.text(section, "json").map(|place| CapturePlace::Json(JsonPath::new(place)));
    let header = reader.text(section, "header").map(|name| CapturePlace::Header(name.to_ascii_lowercase()));
    let regex = reader.text(section, "regex");
    let message = match ["json", "header", "regex"].map(|name| Reader::has(section, name)) {
        [true, true, _] => "a capture has one place",
        [false, false, false] => "a capture names no place",
        [false, false, true] => return regex.map(|regex| Capture { place: CapturePlace::Body, regex: Some(regex) }),
        _ => return json.or(header).map(|place| Capture { place, regex }),
    };
    let problem = Problem::error(message, reader.spans.of(&section.path));
    let help = "give json = \"a.b\" or header = \"name\", and regex = \"id=(\\\\d+)\" for a part of it, or of the body";
    reader.problems.push(problem.help(help));
    None
}
