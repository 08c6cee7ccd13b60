//! `steep`: a load-soak test harness. See ARCHITECTURE.md for the map of the modules.

pub mod flags;
pub mod plan;
pub mod problem;
pub mod scenario;
pub mod soak;
pub mod template;
pub mod trace;
pub mod units;
