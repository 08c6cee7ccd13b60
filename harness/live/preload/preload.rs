//! Loaded into an unmodified program before all other libraries: counts its live bytes, and samples the stacks of what
//! it allocates, in a file that steep reads. With `start`, `mapped` and `wrapped` the only unsafe code of the project.
//!
//! It may never harm the program. So it allocates nothing, waits for nobody, needs nothing but the C library, and where
//! something is missing it counts less and says so in the header of its file.
//!
//! Why it is sound, beside what `tables` says of its orders:
//!
//! - **Re-entry.** While a thread samples, its next sample is out of reach, so what the unwinder or a signal handler
//!   allocates is counted and not sampled. No lock is held: a handler that leaves by `longjmp` blocks nobody; its
//!   thread samples no more. A signal between load and store may undo what its handler counted; POSIX does not let
//!   handlers allocate.
//! - **fork.** The child's handler runs in its only thread: it leaves the parent's file and begins its own with the
//!   parent's sums. After `vfork` memory is the parent's and counted there. After a raw `clone` both count in one file:
//!   the figures are wrong, the memory is safe.
//! - **The end of a thread.** A key's destructor gives the cell back. What comes later is counted in the shared cell.
#![no_std]
// Nearly every line here is unsafe; a block around each would say nothing.
#![allow(unsafe_op_in_unsafe_fn)]

mod cells;
#[path = "../src/gaps.rs"]
mod gaps;
mod kernel;
#[allow(dead_code)]
#[path = "../src/layout.rs"]
mod layout;
mod mapped;
mod mappings;
mod start;
mod tables;
mod wrapped;

use core::arch::{asm, global_asm};
use core::ffi::{c_char, c_int, c_long, c_void};
use core::mem::transmute;
use core::ptr::{null, null_mut, replace};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering::*};

use cells::Cell;
use kernel::Folder;
use layout as at;
use mappings::Mappings;
use tables::{File, Frames, Sampled};

type Pointer = *mut c_void;
type Handler = Option<unsafe extern "C" fn()>;
/// `RTLD_NEXT`, the library after this one; and what a mapping that failed is.
const NEXT: Pointer = usize::MAX as Pointer;
const FAILED: Pointer = NEXT;

#[link(name = "c")]
unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
    fn __register_atfork(before: Handler, parent: Handler, child: Handler, object: *const u8) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut [c_long; 2]) -> c_int;
    fn dlopen(name: *const c_char, how: c_int) -> Pointer;
    fn dlsym(library: Pointer, name: *const c_char) -> Pointer;
    fn getenv(name: *const c_char) -> *const c_char;
    fn getpid() -> c_int;
    fn malloc_usable_size(block: Pointer) -> usize;
    fn pthread_key_create(key: *mut u32, end: unsafe extern "C" fn(Pointer)) -> c_int;
    fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    static __ehdr_start: u8;
    static _end: u8;
}

/// The allocator behind this library: of each function the address, which is found with its first call. That is glibc's
/// own, or what another library has that is preloaded or linked behind this one. `blocks` are the functions that give a
/// block and no more: they are exported here.
macro_rules! allocator {
    (blocks: [$($block:ident / $block_symbol:literal ($($in:ident: $of:ty),*) asks $asked:expr;)*]
     others: [$($name:ident / $symbol:literal ($($argument:ident: $kind:ty),*) -> $result:ty;)*]) => {
        allocator! { behind: $($block / $block_symbol ($($in: $of),*) -> Pointer;)*
            $($name / $symbol ($($argument: $kind),*) -> $result;)* }
        $(#[unsafe(no_mangle)]
        pub unsafe extern "C" fn $block($($in: $of),*) -> Pointer {
            let call = || behind::$block($($in),*);
            allocated(if may_be_sampled($asked) { timed(call) } else { call() })
        })*
    };
    (behind: $($name:ident / $symbol:literal ($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        mod first {
            use super::*;
            $(pub unsafe extern "C" fn $name($($argument: $kind),*) -> $result {
                find_next();
                behind::$name($($argument),*)
            })*
        }
        #[allow(non_upper_case_globals)]
        mod next {
            use super::*;
            $(pub static $name: AtomicPtr<c_void> = AtomicPtr::new(first::$name as *mut c_void);)*
        }
        mod behind {
            use super::*;
            $(#[inline(always)]
            pub unsafe fn $name($($argument: $kind),*) -> $result {
                let found = next::$name.load(Relaxed);
                transmute::<Pointer, unsafe extern "C" fn($($kind),*) -> $result>(found)($($argument),*)
            })*
        }
        unsafe fn find_next() {
            $(next::$name.store(dlsym(NEXT, $symbol.as_ptr()), Relaxed);)*
        }
        /// The functions of another allocator, while which it is known that the thread is inside of it.
        #[allow(non_upper_case_globals)]
        mod other {
            use super::*;
            $(pub static $name: AtomicPtr<c_void> = AtomicPtr::new(null_mut());)*
        }
        mod inside {
            use super::*;
            $(pub unsafe extern "C" fn $name($($argument: $kind),*) -> $result {
                let found = other::$name.load(Relaxed);
                let call = transmute::<Pointer, unsafe extern "C" fn($($kind),*) -> $result>(found);
                in_allocator(|| call($($argument),*))
            })*
        }
        unsafe fn follow_mappings() {
            $(other::$name.store(next::$name.load(Relaxed), Relaxed);
            next::$name.store(inside::$name as *mut c_void, Relaxed);)*
        }
    };
}
allocator! {
    blocks: [
        malloc / c"malloc" (size: usize) asks size;
        calloc / c"calloc" (count: usize, size: usize) asks count.wrapping_mul(size);
        aligned_alloc / c"aligned_alloc" (alignment: usize, size: usize) asks size;
        memalign / c"memalign" (alignment: usize, size: usize) asks size;
        valloc / c"valloc" (size: usize) asks size;
        pvalloc / c"pvalloc" (size: usize) asks size;
    ]
    others: [
        realloc / c"realloc" (block: Pointer, size: usize) -> Pointer;
        free / c"free" (block: Pointer) -> ();
        posix_memalign / c"posix_memalign" (block: *mut Pointer, alignment: usize, size: usize) -> c_int;
    ]
}

/// What is counted before there is a file, or where none can be made.
static WITHOUT_FILE: Cell = Cell::new();
static FILE: AtomicPtr<File> = AtomicPtr::new(null_mut());
static MAPPINGS: Mappings = Mappings::new();
static FOLDER: Folder = Folder::new();
/// Whether sizes stand where glibc writes them.
static SIZES_IN_PLACE: AtomicBool = AtomicBool::new(false);
static UNWIND: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static FRAME_OF: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
/// The key whose destructor ends a thread here.
static END_OF_THREAD: AtomicU32 = AtomicU32::new(u32::MAX);

/// Whether calls are timed: where the environment asks for it, until the program gives up the clock of the processor.
static TIMES: AtomicBool = AtomicBool::new(false);
/// Longer calls count as this long: the thread did not run all the time, or the kernel gave it a mapping.
const LONGEST_CALL: u64 = 100_000;
/// The clock takes 20 to 60 ns; what is much longer was an interruption.
const LONGEST_CLOCK: u64 = 200;

/// What a thread has of its own.
#[repr(C)]
struct Thread {
    cell: *const Cell,
    /// It is being given a cell, or has given it back, or there is none.
    no_cell: usize,
    /// The block that came of the last call whose time was taken, and that time in nanoseconds.
    timed: Pointer,
    took: i64,
    /// It is inside of an allocator that is not glibc's: what it maps now is the allocator's.
    in_allocator: usize,
}

impl Thread {
    const fn new(no_cell: usize) -> Self {
        Self { cell: null(), no_cell, timed: null_mut(), took: 0, in_allocator: 0 }
    }
}

// Thread-local storage of the initial-exec kind, which a library that is loaded at the start may use: two instructions
// instead of a call, and no allocation. The compiler offers it for whole programs only.
global_asm!(
    ".section .tbss,\"awT\",@nobits",
    ".p2align 4",
    ".local steep_live_thread",
    ".type steep_live_thread, @object",
    ".size steep_live_thread, 48",
    "steep_live_thread:",
    ".zero 48",
    ".previous",
);
// The core library names it in tables for unwinding, which are never used: nothing here panics. Hidden, because a
// program in Rust has its own.
global_asm!(".globl rust_eh_personality", ".hidden rust_eh_personality", "rust_eh_personality:", ".zero 4");

#[inline(always)]
fn thread() -> *mut Thread {
    let thread: *mut Thread;
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("mov {0}, qword ptr fs:[0]", "add {0}, qword ptr [rip + steep_live_thread@gottpoff]", out(reg) thread,
            options(pure, nomem, nostack));
    }
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("mrs {0}, tpidr_el0", "adrp {1}, :gottprel:steep_live_thread",
            "ldr {1}, [{1}, :gottprel_lo12:steep_live_thread]", "add {0}, {0}, {1}", out(reg) thread, out(reg) _,
            options(pure, nomem, nostack));
    }
    thread
}

/// The size of a block; that of a large one is what `large` gives.
#[inline(always)]
unsafe fn usable(block: Pointer, large: unsafe fn(Pointer) -> u64) -> u64 {
    if SIZES_IN_PLACE.load(Relaxed) { size_in_place(block, large) } else { size_asked(block) }
}

/// glibc writes the size of a chunk before the block, with three flags in its lowest bits; the second says that the
/// chunk is a mapping of its own, of which the allocator is asked (malloc.c, `musable`).
#[inline(always)]
unsafe fn size_in_place(block: Pointer, large: unsafe fn(Pointer) -> u64) -> u64 {
    let word = *block.cast::<u64>().sub(1);
    if word & 2 == 0 { (word & !7).wrapping_sub(8) } else { large(block) }
}

unsafe fn size_asked(block: Pointer) -> u64 {
    malloc_usable_size(block) as u64
}

/// The size of a block that is a mapping of its own and begins.
#[cold]
unsafe fn large_begins(block: Pointer) -> u64 {
    let size = size_asked(block);
    if let Some(file) = FILE.load(Acquire).as_ref() {
        file.large_begins(block as usize, size);
    }
    size
}

/// The same of one that ends.
#[cold]
unsafe fn large_ends(block: Pointer) -> u64 {
    if let Some(file) = FILE.load(Acquire).as_ref() {
        file.large_ends(block as usize);
    }
    size_asked(block)
}

#[inline(always)]
unsafe fn allocated(block: Pointer) -> Pointer {
    if !block.is_null() {
        counted(block, usable(block, large_begins));
    }
    block
}

#[inline(always)]
unsafe fn counted(block: Pointer, size: u64) {
    match (*thread()).cell.as_ref() {
        Some(cell) if cell.allocated(size) => sample(cell, block, size),
        Some(_) => {}
        None => allocated_without_cell(block, size),
    }
}

/// What another allocator does, and maps.
#[inline(always)]
unsafe fn in_allocator<R>(call: impl FnOnce() -> R) -> R {
    let before = replace(&raw mut (*thread()).in_allocator, 1);
    let result = call();
    (*thread()).in_allocator = before;
    result
}

/// Whether a block of `asked` bytes may be one to be sampled: then the time that it takes is of interest.
#[inline(always)]
unsafe fn may_be_sampled(asked: usize) -> bool {
    (*thread()).cell.as_ref().is_some_and(|cell| cell.may_sample(asked as u64))
}

/// Makes a block, and notes how long that took.
#[cold]
#[inline(never)]
unsafe fn timed(call: impl FnOnce() -> Pointer) -> Pointer {
    if !TIMES.load(Relaxed) {
        return call();
    }
    let begun = begun();
    let block = call();
    let took = took_since(begun);
    ((*thread()).timed, (*thread()).took) = (block, took);
    block
}

/// Now, and how long it takes to ask the clock: that is measured each time, because it is as long as a `malloc`, and
/// depends on what the caches hold and how fast the CPU is.
unsafe fn begun() -> (u64, u64) {
    let before = nanoseconds(kernel::EXACT);
    let begun = nanoseconds(kernel::EXACT);
    (begun, begun.saturating_sub(before).min(LONGEST_CLOCK))
}

/// Nanoseconds since `begun`, less what the clock takes: less than none in some calls, so that the sum is right. A
/// thread that was interrupted for long did not use the time.
unsafe fn took_since((begun, clock): (u64, u64)) -> i64 {
    nanoseconds(kernel::EXACT).saturating_sub(begun).min(LONGEST_CALL) as i64 - clock as i64
}

/// Frees a block that was sampled, and counts how long that took.
#[cold]
#[inline(never)]
unsafe fn free_sampled(block: Pointer, sampled: Sampled) {
    if !TIMES.load(Relaxed) {
        return behind::free(block);
    }
    let begun = begun();
    behind::free(block);
    let took = took_since(begun);
    if let Some(file) = FILE.load(Acquire).as_ref() {
        file.took_to_free(sampled, took);
    }
}

/// Counts a block that is freed: it was sampled if there is anything to be said of it.
#[inline(always)]
unsafe fn freed(block: Pointer) -> Option<Sampled> {
    if block.is_null() { None } else { uncounted(block, usable(block, large_ends)) }
}

#[inline(always)]
unsafe fn uncounted(block: Pointer, size: u64) -> Option<Sampled> {
    match (*thread()).cell.as_ref() {
        Some(cell) => cell.freed(size),
        None => freed_without_cell(size),
    }
    FILE.load(Relaxed).as_ref()?.forget(block as usize)
}

#[cold]
unsafe fn allocated_without_cell(block: Pointer, size: u64) {
    let (cell, is_due) = match (first_cell(), FILE.load(Acquire).as_ref()) {
        (Some(cell), _) => (cell, cell.allocated(size)),
        (None, Some(file)) => (&file.shared, file.shared.allocated_by_one_of_many(size)),
        (None, None) => (&WITHOUT_FILE, WITHOUT_FILE.allocated_by_one_of_many(size) && false),
    };
    if is_due {
        sample(cell, block, size);
    }
}

#[cold]
unsafe fn freed_without_cell(size: u64) {
    match first_cell() {
        Some(cell) => cell.freed(size),
        None => FILE.load(Acquire).as_ref().map_or(&WITHOUT_FILE, |file| &file.shared).freed_by_one_of_many(size),
    }
}

/// A cell for a thread that has none yet.
unsafe fn first_cell() -> Option<&'static Cell> {
    let file = FILE.load(Acquire).as_ref()?;
    let thread = thread();
    if replace(&raw mut (*thread).no_cell, 1) == 1 {
        return None;
    }
    let cell = file.take_cell(now())?;
    // Without a key the end of a thread is not seen, and its cell stays taken.
    let key = END_OF_THREAD.load(Relaxed);
    if key != u32::MAX {
        pthread_setspecific(key, (&raw const *cell).cast());
    }
    (*thread).cell = cell;
    Some(cell)
}

unsafe extern "C" fn end_of_thread(_: Pointer) {
    if let Some(cell) = replace(thread(), Thread::new(1)).cell.as_ref() {
        cell.give_back();
    }
}

#[cold]
unsafe fn sample(cell: &Cell, block: Pointer, size: u64) {
    cell.hold_samples();
    let error = *__errno_location();
    if let Some(file) = FILE.load(Acquire).as_ref() {
        let thread = thread();
        let took = ((*thread).timed == block).then_some((*thread).took);
        (*thread).timed = null_mut();
        let (frames, now) = (frames_here(file), now());
        let stack = file.stack(frames.kept(), now);
        if file.remember(block as usize, size, stack, now)
            && let (Some(stack), Some(took)) = (stack, took)
        {
            file.took_to_allocate(Sampled { stack, size }, took);
        }
        file.begin_gap(cell);
    }
    *__errno_location() = error;
}

type Visit = unsafe extern "C" fn(Pointer, *mut Frames) -> c_int;

/// Called by the unwinder for each frame, from the innermost outwards; ends the walk with a number that is not 0.
unsafe extern "C" fn visit(context: Pointer, frames: *mut Frames) -> c_int {
    let address_of = transmute::<Pointer, unsafe extern "C" fn(Pointer) -> usize>(FRAME_OF.load(Relaxed));
    let address = address_of(context);
    // The frames of this library are not the program's.
    let is_own = (&raw const __ehdr_start as usize..&raw const _end as usize).contains(&address);
    if is_own || (*frames).keep(address) { 0 } else { 5 }
}

/// The stack that leads here.
unsafe fn frames_here(file: &File) -> Frames {
    let mut frames = Frames::up_to(file.depth.load(Relaxed) as usize);
    let unwind = transmute::<Pointer, unsafe extern "C" fn(Visit, *mut Frames) -> c_int>(UNWIND.load(Relaxed));
    unwind(visit, &raw mut frames);
    frames
}

/// Nanoseconds of the monotonic clock, to some milliseconds.
unsafe fn now() -> u64 {
    nanoseconds(kernel::MONOTONIC)
}

unsafe fn nanoseconds(clock: c_int) -> u64 {
    let mut time = [0, 0];
    clock_gettime(clock, &raw mut time);
    time[0] as u64 * 1_000_000_000 + time[1] as u64
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: Pointer) {
    match freed(block) {
        None => behind::free(block),
        Some(sampled) => free_sampled(block, sampled),
    }
}

/// C23, which glibc has from 2.43: there it would free behind this library's back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_sized(block: Pointer, _: usize) {
    free(block);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_aligned_sized(block: Pointer, _: usize, _: usize) {
    free(block);
}

/// A block that is moved or grown is freed and allocated anew: the old one before its address can be another's. glibc's
/// `reallocarray` comes by here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: Pointer, size: usize) -> Pointer {
    if block.is_null() {
        return malloc(size);
    }
    _ = freed(block);
    let call = || behind::realloc(block, size);
    let new = if may_be_sampled(size) { timed(call) } else { call() };
    // Nothing became of it, and the old one lives on; but where no bytes are asked for it is freed.
    allocated(if new.is_null() && size != 0 { block } else { new });
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(block: *mut Pointer, alignment: usize, size: usize) -> c_int {
    let result = behind::posix_memalign(block, alignment, size);
    if result == 0 {
        allocated(*block);
    }
    result
}

unsafe extern "C" {
    /// It is nowhere: the library cannot be linked while any of its code can panic.
    fn steep_live_can_panic() -> !;
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe { steep_live_can_panic() }
}
