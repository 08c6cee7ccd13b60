//! The tables of flags.

use super::Flag;
use super::kinds::switch;
use crate::scenario::read::{Reader, Section};
use crate::scenario::verify::verify;

pub(in crate::scenario) fn flag(reader: &mut Reader, section: &Section<'_>) -> Flag {
    let kind: Option<String> = reader.choice(section, "kind");
    let values = reader.scalars(section, "values").unwrap_or_default();
    Flag {
        name: reader.text(section, "name").unwrap_or_else(|| section.unnamed()),
        switch: switch(reader, section, kind.as_deref(), !values.is_empty()),
        values,
        default: reader.boolean(section, "default").unwrap_or_default(),
        group: reader.text(section, "group"),
        requires: reader.texts(section, "requires").unwrap_or_default(),
        conflicts_with: reader.texts(section, "conflicts_with").unwrap_or_default(),
        verify: reader.section(section, "verify").and_then(|table| verify(reader, &table)),
    }
}
