//! From the text of a scenario file to a [`Scenario`], table by table, with every problem of every table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::DeTable;

use super::check::check;
use super::read::{Reader, Section};
use super::{
    Allocator, Axis, AxisKind, Dependency, Flag, Http, Judge, Load, Package, Param, Phase, PlanRules, Program, Ready,
    ReadyCheck, RenderedFile, Request, Row, Sampling, Scenario, Service, Shape, Stop, Switch, Verify,
};
use crate::problem::{Problem, Spans, any_error};
use crate::template::Template;
use crate::units::{BytesPerHour, BytesPerRequest, Rps, Seed};

/// What decoding a file gives: a scenario unless some problem is an error, and where everything stands.
#[derive(Debug)]
pub struct Decoded {
    /// The scenario, if it can be run.
    pub scenario: Option<Scenario>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
    /// Where each value stands.
    pub spans: Spans,
}

/// Decodes and checks the `text` of a scenario file.
#[must_use]
pub fn decode(text: &str) -> Decoded {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::default();
    for error in syntax {
        reader.problems.push(Problem::error(error.message().to_owned(), error.span()).label("here the TOML is broken"));
    }
    if any_error(&reader.problems) {
        // What is left of a broken document misleads: only the syntax is told.
        return Decoded { scenario: None, problems: reader.problems, spans: reader.spans };
    }
    let top = reader.enter("", String::new(), None, document.get_ref());
    let scenario = scenario(&mut reader, &top);
    let Reader { mut problems, spans } = reader;
    if let Some(scenario) = &scenario {
        problems.extend(check(scenario, &spans));
    }
    Decoded { scenario: scenario.filter(|_| !any_error(&problems)), problems, spans }
}

fn scenario(reader: &mut Reader, top: &Section<'_>) -> Option<Scenario> {
    let name = reader.text(top, "name");
    let seed = reader.integer(top, "seed");
    let service = reader.section(top, "service").and_then(|section| service(reader, &section));
    let dependencies = each(reader, top, "dependencies", dependency);
    let http = reader.section(top, "http").and_then(|section| http(reader, &section));
    let load = reader.section(top, "load").and_then(|section| load(reader, &section));
    let phases = each(reader, top, "phases", phase);
    let requests = each(reader, top, "requests", request);
    let params = params(reader, top);
    let flags = each(reader, top, "flags", flag);
    let axes = each(reader, top, "axes", axis);
    let allocators = allocators(reader, top);
    let plan = reader.section(top, "plan").and_then(|section| plan(reader, &section));
    let sampling = reader.section(top, "sampling").and_then(|section| sampling(reader, &section));
    let judge = reader.section(top, "judge").and_then(|section| judge(reader, &section));
    Some(Scenario {
        name: name?,
        seed: Seed(seed?),
        service: service?,
        dependencies: dependencies?,
        http: http?,
        load: load?,
        phases: phases?,
        requests: requests?,
        params: params?,
        flags: flags?,
        axes: axes?,
        allocators: allocators?,
        plan: plan?,
        sampling: sampling?,
        judge: judge?,
    })
}

/// All tables of the list `name`, or none if any of them is wrong.
fn each<T>(
    reader: &mut Reader,
    section: &Section<'_>,
    name: &str,
    decode: impl Fn(&mut Reader, &Section<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let sections = reader.sections(section, name);
    // Each is decoded before any is given up, so that each tells its problems.
    let decoded: Vec<Option<T>> = sections.iter().map(|section| decode(reader, section)).collect();
    decoded.into_iter().collect()
}

fn service(reader: &mut Reader, section: &Section<'_>) -> Option<Service> {
    let program = program(reader, section);
    let args = reader.templates(section, "args");
    let env = reader.template_map(section, "env");
    let files = each(reader, section, "files", rendered_file);
    let url = reader.template(section, "url");
    let ready = match reader.section(section, "ready") {
        Some(table) => ready(reader, &table),
        None if Reader::has(section, "ready") => None,
        None => url.as_ref().and_then(|url| ready_at(reader, section, url)),
    };
    let stop = reader.section(section, "stop").and_then(|section| stop(reader, &section));
    let memory_limit_bytes = reader.size(section, "memory_limit");
    let cpus = reader.integers(section, "cpus");
    let probe = reader.text(section, "probe");
    Some(Service {
        program: program?,
        args: args?,
        env: env?,
        files: files?,
        url: url?,
        ready: ready?,
        stop: stop?,
        memory_limit_bytes,
        cpus: cpu_numbers(&cpus?),
        probe,
    })
}

fn program(reader: &mut Reader, section: &Section<'_>) -> Option<Program> {
    const OF_PACKAGES: [&str; 6] = ["bin", "profile", "features", "default_features", "locked", "rustflags"];
    let name = reader.text(section, "package");
    let command = reader.templates(section, "command");
    let bin = reader.text(section, "bin");
    let profile = reader.text(section, "profile");
    let features = reader.texts(section, "features");
    let default_features = reader.boolean(section, "default_features");
    let locked = reader.boolean(section, "locked");
    let rustflags = reader.texts(section, "rustflags");
    let span = |reader: &Reader, name: &str| reader.spans.of(&format!("{}.{name}", section.path));
    match (Reader::has(section, "package"), Reader::has(section, "command")) {
        (true, true) => {
            let problem = Problem::error("\"package\" and \"command\" exclude each other", span(reader, "command"));
            reader.problems.push(problem.help("steep starts either what it builds or what you name"));
            None
        }
        (false, false) => {
            let problem = Problem::error("[service] says neither \"package\" nor \"command\"", span(reader, ""));
            reader
                .problems
                .push(problem.help("package = \"…\" for a cargo package, command = [\"…\"] for any other program"));
            None
        }
        (true, false) => Some(Program::Package(Package {
            name: name?,
            bin,
            profile: profile?,
            features: features?,
            default_features: default_features?,
            locked: locked?,
            rustflags: rustflags?,
        })),
        (false, true) => {
            for name in OF_PACKAGES.into_iter().filter(|name| Reader::has(section, name)) {
                let problem = Problem::error(format!("\"{name}\" has no meaning with \"command\""), span(reader, name));
                reader.problems.push(problem.help("only what steep builds itself has it"));
            }
            Some(Program::Command(command?))
        }
    }
}

fn rendered_file(reader: &mut Reader, section: &Section<'_>) -> Option<RenderedFile> {
    let from = reader.text(section, "from");
    let to = reader.template(section, "to");
    Some(RenderedFile { from: PathBuf::from(from?), to: to? })
}

fn ready(reader: &mut Reader, section: &Section<'_>) -> Option<Ready> {
    let path = reader.text(section, "path");
    let tcp = reader.template(section, "tcp");
    let timeout = reader.duration(section, "timeout");
    let check = match (path, tcp) {
        (Some(path), None) => ReadyCheck::Path(path),
        (None, Some(tcp)) => ReadyCheck::Tcp(tcp),
        (path, _) => {
            let message = if path.is_some() { "says both" } else { "says neither" };
            let span = reader.spans.of(&section.path);
            let problem = Problem::error(format!("[{}] {message} \"path\" and \"tcp\"", section.path), span);
            reader.problems.push(problem.help("path = \"/healthz\", or tcp = \"127.0.0.1:{{port}}\""));
            return None;
        }
    };
    Some(Ready { check, timeout: timeout? })
}

/// Readiness of a service that says nothing about it: its address takes connections.
fn ready_at(reader: &mut Reader, section: &Section<'_>, url: &Template) -> Option<Ready> {
    let text = url.to_string();
    let authority = text.split_once("://")?.1.split('/').next()?;
    let empty = Section::empty("service.ready", format!("{}.ready", section.path));
    let timeout = reader.duration(&empty, "timeout")?;
    Some(Ready { check: ReadyCheck::Tcp(Template::parse(authority).ok()?), timeout })
}

fn stop(reader: &mut Reader, section: &Section<'_>) -> Option<Stop> {
    let signal = reader.choice(section, "signal");
    let grace = reader.duration(section, "grace");
    Some(Stop { signal: signal?, grace: grace? })
}

fn dependency(reader: &mut Reader, section: &Section<'_>) -> Option<Dependency> {
    let name = reader.text(section, "name");
    let command = reader.templates(section, "command");
    let env = reader.template_map(section, "env");
    let files = each(reader, section, "files", rendered_file);
    let ready = match reader.section(section, "ready") {
        Some(table) => ready(reader, &table).map(Some),
        None if Reader::has(section, "ready") => None,
        None => Some(None),
    };
    let stop = reader.section(section, "stop").and_then(|section| stop(reader, &section));
    let before_cell = reader.templates(section, "before_cell");
    Some(Dependency {
        name: name?,
        command: command?,
        env: env?,
        files: files?,
        ready: ready?,
        stop: stop?,
        before_cell: before_cell?,
    })
}

fn http(reader: &mut Reader, section: &Section<'_>) -> Option<Http> {
    let protocol: Option<String> = reader.choice(section, "protocol");
    let connections = reader.integer(section, "connections");
    let max_requests_per_connection = reader.integer(section, "max_requests_per_connection");
    let connect_timeout = reader.duration(section, "connect_timeout");
    let request_timeout = reader.duration(section, "request_timeout");
    protocol?;
    Some(Http {
        connections: whole(connections?),
        max_requests_per_connection: max_requests_per_connection?,
        connect_timeout: connect_timeout?,
        request_timeout: request_timeout?,
    })
}

fn load(reader: &mut Reader, section: &Section<'_>) -> Option<Load> {
    let model: Option<String> = reader.choice(section, "model");
    let pacing: Option<String> = reader.choice(section, "pacing");
    let arrival = reader.choice(section, "arrival");
    let max_in_flight = reader.integer(section, "max_in_flight");
    let cpus = reader.integers(section, "cpus");
    model.and(pacing)?;
    Some(Load { arrival: arrival?, max_in_flight: whole(max_in_flight?), cpus: cpu_numbers(&cpus?) })
}

fn phase(reader: &mut Reader, section: &Section<'_>) -> Option<Phase> {
    let name = reader.text(section, "name");
    let role = reader.choice(section, "role");
    let shape: Option<String> = reader.choice(section, "shape");
    let duration = reader.duration(section, "duration");
    let mut rate = |name| reader.number(section, name).map(Rps::new);
    let shape = match shape?.as_str() {
        "constant" => rate("rate").map(|rate| Shape::Constant { rate }),
        "ramp" => {
            let (start, target) = (rate("start_rate"), rate("target_rate"));
            start.zip(target).map(|(start_rate, target_rate)| Shape::Ramp { start_rate, target_rate })
        }
        _ => Some(Shape::Pause),
    };
    Some(Phase { name: name?, role: role?, shape: shape?, duration: duration? })
}

fn request(reader: &mut Reader, section: &Section<'_>) -> Option<Request> {
    let name = reader.text(section, "name");
    let weight = reader.number(section, "weight");
    let method = reader.choice(section, "method");
    let path = reader.template(section, "path");
    let headers = reader.template_map(section, "headers");
    let body = reader.template(section, "body");
    let statuses = reader.section(section, "expect").and_then(|expect| reader.integers(&expect, "status"));
    Some(Request {
        name: name?,
        weight: weight?,
        method: method?,
        path: path?,
        headers: headers?.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        body,
        // The list of keys bounds each to 100..=599.
        expect_status: statuses?.into_iter().map(|status| status as u16).collect(),
    })
}

fn params(reader: &mut Reader, top: &Section<'_>) -> Option<BTreeMap<String, Param>> {
    let sections = reader.named_sections(top, "params");
    let decoded: Vec<Option<(String, Param)>> =
        sections.into_iter().map(|(name, section)| Some((name, param(reader, &section)?))).collect();
    decoded.into_iter().collect()
}

fn param(reader: &mut Reader, section: &Section<'_>) -> Option<Param> {
    let dist: String = reader.choice(section, "dist")?;
    if dist == "unique" {
        return Some(Param::Unique);
    }
    let (min, max) = (reader.integer(section, "min"), reader.integer(section, "max"));
    let (min, max) = min.zip(max)?;
    Some(if dist == "uniform" { Param::Uniform { min, max } } else { Param::Sequential { min, max } })
}

fn flag(reader: &mut Reader, section: &Section<'_>) -> Option<Flag> {
    let name = reader.text(section, "name");
    let switch = reader.choice::<String>(section, "kind").and_then(|kind| switch(reader, section, &kind));
    let default = reader.boolean(section, "default");
    let requires = reader.texts(section, "requires");
    let conflicts_with = reader.texts(section, "conflicts_with");
    let verify = match reader.section(section, "verify") {
        Some(table) => verify(reader, &table).map(Some),
        None if Reader::has(section, "verify") => None,
        None => Some(None),
    };
    Some(Flag {
        name: name?,
        switch: switch?,
        default: default?,
        requires: requires?,
        conflicts_with: conflicts_with?,
        verify: verify?,
    })
}

fn switch(reader: &mut Reader, section: &Section<'_>, kind: &str) -> Option<Switch> {
    match kind {
        "cargo-feature" => Some(Switch::CargoFeature { feature: reader.text(section, "feature")? }),
        "env" => {
            let (var, on) = (reader.text(section, "var"), reader.text(section, "on"));
            let off = if Reader::has(section, "off") { Some(reader.text(section, "off")?) } else { None };
            Some(Switch::Env { var: var?, on: on?, off })
        }
        _ => {
            let on = if Reader::has(section, "on") { reader.texts(section, "on") } else { Some(Vec::new()) };
            let off = if Reader::has(section, "off") { reader.texts(section, "off") } else { Some(Vec::new()) };
            Some(Switch::Arg { on: on?, off: off? })
        }
    }
}

fn verify(reader: &mut Reader, section: &Section<'_>) -> Option<Verify> {
    let path = reader.text(section, "path");
    let contains = reader.text(section, "contains");
    Some(Verify { path: path?, contains: contains? })
}

fn axis(reader: &mut Reader, section: &Section<'_>) -> Option<Axis> {
    let name = reader.text(section, "name");
    let kind = match reader.choice::<String>(section, "kind").as_deref() {
        Some("allocator") => Some(AxisKind::Allocator),
        Some(_) => reader.text(section, "var").map(|var| AxisKind::Env { var }),
        None => None,
    };
    let values = reader.texts(section, "values");
    Some(Axis { name: name?, kind: kind?, values: values? })
}

fn allocators(reader: &mut Reader, top: &Section<'_>) -> Option<BTreeMap<String, Allocator>> {
    let sections = reader.named_sections(top, "allocators");
    let mut decoded = Vec::new();
    for (name, section) in sections {
        let features = reader.texts(&section, "features");
        let env = reader.text_map(&section, "env");
        decoded.push(features.zip(env).map(|(features, env)| (name, Allocator { features, env })));
    }
    decoded.into_iter().collect()
}

fn plan(reader: &mut Reader, section: &Section<'_>) -> Option<PlanRules> {
    let strategy = reader.choice(section, "strategy");
    let replicates = reader.integer(section, "replicates");
    let max_cells = reader.integer(section, "max_cells");
    let include = each(reader, section, "include", row);
    let exclude = each(reader, section, "exclude", row);
    Some(PlanRules {
        strategy: strategy?,
        // The list of keys bounds it to 1000.
        replicates: replicates? as u32,
        max_cells: whole(max_cells?),
        include: include?,
        exclude: exclude?,
    })
}

fn row(reader: &mut Reader, section: &Section<'_>) -> Option<Row> {
    let flags = reader.texts(section, "flags");
    let axes: Vec<Option<(String, String)>> = Reader::chosen_names(section)
        .into_iter()
        .map(|axis| reader.text(section, &axis).map(|value| (axis, value)))
        .collect();
    Some(Row { flags: flags?, axes: axes.into_iter().collect::<Option<_>>()? })
}

fn sampling(reader: &mut Reader, section: &Section<'_>) -> Option<Sampling> {
    Some(Sampling { every: reader.duration(section, "every")? })
}

fn judge(reader: &mut Reader, section: &Section<'_>) -> Option<Judge> {
    let per_request = reader.size(section, "min_growth_per_request");
    let per_hour = reader.size(section, "min_growth_per_hour");
    let strictness = reader.choice(section, "strictness");
    let stop_early: Option<String> = reader.choice(section, "stop_early");
    let fail_on = reader.choices(section, "fail_on");
    stop_early?;
    Some(Judge {
        min_growth_bytes_per_request: BytesPerRequest::new(per_request?.as_f64()),
        min_growth_bytes_per_hour: BytesPerHour::new(per_hour?.as_f64()),
        strictness: strictness?,
        fail_on: fail_on?,
    })
}

fn cpu_numbers(cpus: &[u64]) -> Vec<usize> {
    cpus.iter().map(|cpu| whole(*cpu)).collect()
}

/// A number that the list of keys bounds far below `usize::MAX`.
fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
