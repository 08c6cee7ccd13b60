//! jemalloc's own heap profiles: the settings that have it write them, and what they say.

mod profile;
mod settings;

pub use self::profile::{HeapProfile, MalformedProfile, heap_profile};
pub use self::settings::{Profiling, expected_bytes_between, profiled_by};

/// What the names of jemalloc's functions begin with where it has a prefix: tikv-jemallocator's, and the usual ones.
const PREFIXES: [&str; 3] = ["_rjem_", "je_", "jemalloc_"];

/// Functions that a program calls, where it has none.
const CALLED: [&str; 11] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "mallocx",
    "rallocx",
    "xallocx",
    "operator new",
];

/// Whether a call of `function` in `file` is inside of the allocator: its profiles begin there, and who allocated comes
/// after the last of them.
#[must_use]
pub fn is_of_allocator(file: &str, function: &str) -> bool {
    let library = file.rsplit('/').next().unwrap_or_default();
    let is_called = |name: &&str| {
        let rest = function.strip_prefix(*name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['(', '[']))
    };
    library.starts_with("libjemalloc")
        || PREFIXES.iter().any(|prefix| function.starts_with(prefix))
        || CALLED.iter().any(is_called)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_inside_of_the_allocator_are_known_by_its_library_or_its_functions() {
        assert!(is_of_allocator("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", ""));
        assert!(is_of_allocator("/srv/shop", "_rjem_mallocx") && is_of_allocator("/srv/shop", "_rjem_je_prof_tctx"));
        assert!(is_of_allocator("/srv/shop", "malloc") && is_of_allocator("/srv/shop", "operator new(unsigned long)"));
        assert!(!is_of_allocator("/srv/shop", "mallocate") && !is_of_allocator("/srv/jemalloc/shop", "keep"));
    }
}
