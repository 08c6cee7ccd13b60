//! Which languages run in the processes of a service, by their programs and libraries.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::shell::process_tree;
use crate::shell::procfs::mapped_files;
use steep_core::trace::OwnHeap;

/// What the name of a program or of a library begins with, and what follows it: digits and dots, or anything.
const TRACES: [(&str, OwnHeap); 11] = [
    ("python", OwnHeap::Cpython),
    ("libpython", OwnHeap::Cpython),
    ("node", OwnHeap::V8),
    ("deno", OwnHeap::V8),
    ("libnode.so", OwnHeap::V8),
    ("libjvm.so", OwnHeap::Jvm),
    ("libcoreclr.so", OwnHeap::DotNet),
    ("php", OwnHeap::Php),
    ("php-fpm", OwnHeap::Php),
    ("libphp", OwnHeap::Php),
    ("beam.smp", OwnHeap::Beam),
];

/// The heaps of the languages that run below a supervisor.
#[must_use]
pub fn own_heaps(supervisor_pid: u32) -> Vec<OwnHeap> {
    let mut found = BTreeSet::new();
    for process in process_tree::descendants(&process_tree::processes(), supervisor_pid) {
        let maps = fs::read(format!("/proc/{}/maps", process.pid)).unwrap_or_default();
        found.extend(of_maps(&String::from_utf8_lossy(&maps)));
    }
    found.into_iter().collect()
}

/// What is mapped into a process: its program and its libraries.
fn of_maps(maps: &str) -> BTreeSet<OwnHeap> {
    let files = mapped_files(maps);
    let names = files.iter().filter_map(|file| Path::new(file).file_name()?.to_str());
    names.filter_map(|name| TRACES.iter().find(|(trace, _)| is_of(name, trace))).map(|(_, heap)| *heap).collect()
}

/// Whether `name` is `trace` with a version: `python3.11`, `libpython3.11.so.1.0`, `php-fpm8.2`.
fn is_of(name: &str, trace: &str) -> bool {
    let rest =
        name.strip_prefix(trace).map(|rest| rest.trim_start_matches(|one: char| one.is_ascii_digit() || one == '.'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_known_by_their_programs_and_libraries() {
        let of = |file: &str| {
            let maps = format!("55d0-55d1 r-xp 00000000 08:01 77   {file}\n");
            of_maps(&maps).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of("/usr/bin/python3.11"), [OwnHeap::Cpython]);
        assert_eq!(of("/usr/lib/libpython3.12.so.1.0"), [OwnHeap::Cpython]);
        assert_eq!(of("/usr/bin/node"), [OwnHeap::V8]);
        assert_eq!(of("/usr/lib/jvm/lib/server/libjvm.so"), [OwnHeap::Jvm]);
        assert_eq!(of("/usr/sbin/php-fpm8.2"), [OwnHeap::Php]);
        assert_eq!(of("/usr/bin/node_exporter"), [], "which is in Go");
        assert_eq!(of("/srv/phpish/shop"), []);
    }
}
