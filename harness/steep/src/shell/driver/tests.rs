//! Against services on the loopback that behave in every bad way. No test waits for longer than its load and its
//! time-outs, and none says how long anything took.

mod conduct;
mod flows;
mod grpc;
mod http2;
mod servers;
mod tls;

use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use steep_core::scenario::{Arrival, Conduct, Farewell, Protocol};
use steep_core::trace::Counts;
use steep_core::traffic::testing::constant;
use steep_core::traffic::testing::{TestLoad, request, shop};

mod models;
mod requests;

/// What a connection of the test service does.
#[derive(Debug, Clone, Copy)]
enum Manners {
    /// Answers each request with these bytes.
    Answers(&'static str),
    /// Answers this many, and then closes.
    ClosesAfter(usize),
    /// Answers with a body that never ends.
    Endless,
    /// Reads and says nothing.
    Hangs,
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A service; requests that came in whole are kept.
struct Service {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Service {
    async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            // Ends with the task, and its connections with it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(behave(stream, manners, Arc::clone(&log)));
            }
        });
        Self { url, seen, task }
    }
}

async fn behave(mut stream: impl AsyncRead + AsyncWrite + Unpin, manners: Manners, seen: Arc<Mutex<Vec<String>>>) {
    let mut answered = 0;
    loop {
        if matches!(manners, Manners::ClosesAfter(count) if answered == count && count > 0) {
            return;
        }
        let Some(request) = read_request(&mut stream).await else { return };
        seen.lock().expect("no test panics with it").push(request);
        let answer = match manners {
            Manners::Answers(answer) => answer,
            Manners::ClosesAfter(0) => return,
            Manners::ClosesAfter(_) => HELLO,
            Manners::Endless => {
                let endless = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
                let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 1 << 16], b"\r\n"].concat();
                while endless.is_ok() && stream.write_all(&chunk).await.is_ok() {}
                return;
            }
            Manners::Hangs => continue,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        answered += 1;
    }
}

/// Head and body; none at the end of the connection.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut request = String::new();
    let mut byte = [0];
    let mut body_bytes = None;
    while body_bytes.is_none_or(|left| left > 0) {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        request.push(char::from(byte[0]));
        if let Some(left) = &mut body_bytes {
            *left -= 1;
        } else if request.ends_with("\r\n\r\n") {
            let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
            body_bytes = Some(length.map_or(0, |length| length.parse::<usize>().expect("a length")));
        }
    }
    Some(request)
}

/// 60 plain requests in 0.3 s.
fn plain() -> TestLoad {
    let mut load = shop(vec![constant(200.0, 0.3)], Arrival::Constant);
    load.requests = vec![request("get", 1.0, "GET", "/", None)];
    load
}

fn spec(url: &str, load: &TestLoad) -> DriverSpec {
    let http = Http {
        protocol: Protocol::Http1,
        connections: 4,
        max_concurrent_streams: 100,
        aside_connections: 8,
        max_requests_per_connection: 0,
        max_idle: None,
        connect_timeout: Duration::from_millis(150),
        // Longer than any test machine is busy with something else.
        request_timeout: Duration::from_secs(5),
        tls: None,
        auth: None,
    };
    let TestLoad { seed, load, phases, requests, .. } = load.clone();
    let (access, seed, limits) = (Access::default(), Seed(seed), Vec::new());
    let endpoint = Endpoint::of_number(url).expect("an address of this host");
    DriverSpec { endpoint, http, load, phases, requests, limits, access, seed }
}

/// Nothing that the driver does in these tests may take longer.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("the driver hangs")
}

/// Runs the load to its end, checks that the accounts are closed, and gives their sum.
async fn soak(mut driver: Driver, origin: Instant) -> (DriverEnd, Counts, Vec<Disturbance>) {
    driver.begin(origin);
    let mut starved = Vec::new();
    let mut in_intervals = vec![0; driver.completed().iter().count()];
    let mut count_in = |interval: &Interval| {
        in_intervals.iter_mut().zip(interval.latency()).for_each(|(sum, latency)| *sum += latency.count);
    };
    let end = in_time(async {
        loop {
            match driver.next_event().await.expect("an end") {
                DriverEvent::Finished(end) => break end,
                DriverEvent::Starved(disturbance) => starved.push(disturbance),
                DriverEvent::Interval(interval) => count_in(&interval),
                DriverEvent::Traffic(_) => {}
            }
        }
    })
    .await;
    count_in(&end.interval);
    for ((name, _), sum) in driver.completed().iter().zip(in_intervals) {
        assert_eq!(end.latency[name].count, sum, "the intervals hold what the cell holds");
    }
    let mut total = Counts::default();
    for (name, counts) in &end.traffic.requests {
        assert_eq!(counts.due, counts.sent + counts.missed + counts.dropped, "{name}: {counts:?}");
        assert_eq!(counts.sent, counts.ok + counts.failed() + counts.aborted, "{name}: {counts:?}");
        assert_eq!(
            end.latency[name].count + counts.aborted,
            counts.due,
            "each due request has a latency, or nobody waited"
        );
        assert_eq!(end.service_time[name].count + counts.aborted, counts.completed(), "each answer has a service time");
        total.add(counts);
    }
    assert_eq!(end.lateness.count, total.sent);
    assert_eq!(end.traffic.in_flight, 0);
    assert_eq!(driver.completed().iter().map(|(_, count)| count).sum::<u64>(), total.completed());
    driver.join().expect("no panic");
    (*end, total, starved)
}

/// The counts of 60 plain requests to a service with these manners.
async fn against(manners: Manners) -> (DriverEnd, Counts) {
    against_within(manners, Duration::from_secs(5)).await
}

async fn against_within(manners: Manners, request_timeout: Duration) -> (DriverEnd, Counts) {
    let service = Service::start(manners).await;
    let load = plain();
    let mut spec = spec(&service.url, &load);
    spec.http.request_timeout = request_timeout;
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.due, 60);
    (end, total)
}

#[tokio::test]
async fn requests_arrive_as_the_scenario_says_over_the_connections_it_says() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let mut load = shop(vec![constant(200.0, 0.3)], Arrival::Poisson);
    let template = steep_core::template::Template::parse("id-{{user}}").expect("a template");
    load.requests[1].headers.insert("x-request-id".to_owned(), template);
    let url = format!("{}/shop", service.url);
    let driver = in_time(Driver::connect(spec(&url, &load), load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert_eq!((total.ok, total.failed(), total.body_bytes_received), (total.sent, 0, 5 * total.sent));
    assert_eq!((end.traffic.connections.opened, end.traffic.connections.closed), (4, 0));

    let seen = service.seen.lock().expect("no panic");
    assert_eq!(seen.len() as u64, total.sent);
    let (asked, answered) = (end.traffic.connections.bytes_sent, end.traffic.connections.bytes_received);
    let written: usize = seen.iter().map(String::len).sum();
    assert_eq!((asked, answered), (written as u64, total.ok * HELLO.len() as u64), "heads and bodies, both ways");
    let host = format!("\r\nhost: {}\r\n", &service.url[7..]);
    for request in seen.iter() {
        assert!(request.contains(&host), "{request}");
        let (head, body) = request.split_once("\r\n\r\n").expect("a head");
        if head.starts_with("GET /shop/items/") {
            assert!(body.is_empty() && !head.contains("content-length"), "{request}");
        } else {
            assert!(head.starts_with("POST /shop/orders HTTP/1.1\r\n"), "{request}");
            let id = head.split_once("x-request-id: id-").expect("an id").1;
            assert!(
                body.starts_with(&format!(r#"{{"user":"{}","#, &id[..16])),
                "one value in head and body: {request}"
            );
        }
    }
}

#[tokio::test]
async fn answers_of_500_are_completed_and_failed() {
    let (_, total) = against(Manners::Answers("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")).await;
    assert_eq!((total.ok, total.failed_status, total.completed()), (0, total.sent, total.sent));
}

#[tokio::test]
async fn an_expected_status_is_not_a_failure() {
    let service = Service::start(Manners::Answers("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n")).await;
    let mut load = plain();
    load.requests[0].expect.status = vec![404];
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    let (_, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.ok, total.sent);
}

#[tokio::test]
async fn connections_closed_before_the_answer_are_counted_and_opened_again() {
    let (end, total) = against(Manners::ClosesAfter(0)).await;
    assert!(total.failed_body > 4 && total.ok == 0, "{total:?}");
    assert!(end.traffic.connections.opened > 4, "{:?}", end.traffic.connections);
}

#[tokio::test]
async fn a_service_that_closes_after_some_answers_loses_no_request() {
    let (end, total) = against(Manners::ClosesAfter(3)).await;
    // A request may cross the close on the wire.
    assert!(total.ok + total.failed_body == total.sent && total.ok > total.failed_body, "{total:?}");
    assert!(end.traffic.connections.opened >= total.ok / 3, "{:?}", end.traffic.connections);
}

#[tokio::test]
async fn garbage_is_not_an_answer() {
    let (_, total) = against(Manners::Answers("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await;
    assert!(total.failed_body > 4 && total.completed() == 0, "{total:?}");
}

#[tokio::test]
async fn a_body_cut_off_is_not_an_answer() {
    let short = Manners::Answers("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello");
    let (_, total) = against_within(short, Duration::from_millis(150)).await;
    assert!(total.failed_timeout == total.sent && total.body_bytes_received > 0, "{total:?}");
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_bound_or_the_time_out() {
    let service = Service::start(Manners::Endless).await;
    let mut load = plain();
    load.phases = vec![constant(20.0, 0.2)];
    let mut spec = spec(&service.url, &load);
    spec.http.request_timeout = Duration::from_millis(300);
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (_, total, _) = soak(driver, Instant::now()).await;
    assert_eq!((total.due, total.completed()), (4, 0));
    assert_eq!(total.failed_body + total.failed_timeout, total.sent, "{total:?}");
}

#[tokio::test]
async fn a_hanging_service_hangs_nothing() {
    let (end, total) = against_within(Manners::Hangs, Duration::from_millis(150)).await;
    assert_eq!(total.failed_timeout, total.sent, "{total:?}");
    assert!(end.latency["get"].max_us > 100_000, "unanswered for the request timeout: {:?}", end.latency);
}

#[tokio::test]
async fn beyond_the_cap_requests_are_dropped() {
    let service = Service::start(Manners::Hangs).await;
    let load = plain();
    let mut spec = spec(&service.url, &load);
    spec.load.max_in_flight = 6;
    spec.http.request_timeout = Duration::from_secs(1);
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert!(total.sent <= 6 && total.dropped + total.missed == 60 - total.sent, "{total:?}");
    assert!(end.traffic.in_flight_peak <= 6);
}

#[tokio::test]
async fn a_service_that_is_gone_fails_what_waits_for_a_connection() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let load = plain();
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    service.task.abort();
    let _ = service.task.await;
    let (end, total, _) = soak(driver, Instant::now()).await;
    // What was on its way when the connections broke is none that waited.
    assert!(total.failed_connect > 4 && total.failed_connect + total.failed_body == total.sent, "{total:?}");
    assert!(end.traffic.connections.refused > 0 && end.traffic.connections.closed == 4);
}

#[tokio::test]
async fn no_service_is_an_error_before_the_load() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let load = plain();
    let error = in_time(Driver::connect(spec(&format!("http://{address}"), &load), load.schedule())).await;
    let error = error.expect_err("nobody listens");
    assert_eq!(error.to_string(), format!("open connection 1 of 4 to {address}"));
}

#[tokio::test]
async fn what_http_cannot_carry_is_an_error_before_the_load() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    for (method, path) in [("GE T", "/"), ("GET", "no-slash"), ("GET", "/a b/{{item}}")] {
        let mut load = plain();
        load.requests = vec![request("bad", 1.0, method, path, None)];
        let refused = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await;
        assert!(matches!(refused, Err(DriverError::BadRequest { .. })), "{method} {path}: {refused:?}");
    }
}

#[tokio::test]
async fn connections_are_renewed_after_this_many_requests() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let load = plain();
    let mut spec = spec(&service.url, &load);
    spec.http.max_requests_per_connection = 5;
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.ok, total.sent);
    // Each of the four may still have some of its five to go.
    assert!(end.traffic.connections.closed <= total.sent / 5, "{:?}", end.traffic.connections);
    assert!(end.traffic.connections.closed + 4 >= total.sent / 5, "{:?}", end.traffic.connections);
}

#[tokio::test]
async fn a_driver_that_comes_late_misses_what_was_due_and_says_so() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let load = plain();
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    let before = Instant::now().checked_sub(Duration::from_millis(200)).expect("the machine runs for longer");
    let (_, total, starved) = soak(driver, before).await;
    assert!(total.missed >= 40, "{total:?}");
    assert!(starved[0].seconds > 0.19, "{starved:?}");
}

#[tokio::test]
async fn a_stopped_driver_ends_with_its_accounts_closed() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let mut load = plain();
    load.phases = vec![constant(200.0, 3600.0)];
    let mut driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    driver.begin(Instant::now());
    let first = in_time(driver.next_event()).await;
    assert!(matches!(first, Some(DriverEvent::Traffic(_) | DriverEvent::Starved(_))), "{first:?}");
    driver.stop();
    let (_, total, _) = soak(driver, Instant::now()).await;
    assert!(total.ok == total.sent && total.due >= 20, "{total:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_driver_runs_on_the_cpus_it_is_given_or_says_why_not() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let load = plain();
    let mut spec = spec(&service.url, &load);
    spec.load.cpus = vec![1_000_000];
    let refused = in_time(Driver::connect(spec, load.schedule())).await;
    assert!(matches!(refused, Err(DriverError::Pin { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_driver_stopped_before_it_began_sends_nothing() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let load = plain();
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    driver.stop();
    let (_, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.due, 0);
}
