//! What was allocated and freed, summed over threads without making them meet.
//!
//! A shared atomic costs a service 12–15 % of its CPU; so each thread writes a [`Cell`] of its own with plain loads and
//! stores, and the reader sums. A cell outlives its thread and keeps its counts, so nothing is lost at thread exit and
//! the next thread goes on counting where the last one stopped. Blocks are often freed by another thread than the one
//! that took them: single cells mean nothing, only the sum does.
//!
//! Nothing here allocates, waits or panics: it runs inside the allocator, also while threads are being torn down.

use std::cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many threads count without an atomic addition; those beyond share one cell. 32 KiB of zero pages, resident only
/// where used.
pub(crate) const CELLS: usize = 256;

static CELL: [Cell; CELLS] = [const { Cell::new() }; CELLS];
static SHARED: Cell = Cell::new();

/// The counts of one thread at a time. 128 bytes: processors fetch cache lines in pairs.
#[repr(align(128))]
struct Cell {
    allocated: Tally,
    freed: Tally,
    claimed: AtomicBool,
}

/// Bytes and objects that went one way. Both only grow, wrapping after 16 EiB.
struct Tally {
    bytes: AtomicU64,
    objects: AtomicU64,
}

/// Where this thread counts.
#[derive(Clone, Copy)]
enum Place {
    Unclaimed,
    Own(&'static Cell),
    Shared,
}

/// Gives the cell back when the thread ends.
struct Lease(cell::Cell<Option<&'static Cell>>);

thread_local! {
    // Two variables, because only one without a destructor is read without a check of its state. Neither allocates with
    // the global allocator: they are initialised by constants, and the standard library takes its own room for them
    // from the system.
    static PLACE: cell::Cell<Place> = const { cell::Cell::new(Place::Unclaimed) };
    static LEASE: Lease = const { Lease(cell::Cell::new(None)) };
}

#[inline]
pub(crate) fn allocated(bytes: usize, objects: u64) {
    match place() {
        Place::Own(cell) => cell.allocated.add_alone(bytes as u64, objects),
        Place::Unclaimed | Place::Shared => SHARED.allocated.add(bytes as u64, objects),
    }
}

#[inline]
pub(crate) fn freed(bytes: usize, objects: u64) {
    match place() {
        Place::Own(cell) => cell.freed.add_alone(bytes as u64, objects),
        Place::Unclaimed | Place::Shared => SHARED.freed.add(bytes as u64, objects),
    }
}

/// Sums over all threads: allocated and freed (bytes, objects).
///
/// Frees are read first. Whoever frees a block knows of its allocation, and both are published in that order; so no
/// free is ever counted without its allocation, and the difference never dips below zero, even while all threads are at
/// work.
pub(crate) fn totals() -> ((u64, u64), (u64, u64)) {
    let freed = sum(|cell| &cell.freed);
    let allocated = sum(|cell| &cell.allocated);
    (allocated, freed)
}

fn sum(tally: impl Fn(&'static Cell) -> &'static Tally) -> (u64, u64) {
    CELL.iter().chain([&SHARED]).map(tally).fold((0, 0), |(bytes, objects), tally| {
        (
            bytes.wrapping_add(tally.bytes.load(Ordering::Acquire)),
            objects.wrapping_add(tally.objects.load(Ordering::Acquire)),
        )
    })
}

#[inline]
fn place() -> Place {
    match PLACE.try_with(cell::Cell::get) {
        Ok(Place::Unclaimed) => claim(),
        Ok(place) => place,
        Err(_) => Place::Shared,
    }
}

/// Finds this thread a cell of its own, once in its life.
#[cold]
fn claim() -> Place {
    // Should anything below allocate after all, it is counted in the shared cell and does not come here again.
    PLACE.set(Place::Shared);
    let place = LEASE
        .try_with(|lease| {
            let cell = CELL.iter().find(|cell| cell.claim())?;
            lease.0.set(Some(cell));
            Some(Place::Own(cell))
        })
        .ok() // The thread is being torn down: nobody would give the cell back.
        .flatten()
        .unwrap_or(Place::Shared);
    PLACE.set(place);
    place
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Other thread-locals may still allocate in their own destructors.
        let _ = PLACE.try_with(|place| place.set(Place::Shared));
        if let Some(cell) = self.0.take() {
            cell.claimed.store(false, Ordering::Release);
        }
    }
}

impl Cell {
    const fn new() -> Self {
        Self { allocated: Tally::new(), freed: Tally::new(), claimed: AtomicBool::new(false) }
    }

    /// Acquire, so that the counts of the thread before are seen and built upon.
    fn claim(&self) -> bool {
        !self.claimed.load(Ordering::Relaxed) && !self.claimed.swap(true, Ordering::Acquire)
    }
}

impl Tally {
    const fn new() -> Self {
        Self { bytes: AtomicU64::new(0), objects: AtomicU64::new(0) }
    }

    /// For the one thread that writes here. Release costs nothing on x86-64 and little elsewhere; see [`totals`] for
    /// what it buys.
    #[inline]
    fn add_alone(&self, bytes: u64, objects: u64) {
        self.bytes.store(self.bytes.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Release);
        self.objects.store(self.objects.load(Ordering::Relaxed).wrapping_add(objects), Ordering::Release);
    }

    fn add(&self, bytes: u64, objects: u64) {
        self.bytes.fetch_add(bytes, Ordering::Release);
        self.objects.fetch_add(objects, Ordering::Release);
    }
}

#[cfg(test)]
pub(crate) fn claimed_cells() -> usize {
    CELL.iter().filter(|cell| cell.claimed.load(Ordering::Relaxed)).count()
}
