//! `GET /items/{id}`: an item with its page and price label.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::error::ShopError;
use crate::shop::Shop;

pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/items/{id}", get(show))
}

#[derive(Serialize)]
struct Shown<'a> {
    id: u32,
    name: &'a str,
    price_cents: u32,
    label: Cow<'static, str>,
    page: &'a str,
}

async fn show(State(shop): State<Arc<Shop>>, id: Result<Path<u32>, PathRejection>) -> Result<Response, ShopError> {
    let Path(id) = id?;
    let item = shop.catalogue.item(id).ok_or(ShopError::NoSuchItem(id))?;
    shop.views.note();
    let page = shop.pages.get_or_render(id, || shop.renderer.page(item));
    let shown = Shown { id, name: &item.name, price_cents: item.price_cents, label: shop.labels.of(item), page: &page };
    Ok(Json(shown).into_response())
}
