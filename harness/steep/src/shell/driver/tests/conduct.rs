//! Clients that behave as real ones do: what they leave, hold or take slowly is counted as intended and disturbs no
//! other.

use super::*;
use steep_core::scenario::{Abort, Hold, Model, Shape, Storm, ThinkTime};
use steep_core::template::Template;
use steep_core::traffic::conduct::Aborts;
use steep_core::traffic::testing::phase;
use steep_judge::units::Bytes;

/// What a service saw of the connections that it answered requests of `/aside` on.
#[derive(Debug, Default)]
struct Ends {
    closed: AtomicU64,
    reset: AtomicU64,
    reads: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
}

const EVENTS: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
const LARGE_BYTES: usize = 1 << 20;

/// Answers `/` at once, `/events` without end, `/large` with a megabyte and `/never` not at all, and notes how it was
/// left.
async fn serve(mut stream: TcpStream, ends: Arc<Ends>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        if !text.starts_with("GET / ") {
            ends.reads.fetch_add(1, Ordering::Relaxed);
        }
        if !text.contains("\r\n\r\n") {
            continue;
        }
        request.clear();
        if text.starts_with("GET / ") || text.starts_with("GET /slow ") {
            if stream.write_all(HELLO.as_bytes()).await.is_err() {
                return;
            }
            continue;
        }
        let open = ends.open.fetch_add(1, Ordering::Relaxed) + 1;
        ends.most_open.fetch_max(open, Ordering::Relaxed);
        let answer = if text.starts_with("GET /events ") {
            EVENTS.to_vec()
        } else if text.starts_with("GET /large ") {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE_BYTES}\r\n\r\n").into_bytes();
            [head, vec![b'x'; LARGE_BYTES]].concat()
        } else {
            Vec::new()
        };
        let written = stream.write_all(&answer).await;
        let end = if let Err(error) = written { Err(error) } else { stream.read(&mut buffer).await };
        match end {
            Ok(_) => ends.closed.fetch_add(1, Ordering::Relaxed),
            Err(_) => ends.reset.fetch_add(1, Ordering::Relaxed),
        };
        ends.open.fetch_sub(1, Ordering::Relaxed);
        return;
    }
}

async fn service() -> (String, Arc<Ends>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let ends = Arc::new(Ends::default());
    let log = Arc::clone(&ends);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&log)));
        }
    });
    (url, ends)
}

/// Plain requests, and as many of `path` with this `conduct`.
fn mixed(path: &str, conduct: Conduct) -> TestLoad {
    let mut load = plain();
    let mut special = request("special", 1.0, "GET", path, None);
    special.conduct = Some(conduct);
    load.requests.push(special);
    load
}

/// Runs `load`, with what `change` makes of its driver; the counts of plain and of special requests.
async fn run(load: &TestLoad, change: impl Fn(&mut DriverSpec)) -> (DriverEnd, Counts, Counts, Arc<Ends>) {
    let (url, ends) = service().await;
    let mut spec = spec(&url, load);
    change(&mut spec);
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, _, _) = soak(driver, Instant::now()).await;
    let (plain, special) = (end.traffic.requests["get"], end.traffic.requests["special"]);
    (end, plain, special, ends)
}

/// Waits until the service has seen this many ends of this kind.
async fn eventually(ends: &AtomicU64, wanted: u64) {
    in_time(async {
        while ends.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn abort(share: f64, with: Farewell) -> Conduct {
    Conduct { abort: Some(Abort { after: Duration::from_millis(20), share, with }), ..Conduct::default() }
}

#[tokio::test]
async fn requests_are_left_by_reset_or_close_and_counted_as_intended() {
    for with in [Farewell::Reset, Farewell::Close] {
        let (end, plain, special, ends) = run(&mixed("/never", abort(1.0, with)), |_| {}).await;
        assert!(special.aborted == special.sent && special.sent > 0, "{special:?}");
        assert_eq!(plain.ok, plain.sent, "others get their answers: {plain:?}");
        assert_eq!(end.latency["special"].count + special.aborted, special.due);
        let (seen, not) =
            if with == Farewell::Reset { (&ends.reset, &ends.closed) } else { (&ends.closed, &ends.reset) };
        eventually(seen, special.aborted).await;
        assert_eq!(not.load(Ordering::Relaxed), 0, "{with:?}: {ends:?}");
    }
}

#[tokio::test]
async fn the_seed_chooses_which_are_left_and_the_others_are_waited_for() {
    let load = mixed("/never", abort(0.4, Farewell::Reset));
    let chooses = Aborts::of(&load.requests[1], Seed(load.seed)).expect("some are left");
    let chosen = load.schedule().filter(|due| due.request == 1 && chooses.of_nth(due.nth).is_some()).count() as u64;
    let (_, _, special, _) = run(&load, |spec| {
        spec.http.connections = 64;
        spec.http.request_timeout = Duration::from_millis(200);
    })
    .await;
    // What was missed on a busy machine may have been among them.
    assert!(special.aborted <= chosen && special.aborted + special.missed >= chosen, "{chosen} of {special:?}");
    assert_eq!(special.failed_timeout + special.aborted, special.sent);
}

#[tokio::test]
async fn an_answer_that_is_faster_than_the_client_goes_is_an_answer() {
    let hours = Abort { after: Duration::from_secs(4), share: 1.0, with: Farewell::Reset };
    let (end, _, special, _) = run(&mixed("/", Conduct { abort: Some(hours), ..Conduct::default() }), |_| {}).await;
    assert_eq!((special.ok, special.aborted), (special.sent, 0));
    assert_eq!(end.traffic.connections.closed, 0);
}

#[tokio::test]
async fn streams_are_held_and_dropped_with_and_without_a_goodbye() {
    for goodbye in [true, false] {
        let hold = Some(Hold { time: Duration::from_millis(50), goodbye });
        let (end, plain, special, ends) = run(&mixed("/events", Conduct { hold, ..Conduct::default() }), |_| {}).await;
        assert!(special.aborted == special.sent && special.sent > 0, "{special:?}");
        assert_eq!(special.body_bytes_received, 5 * special.sent, "what came meanwhile was read");
        assert_eq!(plain.ok, plain.sent, "{plain:?}");
        assert_eq!(end.traffic.connections.opened, 4 + special.sent, "each has a connection of its own");
        let (seen, not) = if goodbye { (&ends.closed, &ends.reset) } else { (&ends.reset, &ends.closed) };
        eventually(seen, special.aborted).await;
        assert_eq!(not.load(Ordering::Relaxed), 0, "goodbye {goodbye}: {ends:?}");
    }
}

#[tokio::test]
async fn no_more_are_held_than_there_are_connections_for_it_and_what_is_held_at_the_end_has_not_failed() {
    let hold = Some(Hold { time: Duration::from_mins(1), goodbye: true });
    let (_, plain, special, ends) = run(&mixed("/events", Conduct { hold, ..Conduct::default() }), |spec| {
        spec.http.aside_connections = 2;
        spec.http.request_timeout = Duration::from_millis(400);
    })
    .await;
    assert_eq!(ends.most_open.load(Ordering::Relaxed), 2);
    assert_eq!((special.aborted, special.failed_timeout), (2, special.sent - 2), "{special:?}");
    assert_eq!(plain.ok, plain.sent, "those that wait do not hold up others: {plain:?}");
}

#[tokio::test]
async fn a_slow_reader_leaves_what_it_cannot_read_in_time() {
    let slow = Conduct { read_bytes_per_second: Some(Bytes::new(20_000)), ..Conduct::default() };
    let (_, plain, special, _) = run(&mixed("/large", slow.clone()), |spec| {
        spec.http.request_timeout = Duration::from_millis(300);
        spec.http.aside_connections = 64;
    })
    .await;
    assert!(special.aborted == special.sent && special.sent > 0, "{special:?}");
    let most = special.sent * (20_000 * 3 / 10 + 4_000);
    assert!(special.body_bytes_received > 0 && special.body_bytes_received < most, "{special:?}, at most {most}");
    assert_eq!(plain.ok, plain.sent, "{plain:?}");
    // What is small is there in time.
    let (_, _, special, _) = run(&mixed("/slow", slow), |_| {}).await;
    assert_eq!(special.ok, special.sent, "{special:?}");
}

#[tokio::test]
async fn a_slow_sender_sends_in_pieces_and_has_its_answer() {
    let slow = Conduct { send_bytes_per_second: Some(Bytes::new(200)), ..Conduct::default() };
    let (_, _, special, ends) = run(&mixed("/slow", slow), |spec| spec.http.aside_connections = 64).await;
    assert_eq!(special.ok, special.sent, "{special:?}");
    // A head of 40 bytes and more, in portions of 20.
    assert!(ends.reads.load(Ordering::Relaxed) >= 2 * special.sent, "{ends:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_expected_is_not_held() {
    let hold = Some(Hold { time: Duration::from_mins(1), goodbye: true });
    let mut load = mixed("/events", Conduct { hold, ..Conduct::default() });
    load.requests[1].expect.status = vec![404];
    let (_, _, special, _) = run(&load, |_| {}).await;
    assert_eq!(special.failed_status, special.sent, "{special:?}");
}

#[tokio::test]
async fn what_is_held_is_looked_at_when_the_client_goes() {
    let hold = Some(Hold { time: Duration::from_millis(50), goodbye: true });
    let template = |text: &str| Template::parse(text).expect("a template");
    for (wanted, is_met) in [("hello", true), ("bye", false)] {
        let mut load = mixed("/events", Conduct { hold, ..Conduct::default() });
        load.requests[1].expect.body_contains = Some(template(wanted));
        let (_, _, special, _) = run(&load, |_| {}).await;
        let (aborted, failed) = if is_met { (special.sent, 0) } else { (0, special.sent) };
        assert_eq!((special.aborted, special.failed_expect), (aborted, failed), "{special:?}");
    }
    // Another header than expected is seen at once.
    let hold = Some(Hold { time: Duration::from_mins(1), goodbye: true });
    let mut load = mixed("/events", Conduct { hold, ..Conduct::default() });
    load.requests[1].expect.headers.insert("content-type".to_owned(), template("json"));
    let (end, _, special, _) = run(&load, |_| {}).await;
    assert_eq!(special.failed_expect, special.sent, "{special:?}");
    let described = "request \"special\": header \"content-type\" does not contain `json`";
    assert_eq!(end.first_unmet.as_deref(), Some(described));
}

#[tokio::test]
async fn answers_to_slow_clients_are_looked_at() {
    let slow = Conduct { send_bytes_per_second: Some(Bytes::new(2_000)), ..Conduct::default() };
    let mut load = mixed("/slow", slow);
    load.requests[1].expect.body_contains = Some(Template::parse("bye").expect("a template"));
    let (_, _, special, _) = run(&load, |spec| spec.http.aside_connections = 64).await;
    assert_eq!(special.failed_expect, special.sent, "{special:?}");
}

#[tokio::test]
async fn no_connection_for_a_held_request_is_a_failure_to_connect() {
    let (url, _) = service().await;
    let hold = Some(Hold { time: Duration::from_millis(50), goodbye: true });
    let load = mixed("/events", Conduct { hold, ..Conduct::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    drop(url);
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let mut spec = spec(&url, &load);
    spec.http.request_timeout = Duration::from_millis(300);
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    drop(listener);
    let (end, _, _) = soak(driver, Instant::now()).await;
    let special = end.traffic.requests["special"];
    assert_eq!(special.failed_connect, special.sent, "{special:?}");
}

/// What four users do in 0.4 s who have a connection aside for this many of them.
async fn by_users(path: &str, conduct: Conduct, aside_connections: usize) -> (DriverEnd, Counts, Counts) {
    let mut load = mixed(path, conduct);
    load.phases = vec![phase(Shape::Users { users: None }, 0.4)];
    load.load.model = Model::Closed { vus: 4, think_time: ThinkTime::default() };
    let (end, plain, special, _) = run(&load, |spec| {
        spec.http.aside_connections = aside_connections;
        spec.http.request_timeout = Duration::from_secs(1);
    })
    .await;
    assert_eq!(plain.ok, plain.due, "{path}: {plain:?}");
    assert_eq!(special.sent, special.due, "{path}: users miss and drop nothing: {special:?}");
    assert!(end.traffic.in_flight_peak <= 4, "{path}: one request each: {}", end.traffic.in_flight_peak);
    (end, plain, special)
}

#[tokio::test]
async fn users_go_on_when_they_have_left_or_held() {
    let hold = Conduct { hold: Some(Hold { time: Duration::from_millis(20), goodbye: false }), ..Conduct::default() };
    // One connection for what is held: the users wait for each other, and none is lost.
    for (path, conduct, aside) in
        [("/never", abort(1.0, Farewell::Reset), 8), ("/events", hold.clone(), 8), ("/events", hold, 1)]
    {
        let (_, plain, special) = by_users(path, conduct, aside).await;
        assert!(special.aborted == special.sent && special.sent > 4, "{path}: each comes again: {special:?}");
        assert!(plain.ok > 0, "{path}: {plain:?}");
    }
}

#[tokio::test]
async fn users_who_hold_until_the_end_of_the_load_have_not_failed() {
    let hold = Some(Hold { time: Duration::from_mins(1), goodbye: true });
    let (end, _, special) = by_users("/events", Conduct { hold, ..Conduct::default() }, 8).await;
    assert_eq!((special.sent, special.aborted), (4, 4), "each user is held by its first: {special:?}");
    assert_eq!(end.latency["special"].count, 0, "nobody waited for an answer");
}

#[tokio::test]
async fn a_storm_opens_connections_beside_the_load() {
    let mut load = mixed("/", Conduct::default());
    load.phases[0].storm = Some(Storm { connections: 20, every: Duration::from_millis(100) });
    let (end, plain, special, _) = run(&load, |_| {}).await;
    let connections = end.traffic.connections;
    assert!(connections.storm_opened >= 20 && connections.storm_opened.is_multiple_of(20), "{connections:?}");
    assert_eq!((connections.opened, connections.storm_refused), (4, 0));
    assert_eq!((plain.ok, special.ok), (plain.sent, special.sent));
}

#[tokio::test]
async fn connections_without_use_are_renewed() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let mut load = plain();
    load.phases = vec![constant(10.0, 0.5)];
    let mut spec = spec(&service.url, &load);
    spec.http.max_idle = Some(Duration::from_millis(30));
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert_eq!(total.ok, total.sent, "{total:?}");
    assert!(end.traffic.connections.closed >= 4, "{:?}", end.traffic.connections);
}
