//! The table of the service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::log_events::log_event;
use super::metrics::metrics;
use super::{LiveChoice, Package, Program, Ready, ReadyCheck, RenderedFile, Service, Stop, StopSignal};
use crate::problem::Problem;
use crate::scenario::read::{Reader, Section};
use crate::template::Template;

pub(in crate::scenario) fn service(reader: &mut Reader, top: &Section<'_>) -> Service {
    let Some(section) = &reader.section(top, "service") else { return nobodys_service() };
    let program = program(reader, section);
    let url = reader.template(section, "url");
    let ready = match reader.section(section, "ready") {
        Some(table) => ready(reader, &table),
        None => ready_at(reader, section, url.as_ref()),
    };
    let nobodys = nobodys_service();
    Service {
        program: program.unwrap_or(nobodys.program),
        args: reader.templates(section, "args").unwrap_or_default(),
        env: reader.template_map(section, "env").unwrap_or_default(),
        files: reader.list(section, "files", rendered_file),
        // What is wrong with it is reported; that it is not there is for the check, which knows whether it is needed.
        url: if Reader::has(section, "url") { url.or(nobodys.url) } else { None },
        ready,
        stop: stop(reader, section),
        memory_limit_bytes: reader.size(section, "memory_limit"),
        enforce_limit: reader.boolean(section, "enforce_limit").unwrap_or_default(),
        cpus: reader.wholes(section, "cpus"),
        live: reader.choice(section, "live").unwrap_or_default(),
        probe: reader.text(section, "probe"),
        log_events: reader.list(section, "log_events", log_event).into_iter().flatten().collect(),
        metrics: metrics(reader, section),
    }
}

/// What stands in for a service that is not there or not right, and in which no check finds a problem.
fn nobodys_service() -> Service {
    let template = |text| Template::parse(text).unwrap_or_default();
    Service {
        program: Program::Command(vec![template("nobody")]),
        args: Vec::new(),
        env: BTreeMap::new(),
        files: Vec::new(),
        url: Some(template("http://127.0.0.1:{{port}}")),
        ready: None,
        stop: Stop { signal: StopSignal::Term, grace: Duration::ZERO },
        memory_limit_bytes: None,
        enforce_limit: false,
        cpus: Vec::new(),
        live: LiveChoice::Auto,
        probe: None,
        log_events: Vec::new(),
        metrics: None,
    }
}

fn program(reader: &mut Reader, section: &Section<'_>) -> Option<Program> {
    const OF_PACKAGES: [&str; 6] = ["bin", "profile", "features", "default_features", "locked", "rustflags"];
    let name = reader.text(section, "package");
    let command = reader.templates(section, "command");
    let package = Package {
        name: name.clone().unwrap_or_default(),
        bin: reader.text(section, "bin"),
        profile: reader.text(section, "profile").unwrap_or_default(),
        features: reader.texts(section, "features").unwrap_or_default(),
        default_features: reader.boolean(section, "default_features").unwrap_or_default(),
        locked: reader.boolean(section, "locked").unwrap_or_default(),
        rustflags: reader.texts(section, "rustflags").unwrap_or_default(),
    };
    let span = |reader: &Reader, name: &str| reader.spans.of(&format!("{}.{name}", section.path));
    match (Reader::has(section, "package"), Reader::has(section, "command")) {
        (true, true) => {
            let problem = Problem::error("\"package\" and \"command\" exclude each other", span(reader, "command"));
            reader.problems.push(problem.help("steep starts either what it builds or what you name"));
            None
        }
        (false, false) => {
            let problem = Problem::error("[service] says neither \"package\" nor \"command\"", span(reader, ""));
            let help = "package = \"…\" for a cargo package, command = [\"…\"] for any other program";
            reader.problems.push(problem.help(help));
            None
        }
        (true, false) => name.map(|_| Program::Package(package)),
        (false, true) => {
            for name in OF_PACKAGES.into_iter().filter(|name| Reader::has(section, name)) {
                let problem = Problem::error(format!("\"{name}\" has no meaning with \"command\""), span(reader, name));
                reader.problems.push(problem.help("only what steep builds itself has it"));
            }
            command.map(Program::Command)
        }
    }
}

pub(in crate::scenario) fn rendered_file(reader: &mut Reader, section: &Section<'_>) -> RenderedFile {
    let from = reader.text(section, "from").map(PathBuf::from).unwrap_or_default();
    RenderedFile { from, to: reader.template(section, "to").unwrap_or_default() }
}

pub(in crate::scenario) fn ready(reader: &mut Reader, section: &Section<'_>) -> Option<Ready> {
    let path = reader.text(section, "path");
    let tcp = reader.template(section, "tcp");
    let timeout = reader.duration(section, "timeout");
    let check = match (Reader::has(section, "path"), Reader::has(section, "tcp")) {
        (true, false) => path.map(ReadyCheck::Path),
        (false, true) => tcp.map(ReadyCheck::Tcp),
        (both, _) => {
            let message = if both { "says both" } else { "says neither" };
            let span = reader.spans.of(&section.path);
            let problem = Problem::error(format!("[{}] {message} \"path\" and \"tcp\"", section.path), span);
            reader.problems.push(problem.help("path = \"/healthz\", or tcp = \"127.0.0.1:{{port}}\""));
            None
        }
    };
    Some(Ready { check: check?, timeout: timeout? })
}

/// Readiness of a service that says nothing about it: its address takes connections.
fn ready_at(reader: &mut Reader, section: &Section<'_>, url: Option<&Template>) -> Option<Ready> {
    let text = url?.to_string();
    let authority = text.split_once("://")?.1.split('/').next()?;
    let timeout = reader.duration(&Section::missing(section, "ready"), "timeout")?;
    Some(Ready { check: ReadyCheck::Tcp(Template::parse(authority).ok()?), timeout })
}

pub(in crate::scenario) fn stop(reader: &mut Reader, section: &Section<'_>) -> Stop {
    let section = &reader.table(section, "stop");
    let signal = reader.choice(section, "signal").unwrap_or(StopSignal::Term);
    Stop { signal, grace: reader.duration(section, "grace").unwrap_or_default() }
}
