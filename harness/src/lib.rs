//! `steep`: a load-soak test harness. See ARCHITECTURE.md for the map of the modules.

pub mod scenario;
pub mod shell;
pub mod template;
pub mod trace;
pub mod traffic;
pub mod units;
