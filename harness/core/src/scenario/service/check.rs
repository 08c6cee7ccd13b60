//! The service: addresses, paths, names and files.

use super::address::{BadAddress, check_tcp, check_url};
use super::{LiveChoice, Program, Ready, ReadyCheck, RenderedFile};
use crate::scenario::check::{Check, is_of_a_path};
use crate::scenario::{Model, Scenario, Verify};
use crate::template::Template;
use steep_judge::units::Bytes;

/// What steep writes into a cell's folder.
const OWN_FILES: [&str; 14] = [
    "trace.jsonl",
    "trace.jsonl.zst",
    "verdict.json",
    "service.log",
    "driver.log",
    "latency.hlog",
    "attempts",
    "live",
    "stacks.json",
    "stacks-at-limit.json",
    "confirm",
    "heap.pb.gz",
    "heap.folded",
    "growth.folded",
];

impl Check<'_> {
    pub(in crate::scenario) fn service(&mut self, scenario: &Scenario) {
        let service = &scenario.service;
        let known = known_to_processes(scenario);
        self.process_texts("service", &service.args, &known);
        service.env.iter().for_each(|(name, value)| self.process_text(&format!("service.env.{name}"), value, &known));
        self.files("service.files", &service.files, &known);
        self.url(scenario, &known);
        self.environment("service.env", service.env.keys());
        if service.memory_limit_bytes == Some(Bytes::ZERO) {
            self.error("service.memory_limit", "\"memory_limit\" is 0", "leave it out where there is none");
        }
        if service.enforce_limit && service.memory_limit_bytes.is_none() {
            let help = "add memory_limit = \"512MiB\", what production gives it";
            self.error("service.enforce_limit", "there is no \"memory_limit\" to enforce", help);
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
        self.log_events(scenario);
        self.metrics(scenario);
        if let Some(probe) = &service.probe {
            self.own_path("service.probe", probe);
        } else if service.live == LiveChoice::Probe {
            self.error(
                "service.live",
                "the probe is to count live bytes, and nothing says where it answers",
                "add service.probe, such as \"/debug/memory\", or count without one: live = \"preload\"",
            );
        }
    }

    /// The address of the service, and what needs one.
    fn url(&mut self, scenario: &Scenario, known: &[String]) {
        let service = &scenario.service;
        let url = service.url.as_ref().map_or(Ok(()), check_url);
        // Where nothing is said of readiness, it is the address of `url` that is asked.
        if let Some(ready) = service.ready.as_ref().filter(|_| url.is_ok()) {
            self.ready("service.ready", ready, known);
        }
        if let Some(url) = &service.url {
            self.process_text("service.url", url, known);
        } else if scenario.load.model != Model::None {
            let help = "add url = …: base address of all requests, such as \"http://127.0.0.1:{{port}}\"";
            self.error("service", "[service] lacks \"url\"", help);
        } else {
            self.without_url(scenario);
        }
        self.address("service.url", url);
    }

    /// That nothing is asked of a service that has no address.
    fn without_url(&mut self, scenario: &Scenario) {
        let asks_ready = |ready: &Ready| matches!(ready.check, ReadyCheck::Path(_));
        let is_asked = |verify: &Option<Verify>| matches!(verify, Some(Verify::Http { .. } | Verify::Metric { .. }));
        let flags = scenario.flags.iter().enumerate();
        let flags = flags.filter(|(_, flag)| flag.switch.asks_service() || is_asked(&flag.verify));
        let allocators = scenario.allocators.iter().filter(|(_, allocator)| is_asked(&allocator.verify));
        let service = &scenario.service;
        let asking = [
            service.ready.as_ref().is_some_and(asks_ready).then(|| "service.ready.path".to_owned()),
            service.asked_probe().map(|_| "service.probe".to_owned()),
            service.metrics.as_ref().map(|_| "service.metrics".to_owned()),
        ];
        let asking = asking.into_iter().flatten().chain(flags.map(|(index, _)| format!("flags[{index}]")));
        let asking: Vec<String> = asking.chain(allocators.map(|(name, _)| format!("allocators.{name}"))).collect();
        for path in asking {
            self.error(
                &path,
                "the service is asked here, and [service] has no \"url\"",
                "add url = \"http://127.0.0.1:{{port}}\"",
            );
        }
    }

    fn address(&mut self, path: &str, checked: Result<(), BadAddress>) {
        if let Err(BadAddress { message, help }) = checked {
            self.error(path, message, help);
        }
    }

    /// A path that steep asks by itself: nothing is replaced in it.
    pub(in crate::scenario) fn own_path(&mut self, path: &str, value: &str) {
        if !value.starts_with('/') || value.contains("{{") || !value.chars().all(is_of_a_path) {
            self.error(path, format!("{value:?} is not a path"), "it begins with \"/\", and nothing is replaced in it");
        }
    }

    pub(in crate::scenario) fn ready(&mut self, path: &str, ready: &Ready, known: &[String]) {
        match &ready.check {
            ReadyCheck::Path(value) => self.own_path(&format!("{path}.path"), value),
            ReadyCheck::Tcp(address) => {
                self.process_text(&format!("{path}.tcp"), address, known);
                self.address(&format!("{path}.tcp"), check_tcp(address));
            }
        }
    }

    pub(in crate::scenario) fn environment<'n>(&mut self, path: &str, names: impl Iterator<Item = &'n String>) {
        for name in names.filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            self.error(path, format!("{name:?} cannot be the name of a variable"), "");
        }
    }

    /// That a program is named, and not by nothing.
    pub(in crate::scenario) fn command(&mut self, path: &str, command: &[Template], known: &[String]) {
        if command.first().is_none_or(|program| program.to_string().is_empty()) {
            self.error(path, "\"command\" names no program", "command = [\"nginx\", \"-c\", …]");
        }
        self.process_texts(path, command, known);
    }

    /// A text of flags, axes or allocators that the service gets, in which `more` may stand too.
    pub(in crate::scenario) fn switched_text(
        &mut self,
        path: &str,
        text: &str,
        scenario: &Scenario,
        more: Option<&str>,
    ) {
        let mut known = known_to_processes(scenario);
        known.extend(more.map(str::to_owned));
        match Template::parse(text) {
            Ok(template) => self.process_text(path, &template, &known),
            Err(error) => self.error(
                path,
                error.to_string(),
                "\"{{port}}\", \"{{dir}}\"; names have letters, digits, `_`, `-` and `.`",
            ),
        }
    }

    pub(in crate::scenario) fn process_text(&mut self, path: &str, template: &Template, known: &[String]) {
        self.names(
            path,
            template,
            known,
            "processes know {{port}}, {{dir}} and {{<dependency>.port}}; parameters are for requests",
        );
    }

    pub(in crate::scenario) fn process_texts(&mut self, path: &str, templates: &[Template], known: &[String]) {
        for template in templates {
            self.process_text(path, template, known);
        }
    }

    pub(in crate::scenario) fn files(&mut self, path: &str, files: &[RenderedFile], known: &[String]) {
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
}

/// What may stand in double braces in texts of processes.
fn known_to_processes(scenario: &Scenario) -> Vec<String> {
    let ports = scenario.dependencies.iter().map(|dependency| format!("{}.port", dependency.name));
    ["port", "dir"].map(str::to_owned).into_iter().chain(ports).collect()
}
