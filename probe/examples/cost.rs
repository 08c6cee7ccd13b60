//! What the counting costs: `cargo run --release -p steep-probe --example cost`, in nanoseconds per allocation and
//! free.

#![expect(unsafe_code, reason = "calls two allocators by hand, to compare them in one process")]
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

use steep_probe::Counted;

const PAIRS: u32 = 2_000_000;
const ROUNDS: u32 = 15;

fn nanoseconds_per_pair(allocator: &impl GlobalAlloc) -> f64 {
    let layout = Layout::new::<[u64; 8]>();
    let start = Instant::now();
    for _ in 0..PAIRS {
        // SAFETY: the layout is not of size zero, and the block is freed once, where it came from.
        unsafe { allocator.dealloc(black_box(allocator.alloc(black_box(layout))), layout) };
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(PAIRS)
}

fn main() {
    let (mut bare, mut counted) = (f64::INFINITY, f64::INFINITY);
    // Alternating, and the best of each: a busy host only ever adds.
    for _ in 0..ROUNDS {
        bare = bare.min(nanoseconds_per_pair(&System));
        counted = counted.min(nanoseconds_per_pair(&Counted::new(System)));
    }
    println!("system {bare:.1} ns, counted {counted:.1} ns a pair");
}
