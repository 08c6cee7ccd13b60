//! Allocators that are linked into the program. What the program links with `--wrap=NAME` comes by here: the linker
//! gives it `__wrap_NAME` for `NAME`, which the program exports, so that it is found from here.
//!
//! The size of a block is asked of its own allocator. Blocks of the C library are counted beside them.

use core::ffi::c_int;
use core::mem::transmute;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering::*};

use super::{Pointer, counted, dlsym, in_allocator, uncounted};

/// Of each function how it is found in the program, where it is looked for with its first call.
macro_rules! linked {
    ($($name:ident / $symbol:literal ($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        $(pub(super) unsafe fn $name($($argument: $kind),*) -> $result {
            static FOUND: AtomicPtr<core::ffi::c_void> = AtomicPtr::new(null_mut());
            let mut found = FOUND.load(Relaxed);
            if found.is_null() {
                // `RTLD_DEFAULT`: who comes by here was linked so that it is there.
                found = dlsym(null_mut(), $symbol.as_ptr());
                FOUND.store(found, Relaxed);
            }
            transmute::<Pointer, unsafe extern "C" fn($($kind),*) -> $result>(found)($($argument),*)
        })*
    };
}

/// Of each function that gives a block, that frees one and that moves one what is exported.
macro_rules! wrapped {
    (sized by $size:ident;
     give: [$($give:ident / $give_as:literal ($($in:ident: $of:ty),*);)*]
     free: [$($free:ident / $free_as:literal ($($more:ident: $kind:ty),*);)*]
     move: [$($move:ident / $move_as:literal ($($rest:ident: $type:ty),*);)*]) => {
        $(#[unsafe(export_name = $give_as)]
        pub unsafe extern "C" fn $give($($in: $of),*) -> Pointer {
            let block = in_allocator(|| real::$give($($in),*));
            if !block.is_null() {
                counted(block, real::$size(block) as u64);
            }
            block
        })*
        $(#[unsafe(export_name = $free_as)]
        pub unsafe extern "C" fn $free(block: Pointer, $($more: $kind),*) {
            if !block.is_null() {
                _ = uncounted(block, real::$size(block) as u64);
            }
            in_allocator(|| real::$free(block, $($more),*));
        })*
        $(#[unsafe(export_name = $move_as)]
        pub unsafe extern "C" fn $move(block: Pointer, size: usize, $($rest: $type),*) -> Pointer {
            if !block.is_null() {
                _ = uncounted(block, real::$size(block) as u64);
            }
            let new = in_allocator(|| real::$move(block, size, $($rest),*));
            // Nothing became of it, and the old one lives on; but where no bytes are asked for it is freed.
            let alive = if new.is_null() && size != 0 { block } else { new };
            if !alive.is_null() {
                counted(alive, real::$size(alive) as u64);
            }
            new
        })*
    };
}

mod real {
    use super::*;
    linked! {
        mi_malloc / c"mi_malloc" (size: usize) -> Pointer;
        mi_zalloc / c"mi_zalloc" (size: usize) -> Pointer;
        mi_calloc / c"mi_calloc" (count: usize, size: usize) -> Pointer;
        mi_malloc_aligned / c"mi_malloc_aligned" (size: usize, alignment: usize) -> Pointer;
        mi_zalloc_aligned / c"mi_zalloc_aligned" (size: usize, alignment: usize) -> Pointer;
        mi_free / c"mi_free" (block: Pointer) -> ();
        mi_realloc / c"mi_realloc" (block: Pointer, size: usize) -> Pointer;
        mi_realloc_aligned / c"mi_realloc_aligned" (block: Pointer, size: usize, alignment: usize) -> Pointer;
        mi_usable_size / c"mi_usable_size" (block: Pointer) -> usize;
        rjem_malloc / c"_rjem_malloc" (size: usize) -> Pointer;
        rjem_calloc / c"_rjem_calloc" (count: usize, size: usize) -> Pointer;
        rjem_mallocx / c"_rjem_mallocx" (size: usize, flags: c_int) -> Pointer;
        rjem_free / c"_rjem_free" (block: Pointer) -> ();
        rjem_dallocx / c"_rjem_dallocx" (block: Pointer, flags: c_int) -> ();
        rjem_sdallocx / c"_rjem_sdallocx" (block: Pointer, size: usize, flags: c_int) -> ();
        rjem_realloc / c"_rjem_realloc" (block: Pointer, size: usize) -> Pointer;
        rjem_rallocx / c"_rjem_rallocx" (block: Pointer, size: usize, flags: c_int) -> Pointer;
        rjem_xallocx / c"_rjem_xallocx" (block: Pointer, size: usize, extra: usize, flags: c_int) -> usize;
        rjem_malloc_usable_size / c"_rjem_malloc_usable_size" (block: Pointer) -> usize;
    }
}

wrapped! {
    sized by mi_usable_size;
    give: [
        mi_malloc / "__wrap_mi_malloc" (size: usize);
        mi_zalloc / "__wrap_mi_zalloc" (size: usize);
        mi_calloc / "__wrap_mi_calloc" (count: usize, size: usize);
        mi_malloc_aligned / "__wrap_mi_malloc_aligned" (size: usize, alignment: usize);
        mi_zalloc_aligned / "__wrap_mi_zalloc_aligned" (size: usize, alignment: usize);
    ]
    free: [mi_free / "__wrap_mi_free" ();]
    move: [
        mi_realloc / "__wrap_mi_realloc" ();
        mi_realloc_aligned / "__wrap_mi_realloc_aligned" (alignment: usize);
    ]
}

wrapped! {
    sized by rjem_malloc_usable_size;
    give: [
        rjem_malloc / "__wrap__rjem_malloc" (size: usize);
        rjem_calloc / "__wrap__rjem_calloc" (count: usize, size: usize);
        rjem_mallocx / "__wrap__rjem_mallocx" (size: usize, flags: c_int);
    ]
    free: [
        rjem_free / "__wrap__rjem_free" ();
        rjem_dallocx / "__wrap__rjem_dallocx" (flags: c_int);
        rjem_sdallocx / "__wrap__rjem_sdallocx" (size: usize, flags: c_int);
    ]
    move: [
        rjem_realloc / "__wrap__rjem_realloc" ();
        rjem_rallocx / "__wrap__rjem_rallocx" (flags: c_int);
    ]
}

/// Grows or shrinks a block where it is.
#[unsafe(export_name = "__wrap__rjem_xallocx")]
pub unsafe extern "C" fn rjem_xallocx(block: Pointer, size: usize, extra: usize, flags: c_int) -> usize {
    _ = uncounted(block, real::rjem_malloc_usable_size(block) as u64);
    let new = in_allocator(|| real::rjem_xallocx(block, size, extra, flags));
    counted(block, real::rjem_malloc_usable_size(block) as u64);
    new
}
