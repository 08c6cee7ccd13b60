//! What the program maps for itself outside the allocator: anonymous memory that it may write.
//!
//! A table of stretches, with a lock that is tried and not waited for: a mapping that meets a taken lock is not
//! followed, and counted as lost.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Stretches that are followed.
const STRETCHES: usize = crate::layout::STRETCHES;

/// Tries to get the lock before a mapping is given up.
const TRIES: u32 = 1_000;

#[repr(C)]
struct Stretch {
    start: AtomicUsize,
    end: AtomicUsize,
}

/// The stretches.
#[repr(C, align(64))]
pub struct Mappings {
    lock: AtomicU32,
    used: AtomicUsize,
    stretches: [Stretch; STRETCHES],
}

impl Mappings {
    pub const fn new() -> Self {
        Self {
            lock: AtomicU32::new(0),
            used: AtomicUsize::new(0),
            stretches: [const { Stretch { start: AtomicUsize::new(0), end: AtomicUsize::new(0) } }; STRETCHES],
        }
    }

    /// In a child after `fork`: who held the lock is not here.
    pub fn unlock(&self) {
        self.lock.store(0, Ordering::Release);
    }

    /// Whether there ever was any.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) > 0
    }

    /// Takes over the stretches of `parent`, all of which are mapped in a child as well.
    pub fn take_over(&self, parent: &Mappings) {
        let used = parent.used.load(Ordering::Relaxed);
        for (own, of_parent) in self.stretches.iter().zip(&parent.stretches).take(used) {
            own.start.store(of_parent.start.load(Ordering::Relaxed), Ordering::Relaxed);
            own.end.store(of_parent.end.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.used.store(used, Ordering::Relaxed);
    }

    /// How much more is mapped after `start..end` was mapped anew (`is_kept`) or let go. None where it is not known.
    pub fn change(&self, start: usize, end: usize, is_kept: bool) -> Option<i64> {
        let free = || self.lock.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !(0..TRIES).any(|_| free()) {
            return None;
        }
        let removed = self.remove(start, end);
        let added = if is_kept { self.add(start, end) } else { Some(0) };
        self.unlock();
        Some(added? - removed?)
    }

    fn remove(&self, start: usize, end: usize) -> Option<i64> {
        let mut removed = 0;
        let mut is_known = true;
        for stretch in self.stretches.iter().take(self.used.load(Ordering::Relaxed)) {
            let (from, to) = (stretch.start.load(Ordering::Relaxed), stretch.end.load(Ordering::Relaxed));
            let (cut_from, cut_to) = (from.max(start), to.min(end));
            if cut_from >= cut_to {
                continue;
            }
            removed += (cut_to - cut_from) as i64;
            // What is left before the cut stays here, what is left behind it gets a place of its own.
            let (rest_from, rest_to) = if cut_from > from { (from, cut_from) } else { (cut_to, to) };
            stretch.start.store(rest_from, Ordering::Relaxed);
            stretch.end.store(rest_to, Ordering::Relaxed);
            if cut_from > from && cut_to < to {
                is_known &= self.add(cut_to, to).is_some();
            }
        }
        is_known.then_some(removed)
    }

    fn add(&self, start: usize, end: usize) -> Option<i64> {
        let used = self.used.load(Ordering::Relaxed);
        let is_free = |stretch: &&Stretch| stretch.start.load(Ordering::Relaxed) >= stretch.end.load(Ordering::Relaxed);
        let place = self.stretches.iter().take(used).find(is_free).or_else(|| {
            let new = self.stretches.get(used)?;
            self.used.store(used + 1, Ordering::Relaxed);
            Some(new)
        })?;
        place.start.store(start, Ordering::Relaxed);
        place.end.store(end, Ordering::Relaxed);
        Some((end - start) as i64)
    }
}

const _: () = {
    use crate::layout as at;
    use core::mem::offset_of;
    assert!(size_of::<Mappings>() == at::MAPPINGS_BYTES && size_of::<Stretch>() == at::STRETCH_BYTES);
    assert!(offset_of!(Mappings, stretches) == at::STRETCHES_IN_MAPPINGS);
    assert!(offset_of!(Stretch, start) == at::STRETCH_START && offset_of!(Stretch, end) == at::STRETCH_END);
};
