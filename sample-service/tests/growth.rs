//! What each flag does to live bytes, counted by the probe: a leak grows by its dose for each request, everything else
//! stops.

use std::alloc::System;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use sample_service::{Flag, Flags, Settings, Shop, router};
use steep_probe::{Counted, snapshot};
use tokio::sync::{Mutex, MutexGuard};
use tower::ServiceExt;

#[global_allocator]
static ALLOCATOR: Counted<System> = Counted::new(System);

/// Enough that every bounded collection is full: 256 sessions, 256 orders, 256 records of the trail, each cached item.
const WARM_UP: u64 = 1_500;
const REQUESTS: u64 = 4_000;

/// Live bytes are those of the process: one test at a time.
async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

fn live_bytes() -> f64 {
    snapshot().counts.expect("the counter is installed").live_bytes as f64
}

#[derive(Clone, Copy)]
enum Customer {
    Looks,
    LogsIn,
    Orders,
}

impl Customer {
    fn request(self, number: u64) -> Request<Body> {
        let request = |request: axum::http::request::Builder, body: String| {
            let request = request.header("content-type", "application/json").header("x-tenant", "acme");
            request.body(body.into()).expect("a well-formed request")
        };
        let (user, item) = (format!("user-{:05}", number % 10_000), number % 100 + 1);
        match self {
            Self::Looks => request(Request::get(format!("/items/{item}")), String::new()),
            Self::LogsIn => request(Request::post("/login"), format!(r#"{{"user":"{user}"}}"#)),
            Self::Orders => request(Request::post("/orders"), format!(r#"{{"user":"{user}","item":{item}}}"#)),
        }
    }
}

async fn send(router: &Router, customer: Customer, requests: u64) {
    for number in 0..requests {
        let response = router.clone().oneshot(customer.request(number)).await.expect("the router never fails");
        assert!(response.status().is_success());
        to_bytes(response.into_body(), 1_000_000).await.expect("a short body");
        // The worker of the job queue has its turn, as it has between requests over a network.
        tokio::task::yield_now().await;
    }
}

/// Live bytes per request, after warm-up.
async fn growth(settings: Settings, flags: &[Flag], customer: Customer) -> f64 {
    let settings = Settings { items: 200, fragment_bytes: 1_000_000, cache_entries: 50, ..settings };
    let shop = Shop::open(&settings, flags.iter().copied().collect::<Flags>());
    shop.start_background_work();
    let router = router(Arc::clone(&shop));
    send(&router, customer, WARM_UP).await;
    let before = live_bytes();
    send(&router, customer, REQUESTS).await;
    (live_bytes() - before) / REQUESTS as f64
}

fn with_doses_of(bytes: usize) -> Settings {
    Settings {
        session_bytes: bytes,
        order_bytes: bytes,
        label_bytes: bytes,
        job_bytes: bytes,
        audit_bytes: bytes,
        series_bytes: bytes,
        ..Settings::default()
    }
}

/// `container_bytes` is what the collection adds for each object; see the README.
async fn assert_leaks(flags: &[Flag], customer: Customer, smallest_bytes: f64, container_bytes: f64) {
    let _turn = alone().await;
    for dose in [16_u16, 1_024] {
        let expected = f64::from(dose) * (1.0 + container_bytes / smallest_bytes.max(f64::from(dose)));
        let measured = growth(with_doses_of(usize::from(dose)), flags, customer).await;
        // 40 KB over the whole run: containers grow in steps, and a small dose comes in whole objects.
        let slack = 0.02 * expected + 40_000.0 / REQUESTS as f64;
        assert!((measured - expected).abs() < slack, "{flags:?} at {dose}: {measured:.1} B/request, not {expected:.1}");
    }
}

async fn assert_bounded(flags: &[Flag], customer: Customer) {
    let _turn = alone().await;
    let measured = growth(Settings::default(), flags, customer).await;
    assert!(measured.abs() < 8.0, "{flags:?}: {measured:.1} B/request");
}

#[tokio::test]
async fn sessions_leak_their_dose() {
    assert_leaks(&[Flag::Sessions], Customer::LogsIn, 256.0, 32.0).await;
}

#[tokio::test]
async fn orders_leak_their_dose() {
    assert_leaks(&[Flag::Orders], Customer::Orders, 256.0, 0.0).await;
}

#[tokio::test]
async fn labels_leak_their_dose() {
    assert_leaks(&[Flag::Labels], Customer::Looks, 48.0, 0.0).await;
}

#[tokio::test]
async fn jobs_leak_their_dose() {
    assert_leaks(&[Flag::Jobs], Customer::Orders, 128.0, 12.0).await;
}

#[tokio::test]
async fn metrics_labels_and_tenants_together_leak_their_dose() {
    assert_leaks(&[Flag::MetricsLabels, Flag::Tenants], Customer::Looks, 256.0, 56.0).await;
}

#[tokio::test]
async fn the_audit_trail_grows_in_steps() {
    let _turn = alone().await;
    let shop = Shop::open(&Settings { items: 200, ..with_doses_of(256) }, [Flag::Audit].into_iter().collect());
    let router = router(shop);
    let mut steps = Vec::new();
    let mut before = live_bytes();
    for _ in 0..1_500 {
        send(&router, Customer::Looks, 1).await;
        let now = live_bytes();
        if now - before > 50_000.0 {
            steps.push(((now - before) / 65_536.0).round());
        }
        before = now;
    }
    // 64 KiB hold 256 records; they become 128, 256 and 512 KiB.
    assert_eq!(steps, [1.0, 2.0, 4.0]);
}

#[tokio::test]
async fn the_sound_shop_is_bounded() {
    for customer in [Customer::Looks, Customer::LogsIn, Customer::Orders] {
        assert_bounded(&[], customer).await;
    }
}

#[tokio::test]
async fn innocent_flags_are_bounded() {
    for flag in [Flag::Cache, Flag::Render, Flag::MetricsLabels, Flag::Tenants] {
        assert_bounded(&[flag], Customer::Looks).await;
    }
}

#[tokio::test]
async fn fragmented_views_keep_to_their_budget() {
    let _turn = alone().await;
    // One piece more or less of up to 16 KiB, over all requests.
    let measured = growth(Settings::default(), &[Flag::Fragment], Customer::Looks).await;
    assert!(measured.abs() < 20_000.0 / REQUESTS as f64, "{measured:.1} B/request");
}

#[tokio::test]
async fn the_batch_job_gives_back_what_it_takes() {
    let _turn = alone().await;
    let batch_bytes = 8_000_000;
    let settings = Settings { items: 200, batch_bytes, batch_every_ms: 50, batch_hold_ms: 10, ..Settings::default() };
    let shop = Shop::open(&settings, [Flag::Batch].into_iter().collect());
    shop.start_background_work();
    let router = router(shop);
    send(&router, Customer::Looks, WARM_UP).await;

    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    // Far more requests than a run takes; with the job's own pace the memory is seen taken and given back.
    for _ in 0..1_000_000 {
        send(&router, Customer::Looks, 1).await;
        (low, high) = (low.min(live_bytes()), high.max(live_bytes()));
        if high - low > 0.99 * batch_bytes as f64 && live_bytes() < low + 100_000.0 {
            return;
        }
    }
    panic!("live bytes went from {low} to {high} and did not come back");
}
