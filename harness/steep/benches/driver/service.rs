//! What all clients ask: a process that answers every read with the same bytes, on a core of its own, and counts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The answer to everything. It says keep-alive because ab speaks HTTP/1.0.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 13\r\ncontent-type: text/plain\r\n\r\nHello, world!";

/// What asks for the number of answers, in place of HTTP.
const COUNT: &[u8] = b"count";

/// Answers given.
static ANSWERS: AtomicU64 = AtomicU64::new(0);

/// Serves until it is killed. The clients here never split or join requests, so that each read is one.
pub(crate) async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
                let count;
                let answer = if &buffer[..bytes] == COUNT {
                    count = ANSWERS.load(Ordering::Relaxed).to_string();
                    count.as_bytes()
                } else {
                    ANSWERS.fetch_add(1, Ordering::Relaxed);
                    ANSWER
                };
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// The service as a process, which ends with this.
pub(crate) struct Service {
    process: Child,
    port: u16,
}

impl Service {
    /// Starts it on the CPUs that this process has.
    pub(crate) fn start() -> Self {
        let mut process = this_program().arg("service").stdout(Stdio::piped()).spawn().expect("this program runs");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { process, port: line.trim().parse().expect("a port") }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many requests it has answered.
    pub(crate) fn answers(&self) -> u64 {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).expect("the service");
        stream.write_all(COUNT).expect("the service reads");
        stream.shutdown(std::net::Shutdown::Write).expect("a socket");
        let mut count = String::new();
        stream.read_to_string(&mut count).expect("the service answers");
        count.parse().expect("a number")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It ends by this or has ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn this_program() -> Command {
    Command::new(std::env::current_exe().expect("a path"))
}
