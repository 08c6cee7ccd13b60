//! What stands in requests on the wire, and which answers are as expected.

use steep_core::scenario::{JsonPath, Param, Pick, Wanted};
use steep_core::template::Template;

use super::*;

const ORDER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 32\r\n\r\n{\"order\":{\"id\":17},\"user\":\"ann\"}";

fn template(text: &str) -> Template {
    Template::parse(text).expect("a template")
}

/// The counts of 60 plain requests, changed by `change`, that are answered by `answer`; and what was said of the first
/// that was not as expected.
async fn expecting(answer: &'static str, change: impl FnOnce(&mut TestLoad)) -> (Counts, Option<String>) {
    let service = Service::start(Manners::Answers(answer)).await;
    let mut load = plain();
    change(&mut load);
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    let (end, total, _) = soak(driver, Instant::now()).await;
    (total, end.first_unmet)
}

#[tokio::test]
async fn an_answer_that_is_all_that_is_expected_is_ok() {
    let (total, first_unmet) = expecting(ORDER, |load| {
        let expect = &mut load.requests[0].expect;
        expect.status = vec![200];
        expect.headers.insert("content-type".to_owned(), template("application/json"));
        expect.body_contains = Some(template("\"user\""));
        expect.json.insert(JsonPath::new("order.id"), Wanted::Scalar(17.into()));
    })
    .await;
    assert!(total.ok == total.sent && total.sent > 0, "{total:?}");
    assert_eq!(first_unmet, None);
}

#[tokio::test]
async fn an_answer_that_is_not_as_expected_is_completed_and_failed() {
    let (total, first_unmet) = expecting(ORDER, |load| {
        load.requests[0].expect.json.insert(JsonPath::new("order.id"), Wanted::Scalar(18.into()));
    })
    .await;
    assert_eq!((total.ok, total.failed_expect, total.completed()), (0, total.sent, total.sent));
    assert_eq!(first_unmet.as_deref(), Some("request \"get\": \"order.id\" of the body is `17`, and not 18"));

    let (total, first_unmet) = expecting(HELLO, |load| {
        load.requests[0].expect.headers.insert("etag".to_owned(), template(""));
    })
    .await;
    assert_eq!(total.failed_expect, total.sent);
    assert_eq!(first_unmet.as_deref(), Some("request \"get\": header \"etag\" does not contain ``"));
}

#[tokio::test]
async fn another_status_is_reported_before_the_rest() {
    let (total, _) = expecting("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", |load| {
        load.requests[0].expect.body_contains = Some(template("hello"));
    })
    .await;
    assert_eq!((total.failed_status, total.failed_expect), (total.sent, 0));
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_read_and_not_looked_at() {
    static LONG: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let length = steep_core::traffic::excerpt::MAX_EXPECTED_BYTES + 1;
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length))
    });
    let (total, first_unmet) = expecting(&LONG, |load| {
        load.phases = vec![constant(10.0, 0.3)];
        load.requests[0].expect.body_contains = Some(template("x"));
    })
    .await;
    assert!(total.failed_expect == total.sent && total.sent > 0, "{total:?}");
    assert_eq!(total.body_bytes_received, total.sent * (1 + (1 << 20)));
    let first_unmet = first_unmet.expect("unmet");
    assert!(first_unmet.ends_with("the body is longer than the 1048576 bytes that are looked at"), "{first_unmet}");
}

#[tokio::test]
async fn rows_of_a_file_arrive_escaped_until_the_queue_is_dry() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let mut load = plain();
    let user = Param::Csv { path: "users.csv".to_owned(), column: None, pick: Pick::Queue };
    load.params.insert("user".to_owned(), user);
    load.supplies.insert("users.csv".to_owned(), "name,token\n\"a \"\"b\"\"/c\",tökn\n?,2\n");
    load.requests = vec![request("order", 1.0, "POST", "/{{user.name}}", Some(r#"{"name":"{{user.name}}"}"#))];
    let headers = &mut load.requests[0].headers;
    headers.insert("content-type".to_owned(), template("application/json"));
    headers.insert("x-token".to_owned(), template("{{user.token}}"));
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    let (_, total, _) = soak(driver, Instant::now()).await;
    assert_eq!((total.due, total.sent, total.dry), (60, 2, 58));

    let mut seen = service.seen.lock().expect("no panic").clone();
    seen.sort();
    assert!(seen[0].starts_with("POST /%3F HTTP/1.1\r\n") && seen[0].ends_with("{\"name\":\"?\"}"), "{seen:?}");
    assert!(seen[1].starts_with("POST /a%20%22b%22%2Fc HTTP/1.1\r\n"), "{seen:?}");
    assert!(seen[1].ends_with(r#"{"name":"a \"b\"/c"}"#), "{seen:?}");
    // The test service reads bytes as characters of Latin-1.
    assert!(seen[1].contains("\r\nx-token: tÃ¶kn\r\n"), "{seen:?}");
}

#[tokio::test]
async fn a_file_that_is_not_a_text_is_sent_as_it_is() {
    let service = Service::start(Manners::Answers(HELLO)).await;
    let mut load = plain();
    load.requests = vec![request("upload", 1.0, "PUT", "/", None)];
    load.requests[0].body_file = Some("blob".to_owned());
    load.supplies.insert("blob".to_owned(), b"\xff{{no}}\0".to_vec());
    let driver = in_time(Driver::connect(spec(&service.url, &load), load.schedule())).await.expect("connections");
    let (_, total, _) = soak(driver, Instant::now()).await;
    assert_eq!((total.ok, total.body_bytes_sent), (total.sent, 8 * total.sent));
    let seen = service.seen.lock().expect("no panic");
    assert!(seen.iter().all(|request| request.ends_with("\r\n\r\n\u{ff}{{no}}\0")), "{seen:?}");
}
