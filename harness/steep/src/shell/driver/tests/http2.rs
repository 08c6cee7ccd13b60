//! HTTP/2 with prior knowledge: many requests on a connection, and what becomes of them when stream or connection end.

use std::convert::Infallible;
use std::sync::atomic::AtomicUsize;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request as HyperRequest, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::*;
use steep_core::scenario::{Capture, CapturePlace, Flow, ThinkTime};
use steep_core::template::Template;

/// What a service of HTTP/2 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversation {
    /// Answers at once.
    Answers,
    /// Answers never.
    Hangs,
    /// Allows this many streams at a time, and answers each when others could have come.
    Allows(u32),
    /// Ends a connection in due form (GOAWAY) after this many requests.
    SaysGoodbyeAfter(usize),
    /// Resets every stream.
    Resets,
}

/// What it saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: AtomicUsize,
    pub(super) most_at_a_time: AtomicUsize,
    at_a_time: AtomicUsize,
    /// Streams that the client ended before they were answered.
    pub(super) dropped: AtomicUsize,
    pub(super) lines: Mutex<Vec<String>>,
}

/// Runs on a thread of the tests' runtime.
#[derive(Clone, Copy)]
pub(super) struct Spawn;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, task: F) {
        tokio::spawn(task);
    }
}

struct Dropped<'s>(&'s Seen);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

async fn answer(
    request: HyperRequest<Incoming>,
    conversation: Conversation,
    seen: &Seen,
) -> Result<Response<Full<Bytes>>, io::Error> {
    assert_eq!(request.version(), Version::HTTP_2);
    let described = format!("{} {} {:?}", request.method(), request.uri(), request.headers().get("authorization"));
    seen.lines.lock().expect("no panic").push(described);
    seen.requests.fetch_add(1, Ordering::Relaxed);
    let now = seen.at_a_time.fetch_add(1, Ordering::Relaxed) + 1;
    seen.most_at_a_time.fetch_max(now, Ordering::Relaxed);
    match conversation {
        Conversation::Hangs => {
            let _dropped = Dropped(seen);
            std::future::pending::<Infallible>().await;
        }
        Conversation::Allows(_) => {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        Conversation::Resets => return Err(io::Error::other("no")),
        Conversation::Answers | Conversation::SaysGoodbyeAfter(_) => {}
    }
    seen.at_a_time.fetch_sub(1, Ordering::Relaxed);
    Ok(Response::new(Full::from("hello")))
}

/// Talks over one connection.
pub(super) async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    conversation: Conversation,
    seen: Arc<Seen>,
) {
    let goodbye = Arc::new(Notify::new());
    let (described, so_far) = (Arc::clone(&goodbye), Arc::new(AtomicUsize::new(0)));
    let service = service_fn(move |request| {
        let (seen, described, so_far) = (Arc::clone(&seen), Arc::clone(&described), Arc::clone(&so_far));
        async move {
            if conversation == Conversation::SaysGoodbyeAfter(so_far.fetch_add(1, Ordering::Relaxed) + 1) {
                described.notify_one();
            }
            answer(request, conversation, &seen).await
        }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(Spawn);
    if let Conversation::Allows(streams) = conversation {
        builder.max_concurrent_streams(streams);
    }
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = &mut connection => return,
        () = goodbye.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn service(conversation: Conversation) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Seen::default());
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, conversation, Arc::clone(&log)));
        }
    });
    (url, seen)
}

pub(super) fn http2(url: &str, load: &TestLoad, connections: usize) -> DriverSpec {
    let mut spec = spec(url, load);
    spec.http.protocol = Protocol::Http2;
    spec.http.connections = connections;
    spec
}

/// 60 plain requests over this many connections.
async fn over(connections: usize, conversation: Conversation) -> (DriverEnd, Counts, Arc<Seen>) {
    let (url, seen) = service(conversation).await;
    let load = plain();
    let mut spec = http2(&url, &load, connections);
    spec.http.request_timeout = Duration::from_millis(if conversation == Conversation::Hangs { 150 } else { 5_000 });
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.due, 60);
    (end, total, seen)
}

#[tokio::test]
async fn requests_share_a_connection() {
    let (end, total, seen) = over(1, Conversation::Answers).await;
    assert_eq!((total.ok, total.body_bytes_received), (total.sent, 5 * total.sent), "{total:?}");
    assert_eq!((end.traffic.connections.opened, end.traffic.connections.closed), (1, 0));
    let lines = seen.lines.lock().expect("no panic");
    assert!(
        lines.iter().all(|line| line.starts_with("GET http://127.0.0.1:") && line.ends_with("/ None")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn answers_are_looked_at() {
    for (wanted, is_met) in [("hello", true), ("bye", false)] {
        let (url, _) = service(Conversation::Answers).await;
        let mut load = plain();
        load.requests[0].expect.body_contains = Some(Template::parse(wanted).expect("a template"));
        let driver = in_time(Driver::connect(http2(&url, &load, 1), load.schedule())).await.expect("connections");
        let (end, total, _) = soak(driver, Instant::now()).await;
        let (ok, failed) = if is_met { (total.sent, 0) } else { (0, total.sent) };
        assert_eq!((total.ok, total.failed_expect), (ok, failed), "{total:?}");
        assert_eq!(end.first_unmet.is_some(), !is_met, "{:?}", end.first_unmet);
    }
}

#[tokio::test]
async fn what_hangs_occupies_a_stream_and_no_connection() {
    let (end, total, seen) = over(2, Conversation::Hangs).await;
    assert_eq!(total.failed_timeout, total.sent, "{total:?}");
    assert!(seen.most_at_a_time.load(Ordering::Relaxed) > 2);
    assert_eq!(end.traffic.connections.closed, 0, "a stream that is given up leaves the connection");
}

#[tokio::test]
async fn no_more_streams_than_the_service_allows_and_than_the_scenario_says() {
    let (_, total, seen) = over(1, Conversation::Allows(2)).await;
    assert_eq!(total.ok, total.sent, "{total:?}");
    assert!(seen.most_at_a_time.load(Ordering::Relaxed) <= 2, "{seen:?}");

    let (url, seen) = service(Conversation::Hangs).await;
    let load = plain();
    let mut spec = http2(&url, &load, 2);
    spec.http.max_concurrent_streams = 3;
    spec.http.request_timeout = Duration::from_millis(600);
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (_, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.failed_timeout, total.sent, "{total:?}");
    // What waits for a stream is given one as soon as another is given up; the service may see both for a moment.
    assert!(seen.requests.load(Ordering::Relaxed) >= 6 && total.sent > 6, "{seen:?}");
}

#[tokio::test]
async fn a_connection_that_the_service_ends_in_due_form_loses_nothing() {
    let (end, total, _) = over(2, Conversation::SaysGoodbyeAfter(5)).await;
    assert_eq!(total.ok, total.sent, "{total:?}");
    assert!(end.traffic.connections.opened > 2, "{:?}", end.traffic.connections);
}

#[tokio::test]
async fn a_stream_that_is_reset_is_a_broken_answer_and_the_connection_stays() {
    let (end, total, _) = over(2, Conversation::Resets).await;
    assert_eq!(total.failed_body, total.sent, "{total:?}");
    assert_eq!(end.traffic.connections.closed, 0);
}

#[tokio::test]
async fn connections_are_renewed_after_this_many_streams() {
    let (url, _) = service(Conversation::Answers).await;
    let load = plain();
    let mut spec = http2(&url, &load, 2);
    spec.http.max_requests_per_connection = 5;
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.ok, total.sent, "{total:?} {:?}", end.traffic.connections);
    assert!(end.traffic.connections.closed + 2 >= total.sent / 5, "{:?}", end.traffic.connections);
}

#[tokio::test]
async fn a_service_of_http1_is_an_error_before_the_load() {
    let service = Service::start(Manners::Answers("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")).await;
    let load = plain();
    let refused = in_time(Driver::connect(http2(&service.url, &load, 1), load.schedule())).await;
    let Err(DriverError::Connect { source, .. }) = refused else { panic!("{refused:?}") };
    assert!(source.to_string().starts_with("the service does not speak HTTP/2"), "{source}");
}

#[tokio::test]
async fn a_request_that_is_left_resets_its_stream() {
    let (url, seen) = service(Conversation::Hangs).await;
    let mut load = plain();
    let abort = steep_core::scenario::Abort { after: Duration::from_millis(20), share: 1.0, with: Farewell::Reset };
    load.requests[0].conduct = Some(Conduct { abort: Some(abort), ..Conduct::default() });
    let driver = in_time(Driver::connect(http2(&url, &load, 2), load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert_eq!((total.aborted, total.failed()), (total.sent, 0), "{total:?}");
    assert_eq!(end.traffic.connections.closed, 0);
    let all_dropped = || seen.dropped.load(Ordering::Relaxed) as u64 == total.sent;
    in_time(async {
        while !all_dropped() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn sessions_go_on_with_what_streams_gave_them() {
    let (url, seen) = service(Conversation::Answers).await;
    let mut load = plain();
    // The second phase lets the last session end before the load does.
    load.phases = vec![constant(200.0, 0.3), constant(0.0, 0.3)];
    let mut greet = request("greet", 0.0, "GET", "/greet", None);
    greet.capture.insert("word".to_owned(), Capture { place: CapturePlace::Body, regex: Some("^(hell)o$".to_owned()) });
    load.requests = vec![greet, request("tell", 0.0, "GET", "/tell/{{word}}", None)];
    load.flows = vec![Flow {
        name: "telling".to_owned(),
        weight: 1.0,
        steps: ["greet", "tell"].map(str::to_owned).to_vec(),
        think_time: ThinkTime::default(),
        cookies: true,
    }];
    let driver = in_time(Driver::connect(http2(&url, &load, 1), load.schedule())).await.expect("connections");
    let (end, _, _) = soak(driver, Instant::now()).await;
    let flow = end.traffic.flows["telling"];
    assert!(flow.completed == flow.started && flow.started > 0, "{flow:?} {:?}", end.first_unmet);
    let lines = seen.lines.lock().expect("no panic");
    let described = lines.iter().filter(|line| line.contains("/tell/hell ")).count() as u64;
    assert_eq!((described, lines.len() as u64), (flow.completed, 2 * flow.completed), "{lines:?}");
}
