//! The tables of phases.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shape::shape;
use super::{Phase, Role, Shape, Storm};
use crate::problem::Problem;
use crate::scenario::check::SHORTEST_FIT;
use crate::scenario::read::{Reader, Section};

pub(in crate::scenario) fn phase(reader: &mut Reader, section: &Section<'_>) -> Phase {
    let shape = shape(reader, section);
    let duration = reader.duration(section, "duration");
    Phase {
        name: reader.text(section, "name").unwrap_or_else(|| section.unnamed()),
        role: reader.choice(section, "role").unwrap_or(Role::Steady),
        duration: how_long(reader, section, &shape, duration),
        shape,
        weights: weights(reader, section),
        close_connections: Reader::has(section, "close_connections")
            && reader.boolean(section, "close_connections").unwrap_or_default(),
        storm: storm(reader, section),
    }
}

/// How long the phase lasts: as its shape says, or as its table does, and never both.
fn how_long(reader: &mut Reader, section: &Section<'_>, shape: &Shape, given: Option<Duration>) -> Duration {
    let is_given = Reader::has(section, "duration");
    let (message, help) = match (shape.own_duration(), is_given) {
        (Some(own), false) => return own,
        (None, true) => return given.unwrap_or(SHORTEST_FIT),
        (Some(_), true) => ("\"duration\" follows from the shape here", "take it out"),
        // Where the shape itself is missing, that is the problem to report.
        (None, false) if !Reader::has(section, "shape") => return SHORTEST_FIT,
        (None, false) => ("a phase lacks \"duration\"", "add duration = …: how long it lasts, such as \"5m\""),
    };
    let place = if is_given { format!("{}.duration", section.path) } else { section.path.clone() };
    reader.problems.push(Problem::error(message, reader.spans.of(&place)).help(help));
    shape.own_duration().unwrap_or(SHORTEST_FIT)
}

fn weights(reader: &mut Reader, section: &Section<'_>) -> BTreeMap<String, f64> {
    let section = &reader.table(section, "weights");
    let names = reader.chosen_names(section);
    names.into_iter().filter_map(|name| reader.number(section, &name).map(|weight| (name, weight))).collect()
}

fn storm(reader: &mut Reader, section: &Section<'_>) -> Option<Storm> {
    let section = reader.section(section, "storm")?;
    let connections = reader.integer(&section, "connections");
    let every = reader.duration(&section, "every");
    Some(Storm { connections: usize::try_from(connections?).unwrap_or(usize::MAX), every: every? })
}
