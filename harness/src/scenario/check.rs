//! What a decoded scenario must hold beside the type of each key: names that refer to something, rates that load something,
//! phases that can be judged.

mod matrix;

use std::collections::BTreeSet;
use std::time::Duration;

use super::address::{BadAddress, check_tcp, check_url};
use super::{Dependency, Param, Phase, Program, Ready, ReadyCheck, RenderedFile, Role, Scenario, Shape};
use crate::problem::{Problem, Spans, nearest};
use crate::template::Template;
use crate::units::Bytes;

/// The least that can be judged at all (METHOD: 40 blocks of at least a second, and a warm-up to model).
pub const SHORTEST_FIT: Duration = Duration::from_mins(1);
/// What steep writes into a cell's folder.
const OWN_FILES: [&str; 4] = ["trace.jsonl", "verdict.json", "service.log", "attempts"];
/// Requests per second: the fastest drivers that were measured end at 189,000.
const HIGHEST_RATE: f64 = 1e6;
/// Longer paths are refused by most servers.
const LONGEST_PATH: usize = 8 << 10;
/// Longer names make cell ids and folders unreadable.
const LONGEST_NAME: usize = 100;

/// All problems of `scenario` that span several keys, each at its place.
#[must_use]
pub fn check(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let mut check = Check { spans, problems: Vec::new() };
    check.file_name("name", &scenario.name);
    check.service(scenario);
    check.dependencies(scenario);
    check.phases(&scenario.phases);
    check.requests(scenario);
    check.params(scenario);
    check.flags(scenario);
    check.axes(scenario);
    for (list, rows) in [("include", &scenario.plan.include), ("exclude", &scenario.plan.exclude)] {
        rows.iter().enumerate().for_each(|(index, row)| check.row(scenario, &format!("plan.{list}[{index}]"), row));
    }
    check.sampling(scenario);
    check.judge(scenario);
    check.problems
}

struct Check<'s> {
    spans: &'s Spans,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::error(message, self.spans.of(path)).help(help));
    }

    fn warning(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::warning(message, self.spans.of(path)).help(help));
    }

    /// A name that becomes part of a file name or of a cell id.
    fn file_name(&mut self, path: &str, name: &str) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.chars().all(allowed) {
            let help = format!("letters, digits, `-`, `_` and `.`, not beginning with `.`, at most {LONGEST_NAME}");
            self.error(path, format!("{name:?} cannot be a name: it becomes part of a file name"), help);
        }
    }

    /// A name that means something else in ids, folders or logs.
    fn reserved(&mut self, path: &str, name: &str, reserved: &[&str]) {
        if reserved.contains(&name) {
            self.error(path, format!("\"{name}\" cannot be a name here: steep uses it itself"), "choose another");
        }
    }

    fn distinct_names<'n>(&mut self, list: &str, names: impl IntoIterator<Item = &'n str>) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.into_iter().enumerate() {
            if !seen.insert(name) {
                self.error(
                    &format!("{list}[{index}].name"),
                    format!("{list} has \"{name}\" twice"),
                    "give each a name of its own",
                );
            }
        }
    }

    /// That each name in `template` is one of `known`.
    fn names(&mut self, path: &str, template: &Template, known: &[String], where_defined: &str) {
        for name in template.names().filter(|name| !known.iter().any(|known| known == name)) {
            let help = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {{{{{near}}}}}?"),
                None if known.is_empty() => where_defined.to_owned(),
                None => format!("{where_defined}; known here: {}", known.join(", ")),
            };
            self.error(path, format!("nothing defines {{{{{name}}}}}"), help);
        }
    }

    fn service(&mut self, scenario: &Scenario) {
        let service = &scenario.service;
        let mut known: Vec<String> = ["port", "dir"].map(str::to_owned).to_vec();
        known.extend(scenario.dependencies.iter().map(|dependency| format!("{}.port", dependency.name)));
        self.process_texts("service", &service.args, &known);
        service.env.iter().for_each(|(name, value)| self.process_text(&format!("service.env.{name}"), value, &known));
        self.process_text("service.url", &service.url, &known);
        self.files("service.files", &service.files, &known);
        let url = check_url(&service.url);
        // Where nothing is said of readiness, it is the address of `url` that is asked.
        if url.is_ok() {
            self.ready("service.ready", &service.ready, &known);
        }
        self.address("service.url", url);
        self.environment("service.env", service.env.keys());
        if service.memory_limit_bytes == Some(Bytes::ZERO) {
            self.error("service.memory_limit", "\"memory_limit\" is 0", "leave it out where there is none");
        }
        match &service.program {
            Program::Command(command) => self.command("service.command", command, &known),
            Program::Package(package) if ["dev", "test", "debug"].contains(&package.profile.as_str()) => {
                let message = format!("profile \"{}\" is not optimised", package.profile);
                self.error(
                    "service.profile",
                    message,
                    "only optimised builds are measured: \"release\", or a profile that inherits from it",
                );
            }
            Program::Package(_) => {}
        }
        if let Some(probe) = &service.probe {
            self.own_path("service.probe", probe);
        }
    }

    fn address(&mut self, path: &str, checked: Result<(), BadAddress>) {
        if let Err(BadAddress { message, help }) = checked {
            self.error(path, message, help);
        }
    }

    /// A path that steep asks by itself: nothing is replaced in it.
    fn own_path(&mut self, path: &str, value: &str) {
        if !value.starts_with('/') || value.contains("{{") || !value.chars().all(is_of_a_path) {
            self.error(path, format!("{value:?} is no path"), "it begins with \"/\", and nothing is replaced in it");
        }
    }

    fn ready(&mut self, path: &str, ready: &Ready, known: &[String]) {
        match &ready.check {
            ReadyCheck::Path(value) => self.own_path(&format!("{path}.path"), value),
            ReadyCheck::Tcp(address) => {
                self.process_text(&format!("{path}.tcp"), address, known);
                self.address(&format!("{path}.tcp"), check_tcp(address));
            }
        }
    }

    fn environment<'n>(&mut self, path: &str, names: impl Iterator<Item = &'n String>) {
        for name in names.filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            self.error(path, format!("{name:?} cannot be the name of a variable"), "");
        }
    }

    /// That a program is named, and not by nothing.
    fn command(&mut self, path: &str, command: &[Template], known: &[String]) {
        if command.first().is_none_or(|program| program.to_string().is_empty()) {
            self.error(path, "\"command\" names no program", "command = [\"nginx\", \"-c\", …]");
        }
        self.process_texts(path, command, known);
    }

    fn process_text(&mut self, path: &str, template: &Template, known: &[String]) {
        self.names(
            path,
            template,
            known,
            "processes know {{port}}, {{dir}} and {{<dependency>.port}}; parameters are for requests",
        );
    }

    fn process_texts(&mut self, path: &str, templates: &[Template], known: &[String]) {
        for template in templates {
            self.process_text(path, template, known);
        }
    }

    fn files(&mut self, path: &str, files: &[RenderedFile], known: &[String]) {
        for (index, file) in files.iter().enumerate() {
            self.process_text(&format!("{path}[{index}].to"), &file.to, known);
            let to = file.to.to_string();
            if OWN_FILES.iter().any(|own| to == *own || to == format!("{{{{dir}}}}/{own}")) {
                self.error(
                    &format!("{path}[{index}].to"),
                    format!("{to:?} is steep's own file"),
                    "choose another name",
                );
            }
        }
    }

    fn dependencies(&mut self, scenario: &Scenario) {
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
        self.reserved(&format!("{path}.name"), &dependency.name, &["service", "port", "dir"]);
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

    fn phases(&mut self, phases: &[Phase]) {
        if phases.is_empty() && self.spans.of("phases").is_none() {
            return; // Told already, as a key that is missing.
        }
        if phases.is_empty() {
            self.error("phases", "there is no phase", "a soak needs at least one: [[phases]] with role = \"steady\"");
            return;
        }
        self.distinct_names("phases", phases.iter().map(|phase| phase.name.as_str()));
        let fitted = |phase: &&Phase| matches!(phase.role, Role::Warmup | Role::Steady);
        if !phases.iter().any(|phase| phase.role == Role::Steady) {
            self.error("phases", "no phase has role = \"steady\"", "that is what growth is judged on");
        } else if phases.iter().filter(fitted).all(|phase| peak_rate(phase) <= 0.0) {
            self.error("phases", "the rate is 0 in every phase that is judged", "give a steady phase a rate above 0");
        }
        for (index, phase) in phases.iter().enumerate().filter(|(_, phase)| peak_rate(phase) > HIGHEST_RATE) {
            let message = format!("\"{}\" wants more than {HIGHEST_RATE} requests per second", phase.name);
            self.error(&format!("phases[{index}]"), message, "no driver sends so many");
        }
        let lasts = |stretch: &[Phase]| stretch.iter().map(|phase| phase.duration).sum::<Duration>();
        let judged = phases.split(|phase| !fitted(&phase)).map(lasts).max().unwrap_or_default();
        if judged < SHORTEST_FIT {
            let message = format!(
                "warm-up and steady phases last {}s in one piece, and nothing is judged below {}s",
                judged.as_secs(),
                SHORTEST_FIT.as_secs()
            );
            self.warning("phases", message, "every cell will come out inconclusive: lengthen the steady phase");
        }
        let first_fitted = phases.iter().position(|phase| fitted(&phase));
        let last_fitted = phases.iter().rposition(|phase| fitted(&phase));
        for (index, phase) in phases.iter().enumerate() {
            let inside =
                first_fitted.is_some_and(|first| first < index) && last_fitted.is_some_and(|last| index < last);
            if !fitted(&phase) && inside {
                let message = format!("\"{}\" stands between phases that are fitted", phase.name);
                self.warning(
                    &format!("phases[{index}]"),
                    message,
                    "only the longest stretch without idle or cooldown phases is fitted",
                );
            }
        }
    }

    fn requests(&mut self, scenario: &Scenario) {
        if scenario.requests.is_empty() && self.spans.of("requests").is_none() {
            return;
        }
        if scenario.requests.is_empty() {
            self.error("requests", "there is no request", "a soak needs at least one: [[requests]] with name and path");
            return;
        }
        self.distinct_names("requests", scenario.requests.iter().map(|request| request.name.as_str()));
        if scenario.requests.iter().all(|request| request.weight <= 0.0) {
            self.error(
                "requests[0].weight",
                "the weight of every request is 0",
                "nothing would be sent: give one a weight above 0",
            );
        }
        let known: Vec<String> = scenario.params.keys().cloned().collect();
        for (index, request) in scenario.requests.iter().enumerate() {
            let at = |key: &str| format!("requests[{index}].{key}");
            if request.name.is_empty() {
                self.error(&at("name"), "a request needs a name", "it is the label in every report");
            }
            if !request.path.to_string().starts_with('/') {
                self.error(&at("path"), "a path begins with \"/\"", "host and port come from service.url");
            }
            if !request.path.text_chars().all(is_of_a_path) || request.path.to_string().len() > LONGEST_PATH {
                let help = format!("write other characters as %XX (%20 for a blank); at most {LONGEST_PATH} bytes");
                self.error(&at("path"), "that cannot stand in a path", help);
            }
            for (name, value) in request.headers.iter().filter(|(_, value)| value.text_chars().any(char::is_control)) {
                let help = format!("a header is one line: {value:?}");
                self.error(&at("headers"), format!("the value of {name:?} has control characters"), help);
            }
            let templates = request.headers.values().chain(&request.body);
            let where_defined = "add a table [params.<name>]";
            self.names(&at("path"), &request.path, &known, where_defined);
            templates.for_each(|template| self.names(&at("body"), template, &known, where_defined));
            for name in request.headers.keys() {
                let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                if name.is_empty() || !name.chars().all(token) {
                    self.error(&at("headers"), format!("{name:?} is no header name"), "");
                } else if ["content-length", "transfer-encoding", "connection", "host"].contains(&name.as_str()) {
                    self.error(&at("headers"), format!("the driver writes {name:?} itself"), "take it out");
                }
            }
        }
    }

    fn params(&mut self, scenario: &Scenario) {
        for (name, param) in &scenario.params {
            if let Param::Uniform { min, max } | Param::Sequential { min, max } = param
                && min > max
            {
                self.error(&format!("params.{name}.max"), format!("\"max\" is below \"min\": {max} < {min}"), "");
            }
            let names_it = |template: &Template| template.names().any(|other| other == name);
            let used = scenario.requests.iter().any(|request| {
                names_it(&request.path)
                    || request.headers.values().any(names_it)
                    || request.body.as_ref().is_some_and(names_it)
            });
            if !used {
                self.warning(&format!("params.{name}"), format!("no request uses {{{{{name}}}}}"), "");
            }
        }
    }

    fn judge(&mut self, scenario: &Scenario) {
        let judge = &scenario.judge;
        if judge.min_growth_bytes_per_request.get() <= 0.0 && judge.min_growth_bytes_per_hour.get() <= 0.0 {
            let help = "what is worth finding must be above 0, or nothing could ever be cleared";
            self.error("judge", "\"min_growth_per_request\" and \"min_growth_per_hour\" are both 0", help);
        }
    }

    fn sampling(&mut self, scenario: &Scenario) {
        const FEWEST_SAMPLES: f64 = 120.0; // METHOD wants 40 blocks of 3 samples.
        let samples = scenario.soak_duration().as_secs_f64() / scenario.sampling.every.as_secs_f64();
        if samples < FEWEST_SAMPLES && scenario.sampling.every > Duration::from_secs(1) {
            let help = format!("sample at least {FEWEST_SAMPLES} times in a soak");
            self.warning("sampling.every", format!("a soak has only {samples:.0} samples"), help);
        }
    }
}

/// Characters that a request's path and query may have (RFC 3986, with the brackets and quotes that servers take).
fn is_of_a_path(c: char) -> bool {
    c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c)
}

fn peak_rate(phase: &Phase) -> f64 {
    match phase.shape {
        Shape::Constant { rate } => rate.get(),
        Shape::Ramp { start_rate, target_rate } => start_rate.get().max(target_rate.get()),
        Shape::Pause => 0.0,
    }
}
