//! What sampling costs steep: CPU time for each second of a soak at 1 Hz, surveys included, of a service that holds 500
//! MB.
//!
//! `cargo bench --bench sampler`. The limit is 1 ms of CPU a second.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steep::shell::clock::own_cpu;
use steep::shell::process::{Launch, Process};
use steep::shell::sampler::Sampler;
use steep_core::scenario::{Stop, StopSignal};
use steep_judge::units::SinceStart;

/// The argument by which this program becomes the service.
const HOLD: &str = "--hold";

/// What the service holds.
const HELD_BYTES: usize = 500 << 20;

/// Seconds of soak, passed without waiting.
const TICKS: u64 = 3000;

#[expect(clippy::print_stdout, reason = "its result")]
fn main() {
    if std::env::args().any(|arg| arg == HOLD) {
        hold();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let launch = Launch {
            program: std::env::current_exe().expect("this program"),
            args: vec![HOLD.to_owned()],
            env: BTreeMap::new(),
            folder: PathBuf::from("/"),
            cpus: Vec::new(),
            memory_limit: None,
            log: folder.path().join("service.log"),
        };
        let mut service = Process::start(&launch, Path::new(env!("CARGO_BIN_EXE_steep"))).await.expect("this program");
        while service.last_lines().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut sampler = Sampler::begin(service.supervisor_pid(), &[]);
        let begun = own_cpu();
        let mut rollups = 0;
        let mut sample_us = Vec::new();
        for second in 0..TICKS {
            let sample = sampler.sample(SinceStart::new(Duration::from_secs(second))).expect("it runs");
            rollups += u64::from(sample.rollup.is_some());
            sample_us.push(sample.read_us);
            // A soak gives a survey 30 s; here it is given what it takes.
            if second % 30 == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let cpu = own_cpu().saturating_sub(begun);
        sample_us.sort_unstable();
        println!(
            "{} µs of CPU a second ({rollups} surveys in {TICKS} s); a tick takes {} µs, at most {} µs",
            cpu.as_micros() / u128::from(TICKS),
            sample_us[sample_us.len() / 2],
            sample_us[sample_us.len() - 1]
        );
        service.stop(&Stop { signal: StopSignal::Term, grace: Duration::from_secs(10) }).await;
    });
}

/// Holds memory, says so, and waits to be ended.
fn hold() -> ! {
    let held = vec![1_u8; HELD_BYTES];
    let _ = writeln!(std::io::stdout(), "holds {}", held.len());
    loop {
        std::thread::park();
        std::hint::black_box(&held);
    }
}
