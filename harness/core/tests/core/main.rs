//! What the pure core says, from scenarios to reports: one program, because each links everything.
#![allow(clippy::expect_used, reason = "a test may fail")]

mod allocators;
mod compare;
mod designs;
mod factors;
mod files;
mod foldover;
mod history;
mod isolation;
mod known;
mod levels;
mod night;
mod plan;
mod reference;
mod report;
mod rules;
mod scenario;
mod simulated;
mod starter;
mod twins;
