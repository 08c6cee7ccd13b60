//! The tables of flags.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Flag, Switch, SwitchRequest};
use crate::scenario::JsonPath;
use crate::scenario::read::{Reader, Section};
use crate::scenario::verify::verify;

pub(in crate::scenario) fn flag(reader: &mut Reader, section: &Section<'_>) -> Flag {
    let kind = reader.choice(section, "kind");
    let values = reader.scalars(section, "values").unwrap_or_default();
    Flag {
        name: reader.text(section, "name").unwrap_or_else(|| section.unnamed()),
        switch: switch(reader, section, kind, !values.is_empty()),
        values,
        default: reader.boolean(section, "default").unwrap_or_default(),
        group: reader.text(section, "group"),
        requires: reader.texts(section, "requires").unwrap_or_default(),
        conflicts_with: reader.texts(section, "conflicts_with").unwrap_or_default(),
        verify: reader.section(section, "verify").and_then(|table| verify(reader, &table)),
    }
}

/// The names of [`Switch`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SwitchName {
    CargoFeature,
    Cfg,
    Env,
    Arg,
    Config,
    Http,
}

fn switch(reader: &mut Reader, section: &Section<'_>, kind: Option<SwitchName>, has_values: bool) -> Switch {
    let mut args = |name| Reader::has(section, name).then(|| reader.texts(section, name)).flatten().unwrap_or_default();
    match kind {
        Some(SwitchName::CargoFeature) => {
            Switch::CargoFeature { feature: reader.text(section, "feature").unwrap_or_default() }
        }
        Some(SwitchName::Cfg) => Switch::Cfg { cfg: reader.text(section, "cfg").unwrap_or_default() },
        Some(SwitchName::Http) => Switch::Http {
            on: required_request(reader, section),
            off: reader.section(section, "off_request").map(|table| request(reader, &table)),
        },
        Some(SwitchName::Config) => Switch::Config {
            file: reader.text(section, "file").map(PathBuf::from),
            key: JsonPath::new(reader.text(section, "key").unwrap_or_else(|| section.unnamed())),
            on: reader
                .scalar(section, "on")
                .unwrap_or_else(|| if has_values { "{{value}}".into() } else { true.into() }),
            off: reader.scalar(section, "off"),
        },
        Some(SwitchName::Env) => Switch::Env {
            var: reader.text(section, "var").unwrap_or_default(),
            on: reader.text(section, "on").unwrap_or_else(|| if has_values { "{{value}}" } else { "1" }.to_owned()),
            off: reader.text(section, "off"),
        },
        Some(SwitchName::Arg) => Switch::Arg { on: args("on"), off: args("off") },
        // In which no check finds a problem.
        None => Switch::Arg { on: vec![if has_values { "{{value}}" } else { "on" }.to_owned()], off: Vec::new() },
    }
}

fn required_request(reader: &mut Reader, section: &Section<'_>) -> SwitchRequest {
    match reader.section(section, "request") {
        Some(table) => request(reader, &table),
        // Its absence has been told; a path in which no check finds a problem.
        None => SwitchRequest { method: "POST".to_owned(), path: "/".to_owned(), headers: BTreeMap::new(), body: None },
    }
}

fn request(reader: &mut Reader, section: &Section<'_>) -> SwitchRequest {
    SwitchRequest {
        method: reader.choice(section, "method").unwrap_or_default(),
        path: reader.text(section, "path").unwrap_or_else(|| "/".to_owned()),
        headers: reader.text_map(section, "headers").unwrap_or_default(),
        body: reader.text(section, "body"),
    }
}
