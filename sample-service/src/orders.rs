//! `POST /orders` and `GET /orders/{user}`: what was bought lately.
//!
//! Feature `orders`: a leak. An order owns its parcels, and each parcel points back to its order, so that whoever packs
//! it knows for whom. That link back is an `Arc`, and so the two keep each other alive when the shop has long forgotten
//! both. The fix: a `Weak` back, as it is without the feature.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::catalogue::Item;
use crate::dose::Dose;
use crate::error::ShopError;
use crate::flag::{Flag, Flags};
use crate::guarded::Guarded;
use crate::prose;
use crate::settings::Settings;
use crate::shop::Shop;

/// Orders that are still shown, of all customers together.
const RECENT: usize = 256;
const SHOWN_PER_USER: usize = 20;
const SHOWN_OF_NOTE: usize = 40;
const NOTE_BYTES: usize = 64;
const SMALLEST_BYTES: usize = 256;
const LONGEST_USER: usize = 64;

/// Two reference counts in front of what an `Arc` points to.
const ARC_HEADER_BYTES: usize = 16;

pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/orders", post(place)).route("/orders/{user}", get(list))
}

#[derive(Deserialize)]
struct Wish {
    user: String,
    item: u32,
}

/// What customers see of an order.
#[derive(Debug, Serialize)]
struct Receipt {
    number: u64,
    item: u32,
    price_cents: u32,
    parcel_for: Option<Box<str>>,
    note: String,
}

async fn place(
    State(shop): State<Arc<Shop>>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<(StatusCode, Json<Receipt>), ShopError> {
    let Json(Wish { user, item: id }) = wish?;
    ShopError::check_length("user", &user, LONGEST_USER)?;
    let item = shop.catalogue.item(id).ok_or(ShopError::NoSuchItem(id))?;
    let order = shop.orders.place(&user, item);
    shop.jobs.post_letters(order.number);
    Ok((StatusCode::CREATED, Json(order.receipt())))
}

async fn list(
    State(shop): State<Arc<Shop>>,
    user: Result<Path<String>, PathRejection>,
) -> Result<Json<Vec<Receipt>>, ShopError> {
    let Path(user) = user?;
    Ok(Json(shop.orders.recent_of(&user).map(|order| order.receipt()).take(SHOWN_PER_USER).collect()))
}

#[derive(Debug)]
pub struct Orders {
    placed: AtomicU64,
    revenue_cents: AtomicU64,
    recent: Guarded<VecDeque<Arc<Order>>>,
    cyclic: Option<Dose>,
}

#[derive(Debug)]
struct Order {
    number: u64,
    item: u32,
    price_cents: u32,
    user: Box<str>,
    note: Box<str>,
    parcel: OnceLock<Arc<Parcel>>,
}

#[derive(Debug)]
struct Parcel {
    order: Link,
}

#[derive(Debug)]
enum Link {
    Weak(Weak<Order>),
    Strong(Arc<Order>),
}

impl Orders {
    pub fn new(settings: &Settings, flags: Flags) -> Self {
        Self {
            placed: AtomicU64::new(0),
            revenue_cents: AtomicU64::new(0),
            recent: Guarded::new(VecDeque::with_capacity(RECENT + 1)),
            cyclic: flags.has(Flag::Orders).then(|| Dose::new(settings.order_bytes, SMALLEST_BYTES)),
        }
    }

    pub fn placed(&self) -> u64 {
        self.placed.load(Ordering::Relaxed)
    }

    pub fn revenue_cents(&self) -> u64 {
        self.revenue_cents.load(Ordering::Relaxed)
    }

    pub fn recent(&self) -> usize {
        self.recent.lock().len()
    }

    fn place(&self, user: &str, item: &Item) -> Arc<Order> {
        let cyclic = self.cyclic.as_ref().filter(|dose| dose.is_due());
        let fixed_bytes = 2 * ARC_HEADER_BYTES + size_of::<Order>() + size_of::<Parcel>() + user.len();
        let number = self.placed.fetch_add(1, Ordering::Relaxed) + 1;
        self.revenue_cents.fetch_add(u64::from(item.price_cents), Ordering::Relaxed);
        let order = Arc::new(Order {
            number,
            item: item.id,
            price_cents: item.price_cents,
            user: user.into(),
            note: prose::of_length(cyclic.map_or(NOTE_BYTES, |dose| dose.filler_bytes(fixed_bytes)), number).into(),
            parcel: OnceLock::new(),
        });
        let link = if cyclic.is_some() { Link::Strong(Arc::clone(&order)) } else { Link::Weak(Arc::downgrade(&order)) };
        order.parcel.get_or_init(|| Arc::new(Parcel { order: link }));

        let mut recent = self.recent.lock();
        recent.push_front(Arc::clone(&order));
        recent.truncate(RECENT);
        order
    }

    /// Newest first.
    fn recent_of(&self, user: &str) -> impl Iterator<Item = Arc<Order>> {
        let of_user: Vec<_> = self.recent.lock().iter().filter(|order| *order.user == *user).cloned().collect();
        of_user.into_iter()
    }
}

impl Order {
    fn receipt(&self) -> Receipt {
        Receipt {
            number: self.number,
            item: self.item,
            price_cents: self.price_cents,
            parcel_for: self.parcel.get().and_then(|parcel| parcel.addressee()),
            note: self.note.chars().take(SHOWN_OF_NOTE).collect(),
        }
    }
}

impl Parcel {
    fn addressee(&self) -> Option<Box<str>> {
        match &self.order {
            Link::Weak(order) => order.upgrade().map(|order| order.user.clone()),
            Link::Strong(order) => Some(order.user.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places many orders; whether the first is still alive, and the size of its note.
    fn first_order_after(orders: usize, flags: Flags) -> (bool, usize) {
        let settings = Settings { order_bytes: 1_000, ..Settings::default() };
        let book = Orders::new(&settings, flags);
        let item = Item { id: 1, price_cents: 10, name: "Oak Bench 1".into() };
        let first = book.place("ada", &item);
        let (alive, note_bytes) = (Arc::downgrade(&first), first.note.len());
        drop(first);
        for _ in 0..orders {
            book.place("ada", &item);
        }
        assert_eq!(book.recent(), RECENT);
        (alive.strong_count() > 0, note_bytes)
    }

    #[test]
    fn a_sound_order_is_freed_when_it_is_no_longer_recent() {
        assert_eq!(first_order_after(RECENT, Flags::default()), (false, NOTE_BYTES));
    }

    #[test]
    fn a_flawed_order_keeps_itself_alive() {
        let (alive, note_bytes) = first_order_after(RECENT, [Flag::Orders].into_iter().collect());
        assert!(alive);
        assert_eq!(note_bytes, 1_000 - 32 - size_of::<Order>() - size_of::<Parcel>() - "ada".len());
    }

    #[test]
    fn a_parcel_knows_for_whom_it_is_either_way() {
        let item = Item { id: 1, price_cents: 10, name: "Oak Bench 1".into() };
        for flags in [Flags::default(), [Flag::Orders].into_iter().collect()] {
            let order = Orders::new(&Settings::default(), flags).place("ada", &item);
            assert_eq!(order.receipt().parcel_for.as_deref(), Some("ada"));
        }
    }
}
