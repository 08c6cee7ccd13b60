//! Counters of a thread, as they are written: see `tables` for why their orders are right.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::layout as at;

/// What a thread counted, and where it samples next.
#[repr(C, align(64))]
pub struct Cell {
    pub allocated_objects: AtomicU64,
    pub allocated_bytes: AtomicU64,
    pub freed_objects: AtomicU64,
    pub freed_bytes: AtomicU64,
    pub sample_at: AtomicU64,
    pub random: AtomicU64,
    taken: AtomicU64,
}

// The reader finds everything by the figures of `layout`.
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Cell>() == at::CELL_BYTES && offset_of!(Cell, allocated_objects) == at::ALLOCATED_OBJECTS);
    assert!(offset_of!(Cell, allocated_bytes) == at::ALLOCATED_BYTES);
    assert!(offset_of!(Cell, freed_objects) == at::FREED_OBJECTS && offset_of!(Cell, freed_bytes) == at::FREED_BYTES);
};

/// As many bytes as no program allocates.
pub const OUT_OF_REACH: u64 = u64::MAX;

/// Adds in a cell that only this thread writes.
#[inline(always)]
fn add(to: &AtomicU64, what: u64) -> u64 {
    let sum = to.load(Ordering::Relaxed).wrapping_add(what);
    to.store(sum, Ordering::Relaxed);
    sum
}

impl Cell {
    pub const fn new() -> Self {
        Self {
            allocated_objects: AtomicU64::new(0),
            allocated_bytes: AtomicU64::new(0),
            freed_objects: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            sample_at: AtomicU64::new(OUT_OF_REACH),
            random: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Counts a block, in the thread that has the cell: whether it is to be sampled.
    #[inline(always)]
    pub fn allocated(&self, size: u64) -> bool {
        add(&self.allocated_objects, 1);
        add(&self.allocated_bytes, size) >= self.sample_at.load(Ordering::Relaxed)
    }

    /// Whether a block of `asked` bytes may be one to be sampled, before it is there: glibc gives at most so much more.
    #[inline(always)]
    pub fn may_sample(&self, asked: u64) -> bool {
        const MORE: u64 = 24;
        let bytes = self.allocated_bytes.load(Ordering::Relaxed);
        bytes.wrapping_add(asked).wrapping_add(MORE) >= self.sample_at.load(Ordering::Relaxed)
    }

    /// Counts a block that is freed, in the thread that has the cell.
    #[inline(always)]
    pub fn freed(&self, size: u64) {
        add(&self.freed_objects, 1);
        add(&self.freed_bytes, size);
    }

    /// Counts a block in a cell that other threads use as well: whether this thread is to sample it.
    pub fn allocated_by_one_of_many(&self, size: u64) -> bool {
        self.allocated_objects.fetch_add(1, Ordering::Relaxed);
        let bytes = self.allocated_bytes.fetch_add(size, Ordering::Relaxed) + size;
        bytes >= self.sample_at.load(Ordering::Relaxed)
            && self.sample_at.swap(OUT_OF_REACH, Ordering::Relaxed) != OUT_OF_REACH
    }

    /// Counts a block that is freed in a cell that other threads use as well.
    pub fn freed_by_one_of_many(&self, size: u64) {
        self.freed_objects.fetch_add(1, Ordering::Relaxed);
        self.freed_bytes.fetch_add(size, Ordering::Relaxed);
    }

    /// Nothing is sampled until [`File::begin_gap`].
    pub fn hold_samples(&self) {
        self.sample_at.store(OUT_OF_REACH, Ordering::Relaxed);
    }

    /// The thread that had it has ended.
    pub fn give_back(&self) {
        self.taken.store(0, Ordering::Release);
    }

    pub fn take(&self) -> bool {
        self.taken.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Adds what `other` counted.
    pub fn take_over(&self, other: &Cell) {
        let pairs = [
            (&self.allocated_objects, &other.allocated_objects),
            (&self.allocated_bytes, &other.allocated_bytes),
            (&self.freed_objects, &other.freed_objects),
            (&self.freed_bytes, &other.freed_bytes),
        ];
        for (to, from) in pairs {
            to.fetch_add(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}
