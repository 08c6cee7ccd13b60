//! Calls of gRPC: how they end is behind the answer, before it, in it, or nowhere. And trailers of plain answers.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request as HyperRequest, Response};
use hyper_util::rt::TokioIo;

use super::http2::{Spawn, http2};
use super::*;
use steep_core::scenario::{Capture, CapturePlace, Flow, GrpcStatus, Hold, JsonPath, Param, Pick, ThinkTime, Wanted};
use steep_core::template::Template;
use steep_core::traffic::testing::greeting;

type Fields = &'static [(&'static str, &'static str)];

/// What a service answers each call with.
#[derive(Debug, Clone, Copy)]
struct Reply {
    headers: Fields,
    body: &'static [u8],
    trailers: Fields,
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");
/// `{"text":"hi","count":"17"}`.
const HI: &[u8] = b"\0\0\0\0\x06\x0a\x02hi\x10\x11";
const OK: Reply = Reply { headers: &[GRPC], body: HI, trailers: &[("grpc-status", "0")] };
const INTERNAL: Reply =
    Reply { headers: &[GRPC], body: b"", trailers: &[("grpc-status", "13"), ("grpc-message", "no%20tea%0a")] };
const TRAILERS_ONLY: Reply =
    Reply { headers: &[GRPC, ("grpc-status", "7"), ("grpc-message", "go away")], body: b"", trailers: &[] };
const SILENT: Reply = Reply { headers: &[GRPC], body: HI, trailers: &[] };
const NO_GRPC: Reply = Reply { headers: &[("content-type", "text/html")], body: b"<html>", trailers: &[] };

/// What came in: method, path, `content-type`, `te` and body.
type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

fn fields(fields: Fields) -> HeaderMap {
    let named = fields.iter();
    named.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

async fn answer(
    request: HyperRequest<Incoming>,
    reply: Reply,
    seen: Seen,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    let head = [
        Some(request.method().to_string()),
        Some(request.uri().path().to_owned()),
        header("content-type"),
        header("te"),
    ];
    let head = head.map(Option::unwrap_or_default).join(" ");
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    seen.lock().expect("no panic").push((head, body.to_vec()));
    let trailers = async move { (!reply.trailers.is_empty()).then(|| Ok(fields(reply.trailers))) };
    let mut response = Response::new(Full::from(reply.body).with_trailers(trailers));
    *response.headers_mut() = fields(reply.headers);
    Ok(response)
}

async fn service(reply: Reply) -> (String, Seen) {
    serving(reply, Protocol::Http2).await
}

async fn serving(reply: Reply, protocol: Protocol) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            let service = service_fn(move |request| answer(request, reply, Arc::clone(&log)));
            let stream = TokioIo::new(stream);
            match protocol {
                Protocol::Http1 => {
                    let builder = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(async move { drop(builder.serve_connection(stream, service).await) })
                }
                Protocol::Http2 => {
                    let builder = hyper::server::conn::http2::Builder::new(Spawn);
                    tokio::spawn(async move { drop(builder.serve_connection(stream, service).await) })
                }
            };
        }
    });
    (url, seen)
}

/// What becomes of `load` at a service that answers with `reply`.
async fn calling(reply: Reply, load: &TestLoad) -> (DriverEnd, Counts, Seen) {
    let (url, seen) = service(reply).await;
    let driver = in_time(Driver::connect(http2(&url, load, 2), load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    assert!(total.sent > 0, "{total:?}");
    (end, total, seen)
}

const ANN: Option<&str> = Some(r#"{"name":"ann"}"#);

#[tokio::test]
async fn a_call_is_sent_as_grpc_wants_it_and_ends_with_its_trailers() {
    let (end, total, seen) = calling(OK, &greeting(ANN)).await;
    assert_eq!((total.ok, total.body_bytes_received), (total.sent, total.sent * 11), "{:?}", end.first_unmet);
    let seen = seen.lock().expect("no panic");
    let head = "POST /hello.Greeter/SayHello application/grpc trailers";
    assert!(seen.iter().all(|(described, body)| described == head && body == b"\0\0\0\0\x05\x0a\x03ann"), "{seen:?}");
}

#[tokio::test]
async fn a_call_that_did_not_end_well_is_answered_and_failed() {
    for (reply, described) in [
        (INTERNAL, "grpc-status 13 INTERNAL: no tea\\n"),
        (TRAILERS_ONLY, "grpc-status 7 PERMISSION_DENIED: go away"),
        (SILENT, "no grpc-status, neither in trailers nor in headers"),
        (NO_GRPC, "the answer is not gRPC: its content-type is text/html"),
    ] {
        let (end, total, _) = calling(reply, &greeting(ANN)).await;
        assert_eq!(
            (total.failed_grpc, total.ok, total.completed()),
            (total.sent, 0, total.sent),
            "{described}: {total:?}"
        );
        assert_eq!(end.first_unmet, Some(format!("request \"say_hello\": {described}")));
    }
}

#[tokio::test]
async fn whoever_writes_the_frame_itself_is_told_the_same() {
    let raw = || {
        let mut load = greeting(None);
        load.requests[0].grpc = None;
        load.requests[0].body_file = Some("message.bin".to_owned());
        load.supplies.insert("message.bin".to_owned(), b"\0\0\0\0\x05\x0a\x03ann".to_vec());
        load
    };
    for (reply, fails) in [(OK, false), (INTERNAL, true), (TRAILERS_ONLY, true), (SILENT, true), (NO_GRPC, true)] {
        let (_, total, seen) = calling(reply, &raw()).await;
        let wanted = if fails { (0, total.sent) } else { (total.sent, 0) };
        assert_eq!((total.ok, total.failed_grpc), wanted, "{reply:?}");
        assert!(seen.lock().expect("no panic").iter().all(|(_, body)| body == b"\0\0\0\0\x05\x0a\x03ann"));
    }
    // Also where only the answer says what it is.
    let mut plain = raw();
    plain.requests[0].headers.clear();
    let (_, total, _) = calling(INTERNAL, &plain).await;
    assert_eq!(total.failed_grpc, total.sent);
}

#[tokio::test]
async fn statuses_that_are_expected_are_refusals_and_no_failures() {
    let mut load = greeting(ANN);
    load.requests[0].expect.grpc_status = vec![GrpcStatus::PermissionDenied];
    let (_, total, _) = calling(TRAILERS_ONLY, &load).await;
    assert_eq!((total.ok, total.ok_refused), (total.sent, total.sent));
    let (end, total, _) = calling(OK, &load).await;
    assert_eq!(total.failed_grpc, total.sent);
    assert_eq!(end.first_unmet.as_deref(), Some("request \"say_hello\": grpc-status 0 OK and not PERMISSION_DENIED"));
}

#[tokio::test]
async fn trailers_can_be_expected() {
    for (reply, wanted, is_met) in [(OK, "0", true), (OK, "13", false), (TRAILERS_ONLY, "7", true), (SILENT, "", false)]
    {
        let mut load = greeting(ANN);
        load.requests[0].expect.grpc_status = vec![GrpcStatus::Ok, GrpcStatus::PermissionDenied];
        let wanted = Template::parse(wanted).expect("a template");
        load.requests[0].expect.trailers.insert("grpc-status".to_owned(), wanted);
        let (_, total, _) = calling(reply, &load).await;
        assert_eq!(total.ok, if is_met { total.sent } else { 0 }, "{reply:?}: {total:?}");
    }
}

#[tokio::test]
async fn the_message_of_an_answer_is_looked_at_as_json() {
    for (wanted, unmet) in [("17", None), ("18", Some("\"count\" of the body is `\\\"17\\\"`, and not `\\\"18\\\"`"))] {
        let mut load = greeting(ANN);
        let wanted = Wanted::Text(Template::parse(wanted).expect("a template"));
        load.requests[0].expect.json.insert(JsonPath::new("count"), wanted);
        let (end, total, _) = calling(OK, &load).await;
        assert_eq!(total.failed_expect, if unmet.is_some() { total.sent } else { 0 });
        assert_eq!(end.first_unmet, unmet.map(|unmet| format!("request \"say_hello\": {unmet}")));
    }
}

#[tokio::test]
async fn a_compressed_message_is_reported_where_it_is_to_be_looked_at() {
    let reply = Reply { headers: &[GRPC, ("grpc-encoding", "gzip")], body: b"\x01\0\0\0\x01z", ..OK };
    let (_, total, _) = calling(reply, &greeting(ANN)).await;
    assert_eq!(total.ok, total.sent, "nobody looks at it");
    let mut load = greeting(ANN);
    load.requests[0].expect.body_contains = Some(Template::parse("hi").expect("a template"));
    let (end, total, _) = calling(reply, &load).await;
    assert_eq!(total.failed_expect, total.sent);
    let described =
        "request \"say_hello\": the message is compressed (grpc-encoding gzip), and steep reads plain ones only";
    assert_eq!(end.first_unmet.as_deref(), Some(described));
}

#[tokio::test]
async fn each_call_has_its_own_values() {
    let mut load = greeting(Some(r#"{"name":"{{user}}","age":{{age}}}"#));
    load.params.insert("age".to_owned(), Param::Sequential { min: 1, max: 100 });
    let users = Param::Csv { path: "users.csv".to_owned(), column: Some("name".to_owned()), pick: Pick::Circular };
    load.params.insert("user".to_owned(), users);
    load.supplies.insert("users.csv".to_owned(), "name\n\"a \"\"b\"\"\"\nann\n");
    let (end, total, seen) = calling(OK, &load).await;
    assert_eq!(total.ok, total.sent, "{:?}", end.first_unmet);
    let mut bodies: Vec<_> = seen.lock().expect("no panic").iter().map(|(_, body)| body.clone()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len() as u64, total.sent);
    assert!(bodies.contains(&b"\0\0\0\0\x09\x0a\x05a \"b\"\x10\x01".to_vec()), "{bodies:?}");
}

/// A call whose answer gives `{{text}}`, and one with `second` as its JSON.
fn flow(second: &str) -> TestLoad {
    let mut load = greeting(ANN);
    // The second phase lets the last session end before the load does.
    load.phases = vec![constant(200.0, 0.3), constant(0.0, 0.3)];
    let mut next = load.requests[0].clone();
    next.name = "again".to_owned();
    next.body = Some(Template::parse(second).expect("a template"));
    load.requests[0]
        .capture
        .insert("text".to_owned(), Capture { place: CapturePlace::Json(JsonPath::new("text")), regex: None });
    load.requests.push(next);
    load.requests.iter_mut().for_each(|request| request.weight = 0.0);
    load.flows = vec![Flow {
        name: "talk".to_owned(),
        weight: 1.0,
        steps: ["say_hello", "again"].map(str::to_owned).to_vec(),
        think_time: ThinkTime::default(),
        cookies: true,
    }];
    load
}

#[tokio::test]
async fn what_an_answer_gave_stands_in_the_next_message() {
    let (end, total, seen) = calling(OK, &flow(r#"{"tags":["{{text}}"]}"#)).await;
    assert_eq!(total.ok, total.sent, "{:?}", end.first_unmet);
    let seen = seen.lock().expect("no panic");
    let again = seen.iter().filter(|(_, body)| body == b"\0\0\0\0\x04\x1a\x02hi").count() as u64;
    assert_eq!(again, end.traffic.requests["again"].ok);
}

#[tokio::test]
async fn what_fits_no_message_is_not_sent_and_told() {
    let (end, total, seen) = calling(OK, &flow(r#"{"age":"{{text}}"}"#)).await;
    let again = end.traffic.requests["again"];
    assert_eq!((again.failed_unsent, again.completed()), (again.sent, 0), "{again:?}");
    assert!(again.sent > 0 && seen.lock().expect("no panic").len() as u64 == total.sent - again.sent);
    let described = end.first_unmet.expect("unmet");
    assert!(
        described.starts_with("request \"again\": not sent, because its body does not fit hello.Request: "),
        "{described}"
    );
}

#[tokio::test]
async fn users_who_can_send_nothing_do_not_stop_the_driver() {
    // Nothing has captured what stands in the message: a scenario that is checked has no such request, and every one
    // fails.
    let mut load = flow(r#"{"age":"{{text}}"}"#);
    load.flows.clear();
    load.requests[1].weight = 1.0;
    load.load.model = steep_core::scenario::Model::Closed { vus: 4, think_time: ThinkTime::default() };
    let users = steep_core::scenario::Shape::Users { users: None };
    load.phases = vec![Phase::new("users", steep_core::scenario::Role::Steady, users, Duration::from_millis(300))];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (url, seen) = serving(OK, protocol).await;
        let mut spec = spec(&url, &load);
        spec.http.protocol = protocol;
        let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
        let (_, total, _) = soak(driver, Instant::now()).await;
        assert!(total.sent > 0 && total.failed_unsent == total.sent, "{total:?}");
        assert!(seen.lock().expect("no panic").is_empty());
    }
}

#[tokio::test]
async fn a_stream_can_be_held_without_its_end() {
    let (url, _) = service(SILENT).await;
    let mut load = greeting(None);
    load.requests[0].grpc = None;
    load.requests[0].body_file = Some("message.bin".to_owned());
    load.supplies.insert("message.bin".to_owned(), b"\0\0\0\0\0".to_vec());
    let hold = Some(Hold { time: Duration::from_millis(50), goodbye: true });
    load.requests[0].conduct = Some(Conduct { hold, ..Conduct::default() });
    let driver = in_time(Driver::connect(http2(&url, &load, 2), load.schedule())).await.expect("connections");
    let (_, total, _) = soak(driver, Instant::now()).await;
    // It ended by itself, and did not say how.
    assert_eq!(total.failed_grpc, total.sent, "{total:?}");
}

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: abc\r\n\r\n";

#[tokio::test]
async fn trailers_of_http1_can_be_expected() {
    for (wanted, is_met) in [("ab", true), ("xy", false)] {
        let service = Service::start(Manners::Answers(CHUNKED)).await;
        let mut load = plain();
        load.requests[0].expect.trailers.insert("x-sum".to_owned(), Template::parse(wanted).expect("a template"));
        let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
        let (end, total, _) = soak(driver, Instant::now()).await;
        assert_eq!((total.ok, total.failed_expect), if is_met { (total.sent, 0) } else { (0, total.sent) });
        let described = "request \"get\": trailer \"x-sum\" does not contain `xy`";
        assert_eq!(end.first_unmet.as_deref(), (!is_met).then_some(described));
        assert_eq!(total.body_bytes_received, 5 * total.sent, "trailers are not a part of the body");
    }
}

const WEB: (&str, &str) = ("content-type", "application/grpc-web+proto");

#[tokio::test]
async fn trailers_of_grpc_web_are_in_the_body() {
    const WELL: &[u8] = b"\0\0\0\0\x04\x0a\x02hi\x80\0\0\0\x10grpc-status: 0\r\n";
    const BADLY: &[u8] = b"\x80\0\0\0\x20grpc-status:14\r\ngrpc-message:x\r\n";
    for (body, described) in [(WELL, None), (BADLY, Some("request \"say_hello\": grpc-status 14 UNAVAILABLE: x"))] {
        let mut load = greeting(ANN);
        load.requests[0].headers.insert("content-type".to_owned(), Template::parse(WEB.1).expect("a template"));
        load.requests[0].expect.body_contains = Some(Template::parse("hi").expect("a template"));
        let reply = Reply { headers: &[WEB], body, trailers: &[] };
        let (url, _) = serving(reply, Protocol::Http1).await;
        let driver = in_time(Driver::connect(spec(&url, &load), load.schedule())).await.expect("connections");
        let (end, total, _) = soak(driver, Instant::now()).await;
        assert_eq!((total.ok, total.failed_grpc), if described.is_none() { (total.sent, 0) } else { (0, total.sent) });
        assert_eq!(end.first_unmet.as_deref(), described);
    }
}
