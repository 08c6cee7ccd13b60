//! The allocator of the program, chosen by feature, with the probe around whichever it is.

#[cfg(feature = "jemalloc")]
use tikv_jemallocator::Jemalloc as Chosen;

// The library refuses to compile with both; without this condition that clear message would be followed by unclear
// ones.
#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
use mimalloc::MiMalloc as Chosen;

#[cfg(not(any(feature = "jemalloc", feature = "mimalloc")))]
use std::alloc::System as Chosen;

#[cfg(not(feature = "probe"))]
#[global_allocator]
static ALLOCATOR: Chosen = Chosen;

#[cfg(feature = "probe")]
#[global_allocator]
static ALLOCATOR: steep_probe::Counted<Chosen> = steep_probe::Counted::new(Chosen);
