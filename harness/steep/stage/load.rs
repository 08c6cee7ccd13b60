//! A program that makes load: one request after the other, until the service has gone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::variable;

/// Loads the address in `LOAD_URL`. Where `LOAD_COUNTS` is set, it prints after each request how many there were.
pub(super) fn make() {
    let url = variable("LOAD_URL");
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let mut answer = [0; 1024];
    for count in 1_u64.. {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: moody\r\n\r\n").unwrap();
        assert!(stream.read(&mut answer).unwrap() > 0, "the service has gone");
        if std::env::var_os("LOAD_COUNTS").is_some() {
            println!("requests {count}");
        }
    }
}
