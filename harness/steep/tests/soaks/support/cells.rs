//! A cell's folders, and services and dependencies in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steep::shell::access::Access;
use steep::shell::service::failure::ServiceError;
use steep::shell::service::{CellPlace, RunningService, start};
use steep_core::scenario::{Dependency, LiveChoice, Program, Protocol, Ready, ReadyCheck, Service, Stop, StopSignal};
use steep_core::template::Template;

pub fn template(text: &str) -> Template {
    Template::parse(text).expect("a template")
}

pub fn stop() -> Stop {
    Stop { signal: StopSignal::Term, grace: Duration::from_mins(1) }
}

/// A program of the stage.
pub fn staged(program: &str) -> Vec<Template> {
    [super::stage().to_str().expect("a path in UTF-8"), program].map(template).into()
}

/// A service that answers with `answer`.
pub fn answering(answer: &str) -> Service {
    Service {
        program: Program::Command(staged("service")),
        args: Vec::new(),
        env: [("STEEP_TEST_PORT", "{{port}}"), ("ANSWER", answer)]
            .map(|(name, value)| (name.to_owned(), template(value)))
            .into(),
        files: Vec::new(),
        url: Some(template("http://127.0.0.1:{{port}}/")),
        ready: Some(Ready { check: ReadyCheck::Path("/healthz".to_owned()), timeout: Duration::from_mins(1) }),
        stop: stop(),
        memory_limit_bytes: None,
        enforce_limit: false,
        cpus: Vec::new(),
        live: LiveChoice::Off,
        probe: None,
        log_events: Vec::new(),
        metrics: None,
    }
}

/// A service that is a shell script.
pub fn script(text: &str) -> Service {
    Service { program: Program::Command(["sh", "-c", text].map(template).into()), ..answering("200 OK\n") }
}

pub fn dependency(name: &str) -> Dependency {
    Dependency {
        name: name.to_owned(),
        command: staged("service"),
        env: [("STEEP_TEST_PORT", "{{port}}")].map(|(name, value)| (name.to_owned(), template(value))).into(),
        files: Vec::new(),
        ready: Some(Ready { check: ReadyCheck::Tcp(template("127.0.0.1:{{port}}")), timeout: Duration::from_mins(1) }),
        stop: stop(),
        before_cell: Vec::new(),
    }
}

/// A scenario's folder with a cell's folder in it.
pub struct Folders<F>(pub F);

impl<F: AsRef<Path>> Folders<F> {
    pub fn at(folder: F) -> Self {
        std::fs::create_dir(folder.as_ref().join("cell")).expect("a folder");
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.as_ref().join(name)
    }

    pub async fn start(&self, service: &Service, dependencies: &[Dependency]) -> Result<RunningService, ServiceError> {
        self.start_with(service, dependencies, BTreeMap::new(), &[]).await
    }

    pub async fn start_with(
        &self,
        service: &Service,
        dependencies: &[Dependency],
        env: BTreeMap<String, Option<String>>,
        args: &[String],
    ) -> Result<RunningService, ServiceError> {
        let cell_folder = self.path("cell");
        let place = CellPlace {
            scenario_folder: self.0.as_ref(),
            cell_folder: &cell_folder,
            steep: super::steep(),
            binary: None,
            env: &env,
            args,
            patches: &[],
            access: &Access::default(),
            protocol: Protocol::Http1,
            is_loaded_by_name: false,
        };
        start(service, dependencies, &place).await
    }

    pub async fn failure(&self, service: &Service, dependencies: &[Dependency]) -> ServiceError {
        match self.start(service, dependencies).await {
            Err(error) => error,
            Ok(running) => panic!("{running:?} runs"),
        }
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }
}
