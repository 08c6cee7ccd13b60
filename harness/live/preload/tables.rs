//! The tables in the file of a process, as they are written: safe code on atomics. Why its orders are right:
//!
//! - **Cells.** A cell has one writer, the thread that took it by compare and swap; it adds by load and store. The cell
//!   in the header has many writers and is added to atomically. A reader is another process: it sees each number whole.
//! - **Samples.** Between `malloc` and `free` an address has one owner. The owner enters the sample before `malloc`
//!   returns and takes it out before the address is passed on, so no two threads work on one address. An empty place is
//!   taken by compare and swap; the address is stored last and cleared first; a check shows a sample that is torn.
//! - **Stacks** are only added. Two threads that add the same one at once may add it twice: a reader adds up by frames.
//!
//! Miri runs the tests of this file, of the cells, the mappings and the arithmetic (`just miri`), in tables of some
//! hundred entries: it looks for data races and undefined behaviour in orders that it chooses itself. The unsafe half
//! it cannot run: that calls the C library, the unwinder and the loader, and is written in part for one machine.

use core::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::cells::{Cell, OUT_OF_REACH};
use crate::gaps;
use crate::layout as at;
use crate::mappings::Mappings;

#[repr(C)]
struct Sample {
    address: AtomicUsize,
    size: AtomicU64,
    stack: AtomicU32,
    birth: AtomicU32,
    check: AtomicU64,
}

#[repr(C)]
struct Stack {
    allocated_bytes: AtomicU64,
    allocated_objects: AtomicU64,
    freed_bytes: AtomicU64,
    freed_objects: AtomicU64,
    samples: AtomicU64,
    depth: AtomicU32,
    first: AtomicU32,
    allocating_ns: AtomicU64,
    timed_objects: AtomicU64,
    freeing_ns: AtomicU64,
    timed_frees: AtomicU64,
    frames: [AtomicUsize; at::FRAMES_MAX],
}

#[repr(C)]
struct Large {
    address: AtomicUsize,
    size: AtomicU64,
}

#[repr(C)]
pub struct File {
    pub magic: AtomicU64,
    pub version: AtomicU32,
    pub pid: AtomicU32,
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub start: AtomicU64,
    pub sample_every: AtomicU64,
    pub depth: AtomicU32,
    pub flags: AtomicU32,
    cells_used: AtomicU32,
    stacks_used: AtomicU32,
    lost_samples: AtomicU64,
    lost_stacks: AtomicU64,
    /// The cell of all threads that have none of their own.
    pub shared: Cell,
    pub mapped_bytes: AtomicI64,
    pub lost_mappings: AtomicU64,
    pub break_bytes: AtomicI64,
    rest_of_header: [u8; at::HEADER_BYTES - at::BREAK_BYTES_AT - 8],
    cells: [Cell; at::CELLS],
    filter: [AtomicU8; at::FILTER_BYTES],
    samples: [Sample; at::SAMPLES],
    index: [AtomicU32; at::INDEX],
    stacks: [Stack; at::STACKS],
    large: [Large; at::LARGE],
    /// What an allocator behind this library, or linked into the program, has mapped for itself.
    pub of_allocator: Mappings,
}

// The reader finds everything by the figures of `layout`.
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<File>() == at::FILE_BYTES && offset_of!(File, stacks) == at::STACKS_AT);
    assert!(offset_of!(File, cells) == at::CELLS_AT && offset_of!(File, filter) == at::FILTER_AT);
    assert!(offset_of!(File, samples) == at::SAMPLES_AT && offset_of!(File, index) == at::INDEX_AT);
    assert!(offset_of!(File, magic) == at::MAGIC_AT && offset_of!(File, version) == at::VERSION_AT);
    assert!(offset_of!(File, pid) == at::PID_AT && offset_of!(File, start) == at::START_AT);
    assert!(offset_of!(File, sample_every) == at::SAMPLE_EVERY_AT && offset_of!(File, depth) == at::DEPTH_AT);
    assert!(offset_of!(File, flags) == at::FLAGS_AT && offset_of!(File, cells_used) == at::CELLS_USED_AT);
    assert!(offset_of!(File, stacks_used) == at::STACKS_USED_AT);
    assert!(offset_of!(File, lost_samples) == at::LOST_SAMPLES_AT);
    assert!(offset_of!(File, lost_stacks) == at::LOST_STACKS_AT && offset_of!(File, shared) == at::SHARED_CELL_AT);
    assert!(offset_of!(File, mapped_bytes) == at::MAPPED_BYTES_AT);
    assert!(offset_of!(File, lost_mappings) == at::LOST_MAPPINGS_AT);
    assert!(offset_of!(File, break_bytes) == at::BREAK_BYTES_AT && offset_of!(File, large) == at::LARGE_AT);
    assert!(size_of::<Large>() == at::LARGE_BYTES && offset_of!(Large, address) == at::LARGE_ADDRESS);
    assert!(offset_of!(Large, size) == at::LARGE_SIZE && offset_of!(File, of_allocator) == at::MAPPINGS_AT);
    assert!(size_of::<Sample>() == at::SAMPLE_BYTES && offset_of!(Sample, address) == at::SAMPLE_ADDRESS);
    assert!(offset_of!(Sample, size) == at::SAMPLE_SIZE && offset_of!(Sample, stack) == at::SAMPLE_STACK);
    assert!(offset_of!(Sample, birth) == at::SAMPLE_BIRTH && offset_of!(Sample, check) == at::SAMPLE_CHECK);
    assert!(size_of::<Stack>() == at::STACK_BYTES && offset_of!(Stack, frames) == at::STACK_FRAMES);
    assert!(offset_of!(Stack, allocated_bytes) == at::STACK_ALLOCATED_BYTES);
    assert!(offset_of!(Stack, allocated_objects) == at::STACK_ALLOCATED_OBJECTS);
    assert!(offset_of!(Stack, freed_bytes) == at::STACK_FREED_BYTES);
    assert!(offset_of!(Stack, freed_objects) == at::STACK_FREED_OBJECTS);
    assert!(offset_of!(Stack, samples) == at::STACK_SAMPLES && offset_of!(Stack, depth) == at::STACK_DEPTH);
    assert!(offset_of!(Stack, first) == at::STACK_FIRST && offset_of!(Stack, freeing_ns) == at::STACK_FREEING_NS);
    assert!(offset_of!(Stack, allocating_ns) == at::STACK_ALLOCATING_NS);
    assert!(offset_of!(Stack, timed_objects) == at::STACK_TIMED_OBJECTS);
    assert!(offset_of!(Stack, timed_frees) == at::STACK_TIMED_FREES);
};

/// An entry of the index that leads to no stack yet.
const BEING_WRITTEN: u32 = u32::MAX;

/// An address that no block has: the sample is being written.
const NO_ADDRESS: usize = 1;

/// Where an address stands in the filter.
#[inline(always)]
fn place(address: usize) -> usize {
    (spread(address) >> (u64::BITS - at::FILTER_BYTES.ilog2())) as usize
}

/// Where its window in the samples begins.
fn home(address: usize) -> usize {
    (spread(address) >> (u64::BITS - at::SAMPLES.ilog2())) as usize
}
const _: () = assert!(at::FILTER_BYTES.is_power_of_two() && at::SAMPLES.is_power_of_two());

#[inline(always)]
fn spread(address: usize) -> u64 {
    (address as u64 >> 4).wrapping_mul(at::STEP)
}

impl File {
    /// An empty file, for tests: elsewhere it is what the kernel maps, which is zeros.
    #[cfg(test)]
    pub const fn new() -> Self {
        Self {
            magic: AtomicU64::new(0),
            version: AtomicU32::new(0),
            pid: AtomicU32::new(0),
            start: AtomicU64::new(0),
            sample_every: AtomicU64::new(0),
            depth: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            cells_used: AtomicU32::new(0),
            stacks_used: AtomicU32::new(0),
            lost_samples: AtomicU64::new(0),
            lost_stacks: AtomicU64::new(0),
            shared: Cell::new(),
            mapped_bytes: AtomicI64::new(0),
            lost_mappings: AtomicU64::new(0),
            break_bytes: AtomicI64::new(0),
            rest_of_header: [0; at::HEADER_BYTES - at::BREAK_BYTES_AT - 8],
            cells: [const { Cell::new() }; at::CELLS],
            filter: [const { AtomicU8::new(0) }; at::FILTER_BYTES],
            samples: [const { Sample::new() }; at::SAMPLES],
            index: [const { AtomicU32::new(0) }; at::INDEX],
            stacks: [const { Stack::new() }; at::STACKS],
            large: [const { Large { address: AtomicUsize::new(0), size: AtomicU64::new(0) } }; at::LARGE],
            of_allocator: Mappings::new(),
        }
    }

    /// What is alive by the samples, and what was lost.
    #[cfg(test)]
    pub fn sampled(&self) -> (usize, u64, u64) {
        let alive = self.samples.iter().filter(|sample| sample.address.load(Ordering::Acquire) > NO_ADDRESS);
        (alive.count(), self.lost_samples.load(Ordering::Relaxed), self.lost_stacks.load(Ordering::Relaxed))
    }

    /// Large blocks that are alive.
    #[cfg(test)]
    pub fn large(&self) -> Vec<(usize, u64)> {
        let all =
            self.large.iter().map(|large| (large.address.load(Ordering::Relaxed), large.size.load(Ordering::Relaxed)));
        all.filter(|(address, _)| *address > NO_ADDRESS).collect()
    }

    /// Objects and bytes that are alive by the counters.
    #[cfg(test)]
    pub fn live(&self) -> (u64, u64) {
        let sum = Cell::new();
        self.cells.iter().chain([&self.shared]).for_each(|cell| sum.take_over(cell));
        let of = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        (of(&sum.allocated_objects) - of(&sum.freed_objects), of(&sum.allocated_bytes) - of(&sum.freed_bytes))
    }

    /// Begins to count.
    pub fn begin(&self, pid: u32, now: u64, every: u64, depth: u32, flags: u32) {
        self.pid.store(pid, Ordering::Relaxed);
        self.start.store(now, Ordering::Relaxed);
        self.sample_every.store(every, Ordering::Relaxed);
        self.depth.store(depth, Ordering::Relaxed);
        self.flags.store(flags, Ordering::Relaxed);
        self.begin_samples(&self.shared, now);
        self.version.store(at::VERSION, Ordering::Relaxed);
        self.magic.store(at::MAGIC, Ordering::Release);
    }

    /// A cell for a thread, unless all are taken.
    pub fn take_cell(&self, now: u64) -> Option<&Cell> {
        let used = (self.cells_used.load(Ordering::Relaxed) as usize).min(at::CELLS);
        let cell = self.cells.iter().take(used).find(|cell| cell.take()).or_else(|| {
            let new = self.cells_used.fetch_add(1, Ordering::Relaxed) as usize;
            if new >= at::CELLS {
                self.cells_used.store(at::CELLS as u32, Ordering::Relaxed);
            }
            self.cells.get(new).filter(|cell| cell.take())
        })?;
        self.begin_samples(cell, now);
        Some(cell)
    }

    /// Enters a block that is a mapping of its own. One for which there is no room counts as what the program maps for
    /// itself.
    pub fn large_begins(&self, address: usize, size: u64) {
        let free = |large: &&Large| {
            large.address.compare_exchange(0, NO_ADDRESS, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        if let Some(large) = self.large_window(address).find(free) {
            large.size.store(size, Ordering::Relaxed);
            large.address.store(address, Ordering::Release);
        }
    }

    /// Takes it out before its address can be another's.
    pub fn large_ends(&self, address: usize) {
        let same = |large: &&Large| large.address.load(Ordering::Acquire) == address;
        if let Some(large) = self.large_window(address).find(same) {
            large.address.store(0, Ordering::Release);
        }
    }

    fn large_window(&self, address: usize) -> impl Iterator<Item = &Large> {
        // Such a block begins 16 bytes after a page.
        let from = ((address as u64 >> 12).wrapping_mul(at::STEP) >> 48) as usize;
        (0..at::SAMPLE_WINDOW).map(move |step| &self.large[(from + step) % at::LARGE])
    }

    /// Takes over what `parent` has mapped, and adds what all its threads counted to the shared cell.
    pub fn take_over(&self, parent: &File) {
        self.mapped_bytes.store(parent.mapped_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        self.break_bytes.store(parent.break_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        self.shared.take_over(&parent.shared);
        parent.cells.iter().for_each(|cell| self.shared.take_over(cell));
        self.of_allocator.take_over(&parent.of_allocator);
        for (own, of_parent) in self.large.iter().zip(&parent.large) {
            let address = of_parent.address.load(Ordering::Relaxed);
            if address > NO_ADDRESS {
                own.size.store(of_parent.size.load(Ordering::Relaxed), Ordering::Relaxed);
                own.address.store(address, Ordering::Relaxed);
            }
        }
    }

    /// The first gap of a cell, with random numbers of its own.
    pub fn begin_samples(&self, cell: &Cell, now: u64) {
        let place = (cell as *const Cell as u64) << 20;
        cell.random.store(at::mixed(now ^ place ^ u64::from(self.pid.load(Ordering::Relaxed))), Ordering::Relaxed);
        self.begin_gap(cell);
    }

    /// How far it is to the next sample.
    pub fn begin_gap(&self, cell: &Cell) {
        let every = self.sample_every.load(Ordering::Relaxed);
        let random = at::mixed(cell.random.fetch_add(at::STEP, Ordering::Relaxed));
        let bytes = cell.allocated_bytes.load(Ordering::Relaxed);
        let next = if every == 0 { OUT_OF_REACH } else { bytes.saturating_add(gaps::gap(random, every)) };
        cell.sample_at.store(next, Ordering::Relaxed);
    }

    /// Enters a block that is sampled, if there is room: `None` is a stack for which there was none.
    pub fn remember(&self, address: usize, size: u64, stack: Option<u32>, now: u64) -> bool {
        let entered = stack.is_some_and(|stack| self.enter(address, size, stack, now));
        if !entered {
            self.lost_samples.fetch_add(1, Ordering::Relaxed);
        }
        entered
    }

    /// Counts that the call which made a sampled block took this many nanoseconds.
    pub fn took_to_allocate(&self, of: Sampled, took: i64) {
        if let Some(stack) = self.stacks.get(of.stack as usize) {
            self.count_time(of.size, took, &stack.allocating_ns, &stack.timed_objects);
        }
    }

    /// Counts that the call which freed a sampled block took so long.
    pub fn took_to_free(&self, of: Sampled, took: i64) {
        if let Some(stack) = self.stacks.get(of.stack as usize) {
            self.count_time(of.size, took, &stack.freeing_ns, &stack.timed_frees);
        }
    }

    fn count_time(&self, size: u64, took: i64, nanoseconds: &AtomicU64, objects: &AtomicU64) {
        let stands_for = gaps::objects(size, self.sample_every.load(Ordering::Relaxed));
        nanoseconds.fetch_add((stands_for * took as f64) as i64 as u64, Ordering::Relaxed);
        objects.fetch_add((stands_for * at::OBJECT_PARTS as f64) as u64, Ordering::Relaxed);
    }

    fn enter(&self, address: usize, size: u64, number: u32, now: u64) -> bool {
        let free = |sample: &&Sample| {
            sample.address.compare_exchange(0, NO_ADDRESS, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        let Some(stack) = self.stacks.get(number as usize) else { return false };
        let Some(sample) = self.window(address).find(free) else { return false };
        let birth = self.since_start(now);
        sample.size.store(size, Ordering::Relaxed);
        sample.stack.store(number, Ordering::Relaxed);
        sample.birth.store(birth, Ordering::Relaxed);
        sample.check.store(at::check(address as u64, size, number, birth), Ordering::Relaxed);
        sample.address.store(address, Ordering::Release);
        // A count that is full stays: the filter may only say too often that an address must be looked for.
        let more = |count: u8| if count == u8::MAX { None } else { Some(count + 1) };
        _ = self.filter[place(address)].fetch_update(Ordering::AcqRel, Ordering::Relaxed, more);
        self.count(size, &stack.allocated_bytes, &stack.allocated_objects);
        stack.samples.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Takes a block that is freed out of the samples, if it is one.
    #[inline(always)]
    pub fn forget(&self, address: usize) -> Option<Sampled> {
        if self.filter[place(address)].load(Ordering::Relaxed) == 0 { None } else { self.forget_sample(address) }
    }

    #[cold]
    #[inline(never)]
    fn forget_sample(&self, address: usize) -> Option<Sampled> {
        let same = |sample: &&Sample| sample.address.load(Ordering::Acquire) == address;
        let sample = self.window(address).find(same)?;
        let stack = sample.stack.load(Ordering::Relaxed);
        let size = sample.size.load(Ordering::Relaxed);
        sample.address.store(0, Ordering::Release);
        let less = |count: u8| if count == u8::MAX { None } else { count.checked_sub(1) };
        _ = self.filter[place(address)].fetch_update(Ordering::AcqRel, Ordering::Relaxed, less);
        let of = self.stacks.get(stack as usize)?;
        self.count(size, &of.freed_bytes, &of.freed_objects);
        Some(Sampled { stack, size })
    }

    fn window(&self, address: usize) -> impl Iterator<Item = &Sample> {
        let from = home(address);
        (0..at::SAMPLE_WINDOW).map(move |step| &self.samples[(from + step) % at::SAMPLES])
    }

    /// Counts what one sample of `size` bytes stands for.
    fn count(&self, size: u64, bytes: &AtomicU64, objects: &AtomicU64) {
        let stands_for = gaps::objects(size, self.sample_every.load(Ordering::Relaxed));
        bytes.fetch_add((stands_for * size as f64) as u64, Ordering::Relaxed);
        objects.fetch_add((stands_for * at::OBJECT_PARTS as f64) as u64, Ordering::Relaxed);
    }

    /// The number of the stack with these frames; none where there is no room.
    pub fn stack(&self, frames: &[usize], now: u64) -> Option<u32> {
        let frames = frames.get(..at::FRAMES_MAX).unwrap_or(frames);
        let hash = frames.iter().fold(1, |hash, frame| at::mixed(hash ^ *frame as u64));
        let from = hash as usize % at::INDEX;
        for step in 0..at::SAMPLE_WINDOW {
            let entry = &self.index[(from + step) % at::INDEX];
            let found = entry.load(Ordering::Acquire);
            if found == 0 {
                if entry.compare_exchange(0, BEING_WRITTEN, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    return self.new_stack(entry, frames, now);
                }
            } else if let Some(stack) = self.stacks.get((found as usize).wrapping_sub(1))
                && stack.has(frames)
            {
                return Some(found - 1);
            }
        }
        self.lost_stacks.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn new_stack(&self, entry: &AtomicU32, frames: &[usize], now: u64) -> Option<u32> {
        let number = self.stacks_used.fetch_add(1, Ordering::Relaxed);
        let Some(stack) = self.stacks.get(number as usize) else {
            self.stacks_used.store(at::STACKS as u32, Ordering::Relaxed);
            entry.store(0, Ordering::Release);
            self.lost_stacks.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        stack.frames.iter().zip(frames).for_each(|(to, frame)| to.store(*frame, Ordering::Relaxed));
        stack.first.store(self.since_start(now), Ordering::Relaxed);
        stack.depth.store(frames.len() as u32, Ordering::Release);
        entry.store(number + 1, Ordering::Release);
        Some(number)
    }

    /// Milliseconds since counting began; four bytes are enough for 49 days.
    fn since_start(&self, now: u64) -> u32 {
        let nanoseconds = now.saturating_sub(self.start.load(Ordering::Relaxed));
        (nanoseconds / 1_000_000).min(u64::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
impl Sample {
    const fn new() -> Self {
        Self {
            address: AtomicUsize::new(0),
            size: AtomicU64::new(0),
            stack: AtomicU32::new(0),
            birth: AtomicU32::new(0),
            check: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
impl Stack {
    const fn new() -> Self {
        Self {
            allocated_bytes: AtomicU64::new(0),
            allocated_objects: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            freed_objects: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            depth: AtomicU32::new(0),
            first: AtomicU32::new(0),
            allocating_ns: AtomicU64::new(0),
            timed_objects: AtomicU64::new(0),
            freeing_ns: AtomicU64::new(0),
            timed_frees: AtomicU64::new(0),
            frames: [const { AtomicUsize::new(0) }; at::FRAMES_MAX],
        }
    }
}

/// A block that is a sample: the number of its stack, and its size.
#[derive(Clone, Copy, Debug)]
pub struct Sampled {
    pub stack: u32,
    pub size: u64,
}

/// The frames of one stack, while it is walked.
pub struct Frames {
    kept: [usize; at::FRAMES_MAX],
    depth: usize,
    most: usize,
}

impl Frames {
    pub fn up_to(most: usize) -> Self {
        Self { kept: [0; at::FRAMES_MAX], depth: 0, most: most.min(at::FRAMES_MAX) }
    }

    /// Keeps one more; whether the walk goes on.
    pub fn keep(&mut self, address: usize) -> bool {
        let is_wanted = address != 0 && self.depth < self.most;
        if let (true, Some(kept)) = (is_wanted, self.kept.get_mut(self.depth)) {
            *kept = address;
            self.depth += 1;
        }
        is_wanted
    }

    pub fn kept(&self) -> &[usize] {
        self.kept.get(..self.depth).unwrap_or_default()
    }
}

impl Stack {
    fn has(&self, frames: &[usize]) -> bool {
        let same = |(one, other): (&AtomicUsize, &usize)| one.load(Ordering::Relaxed) == *other;
        self.depth.load(Ordering::Acquire) as usize == frames.len() && self.frames.iter().zip(frames).all(same)
    }
}
