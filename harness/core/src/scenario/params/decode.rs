//! The tables of parameters.

use serde::Deserialize;

use super::{Param, Pick};
use crate::scenario::JsonPath;
use crate::scenario::read::{Reader, Section};

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

pub(in crate::scenario) fn param(reader: &mut Reader, section: &Section<'_>) -> Param {
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
