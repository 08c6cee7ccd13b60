//! A cell's folders, and services and dependencies in them. The service is the test program itself, which has a test
//! `service` that calls [`serve_if_asked`].

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use steep::shell::access::Access;
use steep::shell::service::failure::ServiceError;
use steep::shell::service::{CellPlace, RunningService, start};
use steep_core::scenario::{Dependency, Program, Protocol, Ready, ReadyCheck, Service, Stop, StopSignal};
use steep_core::template::Template;

/// Listens on `STEEP_TEST_ADDRESS`, or on `STEEP_TEST_PORT` of 127.0.0.1, and gives each connection the answer of
/// `ANSWER`.
#[expect(clippy::print_stdout, reason = "a service logs")]
pub fn serve_if_asked() {
    let at_port = std::env::var("STEEP_TEST_PORT").map(|port| format!("127.0.0.1:{port}"));
    let Ok(address) = std::env::var("STEEP_TEST_ADDRESS").or(at_port) else { return };
    let port = address.rsplit(':').next().unwrap_or_default();
    println!("listening on {port} for {}", std::env::var("NAME").unwrap_or_default());
    serve(&TcpListener::bind(&address).expect("a free port"));
}

/// Answers whoever connects.
pub fn serve(listener: &TcpListener) {
    let answer = std::env::var("ANSWER").unwrap_or_else(|_| "200 OK\nup".to_owned());
    let (status, body) = answer.split_once('\n').expect("a status line and a body");
    for connection in listener.incoming() {
        let mut connection = connection.expect("a connection");
        // Any request is answered alike, and a connection that asks nothing is let go.
        if connection.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
            let length = if status.contains("endless") { 1 << 30 } else { body.len() };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = connection.write_all(format!("{head}{body}").as_bytes());
            while status.contains("endless") && connection.write_all(&[b'x'; 4096]).is_ok() {}
        }
    }
}

pub fn template(text: &str) -> Template {
    Template::parse(text).expect("a template")
}

pub fn stop() -> Stop {
    Stop { signal: StopSignal::Term, grace: Duration::from_mins(1) }
}

pub fn this_program() -> Vec<Template> {
    let program = std::env::current_exe().expect("a test program");
    let program = program.to_str().expect("a path in UTF-8");
    [program, "service", "--exact", "--nocapture"].map(template).into()
}

/// A service that answers with `answer`.
pub fn answering(answer: &str) -> Service {
    Service {
        program: Program::Command(this_program()),
        args: Vec::new(),
        env: [("STEEP_TEST_PORT", "{{port}}"), ("ANSWER", answer)]
            .map(|(name, value)| (name.to_owned(), template(value)))
            .into(),
        files: Vec::new(),
        url: Some(template("http://127.0.0.1:{{port}}/")),
        ready: Some(Ready { check: ReadyCheck::Path("/healthz".to_owned()), timeout: Duration::from_mins(1) }),
        stop: stop(),
        memory_limit_bytes: None,
        cpus: Vec::new(),
        probe: None,
    }
}

/// A service that is a shell script.
pub fn script(text: &str) -> Service {
    Service { program: Program::Command(["sh", "-c", text].map(template).into()), ..answering("200 OK\n") }
}

pub fn dependency(name: &str) -> Dependency {
    Dependency {
        name: name.to_owned(),
        command: this_program(),
        env: [("STEEP_TEST_PORT", "{{port}}")].map(|(name, value)| (name.to_owned(), template(value))).into(),
        files: Vec::new(),
        ready: Some(Ready { check: ReadyCheck::Tcp(template("127.0.0.1:{{port}}")), timeout: Duration::from_mins(1) }),
        stop: stop(),
        before_cell: Vec::new(),
    }
}

/// A scenario's folder with a cell's folder in it.
pub struct Folders(pub tempfile::TempDir);

impl Folders {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("cell")).expect("a folder");
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
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
            scenario_folder: self.0.path(),
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
