//! Where each figure stands in the file that the preloaded library writes and steep reads. Both compile this file.
//!
//! One file belongs to one process. All figures are little-endian, as on the two machines that the library is built
//! for. The parts follow each other: header, a cell of counters for each thread, the filter, the samples, the index of
//! the stacks, the stacks, the large blocks.

/// The first eight bytes of a file.
pub const MAGIC: u64 = u64::from_le_bytes(*b"steeplv1");

/// The form of the file. A reader refuses others.
pub const VERSION: u32 = 2;

/// Bytes of the header: one page.
pub const HEADER_BYTES: usize = 4096;

/// Everything is small where an interpreter looks for undefined behaviour: in a file of 8.7 MB it finished no test in
/// 19 minutes.
const fn sized(usual: usize, interpreted: usize) -> usize {
    if cfg!(miri) { interpreted } else { usual }
}

/// Threads that have a cell of their own at the same time; others share the cell in the header, which costs them an
/// atomic addition. Cells of threads that ended are used again.
pub const CELLS: usize = sized(1024, 16);

/// Bytes of a cell: one cache line, so that threads do not disturb each other.
pub const CELL_BYTES: usize = 64;

/// Bytes of the filter that says whether an address may have been sampled.
pub const FILTER_BYTES: usize = sized(1 << 16, 1 << 8);

/// Live samples that fit. At the default rate this is a heap of 64 GiB; up to a quarter of it each finds room.
pub const SAMPLES: usize = sized(1 << 17, 1 << 8);

/// Bytes of a sample.
pub const SAMPLE_BYTES: usize = 32;

/// How far from its place a sample may stand.
pub const SAMPLE_WINDOW: usize = 32;

/// Entries of the index of the stacks: twice as many as stacks, so that it is never more than half full.
pub const INDEX: usize = 2 * STACKS;

/// Bytes of an entry of the index.
const INDEX_BYTES: usize = 4;

/// Different stacks that fit. A service of axum with four routes has 300 to 450.
pub const STACKS: usize = sized(1 << 13, 1 << 6);

/// Bytes of a stack.
pub const STACK_BYTES: usize = 512;

/// Frames of a stack that fit.
pub const FRAMES_MAX: usize = (STACK_BYTES - STACK_FRAMES) / 8;

/// Frames that are kept of a stack. Nearly all frames of a program's own stand before those of its runtime.
pub const DEFAULT_DEPTH: u32 = 24;

/// Mean bytes between two samples.
pub const DEFAULT_SAMPLE_EVERY: u64 = 512 * 1024;

/// Large blocks that fit: those for which glibc has made a mapping of their own. It makes at most 65,536
/// (`M_MMAP_MAX`), and after the first that is freed only of larger ones.
pub const LARGE: usize = sized(1 << 12, 1 << 7);

/// Bytes of a large block.
pub const LARGE_BYTES: usize = 16;

/// Mappings that are followed, those of the program and those of an allocator each.
pub const STRETCHES: usize = sized(1 << 12, 1 << 6);

/// Bytes of a mapping that is followed.
pub const STRETCH_BYTES: usize = 16;

/// Where the first stands: a lock and how many are in use come before.
pub const STRETCHES_IN_MAPPINGS: usize = 16;

/// Bytes of all that are followed.
pub const MAPPINGS_BYTES: usize = (STRETCHES_IN_MAPPINGS + STRETCHES * STRETCH_BYTES).next_multiple_of(CELL_BYTES);

/// Where the cells begin.
pub const CELLS_AT: usize = HEADER_BYTES;
/// Where the filter begins.
pub const FILTER_AT: usize = CELLS_AT + CELLS * CELL_BYTES;
/// Where the samples begin.
pub const SAMPLES_AT: usize = FILTER_AT + FILTER_BYTES;
/// Where the index begins.
pub const INDEX_AT: usize = SAMPLES_AT + SAMPLES * SAMPLE_BYTES;
/// Where the stacks begin.
pub const STACKS_AT: usize = INDEX_AT + INDEX * INDEX_BYTES;
/// Where the large blocks begin.
pub const LARGE_AT: usize = STACKS_AT + STACKS * STACK_BYTES;
/// Where the mappings of an allocator begin.
pub const MAPPINGS_AT: usize = LARGE_AT + LARGE * LARGE_BYTES;
/// Bytes of the file.
pub const FILE_BYTES: usize = MAPPINGS_AT + MAPPINGS_BYTES;

/// Header: the magic, 8 bytes.
pub const MAGIC_AT: usize = 0;
/// Header: the version, 4 bytes.
pub const VERSION_AT: usize = 8;
/// Header: the process, 4 bytes.
pub const PID_AT: usize = 12;
/// Header: when counting began, nanoseconds of `CLOCK_MONOTONIC`, 8 bytes.
pub const START_AT: usize = 16;
/// Header: mean bytes between two samples, 8 bytes; 0 where nothing is sampled.
pub const SAMPLE_EVERY_AT: usize = 24;
/// Header: frames kept of a stack, 4 bytes.
pub const DEPTH_AT: usize = 32;
/// Header: what was found at the start, 4 bytes; see [`NO_UNWINDER`] and the others.
pub const FLAGS_AT: usize = 36;
/// Header: cells that have been in use, 4 bytes.
pub const CELLS_USED_AT: usize = 40;
/// Header: stacks that have been in use, 4 bytes.
pub const STACKS_USED_AT: usize = 44;
/// Header: samples for which there was no room, 8 bytes.
pub const LOST_SAMPLES_AT: usize = 48;
/// Header: stacks for which there was no room, 8 bytes.
pub const LOST_STACKS_AT: usize = 56;
/// Header: the cell of all threads without one of their own.
pub const SHARED_CELL_AT: usize = 64;
/// Header: anonymous memory that the program mapped for itself and holds, 8 bytes.
pub const MAPPED_BYTES_AT: usize = 128;
/// Header: mappings that could not be followed, 8 bytes.
pub const LOST_MAPPINGS_AT: usize = 136;

/// Header: by how much the program itself moved the end of its heap, 8 bytes.
pub const BREAK_BYTES_AT: usize = 144;

/// Flag: there is no unwinder in this process, so nothing is sampled.
pub const NO_UNWINDER: u32 = 1;
/// Flag: another library's allocator is used.
pub const CHAINED: u32 = 2;
/// Flag: sizes are asked of the allocator for each block, because they do not stand where glibc writes them.
pub const SIZES_ASKED: u32 = 4;
/// Flag: the process is a child that began with what its parent held.
pub const FORKED: u32 = 8;

/// Cell: objects allocated.
pub const ALLOCATED_OBJECTS: usize = 0;
/// Cell: bytes allocated.
pub const ALLOCATED_BYTES: usize = 8;
/// Cell: objects freed.
pub const FREED_OBJECTS: usize = 16;
/// Cell: bytes freed.
pub const FREED_BYTES: usize = 24;

/// Sample: the address; 0 where there is none.
pub const SAMPLE_ADDRESS: usize = 0;
/// Sample: bytes.
pub const SAMPLE_SIZE: usize = 8;
/// Sample: the stack, 4 bytes.
pub const SAMPLE_STACK: usize = 16;
/// Sample: the birth, milliseconds since the start, 4 bytes.
pub const SAMPLE_BIRTH: usize = 20;
/// Sample: [`check`] of the others, so that one that is read while it is written is known.
pub const SAMPLE_CHECK: usize = 24;

/// Stack: bytes that its samples stand for.
pub const STACK_ALLOCATED_BYTES: usize = 0;
/// Stack: objects that its samples stand for, in [`OBJECT_PARTS`].
pub const STACK_ALLOCATED_OBJECTS: usize = 8;
/// Stack: bytes of those that were freed.
pub const STACK_FREED_BYTES: usize = 16;
/// Stack: objects of those that were freed.
pub const STACK_FREED_OBJECTS: usize = 24;
/// Stack: how many samples there were.
pub const STACK_SAMPLES: usize = 32;
/// Stack: how many frames follow, 4 bytes; 0 until they are written.
pub const STACK_DEPTH: usize = 40;
/// Stack: its first sample, milliseconds since the start, 4 bytes.
pub const STACK_FIRST: usize = 44;
/// Stack: nanoseconds that it takes to allocate the objects of which that is known, with their sign.
pub const STACK_ALLOCATING_NS: usize = 48;
/// Stack: those objects, in [`OBJECT_PARTS`].
pub const STACK_TIMED_OBJECTS: usize = 56;
/// Stack: nanoseconds that it takes to free the objects of which that is known, with their sign.
pub const STACK_FREEING_NS: usize = 64;
/// Stack: those objects, in [`OBJECT_PARTS`].
pub const STACK_TIMED_FREES: usize = 72;
/// Stack: the frames, the innermost first, 8 bytes each.
pub const STACK_FRAMES: usize = 80;

/// Large block: the address; 0 where there is none.
pub const LARGE_ADDRESS: usize = 0;
/// Large block: bytes.
pub const LARGE_SIZE: usize = 8;

/// Mapping: where it begins.
pub const STRETCH_START: usize = 0;
/// Mapping: where it ends; no later than its beginning where there is none.
pub const STRETCH_END: usize = 8;

/// What one object is counted as in the counters of a stack: one sample stands for a fraction of objects as well.
pub const OBJECT_PARTS: u64 = 256;

/// What [`SAMPLE_CHECK`] is for these figures.
#[must_use]
pub const fn check(address: u64, size: u64, stack: u32, birth: u32) -> u64 {
    mixed(mixed(mixed(address) ^ size) ^ ((stack as u64) << 32 | birth as u64))
}

/// What [`mixed`] adds, and what a random stream goes on by: 2^64 divided by the golden ratio.
pub const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number whose bits depend on all bits of `of`: the finalizer of `SplitMix64` (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, 2014).
#[must_use]
pub const fn mixed(of: u64) -> u64 {
    let of = of.wrapping_add(STEP);
    let of = (of ^ (of >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let of = (of ^ (of >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    of ^ (of >> 31)
}
