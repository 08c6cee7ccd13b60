//! From the text of a scenario file to a [`Scenario`], table by table, with every problem of every table.
//!
//! What is missing or wrong is a problem already when a neutral value takes its place here, so that the checks that span several
//! keys find the other problems in the same pass. A scenario with any error is not given away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

use super::check::{self, check};
use super::read::{Reader, Section};
use super::{
    Allocator, Arrival, Axis, AxisKind, Dependency, Flag, Http, Judge, Load, Package, Param, Phase, PlanRules, Program,
    Ready, ReadyCheck, RenderedFile, Request, Role, Row, Sampling, Scenario, Service, Shape, Stop, StopSignal,
    Strategy, Strictness, Switch, Verify,
};
use crate::problem::{Problem, Severity, Spans, any_error};
use crate::template::Template;
use crate::units::{Bytes, BytesPerHour, BytesPerRequest, Rps, Seed};

/// What decoding a file gives: a scenario unless some problem is an error, and where everything stands.
#[derive(Debug)]
pub struct Decoded {
    /// The scenario, if it can be run.
    pub scenario: Option<Scenario>,
    /// The same with neutral values for what is wrong, for checks that need more than the text; none where the TOML is broken.
    pub draft: Option<Scenario>,
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
        return Decoded { scenario: None, draft: None, problems: reader.problems, spans: reader.spans };
    }
    let top = reader.enter("", String::new(), None, document.get_ref());
    let scenario = scenario(&mut reader, &top);
    let Reader { mut problems, spans } = reader;
    let mut found = check(&scenario, &spans);
    if any_error(&problems) {
        // A warning may be about a neutral stand-in.
        found.retain(|problem| problem.severity == Severity::Error);
    }
    problems.extend(found);
    let sound = (!any_error(&problems)).then(|| scenario.clone());
    Decoded { scenario: sound, draft: Some(scenario), problems, spans }
}

fn scenario(reader: &mut Reader, top: &Section<'_>) -> Scenario {
    Scenario {
        name: reader.text(top, "name").unwrap_or_else(|| "unnamed".to_owned()),
        seed: Seed(reader.integer(top, "seed").unwrap_or_default()),
        service: service(reader, top),
        dependencies: each(reader, top, "dependencies", dependency),
        http: http(reader, top),
        load: load(reader, top),
        phases: each(reader, top, "phases", phase),
        requests: each(reader, top, "requests", request),
        params: by_name(reader, top, "params", param),
        flags: each(reader, top, "flags", flag),
        axes: each(reader, top, "axes", axis),
        allocators: by_name(reader, top, "allocators", allocator),
        plan: plan(reader, top),
        sampling: sampling(reader, top),
        judge: judge(reader, top),
    }
}

/// All tables of the list `name`.
fn each<T>(
    reader: &mut Reader,
    section: &Section<'_>,
    name: &str,
    decode: impl Fn(&mut Reader, &Section<'_>) -> T,
) -> Vec<T> {
    let sections = reader.sections(section, name);
    sections.iter().map(|section| decode(reader, section)).collect()
}

/// All tables by name in the table `name`.
fn by_name<T>(
    reader: &mut Reader,
    section: &Section<'_>,
    name: &str,
    decode: impl Fn(&mut Reader, &Section<'_>) -> T,
) -> BTreeMap<String, T> {
    let sections = reader.named_sections(section, name);
    sections.into_iter().map(|(name, section)| (name, decode(reader, &section))).collect()
}

/// The table `name`, or one in which nothing is given.
fn table<'t>(reader: &mut Reader, section: &Section<'t>, name: &str) -> Section<'t> {
    let found = reader.section(section, name);
    found.unwrap_or_else(|| Section::missing(section, name))
}

/// A name for what has none, unlike all others.
fn unnamed(section: &Section<'_>) -> String {
    let path: String = section.path.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("unnamed-{path}")
}

fn service(reader: &mut Reader, top: &Section<'_>) -> Service {
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
        files: each(reader, section, "files", rendered_file),
        url: url.unwrap_or(nobodys.url),
        ready: ready.unwrap_or(nobodys.ready),
        stop: stop(reader, section),
        memory_limit_bytes: reader.size(section, "memory_limit"),
        cpus: cpu_numbers(reader.integers(section, "cpus")),
        probe: reader.text(section, "probe"),
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
        url: template("http://127.0.0.1:{{port}}"),
        ready: Ready { check: ReadyCheck::Path("/".to_owned()), timeout: Duration::ZERO },
        stop: Stop { signal: StopSignal::Term, grace: Duration::ZERO },
        memory_limit_bytes: None,
        cpus: Vec::new(),
        probe: None,
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

fn rendered_file(reader: &mut Reader, section: &Section<'_>) -> RenderedFile {
    let from = reader.text(section, "from").map(PathBuf::from).unwrap_or_default();
    RenderedFile { from, to: reader.template(section, "to").unwrap_or_default() }
}

fn ready(reader: &mut Reader, section: &Section<'_>) -> Option<Ready> {
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

fn stop(reader: &mut Reader, section: &Section<'_>) -> Stop {
    let section = &table(reader, section, "stop");
    let signal = reader.choice(section, "signal").unwrap_or(StopSignal::Term);
    Stop { signal, grace: reader.duration(section, "grace").unwrap_or_default() }
}

fn dependency(reader: &mut Reader, section: &Section<'_>) -> Dependency {
    Dependency {
        name: reader.text(section, "name").unwrap_or_else(|| unnamed(section)),
        command: reader.templates(section, "command").unwrap_or_else(|| vec![Template::default()]),
        env: reader.template_map(section, "env").unwrap_or_default(),
        files: each(reader, section, "files", rendered_file),
        ready: reader.section(section, "ready").and_then(|table| ready(reader, &table)),
        stop: stop(reader, section),
        before_cell: reader.templates(section, "before_cell").unwrap_or_default(),
    }
}

fn http(reader: &mut Reader, top: &Section<'_>) -> Http {
    let section = &table(reader, top, "http");
    // There is one that works: the list of keys refuses the others.
    let _: Option<String> = reader.choice(section, "protocol");
    Http {
        connections: whole(reader.integer(section, "connections")),
        max_requests_per_connection: reader.integer(section, "max_requests_per_connection").unwrap_or_default(),
        connect_timeout: reader.duration(section, "connect_timeout").unwrap_or_default(),
        request_timeout: reader.duration(section, "request_timeout").unwrap_or_default(),
    }
}

fn load(reader: &mut Reader, top: &Section<'_>) -> Load {
    let section = &table(reader, top, "load");
    // There is one of each that works: the list of keys refuses the others.
    let _: Option<String> = reader.choice(section, "model");
    let _: Option<String> = reader.choice(section, "pacing");
    Load {
        arrival: reader.choice(section, "arrival").unwrap_or(Arrival::Poisson),
        max_in_flight: whole(reader.integer(section, "max_in_flight")),
        cpus: cpu_numbers(reader.integers(section, "cpus")),
    }
}

fn phase(reader: &mut Reader, section: &Section<'_>) -> Phase {
    let name = reader.text(section, "name").unwrap_or_else(|| unnamed(section));
    let role = reader.choice(section, "role").unwrap_or(Role::Steady);
    let shape: Option<String> = reader.choice(section, "shape");
    let duration = reader.duration(section, "duration").unwrap_or(check::SHORTEST_FIT);
    let mut rate = |name| Rps::new(reader.number(section, name).unwrap_or(1.0));
    let shape = match shape.as_deref() {
        Some("constant") => Shape::Constant { rate: rate("rate") },
        Some("ramp") => Shape::Ramp { start_rate: rate("start_rate"), target_rate: rate("target_rate") },
        Some(_) => Shape::Pause,
        None => Shape::Constant { rate: Rps::new(1.0) },
    };
    Phase { name, role, shape, duration }
}

fn request(reader: &mut Reader, section: &Section<'_>) -> Request {
    let headers = reader.template_map(section, "headers").unwrap_or_default();
    let expect = table(reader, section, "expect");
    let statuses = reader.integers(&expect, "status").unwrap_or_default();
    Request {
        name: reader.text(section, "name").unwrap_or_else(|| unnamed(section)),
        weight: reader.number(section, "weight").unwrap_or(1.0),
        method: reader.choice(section, "method").unwrap_or_else(|| "GET".to_owned()),
        path: reader.template(section, "path").unwrap_or_else(|| Template::parse("/").unwrap_or_default()),
        headers: headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        body: reader.template(section, "body"),
        // The list of keys bounds each to 100..=599.
        expect_status: statuses.into_iter().map(|status| status as u16).collect(),
    }
}

fn param(reader: &mut Reader, section: &Section<'_>) -> Param {
    let dist: Option<String> = reader.choice(section, "dist");
    let Some(dist) = dist.filter(|dist| dist != "unique") else { return Param::Unique };
    let (min, max) = (reader.integer(section, "min"), reader.integer(section, "max"));
    let (min, max) = min.zip(max).unwrap_or_default();
    if dist == "uniform" { Param::Uniform { min, max } } else { Param::Sequential { min, max } }
}

fn flag(reader: &mut Reader, section: &Section<'_>) -> Flag {
    let kind: Option<String> = reader.choice(section, "kind");
    Flag {
        name: reader.text(section, "name").unwrap_or_else(|| unnamed(section)),
        switch: switch(reader, section, kind.as_deref()),
        default: reader.boolean(section, "default").unwrap_or_default(),
        requires: reader.texts(section, "requires").unwrap_or_default(),
        conflicts_with: reader.texts(section, "conflicts_with").unwrap_or_default(),
        verify: reader.section(section, "verify").map(|table| verify(reader, &table)),
    }
}

fn switch(reader: &mut Reader, section: &Section<'_>, kind: Option<&str>) -> Switch {
    // The default of `on` is for variables; arguments have none.
    let mut args = |name| Reader::has(section, name).then(|| reader.texts(section, name)).flatten().unwrap_or_default();
    match kind {
        Some("cargo-feature") => Switch::CargoFeature { feature: reader.text(section, "feature").unwrap_or_default() },
        Some("env") => Switch::Env {
            var: reader.text(section, "var").unwrap_or_default(),
            on: reader.text(section, "on").unwrap_or_default(),
            off: reader.text(section, "off"),
        },
        Some(_) => Switch::Arg { on: args("on"), off: args("off") },
        None => Switch::CargoFeature { feature: String::new() },
    }
}

fn verify(reader: &mut Reader, section: &Section<'_>) -> Verify {
    let path = reader.text(section, "path").unwrap_or_default();
    Verify { path, contains: reader.text(section, "contains").unwrap_or_default() }
}

fn axis(reader: &mut Reader, section: &Section<'_>) -> Axis {
    let kind = match reader.choice::<String>(section, "kind").as_deref() {
        Some("allocator") => AxisKind::Allocator,
        Some(_) => AxisKind::Env { var: reader.text(section, "var").unwrap_or_default() },
        None => AxisKind::Env { var: String::new() },
    };
    let name = reader.text(section, "name").unwrap_or_else(|| unnamed(section));
    Axis { name, kind, values: reader.texts(section, "values").unwrap_or_else(|| vec!["unknown".to_owned()]) }
}

fn allocator(reader: &mut Reader, section: &Section<'_>) -> Allocator {
    let features = reader.texts(section, "features").unwrap_or_default();
    Allocator { features, env: reader.text_map(section, "env").unwrap_or_default() }
}

fn plan(reader: &mut Reader, top: &Section<'_>) -> PlanRules {
    let section = &table(reader, top, "plan");
    PlanRules {
        strategy: reader.choice(section, "strategy").unwrap_or(Strategy::Off),
        // The list of keys bounds it to 1000.
        replicates: reader.integer(section, "replicates").unwrap_or(1) as u32,
        max_cells: whole(reader.integer(section, "max_cells")),
        include: each(reader, section, "include", row),
        exclude: each(reader, section, "exclude", row),
    }
}

fn row(reader: &mut Reader, section: &Section<'_>) -> Row {
    let chosen = Reader::chosen_names(section);
    let axes = chosen.into_iter().filter_map(|axis| reader.text(section, &axis).map(|value| (axis, value))).collect();
    Row { flags: reader.texts(section, "flags").unwrap_or_default(), axes }
}

fn sampling(reader: &mut Reader, top: &Section<'_>) -> Sampling {
    let section = &table(reader, top, "sampling");
    Sampling { every: reader.duration(section, "every").unwrap_or(Duration::from_secs(1)) }
}

fn judge(reader: &mut Reader, top: &Section<'_>) -> Judge {
    let section = &table(reader, top, "judge");
    let per_request = reader.size(section, "min_growth_per_request").unwrap_or(Bytes::new(1));
    let per_hour = reader.size(section, "min_growth_per_hour").unwrap_or(Bytes::new(1));
    Judge {
        min_growth_bytes_per_request: BytesPerRequest::new(per_request.as_f64()),
        min_growth_bytes_per_hour: BytesPerHour::new(per_hour.as_f64()),
        strictness: reader.choice(section, "strictness").unwrap_or(Strictness::Normal),
        stop_early: reader.choice(section, "stop_early").unwrap_or_default(),
        fail_on: reader.choices(section, "fail_on").unwrap_or_default(),
    }
}

fn cpu_numbers(cpus: Option<Vec<u64>>) -> Vec<usize> {
    cpus.unwrap_or_default().into_iter().map(|cpu| whole(Some(cpu))).collect()
}

/// A number that the list of keys bounds far below `usize::MAX`.
fn whole(number: Option<u64>) -> usize {
    number.map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX))
}
