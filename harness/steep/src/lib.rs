//! `steep`: a load-soak test harness. See ARCHITECTURE.md for the map of the modules.

pub mod cli;
pub mod commands;
pub mod shell;
