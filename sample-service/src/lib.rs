//! A small shop over HTTP, to soak.
//!
//! Each subsystem is a module, and some have a flaw that a cargo feature switches on: an honest mistake that its header
//! owns up to. All modules are always compiled; the features only set [`Flags`], so that one test run covers every
//! subsystem, sound and flawed. With any flags the shop answers the same requests with the same statuses. The README
//! lists endpoints, features and settings.

mod audit;
mod batch;
mod cache;
mod catalogue;
mod debug;
mod dose;
mod error;
mod flag;
mod guarded;
mod items;
mod jobs;
mod labels;
mod metrics;
mod orders;
mod prose;
mod render;
mod reports;
mod search;
mod sessions;
mod settings;
mod shop;
mod tenants;
mod views;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

pub use flag::{ALLOCATOR, Flag, Flags};
pub use settings::{Settings, SettingsError};
pub use shop::Shop;

/// No handler waits for anything outside the process; one that takes this long is stuck.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole service.
pub fn router(shop: Arc<Shop>) -> Router {
    let shop_floor = Router::new()
        .merge(items::routes())
        .merge(search::routes())
        .merge(sessions::routes())
        .merge(orders::routes())
        .merge(reports::routes())
        // Route layers, so that neither probing nor unknown paths are counted and recorded as the customers' requests
        // are.
        .route_layer(from_fn_with_state(Arc::clone(&shop), audit::record))
        .route_layer(from_fn_with_state(Arc::clone(&shop), metrics::observe));

    shop_floor
        .merge(metrics::routes())
        .merge(debug::routes())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(TraceLayer::new_for_http())
        .with_state(shop)
}
