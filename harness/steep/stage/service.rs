//! Services that answer every request alike, and differ in whose the listening socket is.

use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::support::sharing;
use super::variable;

/// Listens on `STEEP_TEST_ADDRESS`, or on `STEEP_TEST_PORT` of 127.0.0.1.
pub(super) fn serve_at_address() {
    let address = std::env::var("STEEP_TEST_ADDRESS").unwrap_or_else(|_| own_address());
    let port = address.rsplit(':').next().unwrap_or_default();
    println!("listening on {port} for {}", std::env::var("NAME").unwrap_or_default());
    serve(&TcpListener::bind(&address).expect("a free port"));
}

fn own_address() -> String {
    format!("127.0.0.1:{}", variable("STEEP_TEST_PORT"))
}

/// A worker: its parent's listener is its standard input.
pub(super) fn work() {
    serve(&TcpListener::from(io::stdin().as_fd().try_clone_to_owned().expect("a listener")));
}

/// Listens and lets a worker answer, and closes its own end once `STEEP_TEST_FILE` is there.
pub(super) fn hand_on() {
    let file = PathBuf::from(variable("STEEP_TEST_FILE"));
    let listener = TcpListener::bind(own_address()).expect("a free port");
    let handed_down = OwnedFd::from(listener.try_clone().expect("a listener"));
    let mut worker = Command::new(std::env::current_exe().expect("this program"))
        .arg("worker")
        .stdin(Stdio::from(handed_down))
        .spawn()
        .expect("a worker");
    while !file.exists() {
        std::thread::yield_now();
    }
    drop(listener);
    std::fs::rename(&file, file.with_extension("seen")).expect("a file");
    worker.wait().expect("it is ended with its parent");
}

/// Shares its port with whoever wants to.
pub(super) fn share() {
    let address = own_address().parse().expect("an address");
    serve(&TcpListener::from(sharing(address, false).expect("a port")));
}

/// Gives each connection the answer of `ANSWER`: a status line, and a body.
fn serve(listener: &TcpListener) {
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
