//! Services and dependencies as scenarios ask for them: ports, files, readiness, bad endings.

use std::path::Path;
use std::time::Duration;

use steep::shell::probe::{ProbeError, live_bytes};
use steep::shell::service::failure::{ServiceError, Who};
use steep::shell::verification::look;
use steep_core::scenario::{Program, RenderedFile, Verify};

use super::folders;
use crate::support::cells::{answering, dependency, script, template};
use crate::support::{alive_below, all_gone, eventually_async};

#[tokio::test]
async fn a_service_becomes_ready_with_its_dependencies_and_leaves_nothing() {
    let folders = folders();
    std::fs::write(folders.path("conf.in"), "db {{db.port}} own {{port}} in {{dir}}").expect("a file");
    let mut service = answering("200 OK\nsessions on");
    service.env.insert("NAME".to_owned(), template("{{db.port}}"));
    service.files = vec![RenderedFile { from: "conf.in".into(), to: template("{{dir}}/etc/conf") }];
    let mut db = dependency("db");
    db.before_cell = ["sh", "-c", "echo seeded; pwd"].map(template).into();
    let mut running = folders.start(&service, &[db]).await.expect("it runs");

    for log in ["cell/service.log", "cell/db.log"] {
        eventually_async("its output is moved", || folders.text(log).contains("listening on")).await;
    }
    let db_port = folders.text("cell/service.log");
    let db_port = db_port.lines().find_map(|line| line.rsplit_once(" for ")).expect("its first line").1;
    let expected = format!("db {db_port} own {} in {}", running.port.number(), folders.path("cell").display());
    assert_eq!(folders.text("cell/etc/conf"), expected);
    assert_eq!(running.endpoint.text(), format!("http://127.0.0.1:{}", running.port.number()));
    let seeded = folders.text("cell/db.before_cell.log");
    assert_eq!(seeded.lines().next(), Some("seeded"));
    assert!(
        Path::new(seeded.lines().nth(1).expect("a folder")).ends_with(folders.0.path().file_name().expect("a name"))
    );
    assert!(folders.text("cell/db.log").contains(&format!("listening on {db_port}")));

    let verify = Verify::Http { path: "/debug/flags".to_owned(), contains: "sessions".to_owned() };
    let log = folders.0.path().join("cell/service.log");
    assert!(look(&verify, &running, &log, true).await.expect("an answer").is_there);
    let logged = Verify::Log { log: format!("listening on {}", running.port.number()) };
    assert!(look(&logged, &running, &log, true).await.expect("a log").is_there);
    let no_probe = live_bytes(&running.client, "/").await;
    assert!(matches!(no_probe, Err(ProbeError::NotAProbe { .. })), "{no_probe:?}");

    let supervisors: Vec<u32> = running
        .dependency_supervisors()
        .iter()
        .map(|(_, pid)| *pid)
        .chain([running.process.supervisor_pid()])
        .collect();
    let all: Vec<_> = supervisors.into_iter().flat_map(alive_below).collect();
    assert_eq!(all.len(), 2);
    let stopped = running.stop().await;
    assert_eq!(stopped.exit.signal, Some(15));
    assert!(!stopped.something_left && all_gone(&all));
}

#[tokio::test]
async fn what_a_cell_sets_comes_over_the_scenario() {
    let folders = folders();
    let mut service = answering("200 OK\n");
    service.env.extend([("A", "scenario"), ("B", "scenario")].map(|(name, value)| (name.to_owned(), template(value))));
    service.program = Program::Command(["sh", "-c", "echo \"$A-${B-unset}-$2\"; exit 1", "sh"].map(template).into());
    service.args = vec![template("one")];
    let env =
        [("A", Some("cell in {{dir}}".to_owned())), ("B", None)].map(|(name, value)| (name.to_owned(), value)).into();
    let error = folders.start_with(&service, &[], env, &["--wal={{dir}}/two".to_owned()]).await.expect_err("it exits");
    let folder = folders.path("cell").display().to_string();
    assert_eq!(folders.text("cell/service.log"), format!("cell in {folder}-unset---wal={folder}/two\n"));
    assert!(matches!(error, ServiceError::Ended { .. }), "{error}");
}

#[tokio::test]
async fn a_service_that_is_never_ready_says_what_it_answered() {
    let folders = folders();
    let mut service = answering("503 Service Unavailable\nno");
    service.ready.as_mut().expect("a question").timeout = Duration::from_millis(700);
    let error = folders.failure(&service, &[]).await.to_string();
    assert!(error.starts_with("the service was not ready in 700 ms: GET http://127.0.0.1:"), "{error}");
    assert!(error.contains("/healthz said 503 last") && error.contains("listening on"), "{error}");
}

#[tokio::test]
async fn a_service_that_listens_nowhere_is_distinguished_from_one_that_hangs() {
    let folders = folders();
    let mut service = script("sleep 300");
    service.ready.as_mut().expect("a question").timeout = Duration::from_millis(50);
    let error = folders.failure(&service, &[]).await.to_string();
    assert!(error.contains("failed last: Connection refused"), "{error}");
}

#[tokio::test]
async fn a_service_that_dies_at_once_ends_the_waiting_and_its_dependency() {
    let folders = folders();
    let db = dependency("db");
    let error = folders.failure(&script("echo no such table >&2; exit 3"), std::slice::from_ref(&db)).await.to_string();
    assert!(error.starts_with("the service ended before it was ready (exit status 3)"), "{error}");
    assert!(error.ends_with("    no such table"), "{error}");
    let port = folders.text("cell/db.log");
    let port = port.split_once("listening on ").and_then(|(_, rest)| rest.split_once(' ')).expect("its port").0;
    assert!(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err(), "the dependency is stopped");
}

#[tokio::test]
async fn a_taken_port_is_tried_once_more_and_then_named() {
    let folders = folders();
    let script = script("echo {{port}} >> {{dir}}/ports; echo 'bind: Address already in use'; exit 1");
    let error = folders.failure(&script, &[]).await.to_string();
    assert!(error.contains("its port was taken"), "{error}");
    assert_eq!(folders.text("cell/ports").lines().count(), 2);
}

#[tokio::test]
async fn names_files_and_programs_that_are_not_there_are_reported() {
    let folders = folders();
    let mut service = answering("200 OK\n");
    service.args = vec![template("{{redis.port}}")];
    let error = folders.failure(&service, &[]).await.to_string();
    assert_eq!(error, "`args` of the service: nothing defines `{{redis.port}}`; known here: {{dir}}, {{port}}");

    let mut service = answering("200 OK\n");
    service.files = vec![RenderedFile { from: "none.in".into(), to: template("conf") }];
    let error = folders.failure(&service, &[]).await.to_string();
    assert!(error.contains("none.in, a file of the service: No such file"), "{error}");

    let mut service = answering("200 OK\n");
    service.program = Program::Command(vec![template("./none.sh")]);
    let error = folders.failure(&service, &[]).await.to_string();
    assert!(error.contains("none.sh`: No such file or directory") && error.contains("a path with a slash"), "{error}");
}

#[tokio::test]
async fn a_command_before_the_cell_that_fails_is_reported() {
    let folders = folders();
    let mut db = dependency("db");
    db.before_cell = ["sh", "-c", "echo no space; exit 1"].map(template).into();
    let error = folders.failure(&answering("200 OK\n"), &[db]).await.to_string();
    assert!(error.starts_with("`before_cell` of dependency `db` failed (exit status 1)"), "{error}");
    assert!(error.ends_with("    no space"), "{error}");
}

#[tokio::test]
async fn the_end_of_a_dependency_is_seen() {
    let folders = folders();
    let mut db = dependency("db");
    db.command = ["sh", "-c", "mkfifo {{dir}}/go; read line < {{dir}}/go; exit 5"].map(template).into();
    db.ready = None;
    let mut running = folders.start(&answering("200 OK\n"), &[db]).await.expect("it runs");
    let given_up = tokio::time::timeout(Duration::from_millis(1), running.ended()).await;
    assert!(given_up.is_err());
    eventually_async("the pipe is made", || folders.path("cell/go").exists()).await;
    std::fs::write(folders.path("cell/go"), "go\n").expect("a reader");
    let ended = running.ended().await;
    assert_eq!((ended.who, ended.exit.code), (Who::Dependency("db".to_owned()), Some(5)));
    running.stop().await;
}

#[tokio::test]
async fn answers_without_end_and_other_statuses_are_bounded_and_told() {
    let folders = folders();
    let mut running = folders.start(&answering("200 endless\n"), &[]).await.expect("it runs");
    let endless = live_bytes(&running.client, "/").await;
    assert!(matches!(endless, Err(ProbeError::TooLarge { .. })), "{endless:?}");
    running.stop().await;

    let mut running = folders.start(&answering("302 Found\nelsewhere"), &[]).await.expect("302 is ready");
    let found = live_bytes(&running.client, "/").await;
    assert!(matches!(found, Err(ProbeError::Status { .. })), "{found:?}");
    running.stop().await;

    let probe = r#"200 OK
{"schema":1,"live_bytes":4096,"live_objects":2}"#;
    let mut running = folders.start(&answering(probe), &[]).await.expect("it runs");
    let live = live_bytes(&running.client, "/").await.expect("an answer").expect("live bytes");
    assert_eq!((live.live_bytes.get(), live.live_objects), (4096, 2));
    running.stop().await;
    let gone = live_bytes(&running.client, "/").await;
    assert!(gone.is_err_and(|error| error.to_string().contains("Connection refused")));
}

#[tokio::test]
async fn a_service_without_an_address_is_up_as_soon_as_it_is_started() {
    let folders = folders();
    let service = steep_core::scenario::Service { url: None, ready: None, ..script("sleep 300") };
    let mut running = folders.start(&service, &[]).await.expect("a service");
    assert_eq!(running.stranger(), None);
    running.stop().await;
}
