//! What the program takes from the kernel itself, beside its allocator.

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::sync::atomic::Ordering::*;

use super::{FAILED, FILE, MAPPINGS, NEXT, Pointer, dlsym, kernel, syscall, thread};
use crate::kernel::call;

/// Of the program's own mappings those count that are anonymous and that it may write. glibc's do not come by here.
/// Those of another allocator do, and are its own. Says how much more is held.
unsafe fn count(start: Pointer, length: usize, is_kept: bool) -> i64 {
    let Some(file) = FILE.load(Acquire).as_ref() else { return 0 };
    let (start, is_inside) = (start as usize, is_in_allocator());
    let Some(end) = start.checked_add(length) else { return 0 };
    let of_allocator = if is_inside || file.of_allocator.is_used() {
        file.of_allocator.change(start, end, is_kept && is_inside)
    } else {
        Some(0)
    };
    let own = MAPPINGS.change(start, end, is_kept && !is_inside);
    let (Some(of_allocator), Some(own)) = (of_allocator, own) else {
        file.lost_mappings.fetch_add(1, Relaxed);
        return 0;
    };
    file.mapped_bytes.fetch_add(own, Relaxed);
    of_allocator + own
}

unsafe fn is_in_allocator() -> bool {
    (*thread()).in_allocator != 0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    start: Pointer,
    length: usize,
    rights: c_int,
    how: c_int,
    file: c_int,
    at: i64,
) -> Pointer {
    let new = syscall(call::MMAP, start, length, rights as i64, how as i64, file as i64, at) as Pointer;
    // An allocator may reserve first, and make it writable later.
    let is_kept = how & kernel::ANONYMOUS != 0 && (rights & kernel::WRITE != 0 || is_in_allocator());
    if new != FAILED && (is_kept || how & kernel::FIXED != 0) {
        count(new, length, is_kept);
    }
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    start: Pointer,
    length: usize,
    rights: c_int,
    how: c_int,
    file: c_int,
    at: i64,
) -> Pointer {
    mmap(start, length, rights, how, file, at)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn munmap(start: Pointer, length: usize) -> c_int {
    // Before the call, because another thread may get the addresses at once.
    count(start, length, false);
    syscall(call::MUNMAP, start, length) as c_int
}

/// Its fifth argument counts only where the flags ask for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mremap(old: Pointer, from: usize, to: usize, how: c_int, wanted: Pointer) -> Pointer {
    let new = syscall(call::MREMAP, old, from, to, how as i64, wanted) as Pointer;
    if new != FAILED && count(old, from, false) < 0 {
        count(new, to, true);
    }
    new
}

/// The end of the heap moved by the program itself: glibc's allocator does not come by here, allocators of programs do,
/// and garbage collectors.
unsafe fn count_break(more: i64) {
    if let Some(file) = FILE.load(Acquire).as_ref() {
        file.break_bytes.fetch_add(more, Relaxed);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn sbrk(more: isize) -> Pointer {
    let next = transmute::<Pointer, unsafe extern "C" fn(isize) -> Pointer>(dlsym(NEXT, c"sbrk".as_ptr()));
    let before = next(more);
    if before != FAILED && more != 0 {
        count_break(more as i64);
    }
    before
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn brk(end: Pointer) -> c_int {
    let next = transmute::<Pointer, unsafe extern "C" fn(*mut c_void) -> c_int>(dlsym(NEXT, c"brk".as_ptr()));
    let before = sbrk(0);
    let result = next(end);
    if result == 0 && before != FAILED {
        count_break(end as i64 - before as i64);
    }
    result
}
