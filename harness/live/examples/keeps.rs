//! A program for tests: allocates as its arguments say, and ends.
//!
//! `keeps COUNT SIZE`: keeps that number of blocks, frees as many others, says `done` and waits for the end of its
//! input. `keeps threads COUNT`: that number of threads, 64 at once, which leave nothing; the same end. `keeps pairs`:
//! nanoseconds of CPU for a pair of malloc and free, the least of 40 rounds.

#![allow(clippy::print_stdout, reason = "a program of its own, which speaks with a test")]

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Instant;

#[inline(never)]
fn kept_here(size: usize) -> Vec<u8> {
    vec![1; size]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| words.get(place).and_then(|word| word.parse().ok()).unwrap_or(1_000_usize);
    match words.first().map(String::as_str) {
        Some("pairs") => return println!("{:.2}", pair()),
        Some("threads") => {
            for first in (0..number(1)).step_by(64) {
                let begun = (first..first + 64).map(|size| thread::spawn(move || drop(black_box(kept_here(size)))));
                let threads: Vec<_> = begun.collect();
                for thread in threads {
                    thread.join().expect("a thread ends");
                }
            }
        }
        _ => {
            let mut kept = Vec::with_capacity(number(0));
            for _ in 0..number(0) {
                kept.push(kept_here(number(1)));
                drop(black_box(kept_here(number(1))));
            }
            black_box(&kept);
            std::mem::forget(kept);
        }
    }
    // Whatever waiting needs is there before: nothing may be allocated once a test reads the count.
    let mut input = std::io::stdin().lock();
    println!("done");
    std::io::stdout().flush().expect("stdout is open");
    let _ = input.read(&mut [0]);
}

fn pair() -> f64 {
    const PAIRS: u32 = 1_000_000;
    let round = |_| {
        let begun = Instant::now();
        for pair in 0..PAIRS {
            drop(black_box(Vec::<u8>::with_capacity(24 + (pair & 255) as usize)));
        }
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(PAIRS)
    };
    (0..40).map(round).fold(f64::INFINITY, f64::min)
}
