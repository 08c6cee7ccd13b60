//! The allocator wrapper: passes every call on and books it in the ledger.

#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait; this module only forwards its calls")]

use std::alloc::{GlobalAlloc, Layout};

use crate::ledger;

/// An allocator that counts what the program asks of `A`.
///
/// It is meant to be the one `#[global_allocator]` of a program: all `Counted` of a process book into the same ledger.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counted<A>(A);

impl<A> Counted<A> {
    /// Wraps `allocator`.
    pub const fn new(allocator: A) -> Self {
        Self(allocator)
    }
}

// SAFETY: every call is answered by `A`, which keeps the contract; the ledger neither allocates nor panics nor touches
// the block.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counted<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are passed on unchanged.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            ledger::allocated(layout.size(), 1);
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are passed on unchanged. Not left to the default method, which
        // would write zeros over pages that `A` knows to be zero, and so make them resident.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            ledger::allocated(layout.size(), 1);
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ledger::freed(layout.size(), 1);
        // SAFETY: `block` came from `A` through this wrapper with this `layout`, as the caller promises.
        unsafe { self.0.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: `block` came from `A` through this wrapper with this `layout`, as the caller promises, as for
        // `new_size`.
        let moved = unsafe { self.0.realloc(block, layout, new_size) };
        if !moved.is_null() {
            // Only the difference is booked: the object lives on, and whether it moved is the allocator's own affair.
            if new_size >= layout.size() {
                ledger::allocated(new_size - layout.size(), 0);
            } else {
                ledger::freed(layout.size() - new_size, 0);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests;
