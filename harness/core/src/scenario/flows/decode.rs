//! The tables of flows.

use super::Flow;
use crate::scenario::load::decode::think_time;
use crate::scenario::read::{Reader, Section};

pub(in crate::scenario) fn flow(reader: &mut Reader, section: &Section<'_>) -> Flow {
    Flow {
        name: reader.text(section, "name").unwrap_or_else(|| section.unnamed()),
        weight: reader.number(section, "weight").unwrap_or(1.0),
        steps: reader.texts(section, "steps").unwrap_or_default(),
        think_time: reader.section(section, "think_time").map(|table| think_time(reader, &table)).unwrap_or_default(),
        cookies: reader.boolean(section, "cookies").unwrap_or(true),
    }
}
