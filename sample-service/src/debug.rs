//! What operators and steep ask: `GET /healthz`, `GET /debug/flags` and, with the feature `probe`, `GET /debug/memory`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::flag::ALLOCATOR;
use crate::shop::Shop;

pub fn routes() -> Router<Arc<Shop>> {
    let routes = Router::new().route("/healthz", get(async || "ok\n")).route("/debug/flags", get(flags));
    #[cfg(feature = "probe")]
    let routes = routes.route("/debug/memory", get(memory));
    routes
}

#[derive(Serialize)]
struct Built {
    flags: Vec<&'static str>,
    allocator: &'static str,
}

async fn flags(State(shop): State<Arc<Shop>>) -> Json<Built> {
    Json(Built { flags: shop.flags.names(), allocator: ALLOCATOR })
}

#[cfg(feature = "probe")]
async fn memory() -> impl axum::response::IntoResponse {
    ([(axum::http::header::CONTENT_TYPE, "application/json")], steep_probe::snapshot().to_json())
}
