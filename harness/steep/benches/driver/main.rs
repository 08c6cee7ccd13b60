//! CPU per request of the driver with all its accounts, beside a bare hyper loop and the load generators that are
//! installed (wrk, oha, ab, hey), by turns in one run because the machine may be shared. Service and client have a core
//! each.
//!
//! - `cargo bench -p steep --bench driver`: all of it, in five rounds
//! - `cargo bench -p steep --bench driver -- 9`: in nine rounds
//! - `cargo bench -p steep --bench driver -- memory 120 10000`: own memory over 120 seconds, at 10,000 requests/s

#![expect(clippy::print_stdout, reason = "what a bench finds is printed")]

mod clients;
mod comparison;
mod service;

use steep_core::scenario::Pacing;

use crate::clients::Drive;

/// Connections of every client, the users of a closed load.
const CONNECTIONS: usize = 50;

/// Rounds, unless the command line says otherwise.
const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse().ok()).expect("a number");
    match args.first().map(String::as_str) {
        Some("service") => runtime().block_on(service::serve()),
        Some("bare") => runtime().block_on(clients::bare_loop(number(1), number(2), number(3))),
        Some(pacing @ ("steep" | "exact")) => {
            let pacing = if pacing == "exact" { Pacing::Exact } else { Pacing::Tick };
            let (port, rate, seconds) = (number(1), number(2), number(3));
            runtime().block_on(clients::drive(Drive { port, rate, seconds, pacing, memory: false }));
        }
        Some("sleeper") => clients::sleeper(number(1)),
        Some("memory") => {
            let service = service::Service::start();
            let seconds = args.get(1).map_or(600, |_| number(1));
            let rate = args.get(2).map_or(2000, |_| number(2));
            let port = service.port().into();
            runtime().block_on(clients::drive(Drive { port, rate, seconds, pacing: Pacing::Tick, memory: true }));
        }
        rounds => comparison::run(rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
