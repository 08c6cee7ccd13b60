//! `steep`: a load-soak test harness. See ARCHITECTURE.md for the map of the modules.

pub mod bisect;
pub mod cli;
pub mod commands;
pub mod exit;
pub mod exposition;
pub mod flags;
pub mod growth;
pub mod import;
pub mod isolation;
pub mod outcome;
pub mod plan;
pub mod problem;
pub mod recorded;
pub mod report;
pub mod scenario;
pub mod shell;
pub mod sim;
pub mod simulator;
pub mod soak;
pub mod stats;
pub mod template;
pub mod threshold;
pub mod trace;
pub mod traffic;
pub mod units;
pub mod verdict;
