//! A program that installs the counter. One test only: its figures are of the whole process.

use std::alloc::System;
use std::thread;

use steep_probe::{Counted, Counts, snapshot};

#[global_allocator]
static ALLOCATOR: Counted<System> = Counted::new(System);

fn counts() -> Counts {
    snapshot().counts.expect("the counter is installed")
}

#[test]
fn an_installed_counter_follows_the_program() {
    const BYTES: usize = 10_000_000;
    // What the test harness and thread start-up may take or give back meanwhile.
    const SLACK: u64 = 100_000;

    let before = counts();
    let held = vec![1_u8; BYTES];
    let during = counts();
    assert!(during.live_bytes.abs_diff(before.live_bytes + BYTES as u64) < SLACK);
    assert_eq!(snapshot().pid, std::process::id());

    thread::spawn(move || drop(held)).join().expect("the thread ends well");
    let after = counts();
    assert!(after.live_bytes.abs_diff(before.live_bytes) < SLACK);
    assert!(after.freed_bytes_total >= before.freed_bytes_total + BYTES as u64);
}
