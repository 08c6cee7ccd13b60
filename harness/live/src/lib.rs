//! What an unmodified program keeps: counted and sampled inside of it by a library that is preloaded, in a file that is
//! read from outside, also after the program was killed.
//!
//! - [`LIBRARY`]: the library, to be written to a file and named in `LD_PRELOAD`.
//! - [`Counts`]: what all threads allocated and freed so far.
//! - [`Snapshot`]: the stacks with what each allocated, and which of the samples are alive, with their births.
//! - [`layout`]: where each figure stands in the file.
//!
//! The library writes a file only where `STEEP_LIVE_FOLDER` names a folder.

// Of it the reader needs what a sample stands for; the rest is the library's.
#[allow(dead_code)]
mod gaps;
pub mod layout;
mod reading;

// The safe half of the library, whose other half cannot be loaded into its own tests.
#[cfg(test)]
#[allow(dead_code, missing_docs, unreachable_pub, clippy::pedantic)]
#[path = "../preload/cells.rs"]
mod cells;
#[cfg(test)]
#[allow(dead_code, missing_docs, unreachable_pub, clippy::pedantic)]
#[path = "../preload/mappings.rs"]
mod mappings;
#[cfg(test)]
#[allow(dead_code, missing_docs, unreachable_pub, clippy::pedantic)]
#[path = "../preload/tables.rs"]
mod tables;
#[cfg(test)]
mod tests;

pub use reading::{Counts, LargeBlock, Mapping, NotRead, Snapshot, Stack, Survivor};

/// The library; empty where there is none for the target: it needs Linux with glibc, on x86-64 or aarch64.
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libsteep_live.so"));

/// The name of the library's file, which is its own as well (`DT_SONAME`): a program that was linked against it finds
/// the one that is preloaded.
pub const LIBRARY_FILE: &str = "libsteep_live.so";

/// Names the folder of the files. Without it the library does nothing.
pub const FOLDER_VARIABLE: &str = "STEEP_LIVE_FOLDER";

/// Mean bytes between two samples, [`layout::DEFAULT_SAMPLE_EVERY`] where it is not set; 0: nothing is sampled.
pub const SAMPLE_EVERY_VARIABLE: &str = "STEEP_LIVE_SAMPLE_EVERY";

/// Frames that are kept of a stack, [`layout::DEFAULT_DEPTH`] where it is not set.
pub const DEPTH_VARIABLE: &str = "STEEP_LIVE_DEPTH";

/// Whether sampled calls of the allocator are timed: a number above 0.
pub const TIMES_VARIABLE: &str = "STEEP_LIVE_TIMES";

/// The process whose file has this name.
#[must_use]
pub fn pid_of(name: &str) -> Option<u32> {
    name.strip_suffix(".live")?.parse().ok()
}

/// The name of the file of a process, in the folder.
#[must_use]
pub fn file_name(pid: u32) -> String {
    format!("{pid:010}.live")
}
