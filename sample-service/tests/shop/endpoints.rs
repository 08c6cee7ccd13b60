//! Every endpoint, straight through the router: with each flag, and with all of them, the same requests get the same
//! statuses.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use sample_service::{ALLOCATOR, Flag, Flags, Settings, Shop, router};
use serde_json::{Value, json};
use tower::ServiceExt;

fn shop_with(flags: Flags) -> Router {
    let settings = Settings { items: 1_000, fragment_bytes: 100_000, ..Settings::default() };
    router(Shop::open(&settings, flags))
}

fn shop() -> Router {
    shop_with(Flags::default())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a well-formed request")
}

fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/json");
    request.body(body.to_string().into()).expect("a well-formed request")
}

async fn text(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.expect("the router never fails");
    let status = response.status();
    let body = to_bytes(response.into_body(), 1_000_000).await.expect("a short body");
    (status, String::from_utf8(body.into()).expect("text"))
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let (status, body) = text(router, request).await;
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} in {body:?}")))
}

#[tokio::test]
async fn an_item_has_a_label_and_a_page() {
    let (status, item) = answer(&shop(), get("/items/17")).await;
    assert_eq!((status, &item["id"]), (StatusCode::OK, &json!(17)));
    assert!(item["label"].as_str().is_some_and(|label| label.starts_with("EUR ")));
    assert_eq!(item["page"].as_str().map(str::len), Some(Settings::default().page_bytes));
}

#[tokio::test]
async fn an_item_that_is_not_sold_is_not_found() {
    for id in ["0", "1001"] {
        let (status, error) = answer(&shop(), get(&format!("/items/{id}"))).await;
        assert_eq!((status, error), (StatusCode::NOT_FOUND, json!({ "error": format!("there is no item {id}") })));
    }
    assert_eq!(answer(&shop(), get("/items/teapot")).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_search_finds_items_by_words() {
    let (status, hits) = answer(&shop(), get("/search?q=walnut+tea")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(hits[0]["name"].as_str().is_some_and(|name| name.starts_with("Walnut Teapot ")));
    assert_eq!(answer(&shop(), get("/search?q=submarine")).await, (StatusCode::OK, json!([])));
    assert_eq!(answer(&shop(), get("/search")).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_logs_in_is_known_by_the_token() {
    let shop = shop();
    let (status, welcome) = answer(&shop, post("/login", &json!({ "user": "ada" }))).await;
    assert_eq!(status, StatusCode::OK);

    let token = welcome["token"].as_str().expect("a token");
    let signed = Request::get("/me").header("authorization", format!("Bearer {token}")).body(Body::empty());
    let (status, customer) = answer(&shop, signed.expect("a well-formed request")).await;
    assert_eq!((status, &customer["user"]), (StatusCode::OK, &json!("ada")));
    let signed = Request::get("/me").header("cookie", format!("theme=dark; session={token}")).body(Body::empty());
    let (status, customer) = answer(&shop, signed.expect("a well-formed request")).await;
    assert_eq!((status, &customer["user"]), (StatusCode::OK, &json!("ada")));
    assert_eq!(answer(&shop, get("/me")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_order_shows_up_among_the_users_orders() {
    let shop = shop();
    let (status, receipt) = answer(&shop, post("/orders", &json!({ "user": "ada", "item": 17 }))).await;
    assert_eq!((status, &receipt["parcel_for"]), (StatusCode::CREATED, &json!("ada")));
    answer(&shop, post("/orders", &json!({ "user": "bob", "item": 1 }))).await;

    assert_eq!(answer(&shop, get("/orders/ada")).await, (StatusCode::OK, json!([receipt])));
    assert_eq!(answer(&shop, get("/orders/eve")).await, (StatusCode::OK, json!([])));
}

#[tokio::test]
async fn a_bad_body_is_refused_with_a_reason() {
    let shop = shop();
    for (body, expected) in [
        (json!({ "user": "ada", "item": 0 }), StatusCode::NOT_FOUND),
        (json!({ "user": "", "item": 1 }), StatusCode::BAD_REQUEST),
        (json!({ "user": "a".repeat(65), "item": 1 }), StatusCode::BAD_REQUEST),
        (json!({ "user": "ada" }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (status, error) = answer(&shop, post("/orders", &body)).await;
        assert_eq!(status, expected, "{body}");
        assert!(error["error"].is_string());
    }
}

#[tokio::test]
async fn the_daily_report_counts_what_was_sold() {
    let shop = shop();
    for _ in 0..3 {
        answer(&shop, post("/orders", &json!({ "user": "ada", "item": 17 }))).await;
    }
    let (status, report) = answer(&shop, get("/reports/daily")).await;
    assert_eq!((status, &report["orders"], &report["requests"]), (StatusCode::OK, &json!(3), &json!(3)));
}

#[tokio::test]
async fn tenants_are_told_apart_only_with_their_flag() {
    for (flags, expected) in
        [(Flags::default(), json!({})), ([Flag::Tenants].into_iter().collect(), json!({ "acme": 1 }))]
    {
        let shop = shop_with(flags);
        let request = Request::get("/items/1").header("x-tenant", "acme").body(Body::empty());
        answer(&shop, request.expect("a well-formed request")).await;
        let (_, report) = answer(&shop, get("/reports/daily")).await;
        let mut tenants = report["requests_by_tenant"].clone();
        tenants.as_object_mut().expect("an object").remove("nobody");
        assert_eq!(tenants, expected);
    }
}

#[tokio::test]
async fn probing_does_not_count_as_a_customers_request() {
    let shop = shop();
    for path in ["/healthz", "/debug/flags", "/metrics", "/nowhere"] {
        text(&shop, get(path)).await;
    }
    text(&shop, get("/items/1")).await;
    let (status, metrics) = text(&shop, get("/metrics")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(metrics.lines().any(|line| line == "requests_total 1"), "{metrics}");
}

#[tokio::test]
async fn the_shop_says_that_it_is_well_and_how_it_was_built() {
    assert_eq!(text(&shop(), get("/healthz")).await, (StatusCode::OK, "ok\n".to_owned()));
    let shop = shop_with([Flag::Cache, Flag::Sessions].into_iter().collect());
    let expected = json!({ "flags": ["sessions", "cache"], "allocator": ALLOCATOR });
    assert_eq!(answer(&shop, get("/debug/flags")).await, (StatusCode::OK, expected));
}

#[tokio::test]
async fn memory_is_reported_only_with_the_probe() {
    let (status, body) = text(&shop(), get("/debug/memory")).await;
    if cfg!(feature = "probe") {
        assert_eq!(status, StatusCode::OK);
        assert!(body.starts_with(r#"{"schema":1,"pid":"#));
    } else {
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn whatever_the_flags_the_same_requests_get_the_same_statuses() {
    let alone = Flag::ALL.into_iter().map(|flag| [flag].into_iter().collect());
    for flags in alone.chain([Flags::default(), Flag::ALL.into_iter().collect()]) {
        let shop = shop_with(flags);
        for _ in 0..100 {
            let mut statuses = Vec::new();
            for request in [
                get("/items/1"),
                get("/search?q=oak"),
                post("/login", &json!({ "user": "ada" })),
                post("/orders", &json!({ "user": "ada", "item": 1 })),
                get("/orders/ada"),
                get("/reports/daily"),
            ] {
                statuses.push(answer(&shop, request).await.0.as_u16());
            }
            assert_eq!(statuses, [200, 200, 200, 201, 200, 200], "{:?}", flags.names());
        }
    }
}
