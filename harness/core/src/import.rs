//! First scenarios from what is there already: the access log of a service, or its OpenAPI description.
//!
//! Pure: texts go in, and a [`Draft`] comes out, which `scenario_text` writes down.

pub mod access_log;
mod draft;
mod line;
pub mod openapi;
mod rates;
mod requests;
mod routes;
mod scenario_text;
mod values;

pub use self::draft::{Draft, Load, Param, Request};
pub use self::rates::Curve;
pub use self::scenario_text::scenario_text;
