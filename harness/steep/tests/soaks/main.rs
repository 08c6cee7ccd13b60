//! steep with real processes: whole runs by its command line, and the parts that start, watch and sample processes.
//! One program, because each links everything. What these tests start is in `harness/steep/stage`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

mod run;
mod shell;
mod support;
