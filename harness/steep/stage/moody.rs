//! A service that behaves as badly as its mood says.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::guarded::{BASIC, KEY};

/// Requests answered, beside those for readiness.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// A service that gives way stops listening after this many.
const GIVES_WAY_AFTER: u64 = 50;

/// Whether it was switched on by a request.
static SWITCHED: AtomicBool = AtomicBool::new(false);

/// What it keeps of every request.
static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Number of the process that it loses.
static WORKER: AtomicU64 = AtomicU64::new(0);

/// A file on tmpfs that has no name any more.
static SPOOL: Mutex<Option<File>> = Mutex::new(None);

/// Serves on this port in this mood, until it is ended.
pub(super) fn serve_forever(mood: &str, port: &str) {
    if mood == "dies" {
        eprintln!("error: the configuration has no shelf 7");
        std::process::exit(3);
    }
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("error: bind 127.0.0.1:{port}: {error}");
        std::process::exit(1);
    });
    for stream in listener.incoming().flatten() {
        if mood == "gives-way" && ANSWERED.load(Ordering::Relaxed) >= GIVES_WAY_AFTER {
            break;
        }
        let mood = mood.to_owned();
        std::thread::spawn(move || serve(&stream, &mood));
    }
    // Nobody listens any more; whoever is connected is answered.
    drop(listener);
    loop {
        std::thread::park();
    }
}

/// The tests look for the name of this function.
#[inline(never)]
fn keep_for_ever() {
    KEPT.lock().unwrap().push(vec![1; 64 << 10]);
}

/// Answers requests without bodies until the client goes.
fn serve(stream: &TcpStream, mood: &str) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(request)) = lines.next() {
        let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|header| !header.is_empty()).collect();
        let is_for_readiness = request.starts_with("GET /ready");
        let described = if mood == "guarded" && !is_let_in(&head, is_for_readiness) {
            write(stream, "401 Unauthorized", "who are you?")
        } else if is_for_readiness {
            ready(stream, mood)
        } else if request.starts_with("GET /metrics") {
            let count = ANSWERED.load(Ordering::Relaxed);
            let switched = u64::from(SWITCHED.load(Ordering::Relaxed));
            let text = format!("moody_requests_total{{route=\"/\"}} {count}\nmoody_switched {switched}\n");
            write(stream, "200 OK", &text)
        } else if request.starts_with("GET /config") {
            write(stream, "200 OK", &configuration())
        } else if request.starts_with("GET /calm") {
            write(stream, "200 OK", "fine")
        } else if request.starts_with("PUT /switch") {
            SWITCHED.store(true, Ordering::Relaxed);
            write(stream, "204 No Content", "")
        } else if request.starts_with("DELETE /switch") {
            write(stream, "405 Method Not Allowed", "only PUT")
        } else {
            answer(stream, mood)
        };
        if described.is_none() {
            return;
        }
    }
}

/// Its configuration files, one after the other.
fn configuration() -> String {
    let folder = std::path::PathBuf::from(std::env::var_os("CONFIG").unwrap_or_default());
    ["app.toml", "app.json", "app.yaml"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(folder.join(name)).ok())
        .collect()
}

/// Readiness is asked with the password, and without what stands in the headers of requests.
fn is_let_in(head: &[String], is_for_readiness: bool) -> bool {
    let says = |wanted: &str| head.iter().any(|header| header == wanted);
    says(&format!("authorization: Basic {BASIC}")) && (is_for_readiness || says(&format!("x-key: key {KEY}")))
}

fn ready(stream: &TcpStream, mood: &str) -> Option<()> {
    write(stream, if mood == "never-ready" { "503 Service Unavailable" } else { "200 OK" }, "mood=fine")
}

/// What the slow one takes to answer.
const SLOW: std::time::Duration = std::time::Duration::from_millis(50);

/// None: the connection is over.
fn answer(stream: &TcpStream, mood: &str) -> Option<()> {
    let answered = ANSWERED.fetch_add(1, Ordering::Relaxed);
    match mood {
        "fails" => write(stream, "500 Internal Server Error", "sorry"),
        "closes" => None,
        "garbage" => write_all(stream, b"this is not HTTP\r\n\r\n").and(None),
        "hangs" => loop {
            std::thread::park();
        },
        "slow" => {
            std::thread::park_timeout(SLOW);
            write(stream, "200 OK", "at last")
        }
        "endless" => {
            write_all(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            loop {
                write_all(stream, b"400\r\n")?;
                write_all(stream, &[b'x'; 1024])?;
                write_all(stream, b"\r\n")?;
            }
        }
        "chatty" => {
            let (nth, of) = (answered / 40, answered % 40);
            if of == 0 || of == 10 {
                println!("INFO batch {nth} {}", if of == 0 { "started" } else { "finished" });
            }
            println!("answered {answered}");
            write(stream, "200 OK", "fine")
        }
        "keeps" => {
            keep_for_ever();
            write(stream, "200 OK", "kept")
        }
        "spools" => {
            let mut spool = SPOOL.lock().unwrap();
            let deleted = || {
                let path = format!("/dev/shm/moody-{}", std::process::id());
                let file = File::create(&path).unwrap();
                std::fs::remove_file(path).unwrap();
                file
            };
            spool.get_or_insert_with(deleted).write_all(&vec![b'y'; 64 << 10]).unwrap();
            write(stream, "200 OK", "kept")
        }
        // One that outlives the shell which started it, so that its end is the supervisor's to see.
        "loses-worker" if answered == 20 => {
            let script = "sleep 300 > /dev/null 2>&1 & echo $!";
            let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
            WORKER.store(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap(), Ordering::Relaxed);
            write(stream, "200 OK", "started")
        }
        "loses-worker" if answered == 250 => {
            let script = format!("kill -SEGV {}", WORKER.load(Ordering::Relaxed));
            std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
            write(stream, "200 OK", "killed")
        }
        "crashes" if answered >= 50 => std::process::abort(),
        "exits" if answered >= 50 => std::process::exit(7),
        "gives-way" if answered == GIVES_WAY_AFTER => {
            // Wakes who listens.
            let _ = TcpStream::connect(stream.local_addr().ok()?);
            write(stream, "200 OK", "fine")
        }
        "binds-late" if answered >= 50 => {
            let other = std::env::var("OTHER").unwrap_or_default();
            if let Err(error) = TcpListener::bind(format!("127.0.0.1:{other}")) {
                eprintln!("error: bind the metrics at 127.0.0.1:{other}: {error}");
                std::process::exit(1);
            }
            write(stream, "200 OK", "fine")
        }
        _ => write(stream, "200 OK", "fine"),
    }
}

fn write(stream: &TcpStream, status: &str, body: &str) -> Option<()> {
    write_all(stream, format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())
}

fn write_all(mut stream: &TcpStream, bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).ok()
}
