//! How counting begins: before `main`, and in a child after `fork`.

use core::ffi::CStr;
use core::ptr::{null, null_mut};
use core::sync::atomic::Ordering::*;

use super::*;
use crate::kernel::call;

/// A file of this process, mapped. There is none where the folder cannot be written or the disk is full: all of the
/// file is there before it is used, so a full disk cannot end the program later.
unsafe fn open(every: u64, depth: u32, flags: u32) -> *mut File {
    let pid = getpid() as u32;
    let Some(path) = FOLDER.path(pid).filter(|_| may_write(at::FILE_BYTES as u64)) else { return null_mut() };
    // A program that this process was before.
    syscall(call::UNLINKAT, kernel::HERE, path.as_ptr(), 0_i64);
    let file = syscall(call::OPENAT, kernel::HERE, path.as_ptr(), kernel::NEW_FILE, 0o600_i64);
    if file < 0 {
        return null_mut();
    }
    let is_all_there = syscall(call::FALLOCATE, file, 0_i64, 0_i64, at::FILE_BYTES) == 0;
    let (rights, how) = (kernel::READ_AND_WRITE, kernel::SHARED);
    let mut mapped = FAILED;
    if is_all_there {
        mapped = syscall(call::MMAP, 0_i64, at::FILE_BYTES, rights, how, file, 0_i64) as Pointer;
    }
    syscall(call::CLOSE, file);
    if mapped == FAILED {
        syscall(call::UNLINKAT, kernel::HERE, path.as_ptr(), 0_i64);
        return null_mut();
    }
    (*mapped.cast::<File>()).begin(pid, now(), every, depth, flags);
    mapped.cast()
}

/// Whether this process may make a file so large: one that may not is ended by a signal if it tries.
unsafe fn may_write(bytes: u64) -> bool {
    let mut limit = [0_u64; 2];
    let error = syscall(call::PRLIMIT, 0_i64, kernel::LARGEST_FILE, null::<u64>(), limit.as_mut_ptr());
    error == 0 && limit[0] >= bytes
}

/// In a child after `fork`: a file of its own, which begins with what the parent held. Samples begin anew.
unsafe extern "C" fn in_child() {
    MAPPINGS.unlock();
    let Some(parent) = FILE.load(Relaxed).as_ref() else { return };
    let error = *__errno_location();
    *thread() = Thread::new(0);
    let flags = parent.flags.load(Relaxed) | at::FORKED;
    let own = open(parent.sample_every.load(Relaxed), parent.depth.load(Relaxed), flags);
    if let Some(own) = own.as_ref() {
        own.take_over(parent);
    }
    FILE.store(own, Release);
    syscall(call::MUNMAP, &raw const *parent, at::FILE_BYTES);
    *__errno_location() = error;
}

/// A number in the environment.
unsafe fn number_of(variable: &CStr, default: u64) -> u64 {
    let text = getenv(variable.as_ptr()).as_ref().and_then(|text| CStr::from_ptr(text).to_str().ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[used]
#[unsafe(link_section = ".init_array")]
static START: unsafe extern "C" fn() = start;

/// Before `main`, and before the constructors of the program.
unsafe extern "C" fn start() {
    let folder = getenv(c"STEEP_LIVE_FOLDER".as_ptr());
    if folder.is_null() || !FOLDER.is_kept(CStr::from_ptr(folder).to_bytes()) {
        return;
    }
    find_next();
    let mut flags = 0;
    if next::malloc.load(Relaxed) != dlsym(dlopen(c"libc.so.6".as_ptr(), kernel::LAZY), c"malloc".as_ptr()) {
        flags |= at::CHAINED;
        follow_mappings();
    }
    SIZES_IN_PLACE.store(flags & at::CHAINED == 0 && sizes_are_in_place(), Relaxed);
    if !SIZES_IN_PLACE.load(Relaxed) {
        flags |= at::SIZES_ASKED;
    }
    let unwinder = dlopen(c"libgcc_s.so.1".as_ptr(), kernel::NOW);
    UNWIND.store(dlsym(unwinder, c"_Unwind_Backtrace".as_ptr()), Relaxed);
    FRAME_OF.store(dlsym(unwinder, c"_Unwind_GetIP".as_ptr()), Relaxed);
    let mut every = number_of(c"STEEP_LIVE_SAMPLE_EVERY", at::DEFAULT_SAMPLE_EVERY);
    if UNWIND.load(Relaxed).is_null() || FRAME_OF.load(Relaxed).is_null() {
        flags |= at::NO_UNWINDER;
        every = 0;
    }
    if pthread_key_create(END_OF_THREAD.as_ptr(), end_of_thread) != 0 {
        END_OF_THREAD.store(u32::MAX, Relaxed);
    }
    TIMES.store(number_of(c"STEEP_LIVE_TIMES", 0) > 0, Relaxed);
    let depth = number_of(c"STEEP_LIVE_DEPTH", u64::from(at::DEFAULT_DEPTH)).min(at::FRAMES_MAX as u64) as u32;
    let file = open(every, depth, flags);
    if let Some(file) = file.as_ref() {
        file.shared.take_over(&WITHOUT_FILE);
        // The first walk looks for what the unwinder needs, which no later one should.
        _ = (every > 0).then(|| frames_here(file));
    }
    FILE.store(file, Release);
    __register_atfork(None, None, Some(in_child), null());
}

/// Whether this C library writes sizes where they are read: tried with some blocks. None is as large as a mapping of
/// its own: to free one would raise the size from which on the program's blocks are such (`M_MMAP_THRESHOLD`).
unsafe fn sizes_are_in_place() -> bool {
    [1, 24, 25, 1_000, 10_000].into_iter().all(|size| {
        let block = behind::malloc(size);
        let same = !block.is_null() && size_in_place(block, size_asked) == size_asked(block);
        behind::free(block);
        same
    })
}

/// From strict seccomp on, or where it says so, the processor's clock ends the thread that asks it (`PR_SET_TSC`). A
/// program that does it by a raw call of the kernel is not seen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
    if matches!(option, kernel::SET_SECCOMP | kernel::SET_TSC) {
        TIMES.store(false, Relaxed);
    }
    let next = dlsym(NEXT, c"prctl".as_ptr());
    transmute::<Pointer, unsafe extern "C" fn(c_int, usize, usize, usize, usize) -> c_int>(next)(option, a, b, c, d)
}
