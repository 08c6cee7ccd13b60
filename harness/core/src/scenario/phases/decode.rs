//! The tables of phases.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Phase, Role, Shape, Stage, StartAt, Storm};
use crate::problem::Problem;
use crate::scenario::check::SHORTEST_FIT;
use crate::scenario::read::{Reader, Section};
use steep_judge::units::Rps;

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

/// The names of [`Shape`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeName {
    Constant,
    Ramp,
    Stages,
    Step,
    Spike,
    Square,
    Sine,
    FromFile,
    Users,
    Pause,
    External,
}

fn shape(reader: &mut Reader, section: &Section<'_>) -> Shape {
    let shape = reader.choice(section, "shape");
    let mut rate = |name| Rps::new(reader.number(section, name).unwrap_or(1.0));
    match shape {
        Some(ShapeName::Constant) => Shape::Constant { rate: rate("rate") },
        Some(ShapeName::FromFile) => Shape::FromFile {
            path: reader.text(section, "path").unwrap_or_default(),
            repeat: reader.boolean(section, "loop").unwrap_or_default(),
            stretches: Vec::new(),
        },
        Some(ShapeName::Ramp) => Shape::Ramp { start_rate: rate("start_rate"), target_rate: rate("target_rate") },
        Some(ShapeName::Stages) => {
            Shape::Stages { start_rate: rate("start_rate"), stages: reader.list(section, "stages", stage) }
        }
        Some(ShapeName::Step) => Shape::Step {
            start_rate: rate("start_rate"),
            increment: rate("increment"),
            levels: count(reader.integer(section, "levels")),
            level_duration: reader.duration(section, "level_duration").unwrap_or(SHORTEST_FIT),
        },
        Some(ShapeName::Spike) => Shape::Spike {
            rate: rate("rate"),
            peak_rate: rate("peak_rate"),
            every: reader.duration(section, "every").unwrap_or(SHORTEST_FIT),
            width: reader.duration(section, "width").unwrap_or(Duration::from_secs(1)),
        },
        Some(ShapeName::Square) => {
            Shape::Square { low: rate("low"), high: rate("high"), halves: count(reader.integer(section, "halves")) }
        }
        Some(ShapeName::Sine) => {
            let (mean, amplitude) = (reader.number(section, "mean"), reader.number(section, "amplitude"));
            Shape::Sine {
                // Without a mean any swing would be too wide.
                amplitude: Rps::new(mean.and(amplitude).unwrap_or(0.0)),
                mean: Rps::new(mean.unwrap_or(1.0)),
                period: reader.duration(section, "period").unwrap_or(SHORTEST_FIT),
                start_at: reader.choice(section, "start_at").unwrap_or(StartAt::Mean),
            }
        }
        Some(ShapeName::Users) => {
            Shape::Users { users: reader.integer(section, "users").map(|users| count(Some(users))) }
        }
        Some(ShapeName::External) => Shape::External,
        Some(ShapeName::Pause) => Shape::Pause,
        None => Shape::Constant { rate: Rps::new(1.0) },
    }
}

/// A number that the list of keys bounds far below `u32::MAX`.
fn count(number: Option<u64>) -> u32 {
    number.map_or(1, |number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn stage(reader: &mut Reader, section: &Section<'_>) -> Stage {
    Stage {
        target_rate: Rps::new(reader.number(section, "target_rate").unwrap_or(1.0)),
        duration: reader.duration(section, "duration").unwrap_or(SHORTEST_FIT),
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
