//! Allocators that are linked into a program of Rust, and how it is linked once more so that the library sees them: the
//! linker sends the program's calls to the library (`--wrap`), which finds the allocator's functions in the program.
//! The allocator stays what it is.

use std::path::Path;

use super::obstacle::{Obstacle, obstacle};

/// What the crates `mimalloc` and `tikv-jemallocator` call, and what tells the size of a block, by the allocator.
const CALLED: [(&str, &[&str], &str); 2] = [
    (
        "mimalloc",
        &[
            "mi_malloc",
            "mi_zalloc",
            "mi_calloc",
            "mi_malloc_aligned",
            "mi_zalloc_aligned",
            "mi_realloc",
            "mi_realloc_aligned",
            "mi_free",
        ],
        "mi_usable_size",
    ),
    (
        "jemalloc",
        &[
            "_rjem_malloc",
            "_rjem_calloc",
            "_rjem_mallocx",
            "_rjem_realloc",
            "_rjem_rallocx",
            "_rjem_xallocx",
            "_rjem_free",
            "_rjem_dallocx",
            "_rjem_sdallocx",
        ],
        "_rjem_malloc_usable_size",
    ),
];

/// Arguments for the linker that make `library` see the allocator that is linked into `program`; empty where there is
/// none of those that are known.
#[must_use]
pub fn link_arguments(program: &Path, library: &Path) -> Vec<String> {
    let Some(Obstacle::Allocator { allocator, .. }) = obstacle(program) else { return Vec::new() };
    let Some((_, called, size)) = CALLED.iter().find(|(name, ..)| *name == allocator) else { return Vec::new() };
    let wraps = called.iter().map(|function| format!("-Wl,--wrap={function}"));
    // Found by the library when the program runs.
    let exports = called.iter().chain([size]).map(|function| format!("-Wl,--export-dynamic-symbol={function}"));
    // Where a child was started without the variable, the copy beside the program serves: it counts nothing then.
    let others = [library.display().to_string(), "-Wl,-rpath,$ORIGIN".to_owned()];
    wraps.chain(exports).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use steep_live::{Counts, LIBRARY, LIBRARY_FILE, Mapping, file_name};

    use super::super::Preloaded;
    use super::*;

    /// Sources, and no part of this program: they are compiled by the test.
    const SOURCES: [(&str, &str); 2] =
        [("fake.rs", include_str!("linked/fake.rs.txt")), ("shop.rs", include_str!("linked/shop.rs.txt"))];

    fn compiled(folder: &Path, arguments: &[&str], linked: &[String]) {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.current_dir(folder).args(["--edition", "2024", "-O"]).args(arguments);
        command.args(linked.iter().flat_map(|argument| ["-C".to_owned(), format!("link-arg={argument}")]));
        let output = command.output().expect("rustc, which compiled this test");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a process of `program` that keeps this many blocks has alive, and what its allocator mapped.
    fn counted(program: &Path, folder: &Path, kept: u32) -> (Counts, Vec<Mapping>) {
        let preloaded = Preloaded::lay(folder, 64 * 1024).expect("it is laid");
        let mut env = BTreeMap::new();
        preloaded.add_to(&mut env, None);
        let set = env.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let mut command = Command::new(program);
        command.arg(kept.to_string()).envs(set).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it speaks");
        assert_eq!(line, "done\n");
        let file = fs::read(folder.join("live").join(file_name(child.id()))).expect("its file");
        child.kill().expect("it waits");
        child.wait().expect("it is ours");
        let mappings = Mapping::read(&file[usize::try_from(Mapping::AT).expect("64 bits")..][..Mapping::TABLE_BYTES]);
        (Counts::read(&file).expect("of the library"), mappings)
    }

    #[test]
    fn an_allocator_in_the_program_is_seen_to_the_byte_once_the_program_is_linked_so() {
        if LIBRARY.is_empty() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for (name, text) in SOURCES {
            fs::write(path(name), text).expect("a file");
        }
        let library = path(LIBRARY_FILE);
        fs::write(&library, LIBRARY).expect("a file");
        compiled(folder.path(), &["--crate-type", "rlib", "fake.rs"], &[]);
        let of_shop = ["--extern", "fake=libfake.rlib", "shop.rs", "-o"];
        compiled(folder.path(), &[&of_shop[..], &["plain"]].concat(), &[]);
        let obstacle_of = |name: &str| obstacle(&path(name)).map(|found| found.to_string());
        assert!(obstacle_of("plain").is_some_and(|said| said.starts_with("plain has mimalloc linked into it")));
        let linked = link_arguments(&path("plain"), &library);
        compiled(folder.path(), &[&of_shop[..], &["linked"]].concat(), &linked);
        assert_eq!(obstacle_of("linked"), None);
        assert_eq!(link_arguments(&path("linked"), &library), [""; 0], "once is enough");

        let of = |name: &str| [0, 5_000].map(|kept| counted(&path(name), folder.path(), kept));
        let [(none, _), (some, mappings)] = of("linked");
        let lengths: Vec<u64> = mappings.iter().map(|mapping| mapping.end - mapping.start).collect();
        assert_eq!(lengths, [64 << 20], "where it lies is the allocator's");
        assert!(some.mapped_bytes < 64 << 20, "and nothing that the program mapped: {some:?}");
        assert_eq!(some.live_objects() - none.live_objects(), 5_000);
        assert_eq!(some.live_bytes() - none.live_bytes(), 5_000 * 1_000);
        // Each round allocates thrice, and grows a block.
        assert!(some.allocated_objects - none.allocated_objects >= 5_000 * 4, "{some:?}");
        let [(none, _), (some, mappings)] = of("plain");
        assert_eq!(some.live_objects(), none.live_objects(), "it is not seen");
        assert!(mappings.is_empty() && some.mapped_bytes >= 64 << 20, "{some:?}");
    }
}
