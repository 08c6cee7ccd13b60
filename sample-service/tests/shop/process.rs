//! The program itself: it says where it listens, answers, and stops when told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sample-service"));
    command.args(["--port", "0"]).env("SHOP_ITEMS", "100").env_remove("RUST_LOG").stdout(Stdio::piped());
    command
}

/// Starts the shop; gives its address when it listens.
fn open() -> (Child, BufReader<ChildStdout>, String) {
    let mut child = program().spawn().expect("the shop starts");
    let mut log = BufReader::new(child.stdout.take().expect("the log is piped"));
    let mut line = String::new();
    while !line.contains("listening on http://") {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("a readable log"), 0, "the log ended before the shop listened");
    }
    let (_, address) = line.trim().split_once("http://").expect("an address");
    let address = address.to_owned();
    (child, log, address)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn the_shop_serves_on_the_port_that_it_names_and_stops_on_a_signal() {
    for name in ["TERM", "INT"] {
        let (mut child, mut log, address) = open();
        let mut connection = TcpStream::connect(&address).expect("the shop listens");
        connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n").expect("the shop reads");
        let mut answer = [0; 15];
        connection.read_exact(&mut answer).expect("the shop answers");
        assert_eq!(&answer, b"HTTP/1.1 200 OK");

        // The connection is still open and idle: it must not keep the shop from stopping.
        signal(&child, name);
        assert!(child.wait().expect("the shop ends").success());
        let mut rest = String::new();
        log.read_to_string(&mut rest).expect("a readable log");
        assert!(rest.contains("stopping"), "{rest}");
    }
}

#[test]
fn a_bad_setting_is_a_clear_error_at_start() {
    let output =
        program().env("SHOP_SESSION_BYTES", "4KB").env("SHOP_SESION_BYTES", "4").output().expect("the shop starts");
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(log.contains("SHOP_SESSION_BYTES=4KB is not a size"), "{log}");
    assert!(log.contains("SHOP_SESION_BYTES is not a setting"), "{log}");
}
