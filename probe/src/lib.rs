//! Counts the live bytes of a service, so that a soak can tell a leak from what the allocator keeps.
//!
//! Resident memory is the program's live bytes plus whatever the allocator has not given back; the two are told apart
//! only from inside. Wrap the allocator that the service uses anyway, and answer a [`snapshot`] on some debug path:
//!
//! ```
//! use std::alloc::System;
//! use steep_probe::Counted;
//!
//! #[global_allocator]
//! static ALLOCATOR: Counted<System> = Counted::new(System);
//!
//! // In the handler of `GET /debug/memory`:
//! let body = steep_probe::snapshot().to_json();
//!
//! assert!(body.starts_with(r#"{"schema":1,"pid":"#));
//! let live = steep_probe::snapshot().counts.expect("the allocator is installed").live_bytes;
//! let basket = vec![7_u8; 1_000];
//! assert!(steep_probe::snapshot().counts.expect("the allocator is installed").live_bytes >= live + 1_000);
//! # drop(basket);
//! ```
//!
//! Counted are the sizes that the program *asked for*, so the figures mean the same under every allocator. An
//! allocation costs two loads and two stores to a cache line that only its own thread writes.

mod counted;
mod ledger;
mod snapshot;

pub use counted::Counted;
pub use snapshot::{Counts, Snapshot, snapshot};
