//! `steep`: a load-soak test harness. See ARCHITECTURE.md for the map of the modules.

pub mod growth;
pub mod stats;
pub mod units;
pub mod verdict;
