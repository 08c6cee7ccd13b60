use std::alloc::System;
use std::ptr;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use super::*;
use crate::{Counts, snapshot};

// Not installed as the global allocator: so only the calls made here are booked, and sums come out exact.
static COUNTED: Counted<System> = Counted::new(System);

/// The ledger is one per process, and tests run in parallel.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn counts() -> Counts {
    snapshot().counts.expect("something was allocated before")
}

/// A block that may be freed by another thread; dropped without [`Block::free`], it leaks.
struct Block(*mut u8, Layout);

// SAFETY: the block is plain memory that nobody else refers to.
unsafe impl Send for Block {}

impl Block {
    fn of(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes, 8).expect("a small layout");
        // SAFETY: tests ask for at least one byte.
        Self(unsafe { COUNTED.alloc(layout) }, layout)
    }

    fn resized(self, bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes, 8).expect("a small layout");
        // SAFETY: the block is from `COUNTED` with this layout, and consumed here.
        Self(unsafe { COUNTED.realloc(self.0, self.1, bytes) }, layout)
    }

    fn free(self) {
        // SAFETY: the block is from `COUNTED` with this layout, and consumed here.
        unsafe { COUNTED.dealloc(self.0, self.1) }
    }
}

#[test]
fn a_resized_block_stays_one_object_of_its_new_size() {
    let _turn = alone();
    let anchor = Block::of(1);
    let before = counts();
    let block = Block::of(100).resized(1_000).resized(40);
    let during = counts();
    block.free();
    let after = counts();
    anchor.free();

    assert_eq!(during.live_bytes, before.live_bytes + 40);
    assert_eq!(during.live_objects, before.live_objects + 1);
    assert_eq!(during.allocated_bytes_total, before.allocated_bytes_total + 1_000);
    assert_eq!(during.freed_bytes_total, before.freed_bytes_total + 960);
    assert_eq!((after.live_bytes, after.live_objects), (before.live_bytes, before.live_objects));
}

#[test]
fn an_allocation_that_fails_is_not_counted() {
    struct Exhausted;
    // SAFETY: null is always a permitted answer, so there is never a block to free.
    unsafe impl GlobalAlloc for Exhausted {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            ptr::null_mut()
        }
        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    let _turn = alone();
    let anchor = Block::of(1);
    let before = counts();
    let layout = Layout::new::<u64>();
    // SAFETY: the layout is not of size zero.
    let blocks = unsafe { [Counted::new(Exhausted).alloc(layout), Counted::new(Exhausted).alloc_zeroed(layout)] };

    assert!(blocks.iter().all(|block| block.is_null()));
    assert_eq!(counts(), before);
    anchor.free();
}

#[test]
fn blocks_freed_by_other_threads_leave_an_exact_sum() {
    const PAIRS: usize = 8;
    const BLOCKS: usize = 20_000;

    let _turn = alone();
    let anchor = Block::of(1);
    let before = counts();
    thread::scope(|scope| {
        for pair in 0..PAIRS {
            let (send, receive) = mpsc::sync_channel(64);
            scope.spawn(move || (1..=BLOCKS).try_for_each(|bytes| send.send(Block::of(bytes % 97 + pair + 1))));
            scope.spawn(move || {
                for block in receive.iter().skip(1) {
                    block.free();
                }
            });
        }
    });
    let after = counts();
    anchor.free();

    // `skip(1)` drops the first block of each pair without freeing it: 1 % 97 + pair + 1 bytes.
    let kept: usize = (0..PAIRS).map(|pair| pair + 2).sum();
    assert_eq!(after.live_bytes - before.live_bytes, kept as u64);
    assert_eq!(after.live_objects - before.live_objects, PAIRS as u64);
}

#[test]
fn the_live_count_never_goes_negative_while_threads_hand_blocks_over() {
    let _turn = alone();
    let anchor = Block::of(1);
    let before = counts().live_bytes;
    let (send, receive) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || (0..20_000).try_for_each(|_| send.send(Block::of(1_000))));
        let freeing = scope.spawn(move || receive.iter().for_each(Block::free));
        while !freeing.is_finished() {
            assert!(counts().live_bytes >= before);
        }
    });
    assert_eq!(counts().live_bytes, before);
    anchor.free();
}

#[test]
fn more_threads_at_once_than_cells_are_counted_too() {
    const THREADS: usize = ledger::CELLS + 50;

    let _turn = alone();
    let anchor = Block::of(1);
    let before = counts();
    let all_hold_a_block = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            thread::Builder::new()
                .stack_size(64 * 1024)
                .spawn_scoped(scope, || {
                    let block = Block::of(100);
                    all_hold_a_block.wait();
                    block.free();
                    let _leaked = Block::of(3);
                })
                .expect("a small thread");
        }
    });
    let after = counts();
    anchor.free();

    assert_eq!(after.live_bytes - before.live_bytes, 3 * THREADS as u64);
    assert_eq!(after.allocated_bytes_total - before.allocated_bytes_total, 103 * THREADS as u64);
}

#[test]
fn threads_that_come_and_go_hand_their_cells_on() {
    let _turn = alone();
    let anchor = Block::of(1);
    let before = counts();
    for _ in 0..2 * ledger::CELLS {
        thread::spawn(|| {
            let _leaked = Block::of(5);
        })
        .join()
        .expect("the thread ends well");
    }
    let after = counts();
    anchor.free();

    assert_eq!(after.live_bytes - before.live_bytes, 10 * ledger::CELLS as u64);
    assert!(ledger::claimed_cells() < ledger::CELLS, "cells of finished threads are claimed for good");
}

#[test]
fn allocations_while_a_thread_is_torn_down_are_counted() {
    struct LastWords;
    impl Drop for LastWords {
        fn drop(&mut self) {
            let _leaked = Block::of(11);
        }
    }
    thread_local! {
        static LAST_WORDS: LastWords = const { LastWords };
    }

    let _turn = alone();
    let anchor = Block::of(1);
    let before = counts();
    for first_used_before_the_cell in [true, false] {
        thread::spawn(move || {
            if first_used_before_the_cell {
                LAST_WORDS.with(|_| ());
            }
            Block::of(1).free();
            LAST_WORDS.with(|_| ());
        })
        .join()
        .expect("the thread ends well");
    }
    let after = counts();
    anchor.free();

    assert_eq!(after.live_bytes - before.live_bytes, 22);
}
