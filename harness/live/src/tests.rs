//! The tables as the library writes them, also from many threads at once.

use std::sync::atomic::Ordering;
use std::thread;

use proptest::prelude::*;

use crate::layout::{CELLS, FILE_BYTES, LARGE, SAMPLES, mixed};
use crate::mappings::Mappings;
use crate::tables::File;

/// A file of its own for each test. It is zeros until it is written, so none of it takes memory before.
macro_rules! empty_file {
    ($every:expr) => {{
        static FILE: File = File::new();
        FILE.sample_every.store($every, Ordering::Relaxed);
        FILE.begin_samples(&FILE.shared, 1);
        &FILE
    }};
}

/// Threads and blocks of a test, fewer where an interpreter looks for undefined behaviour.
const THREADS: u64 = if cfg!(miri) { 3 } else { 64 };
const BLOCKS: u64 = if cfg!(miri) { 40 } else { 1_000 };

#[test]
fn counts_of_many_threads_are_exact_and_samples_go_with_their_blocks() {
    let file = empty_file!(64);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let cell = file.take_cell(thread).expect("a cell for each");
                for block in 0..BLOCKS {
                    let address = ((thread * BLOCKS + block) as usize + 1) << 4;
                    let size = mixed(block) % 256;
                    if cell.allocated(size) {
                        let frames = [thread as usize, (block % 7) as usize];
                        file.remember(address, size, file.stack(&frames, block), block);
                        file.begin_gap(cell);
                    }
                    // Every fourth block is kept.
                    if block % 4 != 0 {
                        cell.freed(size);
                        _ = file.forget(address);
                    }
                }
                cell.give_back();
            });
        }
    });
    let kept = (0..BLOCKS).filter(|block| block % 4 == 0);
    let bytes: u64 = kept.clone().map(|block| mixed(block) % 256).sum();
    assert_eq!(file.live(), (THREADS * kept.count() as u64, THREADS * bytes));
    let (alive, lost_samples, lost_stacks) = file.sampled();
    assert_eq!((lost_samples, lost_stacks), (0, 0));
    // Of a block of mean 128 bytes, one in 64 of whose bytes is chosen, most are sampled.
    assert!(alive as u64 > THREADS * BLOCKS / 4 / 2, "{alive}");
}

#[test]
fn blocks_that_are_freed_by_another_thread_leave_nothing() {
    let file = empty_file!(1);
    let (send, receive) = std::sync::mpsc::sync_channel(16);
    thread::scope(|scope| {
        scope.spawn(move || {
            let cell = file.take_cell(1).expect("a cell");
            for block in 1..=BLOCKS as usize {
                assert!(cell.allocated(100), "each is sampled");
                file.remember(block << 4, 100, file.stack(&[block % 50], 0), 0);
                file.begin_gap(cell);
                send.send(block << 4).expect("the other thread listens");
            }
        });
        scope.spawn(move || {
            let cell = file.take_cell(2).expect("a cell");
            for address in receive {
                cell.freed(100);
                _ = file.forget(address);
            }
        });
    });
    assert_eq!(file.live(), (0, 0));
    assert_eq!(file.sampled(), (0, 0, 0));
}

#[test]
fn cells_are_used_again_and_when_all_are_taken_there_is_none() {
    let file = empty_file!(0);
    let cells: Vec<_> = (0..CELLS).map_while(|_| file.take_cell(1)).collect();
    assert_eq!(cells.len(), CELLS);
    assert!(file.take_cell(1).is_none() && file.take_cell(1).is_none());
    cells[5].allocated(10);
    cells[5].give_back();
    let again = file.take_cell(1).expect("the one that was given back");
    again.allocated(20);
    file.shared.take_over(again);
    assert!(file.take_cell(1).is_none());
    // What the first thread counted is still there.
    assert_eq!(file.live(), (4, 60), "two objects of 30 bytes in the cell, and what was taken over from it");
}

#[test]
fn a_full_table_counts_what_it_loses() {
    let file = empty_file!(1);
    let stack = file.stack(&[1], 0);
    let blocks = 2 * SAMPLES;
    for block in 1..=blocks {
        file.remember(block << 4, 8, stack, 0);
    }
    let (alive, lost, _) = file.sampled();
    assert_eq!(alive as u64 + lost, blocks as u64);
    (1..=blocks).for_each(|block| _ = file.forget(block << 4));
    assert_eq!(file.sampled().0, 0, "what was remembered is forgotten");
}

#[test]
fn large_blocks_are_known_until_they_end_and_a_child_has_them() {
    let (file, child) = (empty_file!(0), empty_file!(0));
    let blocks = if cfg!(miri) { 20 } else { 1_000 };
    (1..=blocks).for_each(|block| file.large_begins((block << 12) + 16, 1 << 18));
    (1..blocks).for_each(|block| file.large_ends((block << 12) + 16));
    file.large_ends(7 << 12);
    child.take_over(file);
    assert_eq!(child.large(), [((blocks << 12) + 16, 1 << 18)]);
    // Where there is no room they are forgotten, and nobody waits.
    (1..=2 * LARGE).for_each(|block| file.large_begins((block << 12) + 16, 1));
    assert!(file.large().len() <= LARGE);
}

/// A day of the clock of a service that is as large as what is sampled allows (a quarter of the table, as steep chooses
/// the rate by the memory limit) and turns all of it over, by 2,000 different stacks, six samples a second.
#[test]
fn a_day_loses_no_sample_and_the_file_is_as_large_as_before() {
    const SECONDS: u64 = if cfg!(miri) { 1 } else { 24 * 3_600 };
    const A_SECOND: u64 = 6;
    const ALIVE: u64 = SAMPLES as u64 / 4;
    let file = empty_file!(1 << 16);
    let address = |number: u64| ((mixed(number) >> 20) as usize) << 4;
    for number in 0..SECONDS * A_SECOND {
        let now = number * (1_000_000_000 / A_SECOND);
        let stack = mixed(number % 2_000);
        let frames = [stack as usize, (stack >> 7) as usize, 4096];
        file.remember(address(number), 200 + number % 3_000, file.stack(&frames, now), now);
        if let Some(old) = number.checked_sub(ALIVE) {
            assert!(file.forget(address(old)).is_some() || cfg!(miri), "it was there");
        }
    }
    let (alive, lost_samples, lost_stacks) = file.sampled();
    assert_eq!((lost_samples, lost_stacks), (0, 0));
    assert_eq!(alive as u64, ALIVE.min(SECONDS * A_SECOND));
    const { assert!(FILE_BYTES < 32 << 20) };
}

proptest! {
    /// Against a set of pages.
    #[test]
    fn mappings_are_the_pages_that_are_held(steps in prop::collection::vec((0_usize..40, 1_usize..12, any::<bool>()), 1..60)) {
        let mappings = Box::new(Mappings::new());
        let mut pages = std::collections::BTreeSet::new();
        for (start, length, is_kept) in steps {
            let before = pages.len();
            for page in start..start + length {
                if is_kept { pages.insert(page) } else { pages.remove(&page) };
            }
            prop_assert_eq!(mappings.change(start << 12, (start + length) << 12, is_kept), Some((pages.len().cast_signed() - before.cast_signed()) as i64 * 4096));
        }
    }
}
