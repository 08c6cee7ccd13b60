//! What steep itself cost in a soak: CPU for each request, and growth of its own memory after the first minute, from a
//! trace.
//!
//! `own_cost RUN_DIR/CELL`
#![allow(clippy::print_stdout, reason = "an example's output is what it is for")]

use std::path::Path;

use steep::shell::store::read_trace;
use steep_core::trace::Trace;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cell = std::env::args().nth(1).ok_or("say which cell: own_cost RUN_DIR/CELL")?;
    let trace: Trace = read_trace(Path::new(&cell))?;
    let (first, last) = (trace.samples.first().ok_or("no samples")?, trace.samples.last().ok_or("no samples")?);
    let after_a_minute =
        trace.samples.iter().find(|sample| sample.t_s.as_secs_f64() >= 60.0).ok_or("no full minute")?;
    let completed = last.completed() - first.completed();
    let micros = (last.steep.cpu_s - first.steep.cpu_s) * 1e6 / completed as f64;
    let peak = trace.samples.iter().map(|sample| sample.steep.anon_bytes).max().unwrap_or_default();
    println!("CPU of all of steep: {micros:.1} us for each of {completed} requests");
    println!(
        "steep's own RssAnon: {} after a minute, {} at the end ({} s), {peak} at most",
        after_a_minute.steep.anon_bytes,
        last.steep.anon_bytes,
        last.t_s.as_secs_f64()
    );
    Ok(())
}
