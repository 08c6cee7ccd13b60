//! Requests and how long they took, by route; and `GET /metrics`.
//!
//! Feature `metrics-labels`: bounded alone, a leak together with `tenants`. Series are labelled by tenant too, and the
//! label is what a tenant prints as. Alone there is one tenant. Since the feature `tenants` that text carries the
//! number of the visit, and every visit opens a series that is never closed. The fix: label by `tenant.name`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;

use crate::dose::Dose;
use crate::flag::{Flag, Flags};
use crate::guarded::Guarded;
use crate::settings::Settings;
use crate::shop::Shop;
use crate::tenants::Tenant;

/// A label and a dozen buckets.
pub const SMALLEST_SERIES_BYTES: usize = 256;

/// Powers of two of microseconds, up to 65 ms.
const BUCKETS: usize = 16;

pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/metrics", get(exposition))
}

/// Observes the request that passes.
pub async fn observe(
    State(shop): State<Arc<Shop>>,
    tenant: Tenant,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let response = next.run(request).await;
    shop.metrics.observe(route.as_str(), &tenant, start.elapsed());
    response
}

/// Prometheus text.
async fn exposition(State(shop): State<Arc<Shop>>) -> String {
    let mut text = String::new();
    for (name, kind, value) in [
        ("requests_total", "counter", shop.metrics.requests()),
        ("orders_total", "counter", shop.orders.placed()),
        ("jobs_written_total", "counter", shop.jobs.written()),
        ("jobs_queued", "gauge", shop.jobs.queued() as u64),
        ("orders_recent", "gauge", shop.orders.recent() as u64),
        ("sessions", "gauge", shop.sessions.count() as u64),
        ("cache_entries", "gauge", shop.pages.entries()),
        ("audit_bytes", "gauge", shop.trail.bytes() as u64),
        ("metric_series", "gauge", shop.metrics.series() as u64),
    ] {
        // Writing to a string does not fail.
        let _ = write!(text, "# TYPE {name} {kind}\n{name} {value}\n");
    }
    text
}

#[derive(Debug)]
pub struct Metrics {
    book: Guarded<Book>,
    labels_tenants: bool,
    visit: Dose,
}

#[derive(Debug, Default)]
struct Book {
    requests: u64,
    by_label: BTreeMap<Box<str>, Series>,
}

#[derive(Debug)]
struct Series {
    buckets: Box<[Bucket]>,
}

#[derive(Debug)]
struct Bucket {
    below_us: u64,
    requests: u64,
}

impl Metrics {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            book: Guarded::default(),
            labels_tenants: flags.has(Flag::MetricsLabels),
            visit: Dose::new(settings.series_bytes, SMALLEST_SERIES_BYTES),
        }
    }

    fn observe(&self, route: &str, tenant: &Tenant, duration: Duration) {
        let label = if self.labels_tenants {
            Cow::Owned(format!(r#"{route}{{tenant="{tenant}"}}"#))
        } else {
            Cow::Borrowed(route)
        };
        let mut book = self.book.lock();
        book.requests += 1;
        if let Some(series) = book.by_label.get_mut(&*label) {
            return series.count(duration);
        }
        // A single visit is drawn with more buckets: with as many as the size of a leaked series asks for.
        let is_visit = self.labels_tenants && tenant.visit.is_some();
        let buckets = if is_visit { self.visit.filler_bytes(label.len()) / size_of::<Bucket>() } else { BUCKETS };
        let mut series = Series::with_buckets(buckets);
        series.count(duration);
        book.by_label.insert(label.into(), series);
    }

    pub fn requests(&self) -> u64 {
        self.book.lock().requests
    }

    pub fn series(&self) -> usize {
        self.book.lock().by_label.len()
    }
}

impl Series {
    fn with_buckets(count: usize) -> Self {
        let below_us = |power: usize| 1 << power.min(63);
        Self { buckets: (1..=count).map(|power| Bucket { below_us: below_us(power), requests: 0 }).collect() }
    }

    /// What is slower than the last bucket is counted there too.
    fn count(&mut self, duration: Duration) {
        let us = duration.as_micros();
        let last = self.buckets.len() - 1;
        let bucket = self.buckets.iter().position(|bucket| us < u128::from(bucket.below_us)).unwrap_or(last);
        self.buckets[bucket].requests += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series_after(visits: u64, flags: &[Flag]) -> usize {
        let metrics = Metrics::new(&Settings::default(), flags.iter().copied().collect());
        let is_told_apart = flags.contains(&Flag::Tenants);
        for visit in 0..visits {
            let tenant = Tenant { name: "acme".into(), visit: is_told_apart.then_some(visit) };
            metrics.observe("/items/{id}", &tenant, Duration::from_micros(visit));
        }
        assert_eq!(metrics.requests(), visits);
        metrics.series()
    }

    #[test]
    fn either_feature_alone_is_bounded() {
        assert_eq!(series_after(1_000, &[]), 1);
        assert_eq!(series_after(1_000, &[Flag::MetricsLabels]), 1);
        assert_eq!(series_after(1_000, &[Flag::Tenants]), 1);
    }

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_that_it_is_below() {
        let mut series = Series::with_buckets(4);
        for us in [0, 1, 2, 15, 16, 1_000_000] {
            series.count(Duration::from_micros(us));
        }
        assert_eq!(series.buckets.iter().map(|bucket| bucket.requests).collect::<Vec<_>>(), [2, 1, 0, 3]);
    }

    #[test]
    fn both_together_open_a_series_for_each_visit() {
        assert_eq!(series_after(1_000, &[Flag::MetricsLabels, Flag::Tenants]), 1_000);
    }
}
