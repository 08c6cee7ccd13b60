//! What steep says without soaking anything: its command line, files of others, and inputs that nobody would write.
//! One program, because each links everything.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

mod analyze;
mod cli;
mod files;
mod fuzz;
mod grpc;
mod import;
mod known;
mod results;
