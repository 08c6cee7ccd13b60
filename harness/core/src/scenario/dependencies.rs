//! What the service needs beside it: its type, keys, decoding and checks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::read::{Reader, Section};
use super::schema::{Key, Kind, LONGEST, Presence, key};
use super::service::decode::{ready, rendered_file, stop};
use super::{Ready, RenderedFile, Scenario, Stop};
use crate::template::Template;

/// A process that the service needs; its memory is recorded and not judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dependency {
    /// Its name; the service sees its port as `{{<name>.port}}`.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Environment, beside steep's own.
    pub env: BTreeMap<String, Template>,
    /// Files written before each start.
    pub files: Vec<RenderedFile>,
    /// When it counts as up.
    pub ready: Option<Ready>,
    /// How it is asked to end.
    pub stop: Stop,
    /// A command run once it is up, before each cell; empty: none.
    pub before_cell: Vec<Template>,
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("dependencies", Kind::Tables, Presence::Default("[]"), "Processes that the service needs, started before it in this order. Their memory is recorded, not judged."),
    key("dependencies[].name", Kind::Text, Presence::Required, "Its name. Its port is `{{port}}` in its own texts and `{{<name>.port}}` in the service's."),
    key("dependencies[].command", Kind::Templates, Presence::Required, "Program and arguments."),
    key("dependencies[].env", Kind::TemplateMap, Presence::Default("{}"), "Variables of its environment."),
    key("dependencies[].files", Kind::Tables, Presence::Default("[]"), "Files written before each start."),
    key("dependencies[].files[].from", Kind::Text, Presence::Required, "Template file, relative to the scenario file."),
    key("dependencies[].files[].to", Kind::Template, Presence::Required, "Where it is written."),
    key("dependencies[].ready", Kind::Table, Presence::Optional, "When it counts as up. Without it: at once."),
    key("dependencies[].ready.path", Kind::Text, Presence::Optional, "A GET of this path on `127.0.0.1:{{port}}` answers with a status below 400."),
    key("dependencies[].ready.tcp", Kind::Template, Presence::Optional, "This address takes connections; in place of `path`."),
    key("dependencies[].ready.timeout", Kind::Duration(100, LONGEST), Presence::Default("\"30s\""), "How long it may take."),
    key("dependencies[].stop", Kind::Table, Presence::Default("{}"), "How it is asked to end."),
    key("dependencies[].stop.signal", Kind::Choice(&["TERM", "INT", "QUIT", "HUP"], &[]), Presence::Default("\"TERM\""), "The signal that is sent first."),
    key("dependencies[].stop.grace", Kind::Duration(0, LONGEST), Presence::Default("\"10s\""), "How long it has before it is killed."),
    key("dependencies[].before_cell", Kind::Templates, Presence::Default("[]"), "A command that is run once it is up, before each cell: fresh data."),
];

pub(in crate::scenario) fn dependency(reader: &mut Reader, section: &Section<'_>) -> Dependency {
    Dependency {
        name: reader.text(section, "name").unwrap_or_else(|| section.unnamed()),
        command: reader.templates(section, "command").unwrap_or_else(|| vec![Template::default()]),
        env: reader.template_map(section, "env").unwrap_or_default(),
        files: reader.list(section, "files", rendered_file),
        ready: reader.section(section, "ready").and_then(|table| ready(reader, &table)),
        stop: stop(reader, section),
        before_cell: reader.templates(section, "before_cell").unwrap_or_default(),
    }
}

impl Check<'_> {
    pub(in crate::scenario) fn dependencies(&mut self, scenario: &Scenario) {
        self.distinct_names("dependencies", scenario.dependencies.iter().map(|dependency| dependency.name.as_str()));
        let mut known: Vec<String> = ["port", "dir"].map(str::to_owned).to_vec();
        for (index, dependency) in scenario.dependencies.iter().enumerate() {
            self.dependency(&format!("dependencies[{index}]"), dependency, &known);
            // Those that come later may use the ports of those before.
            known.push(format!("{}.port", dependency.name));
        }
    }

    fn dependency(&mut self, path: &str, dependency: &Dependency, known: &[String]) {
        self.file_name(&format!("{path}.name"), &dependency.name);
        // Its output goes to `<name>.log`, beside that of the service.
        self.reserved(&format!("{path}.name"), &dependency.name, &["service", "driver", "port", "dir"]);
        self.command(&format!("{path}.command"), &dependency.command, known);
        self.environment(&format!("{path}.env"), dependency.env.keys());
        if let Some(ready) = &dependency.ready {
            self.ready(&format!("{path}.ready"), ready, known);
        }
        if dependency.name.contains('.') {
            self.error(&format!("{path}.name"), "a dependency's name has no `.`", "{{<name>.port}} would be ambiguous");
        }
        self.process_texts(&format!("{path}.before_cell"), &dependency.before_cell, known);
        for (name, value) in &dependency.env {
            self.process_text(&format!("{path}.env.{name}"), value, known);
        }
        self.files(&format!("{path}.files"), &dependency.files, known);
    }
}
