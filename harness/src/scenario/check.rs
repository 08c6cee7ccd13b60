//! What a decoded scenario must hold beside the type of each key: names that refer to something, rates that load something,
//! phases that can be judged.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{AxisKind, Dependency, Param, Phase, Program, RenderedFile, Role, Row, Scenario, Shape, Switch};
use crate::problem::{Problem, Spans, nearest};
use crate::template::Template;

/// The least that can be judged at all (METHOD: 40 blocks of at least a second, and a warm-up to model).
pub const SHORTEST_FIT: Duration = Duration::from_mins(1);
/// Names of the run's folder, and the id of the cell in which all is as in production.
const RESERVED_FLAGS: [&str; 6] = ["baseline", "builds", "attempts", "run.json", "report.json", "scenario.toml"];
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
        self.url(&service.url);
        match &service.program {
            Program::Command(command) if command.is_empty() => {
                self.error(
                    "service.command",
                    "\"command\" is empty",
                    "name a program: command = [\"nginx\", \"-c\", …]",
                );
            }
            Program::Command(command) => self.process_texts("service.command", command, &known),
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
        for (path, value) in [("service.ready.path", ready_path(scenario)), ("service.probe", service.probe.as_deref())]
        {
            if value.is_some_and(|value| !value.starts_with('/')) {
                self.error(path, "a path begins with \"/\"", "");
            }
        }
    }

    /// Load only ever goes to this machine: steep starts the service itself, and a slip of the pen must not hit another host.
    fn url(&mut self, url: &Template) {
        let text = url.to_string();
        let Some(rest) = text.strip_prefix("http://") else {
            let help = if text.starts_with("https://") {
                "TLS is not supported yet"
            } else {
                "write \"http://127.0.0.1:{{port}}\""
            };
            self.error("service.url", "\"url\" must begin with http://", help);
            return;
        };
        let host = rest.split('/').next().unwrap_or_default();
        let loopback = ["127.", "localhost:", "[::1]:"].iter().any(|start| host.starts_with(start));
        if !loopback || !host.contains(':') {
            let help = "the service runs on this machine: \"http://127.0.0.1:{{port}}\", \"http://localhost:8080\" or \"http://[::1]:{{port}}\"";
            self.error("service.url", "\"url\" must name a loopback address and a port", help);
        } else if rest.trim_end_matches('/').contains('/') {
            self.error("service.url", "\"url\" must not have a path", "put it into the \"path\" of each request");
        }
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
        self.reserved(&format!("{path}.name"), &dependency.name, &["service"]);
        if dependency.command.is_empty() {
            self.error(&format!("{path}.command"), "\"command\" is empty", "name a program");
        }
        self.process_texts(&format!("{path}.command"), &dependency.command, known);
        self.process_texts(&format!("{path}.before_cell"), &dependency.before_cell, known);
        for (name, value) in &dependency.env {
            self.process_text(&format!("{path}.env.{name}"), value, known);
        }
        self.files(&format!("{path}.files"), &dependency.files, known);
    }

    fn phases(&mut self, phases: &[Phase]) {
        if phases.is_empty() && self.spans.of("phases").is_none() {
            // Told already, as a key that is missing.
            return;
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
            if request.path.to_string().chars().any(|c| c.is_ascii_whitespace() || c.is_control()) {
                self.error(&at("path"), "a path has no blanks", "write %20 for a blank");
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

    fn flags(&mut self, scenario: &Scenario) {
        let names: Vec<&str> = scenario.flags.iter().map(|flag| flag.name.as_str()).collect();
        self.distinct_names("flags", names.iter().copied());
        for (index, flag) in scenario.flags.iter().enumerate() {
            let at = |key: &str| format!("flags[{index}].{key}");
            self.file_name(&at("name"), &flag.name);
            self.reserved(&at("name"), &flag.name, &RESERVED_FLAGS);
            if flag.name.starts_with("not-") {
                self.error(
                    &at("name"),
                    "a flag cannot begin with \"not-\"",
                    "that marks flags of production that are off",
                );
            }
            for (key, others) in [("requires", &flag.requires), ("conflicts_with", &flag.conflicts_with)] {
                for other in others {
                    self.flag_exists(&at(key), other, &names);
                }
                if others.contains(&flag.name) {
                    self.error(&at(key), format!("\"{}\" names itself", flag.name), "");
                }
            }
            if matches!(flag.switch, Switch::CargoFeature { .. })
                && matches!(scenario.service.program, Program::Command(_))
            {
                self.error(
                    &at("kind"),
                    "a command has no cargo features",
                    "use kind = \"env\" or \"arg\", or let steep build a package",
                );
            }
        }
    }

    fn flag_exists(&mut self, path: &str, name: &str, names: &[&str]) {
        if !names.contains(&name) {
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("flags: {}", names.join(", ")),
            };
            self.error(path, format!("there is no flag \"{name}\""), help);
        }
    }

    fn axes(&mut self, scenario: &Scenario) {
        self.distinct_names("axes", scenario.axes.iter().map(|axis| axis.name.as_str()));
        for (index, axis) in scenario.axes.iter().enumerate() {
            let at = |key: &str| format!("axes[{index}].{key}");
            self.file_name(&at("name"), &axis.name);
            if ["flags", "replicate"].contains(&axis.name.as_str()) {
                self.error(
                    &at("name"),
                    format!("an axis cannot be called \"{}\"", axis.name),
                    "rows of the plan use that name",
                );
            }
            if axis.values.is_empty() {
                self.error(&at("values"), "an axis needs at least one value", "");
            }
            for (position, value) in axis.values.iter().enumerate() {
                self.file_name(&at("values"), value);
                if axis.values[..position].contains(value) {
                    self.error(&at("values"), format!("\"{value}\" stands twice"), "");
                }
                if axis.kind == AxisKind::Allocator && value != "system" {
                    self.allocator_exists(&at("values"), value, scenario);
                }
            }
        }
        for (name, allocator) in &scenario.allocators {
            if !allocator.features.is_empty() && matches!(scenario.service.program, Program::Command(_)) {
                self.error(
                    &format!("allocators.{name}.features"),
                    "a command has no cargo features",
                    "tune its allocator with env",
                );
            }
        }
    }

    fn allocator_exists(&mut self, path: &str, name: &str, scenario: &Scenario) {
        if !scenario.allocators.contains_key(name) {
            let help = format!("add [allocators.{name}] with the cargo features that choose it, or use \"system\"");
            self.error(path, format!("nothing says how to have the allocator \"{name}\""), help);
        }
    }

    fn row(&mut self, scenario: &Scenario, path: &str, row: &Row) {
        let names: Vec<&str> = scenario.flags.iter().map(|flag| flag.name.as_str()).collect();
        row.flags.iter().for_each(|flag| self.flag_exists(&format!("{path}.flags"), flag, &names));
        for (name, value) in &row.axes {
            match scenario.axes.iter().find(|axis| &axis.name == name) {
                None => self.error(
                    &format!("{path}.{name}"),
                    format!("there is no axis \"{name}\""),
                    "a row has \"flags\" and names of axes",
                ),
                Some(axis) if !axis.values.contains(value) => {
                    let help = format!("its values: {}", axis.values.join(", "));
                    self.error(
                        &format!("{path}.{name}"),
                        format!("the axis \"{name}\" has no value \"{value}\""),
                        help,
                    );
                }
                Some(_) => {}
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
        // METHOD wants at least 40 blocks, and 3 samples to a block.
        const FEWEST_SAMPLES: f64 = 120.0;
        let samples = scenario.soak_duration().as_secs_f64() / scenario.sampling.every.as_secs_f64();
        if samples < FEWEST_SAMPLES && scenario.sampling.every > Duration::from_secs(1) {
            let help = format!("sample at least {FEWEST_SAMPLES} times in a soak");
            self.warning("sampling.every", format!("a soak has only {samples:.0} samples"), help);
        }
    }
}

fn ready_path(scenario: &Scenario) -> Option<&str> {
    match &scenario.service.ready.check {
        super::ReadyCheck::Path(path) => Some(path),
        super::ReadyCheck::Tcp(_) => None,
    }
}

fn peak_rate(phase: &Phase) -> f64 {
    match phase.shape {
        Shape::Constant { rate } => rate.get(),
        Shape::Ramp { start_rate, target_rate } => start_rate.get().max(target_rate.get()),
        Shape::Pause => 0.0,
    }
}
