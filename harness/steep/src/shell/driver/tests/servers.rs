//! Servers that speak HTTP badly, or not at all: each ends in the class it belongs to, and none hangs the driver.

use super::*;

/// What a server does with each request that it has read.
#[derive(Clone, Copy)]
enum Deed {
    /// Says this and reads on.
    Says(&'static [u8]),
    /// Says this and closes.
    Closes(&'static [u8]),
    /// Says this and throws the connection away.
    Resets(&'static [u8]),
    /// Says the first, and the second without end.
    Repeats(&'static [u8], &'static [u8]),
}

/// The class that all requests end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Ok,
    Body,
    Timeout,
}

const CASES: [(&str, Deed, Class); 14] = [
    (
        "closes before the length it promised",
        Deed::Closes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"),
        Class::Body,
    ),
    ("closes where its body ends, as in HTTP/1.0", Deed::Closes(b"HTTP/1.0 200 OK\r\n\r\nhello"), Class::Ok),
    ("resets in the middle of a body", Deed::Resets(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"), Class::Body),
    ("closes in the middle of a head", Deed::Closes(b"HTTP/1.1 200 OK\r\ncontent-"), Class::Body),
    ("closes without a word", Deed::Closes(b""), Class::Body),
    ("never finishes its head", Deed::Says(b"HTTP/1.1 200 OK\r\nx: y\r\n"), Class::Timeout),
    ("never finishes its body", Deed::Says(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"), Class::Timeout),
    (
        "sends a header without end",
        Deed::Repeats(b"HTTP/1.1 200 OK\r\nx: ", b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
        Class::Body,
    ),
    ("sends headers without end", Deed::Repeats(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), Class::Body),
    (
        "promises 10 GB and sends them",
        Deed::Repeats(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", &[b'x'; 1 << 16]),
        Class::Body,
    ),
    ("says no HTTP", Deed::Says(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), Class::Body),
    ("says no status", Deed::Says(b"HTTP/1.1 hello\r\n\r\n"), Class::Body),
    (
        "has chunks of no size",
        Deed::Says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nhello\r\n"),
        Class::Body,
    ),
    (
        "sends to itself, again and again",
        Deed::Says(b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
        Class::Ok,
    ),
];

async fn misbehave(mut stream: TcpStream, deed: Deed, requests: Arc<AtomicU64>) {
    while read_request(&mut stream).await.is_some() {
        requests.fetch_add(1, Ordering::Relaxed);
        let (Deed::Says(text) | Deed::Closes(text) | Deed::Resets(text) | Deed::Repeats(text, _)) = deed;
        if stream.write_all(text).await.is_err() {
            return;
        }
        match deed {
            Deed::Says(_) => {}
            Deed::Closes(_) => return,
            Deed::Resets(_) => return stream.set_zero_linger().expect("a socket"),
            Deed::Repeats(_, more) => {
                while stream.write_all(more).await.is_ok() {}
                return;
            }
        }
    }
}

/// Six requests to a server that does `deed`, and how many it read.
async fn met(deed: Deed) -> (Counts, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&requests);
    let server = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(misbehave(stream, deed, Arc::clone(&read)));
        }
    });
    let mut load = plain();
    load.phases = vec![constant(30.0, 0.2)];
    let mut spec = spec(&url, &load);
    // What is cut at a bound is cut long before, also on a busy machine; what hangs is waited for.
    spec.http.request_timeout =
        if matches!(deed, Deed::Repeats(..)) { Duration::from_secs(20) } else { Duration::from_millis(300) };
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (_, total, _) = soak(driver, Instant::now()).await;
    server.abort();
    (total, requests.load(Ordering::Relaxed))
}

#[tokio::test]
async fn each_bad_server_has_its_class() {
    for (what, deed, class) in CASES {
        let (total, requests) = met(deed).await;
        let in_class = match class {
            Class::Ok => total.ok,
            Class::Body => total.failed_body,
            Class::Timeout => total.failed_timeout,
        };
        assert!(in_class == total.sent && total.sent + total.missed == 6, "it {what}: {total:?}");
        assert!(requests <= total.sent, "it {what}: {requests} requests were read, {} sent", total.sent);
    }
}
