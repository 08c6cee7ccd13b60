//! The tables of allocators.

use super::Allocator;
use crate::scenario::read::{Reader, Section};
use crate::scenario::verify::verify;

pub(in crate::scenario) fn allocator(reader: &mut Reader, section: &Section<'_>) -> Allocator {
    Allocator {
        features: reader.texts(section, "features").unwrap_or_default(),
        env: reader.text_map(section, "env").unwrap_or_default(),
        preload: reader.text(section, "preload"),
        verify: reader.section(section, "verify").and_then(|table| verify(reader, &table)),
    }
}
