//! `steep`: a load-soak test harness. See ARCHITECTURE.md for the map of the modules.

pub mod stats;
pub mod units;
