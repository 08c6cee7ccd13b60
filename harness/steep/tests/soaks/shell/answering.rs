//! Load, readiness and memory belong to the same processes: whoever else listens on the port is distinguished from the
//! service, in every way in which a port can be shared, moved, taken or handed down.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use steep::shell::ports::Port;
use steep::shell::service::failure::ServiceError;
use steep_core::scenario::{Program, ReadyCheck, Service};

use super::folders;
use crate::support::cells::{answering, dependency, script, staged, template};
use crate::support::{alive_below, all_gone, eventually_async, sharing, stage};

/// A port that nobody else picks.
fn port() -> Port {
    let mut port = Port::pick().expect("a port");
    port.release();
    port
}

/// Another program, which listens on `address`.
struct Stranger(Child);

impl Stranger {
    async fn on(address: &str) -> Self {
        let child = Command::new(stage())
            .arg("service")
            .env("STEEP_TEST_ADDRESS", address)
            .stdout(Stdio::null())
            .spawn()
            .expect("another program");
        let to = address.replace("[::]", "[::1]").replace("0.0.0.0", "127.0.0.1");
        eventually_async("it listens", || TcpStream::connect(&to).is_ok()).await;
        Self(child)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // It is there until it is waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The service of `text`, asked and loaded at `url`.
fn at(url: &str, mut service: Service) -> Service {
    service.url = Some(template(url));
    service
}

/// A service that listens on `address`, asked and loaded at `url`.
fn listening(address: &str, url: &str) -> Service {
    let mut service = at(url, answering("200 OK\nup"));
    service.env.remove("STEEP_TEST_PORT");
    service.env.insert("STEEP_TEST_ADDRESS".to_owned(), template(address));
    service
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[tokio::test]
async fn another_program_on_the_port_is_reported_before_anything_is_started_or_asked() {
    let port = port();
    let number = port.number();
    let stranger = Stranger::on(&format!("127.0.0.1:{number}")).await;
    let folders = folders();
    let error = folders.failure(&at(&format!("http://127.0.0.1:{number}"), script("sleep 300")), &[]).await;
    assert!(matches!(error, ServiceError::PortTaken { .. }), "{error}");
    let error = error.to_string();
    let pid = stranger.0.id();
    assert!(error.starts_with("another program answers on the port"), "{error}");
    assert!(error.contains(&format!("process {pid} (`")) && error.contains("steep-stage"), "{error}");
    assert!(error.contains("{{port}}"), "what to do: {error}");
    assert!(!folders.path("cell/service.log").exists(), "nothing was started");
}

#[tokio::test]
async fn a_wildcard_listener_of_either_kind_is_another_program_too() {
    for wildcard in ["0.0.0.0", "[::]"] {
        let port = port();
        let number = port.number();
        let _stranger = Stranger::on(&format!("{wildcard}:{number}")).await;
        let folders = folders();
        let error = folders.failure(&at(&format!("http://127.0.0.1:{number}"), script("sleep 300")), &[]).await;
        assert!(error.to_string().starts_with("another program answers on the port"), "{wildcard}: {error}");
    }
}

/// Listens on `port` as soon as the kernel gives it: the main thread of a process that was killed may have ended while
/// another of its threads, which still holds the listener, has not.
async fn taken(port: u16) -> TcpListener {
    let mut listener = None;
    eventually_async("the port is free", || {
        listener = TcpListener::bind(("127.0.0.1", port)).ok();
        listener.is_some()
    })
    .await;
    listener.expect("it was waited for")
}

#[tokio::test]
async fn another_program_that_comes_while_the_service_starts_is_reported() {
    let port = port();
    let number = port.number();
    let folders = folders();
    let service = at(&format!("http://127.0.0.1:{number}"), script("touch {{dir}}/up; sleep 300"));
    let taking = async {
        eventually_async("the service runs", || folders.path("cell/up").exists()).await;
        taken(number).await
    };
    let (error, _listener) = tokio::join!(folders.failure(&service, &[]), taking);
    let error = error.to_string();
    assert!(
        error.contains(&format!(
            "another program answers on the port: 127.0.0.1:{number} is in use by process {} (",
            std::process::id()
        )),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_that_ends_because_its_port_is_taken_need_not_say_so() {
    let port = port();
    let number = port.number();
    // Held by the test, from which steep descends: it might hand its listener down, so the service is started all the
    // same.
    let _listener = taken(number).await;
    let folders = folders();
    let error = folders.failure(&at(&format!("http://127.0.0.1:{number}"), script("exit 1")), &[]).await;
    assert!(error.to_string().starts_with("another program answers on the port"), "{error}");
}

#[tokio::test]
async fn a_program_that_shares_the_port_is_reported_once_it_does() {
    let port = port();
    let number = port.number();
    let folders = folders();
    let mut service = at(&format!("http://127.0.0.1:{number}"), script("sleep 300"));
    service.program = Program::Command(staged("sharing-service"));
    service.env.insert("STEEP_TEST_PORT".to_owned(), template(&number.to_string()));
    let mut running = folders.start(&service, &[]).await.expect("it runs");
    assert_eq!(running.stranger(), None);
    let shared = sharing(address(&format!("127.0.0.1:{number}")), false).expect("the port is shared");
    let stranger = running.stranger().expect("a stranger");
    assert!(stranger.is_shared && stranger.to_string().contains("SO_REUSEPORT"), "{stranger}");
    drop(shared);
    eventually_async("nobody shares it", || running.stranger().is_none()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_stranger_that_takes_over_from_a_service_that_stopped_listening_is_reported() {
    let folders = folders();
    let mut running = folders.start(&answering("200 OK\nup"), &[]).await.expect("it runs");
    let number = running.port.number();
    let child = running.process.pid();
    // The main process lives on; what listened is gone.
    assert_eq!(running.stranger(), None);
    let service_ended = alive_below(running.process.supervisor_pid());
    steep::shell::process_tree::send(child, rustix::process::Signal::KILL).expect("a process of the test");
    eventually_async("it is gone", || all_gone(&service_ended)).await;
    let _listener = taken(number).await;
    let stranger = running.stranger().expect("a stranger");
    assert_eq!(stranger.process.as_ref().map(|process| process.pid), Some(std::process::id()));
    assert!(!stranger.is_shared);
    running.stop().await;
}

#[tokio::test]
async fn a_child_or_a_grandchild_that_left_its_session_answers_for_the_service() {
    let serve = format!("'{}' service", stage().display());
    for text in [format!("{serve} & wait"), format!("(setsid nohup {serve} >/dev/null 2>&1 &); sleep 300")] {
        let folders = folders();
        let mut running = folders.start(&script(&text), &[]).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(running.stranger(), None, "{text}");
        assert_eq!(running.unknown, [""; 0], "{text}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_listener_that_moves_from_a_parent_to_its_worker_stays_the_services() {
    let folders = folders();
    let go = folders.path("cell/go");
    let mut service = answering("200 OK\nup");
    service.program = Program::Command(staged("parent-of-worker"));
    service.env.insert("STEEP_TEST_FILE".to_owned(), template("{{dir}}/go"));
    let mut running = folders.start(&service, &[]).await.expect("it runs");
    assert_eq!(running.stranger(), None);
    std::fs::write(&go, "").expect("a file");
    eventually_async("the parent has let go", || folders.path("cell/go.seen").exists()).await;
    assert_eq!(running.stranger(), None);
    assert!(TcpStream::connect(("127.0.0.1", running.port.number())).is_ok());
    running.stop().await;
}

#[tokio::test]
async fn listeners_of_all_addresses_and_of_ipv6_are_the_services() {
    for listen in ["0.0.0.0:{{port}}", "[::]:{{port}}"] {
        let folders = folders();
        let mut running = folders.start(&listening(listen, "http://127.0.0.1:{{port}}"), &[]).await.expect("it runs");
        assert_eq!(running.stranger(), None, "{listen}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_name_is_settled_at_the_address_at_which_the_service_answers() {
    let port = port();
    let number = port.number();
    // Another program has the port at the other address of the name.
    for (own, other) in [("127.0.0.1", "[::1]"), ("[::1]", "127.0.0.1")] {
        let _stranger = Stranger::on(&format!("{other}:{number}")).await;
        let folders = folders();
        let service = listening(&format!("{own}:{number}"), &format!("http://localhost:{number}"));
        match folders.start(&service, &[]).await {
            Ok(mut running) => {
                assert_eq!(running.endpoint.addresses(), [address(&format!("{own}:{number}"))]);
                assert_eq!(running.stranger(), None);
                running.stop().await;
            }
            // A host on which `localhost` is one of the two only.
            Err(error) => assert!(error.to_string().starts_with("another program answers on the port"), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_listener_of_ipv6_alone_does_not_answer_what_comes_by_ipv4() {
    let port = port();
    let number = port.number();
    let _deaf = sharing(address(&format!("[::]:{number}")), false).expect("a port");
    let folders = folders();
    let service = listening(&format!("127.0.0.1:{number}"), &format!("http://127.0.0.1:{number}"));
    let mut running = folders.start(&service, &[]).await.expect("it runs");
    assert_eq!(running.stranger(), None);
    running.stop().await;
}

#[tokio::test]
async fn a_dependency_answers_in_front_of_the_service_if_the_scenario_says_so() {
    let folders = folders();
    let service = at("http://127.0.0.1:{{front.port}}", script("sleep 300"));
    let mut running = folders.start(&service, &[dependency("front")]).await.expect("it runs");
    assert_eq!(running.stranger(), None);
    assert!(
        running.unknown.iter().any(|unknown| unknown.contains("dependency `front` answers in front")),
        "{:?}",
        running.unknown
    );
    running.stop().await;

    // By a fixed port, on which it says to be ready.
    let port = port();
    let mut front = dependency("front");
    front.env.insert("STEEP_TEST_PORT".to_owned(), template(&port.number().to_string()));
    if let Some(ready) = &mut front.ready {
        ready.check = ReadyCheck::Tcp(template(&format!("127.0.0.1:{}", port.number())));
    }
    let service = at(&format!("http://127.0.0.1:{}", port.number()), script("sleep 300"));
    let mut running = folders.start(&service, std::slice::from_ref(&front)).await.expect("it runs");
    running.stop().await;

    // Otherwise it is another program.
    front.ready = None;
    front.before_cell =
        ["sh", "-c", &format!("until (echo > /dev/tcp/127.0.0.1/{}) 2>/dev/null; do :; done", port.number())]
            .map(template)
            .into();
    front.before_cell[0] = template("bash");
    let error = folders.failure(&service, &[front]).await.to_string();
    assert!(
        error.contains("another program answers on the port") && error.contains("which is dependency `front`"),
        "{error}"
    );
    assert!(error.contains("{{<dependency>.port}}"), "{error}");
}

#[tokio::test]
async fn another_program_on_the_port_of_a_dependency_is_reported() {
    let port = port();
    let number = port.number();
    let _stranger = Stranger::on(&format!("127.0.0.1:{number}")).await;
    let mut db = dependency("db");
    if let Some(ready) = &mut db.ready {
        ready.check = ReadyCheck::Tcp(template(&format!("127.0.0.1:{number}")));
    }
    let folders = folders();
    let error = folders.failure(&answering("200 OK\nup"), &[db]).await.to_string();
    assert!(error.starts_with("another program answers on the port"), "{error}");
    assert!(error.ends_with("(it is the port of dependency `db`)"), "{error}");
}

#[tokio::test]
async fn a_dependency_that_listens_out_of_sight_is_taken_and_said_to_be() {
    let folders = folders();
    let mut db = dependency("db");
    // As a command that has a daemon start a container: what listens is not a child of its.
    db.command = ["sh", "-c", "echo {{port}} > {{dir}}/wanted.tmp; mv {{dir}}/wanted.tmp {{dir}}/wanted; sleep 300"]
        .map(template)
        .into();
    let daemon = async {
        eventually_async("it is asked for", || folders.path("cell/wanted").exists()).await;
        Stranger::on(&format!("127.0.0.1:{}", folders.text("cell/wanted").trim())).await
    };
    let (running, _daemon) = tokio::join!(async { folders.start(&answering("200 OK\nup"), &[db]).await }, daemon);
    let mut running = running.expect("it runs");
    assert!(
        running.unknown.iter().any(|unknown| unknown.starts_with("the memory of dependency `db`")),
        "{:?}",
        running.unknown
    );
    running.stop().await;
}

#[tokio::test]
async fn a_picked_port_is_held_until_its_process_starts() {
    let folders = folders();
    // The second dependency's port, while the first is made ready: nobody else may have it.
    let mut first = dependency("first");
    let script = format!("! STEEP_TEST_PORT={{{{second.port}}}} '{}' service", stage().display());
    first.before_cell = ["sh", "-c", &script].map(template).into();
    let mut running = folders.start(&answering("200 OK\nup"), &[first, dependency("second")]).await.expect("they run");
    assert!(folders.text("cell/first.before_cell.log").contains("AddrInUse"));
    running.stop().await;
}

#[test]
fn who_takes_connections_of_a_socket_that_was_handed_down_is_said_to_be_unknown() {
    // A program of its own: what it opens is handed down to all processes that it starts.
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(stage()).arg("handing-down").arg(folder.path()).output().expect("a program");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn nobody_is_not_a_stranger_and_time_is_given() {
    let folders = folders();
    let mut service = script("sleep 300");
    service.ready.as_mut().expect("a question").timeout = Duration::from_millis(50);
    let error = folders.failure(&service, &[]).await;
    assert!(matches!(error, ServiceError::NotReady { .. }), "{error}");
}
