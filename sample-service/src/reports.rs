//! `GET /reports/daily`: the shop at a glance.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::shop::Shop;

pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/reports/daily", get(daily))
}

#[derive(Serialize)]
struct Daily {
    requests: u64,
    requests_by_tenant: BTreeMap<Box<str>, u64>,
    orders: u64,
    revenue_cents: u64,
    letters_written: u64,
    stock_takings: u64,
    stock_value_cents: u64,
}

async fn daily(State(shop): State<Arc<Shop>>) -> Json<Daily> {
    Json(Daily {
        requests: shop.metrics.requests(),
        requests_by_tenant: shop.tenants.requests_by_name(),
        orders: shop.orders.placed(),
        revenue_cents: shop.orders.revenue_cents(),
        letters_written: shop.jobs.written(),
        stock_takings: shop.stock_taking.runs(),
        stock_value_cents: shop.stock_taking.value_cents(),
    })
}
