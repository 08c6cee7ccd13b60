//! What steep decides without touching the world: scenarios, plans, traffic, traces, outcomes and reports.
//! See ARCHITECTURE.md for the map of the modules.

pub mod alike;
pub mod allocators;
pub mod compare;
pub mod conditions;
pub mod exit;
pub mod exposition;
pub mod following;
pub mod history;
pub mod import;
pub mod kept;
pub mod known;
pub mod levels;
pub mod log_lines;
pub mod night;
pub mod outcome;
pub mod plan;
pub mod problem;
pub mod recorded;
pub mod report;
pub mod running_count;
pub mod scenario;
pub mod scraping;
pub mod search;
pub mod sim;
pub mod soak;
pub mod sparkline;
pub mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod threshold;
pub mod trace;
pub mod traffic;
pub mod visible;
