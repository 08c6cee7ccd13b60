//! Flags of kind `http`: a request to the service once it is ready, after each start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CellSettings, FlagKind, Listed, State, Switch};
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::flags::Flag;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key, only};

pub(super) const KIND: Listed = Listed { name: "http", decode, together: None };

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    only(key("flags[].request", Kind::Table, Presence::Required, "Sent to the service once it is ready, after each start, where the flag is on. A status from 400 up makes the cell `invalid`."), "kind", &["http"]),
    key("flags[].request.method", Kind::Choice(&["GET", "POST", "PUT", "PATCH", "DELETE"], &[]), Presence::Default("\"POST\""), "HTTP method."),
    key("flags[].request.path", Kind::Text, Presence::Required, "Path and query."),
    key("flags[].request.headers", Kind::TextMap, Presence::Default("{}"), "Headers."),
    key("flags[].request.body", Kind::Text, Presence::Optional, "Body."),
    only(key("flags[].off_request", Kind::Table, Presence::Optional, "The same where the flag is off. Without it: nothing is sent."), "kind", &["http"]),
    key("flags[].off_request.method", Kind::Choice(&["GET", "POST", "PUT", "PATCH", "DELETE"], &[]), Presence::Default("\"POST\""), "HTTP method."),
    key("flags[].off_request.path", Kind::Text, Presence::Required, "Path and query."),
    key("flags[].off_request.headers", Kind::TextMap, Presence::Default("{}"), "Headers."),
    key("flags[].off_request.body", Kind::Text, Presence::Optional, "Body."),
];

/// A request to the service once it is ready, after each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// Sent where the flag is on.
    on: SwitchRequest,
    /// Sent where the flag is off; none: nothing is.
    off: Option<SwitchRequest>,
}

/// A request that switches a flag. Nothing is replaced in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRequest {
    /// HTTP method, in capitals.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Option<String>,
}

fn decode(reader: &mut Reader, section: &Section<'_>, _has_values: bool) -> Switch {
    Switch::Http(Http {
        on: required_request(reader, section),
        off: reader.section(section, "off_request").map(|table| request(reader, &table)),
    })
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

impl FlagKind for Http {
    fn described(&self) -> String {
        self.on.path.clone()
    }

    fn check(&self, check: &mut Check<'_>, path: &str, _flag: &Flag) {
        check_request(check, &format!("{path}.request"), &self.on);
        if let Some(off) = &self.off {
            check_request(check, &format!("{path}.off_request"), off);
        }
        if self.off.as_ref() == Some(&self.on) {
            let message = "\"request\" and \"off_request\" are the same: the flag would switch nothing";
            check.error(path, message, "leave \"off_request\" out where the service starts with it off");
        }
    }

    fn asks_service(&self) -> bool {
        true
    }

    fn start(&self, _scenario: &Scenario, state: State<'_>, settings: &mut CellSettings) {
        let request = if state.is_on { Some(&self.on) } else { self.off.as_ref() };
        settings.requests.extend(request.map(|request| (state.flag.to_owned(), request.clone())));
    }
}

fn check_request(check: &mut Check<'_>, path: &str, request: &SwitchRequest) {
    check.own_path(&format!("{path}.path"), &request.path);
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    for (name, value) in &request.headers {
        if !is_name(name) || value.contains(['\r', '\n']) {
            check.error(&format!("{path}.headers"), format!("{name:?} cannot be sent as a header"), "");
        }
    }
}
