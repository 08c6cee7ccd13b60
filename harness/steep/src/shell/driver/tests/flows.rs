//! Sessions of several steps, against a shop that lets nobody in without what it gave at the login.

use steep_core::scenario::{Capture, CapturePlace, Flow, JsonPath, Model, ThinkTime};
use steep_core::template::Template;
use steep_core::trace::FlowCounts;
use steep_core::traffic::testing::phase;

use super::*;

/// What the shop does with whoever buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Till {
    Serves,
    Hangs,
    Breaks,
}

struct Store {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Store {
    async fn open(till: Till) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, till, Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }
}

async fn serve(mut stream: TcpStream, till: Till, seen: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut stream).await {
        let answer = answer_to(&request, till);
        seen.lock().expect("no test panics with it").push(request);
        match answer {
            Some(answer) if stream.write_all(answer.as_bytes()).await.is_ok() => {}
            None if till == Till::Hangs => std::future::pending().await,
            Some(_) | None => return,
        }
    }
}

/// The token and the cookie are made of the user's name.
fn answer_to(request: &str, till: Till) -> Option<String> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let answer = |status: &str, more: &str, body: &str| {
        Some(format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\n\r\n{body}", body.len()))
    };
    if head.starts_with("POST /login") {
        let more = format!("location: /basket-{body}\r\nset-cookie: sid={body}; Path=/; HttpOnly\r\n");
        return answer("200 OK", &more, &format!(r#"{{"data":{{"token":"<{body}>"}}}}"#));
    }
    let user = header("authorization: Bearer <");
    let user = user.strip_suffix('>').unwrap_or_default();
    if user.is_empty() || header("cookie: ") != format!("sid={user}") {
        return answer("401 Unauthorized", "", "");
    }
    if head.starts_with("GET ") {
        return answer("200 OK", "", &format!("this is {user}'s page, item id=77"));
    }
    if till == Till::Serves { answer("201 Created", "", "") } else { None }
}

fn template(text: &str) -> Template {
    Template::parse(text).expect("a template")
}

/// 60 users in 0.3 s who log in, look and buy.
fn buying() -> TestLoad {
    let mut load = plain();
    let mut login = request("login", 0.0, "POST", "/login", Some("{{user}}"));
    login
        .capture
        .insert("token".to_owned(), Capture { place: CapturePlace::Json(JsonPath::new("data.token")), regex: None });
    login
        .capture
        .insert("basket".to_owned(), Capture { place: CapturePlace::Header("location".to_owned()), regex: None });
    let mut look = request("look", 0.0, "GET", "/look?at={{basket}}", None);
    look.headers.insert("authorization".to_owned(), template("Bearer {{token}}"));
    look.expect.body_contains = Some(template("this is {{user}}'s page"));
    look.capture.insert("item".to_owned(), Capture { place: CapturePlace::Body, regex: Some(r"id=(\d+)".to_owned()) });
    let mut buy = request("buy", 0.0, "POST", "/buy", Some(r#"{"item":{{item}},"token":"{{token}}"}"#));
    buy.headers.insert("authorization".to_owned(), template("Bearer {{token}}"));
    load.requests = vec![login, look, buy];
    load.params.remove("item");
    load.flows = vec![Flow {
        name: "shopping".to_owned(),
        weight: 1.0,
        steps: ["login", "look", "buy"].map(str::to_owned).to_vec(),
        think_time: ThinkTime::Constant { time: Duration::from_millis(5) },
        cookies: true,
    }];
    load
}

async fn run(load: &TestLoad, url: &str, change: impl FnOnce(&mut DriverSpec)) -> (DriverEnd, FlowCounts) {
    let mut spec = spec(url, load);
    change(&mut spec);
    let driver = in_time(Driver::connect(spec, load.schedule())).await.expect("connections");
    let (end, _, _) = soak(driver, Instant::now()).await;
    let flow = end.traffic.flows["shopping"];
    assert_eq!(flow.started, flow.completed + flow.ended_early + flow.left, "{flow:?}");
    (end, flow)
}

/// Lets the last session end before the load does.
fn then_pause(load: &mut TestLoad) {
    load.phases = vec![constant(200.0, 0.3), constant(0.0, 0.3)];
}

#[tokio::test]
async fn sessions_log_in_and_go_on_with_what_they_were_given() {
    let store = Store::open(Till::Serves).await;
    let mut load = buying();
    then_pause(&mut load);
    let (end, flow) = run(&load, &store.url, |_| {}).await;
    // A machine that is busy with something else may miss some.
    assert!(flow.completed == flow.started && flow.started > 0, "{flow:?} {:?}", end.first_unmet);
    let counts = &end.traffic.requests;
    assert_eq!([counts["look"].ok, counts["buy"].ok], [flow.completed; 2]);
    let seen = store.seen.lock().expect("no panic");
    let bought = seen.iter().filter(|request| request.starts_with("POST /buy")).collect::<Vec<_>>();
    assert!(bought.iter().all(|request| request.contains(r#"{"item":77,"token":"<"#)), "{bought:?}");
    let looked = seen.iter().find(|request| request.starts_with("GET /look")).expect("a look");
    assert!(looked.starts_with("GET /look?at=%2Fbasket-"), "{looked}");
}

#[tokio::test]
async fn sessions_without_cookies_are_not_let_in_and_end_early() {
    let store = Store::open(Till::Serves).await;
    let mut load = buying();
    load.flows[0].cookies = false;
    then_pause(&mut load);
    let (end, flow) = run(&load, &store.url, |_| {}).await;
    assert_eq!((flow.completed, flow.ended_early), (0, flow.started));
    let counts = &end.traffic.requests;
    assert_eq!((counts["look"].failed_status, counts["buy"].due), (flow.started, 0));
}

#[tokio::test]
async fn what_is_not_there_to_capture_fails_the_request_and_ends_the_session() {
    let store = Store::open(Till::Serves).await;
    let mut load = buying();
    load.requests[0]
        .capture
        .insert("token".to_owned(), Capture { place: CapturePlace::Json(JsonPath::new("data.key")), regex: None });
    then_pause(&mut load);
    let (end, flow) = run(&load, &store.url, |_| {}).await;
    assert_eq!((flow.completed, flow.ended_early), (0, flow.started));
    assert_eq!((end.traffic.requests["login"].failed_expect, end.traffic.requests["look"].due), (flow.started, 0));
    let described = "request \"login\": nothing to capture for {{token}}: \"data.key\" of the body is not there";
    assert_eq!(end.first_unmet.as_deref(), Some(described));
}

#[tokio::test]
async fn what_was_captured_does_not_stand_in_what_is_told_of_an_answer() {
    let store = Store::open(Till::Serves).await;
    let mut load = buying();
    let look = load.requests.iter_mut().find(|request| request.name == "look").expect("a step");
    look.expect.body_contains = Some(Template::parse("for {{token}}").expect("a template"));
    then_pause(&mut load);
    let (end, _) = run(&load, &store.url, |_| {}).await;
    let described = end.first_unmet.expect("unmet");
    assert!(described.contains("does not contain `for {{captured}}`"), "{described}");
}

#[tokio::test]
async fn accounts_balance_when_the_till_hangs_or_breaks() {
    for till in [Till::Hangs, Till::Breaks] {
        let store = Store::open(till).await;
        let (end, flow) = run(&buying(), &store.url, |spec| {
            spec.http.request_timeout = Duration::from_millis(300);
            spec.load.max_in_flight = 8;
        })
        .await;
        let buy = end.traffic.requests["buy"];
        assert!(flow.completed == 0 && buy.failed_timeout + buy.failed_body + buy.failed_connect > 0, "{buy:?}");
    }
}

#[tokio::test]
async fn users_of_a_closed_load_go_from_step_to_step() {
    let store = Store::open(Till::Serves).await;
    let mut load = buying();
    load.load.model = Model::Closed { vus: 4, think_time: ThinkTime::default() };
    load.phases = vec![phase(steep_core::scenario::Shape::Users { users: None }, 0.3)];
    let (end, flow) = run(&load, &store.url, |_| {}).await;
    assert!(flow.completed > 0 && flow.left <= 4 && flow.ended_early == 0, "{flow:?} {:?}", end.first_unmet);
    assert_eq!(end.traffic.requests["login"].due, flow.started);
}
