//! What keeps the library that counts live bytes out of a program, or from seeing what it allocates: read from the
//! program's file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, Machine};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::read::{Object as _, ObjectSymbol, ReadCache};
use steep_live::LIBRARY_FILE;
use thiserror::Error;

use crate::shell::files;

/// Scripts whose interpreter is a script: the kernel follows as many (`fs/exec.c`, `exec_binprm`).
const INTERPRETERS: usize = 5;

/// What is read of the first line of a script (`BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// Why live bytes of a program cannot be counted by a library that is loaded into it, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// Nothing can be loaded into it.
    #[error(
        "{0} is linked statically, and nothing can be loaded into it: build it for a target with glibc and without `target-feature=+crt-static`, or put steep-probe into it"
    )]
    Static(String),
    /// Another C library.
    #[error(
        "{0} runs with musl, and the library needs glibc: build it for a target with glibc, or put steep-probe into it"
    )]
    Musl(String),
    /// Another loader.
    #[error("{program} is loaded by {loader}, and the library needs the loader of glibc on this machine")]
    Loader {
        /// The program.
        program: String,
        /// Its loader.
        loader: String,
    },
    /// Another machine.
    #[error("{0} is a program for another machine than steep, which has no library for it")]
    Machine(String),
    /// A heap of its own.
    #[error(
        "{0} is a Go program, whose memory does not come from malloc: heap profiles of its own (net/http/pprof) show who keeps it"
    )]
    Go(String),
    /// The loader ignores `LD_PRELOAD`.
    #[error(
        "{0} has rights of its own (setuid, setgid or file capabilities), and the loader takes no library into such a program: soak a copy without them (cp leaves them out)"
    )]
    Rights(String),
    /// The sanitizer must be the first library.
    #[error(
        "{program} is built with {sanitizer}, which must be the first to see malloc and would refuse to start behind another library: soak a build without it"
    )]
    Sanitizer {
        /// The program.
        program: String,
        /// Its sanitizer.
        sanitizer: &'static str,
    },
    /// Calls of its allocator do not pass the library.
    #[error(
        "{program} has {allocator} linked into it, which the library does not see: put steep-probe into it, or build it with the system's allocator"
    )]
    Allocator {
        /// The program.
        program: String,
        /// Its allocator.
        allocator: &'static str,
    },
}

impl Obstacle {
    /// Whether the program would not start with the library, or say so. Others only run without it, or unseen; and what
    /// is started may be a wrapper that becomes another program.
    #[must_use]
    pub const fn harms(&self) -> bool {
        matches!(self, Self::Sanitizer { .. } | Self::Musl(_) | Self::Loader { .. } | Self::Machine(_))
    }
}

/// The machine of the library.
const MACHINE: Machine = if cfg!(target_arch = "aarch64") { EM_AARCH64 } else { EM_X86_64 };

/// What the linker of Go writes.
const GO_SECTIONS: [&str; 2] = [".go.buildinfo", ".note.go.buildid"];

/// What shows a sanitizer: a function that it defines or a library that it is.
const SANITIZERS: [(&str, &str, &str); 5] = [
    ("AddressSanitizer", "__asan_init", "libasan.so"),
    ("ThreadSanitizer", "__tsan_init", "libtsan.so"),
    ("MemorySanitizer", "__msan_init", "libmsan.so"),
    ("HWAddressSanitizer", "__hwasan_init", "libhwasan.so"),
    ("LeakSanitizer", "__lsan_init", "liblsan.so"),
];

/// Functions of allocators: as C programs know them, and as crates prefix them. The last are any program's own: they
/// come before those of all libraries.
const ALLOCATORS: [(&str, &[&str]); 7] = [
    ("jemalloc", &["_rjem_malloc", "_rjem_mallocx", "je_malloc", "mallocx", "rallocx"]),
    ("mimalloc", &["mi_malloc", "mi_malloc_aligned"]),
    ("tcmalloc", &["tc_malloc", "TCMallocInternalMalloc"]),
    ("snmalloc", &["sn_malloc", "sn_rust_alloc", "rust_alloc_zeroed_snmalloc"]),
    ("rpmalloc", &["rpmalloc", "rpaligned_alloc"]),
    ("scudo", &["__scudo_allocate", "scudo_malloc"]),
    ("an allocator of its own", &["malloc"]),
];

/// What keeps the library out of the program at `path`, or of the interpreter of the script there; none: nothing that
/// is known of, or there is no such file. What it starts itself is seen when it runs.
#[must_use]
pub fn obstacle(path: &Path) -> Option<Obstacle> {
    let program = interpreted(path.to_owned())?;
    let file = files::open(&program).ok()?;
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    if has_rights(&program, &file) {
        return Some(Obstacle::Rights(name));
    }
    of_object(&ReadCache::new(file), name)
}

/// The program that runs `path`: itself, or the interpreter that its first line names. A command is looked for by
/// `env`, as by a shell.
fn interpreted(mut path: PathBuf) -> Option<PathBuf> {
    for _ in 0..INTERPRETERS {
        let mut line = Vec::new();
        BufReader::new(files::open(&path).ok()?.take(FIRST_LINE)).read_until(b'\n', &mut line).ok()?;
        let Some(words) = line.strip_prefix(b"#!") else { return Some(path) };
        let words = String::from_utf8_lossy(words).into_owned();
        let mut words = words.split_ascii_whitespace();
        let interpreter = words.next()?;
        let is_env = Path::new(interpreter).file_name().is_some_and(|name| name == "env");
        path = if is_env {
            in_path(words.find(|word| !word.starts_with('-') && !word.contains('='))?)?
        } else {
            PathBuf::from(interpreter)
        };
    }
    Some(path)
}

/// Where a command is found that has no slash.
#[must_use]
pub fn in_path(command: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(command)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

/// Whether who starts it gets rights that it had not (`AT_SECURE`).
fn has_rights(program: &Path, file: &File) -> bool {
    let Ok(found) = file.metadata() else { return false };
    let user = rustix::process::geteuid().as_raw();
    let is_other_user = found.mode() & 0o4000 != 0 && found.uid() != user;
    let is_other_group = found.mode() & 0o2000 != 0 && found.gid() != rustix::process::getegid().as_raw();
    // Root has them all already (security/commoncap.c).
    let has_capabilities =
        || user != 0 && rustix::fs::getxattr(program, "security.capability", &mut [0_u8; 64][..]).is_ok();
    is_other_user || is_other_group || has_capabilities()
}

fn of_object(data: &ReadCache<File>, name: String) -> Option<Obstacle> {
    // What is not an object file cannot be started either, and that is said elsewhere.
    let object::File::Elf64(object) = object::File::parse(data).ok()? else { return Some(Obstacle::Machine(name)) };
    let (header, endian) = (object.elf_header(), object.endian());
    if header.e_machine(endian) != MACHINE {
        return Some(Obstacle::Machine(name));
    }
    if GO_SECTIONS.iter().any(|section| object.section_by_name(section).is_some()) {
        return Some(Obstacle::Go(name));
    }
    let mut segments = object.elf_program_headers().iter();
    let Some(loader) = segments.find_map(|segment| segment.interpreter(endian, data).ok().flatten()) else {
        return Some(Obstacle::Static(name));
    };
    let loader = String::from_utf8_lossy(loader).into_owned();
    if loader.contains("musl") {
        return Some(Obstacle::Musl(name));
    }
    // NixOS and others have the loader of glibc in a folder of their own.
    if !Path::new(&loader).file_name().is_some_and(|file| file.as_bytes().starts_with(b"ld-linux")) {
        return Some(Obstacle::Loader { program: name, loader });
    }
    of_names(&names(&object), name)
}

/// What a program defines, and the libraries that it asks for.
#[derive(Debug, Default)]
struct Names {
    defined: BTreeSet<&'static str>,
    needed: Vec<String>,
}

/// Of the names of a program those that matter here.
fn names<'data>(object: &ElfFile64<'data, Endianness, &'data ReadCache<File>>) -> Names {
    let wanted: BTreeSet<&'static str> = SANITIZERS
        .iter()
        .map(|(_, function, _)| *function)
        .chain(ALLOCATORS.iter().flat_map(|(_, of)| *of).copied())
        .collect();
    let symbols = object.symbols().chain(object.dynamic_symbols()).filter(ObjectSymbol::is_definition);
    let defined = symbols.filter_map(|symbol| wanted.get(symbol.name().ok()?).copied()).collect();
    let table = object.elf_dynamic_table().unwrap_or_default();
    let needed = table.iter().filter(|entry| entry.tag == DT_NEEDED).filter_map(|entry| table.string(entry).ok());
    Names { defined, needed: needed.map(|name| String::from_utf8_lossy(name).into_owned()).collect() }
}

fn of_names(names: &Names, program: String) -> Option<Obstacle> {
    let is_there = |(_, function, library): &&(&str, &str, &str)| {
        names.defined.contains(function) || names.needed.iter().any(|needed| needed.starts_with(library))
    };
    if let Some((sanitizer, ..)) = SANITIZERS.iter().find(is_there) {
        return Some(Obstacle::Sanitizer { program, sanitizer });
    }
    // Linked so that the library sees its allocator.
    if names.needed.iter().any(|needed| needed == LIBRARY_FILE) {
        return None;
    }
    let (allocator, _) = ALLOCATORS.iter().find(|(_, of)| of.iter().any(|name| names.defined.contains(name)))?;
    Some(Obstacle::Allocator { program, allocator })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_glibc_and_its_allocator_has_none_and_a_script_is_its_interpreter() {
        let own = std::env::current_exe().expect("the test's own path");
        assert_eq!(obstacle(&own), None);
        assert_eq!(obstacle(Path::new("/nowhere/at/all")), None);
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("run");
        for line in [format!("#!{} -x\n", own.display()), "#!/usr/bin/env -S A=b sh\n".to_owned()] {
            fs::write(&script, line).expect("a file");
            assert_eq!(obstacle(&script), None);
        }
        assert_eq!(interpreted(script), in_path("sh"));
        // One that runs itself ends as well.
        let endless = folder.path().join("endless");
        fs::write(&endless, format!("#!{}\n", endless.display())).expect("a file");
        assert_eq!(obstacle(&endless), None);
    }

    #[test]
    fn what_a_program_has_linked_into_it_is_known_by_its_names() {
        let of = |defined: &[&'static str], needed: &[&str]| {
            let needed = needed.iter().map(|name| (*name).to_owned()).collect();
            let names = Names { defined: defined.iter().copied().collect(), needed };
            of_names(&names, "shop".to_owned()).map(|found| found.to_string())
        };
        assert_eq!(of(&[], &["libc.so.6", "libjemalloc.so.2"]), None, "a library is chained to");
        let jemalloc = of(&["_rjem_malloc"], &["libc.so.6"]).expect("an obstacle");
        assert!(jemalloc.starts_with("shop has jemalloc linked into it") && jemalloc.contains("steep-probe"));
        assert_eq!(of(&["mi_malloc"], &["libsteep_live.so"]), None, "linked so that it is seen");
        assert!(of(&["malloc"], &[]).is_some_and(|said| said.starts_with("shop has an allocator of its own linked")));
        // Linked statically, and as a library; it defines malloc as well, which says less.
        for sanitized in [of(&["__asan_init", "malloc"], &[]), of(&[], &["libasan.so.8"])] {
            let said = sanitized.expect("an obstacle");
            assert!(said.starts_with("shop is built with AddressSanitizer, which must be the first"), "{said}");
        }
    }

    /// A program of 64 bits that is a header and no more.
    fn header(machine: u16) -> Vec<u8> {
        let mut header = vec![0_u8; 64];
        header[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
        for (at, field) in [(16, 2), (18, machine), (20, 1), (52, 64), (54, 56), (58, 64)] {
            header[at..at + 2].copy_from_slice(&field.to_le_bytes());
        }
        header
    }

    #[test]
    fn a_program_without_a_loader_is_static_and_one_of_another_machine_is_said_to_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("shop");
        for (machine, wanted) in
            [(MACHINE.0, Obstacle::Static("shop".to_owned())), (2, Obstacle::Machine("shop".to_owned()))]
        {
            fs::write(&program, header(machine)).expect("a file");
            assert_eq!(obstacle(&program), Some(wanted));
        }
        fs::write(&program, "no program").expect("a file");
        assert_eq!(obstacle(&program), None);
    }

    #[test]
    fn rights_of_a_program_are_those_that_who_starts_it_has_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("shop");
        fs::write(&program, "").expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).expect("its rights");
        // Its owner is who runs this: nothing is gained.
        assert_eq!(obstacle(&program), None);
    }

    #[test]
    fn only_what_would_not_start_is_kept_from_the_library_before() {
        let name = || "shop".to_owned();
        let sanitized = Obstacle::Sanitizer { program: name(), sanitizer: "ThreadSanitizer" };
        let harmed = [sanitized, Obstacle::Musl(name()), Obstacle::Machine(name())];
        assert!(harmed.iter().all(Obstacle::harms));
        // Its loader ignores the library, or the library sees nothing: a wrapper may start something else.
        let unharmed = [Obstacle::Static(name()), Obstacle::Rights(name()), Obstacle::Go(name())];
        assert!(!unharmed.iter().any(Obstacle::harms));
    }
}
