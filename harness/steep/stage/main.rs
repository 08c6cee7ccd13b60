//! The programs that the tests start: services, loads and parents. The first argument names one. It is built with the
//! tests only, by the feature `stage`, which nothing but the tests asks for.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what a program prints is part of a test, and it may fail"
)]

mod guarded;
mod holder;
mod load;
mod moody;
mod parents;
mod service;
#[path = "../tests/soaks/support.rs"]
mod support;

fn main() {
    let program = std::env::args().nth(1).unwrap_or_default();
    match program.as_str() {
        "moody" => moody::serve_forever(&variable("MOOD"), &variable("PORT")),
        "load" => load::make(),
        "service" => service::serve_at_address(),
        "worker" => service::work(),
        "parent-of-worker" => service::hand_on(),
        "sharing-service" => service::share(),
        "holder" => holder::hold(),
        "family" => parents::start_family(),
        "orphaned-family" => parents::kill_supervisor(),
        "handing-down" => parents::hand_down(),
        _ => panic!("the stage has no program {program:?}"),
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
