//! `GET /search?q=walnut+tea`: items by the words of their names.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::error::ShopError;
use crate::shop::Shop;

const LONGEST_QUERY: usize = 200;

pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/search", get(search))
}

#[derive(Deserialize)]
struct Question {
    q: String,
}

#[derive(Serialize)]
struct Hit {
    id: u32,
    name: Box<str>,
    price_cents: u32,
}

async fn search(
    State(shop): State<Arc<Shop>>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Vec<Hit>>, ShopError> {
    let Query(Question { q }) = question?;
    ShopError::check_length("q", &q, LONGEST_QUERY)?;
    let hits = shop.catalogue.search(&q);
    Ok(Json(
        hits.into_iter()
            .map(|item| Hit { id: item.id, name: item.name.clone(), price_cents: item.price_cents })
            .collect(),
    ))
}
